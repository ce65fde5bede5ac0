# SPDX-License-Identifier: Apache-2.0
"""Ping and TCP between two namespaces, both ways: plain, in outer fragments,
with and without segmentation offload, tagged, and with a user program at the
other end."""

import socket
import struct

import modules
import netns_socket
from bed import INNER, OTHER
from packets import checksum
from peer import Program
from sandbox import check, check_equal

TCP = 6
TCP_BYTES = 1_000_000


def no_drops(bed, *devices):
    for where, name in devices or (("a", "e1"), ("b", "e1")):
        drops = {counter: value for counter, value
                 in bed.counters(where, name).items()
                 if value and "_drop_" in counter}
        check_equal(f"drops of {name} in {where}", drops, {})


def test_ping_and_tcp(bed):
    bed.pair()
    bed.ping_both_ways()
    bed.tcp_both_ways(TCP_BYTES)
    no_drops(bed)


def test_full_size_frames(bed):
    """Frames of 1500 over an underlay of 1500: every one in two outer
    fragments, and put together again at the other side."""
    bed.pair(mtu=1500)
    bed.ping_both_ways(1472)
    bed.tcp_both_ways(TCP_BYTES)
    no_drops(bed)


def test_largest_frames(bed):
    """What one IPv4 packet carries, in as many fragments as it takes."""
    bed.pair(mtu=65493)
    bed.ping_both_ways(65493 - 28)
    bed.tcp_both_ways(TCP_BYTES)
    no_drops(bed)


def test_jumbo_underlay(bed):
    bed.ip("a", "link set u mtu 9000")
    bed.ip("b", "link set u mtu 9000")
    bed.pair()
    check_equal("MTU", bed.link("a").mtu, 9000 - 42)
    bed.ping_both_ways(9000 - 42 - 28, True)
    bed.tcp_both_ways(TCP_BYTES)


def test_ipv6_inside(bed):
    """The tunnel carries Ethernet, so IPv6 too."""
    for where in ("a", "b"):
        bed.sysctl(where, "ipv6/conf/default/disable_ipv6", 0, True)
    bed.pair()
    for where in ("a", "b"):
        bed.ip(where, f"addr add fd00::{'12'[where == 'b']}/64 dev e1 nodad")
    bed.ping("a", "fd00::2")
    bed.tcp("b", TCP_BYTES, INNER["a"])


def test_vlans(bed):
    """Two VLANs on one tunnel, in frames of full size."""
    modules.need("8021q")
    bed.pair(mtu=1500)
    for where, last in (("a", 1), ("b", 2)):
        for tag in (5, 6):
            bed.ip(where, f"link add link e1 name e1.{tag} type vlan id {tag}",
                   f"link set e1.{tag} up",
                   f"addr add 10.0.{tag}.{last}/24 dev e1.{tag}")
    for tag in (5, 6):
        bed.ping("a", f"10.0.{tag}.2", 1472)
        bed.ping("b", f"10.0.{tag}.1", 1472)
        bed.tcp("a", TCP_BYTES, f"10.0.{tag}.2")


def test_bridged(bed):
    """What a bridge forwards: hosts behind a, with offloads of their own.

        h: u -- a: br0 [u2, e1] == b: e1
    """
    modules.need("bridge")
    bed.pair(mtu=1500)
    bed.add_namespace("h")
    bed.ip("a", "link add br0 type bridge", "link set br0 up",
           "addr flush dev e1", "link set e1 master br0",
           f"link add u2 type veth peer name u netns {bed.netns('h')}",
           "link set u2 master br0 up")
    bed.ip("h", "link set u up", "addr add 10.0.0.3/24 dev u")
    bed.ping("b", "10.0.0.3", 1472)
    bed.ping("h", INNER["b"], 1472)
    for source, target, address in (("h", "b", INNER["b"]),
                                    ("b", "h", "10.0.0.3")):
        _, sent, received = netns_socket.tcp_transfer(
            bed.netns(source), bed.netns(target), address, 300_000)
        check_equal(f"SHA-256 of TCP data from {source}", received, sent)


