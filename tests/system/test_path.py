# SPDX-License-Identifier: Apache-2.0
"""Paths as the Internet has them: routers that cut packets again, and a link
that loses, doubles, delays and spoils them.

    host-a -- [a] eth0 - site [left] link == link [right] site - eth0 [b] -- host-b

The two routers answer ARP for what is behind them, so that the sites need not
know of them.  No device carries super-packets: what is counted is what a wire
would carry.
"""

import json
import socket
import struct

import netns_socket
from sandbox import (ADDRESS, DATAPATH, PACKET_OUTGOING, SOL_PACKET, Failure,
                     Skip, check, check_equal, run, until)

UP = None

# What is on its way at once fits into the switch's receive buffer: no packet
# is lost but by the path.
WINDOW = 30_000
BYTES = 200_000

SO_RCVBUFFORCE, PACKET_STATISTICS = 33, 6
MORE_FRAGMENTS, OFFSET = 0x2000, 0x1fff


class Path:
    def __init__(self, sandbox):
        self.sandbox = sandbox

    def ip(self, where, *lines):
        self.sandbox.exec(where, "ip", "-batch", "-",
                          stdin="".join(f"{line}\n" for line in lines))

    def __enter__(self):
        try:
            self.make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for router in "left", "right":
            run("ip", "netns", "del", self.sandbox.netns(router))

    def make(self):
        sandbox = self.sandbox
        if DATAPATH == "netdev":
            for site in "a", "b":
                sandbox.vsctl(site, "del-port", "br-phy", "eth0")
        self.ip("a", "link del eth0")
        for router in "left", "right":
            done = run("ip", "netns", "add", sandbox.netns(router))
            check(done.returncode == 0, done.stderr.strip())
        self.ip("left", "link add name link type veth peer name link netns "
                f"{sandbox.netns('right')}")
        self.join("a", "left", "198.51.100.1", "b", "198.51.100.2")
        self.join("b", "right", "198.51.100.2", "a", "198.51.100.1")
        until(lambda: sandbox.can_ping("a", ADDRESS["b"]),
              "the sites cannot ping each other through the routers", 20)
        for host, other in ("host-a", "host-b"), ("host-b", "host-a"):
            # A spoilt ARP answer would be believed.
            self.ip(host, f"neigh replace {ADDRESS[other]} dev eth0 lladdr "
                    f"{sandbox.mac(other).hex(':')} nud permanent",
                    f"route replace 10.0.0.0/24 dev eth0 window {WINDOW}")
            self.no_offloads(host, "eth0")

    def no_offloads(self, where, device):
        self.sandbox.exec(where, "ethtool", "-K", device,
                          *"tx off tso off gso off gro off".split())

    def join(self, site, router, address, other, other_router):
        """A site and its router, which knows the way to the other site."""
        sandbox = self.sandbox
        part, arp = ("03", "off") if DATAPATH == "netdev" else ("01", "on")
        self.ip(router, "link add name site type veth peer name eth0 netns "
                f"{sandbox.netns(site)} address 02:00:00:00:{part}:0{site}",
                "link set lo up",
                "link set dev site addrgenmode none up",
                "link set dev link addrgenmode none up",
                "addr add 192.0.2.254/32 dev site",
                f"addr add {address}/24 dev link",
                f"route add {ADDRESS[site]}/32 dev site",
                f"route add {ADDRESS[other]}/32 via {other_router}")
        sandbox.exec(router, "sysctl", "-q", "net.ipv4.ip_forward=1",
                     "net.ipv4.conf.all.rp_filter=0",
                     "net.ipv4.conf.site.rp_filter=0",
                     "net.ipv4.conf.link.rp_filter=0",
                     "net.ipv4.conf.site.proxy_arp=1",
                     "net.ipv4.neigh.site.proxy_delay=0")
        # One that tracks connections would put together what it cuts again.
        sandbox.exec(router, "nft", "-f", "-", stdin="table ip plain { "
                     "chain c { type filter hook prerouting priority -450; "
                     "notrack; }; }\n")
        self.no_offloads(router, "site")
        self.no_offloads(router, "link")
        self.no_offloads(site, "eth0")
        self.ip(site, f"link set eth0 addrgenmode none arp {arp} up")
        if DATAPATH == "netdev":
            sandbox.vsctl(site, "add-port", "br-phy", "eth0")
            # Who was next door is now behind the router.
            sandbox.exec(site, "ip", "neigh", "flush", "dev", "br-phy")
            sandbox.appctl(site, "tnl/neigh/flush")
        else:
            self.ip(site, f"addr add {ADDRESS[site]}/24 dev eth0")

    def set_mtu(self, mtu):
        for router in "left", "right":
            self.ip(router, f"link set dev link mtu {mtu}")

    def netem(self, *words):
        """On both ways of the link, instead of what was there: netem itself
        keeps some of what a change does not name."""
        for router in "left", "right":
            self.sandbox.try_exec(router, "tc", "qdisc", "del", "dev", "link",
                                  "root")
            done = self.sandbox.try_exec(
                router, "tc", "qdisc", "add", "dev", "link", "root",
                "netem", "limit", "10000", *words)
            if "qdisc kind is unknown" in done.stderr:
                raise Skip("this kernel has no netem")
            check(done.returncode == 0, f"tc: {done.stderr.strip()}")


