# SPDX-License-Identifier: Apache-2.0
"""Super-packets beneath a tunnel: what they look like, over which devices they
go, and EoIPv6's.

    a: e1, over | u == u, over | e1 :b        (over: VLAN, bond, macvlan, VRF)
"""

import modules
import test_ipv6 as eoipv6
from bed import INNER, UNDERLAY, mac_text
from eoip import IPV6_PROTOCOL
from sandbox import check, check_equal
from test_forwarding import cards
from test_traffic import no_drops, tcp_checksum, without_offloads

TCP_BYTES = 2_000_000
OVER = {"a": "198.51.100.1", "b": "198.51.100.2"}


def carried(bed, size=TCP_BYTES, mss=1400):
    """How many segments one packet of the underlay carries from a to b."""
    bed.large_tcp()
    bed.ping("a", INNER["b"])
    before = bed.statistics("b", "u")["rx_packets"]
    bed.tcp("a", size)
    return size / mss / (bed.statistics("b", "u")["rx_packets"] - before)


def joined(bed, size=TCP_BYTES, mss=1400):
    """How many segments one packet that comes to b's tunnel stands for."""
    bed.large_tcp()
    bed.ping("a", INNER["b"])
    before = bed.statistics("b")["rx_packets"]
    bed.tcp("a", size)
    return size / mss / (bed.statistics("b")["rx_packets"] - before)


def whole_and_joined(bed, least=4):
    """Super-packets cross whole; and what two cards cut is joined again."""
    crossed = carried(bed)
    check(crossed > least, f"a packet carries {crossed:.1f} segments")
    bed.tcp("b", TCP_BYTES)
    cards(bed)
    put_together = joined(bed)
    check(put_together > 4, f"{put_together:.1f} segments are joined")
    bed.tcp("b", TCP_BYTES)
    without_offloads(bed)
    bed.tcp_both_ways(300_000)
    no_drops(bed)
    return f"{crossed:.1f} segments cross in one packet, {put_together:.1f} " \
        "are joined"


def test_length(bed):
    """The header has the length of all that is behind it, also where the
    frame stands for many: a receiver that cuts what is longer, as the
    protocol says, loses nothing."""
    bed.pair()
    bed.large_tcp()
    with bed.wire("b") as wire:
        wire.sock.setsockopt(1, 33, 1 << 26)  # SO_RCVBUFFORCE
        bed.tcp("a", 300_000)
        packets = [frame[14:] for frame in wire.frames(seconds=0.5)
                   if frame[12:14] == b"\x08\0" and frame[23] == 47]
    lengths = [(int.from_bytes(data[24:26], "big"),
                int.from_bytes(data[2:4], "big") - 28) for data in packets]
    check(max(length for length, _ in lengths) > 10_000,
          "no super-packet arrives")
    check_equal("packets with another length than theirs",
                [pair for pair in lengths if pair[0] != pair[1]], [])


def over(bed, where, name):
    """The device `name` as the underlay, with an address and a neighbour."""
    other = "b" if where == "a" else "a"
    bed.ip(where, f"link set {name} up",
           f"addr add {OVER[where]}/24 dev {name}")
    return other


def tunnels(bed, names, **options):
    """Tunnels between the addresses OVER, whose devices find each other."""
    for where in ("a", "b"):
        other = over(bed, where, names[where])
        bed.ip(where, f"neigh replace {OVER[other]} lladdr "
               f"{mac_text(bed.link(other, names[other]).address)} dev "
               f"{names[where]} nud permanent")
        bed.tunnel(where, remote=OVER[other], address=INNER[where], **options)


def test_vlan(bed):
    modules.need("8021q")
    for where in ("a", "b"):
        bed.ip(where, "link add link u name u.5 type vlan id 5")
    tunnels(bed, {"a": "u.5", "b": "u.5"})
    return whole_and_joined(bed)


def test_vlan_in_the_packet(bed):
    """The tag is in the packet, not beside it, as many cards deliver it."""
    modules.need("8021q")
    for where in ("a", "b"):
        bed.offloads(where, "u", txvlan=False, rxvlan=False)
        bed.ip(where, "link add link u name u.5 type vlan id 5")
    tunnels(bed, {"a": "u.5", "b": "u.5"})
    return whole_and_joined(bed)


def test_bond(bed):
    modules.need("bonding")
    for where in ("a", "b"):
        bed.ip(where, "link add bond9 type bond mode active-backup miimon 50",
               "link set u down", "link set u master bond9", "link set u up")
    tunnels(bed, {"a": "bond9", "b": "bond9"})
    return whole_and_joined(bed)


