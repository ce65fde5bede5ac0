# SPDX-License-Identifier: Apache-2.0
"""Outer fragments between two of our switches: hosts with an MTU of 1500 over
an underlay of 1500.  The sizes of underlays are in test_underlays.py, single
packets that are wrong in test_hostile.py.

    host-a -- [br0 e1 | br-phy]====fragments====[br-phy | e1 br0] -- host-b
"""

import heapq
import os
import random
import re
import select
import subprocess
import threading
import time

from sandbox import (ADDRESS, DATAPATH, UNDERLAY_DEVICE, Failure, check,
                     check_equal, only, until)
from packets import ethernet, ipv4

UP = []
KERNEL_REASSEMBLES = only("netdev", "the kernel's IP layer reassembles")

# How long the flood goes on, and how fast at most.
HOSTILE_SECONDS = float(os.environ.get("EOIP_HOSTILE_SECONDS", "10"))
HOSTILE_PACKETS_PER_SECOND = 10_000
REASSEMBLY_BYTES = 32 << 20


def full_size_pings(sandbox):
    for host in "host-a", "host-b":
        sandbox.ping(host, None, "-M", "do", "-s", "1472")


def test_on_the_wire(sandbox):
    """A frame of 1514 bytes makes two IP packets, of 1500 and 62 bytes, with
    one id, and nothing is wrong with their headers."""
    sandbox.add_tunnels(key=1234, keepalive="none")
    sandbox.ping()
    with sandbox.wire("b") as underlay:
        sandbox.exec("host-a", *"ping -q -c 5 -i 0.05 -M do -s 1472".split(),
                     ADDRESS["host-b"])
        frames = [frame for frame in underlay.frames(0.5)
                  if frame[12:14] == b"\x08\0" and frame[23] == 47]
    packets = {}
    for frame in frames:
        packets.setdefault(frame[18:20], []).append(frame)
    check_equal("ids of 5 packets", len(packets), 5)
    for frames in packets.values():
        seen = [(len(frame) - 14, frame[16:18].hex(), frame[20:22].hex())
                for frame in frames]
        # 1480 bytes behind the first header, in units of 8.
        check_equal("sizes, total lengths, flags and offsets", seen,
                    [(1500, "05dc", "2000"), (62, "003e", "00b9")])
        for frame in frames:
            check_equal("rest of the header", frame[14:16] + frame[22:24]
                        + frame[26:34], bytes.fromhex("4500402f")
                        + bytes([192, 0, 2, 1, 192, 0, 2, 2]))
            check_equal("checksum", ipv4(
                frame[34:], ADDRESS["a"], ADDRESS["b"], ttl=64,
                ident=int.from_bytes(frame[18:20], "big"),
                fragment=int.from_bytes(frame[20:22], "big")), frame[14:])


def test_tcp_full_size(sandbox):
    """Ping and TCP both ways, every segment in two fragments; nothing stays
    behind."""
    sandbox.add_tunnels(key=1234, clamp_tcp_mss="false")
    full_size_pings(sandbox)
    before = sandbox.reassembly("b")
    sandbox.tcp_both_ways()
    if DATAPATH == "system":
        # There the option does not keep TCP from smaller segments.
        sandbox.exec("host-a", *"ping -q -f -c 4000 -M do -s 1472".split(),
                     ADDRESS["host-b"])
    after = sandbox.reassembly("b")
    packets = after["packets"] - before["packets"]
    check(packets > 3000, f"only {packets} packets came in fragments")
    sandbox.wait_for_no_fragments()


def test_tagged(sandbox):
    """1500 bytes behind a VLAN tag, and behind two: 1518 and 1522 bytes."""
    sandbox.add_tunnels(key=1234)
    sandbox.ping()
    to, source = sandbox.mac("host-b"), sandbox.mac("host-a")
    with sandbox.wire("host-a") as host_a, sandbox.wire("host-b") as host_b:
        # A device takes 4 bytes more than its MTU, for one tag.
        for tags, size in ("8100000a", 1500), ("88a8000a", 1496), (
                "8100000a81000014", 1496):
            frame = (to + source + bytes.fromhex(tags + "88b5")
                     + bytes(i % 251 for i in range(size)))
            host_a.send(frame)
            host_b.wait_for(lambda seen: seen == frame,
                            f"a frame with the tags {tags} and {size} bytes "
                            "does not arrive as it was sent")
    sandbox.wait_for_no_fragments()


