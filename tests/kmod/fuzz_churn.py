# SPDX-License-Identifier: Apache-2.0
"""What goes on around the packets: devices and namespaces come, move and go,
links go down and up, programs give verdicts, and there is not always memory.

    victim namespace                          peer namespace
      t0 t100 t65535 ext t6 br0(t1234 lan0)     eoip1 (id 100) eoip6
                 \\                               /
                veth0 192.0.2.1 ------- 192.0.2.2 veth1
                      fd01::1             fd01::2
                lan0 ------------------------------- lan1

What comes in by veth0 and lan0 is put together by GRO; from lan0 the bridge
takes it to t1234, or the victim, as 10.7.0.1, routes it to t100.
"""

import collections
import pathlib
import random
import subprocess
import sys
import time

sys.dont_write_bytecode = True
TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS.parent / "utilities"))
import fuzz_messages  # noqa: E402
import fuzz_packets  # noqa: E402
import fuzz_spaces  # noqa: E402
import netns_socket  # noqa: E402
import nfqueue  # noqa: E402

VICTIM_MAC, PEER_MAC = "02:00:00:00:0a:01", "02:00:00:00:0a:02"
LAN_MAC, BRIDGED_MAC = "02:00:00:00:0a:03", "02:00:00:00:0a:04"
FAILSLAB = pathlib.Path("/sys/kernel/debug/failslab")
TUNNELS = {"t0": 0, "t100": 100, "t1234": 1234, "t65535": 65535}


def ip(*words, check=False):
    """`ip` with these arguments; True if it succeeded."""
    return subprocess.run(["ip", *map(str, words)], check=check, timeout=60,
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=None if check else subprocess.DEVNULL
                          ).returncode == 0


def batch(netns, lines, check=False):
    """Several `ip` commands in a namespace, past those that fail."""
    text = "".join(f"{line}\n" for line in lines)
    done = subprocess.run(["ip", "-n", netns, "-force", "-batch", "-"],
                          input=text.encode(), capture_output=True,
                          check=False, timeout=60)
    if check and done.returncode:
        raise RuntimeError(f"ip: {done.stderr.decode()}")


def inside(netns, *words, text=""):
    """The command in the namespace, whatever becomes of it."""
    with netns_socket.inside(netns):
        return subprocess.run(words, input=text.encode(), capture_output=True,
                              check=False, timeout=60)


def add_eoip(netns, name, **values):
    """A device of ours, made without `ip`, which need not know the kind."""
    with netns_socket.inside(netns):
        return fuzz_messages.add_device(name, **values)


def quiet_failures():
    """Allocations that fail on purpose need not say so each time."""
    for name in ("failslab", "fail_page_alloc"):
        verbose = FAILSLAB.parent / name / "verbose"
        if verbose.exists():
            verbose.write_text("0", encoding="ascii")


