# SPDX-License-Identifier: Apache-2.0
"""Packets that are wrong, from a peer that means harm or has a bug.

    host-a -- [br0 e1 | br-phy] == underlay == b (this test writes packets)

None reaches host-a, each raises the counter that names its fault, and the
tunnel goes on working."""

import os
import random

from collections import Counter

from sandbox import ADDRESS, check, check_equal
from packets import (ARP_IN_TUNNEL_100, ARP_REQUEST, MAGIC, checksum, eoip,
                     ethernet, ipv4)

UP = ["--plain-b"]
FUZZ_PACKETS = 20_000
BATCH = 40  # Fits into every socket buffer on the way.


class Attack:
    """Sends packets to tunnel 100 and sees what host-a gets of them."""

    def __init__(self, sandbox):
        sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=100)
        self.sandbox = sandbox
        self.pid = sandbox.vswitchd_pid("a")
        self.switch_mac = sandbox.mac("a", "br-phy")
        self.host_mac = sandbox.mac("host-a")
        self.underlay = sandbox.wire("b")
        self.host_a = sandbox.wire("host-a")
        self.marks = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.underlay.sock.close()
        self.host_a.sock.close()

    def send(self, packet):
        self.underlay.send(ethernet(packet, self.switch_mac))

    def delivered(self, packets):
        """What host-a has got once all `packets` are through.  Two good
        frames, one after the other, tell that nothing is still on its way."""
        seen = []
        for packet in packets:
            self.send(packet)
        for _ in range(2):
            self.marks += 1
            mark = (self.host_mac + bytes.fromhex("0200000000ff88b5")
                    + f"mark {self.marks}".encode() + bytes(50))
            self.send(ipv4(eoip(mark)))
            for frame in self.host_a.frames():
                if frame == mark:
                    break
                seen.append(frame)
            else:
                check(False, "a good frame does not arrive any more")
        return seen

    def counted(self, packets):
        """What the switch has counted for `packets`; none may arrive."""
        before = self.sandbox.counters("a")
        seen = self.delivered(packets)
        check(not seen, f"{len(seen)} frames were delivered, the first is "
              f"{seen[0].hex() if seen else ''}")
        after = self.sandbox.counters("a")
        check_equal("process of ovs-vswitchd",
                    self.sandbox.vswitchd_pid("a"), self.pid)
        return {name: after[name] - before[name] for name in after
                if after[name] != before[name]}

    def expect(self, what, packets, **counters):
        check_equal(f"{what}: what was counted", self.counted(packets),
                    counters)


def test_truncated(sandbox):
    """A good packet, cut after every byte, with an IP header that fits."""
    with Attack(sandbox) as attack:
        attack.expect("cut in the EoIP header",
                      [ipv4(ARP_IN_TUNNEL_100[:n]) for n in range(8)],
                      truncated=8)
        attack.expect("cut in the frame",
                      [ipv4(ARP_IN_TUNNEL_100[:n]) for n in range(8, 50)],
                      length_beyond_packet=42)


def test_truncated_below_ip(sandbox):
    """A good packet, cut after every byte, with an IP header that lies."""
    with Attack(sandbox) as attack:
        packet = ipv4(ARP_IN_TUNNEL_100)
        attack.counted([packet[:n] for n in range(len(packet))])


def test_length_beyond_packet(sandbox):
    """The EoIP length is larger than what IP carries."""
    frame = ARP_REQUEST
    with Attack(sandbox) as attack:
        attack.expect("too long", [ipv4(eoip(frame, length=length))
                                   for length in (43, 44, 1500, 65507, 65535)],
                      length_beyond_packet=5)
        attack.expect("a keepalive's 8 bytes that announce a frame",
                      [ipv4(eoip(b"", length=42))], length_beyond_packet=1)


def test_frame_too_short(sandbox):
    """A frame of 1 to 13 bytes, with and without bytes behind it."""
    with Attack(sandbox) as attack:
        attack.expect("alone", [ipv4(eoip(ARP_REQUEST[:n]))
                                for n in range(1, 14)], frame_too_short=13)
        attack.expect("with more behind", [ipv4(eoip(ARP_REQUEST, length=n))
                                           for n in range(1, 14)],
                      frame_too_short=13)