def test_tagged_by_the_switch(sandbox):
    """host-a -- access port, VLAN 10 -- trunk e1 -- access port -- host-b"""
    sandbox.add_tunnels(key=1234)
    for site in "a", "b":
        sandbox.vsctl(site, "set", "port", f"host-{site}", "tag=10")
    try:
        full_size_pings(sandbox)
        sandbox.tcp()
    finally:
        for site in "a", "b":
            sandbox.vsctl(site, "clear", "port", f"host-{site}", "tag")


def set_underlay_mtu(sandbox, mtu):
    for site in "a", "b":
        sandbox.exec(site, *f"ip link set eth0 mtu {mtu}".split())
    for site in "a", "b":
        until(lambda: sandbox.link(site, UNDERLAY_DEVICE)["mtu"] == mtu,
              f"{UNDERLAY_DEVICE} of {site} does not follow to an MTU of {mtu}")


def test_mtu_changes(sandbox):
    """The underlay's MTU changes while packets flow: less, and more again."""
    sandbox.add_tunnels(key=1234)
    full_size_pings(sandbox)
    try:
        for mtu in 1000, 600, 1500:
            set_underlay_mtu(sandbox, mtu)
            with sandbox.wire("b") as underlay:
                def largest():
                    sandbox.can_ping("host-a", ADDRESS["host-b"])
                    sandbox.try_exec("host-a", "ping", "-q", "-c", "2", "-i",
                                     "0.02", "-W", "1", "-s", "1472",
                                     ADDRESS["host-b"])
                    return max((len(frame) - 14 for frame
                                in underlay.frames(0.1, outgoing=False)
                                if frame[23] == 47), default=0)

                # A fragment's payload is a multiple of 8 bytes.
                until(lambda: largest() == mtu - (mtu - 20) % 8,
                      f"packets do not become as long as the MTU of {mtu}")
            full_size_pings(sandbox)
            sandbox.tcp("host-a", 1_000_000)
    finally:
        set_underlay_mtu(sandbox, 1500)
    sandbox.wait_for_no_fragments()


def test_dont_fragment(sandbox):
    """df_default=true: what does not fit is dropped and counted; what fits,
    passes.  The kernel also tells the sender, which then sends no more."""
    sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=1234,
                       df_default="true")
    sandbox.add_tunnel("b", remote_ip=ADDRESS["a"], key=1234)
    sandbox.ping("host-a", None, "-M", "do", "-s", "1430")
    before = sandbox.counters("a")["exceeds_mtu"]
    done = sandbox.try_exec("host-a", "ping", "-c", "5", "-i", "0.02", "-W",
                            "1", "-M", "do", "-s", "1431", ADDRESS["host-b"])
    check("100% packet loss" in done.stdout, f"ping says {done.stdout}")
    dropped = sandbox.counters("a")["exceeds_mtu"] - before
    if DATAPATH == "system":
        sandbox.exec("host-a", *"ip route flush cache".split())
        check("mtu = 1458" in done.stdout and 1 <= dropped <= 5,
              f"{dropped} counted as exceeds_mtu; ping says {done.stdout}")
        return
    check_equal("exceeds_mtu after 5 pings", dropped, 5)
    until(lambda: sandbox.get("a", "e1", "statistics:tx_dropped") == "5",
          "OVS does not show 5 packets as tx_dropped")


