# SPDX-License-Identifier: Apache-2.0
"""Who sits at the other end in b when that is not the module itself: one that
writes packets byte by byte, and a plain user program that speaks EoIP."""

import contextlib
import fcntl
import os
import select
import socket
import struct
import threading

import netns_socket
from bed import MAC, OTHER, UNDERLAY
from eoip import IPV6_PROTOCOL
from packets import MAGIC, eoip, ethernet, ipv4
from sandbox import Failure, check, check_equal

TUNSETIFF = 0x400454ca
IFF_TAP, IFF_NO_PI = 0x2, 0x1000


@contextlib.contextmanager
def one_processor():
    """Packets that this thread sends stay in their order."""
    processors = os.sched_getaffinity(0)
    os.sched_setaffinity(0, [min(processors)])
    try:
        yield
    finally:
        os.sched_setaffinity(0, processors)


def packet(payload, **fields):
    """From b to a, if not said otherwise."""
    return ipv4(payload, **{"src": UNDERLAY["b"], "dst": UNDERLAY["a"],
                            **fields})


class Injector:
    """Sends packets from b to a's device and sees what it makes of them.
    `wrap` makes a good packet of a frame."""

    def __init__(self, bed, name="e1", wrap=lambda frame: packet(eoip(frame)),
                 kind=0x0800):
        self.bed, self.name, self.wrap, self.kind = bed, name, wrap, kind
        self.underlay = bed.wire("b")
        self.device = bed.wire("a", name)
        self.marks = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.underlay.sock.close()
        self.device.sock.close()

    def send(self, data, dst=MAC["a"]):
        self.underlay.send(ethernet(data, dst, MAC["b"], self.kind))

    def delivered(self, packets):
        """What comes out of the device.  Two good frames, one after the
        other, tell that nothing is still on its way."""
        seen = []
        with one_processor():
            for data in packets:
                self.send(data)
            for _ in range(2):
                self.marks += 1
                mark = (b"\xff" * 6 + bytes.fromhex("0200000000ff88b5")
                        + f"mark {self.marks}".encode() + bytes(50))
                self.send(self.wrap(mark))
                for frame in self.device.frames():
                    if frame == mark:
                        break
                    seen.append(frame)
                else:
                    raise Failure("a good frame does not arrive any more")
        return seen

    def state(self):
        return {**self.bed.counters("a", self.name),
                **self.bed.statistics("a", self.name)}

    def expect(self, what, packets, frames=(), **counters):
        """Exactly these frames come out, exactly these counters move, and
        the link's statistics agree with them."""
        before = self.state()
        seen = self.delivered(packets)
        check_equal(f"{what}: what comes out", [frame.hex() for frame in seen],
                    [frame.hex() for frame in frames])
        after = self.state()
        moved = {name: after[name] - before[name] for name in after
                 if after[name] != before[name]}
        received = moved.pop("rx_packets", 0)
        moved.pop("rx_bytes", 0)
        dropped = moved.pop("rx_dropped", 0) + moved.pop("rx_errors", 0)
        check_equal(f"{what}: what was counted", moved, counters)
        check_equal(f"{what}: rx_packets", received, len(frames) + 2)
        # Of delivered frames the kernel counts here those of VLANs that are
        # not set up, if nothing but a packet socket took them.
        strangers = sum(frame[12:14] in (b"\x81\0", b"\x88\xa8")
                        for frame in frames)
        by_name = sum(value for name, value in counters.items()
                      if name.startswith("rx_drop_"))
        check(by_name <= dropped <= by_name + strangers,
              f"{what}: rx_dropped and rx_errors are {dropped}, by name "
              f"{by_name}")


def ipv6(payload, src="fd01::2", dst="fd01::1", proto=IPV6_PROTOCOL, hops=255,
         traffic_class=0, length=None):
    """From b to a, if not said otherwise."""
    return struct.pack("!IHBB", 6 << 28 | traffic_class << 20,
                       len(payload) if length is None else length, proto,
                       hops) + socket.inet_pton(
        socket.AF_INET6, src) + socket.inet_pton(socket.AF_INET6,
                                                 dst) + payload


def eoipv6(frame, tunnel_id=100):
    return bytes([tunnel_id >> 8 << 4 | 3, tunnel_id & 0xff]) + frame


def received_eoip(data):
    """(id, frame) of an IPv4 packet as a raw socket gives it, or None."""
    start = (data[0] & 0xf) * 4
    header, payload = data[start:start + 8], data[start + 8:]
    if len(header) < 8 or header[:4] != MAGIC:
        return None
    length, tunnel_id = struct.unpack(">H", header[4:6])[0], struct.unpack(
        "<H", header[6:8])[0]
    return (tunnel_id, payload[:length]) if length <= len(payload) else None


class Program:
    """A user program in b that is one end of a tunnel: frames go between a
    tap device and a raw socket of protocol 47."""

    def __init__(self, bed, address, tunnel_id=100, tap="tap0"):
        self.tunnel_id, self.remote = tunnel_id, UNDERLAY["a"]
        self.raw = bed.raw_socket("b")
        self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        with netns_socket.inside(bed.netns("b")):
            self.tap = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(self.tap, TUNSETIFF, struct.pack(
                "16sH22x", tap.encode(), IFF_TAP | IFF_NO_PI))
        bed.ip("b", f"link set {tap} mtu 1500 up",
               f"addr add {address}/24 dev {tap}")
        self.wake, self.stop = os.pipe()
        self.thread = threading.Thread(target=self.loop, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        os.close(self.stop)
        self.thread.join(10)
        self.raw.close()
        os.close(self.tap)
        os.close(self.wake)

    def loop(self):
        while True:
            ready, _, _ = select.select([self.wake, self.tap, self.raw], [],
                                        [])
            if self.wake in ready:
                return
            if self.tap in ready:
                self.raw.sendto(eoip(os.read(self.tap, 1 << 16),
                                     self.tunnel_id), (self.remote, 0))
            if self.raw in ready:
                found = received_eoip(self.raw.recv(1 << 16))
                if found and found[0] == self.tunnel_id and found[1]:
                    os.write(self.tap, found[1])


def outer(bed, frame, where="a", device="e1", protocol=47):
    """The outer packet in which the peer gets `frame` when it is sent through
    the device: bytes from the IP header on."""
    kind, at = ((b"\x86\xdd", 20) if protocol == IPV6_PROTOCOL
                else (b"\x08\0", 23))
    with bed.wire(OTHER[where]) as wire, bed.wire(where, device) as sender:
        sender.send(frame)
        seen = wire.wait_for(lambda data: data[12:14] == kind
                             and data[at] == protocol,
                             "no outer packet arrives")
    return seen[14:]
