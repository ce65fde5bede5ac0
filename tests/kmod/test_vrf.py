# SPDX-License-Identifier: Apache-2.0
"""The underlay is in a VRF.

    a: v (VRF) <- u == b: u

A tunnel's link may be the VRF, as routing sees it, or the VRF's slave, as the
cabling does; either sends and receives."""

import eoip
import modules
import test_headers
import test_ipv6
from bed import MAC, UNDERLAY
from packets import ARP_REQUEST
from peer import Injector, outer
from sandbox import check_equal


def enslave(bed):
    modules.need("vrf")
    bed.ip("a", "link add v type vrf table 10", "link set v up",
           "link set u master v", f"neigh replace {UNDERLAY['b']} lladdr "
           f"{MAC['b'].hex(':')} dev u nud permanent")


def both_ways(bed, injector, good, protocol):
    injector.expect("a frame", [good], [ARP_REQUEST])
    outer(bed, ARP_REQUEST, protocol=protocol)


def receives_only(bed, injector, good, _):
    """Without a link it is one of the main table, which has no way."""
    injector.expect("a frame", [good], [ARP_REQUEST])
    with bed.wire("a", "e1") as sender:
        sender.send(ARP_REQUEST)
    check_equal("tx_drop_no_route", bed.counters("a")["tx_drop_no_route"], 1)


def each_link(bed, make, injector_of, protocol=47):
    for name, what in (("u", both_ways), ("v", both_ways),
                       (None, receives_only)):
        make(bed, link=bed.link("a", name).index if name else 0)
        with injector_of(bed) as injector:
            what(bed, injector, injector.wrap(ARP_REQUEST), protocol)
        bed.rtnl("a").delete("e1")


def test_over_ipv4(bed):
    enslave(bed)
    each_link(bed, lambda bed, **options: bed.tunnel("a", **options),
              Injector)


def test_over_ipv6(bed):
    enslave(bed)
    test_ipv6.underlay(bed)
    each_link(bed, test_ipv6.tunnel, test_ipv6.injector_of,
              eoip.IPV6_PROTOCOL)


def test_another_slave(bed):
    """A link that is another device of the VRF's gets nothing."""
    enslave(bed)
    bed.ip("a", "link add d1 type dummy", "link set d1 master v up")
    bed.tunnel("a", link=bed.link("a", "d1").index)
    bed.tunnel("a", "e2", link=bed.link("a", "u").index)
    with Injector(bed, "e2") as injector:
        injector.expect("a frame", [injector.wrap(ARP_REQUEST)],
                        [ARP_REQUEST])
    check_equal("rx_packets of e1", bed.statistics("a")["rx_packets"], 0)


def test_pmtu(bed):
    """A router's "too big" is about the VRF's route."""
    enslave(bed)
    bed.tunnel("a", link=bed.link("a", "u").index, df=eoip.DF_SET)
    with Injector(bed) as injector:
        injector.expect("too big", [test_headers.honest()])
    shown = bed.exec("a", "ip", "route", "get", "vrf", "v", UNDERLAY["b"])
    check_equal("the route's MTU is 1000", " mtu 1000" in shown, True)