class Relay:
    """A thread between br-phy and eth0 of site a that loses, doubles and
    delays packets.  As tc's netem would, which not every kernel has."""

    def __init__(self, sandbox, loss=0.0, copies=0.0, delayed=0.0):
        self.sandbox = sandbox
        self.chance = random.Random(1)
        self.loss, self.copies, self.delayed = loss, copies, delayed
        self.counts = {"lost": 0, "doubled": 0, "delayed": 0}
        self.end = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        def exec_in_a(line):
            self.sandbox.exec("a", *line.split())

        exec_in_a("ip link add relay address 02:00:00:00:04:0a type veth "
                  "peer name relay-end")
        for device in "relay", "relay-end":
            exec_in_a(f"ip link set {device} arp off addrgenmode none up")
        exec_in_a("ip link set eth0 promisc on")
        self.sandbox.vsctl("a", "del-port", "br-phy", "eth0", "--",
                           "add-port", "br-phy", "relay")
        self.wires = [self.sandbox.wire("a", device)
                      for device in ("relay-end", "eth0")]
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        self.thread.join()
        for wire in self.wires:
            wire.sock.close()
        self.sandbox.vsctl("a", "del-port", "br-phy", "relay", "--",
                           "add-port", "br-phy", "eth0")
        self.sandbox.exec("a", *"ip link del relay".split())
        self.sandbox.exec("a", *"ip link set eth0 promisc off".split())

    def happens(self, what, probability):
        happened = self.chance.random() < probability
        self.counts[what] += happened
        return happened

    def pass_on(self, later, frame, to, now):
        if self.happens("lost", self.loss):
            return
        if self.happens("doubled", self.copies):
            to.send(frame)
        if self.happens("delayed", self.delayed):
            heapq.heappush(later, (now + self.chance.random() / 200,
                                   self.counts["delayed"], frame, to))
        else:
            to.send(frame)

    def run(self):
        later = []
        other = {self.wires[i].sock: self.wires[1 - i] for i in (0, 1)}
        while not self.end.is_set():
            ready, _, _ = select.select(list(other), [], [],
                                        0.001 if later else 0.1)
            now = time.monotonic()
            for sock in ready:
                frame, address = sock.recvfrom(1 << 16)
                if address[2] != 4:  # PACKET_OUTGOING
                    self.pass_on(later, frame, other[sock], now)
            while later and later[0][0] <= now:
                _, _, frame, to = heapq.heappop(later)
                to.send(frame)


@KERNEL_REASSEMBLES
def test_bad_wire(sandbox):
    """Every fragment may be lost, doubled or late: TCP gets through, with the
    bytes that were sent, and nothing stays behind."""
    sandbox.add_tunnels(key=1234, clamp_tcp_mss="false")
    full_size_pings(sandbox)
    before = {**sandbox.reassembly("b"), **sandbox.counters("b")}
    with Relay(sandbox, loss=0.002, copies=0.02, delayed=0.02) as relay:
        until(lambda: sandbox.can_ping("host-a", ADDRESS["host-b"]),
              "no ping through the relay")
        sandbox.tcp("host-a", 3_000_000)
        sandbox.tcp("host-b", 1_000_000)
    for what, count in relay.counts.items():
        check(count > 5, f"only {count} packets were {what}")
    sandbox.wait_for_no_fragments()
    after = {**sandbox.reassembly("b"), **sandbox.counters("b")}
    # A late copy of a packet that is complete already begins a new one.
    for name in "duplicates", "fragment_timeout":
        check(after[name] > before[name], f"{name} stays {after[name]}")
    check_equal("fragment_overlap", after["fragment_overlap"],
                before["fragment_overlap"])
    full_size_pings(sandbox)
    return ", ".join(f"{count} {what}" for what, count
                     in relay.counts.items())


def hostile_packet(chance, payload):
    """A fragment that means harm.  None is from the peer's own address: who
    can send from there can spoil any packet whose id it guesses, of the 65536
    there are, and no receiver can help it."""
    kind = chance.randrange(4)
    if kind == 0:  # Never completed, each of another packet and source.
        source = f"198.{chance.randrange(18, 20)}.{chance.randrange(256)}" \
                 f".{chance.randrange(256)}"
        ident, offset, more = chance.randrange(1 << 16), 0, 0x2000
    elif kind == 1:  # The same packets again and again, overlapping.
        source = f"198.18.0.{chance.randrange(8)}"
        ident, offset = chance.randrange(64), chance.randrange(100)
        more = chance.choice((0, 0x2000))
    elif kind == 2:  # From one source, at random offsets.
        source = "198.18.2.1"
        ident, offset = chance.randrange(1 << 16), chance.randrange(1 << 13)
        more = chance.choice((0, 0x2000))
    else:  # Many small ones of few packets.
        source = f"198.18.1.{chance.randrange(4)}"
        ident, offset, more = chance.randrange(4), chance.randrange(
            1 << 13), 0x2000
        return ipv4(payload[:8], source, ident=ident, fragment=offset | more)
    size = 8 * chance.randrange(1, 60)
    return ipv4(payload[:size], source, ident=ident, fragment=offset | more)


