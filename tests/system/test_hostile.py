# SPDX-License-Identifier: Apache-2.0
"""Packets that are wrong, from a peer that means harm or has a bug.

    host-a -- [br0 e1 | br-phy] == underlay == b (this test writes packets)

None reaches host-a, each raises the counter that names its fault, and the
tunnel goes on working."""

import os
import random

from collections import Counter

from sandbox import (ADDRESS, DATAPATH, UNDERLAY_DEVICE, check, check_equal,
                     only, until)
from packets import (ARP_IN_TUNNEL_100, ARP_REQUEST, MAGIC, checksum, eoip,
                     ethernet, ipv4)
from test_sharing import raw_socket

UP = ["--plain-b"]
KERNEL_REASSEMBLES = only("netdev", "the kernel's IP layer reassembles")
FUZZ_PACKETS = {"netdev": 20_000, "system": 2_000}[DATAPATH]
BATCH = 40  # Fits into every socket buffer on the way.


class Attack:
    """Sends packets to tunnel 100 and sees what host-a gets of them."""

    def __init__(self, sandbox):
        sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=100)
        self.sandbox = sandbox
        self.pid = sandbox.vswitchd_pid("a")
        self.switch_mac = sandbox.mac("a", UNDERLAY_DEVICE)
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

    def expect_delivery(self, what, packets, frame):
        """Exactly `frame` comes of the packets."""
        check_equal(f"{what}: what host-a sees",
                    [seen.hex() for seen in self.delivered(packets)],
                    [frame.hex()])

    def expect(self, what, packets, **counters):
        """`counters` may name some that only one datapath has: what is no
        EoIP for certain, the kernel drops before it comes to a tunnel."""
        known = self.sandbox.counters("a")
        check_equal(f"{what}: what was counted", self.counted(packets),
                    {name: count for name, count in counters.items()
                     if name in known})


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


@only("netdev", "in the kernel the host's routing refuses such a packet")
def test_own_address(sandbox):
    """It says that it comes from another address of the device that it came
    in by: no peer, where the flows or the first packet say who that is."""
    own = "192.0.2.99"
    sandbox.exec("a", "ip", "address", "add", f"{own}/32", "dev",
                 UNDERLAY_DEVICE)
    try:
        for remote, name in ("flow", "martian"), ("learn", "martian"):
            sandbox.add_tunnel("a", remote_ip=remote, key=100)
            with sandbox.wire("b") as underlay:
                mac = sandbox.mac("a", UNDERLAY_DEVICE)

                def counted():
                    underlay.send(ethernet(ipv4(ARP_IN_TUNNEL_100, src=own),
                                           mac))
                    return sandbox.statistics("a")["drops"][name]

                # OVS hears of addresses from the kernel.
                until(counted, f"remote_ip={remote}: nothing is dropped")
                before = sandbox.statistics("a")["rx_packets"]
                counted()
                check_equal("frames", sandbox.statistics("a")["rx_packets"],
                            before)
            sandbox.vsctl("a", "del-port", "e1")
    finally:
        sandbox.exec("a", "ip", "address", "del", f"{own}/32", "dev",
                     UNDERLAY_DEVICE)


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
    """The other users of IP protocol 47: no tunnel's packets, so the kernel of
    site a gets them as they are, and nothing counts them as wrong."""
    gre = bytes.fromhex("20006558 00000064") + ARP_REQUEST
    pptp = bytes.fromhex("3001880b 002a0064 00000001") + ARP_REQUEST
    erspan = bytes.fromhex("100088be 00000001") + ARP_REQUEST
    almost = [eoip(ARP_REQUEST, magic=(int.from_bytes(MAGIC, "big") ^ 1 << bit)
                   .to_bytes(4, "big")) for bit in range(32)]
    packets = list(map(ipv4, [gre, pptp, erspan] + almost))
    with Attack(sandbox) as attack, raw_socket(sandbox, "a") as kernel:
        attack.expect("GRE, PPTP, ERSPAN, one bit wrong in the magic", packets)
        for packet in packets:
            check_equal("what the kernel gets", kernel.recv(1 << 16).hex(),
                        packet.hex())
        kernel.settimeout(0.3)
        try:
            check(False, f"it gets more: {kernel.recv(1 << 16).hex()}")
        except TimeoutError:
            pass


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