def test_not_eoip(sandbox):
    """The other users of IP protocol 47."""
    gre = bytes.fromhex("20006558 00000064") + ARP_REQUEST
    pptp = bytes.fromhex("3001880b 002a0064 00000001") + ARP_REQUEST
    erspan = bytes.fromhex("100088be 00000001") + ARP_REQUEST
    with Attack(sandbox) as attack:
        attack.expect("GRE, PPTP, ERSPAN", map(ipv4, (gre, pptp, erspan)),
                      not_eoip=3)
        attack.expect("one bit wrong in the magic",
                      [ipv4(eoip(ARP_REQUEST, magic=(
                          int.from_bytes(MAGIC, "big") ^ 1 << bit)
                          .to_bytes(4, "big"))) for bit in range(32)],
                      not_eoip=32)


def test_outer_header(sandbox):
    """IP options, and a checksum that is wrong."""
    with Attack(sandbox) as attack:
        attack.expect("IP options", [ipv4(ARP_IN_TUNNEL_100, options=options)
                                     for options in (b"\x01" * 4, b"\x01" * 40,
                                                     b"\x94\x04\0\0")],
                      ip_options=3)
        attack.expect("wrong checksum",
                      [ipv4(ARP_IN_TUNNEL_100, wrong_checksum=True)],
                      ip_checksum=1)


def test_fragments(sandbox):
    """Fragments, which this version does not reassemble: a first one, a later
    one, and one that overlaps."""
    with Attack(sandbox) as attack:
        attack.expect("fragments", [
            ipv4(ARP_IN_TUNNEL_100[:24], fragment=0x2000),
            ipv4(ARP_IN_TUNNEL_100[24:], fragment=3),
            ipv4(ARP_IN_TUNNEL_100[16:], fragment=2)], fragment=3)


def expected_frame(packet):
    """The rules of EoIP, once more: what a receiver of tunnel 100 delivers
    of an IPv4 packet, or None."""
    if (len(packet) < 28 or packet[0] != 0x45 or packet[9] != 47
            or checksum(packet[:20]) != 0 or packet[12:16] != b"\xc0\0\2\2"
            or packet[16:20] != b"\xc0\0\2\1"):
        return None
    total = int.from_bytes(packet[2:4], "big")
    if (total < 28 or total > len(packet) or packet[6] & 0x3f or packet[7]
            or packet[20:24] != MAGIC or packet[26:28] != b"\x64\x00"):
        return None
    length = int.from_bytes(packet[24:26], "big")
    if length < 14 or length > total - 28:
        return None
    return packet[28:28 + length]


def mutation(chance, host_mac):
    """A good packet with some of it turned into noise."""
    frame = host_mac + chance.randbytes(chance.randrange(6, 80))
    header = bytearray(eoip(frame))
    if chance.random() < 0.5:
        header[chance.randrange(8)] = chance.randrange(256)
    if chance.random() < 0.2:
        header = header[:chance.randrange(len(header) + 1)]
    outer = {}
    if chance.random() < 0.1:
        outer["fragment"] = chance.randrange(1 << 16)
    if chance.random() < 0.1:
        outer["options"] = chance.randbytes(4 * chance.randrange(11))
    if chance.random() < 0.1:
        outer["tos"] = chance.randrange(256)
    packet = bytearray(ipv4(bytes(header), **outer))
    if chance.random() < 0.3:
        packet[chance.randrange(20)] = chance.randrange(256)
    if chance.random() < 0.1:
        packet = packet[:chance.randrange(len(packet) + 1)]
    if chance.random() < 0.1:
        packet = bytearray(chance.randbytes(chance.randrange(100)))
    return bytes(packet)


def test_random_bytes(sandbox):
    """Mutated packets, and noise: host-a sees only what the rules allow."""
    seed = os.environ.get("EOIP_TEST_SEED") or random.randrange(1 << 32)
    chance = random.Random(int(seed))
    with Attack(sandbox) as attack:
        delivered = 0
        for _ in range(FUZZ_PACKETS // BATCH):
            packets = [mutation(chance, attack.host_mac)
                       for _ in range(BATCH)]
            allowed = Counter(filter(None, map(expected_frame, packets)))
            seen = Counter(attack.delivered(packets))
            surplus = seen - allowed
            check(not surplus, f"EOIP_TEST_SEED={seed}: host-a got what it "
                  f"should not: {[frame.hex() for frame in surplus]}")
            delivered += seen.total()
        check(delivered > FUZZ_PACKETS // 20,
              f"only {delivered} frames arrived: the test tests nothing")
        check_equal("process of ovs-vswitchd", sandbox.vswitchd_pid("a"),
                    attack.pid)
        check_equal("counted after the noise", attack.counted([]), {})
