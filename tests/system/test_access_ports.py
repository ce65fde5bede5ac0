# SPDX-License-Identifier: Apache-2.0
"""Frames longer than the port behind the tunnel carries: one costs only
itself, and no byte of it goes where it does not belong.

    host-a -- [br0 e1 | br-phy] ==fragments== b (this test writes packets)
     or tap0, internal0 ---^
"""

import collections
import contextlib
import re
import struct

from packets import eoip, ethernet, ipv4
from sandbox import (ADDRESS, UNDERLAY_DEVICE, Skip, check, check_equal,
                     until)

UP = ["--plain-b"]
USERSPACE_ONLY = "the kernel's ports are not Open vSwitch's"

FRAGMENT = 1480
SMALL = 60
SMALL_PER_BURST = 24
SOURCE = bytes.fromhex("0200000000ff")

# What fills the long frames, and no other.
EVIL = b"\xee"


def small_frame(to, number):
    return (to + SOURCE + b"\x88\xb5" + struct.pack("!I", number)
            + bytes(SMALL - 18))


def long_frame(to, size):
    return to + SOURCE + b"\x88\xb6" + EVIL * (size - 14)


def fragments(payload, ident):
    """The IPv4 packets of a payload that the path cuts."""
    for at in range(0, len(payload), FRAGMENT):
        part = payload[at:at + FRAGMENT]
        more = 0x2000 if at + FRAGMENT < len(payload) else 0
        yield ipv4(part, ident=ident, fragment=more | at // 8)


class Burst:
    """Sends frames through the tunnel and sees what one device gets."""

    def __init__(self, sandbox, port, where, device):
        self.sandbox, self.port = sandbox, port
        # None of the lengths here is one that a tunnel delivers by default.
        sandbox.vsctl("a", "set", "open_vswitch", ".",
                      "other_config:eoip-max-frame=65000")
        sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=100,
                           keepalive="none")
        self.switch = sandbox.mac("a", UNDERLAY_DEVICE)
        self.to = sandbox.mac(where, device)
        self.underlay = sandbox.wire("b")
        self.access = sandbox.wire(where, device)
        self.numbers = iter(range(1 << 32))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.underlay.sock.close()
        self.access.sock.close()
        self.sandbox.vsctl("a", "remove", "open_vswitch", ".", "other_config",
                           "eoip-max-frame")

    def send(self, packets):
        for packet in packets:
            self.underlay.send(ethernet(packet, self.switch))

    def burst(self, long_size, ident):
        """A long frame with small ones behind it, in one batch where the
        switch reads as many.  Returns the small ones and all that arrived."""
        small = [small_frame(self.to, next(self.numbers))
                 for _ in range(SMALL_PER_BURST)]
        self.send(fragments(eoip(long_frame(self.to, long_size)), ident))
        self.send(ipv4(eoip(frame)) for frame in small)
        return small, self.arrived()

    def arrived(self):
        """All that arrives before a last frame, which is sent until it is
        there: it comes behind the others, or is lost as they are."""
        last = small_frame(self.to, next(self.numbers))
        seen = []
        for _ in range(20):
            self.send([ipv4(eoip(last))])
            for frame in self.access.frames(seconds=1):
                if frame == last:
                    return seen
                seen.append(frame)
        check(False, "a good frame does not arrive any more")

    def flood(self, count, long_size):
        """Returns how many small and how many long ones arrived of `count`
        bursts.  Whatever arrives is what was sent, once."""
        long = long_frame(self.to, long_size)
        n_small = n_long = 0
        for ident in range(count):
            small, seen = self.burst(long_size, ident)
            n_long += seen.count(long)
            seen = [frame for frame in seen if frame != long]
            strange = collections.Counter(seen) - collections.Counter(small)
            check(not strange, f"the port sent {len(strange)} frames that "
                  "nobody sent to it, the first of "
                  f"{len(next(iter(strange), b''))} bytes: "
                  f"{next(iter(strange), b'')[:40].hex()}")
            n_small += len(seen)
        return n_small, n_long

    def counted(self, name):
        """What the switch counts of the port, its own counters included."""
        shown = self.sandbox.exec("a", "ovs-ofctl", "-OOpenFlow14",
                                  "--timeout=60", "dump-ports", "br0",
                                  self.port)
        tx = shown[shown.index("tx pkts"):]
        found = re.search(rf"\b{name}=(\d+)", tx)
        check(found, f"there is no {name} in: {shown}")
        return int(found[1])


@contextlib.contextmanager
def port_of_type(sandbox, port, kind, *options):
    """A port of br0 for a while, made anew if it is there."""
    def replace(*settings):
        sandbox.vsctl("a", "--if-exists", "del-port", "br0", port, "--",
                      "add-port", "br0", port, *settings)

    replace("--", "set", "interface", port, f"type={kind}", *options)
    try:
        error = sandbox.error("a", port)
        if error:
            raise Skip(f"a port of type {kind} does not work here: {error}")
        yield
    finally:
        if port == "host-a":
            replace()
        else:
            sandbox.vsctl("a", "del-port", "br0", port)


def test_af_packet(sandbox):
    """100 frames of 20 kB beside 2400 of 60 bytes."""
    with Burst(sandbox, "host-a", "host-a", "eth0") as bed:
        before = bed.counted("drop")
        small, long = bed.flood(100, 20_000)
        check(small >= 2390, f"{small} of 2400 small frames arrive")
        check_equal("long frames on a device of MTU 1500", long, 0)
        dropped = bed.counted("drop") - before
        check_equal("frames counted as dropped", dropped, 100)
        return f"{small} of 2400"


def test_af_xdp(sandbox):
    """50 frames of 60 kB, where 4096 bytes are room for one."""
    with port_of_type(sandbox, "host-a", "afxdp-nonpmd",
                      "options:xdp-mode=native"), \
            Burst(sandbox, "host-a", "host-a", "eth0") as bed:
        before = bed.counted("drop")
        small, long = bed.flood(50, 60_000)
        check_equal("descriptors that the kernel refused",
                    bed.counted("xsk_queue_0_tx_invalid_descs"), 0)
        check_equal("small and long frames that arrive", (small, long),
                    (50 * SMALL_PER_BURST, 0))
        check_equal("frames counted as dropped",
                    bed.counted("drop") - before, 50)


def delivered_to_the_kernel(sandbox, kind):
    """A device of the site itself, which takes frames of any length."""
    device = f"{kind}0"
    with port_of_type(sandbox, device, kind):
        until(lambda: sandbox.try_exec(
            "a", *f"ip link set {device} up".split()).returncode == 0,
            f"there is no {device}")
        until(lambda: "UP" in sandbox.link("a", device)["flags"]
              and sandbox.get("a", device, "link_state") == "up",
              f"the switch does not see that {device} is up")
        with Burst(sandbox, device, "a", device) as bed:
            check_equal("small and long frames that arrive",
                        bed.flood(20, 60_000), (20 * SMALL_PER_BURST, 20))


def test_tap(sandbox):
    delivered_to_the_kernel(sandbox, "tap")


def test_internal(sandbox):
    delivered_to_the_kernel(sandbox, "internal")