class Flood:
    """Hostile fragments for site a, from site b's wire, at a steady rate, but
    never further ahead of the switch than its receive buffer takes: whatever
    is lost was lost by the reassembly."""

    # 212,992 bytes of buffer, of which each of these small packets takes 768.
    AHEAD = 100

    def __init__(self, sandbox):
        chance = random.Random(int(os.environ.get("EOIP_TEST_SEED", "1")))
        payload = chance.randbytes(1500)
        mac = sandbox.mac("a", "br-phy")
        # As many as are never the same within the timeout, and more.
        self.frames = [ethernet(hostile_packet(chance, payload), mac)
                       for _ in range(60_000)]
        self.echo = ethernet(ipv4(bytes.fromhex("0800f7ff00000000"), proto=1),
                             mac, sandbox.mac("b", "br-phy"))
        self.wire = sandbox.wire("b")
        self.sent = 0
        self.failure = None
        self.end = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.start = time.monotonic()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        self.thread.join()
        self.seconds = time.monotonic() - self.start
        self.wire.sock.close()

    def run(self):
        try:
            while not self.end.is_set():
                due = int((time.monotonic() - self.start)
                          * HOSTILE_PACKETS_PER_SECOND)
                if due < self.sent + self.AHEAD:
                    time.sleep(0.001)
                    continue
                for _ in range(self.AHEAD):
                    self.wire.send(self.frames[self.sent % len(self.frames)])
                    self.sent += 1
                self.wait_for_echo()
        except (Failure, OSError) as error:
            self.failure = error

    def wait_for_echo(self):
        """The switch has taken all packets before its host's answer."""
        self.wire.send(self.echo)
        self.wire.wait_for(
            lambda frame: frame[12:14] + frame[23:24] + frame[34:35]
            == bytes.fromhex("0800 01 00"),
            f"no echo from the host of the switch after {self.sent} fragments")


def rss(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) << 10


def start_pings(sandbox, *options):
    """`ping` for HOSTILE_SECONDS; it waits for the last answer."""
    return subprocess.Popen(
        ["ip", "netns", "exec", sandbox.netns("host-a"), "ping", "-q", "-i",
         "0.05", "-c", str(int(HOSTILE_SECONDS / 0.05)), "-W", "2", *options,
         ADDRESS["host-b"]], stdout=subprocess.PIPE, text=True)


def lost_of(ping):
    sent, received = map(int, re.search(
        r"(\d+) packets transmitted, (\d+) received",
        ping.communicate(timeout=20)[0]).groups())
    return sent - received, sent


@KERNEL_REASSEMBLES
def test_flood(sandbox):
    """Hostile fragments without end: small and full-size pings lose nothing,
    and the switch takes no more memory than it was allowed."""
    sandbox.add_tunnels(key=1234)
    full_size_pings(sandbox)
    pid = sandbox.vswitchd_pid("a")
    rss_before = rss_most = rss(pid)
    waiting = 0
    before = {**sandbox.reassembly("a"), **sandbox.counters("a")}
    with Flood(sandbox) as flood, start_pings(sandbox) as small, \
            start_pings(sandbox, "-M", "do", "-s", "1472") as large:
        while small.poll() is None or large.poll() is None:
            rss_most = max(rss_most, rss(pid))
            waiting = max(waiting, sandbox.reassembly("a")["waiting_bytes"])
            time.sleep(0.2)
        lost = [lost_of(ping) for ping in (small, large)]
    after = {**sandbox.reassembly("a"), **sandbox.counters("a")}
    check_equal("process of ovs-vswitchd", sandbox.vswitchd_pid("a"), pid)
    check(not flood.failure, str(flood.failure))
    check_equal("small and large pings lost", [n for n, _ in lost], [0, 0])
    growth = rss_most - rss_before
    check(growth <= REASSEMBLY_BYTES,
          f"ovs-vswitchd grew by {growth >> 10} KB, more than was allowed")
    check(waiting <= REASSEMBLY_BYTES, f"{waiting} bytes waited")
    counted = sum(after[name] - before[name] for name in after
                  if name.startswith("fragment_")
                  or name in ("frame_too_big", "unwanted"))
    check(counted > flood.sent * 0.9,
          f"of {flood.sent} fragments only {counted} were counted as dropped")
    sandbox.wait_for_no_fragments()
    full_size_pings(sandbox)
    return (f"{flood.sent} fragments, {flood.sent / flood.seconds:.0f}/s, "
            f"{counted} counted as dropped; pings lost "
            + ", ".join(f"{n} of {sent}" for n, sent in lost)
            + f"; {waiting >> 10} KB waited, ovs-vswitchd grew from "
            f"{rss_before >> 10} by {growth >> 10} KB")
