# SPDX-License-Identifier: Apache-2.0
"""Tunnels in tunnels, and tunnels that lead into themselves."""

import modules
from bed import OTHER
from packets import ARP_REQUEST
from sandbox import check, check_equal, until


def test_through_itself(bed):
    """A bond sends each frame through two tunnels, which are routed through
    the bond: an end is put to it, and counted."""
    modules.need("bonding")
    bed.ip("a", "link add bond0 type bond mode broadcast")
    for number in (1, 2):
        bed.tunnel("a", f"e{number}", up=False, id=number, local="10.9.0.1",
                   remote=f"10.9.0.{number + 1}")
        bed.ip("a", f"link set e{number} master bond0",
               f"link set e{number} up")
    bed.ip("a", "link set bond0 up", "addr add 10.9.0.1/24 dev bond0",
           *(f"neigh add 10.9.0.{n} lladdr 02:00:00:00:00:07 dev bond0"
             for n in (2, 3)))
    until(lambda: bed.link("a", "bond0").carrier, "bond0 has no carrier")
    with bed.wire("a", "bond0") as sender:
        sender.send(ARP_REQUEST)

    def drops():
        return sum(bed.counters("a", f"e{number}")["tx_drop_recursion"]
                   for number in (1, 2))

    until(lambda: drops() > 0, "nothing was dropped as tx_drop_recursion")
    for number in (1, 2):
        counters = bed.counters("a", f"e{number}")
        check_equal("other drops", {name: value for name, value
                                    in counters.items() if value
                                    and name != "tx_drop_recursion"}, {})
    return f"{drops()} dropped"


def queue(bed, where, name, qdisc):
    if qdisc:
        bed.exec(where, *f"tc qdisc add dev {name} root {qdisc}".split())


def nest(bed, levels, qdisc=None):
    """Tunnels e1 to e`levels`, each within the one before."""
    bed.pair()
    for where in ("a", "b"):
        queue(bed, where, "e1", qdisc)
    for level in range(2, levels + 1):
        for where in ("a", "b"):
            ends = {"a": 1, "b": 2}
            bed.tunnel(
                where, f"e{level}", id=level, address=f"10.0.{level}."
                f"{ends[where]}", remote=f"10.0.{level - 1 if level > 2 else 0}"
                f".{ends[OTHER[where]]}")
            queue(bed, where, f"e{level}", qdisc)


def test_nested(bed):
    """Three tunnels in one another carry what one does."""
    nest(bed, 3)
    bed.ping("a", "10.0.3.2")
    bed.ping("b", "10.0.3.1", 1300)
    bed.tcp("a", 300_000, "10.0.3.2")
    for level in (1, 2, 3):
        counters = bed.counters("a", f"e{level}")
        check_equal(f"drops of e{level}", {name: value for name, value
                                           in counters.items() if value}, {})


def too_deep(bed, qdisc=None):
    """One frame into the innermost of ten tunnels."""
    nest(bed, 10, qdisc)
    with bed.wire("a", "e10") as sender:
        sender.send(ARP_REQUEST)

    def drops():
        return {f"e{level}": bed.counters("a", f"e{level}")[
            "tx_drop_recursion"] for level in range(1, 11)}

    until(lambda: any(drops().values()), "no tx_drop_recursion")
    check(not drops()["e10"], "the innermost tunnel drops")


def test_nested_too_deep(bed):
    too_deep(bed)


def test_nested_too_deep_queued(bed):
    """A queue before each tunnel hides the depth from the kernel's own
    check, but not the use of its stack."""
    modules.need("sch_fq_codel")
    too_deep(bed, "fq_codel")