class Bed:
    """The devices of the drawing, and one more namespace to move them to."""

    def __init__(self, tag):
        self.victim, self.peer, self.other, self.short = (
            f"{tag}-{name}" for name in ("victim", "peer", "other", "short"))

    def make(self):
        for netns in (self.victim, self.peer, self.other):
            ip("netns", "add", netns, check=True)
            ip("-n", netns, "link", "set", "lo", "up", check=True)
        inside(self.victim, "sysctl", "-q", "net.ipv4.ip_forward=1")
        self.repair(check=True)

    def repair(self, check=False):
        """Makes what is missing; the rest fails, as it is there already."""
        ip("-n", self.victim, "link", "add", "veth0", "address", VICTIM_MAC,
           "type", "veth", "peer", "name", "veth1", "address", PEER_MAC,
           "netns", self.peer)
        ip("-n", self.victim, "link", "add", "lan0", "type", "veth", "peer",
           "name", "lan1", "netns", self.peer)
        refusals = [add_eoip(self.peer, "eoip1", ID=100, REMOTE="192.0.2.1"),
                    add_eoip(self.peer, "eoip6", ID=100, REMOTE="fd01::1"),
                    add_eoip(self.victim, "t6", ID=100, REMOTE="fd01::2"),
                    add_eoip(self.victim, "ext", COLLECT_METADATA=None)]
        refusals += [add_eoip(self.victim, name, ID=key, REMOTE="192.0.2.2")
                     for name, key in TUNNELS.items()]
        if check and any(refusals):
            raise RuntimeError(f"devices refused: {refusals}")
        batch(self.peer, [
            "address replace 192.0.2.2/24 dev veth1", "link set veth1 up",
            f"neigh replace 192.0.2.1 lladdr {VICTIM_MAC} dev veth1",
            "address replace fd01::2/64 dev veth1 nodad",
            f"neigh replace fd01::1 lladdr {VICTIM_MAC} dev veth1",
            "link set eoip1 up", "link set eoip6 up", "link set lan1 up"],
            check)
        batch(self.victim, [
            "address replace 192.0.2.1/24 dev veth0", "link set veth0 up",
            f"neigh replace 192.0.2.2 lladdr {PEER_MAC} dev veth0",
            "address replace fd01::1/64 dev veth0 nodad",
            f"neigh replace fd01::2 lladdr {PEER_MAC} dev veth0"], check)
        # The bridge is there already, if nobody removed it.
        batch(self.victim, [f"link add br0 address {LAN_MAC} type bridge"])
        batch(self.victim, [
            "link set t1234 master br0", "link set lan0 master br0",
            "address replace 10.7.0.1/24 dev br0",
            *(f"link set {name} up" for name in (*TUNNELS, "t6", "ext", "br0",
                                                 "lan0")),
            "address replace 10.8.0.1/24 dev t100",
            f"neigh replace {fuzz_packets.ROUTED} lladdr {PEER_MAC} dev t100"],
            check)
        for name, other in ("veth0", "veth1"), ("lan0", "lan1"):
            inside(self.victim, "ethtool", "-K", name, "gro", "on")
            # GRO takes what comes in one burst.
            inside(self.peer, *f"tc qdisc add dev {other} root netem delay 1ms "
                   "slot 5ms".split())

    def remove(self):
        for netns in (self.victim, self.peer, self.other, self.short):
            ip("netns", "del", netns)