def test_user_program_peer(bed):
    """A program with a raw socket and a tap device, in place of the module.
    It wants packets as they are on a wire, not as veth carries them."""
    modules.need("tun")
    without_offloads(bed)
    bed.tunnel("a", address=INNER["a"])
    with Program(bed, INNER["b"]):
        bed.ping("a")
        bed.ping("b")
        bed.ping("a", None, 1400)
        bed.tcp("a", 300_000)
        bed.tcp("b", 300_000)
    no_drops(bed, ("a", "e1"))


def test_user_program_full_size(bed):
    """The same, with frames of 1500 in outer fragments."""
    modules.need("tun")
    without_offloads(bed)
    bed.tunnel("a", address=INNER["a"], mtu=1500)
    with Program(bed, INNER["b"]):
        bed.ping("a", None, 1472)
        bed.ping("b", None, 1472)
        bed.tcp("a", 300_000)
        bed.tcp("b", 300_000)
    no_drops(bed, ("a", "e1"))


def tcp_checksum(datagram):
    """Zero if the TCP checksum of an IPv4 datagram is right."""
    start = (datagram[0] & 0xf) * 4
    segment = datagram[start:]
    pseudo = datagram[12:20] + struct.pack("!BBH", 0, TCP, len(segment))
    return checksum(pseudo + segment + bytes(len(segment) % 2))


def check_outer(data):
    """One outer packet on a wire without offloads: every length is right, and
    the inner TCP checksum.  Returns the inner TCP payload's size."""
    total = struct.unpack("!H", data[16:18])[0]
    check_equal("outer checksum", checksum(data[14:34]), 0)
    length = struct.unpack(">H", data[38:40])[0]
    check_equal("EoIP length", length, total - 28)
    inner = data[42:42 + length]
    if inner[12:14] == b"\x81\0":
        inner = inner[:12] + inner[16:]
    if inner[12:14] != b"\x08\0" or inner[23] != TCP:
        return 0
    datagram = inner[14:14 + struct.unpack("!H", inner[16:18])[0]]
    check_equal("inner length", len(inner), 14 + len(datagram))
    check_equal("inner IPv4 checksum", checksum(datagram[:20]), 0)
    check_equal("inner TCP checksum", tcp_checksum(datagram), 0)
    return len(datagram) - 20 - (datagram[32] >> 4) * 4


def segments_seen(bed, where, address=None):
    """Sends TCP from `where`, looks at what arrives at the other side's
    underlay."""
    with bed.wire(OTHER[where]) as wire:
        wire.sock.setsockopt(1, 33, 1 << 26)  # SO_RCVBUFFORCE
        bed.tcp(where, 300_000, address)
        sizes = [check_outer(frame) for frame in wire.frames(seconds=0.5)
                 if frame[12:14] == b"\x08\0" and frame[23] == 47]
    return [size for size in sizes if size]


def without_offloads(bed, device="u"):
    for where in ("a", "b"):
        bed.offloads(where, device, tso=False, gso=False, gro=False, tx=False,
                     sg=False)


def test_segments_on_the_wire(bed):
    """TCP's super-packets, cut for an underlay that carries none: lengths and
    checksums of every packet, at several MTUs of the tunnel."""
    without_offloads(bed)
    bed.pair()
    seen = 0
    for mtu in (1458, 1000, 576):
        for where in ("a", "b"):
            bed.rtnl(where).set_mtu("e1", mtu)
        sizes = segments_seen(bed, "a")
        check(len(sizes) > 50 and max(sizes) == mtu - 52,
              f"{len(sizes)} segments at MTU {mtu}, the largest "
              f"{max(sizes or [0])}, not {mtu - 52}")
        seen += len(sizes)
    return f"{seen} segments"


