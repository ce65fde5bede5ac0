# SPDX-License-Identifier: Apache-2.0
"""The module goes while it is at work: devices with it, packets on their way,
timers set."""

import contextlib
import os
import subprocess
import threading

import modules
import netns_socket
from bed import INNER, MAC
from packets import (ARP_IN_TUNNEL_100, KEEPALIVE_OF_TUNNEL_100, eoip)
from peer import packet
from sandbox import Skip, check, check_equal, until

ROUNDS = 5


class Flood:
    """Packets to a's tunnels from a thread, as fast as it goes."""

    def __init__(self, bed):
        self.wire = bed.wire("b")
        self.stop = threading.Event()
        self.sent = 0
        self.thread = threading.Thread(target=self.loop, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(10)
        self.wire.sock.close()

    def loop(self):
        start = MAC["a"] + MAC["b"] + b"\x08\0"
        frame = bytes(1400)
        kinds = [packet(ARP_IN_TUNNEL_100), packet(KEEPALIVE_OF_TUNNEL_100),
                 packet(eoip(frame)), packet(eoip(frame, 101)),
                 packet(eoip(frame, length=9)),
                 packet(eoip(frame)[:800], fragment=0x2000),
                 packet(eoip(frame)[800:], fragment=100)]
        while not self.stop.is_set():
            for kind in kinds:
                # A full queue or an underlay that is gone is no news here.
                with contextlib.suppress(OSError):
                    self.wire.send(start + kind)
                    self.sent += 1


@contextlib.contextmanager
def ping_flood(bed):
    """From a to b, until the end of the block."""
    with netns_socket.inside(bed.netns("a")):
        ping = subprocess.Popen(
            ["ping", "-f", "-q", "-s", "1000", INNER["b"]],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
    with ping:
        try:
            yield
        finally:
            ping.kill()


def busy(bed):
    """Waits until packets go through e1."""
    before = bed.statistics("a")
    until(lambda: all(bed.statistics("a")[name] > before[name] + 100
                      for name in ("rx_packets", "tx_packets")),
          "no traffic on e1", 30)


def test_loaded_by_need(bed):
    """The first device loads the module, by the alias of its kind."""
    if "EOIP_MODULES" in os.environ:
        raise Skip("the module is not where modprobe looks for it")
    modules.unload("eoip")
    bed.tunnel("a")
    check(modules.loaded("eoip"), "there is a device without the module")


def test_unload_with_devices(bed):
    """rmmod takes the devices along, wherever they are."""
    bed.pair(interval=1, retries=3)
    bed.tunnel("a", "ext", external=True)
    bed.add_namespace("h")
    bed.tunnel("a", "e2", id=2, up=False)
    bed.rtnl("a").move("e2", bed.netns("h"))
    bed.rtnl("h").up("e2")
    modules.unload("eoip")
    check(not modules.loaded("eoip"), "the module is still there")
    for where in ("a", "b", "h"):
        check_equal(f"links in {where}", bed.rtnl(where).links(), [])
    modules.load("eoip")
    bed.pair()
    bed.ping_both_ways()


def test_unload_under_traffic(bed):
    """Floods both ways while the module goes, and again when it is back."""
    with Flood(bed) as flood:
        for _ in range(ROUNDS):
            bed.pair(interval=1, retries=3)
            bed.tunnel("a", "ext", external=True)
            with ping_flood(bed):
                busy(bed)
                modules.unload("eoip")
            check(not modules.loaded("eoip"), "the module is still there")
            modules.load("eoip")
    bed.pair()
    bed.ping_both_ways()
    return f"{ROUNDS} times, {flood.sent} packets sent to it"


def test_devices_under_traffic(bed):
    """Devices come, change and go while packets for them arrive."""
    with Flood(bed):
        for number in range(150):
            bed.tunnel("a", interval=number % 3, retries=1)
            bed.tunnel("a", "e2", id=101)
            bed.rtnl("a").change("e1", {"ttl": 1 + number % 255,
                                        "id": 100 + number % 2 * 200})
            bed.rtnl("a").down("e1")
            bed.rtnl("a").up("e1")
            bed.rtnl("a").delete("e1")
            bed.rtnl("a").delete("e2")
    bed.pair()
    bed.ping_both_ways()


def test_namespace_under_traffic(bed):
    """The underlay ends while packets come and go."""
    bed.pair()
    with Flood(bed), ping_flood(bed):
        busy(bed)
        bed.remove_namespace("a")
    bed.add_namespace("c")
    bed.rtnl("c").add("e1", options={"id": 1, "remote": "192.0.2.9"})


def test_change_under_traffic(bed):
    """A change to what it is already loses no packet; between two ids each
    packet meets the old or the new one."""
    bed.pair()
    bed.ping("a")
    with netns_socket.inside(bed.netns("a")):
        ping = subprocess.Popen(
            ["ping", "-q", "-c", "200", "-i", "0.005", "-W", "2", INNER["b"]],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    with ping:
        changes = 0
        while ping.poll() is None:
            for where in ("a", "b"):
                bed.rtnl(where).change("e1", {"ttl": 1 + changes % 255})
            changes += 1
        output = ping.stdout.read()
    check(" 0% packet loss" in output, f"during {changes} changes: {output}")
    return f"{changes} changes"
