# SPDX-License-Identifier: Apache-2.0
"""Packets that are wrong, from a peer that means harm or has a bug.

    a: e1 | u == underlay == b (this test writes packets)

None comes out of e1, each moves the counter that names its fault and no
other, and the tunnel goes on working."""

import contextlib
import random
import struct

from bed import INNER, MAC
from packets import ARP_IN_TUNNEL_100, ARP_REQUEST, MAGIC, eoip, ipv4
from peer import Injector, packet
from sandbox import SOL_PACKET, check, check_equal, until

PACKET_VNET_HDR = 15  # <linux/if_packet.h>

FUZZ_PACKETS = 5000
BATCH = 40  # Fits into every socket buffer on the way.


def attack(bed, **options):
    bed.tunnel("a", **options)
    return Injector(bed)


def test_truncated(bed):
    """A good packet, cut after every byte, with an IP header that fits.  Below
    8 bytes there is no EoIP header, and the packet is none of ours."""
    with attack(bed) as injector:
        injector.expect("cut in the EoIP header",
                        [packet(ARP_IN_TUNNEL_100[:n]) for n in range(8)])
        injector.expect("cut in the frame",
                        [packet(ARP_IN_TUNNEL_100[:n]) for n in range(8, 50)],
                        rx_drop_length_beyond_packet=42)


def test_truncated_below_ip(bed):
    """A good packet, cut after every byte, with an IP header that lies: IP
    itself throws it away."""
    with attack(bed) as injector:
        whole = packet(ARP_IN_TUNNEL_100)
        injector.expect("cut", [whole[:n] for n in range(len(whole))])


def test_truncated_in_pieces(bed):
    """A good packet and one that is cut, in outer fragments of every size."""
    with attack(bed) as injector:
        for first in range(8, 48, 8):
            def pieces(payload, ident):
                return [packet(payload[:first], fragment=0x2000, ident=ident),
                        packet(payload[first:], fragment=first // 8,
                               ident=ident)]

            injector.expect(f"whole, first piece {first}",
                            pieces(ARP_IN_TUNNEL_100, first), [ARP_REQUEST])
            injector.expect(f"cut, first piece {first}",
                            pieces(ARP_IN_TUNNEL_100[:49], first + 1),
                            rx_drop_length_beyond_packet=1)


def test_length_beyond_packet(bed):
    """The EoIP length is larger than what IP carries."""
    with attack(bed) as injector:
        lengths = (43, 44, 1500, 65507, 65535)
        injector.expect("too long", [packet(eoip(ARP_REQUEST, length=length))
                                     for length in lengths],
                        rx_drop_length_beyond_packet=5)
        injector.expect("a keepalive's 8 bytes that announce a frame",
                        [packet(eoip(b"", length=42))],
                        rx_drop_length_beyond_packet=1)


def test_frame_too_short(bed):
    """A frame of 1 to 13 bytes, with and without bytes behind it."""
    with attack(bed) as injector:
        injector.expect("alone", [packet(eoip(ARP_REQUEST[:n]))
                                  for n in range(1, 14)],
                        rx_drop_frame_too_short=13)
        injector.expect("with more behind",
                        [packet(eoip(ARP_REQUEST, length=n))
                         for n in range(1, 14)], rx_drop_frame_too_short=13)


def test_trimmed(bed):
    """Bytes behind the frame are cut off, whatever their number."""
    with attack(bed) as injector:
        for more in (1, 2, 17, 100, 1400):
            injector.expect(f"{more} bytes more",
                            [packet(eoip(ARP_REQUEST + b"\xee" * more,
                                         length=len(ARP_REQUEST)))],
                            [ARP_REQUEST])


def test_padded(bed):
    """Padding of the underlay's Ethernet is no part of the packet."""
    with attack(bed) as injector:
        frame = ARP_REQUEST[:14]
        injector.expect("padding", [packet(eoip(frame)) + bytes(18)], [frame])
        injector.expect("a padded keepalive", [packet(eoip(b"")) + bytes(18)],
                        rx_keepalives=1)
        injector.expect("padding is not what the length asks for",
                        [packet(eoip(frame, length=20)) + bytes(18)],
                        rx_drop_length_beyond_packet=1)


def test_keepalive_with_trailer(bed):
    with attack(bed) as injector:
        injector.expect("a trailer", [packet(eoip(b"\xaa" * n, length=0))
                                      for n in range(20)], rx_keepalives=20)


def test_ip_options(bed):
    """Options have no business on a tunnel's packets."""
    options = [b"\x01" * 4, b"\x01" * 40, b"\x94\x04\0\0",
               b"\x07\x07\x04" + bytes(5)]
    with attack(bed) as injector:
        injector.expect("options", [packet(ARP_IN_TUNNEL_100, options=option)
                                    for option in options],
                        rx_drop_ip_options=len(options))
        injector.expect("options on a keepalive",
                        [packet(eoip(b""), options=options[0])],
                        rx_drop_ip_options=1)