def test_macvlan(bed):
    modules.need("macvlan")
    for where in ("a", "b"):
        bed.ip(where, "link add mac9 link u type macvlan mode bridge")
    tunnels(bed, {"a": "mac9", "b": "mac9"})
    return whole_and_joined(bed)


def test_bridge(bed):
    """The underlay's address is the bridge's, which carries no super-packets
    of any tunnel."""
    modules.need("bridge")
    for where in ("a", "b"):
        bed.ip(where, "link add br9 type bridge", "link set u master br9")
    tunnels(bed, {"a": "br9", "b": "br9"})
    return whole_and_joined(bed, least=0)


def test_bridge_full_size(bed):
    """Super-packets that are to be fragmented are cut before the bridge."""
    modules.need("bridge")
    for where in ("a", "b"):
        bed.ip(where, "link add br9 type bridge", "link set u master br9")
    tunnels(bed, {"a": "br9", "b": "br9"}, mtu=1500)
    bed.ping_both_ways(1472)
    bed.tcp_both_ways(TCP_BYTES)
    no_drops(bed)


def test_vrf(bed):
    """The link u belongs to a VRF, in whose table the addresses are."""
    modules.need("vrf")
    links = {}
    for where in ("a", "b"):
        bed.ip(where, "link add v type vrf table 10", "link set v up",
               "link set u master v", f"addr replace {UNDERLAY[where]}/24 "
               "dev u")
        other = "b" if where == "a" else "a"
        bed.ip(where, f"neigh replace {UNDERLAY[other]} lladdr "
               f"{mac_text(bed.link(other, 'u').address)} dev u nud permanent")
        links[where] = bed.link(where, "v").index
    for where, index in links.items():
        bed.tunnel(where, link=index, address=INNER[where])
    return whole_and_joined(bed)


## EoIPv6.

def test_ipv6(bed):
    """The same of EoIPv6, whose header has no length."""
    eoipv6.underlay(bed)
    eoipv6.pair(bed)
    return whole_and_joined(bed)


def check_ipv6_segments(bed, frames):
    """The sizes of the TCP segments in EoIPv6 packets, whose lengths and
    checksums are right."""
    sizes = []
    for frame in frames:
        length = int.from_bytes(frame[18:20], "big")
        check_equal("IPv6's length", length, len(frame) - 54)
        datagram = frame[54 + 2 + 14:]
        if datagram[:1] != b"\x45" or datagram[9] != 6:
            continue
        check_equal("inner length", int.from_bytes(datagram[2:4], "big"),
                    len(datagram))
        check_equal("inner TCP checksum", tcp_checksum(datagram), 0)
        sizes.append(len(datagram) - 20 - (datagram[32] >> 4) * 4)
    return [size for size in sizes if size]


def test_ipv6_on_the_wire(bed):
    """EoIPv6's segments, cut for an underlay that carries none."""
    eoipv6.underlay(bed)
    eoipv6.pair(bed)
    without_offloads(bed)
    with bed.wire("b") as wire:
        wire.sock.setsockopt(1, 33, 1 << 26)  # SO_RCVBUFFORCE
        bed.tcp("a", 300_000)
        frames = [frame for frame in wire.frames(seconds=0.5)
                  if frame[12:14] == b"\x86\xdd"
                  and frame[20] == IPV6_PROTOCOL]
    sizes = check_ipv6_segments(bed, frames)
    mtu = bed.link("a").mtu
    check(len(sizes) > 50 and max(sizes) == mtu - 52,
          f"{len(sizes)} segments, the largest {max(sizes or [0])}")
    return f"{len(sizes)} segments"


def test_ipv6_full_size(bed):
    """Frames of 1500 over an underlay of 1500: super-packets are cut and
    then fragmented."""
    eoipv6.underlay(bed)
    eoipv6.pair(bed, mtu=1500)
    bed.ping_both_ways(1472)
    bed.tcp_both_ways(1_000_000)
    no_drops(bed)


def test_ipv6_tunnels_apart(bed):
    """Two ids between the same addresses, with TCP in both: none gets what
    is the other's."""
    eoipv6.underlay(bed)
    eoipv6.pair(bed)
    for where, last in (("a", 1), ("b", 2)):
        eoipv6.tunnel(bed, where, "e2", id=200, address=f"10.0.1.{last}")
    cards(bed)
    bed.ping("a", "10.0.1.2")
    bed.ping("a", INNER["b"])
    for address in (INNER["b"], "10.0.1.2"):
        bed.tcp("a", 500_000, address)
    no_drops(bed, ("a", "e1"), ("b", "e1"), ("a", "e2"), ("b", "e2"))