def pieces(payload, size, **outer):
    """The packet in fragments of `size` bytes."""
    return [ipv4(payload[at:at + size], fragment=at // 8
                 | (0x2000 if at + size < len(payload) else 0), **outer)
            for at in range(0, len(payload), size)]


@KERNEL_REASSEMBLES
def test_fragments_that_overlap(sandbox):
    """Not one byte of such a packet is believed, in whatever order it comes;
    what follows of it is ignored."""
    long = ARP_IN_TUNNEL_100 + bytes(50)
    first, second, third, *_ = pieces(long, 24)
    other = bytes(24)
    with Attack(sandbox) as attack:
        for number, (what, packets) in enumerate((
                ("the beginning twice", [
                    first, ipv4(other, fragment=0x2000), second, third]),
                ("half of one", [
                    first, ipv4(other, fragment=0x2000 | 2), second, third]),
                ("one within another", [
                    first, ipv4(other[:8], fragment=0x2000 | 1), second]),
                ("the end before the end", [
                    third, ipv4(other, fragment=3),
                    ipv4(other[:8], fragment=0x2000 | 1)]),
                ("two ends", [ipv4(other, fragment=9),
                              ipv4(other, fragment=12), first]))):
            for order in packets, packets[::-1]:
                number += 100
                order = [renumbered(packet, number) for packet in order]
                attack.expect(what, order, fragment_overlap=len(order))
        attack.expect_delivery("after all of it", pieces(
            ARP_IN_TUNNEL_100, 24, ident=1), ARP_REQUEST)
    sandbox.wait_for_no_fragments()


def renumbered(packet, ident):
    return ipv4(packet[20:], ident=ident,
                fragment=int.from_bytes(packet[6:8], "big"))


@KERNEL_REASSEMBLES
def test_fragments_malformed(sandbox):
    """Empty, of a size that cannot be, beyond 65535, with a bad header."""
    with Attack(sandbox) as attack:
        attack.expect("malformed", [
            ipv4(b"", fragment=0x2000), ipv4(b"", fragment=5),
            ipv4(bytes(15), fragment=0x2000), ipv4(bytes(7), fragment=0x2001),
            ipv4(bytes(800), fragment=0x1fff),
            ipv4(bytes(800), fragment=0x3fff)], fragment_malformed=6)
        attack.expect("wrong checksum", [
            ipv4(bytes(16), fragment=0x2000, wrong_checksum=True)],
            ip_checksum=1)
        attack.expect("IP options", [
            ipv4(bytes(16), fragment=0x2000, options=b"\x01" * 4)],
            ip_options=1)
    sandbox.wait_for_no_fragments()


@KERNEL_REASSEMBLES
def test_fragments_without_end(sandbox):
    """A packet in more fragments than are allowed, more packets than are, and
    some that nobody completes."""
    with Attack(sandbox) as attack:
        before = sandbox.counters("a")
        attack.expect("129 fragments", pieces(eoip(bytes(1100)), 8)[:129],
                      fragment_limit_count=129)
        # 16 tables share what is allowed, so 16 is one packet for each.
        sandbox.vsctl("a", "set", "open_vswitch", ".",
                      "other_config:eoip-reassembly-packets=16")
        try:
            attack.delivered([ipv4(bytes(16), fragment=0x2000, ident=ident)
                              for ident in range(40)])
        finally:
            sandbox.vsctl("a", "remove", "open_vswitch", ".", "other_config",
                          "eoip-reassembly-packets")
        sandbox.wait_for_no_fragments()
        after = sandbox.counters("a")
        lost = {name: after[name] - before[name] for name in
                ("fragment_limit_packets", "fragment_timeout")}
        check_equal("fragments dropped of 40", sum(lost.values()), 40)
        check(24 <= lost["fragment_limit_packets"] < 40, f"dropped: {lost}")
        attack.expect_delivery("after all of it", pieces(
            ARP_IN_TUNNEL_100, 24), ARP_REQUEST)