def test_bad_ip(bed):
    """What IP refuses never reaches us: checksum, version, header length."""
    whole = packet(ARP_IN_TUNNEL_100)
    bad = [packet(ARP_IN_TUNNEL_100, wrong_checksum=True),
           b"\x44" + whole[1:], b"\x65" + whole[1:], b"\x4f" + whole[1:]]
    with attack(bed) as injector:
        injector.expect("bad IP", bad)


def test_not_ours(bed):
    """Other ids, other peers, other headers: left alone, and not counted."""
    with attack(bed) as injector:
        injector.expect("other ids", [packet(eoip(ARP_REQUEST, number))
                                      for number in (0, 99, 101, 65535,
                                                     100 << 8)])
        injector.expect("other sources", [
            packet(ARP_IN_TUNNEL_100, src=source) for source in
            ("192.0.2.3", "192.0.2.200", "10.9.9.9", "203.0.113.5")])
        injector.expect("other magic", [
            packet(bytes([MAGIC[n] ^ (bit if n == at else 0)
                          for n in range(4)]) + ARP_IN_TUNNEL_100[4:])
            for at in range(4) for bit in (1, 0x80)])
        injector.expect("other protocols", [
            packet(ARP_IN_TUNNEL_100, proto=proto)
            for proto in (0, 4, 6, 17, 41, 46, 48, 50, 97, 255)])


def test_broadcast_and_multicast(bed):
    """A tunnel has two ends: what went to many is for neither."""
    with attack(bed) as injector:
        many = [packet(ARP_IN_TUNNEL_100, dst=address) for address in
                ("255.255.255.255", "192.0.2.255", "224.0.0.1",
                 "239.1.1.1")]
        injector.expect("many", many)
        for mac in (b"\xff" * 6, bytes.fromhex("01005e000001"),
                    bytes.fromhex("020000000099")):
            before = injector.state()
            injector.send(packet(ARP_IN_TUNNEL_100), mac)
            check_equal(f"delivered of a packet to {mac.hex(':')}",
                        [frame.hex() for frame in injector.delivered([])], [])
            check_equal("rx_packets", injector.state()["rx_packets"]
                        - before["rx_packets"], 2)


def test_device_down(bed):
    """A packet of a tunnel whose device is down is dropped, and does not go
    to others; one of no tunnel goes."""
    bed.tunnel("a", up=False)
    with bed.raw_socket("a") as raw, bed.wire("b") as wire:
        for payload in (ARP_IN_TUNNEL_100, eoip(b""), eoip(ARP_REQUEST, 101)):
            wire.send(MAC["a"] + MAC["b"] + b"\x08\0" + packet(payload))
        check_equal("what a raw socket sees first", raw.recv(4096)[20:].hex(),
                    eoip(ARP_REQUEST, 101).hex())
    check_equal("counters", {name: value for name, value
                             in bed.counters("a").items() if value},
                {"rx_drop_device_down": 2})
    check_equal("rx_dropped", bed.statistics("a")["rx_dropped"], 2)
    bed.rtnl("a").up("e1")
    with Injector(bed) as injector:
        injector.expect("up again", [packet(ARP_IN_TUNNEL_100)],
                        [ARP_REQUEST])


def test_local_and_link_are_filters(bed):
    """Packets to another of our addresses, or by another device, are none of
    a tunnel's that names its own."""
    bed.ip("a", "addr add 192.0.2.77/24 dev u", "link add d1 type dummy",
           "link set d1 up")
    bed.tunnel("a", local="192.0.2.77")
    with Injector(bed, wrap=lambda frame: packet(
            eoip(frame), dst="192.0.2.77")) as injector:
        injector.expect("another local address", [packet(ARP_IN_TUNNEL_100)])
    bed.tunnel("a", "e2", id=200, link=bed.link("a", "d1").index)
    with bed.raw_socket("a") as raw, bed.wire("b") as wire:
        wire.send(MAC["a"] + MAC["b"] + b"\x08\0"
                  + packet(eoip(ARP_REQUEST, 200)))
        check_equal("what went on to others", raw.recv(4096)[20:].hex(),
                    eoip(ARP_REQUEST, 200).hex())
    check_equal("rx_packets of e2", bed.statistics("a", "e2")["rx_packets"],
                0)


def test_best_match(bed):
    """Of tunnels with one remote and id the one that says most is meant."""
    bed.ip("a", "addr add 192.0.2.77/24 dev u")
    index = bed.link("a", "u").index
    for name, options in {"any": {}, "local": {"local": "192.0.2.77"},
                          "link": {"link": index}}.items():
        bed.tunnel("a", name, **options)

    def receiver_of(**fields):
        before = {link.name: link.statistics["rx_packets"]
                  for link in bed.rtnl("a").links()}
        with bed.wire("b") as wire:
            wire.send(MAC["a"] + MAC["b"] + b"\x08\0"
                      + packet(ARP_IN_TUNNEL_100, **fields))
        return until(lambda: [
            link.name for link in bed.rtnl("a").links()
            if link.statistics["rx_packets"] != before[link.name]],
            "no device gets the packet")

    check_equal("to .77", receiver_of(dst="192.0.2.77"), ["local"])
    check_equal("to .1", receiver_of(), ["link"])
    bed.rtnl("a").delete("link")
    check_equal("to .1 without link", receiver_of(), ["any"])