def test_tagged_segments_on_the_wire(bed):
    """The same behind a VLAN tag."""
    modules.need("8021q")
    without_offloads(bed)
    bed.pair(mtu=1400)
    for where, last in (("a", 1), ("b", 2)):
        bed.ip(where, "link add link e1 name e1.5 mtu 1396 type vlan id 5",
               "link set e1.5 up", f"addr add 10.0.5.{last}/24 dev e1.5")
    sizes = segments_seen(bed, "a", "10.0.5.2")
    check(len(sizes) > 50 and max(sizes) == 1396 - 52,
          f"{len(sizes)} segments, the largest {max(sizes or [0])}")


def test_without_offload(bed):
    """The tunnel's own device cannot do segmentation or checksums."""
    bed.pair()
    without_offloads(bed, "e1")
    bed.tcp_both_ways(TCP_BYTES)
    without_offloads(bed)
    check(segments_seen(bed, "b"), "no segments on the wire")
    no_drops(bed)


def test_offload_of_one_side(bed):
    """Super-packets from a side that sends them to one that does not."""
    bed.pair()
    bed.offloads("a", "u", tso=False, gso=False, gro=False, tx=False)
    bed.tcp_both_ways(TCP_BYTES)
    bed.offloads("b", "e1", tso=False, gso=False, gro=False)
    bed.tcp_both_ways(TCP_BYTES)
    no_drops(bed)


def test_super_packets_cross(bed):
    """A veth carries super-packets: fewer packets than segments, and none is
    lost or cut."""
    bed.pair()
    bed.large_tcp()
    before = bed.statistics("b", "u")["rx_packets"]
    bed.tcp("a", 2_000_000)
    packets = bed.statistics("b", "u")["rx_packets"] - before
    segments = 2_000_000 // 1406
    check(packets < segments, f"{packets} packets for {segments} segments")
    no_drops(bed)
    return f"{packets} packets for {segments} segments"


def test_tunnel_in_tunnel(bed):
    """EoIP over EoIP, both with segmentation offload."""
    bed.pair()
    for where in ("a", "b"):
        bed.tunnel(where, "e2", id=200, remote=INNER[OTHER[where]],
                   address={"a": "10.0.1.1", "b": "10.0.1.2"}[where])
    check_equal("MTU of the tunnel in the tunnel", bed.link("a", "e2").mtu,
                1458 - 42)
    bed.ping("a", "10.0.1.2", 1300)
    bed.tcp("a", TCP_BYTES, "10.0.1.2")
    bed.tcp("b", TCP_BYTES, "10.0.1.1")
    without_offloads(bed)
    bed.tcp("a", TCP_BYTES, "10.0.1.2")
    no_drops(bed, ("a", "e1"), ("b", "e1"), ("a", "e2"), ("b", "e2"))


def test_udp_segmentation(bed):
    """UDP's super-packets (UDP_SEGMENT) come out as the datagrams that they
    stand for, over an underlay that carries them and one that does not."""
    bed.pair()
    bed.ping("a")

    def exchange():
        with netns_socket.inside(bed.netns("b")):
            receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with netns_socket.inside(bed.netns("a")):
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with receiver, sender:
            receiver.settimeout(5)
            receiver.bind((INNER["b"], 5000))
            sender.setsockopt(17, 103, 1000)  # SOL_UDP, UDP_SEGMENT
            data = b"".join(bytes([number]) * 1000 for number in range(10))
            sender.sendto(data + b"tail", (INNER["b"], 5000))
            got = [receiver.recv(4096) for _ in range(11)]
        check_equal("datagrams", [(one[:1], len(one)) for one in sorted(got)],
                    sorted([(bytes([number]), 1000) for number in range(10)]
                           + [(b"t", 4)]))

    exchange()
    without_offloads(bed)
    exchange()
    no_drops(bed)
