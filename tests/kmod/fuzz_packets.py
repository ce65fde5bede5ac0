# SPDX-License-Identifier: Apache-2.0
"""Packets of protocols 47 and 97 and ICMP errors about them, good, bad and
random, as Ethernet frames of a neighbour on the underlay; and TCP of a host on
the LAN, for the bridge to carry or for the victim to route into a tunnel.

They start from the test vectors and from frames of our own making."""

import collections
import errno
import pathlib
import socket
import struct
import sys

sys.dont_write_bytecode = True
TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS / "system"))
import packets  # noqa: E402

VICTIM, PEER, STRANGER = "192.0.2.1", "192.0.2.2", "192.0.2.99"
VICTIM6, PEER6, STRANGER6 = "fd01::1", "fd01::2", "fd01::99"
IDS = (0, 100, 1234, 65535, 7)
IDS6 = (100, 4095, 7)
# A host on the LAN, and who is behind the bridge's tunnel and the routed one.
LAN, BRIDGED, ROUTED = "10.7.0.2", "10.7.0.3", "10.8.0.2"
ETH_P_ALL = 3
SOL_PACKET, PACKET_VNET_HDR = 263, 15
VNET_NEEDS_CSUM = 1
VNET_GSO_TCPV4, VNET_GSO_UDP, VNET_GSO_UDP_L4 = 1, 3, 5


def vectors():
    """What follows the outer IP header in each of tests/vectors."""
    found = []
    for path in sorted((TESTS / "vectors").glob("*.txt")):
        for text in path.read_text(encoding="utf-8").split("\n\n"):
            packet = bytes.fromhex("".join(
                line.split()[1] for line in text.splitlines()
                if line.startswith("packet ")))
            if len(packet) > 20:
                found.append(packet[40 if packet[0] >> 4 == 6
                                    else (packet[0] & 15) * 4:])
    return found


def inner_tcp(rng, size):
    """An Ethernet frame with TCP, its checksum left to do."""
    segment = struct.pack("!HHIIBBHHH", rng.randrange(1, 65536), 80,
                          rng.getrandbits(32), rng.getrandbits(32), 0x50,
                          0x10, 8192, 0, 0) + rng.randbytes(size)
    return packets.ethernet(packets.ipv4(
        segment, src="10.9.0.2", dst="10.9.0.1", proto=6), b"\2\0\0\0\0\1")


def inner(rng):
    """A frame to be carried."""
    way = rng.randrange(6)
    if way == 0:
        return packets.ARP_REQUEST
    if way == 1:
        return inner_tcp(rng, rng.randrange(1400))
    if way == 2:
        return rng.randbytes(rng.choice((0, 1, 13, 14, 15, 60, 1500, 9000)))
    size = rng.choice((0, 18, 64, 500, 1472, 1480, 3000))
    datagram = struct.pack("!HHHH", 9, 9, 8 + size, 0) + rng.randbytes(size)
    frame = packets.ethernet(packets.ipv4(
        datagram, src="10.9.0.2", dst="10.9.0.1", proto=17,
        tos=rng.choice((0, 1, 2, 3)), fragment=rng.choice((0, 0x4000))),
        rng.choice((b"\2\0\0\0\0\1", b"\xff" * 6, rng.randbytes(6))))
    if way == 3:
        frame = frame[:12] + b"\x81\0" + rng.randbytes(2) + frame[12:]
    return frame


def payload(rng, seeds):
    """What the outer IPv4 header is followed by."""
    way = rng.randrange(10)
    if way < 5:
        return packets.eoip(inner(rng), rng.choice(IDS))
    if way == 5:
        frame = inner(rng)
        length = rng.choice((0, 1, 13, 14, len(frame) - 1, len(frame) + 1,
                             65507, 65535)) & 0xffff
        return packets.eoip(frame, rng.choice(IDS), length=length)
    if way == 6:
        return packets.eoip(b"", rng.choice(IDS))
    if way == 7:
        return rng.choice(seeds)
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.randrange(1, 5) if data else 0):  # Some are empty.
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data) if way == 8 else rng.randbytes(rng.randrange(80))


def outer(rng, data):
    """The IPv4 packet around it, now and then an odd one."""
    return packets.ipv4(
        data, src=rng.choice((PEER, PEER, PEER, STRANGER)),
        dst=rng.choice((VICTIM,) * 8 + ("192.0.2.255", "224.0.0.1",
                                        "255.255.255.255")),
        ttl=rng.choice((255, 64, 1)), tos=rng.choice((0, 0, 3, 0xfe)),
        ident=rng.randrange(65536), fragment=rng.choice((0, 0, 0x4000)),
        options=rng.choice((b"",) * 8 + (
            b"\1" * 4, b"\7\7\4\0\0\0\0\0", b"\x83\7\4\xc0\0\2\2\0",
            b"\x44\x08\5\0\0\0\0\0", rng.randbytes(4), rng.randbytes(40))),
        wrong_checksum=rng.random() < 0.02)