@KERNEL_REASSEMBLES
def test_fragments_ecn(sandbox):
    """RFC 3168: CE in one fragment is CE of all, but never with Not-ECT."""
    def marked(*marks):
        parts = pieces(ARP_IN_TUNNEL_100, 24, ident=10 * marks[0] + marks[1])
        return [packet if not mark else ipv4(
            packet[20:], tos=mark, ident=10 * marks[0] + marks[1],
            fragment=int.from_bytes(packet[6:8], "big"))
            for packet, mark in zip(parts, marks)]

    with Attack(sandbox) as attack:
        attack.expect("CE and Not-ECT", marked(3, 0, 0), fragment_ecn=3)
        attack.expect("Not-ECT and CE", marked(0, 3, 0), fragment_ecn=3)
        attack.expect_delivery("ECT and CE", marked(2, 3, 2), ARP_REQUEST)


@KERNEL_REASSEMBLES
def test_fragments_small(sandbox):
    """8 bytes each, the EoIP header and the frame apart, in any order, each
    twice: delivered once."""
    small = pieces(ARP_IN_TUNNEL_100, 8)
    with Attack(sandbox) as attack:
        before = {**sandbox.reassembly("a"), **sandbox.counters("a")}
        for ident, order in enumerate((small, small[::-1],
                                       small[1::2] + small[::2])):
            order = [renumbered(packet, 50 + ident) for packet in order]
            doubled = [packet for packet in order[:-1] for _ in range(2)]
            attack.expect_delivery("fragments of 8 bytes",
                                   doubled + order[-1:], ARP_REQUEST)
        sandbox.wait_for_no_fragments()
        after = {**sandbox.reassembly("a"), **sandbox.counters("a")}
        counted = {name: after[name] - before[name] for name in
                   ("packets", "fragments", "duplicates", "fragment_timeout")}
    check_equal("packets", counted["packets"], 3)
    check_equal("fragments", counted["fragments"], 3 * len(small))
    # The datapath sorts a batch by flow, that is, first fragments from later
    # ones: so a copy may come when the packet is complete already.
    check_equal("copies", counted["duplicates"] + counted["fragment_timeout"],
                3 * (len(small) - 1))


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
    # No two of them become one packet.
    outer = {"ident": chance.randrange(1 << 16)}
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
    # Over all batches: the kernel's datapath asks ovs-vswitchd what to do with
    # the first of a kind, and that one is late.
    allowed, seen = Counter(), Counter()

    def send(attack, packets):
        """Returns whether anything arrived."""
        allowed.update(filter(None, map(expected_frame, packets)))
        delivered = attack.delivered(packets)
        seen.update(delivered)
        surplus = seen - allowed
        check(not surplus, f"EOIP_TEST_SEED={seed}: host-a got what it "
              f"should not: {[frame.hex() for frame in surplus]}")
        return bool(delivered)

    def quiet(attack):
        """Nothing is late any more, nothing is counted for nothing."""
        before = sandbox.counters("a")
        return not send(attack, []) and sandbox.counters("a") == before

    with Attack(sandbox) as attack:
        for _ in range(FUZZ_PACKETS // BATCH):
            send(attack, [mutation(chance, attack.host_mac)
                          for _ in range(BATCH)])
        check(seen.total() > FUZZ_PACKETS // 20,
              f"only {seen.total()} frames arrived: the test tests nothing")
        check_equal("process of ovs-vswitchd", sandbox.vswitchd_pid("a"),
                    attack.pid)
        sandbox.wait_for_no_fragments()
        until(lambda: quiet(attack), "the noise goes on without packets")
