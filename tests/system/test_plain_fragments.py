# SPDX-License-Identifier: Apache-2.0
"""Outer fragments between our switch and the Linux kernel, which cuts and
reassembles at site b: neither end is tested against itself.

    host-a -- [br0 e1 | br-phy] ==fragments== eth0 of b, raw IP protocol 47
"""

import contextlib
import socket

from sandbox import ADDRESS, check_equal, netns_socket, until
from packets import checksum, eoip
from test_plain_peer import Peer, add_tunnel_100

UP = ["--plain-b"]
EOIP = 47

# <linux/in.h>
IP_MTU_DISCOVER = 10
IP_PMTUDISC_DONT = 0

# What a fragment carries behind its IP header, at an MTU of 1500.
FRAGMENT = 1480


class Kernel(Peer):
    """Site b's kernel makes and reads the IP headers."""

    def __init__(self, sandbox):
        super().__init__(sandbox)
        with netns_socket.inside(sandbox.netns("b")):
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, EOIP)
        self.sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER,
                             IP_PMTUDISC_DONT)
        self.sock.settimeout(5)

    def __exit__(self, *_):
        self.sock.close()
        super().__exit__()

    def send(self, payload):
        self.sock.sendto(payload, (ADDRESS["a"], 0))

    def received(self):
        """The next packet, whole, from its IP header on."""
        return self.sock.recv(1 << 16)


def frame_between(to, source, size, number):
    """No two frames are alike, nor are the fragments of one."""
    header = to + source + b"\x88\xb5"
    return header + bytes((i * 7 + i // 251 + number) & 0xff
                          for i in range(size - len(header)))


def pieces(frame):
    """How many fragments a frame takes behind an EoIP header."""
    return -(-(8 + len(frame)) // FRAGMENT)


@contextlib.contextmanager
def jumbo_host(sandbox):
    """host-a and its port take 9000 bytes for a while."""
    def set_mtu(mtu):
        sandbox.exec("host-a", *f"ip link set eth0 mtu {mtu}".split())
        sandbox.exec("a", *f"ip link set host-a mtu {mtu}".split())
        until(lambda: sandbox.get("a", "host-a", "mtu") == str(mtu),
              f"the switch does not see host-a's MTU of {mtu}")

    try:
        set_mtu(9000)
        yield
    finally:
        set_mtu(1500)


def deliver(sandbox, kernel, frames):
    """All `frames` arrive as they are, and are counted as what they were."""
    before = sandbox.reassembly("a")
    for frame in frames:
        kernel.send(eoip(frame))
    for number, frame in enumerate(frames):
        kernel.expect_delivery(frame, f"frame {number}, {len(frame)} bytes")
    after = sandbox.reassembly("a")
    cut = [pieces(frame) for frame in frames if pieces(frame) > 1]
    check_equal("packets and fragments reassembled",
                [after[name] - before[name] for name in
                 ("packets", "fragments")], [len(cut), sum(cut)])


def test_in(sandbox):
    """Frames that the kernel cuts arrive whole, one by one and in a row."""
    add_tunnel_100(sandbox)
    to, source = sandbox.mac("host-a"), bytes.fromhex("0200000000ff")
    before = sandbox.counters("a")
    with Kernel(sandbox) as kernel:
        # The largest in one packet, one byte more, and a full Ethernet frame.
        for size in 1472, 1473, 1514:
            deliver(sandbox, kernel, [frame_between(to, source, size, 0)])
        deliver(sandbox, kernel, [frame_between(to, source, 1514, number)
                                  for number in range(20)])
        with jumbo_host(sandbox):
            deliver(sandbox, kernel, [frame_between(to, source, 9000, number)
                                      for number in range(3)])
    check_equal("what else was counted", sandbox.counters("a"), before)
    sandbox.wait_for_no_fragments("a")


def fragments_on_the_wire(kernel, count):
    """The next `count` packets of protocol 47, behind Ethernet."""
    seen = []
    for packet in kernel.underlay.frames():
        if packet[12:14] == b"\x08\0" and packet[23] == EOIP:
            seen.append(packet[14:])
            if len(seen) == count:
                break
    return seen


def check_fragments(seen, frame):
    """Returns the IP id that all of them have."""
    what = f"frame of {len(frame)} bytes"
    packet, count = eoip(frame), pieces(frame)
    expected = []
    for i in range(count):
        part = packet[i * FRAGMENT:(i + 1) * FRAGMENT]
        more = 0x2000 if i + 1 < count else 0  # And never DF, 0x4000.
        expected.append((20 + len(part), f"{more | i * FRAGMENT // 8:04x}",
                         part.hex()))
    check_equal(f"{what}: total lengths, flags and offsets, bytes",
                [(int.from_bytes(ip[2:4], "big"), ip[6:8].hex(), ip[20:].hex())
                 for ip in seen], expected)
    check_equal(f"{what}: checksums", [checksum(ip[:20]) for ip in seen],
                [0] * count)
    idents = {int.from_bytes(ip[4:6], "big") for ip in seen}
    check_equal(f"{what}: ids", len(idents), 1)
    return idents.pop()


def check_reassembled(sandbox, kernel, size, number):
    """One frame of host-a, cut by us and put together by the kernel.  Returns
    the IP id."""
    frame = frame_between(b"\xff" * 6, sandbox.mac("host-a"), size, number)
    kernel.host_a.send(frame)
    seen = fragments_on_the_wire(kernel, pieces(frame))
    ident = check_fragments(seen, frame)
    packet = kernel.received()
    what = f"what the kernel reassembles of {size} bytes"
    check_equal(f"{what}: total length", int.from_bytes(packet[2:4], "big"),
                28 + size)
    check_equal(f"{what}: flags and offset", packet[6:8].hex(), "0000")
    check_equal(f"{what}: EoIP header", packet[20:28].hex(" "),
                f"20 01 64 00 {size >> 8:02x} {size & 0xff:02x} 64 00")
    check_equal(f"{what}: frame", packet[28:].hex(), frame.hex())
    return ident


def test_out(sandbox):
    """Frames of host-a that we cut: the kernel has the whole packets, and on
    the wire every byte is as it must be."""
    sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=100, keepalive="none")
    with Kernel(sandbox) as kernel:
        idents = [check_reassembled(sandbox, kernel, size, number)
                  for number, size in enumerate((1472, 1473, *[1514] * 8))]
        with jumbo_host(sandbox):
            idents.append(check_reassembled(sandbox, kernel, 9000, 10))
    check_equal("IP ids that are 0 or were used before",
                len(idents) - len(set(idents) - {0}), 0)