class Arrivals:
    """What arrives at b of protocol 47, from the wire's point of view."""

    def __init__(self, sandbox):
        self.wire = sandbox.wire("b")
        self.wire.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 26)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.sock.close()

    def packets(self):
        """[(id, offset and flag, length)] since the last call."""
        self.wire.sock.setblocking(False)
        found = []
        while True:
            try:
                frame, address = self.wire.sock.recvfrom(1 << 16)
            except BlockingIOError:
                break
            if address[2] != PACKET_OUTGOING \
                    and frame[12:14] == b"\x08\0" and frame[23] == 47:
                length, ident, flags = struct.unpack("!HHH", frame[16:22])
                found.append((ident, flags & (MORE_FRAGMENTS | OFFSET),
                              length))
        lost = struct.unpack("=II", self.wire.sock.getsockopt(
            SOL_PACKET, PACKET_STATISTICS, 8))[1]
        check_equal("packets that the test itself missed", lost, 0)
        return found


def counted(sandbox):
    """What site b says of what has come: fragments, of which some became
    packets; and packets of EoIP, of which each was delivered or dropped under
    a name."""
    # The switch counts what came by a tunnel when it looks after its flows.
    sandbox.appctl("b", "revalidator/purge")
    if DATAPATH == "netdev":
        shown = sandbox.shown("b")
        reassembly = shown["reassembly"]
        statistics = shown["tunnels"][0]["statistics"]
        drops = [item for part in (statistics, shown["unclaimed"])
                 for item in part["drops"].items()]
        return {
            "fragments": reassembly["fragments"] + reassembly["duplicates"]
            + sum(value for name, value in drops
                  if name.startswith("fragment_")),
            "reassembled": reassembly["packets"],
            "delivered": statistics["rx_packets"],
            "dropped": sum(value for name, value in drops
                           if not name.startswith("fragment_")),
        }
    names, values = (line.split()[1:] for line in sandbox.exec(
        "b", "grep", "^Ip:", "/proc/net/snmp").splitlines())
    ip = dict(zip(names, map(int, values)))
    link = json.loads(sandbox.exec("b", "ip", "-s", "-j", "link", "show",
                                   "eoip_sys"))[0]
    return {"fragments": ip["ReasmReqds"], "reassembled": ip["ReasmOKs"],
            "delivered": link["stats64"]["rx"]["packets"],
            "dropped": sum(value for name, value in sandbox.shown(
                "b")["eoip_sys"].items() if name.startswith("rx_drop_"))}


class Account:
    """Everything that arrives at b while it is open is accounted for: each
    fragment, and unless bits were turned on the way, which may make something
    else of a packet, each packet."""

    def __init__(self, sandbox, spoilt=False):
        self.sandbox, self.spoilt = sandbox, spoilt

    def __enter__(self):
        self.sandbox.wait_for_no_fragments()
        self.arrivals = Arrivals(self.sandbox)
        self.before = counted(self.sandbox)
        return self

    def moved(self):
        after = counted(self.sandbox)
        return {name: after[name] - self.before[name] for name in after}

    def __exit__(self, kind, *_):
        with self.arrivals:
            if kind is None:
                self.settle()

    def settle(self):
        self.sandbox.wait_for_no_fragments()
        self.packets = []

        def accounted():
            self.packets += self.arrivals.packets()
            pieces = sum(flags != 0 for _, flags, _ in self.packets)
            moved = self.moved()
            wholes = len(self.packets) - pieces + moved["reassembled"]
            return moved["fragments"] == pieces and (
                self.spoilt
                or moved["delivered"] + moved["dropped"] == wholes)

        try:
            until(accounted, "", 4)
        except Failure:
            raise Failure(f"not all is accounted for: {self}") from None

    def __str__(self):
        pieces = sum(flags != 0 for _, flags, _ in self.packets)
        return (f"{pieces} fragments and {len(self.packets) - pieces} whole "
                "packets came: " + ", ".join(
                    f"{value} {name}" for name, value in self.moved().items()))