class Worker:
    def __init__(self, rng, bed):
        self.rng = rng
        self.bed = bed
        self.counts = collections.Counter()
        self.faults = []
        # One packet in eight goes no further.
        self.queue = nfqueue.Verdicts(bed.victim,
                                      lambda: self.queue.count % 8 < 7)
        self.queue.__enter__()

    def links(self):
        rng, bed = self.rng, self.bed
        netns, name = rng.choice(
            [(bed.victim, name) for name in (*TUNNELS, "t6", "ext", "veth0",
                                             "br0", "lan0")]
            + [(bed.peer, name) for name in ("veth1", "eoip1", "eoip6")])
        batch(netns, [f"link set {name} down",
                      f"link set {name} {rng.choice(('up', 'up', 'down'))}"])

    def mtu(self):
        rng = self.rng
        name = rng.choice(("veth0", "veth0", *TUNNELS, "ext"))
        size = rng.choice((68, 576, 1458, 1500, 9000, 65000))
        ip("-n", self.bed.victim, "link", "set", name, "mtu", size)

    def delete(self):
        ip("-n", self.bed.victim, "link", "del",
           self.rng.choice(("veth0", "lan0", "br0", "ext", "t6", *TUNNELS)))

    def move(self):
        """A device leaves its underlay's namespace, and one of them ends."""
        bed, rng = self.bed, self.rng
        ip("-n", bed.victim, "link", "set", "t0", "netns", bed.other)
        ip("-n", bed.other, "link", "set", "t0", "up")
        self.send_from(bed.other, "t0")
        way = rng.randrange(3)
        if way == 0:
            ip("-n", bed.other, "link", "del", "t0")
        elif way == 1:
            ip("-n", bed.other, "link", "set", "t0", "netns", bed.victim)
        else:
            ip("netns", "del", bed.other)
            ip("netns", "add", bed.other)

    def underlay_ends(self):
        """The namespace below goes, the device above is elsewhere."""
        bed = self.bed
        if not ip("netns", "add", bed.short):
            return  # Allocations fail now and then: see memory().
        batch(bed.short, [
            "link add d0 type dummy", "link set d0 up",
            "address add 198.51.100.1/24 dev d0"])
        add_eoip(bed.short, "farext", COLLECT_METADATA=None)
        add_eoip(bed.short, "far", ID=5, REMOTE="198.51.100.2",
                 LOCAL="198.51.100.1")
        ip("-n", bed.short, "link", "set", "far", "netns", bed.other)
        ip("-n", bed.other, "link", "set", "far", "up")
        self.send_from(bed.other, "far")
        ip("netns", "del", bed.short)

    def end_under_flood(self):
        """A namespace goes, with tunnels or without, while packets for it are
        on their way."""
        bed, rng = self.bed, self.rng
        if not ip("netns", "add", bed.short):
            return
        ip("-n", bed.peer, "link", "add", "flood", "type", "veth", "peer",
           "name", "f0", "address", fuzz_spaces.FLOOD_MAC, "netns", bed.short)
        ip("-n", bed.peer, "link", "set", "flood", "up")
        batch(bed.short, [
            "address add 192.0.2.1/24 dev f0",
            "address add fd01::1/64 dev f0 nodad", "link set f0 up"])
        inside(bed.short, "ethtool", "-K", "f0", "gro",
               rng.choice(("on", "on", "off")))
        if rng.random() < 0.6:
            add_eoip(bed.short, "f4", ID=100, REMOTE="192.0.2.2")
            add_eoip(bed.short, "f6", ID=100, REMOTE="fd01::2")
            batch(bed.short, ["link set f4 up", "link set f6 up"])
        try:
            with fuzz_spaces.Flood(rng, bed.peer, "flood") as flood:
                time.sleep(rng.random() / 4)
                ip("netns", "del", bed.short)
                # The namespace itself ends some time after its name.
                time.sleep(rng.random() / 4)
            self.counts["packets into namespaces that end"] += flood.sent
        except OSError:
            self.counts["nowhere to send from"] += 1
            ip("netns", "del", bed.short)
        ip("-n", bed.peer, "link", "del", "flood")

    def user_namespace(self):
        """Root of a user namespace has devices of its own and gets one of the
        host's; then all of it ends."""
        bed, seed = self.bed, self.rng.random()
        child = fuzz_spaces.Child(
            lambda: fuzz_spaces.foreign_root(random.Random(seed), "t0"))
        if child.start():
            ip("-n", bed.victim, "link", "set", "t0", "netns", child.pid)
        counts, faults = child.finish()
        self.counts.update({f"foreign {key}": value
                            for key, value in counts.items()})
        self.faults += faults

    def send_from(self, netns, device):
        """Some frames of all sizes out of a device, cut late or at once."""
        rng = self.rng
        try:
            with netns_socket.inside(netns):
                plain = fuzz_packets.packet_socket(device, False)
                large = fuzz_packets.packet_socket(device, True)
        except OSError:
            self.counts["nowhere to send from"] += 1
            return
        with plain, large:
            for _ in range(20):
                try:
                    if rng.random() < 0.5:
                        plain.send(fuzz_packets.inner(rng))
                    else:
                        large.send(b"".join(fuzz_packets.gso_frame(rng)))
                    self.counts["frames sent"] += 1
                except OSError:
                    self.counts["frames not sent"] += 1

    def send(self):
        self.send_from(self.bed.victim,
                       self.rng.choice((*TUNNELS, "t6", "ext", "br0")))

    def policy(self):
        """IPsec policies on protocol 47 come and go."""
        rng = self.rng
        way = rng.choice(("in", "out"))
        what = "src 192.0.2.0/24 dst 192.0.2.0/24 proto 47 dir " + way
        batch(self.bed.victim, [rng.choice((
            f"xfrm policy add {what} action block",
            f"xfrm policy add {what} tmpl proto esp mode transport",
            "xfrm policy flush", "xfrm policy flush"))])

    def filter(self):
        """Rules that make connections be tracked, or packets be dropped."""
        rule = self.rng.choice((
            "ct state invalid counter", "ct state invalid drop",
            "ip protocol gre notrack"))
        hook = "prerouting priority raw" if "notrack" in rule \
            else "input priority filter"
        text = ("table ip fuzz\ndelete table ip fuzz\n" + self.rng.choice((
            "", f"table ip fuzz {{ chain c {{ type filter hook {hook}; "
            f"{rule}; }}; }}\n")))
        self.nft(text)

    def nft(self, text):
        done = self.command("nft", "-f", "-", text=text)
        # No memory, or a rule that this kernel does not have, is no fault.
        if b"syntax error" in done.stderr:
            self.faults.append(done.stderr.decode())

    def verdicts(self):
        """What comes in goes on when a program has said so.  A rule for each
        protocol: Linux 6.1 walks sets in a way that lockdep does not like."""
        text = "table inet verdicts\ndelete table inet verdicts\n"
        if self.rng.random() < 0.6:
            rules = "".join(f"meta l4proto {protocol} queue flags bypass to 0; "
                            for protocol in (47, 97))
            text += ("table inet verdicts { chain c { type filter hook input "
                     f"priority -10; {rules}}}; }}\n")
        self.nft(text)

    def delay(self):
        """Packets are in flight for a while when devices go."""
        words = self.rng.choice((
            ("replace", "dev", "veth0", "root", "netem", "delay", "3ms"),
            ("del", "dev", "veth0", "root")))
        self.command("tc", "qdisc", *words)

    def offloads(self):
        """What comes in bursts is put together on its way in, or not."""
        here, there = self.rng.choice((("veth0", "veth1"), ("lan0", "lan1")))
        self.command("ethtool", "-K", here, "gro",
                     self.rng.choice(("on", "on", "off")))
        self.command("ethtool", "-K", there, "tso",
                     self.rng.choice(("off", "off", "on")),
                     netns=self.bed.peer)
        self.command("tc", "qdisc", *self.rng.choice((
            ("replace", "dev", there, "root", "netem", "delay", "1ms",
             "slot", "5ms"), ("del", "dev", there, "root"))),
            netns=self.bed.peer)

    def command(self, *words, text="", netns=None):
        return inside(netns or self.bed.victim, *words, text=text)

    def memory(self):
        """One in 50 allocations of those that may not wait fails."""
        if not FAILSLAB.exists():
            return
        (FAILSLAB / "ignore-gfp-wait").write_text("1", encoding="ascii")
        (FAILSLAB / "times").write_text("-1", encoding="ascii")
        (FAILSLAB / "probability").write_text(
            self.rng.choice(("0", "0", "2")), encoding="ascii")

    def unload(self):
        """The module goes under traffic, and comes back."""
        subprocess.run(["modprobe", "-r", "eoip"], capture_output=True,
                       check=False, timeout=60)

    def end(self):
        """Back to a machine without faults of our own."""
        self.queue.__exit__()
        self.counts["verdicts given"] += self.queue.count
        if FAILSLAB.exists():
            (FAILSLAB / "probability").write_text("0", encoding="ascii")
        self.command("nft", "flush", "ruleset")
        self.command("tc", "qdisc", "del", "dev", "veth0", "root")
        ip("-n", self.bed.victim, "xfrm", "policy", "flush")

    def step(self):
        action = self.rng.choices(
            (self.links, self.mtu, self.delete, self.move,
             self.underlay_ends, self.send, self.policy, self.filter,
             self.delay, self.offloads, self.memory, self.unload,
             self.bed.repair, self.end_under_flood, self.user_namespace,
             self.verdicts),
            (10, 6, 6, 4, 3, 20, 4, 4, 4, 4, 4, 1, 14, 6, 5, 4))[0]
        action()
        self.counts[action.__name__] += 1