def test_fragment_games(bed):
    """Overlaps and holes end in IP's own reassembly."""
    with attack(bed) as injector:
        payload = ARP_IN_TUNNEL_100
        injector.expect("an overlap", [
            packet(payload[:32], fragment=0x2000, ident=1),
            packet(b"\xee" * 24, fragment=0x2000 | 2, ident=1),
            packet(payload[32:], fragment=4, ident=1)])
        injector.expect("a hole", [
            packet(payload[:16], fragment=0x2000, ident=2),
            packet(payload[32:], fragment=4, ident=2)])
        injector.expect("the wrong way round", [
            packet(payload[32:], fragment=4, ident=3),
            packet(payload[:32], fragment=0x2000, ident=3)], [ARP_REQUEST])


def offload_header(chance, size):
    """A virtio_net_hdr that claims offloads of chance for a frame of `size`:
    flags, type, and where headers and checksum are."""
    inner = 14 + 20 + 8 + 14
    return struct.pack(
        "=BBHHHH", chance.choice([0, 1, 1, 2]),
        chance.choice([0, 1, 1, 3, 4, 5, 0x81]),
        chance.choice([0, 42, 54, inner + 40, chance.randrange(size + 1)]),
        chance.choice([1, 8, 100, 1400, chance.randrange(1, 65536)]),
        chance.choice([34, 42, inner + 20, chance.randrange(size)]),
        chance.choice([6, 16, 16, 0]))


def test_random_offloads(bed):
    """Packets that claim to stand for many, or to lack a checksum, as a
    neighbour on a virtual link may send them.  All that is asked: the kernel
    lives, and the tunnel works."""
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    taken = 0
    with attack(bed, address=INNER["a"]) as injector, \
            bed.wire("b") as wire:
        wire.sock.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        address = bed.link("a").address
        for number in range(2000):
            segment = struct.pack("!HHIIBBHHH", 1000, 80, 1, 0, 0x50, 16,
                                  65535, 0, 0) + bytes(chance.choice(
                                      [0, 100, 1400, 5000, 20000]))
            frame = address + ARP_REQUEST[6:12] + b"\x08\0" \
                + ipv4(segment, INNER["b"], INNER["a"],
                       proto=chance.choice([6, 6, 17]))
            data = MAC["a"] + MAC["b"] + b"\x08\0" + packet(eoip(
                frame, length=chance.choice([None, None, 1454, 100, 0])),
                proto=chance.choice([47, 47, 47, 6, 17]))
            with contextlib.suppress(OSError):
                wire.sock.send(offload_header(chance, len(data)) + data)
                taken += 1
            if number % BATCH == 0:
                injector.delivered([])
        injector.delivered([])
    check(taken > 100, f"only {taken} were sent (seed {seed})")
    return f"seed {seed}, {taken} sent"


def random_packet(chance):
    """Mostly a good packet with something wrong somewhere."""
    frame = (ARP_REQUEST + chance.randbytes(chance.randrange(200)))[
        :chance.randrange(14, 240)]
    length = chance.choice([None, None, 0, chance.randrange(65536),
                            chance.randrange(64)])
    data = bytearray(packet(
        eoip(frame, chance.choice([100, 100, 100, 7]), length=length),
        tos=chance.randrange(256), ident=chance.randrange(8),
        fragment=chance.choice([0, 0, 0, 0x4000, 0x2000,
                                chance.randrange(0x4000)]),
        options=chance.choice([b"", b"", b"", chance.randbytes(8)])))
    for _ in range(chance.choice([0, 0, 1, 3])):
        data[chance.randrange(20, len(data))] = chance.randrange(256)
    return bytes(data[:chance.choice([len(data), chance.randrange(
        len(data) + 1)])])


def test_random_packets(bed):
    """Whatever comes, the kernel is as well as before, and every packet of
    the tunnel was either delivered or counted."""
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    with attack(bed) as injector:
        before = injector.state()
        for _ in range(FUZZ_PACKETS // BATCH):
            injector.delivered([random_packet(chance) for _ in range(BATCH)])
        after = injector.state()
    drops = sum(after[name] - before[name] for name in after
                if name.startswith("rx_drop_"))
    check_equal(f"rx_dropped and rx_errors (seed {seed})",
                after["rx_dropped"] + after["rx_errors"]
                - before["rx_dropped"] - before["rx_errors"], drops)
    return f"seed {seed}, {drops} dropped by name"