def truncations(rng, seeds):
    """One packet, cut off at every byte of its first 90: IP's length cut
    with it, and IP's length as if nothing were missing."""
    data = payload(rng, seeds)[:90]
    whole = packets.ipv4(data, src=PEER, dst=VICTIM)
    for size in range(len(data)):
        yield packets.ipv4(data[:size], src=PEER, dst=VICTIM)
    for size in range(len(whole)):
        yield whole[:size]


def fragments(rng, seeds):
    """A packet in pieces: some lost, twice, overlapping, out of order."""
    data = payload(rng, seeds)
    ident = rng.randrange(65536)
    cuts = sorted({0} | {rng.randrange(0, len(data) + 1) // 8 * 8
                         for _ in range(rng.randrange(6))})
    pieces = []
    for start, end in zip(cuts, cuts[1:] + [len(data)]):
        if rng.random() < 0.1:
            end = min(len(data), end + 8 * rng.randrange(4))
        more = 0x2000 if end < len(data) else 0
        pieces.append(packets.ipv4(data[start:end], src=PEER, dst=VICTIM,
                                   ident=ident, fragment=start // 8 | more))
    if rng.random() < 0.3:
        rng.shuffle(pieces)
    if rng.random() < 0.2:
        pieces.append(rng.choice(pieces))
    if rng.random() < 0.1:
        del pieces[rng.randrange(len(pieces))]
    return pieces


def train(rng):
    """Segments of one TCP connection in a row, most of them as GRO wants
    them."""
    size = rng.choice((1, 100, 536, 1400))
    sequence, key = rng.getrandbits(31), rng.choice(IDS)
    for _ in range(rng.randrange(2, 20)):
        frame = packets.ethernet(packets.tcp(rng.randbytes(size), sequence),
                                 b"\2\0\0\0\0\1")
        sequence += size
        data = bytearray(packets.eoip(frame, key))
        if rng.random() < 0.2:
            data[rng.randrange(62)] ^= 1 << rng.randrange(8)
        if rng.random() < 0.1:
            key, size = rng.choice(IDS), rng.choice((size, size // 2, 1))
        yield packets.ipv4(bytes(data), src=PEER, dst=VICTIM,
                           fragment=0x4000)


def train6(rng):
    """The same over IPv6."""
    size = rng.choice((1, 100, 536, 1400))
    sequence, key = rng.getrandbits(31), rng.choice(IDS6)
    source = rng.choice((PEER6, PEER6, PEER6, STRANGER6))
    for _ in range(rng.randrange(2, 20)):
        frame = packets.ethernet(packets.tcp(rng.randbytes(size), sequence),
                                 b"\2\0\0\0\0\1")
        sequence += size
        data = bytearray(packets.eoipv6(frame, key))
        if rng.random() < 0.2:
            data[rng.randrange(56)] ^= 1 << rng.randrange(8)
        yield packets.ipv6(bytes(data), src=source, dst=VICTIM6)


def single6(rng):
    """One packet of protocol 97, good, short or random."""
    way = rng.randrange(4)
    data = packets.eoipv6(inner(rng), rng.choice(IDS6)) if way < 2 \
        else rng.randbytes(rng.choice((0, 1, 2, 15, 16, 80)))
    return packets.ipv6(
        data, src=rng.choice((PEER6, PEER6, STRANGER6)),
        dst=rng.choice((VICTIM6,) * 6 + ("ff02::1",)),
        hops=rng.choice((255, 64, 1)), traffic_class=rng.choice((0, 1, 3)))


def lan_train(rng):
    """(segments, whether they are to be routed) of one connection of the LAN's
    host: equal ones, but for the last, which may be a short tail."""
    routed = rng.random() < 0.5
    size = rng.choice((1, 100, 536, 600, 1396, 1460))
    count = rng.choice((3, 4, 18, 21, 40))
    sequence, found = rng.getrandbits(31), []
    for number in range(count):
        data = rng.randbytes(size if number < count - 1
                             else rng.randrange(1, size + 1))
        found.append(packets.tcp(data, sequence, src=LAN,
                                 dst=ROUTED if routed else BRIDGED))
        sequence += len(data)
    return found, routed


def icmp_error(rng, seeds):
    """About a packet that the victim might have sent."""
    about = packets.ipv4(payload(rng, seeds), src=VICTIM, dst=PEER,
                         fragment=rng.choice((0, 0x4000)))
    about = about[:rng.choice((20, 24, 27, 28, 29, 42, 100))]
    kind, code = rng.choice(((3, 4), (3, 4), (3, 4), (3, 1), (3, 2), (11, 0),
                             (5, 1), (12, 0)))
    mtu = rng.choice((0, 1, 67, 68, 552, 576, 1400, 1500, 65535))
    body = struct.pack("!BBHHH", kind, code, 0, 0, mtu) + about
    body = body + b"\0" * (len(body) % 2)
    body = body[:2] + struct.pack("!H", packets.checksum(body)) + body[4:]
    return packets.ipv4(body, src=PEER, dst=VICTIM, proto=1)


def gso_packet(rng):
    """(virtio_net_hdr, IPv4 packet): EoIP around TCP or UDP that is still to
    be cut, with L for all of it, for one segment, or for anything."""
    segment = rng.choice((1, 100, 536, 1400))
    frame = inner_tcp(rng, rng.choice((segment, segment * 3, 8000)))
    length = rng.choice((len(frame), 54 + segment, 14, 0,
                         rng.randrange(65536)))
    packet = packets.ipv4(packets.eoip(frame, rng.choice(IDS), length=length),
                          src=PEER, dst=VICTIM)
    kind = rng.choice((VNET_GSO_TCPV4,) * 4 + (VNET_GSO_UDP, VNET_GSO_UDP_L4,
                                               VNET_GSO_TCPV4 | 0x80))
    transport = 14 + 20 + 8 + 14 + 20
    header = struct.pack(
        "=BBHHHH", rng.choice((VNET_NEEDS_CSUM,) * 9 + (0,)), kind,
        transport + 20, segment, transport,
        16 if kind & 0x7f == VNET_GSO_TCPV4 else 6)
    if rng.random() < 0.1:
        header = header[:2] + rng.randbytes(8)
    return header, packet


def gso_frame(rng):
    """(virtio_net_hdr, Ethernet frame) for the peer's own EoIP device, which
    passes it on uncut."""
    segment = rng.choice((64, 536, 1400, 1460))
    frame = inner_tcp(rng, segment * rng.randrange(1, 8)
                      + rng.randrange(segment))
    return struct.pack("=BBHHHH", VNET_NEEDS_CSUM, VNET_GSO_TCPV4,
                       14 + 20 + 20, segment, 14 + 20, 16), frame


def packet_socket(device, offloads):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    if offloads:
        sock.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    sock.bind((device, ETH_P_ALL))
    return sock


class Worker:
    """Sends from the peer's side until the time is over.  The devices come
    and go meanwhile: what cannot be sent is counted."""

    def __init__(self, rng, mac, lan_mac, bridged_mac):
        """`mac` is the victim's on the underlay, `lan_mac` its router's on
        the LAN, `bridged_mac` somebody's behind the bridge."""
        self.rng = rng
        self.mac, self.lan_mac, self.bridged_mac = mac, lan_mac, bridged_mac
        self.seeds = vectors()
        self.counts = collections.Counter()
        self.faults = []
        self.sockets = {}

    def send(self, what, data, device="veth1", offloads=False):
        key = (device, offloads)
        try:
            if key not in self.sockets:
                self.sockets[key] = packet_socket(device, offloads)
            self.sockets[key].send(data)
            self.counts[what] += 1
        except OSError as error:
            self.counts[f"{what} not sent"] += 1
            # The device is gone; the next one has the same name.
            if error.errno in (errno.ENXIO, errno.ENODEV) \
                    and key in self.sockets:
                self.sockets.pop(key).close()

    def send_packets(self, what, found, kind=0x0800):
        for packet in found:
            self.send(what, packets.ethernet(packet, self.mac, kind=kind))

    def send_over_ipv6(self):
        rng = self.rng
        if rng.random() < 0.5:
            self.send_packets("IPv6 trains", train6(rng), 0x86dd)
        else:
            self.send_packets("IPv6 floods", [single6(rng)] * rng.choice(
                (1, 1, 200)), 0x86dd)

    def send_from_lan(self):
        found, routed = lan_train(self.rng)
        mac = self.lan_mac if routed else self.bridged_mac
        tag = b"\x81\0\0\7" if self.rng.random() < 0.2 else b""
        for packet in found:
            frame = packets.ethernet(packet, mac)
            self.send("LAN segments", frame[:12] + tag + frame[12:], "lan1")

    def send_with_offloads(self):
        rng = self.rng
        header, packet = gso_packet(rng)
        self.send("GSO packets",
                  header + packets.ethernet(packet, self.mac), offloads=True)
        header, frame = gso_frame(rng)
        self.send("GSO frames", header + frame, "eoip1", offloads=True)

    def step(self):
        rng, seeds = self.rng, self.seeds
        way = rng.randrange(130)
        if way >= 115:
            self.send_from_lan()
        elif way >= 100:
            self.send_over_ipv6()
        elif way < 50:
            self.send_packets("packets", [outer(rng, payload(rng, seeds))])
        elif way < 60:
            self.send_packets("trains", train(rng))
        elif way < 62:
            self.send_packets("truncated", truncations(rng, seeds))
        elif way < 75:
            self.send_packets("fragments", fragments(rng, seeds))
        elif way < 85:
            self.send_packets("ICMP errors", [icmp_error(rng, seeds)])
        else:
            self.send_with_offloads()
