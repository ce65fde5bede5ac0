# SPDX-License-Identifier: Apache-2.0
"""Packets that a network card hands over together are made one (GRO): which
of them may be, and that everything else stays as it is.

    a: e1 (id 100), e2 (id 200) | u == slotted queue, u: b

b's queue lets what has come to it go in one burst.  The link's statistics say
how many packets carried frames to a device; behind that GRO is at work again,
on the frames."""

import modules
from bed import INNER, UNDERLAY
from packets import ARP_REQUEST, eoip, ethernet, tcp
from peer import Injector, packet
from sandbox import check, check_equal
from test_traffic import no_drops

TCP_BYTES = 2_000_000
# Ethernet, IPv4 and TCP headers of a frame.
HEADERS = 14 + 20 + 20


def without_segmentation(bed):
    """As on a wire, and what arrives is put together."""
    for where in ("a", "b"):
        bed.offloads(where, "u", tso=False, gso=False, gro=True)


def bursts(bed):
    modules.need("sch_netem")
    without_segmentation(bed)
    bed.exec("b", *"tc qdisc add dev u root netem delay 1ms slot 150ms".split())


def segment(sequence, size):
    """A frame with TCP of one connection, whose data tells where it belongs."""
    data = bytes((sequence + number) % 251 for number in range(size))
    return ethernet(tcp(data, sequence), bytes.fromhex("020000000001"))


def outer(frame, tunnel_id=100, **fields):
    return packet(eoip(frame, tunnel_id, **fields), fragment=0x4000)


def data_of(frames):
    return b"".join(frame[HEADERS:] for frame in frames)


def carriers(bed, device="e1"):
    return bed.statistics("a", device)["rx_packets"]


def test_joined(bed):
    """Frames of one length become one packet, and a shorter one ends it; the
    bytes are those that were sent, in order."""
    bursts(bed)
    bed.tunnel("a")
    sent = [segment(1000 * number, 1000) for number in range(8)]
    sent += [segment(8000, 400), segment(8400, 1000), segment(9400, 1000)]
    with Injector(bed) as injector:
        seen = injector.delivered([outer(frame) for frame in sent])
    check(data_of(seen) == data_of(sent), "the data differs")
    check_equal("packets, with two for the end", carriers(bed), 2 + 2)
    no_drops(bed, ("a", "e1"))


def test_two_tunnels(bed):
    """Two ids between the same addresses, with the same TCP inside: none gets
    what is the other's."""
    bursts(bed)
    bed.tunnel("a")
    bed.tunnel("a", "e2", id=200)
    sent = [segment(1000 * number, 1000) for number in range(8)]
    with Injector(bed) as one, Injector(
            bed, "e2", lambda frame: outer(frame, 200)) as two:
        for frame in sent[:4]:
            two.send(outer(frame, 200))
            one.send(outer(frame))
        for frame in sent[4:]:
            two.send(outer(frame, 200))
        seen = [device.delivered([]) for device in (one, two)]
    for frames, expected in zip(seen, (sent[:4], sent)):
        check(data_of(frames) == data_of(expected), "the data differs")
    check_equal("packets, with two for the end",
                (carriers(bed), carriers(bed, "e2")), (1 + 2, 1 + 2))


def test_wrong_length(bed):
    """Among good ones, frames whose header says less or more than there is:
    cut as without GRO, or dropped and counted."""
    bursts(bed)
    bed.tunnel("a")
    frames = [segment(1000 * number, 1000) for number in range(6)]
    packets = [outer(frame) for frame in frames]
    packets[2] = outer(frames[2], length=900)
    packets[4] = outer(frames[4], length=1100)
    with Injector(bed) as injector:
        seen = injector.delivered(packets)
    expected = [frames[0], frames[1], frames[2][:900], frames[3], frames[5]]
    check(sorted(data_of([frame]) for frame in seen)
          == sorted([data_of(frames[:2]),
                     *map(data_of, ([frame] for frame in expected[2:]))]),
          f"frames of {[len(frame) for frame in seen]} bytes come out")
    check_equal("length_beyond_packet",
                bed.counters("a")["rx_drop_length_beyond_packet"], 1)


def test_not_ours(bed):
    """Of no tunnel: a raw socket sees each packet as it was sent."""
    bursts(bed)
    bed.tunnel("a")
    sent = [outer(segment(1000 * number, 1000), 7) for number in range(4)]
    with bed.raw_socket("a") as raw, Injector(bed) as injector:
        for data in sent:
            injector.send(data)
        seen = [raw.recv(1 << 16) for _ in sent]
    check(seen == sent, f"packets of {[len(data) for data in seen]} bytes")


def joined(bed, name, address):
    """How many segments a packet of TCP stands for, as `name` counts them."""
    bed.large_tcp()
    bed.ping("a", address)
    before = bed.statistics("b", name)["rx_packets"]
    bed.tcp("a", TCP_BYTES, address)
    packets = bed.statistics("b", name)["rx_packets"] - before
    return TCP_BYTES / 1400 / packets


def test_tcp(bed):
    without_segmentation(bed)
    bed.pair()
    found = joined(bed, "e1", INNER["b"])
    check(found > 4, f"a packet stands for {found:.1f} segments")
    bed.tcp("b", TCP_BYTES)
    no_drops(bed)
    return f"a packet stands for {found:.1f} segments"


def test_gre_beside(bed):
    """GRE's packets are joined as they were, and after the module is gone."""
    modules.need("ip_gre")
    without_segmentation(bed)
    for where, last, remote in (("a", 1, "b"), ("b", 2, "a")):
        bed.ip(where, f"link add g1 type gretap key 100 nopmtudisc ignore-df "
               f"local {UNDERLAY[where]} remote {UNDERLAY[remote]}",
               f"addr add 10.2.0.{last}/24 dev g1",
               "link set g1 mtu 1450 up")
    bed.pair()
    before = joined(bed, "g1", "10.2.0.2")
    check(before > 4, f"a packet of GRE stands for {before:.1f} segments")
    for where in ("a", "b"):
        bed.rtnl(where).delete("e1")
    modules.unload("eoip")
    after = joined(bed, "g1", "10.2.0.2")
    check(after > 4, f"and without the module for {after:.1f}")
    return f"a packet stands for {before:.1f} segments, then for {after:.1f}"


def test_off(bed):
    """Without GRO on the underlay's device every packet comes by itself."""
    bursts(bed)
    bed.offloads("a", "u", gro=False)
    bed.tunnel("a")
    frames = [segment(1000 * number, 1000) for number in range(4)]
    with Injector(bed) as injector:
        injector.delivered([outer(frame) for frame in frames])
    check_equal("packets, with two for the end", carriers(bed), 4 + 2)


def test_keepalives_and_arp(bed):
    """What is no TCP passes at once and as it is."""
    bursts(bed)
    bed.tunnel("a")
    with Injector(bed) as injector:
        injector.expect("a mixture", [outer(b""), outer(ARP_REQUEST),
                                      outer(b""), outer(ARP_REQUEST)],
                        [ARP_REQUEST] * 2, rx_keepalives=2)