def tunnels(sandbox):
    """Without keepalives and without a clamped MSS: all that is counted is
    what the hosts send, in frames as long as they can be."""
    sandbox.add_tunnels(key=1234, clamp_tcp_mss="false", keepalive="none")
    sandbox.ping_both_ways()


def tcp_both_ways(sandbox):
    for host in "host-a", "host-b":
        sandbox.tcp(host, BYTES)


def test_cut_again(sandbox):
    """A link of 1492, as PPPoE has it, and one of 576: what the sender cut to
    1500 is cut again on its way."""
    sandbox.up()
    with Path(sandbox) as path:
        tunnels(sandbox)
        for mtu, pieces in (1492, 3), (576, 4):
            path.set_mtu(mtu)
            with Account(sandbox) as account:
                sandbox.ping("host-a", None, "-M", "do", "-s", "1472")
            by_id = {}
            for ident, flags, length in account.packets:
                if flags:  # Not the small ping that comes first.
                    by_id.setdefault(ident, []).append(length)
            check(len(by_id) >= 10, f"only {len(by_id)} packets came in parts")
            check_equal(f"numbers of fragments over {mtu}",
                        {len(lengths) for lengths in by_id.values()},
                        {pieces})
            longest = max(map(max, by_id.values()))
            check(longest <= mtu, f"{longest} bytes came over {mtu}")
            with Account(sandbox):
                tcp_both_ways(sandbox)


def seen(packets):
    """What the path has done to fragments on their way to b."""
    by_id = {}
    for ident, flags, length in packets:
        if flags:
            by_id.setdefault(ident, []).append(
                ((flags & OFFSET) * 8, length - 20, flags & MORE_FRAGMENTS))
    found = {"copies": 0, "disorder": 0, "loss": 0}
    for pieces in by_id.values():
        found["copies"] += len(pieces) - len(set(pieces))
        found["disorder"] += pieces != sorted(pieces)
        end = 0
        for start, size, more in sorted(set(pieces)):
            end = end + size if start == end else -1
        found["loss"] += end < 0 or more != 0
    return found


def spoilt_segments(sandbox):
    """TCP segments that the hosts did not take for their checksum."""
    total = 0
    for host in "host-a", "host-b":
        names, values = (line.split()[1:] for line in sandbox.exec(
            host, "grep", "^Tcp:", "/proc/net/snmp").splitlines())
        total += int(dict(zip(names, values))["InCsumErrors"])
    return total


# Words for netem, and which of seen() they show in.
CONDITIONS = {
    "loss": (("loss", "3%"), ["loss"]),
    "duplication": (("duplicate", "5%"), ["copies"]),
    "reordering": (("delay", "5ms", "reorder", "30%"), ["disorder"]),
    "jitter": (("delay", "10ms", "5ms"), ["disorder"]),
    "corruption": (("corrupt", "3%"), []),
    "all of it": (("delay", "10ms", "3ms", "reorder", "20%", "loss", "2%",
                   "duplicate", "4%", "corrupt", "2%"),
                  ["loss", "copies", "disorder"]),
}


def test_bad_link(sandbox):
    """TCP gets through, with the bytes that were sent, over a link that is
    also one of 1492."""
    sandbox.up()
    figures = []
    with Path(sandbox) as path:
        path.netem("delay", "1ms")
        path.set_mtu(1492)
        tunnels(sandbox)
        for name, (words, expected) in CONDITIONS.items():
            path.netem(*words)
            spoilt = spoilt_segments(sandbox)
            with Account(sandbox, "corrupt" in words) as account:
                tcp_both_ways(sandbox)
            found = seen(account.packets)
            for what in expected:
                check(found[what], f"{name}: netem did nothing: {account}")
            spoilt = spoilt_segments(sandbox) - spoilt
            check(bool(spoilt) == ("corrupt" in words),
                  f"{name}: {spoilt} TCP segments were spoilt")
            figures.append(f"{name}: {len(account.packets)} packets, "
                           + ", ".join(f"{value} {what}" for what, value
                                       in found.items()))
        path.netem("delay", "1ms")
        with Account(sandbox):
            sandbox.ping_both_ways()
    return "; ".join(figures)
