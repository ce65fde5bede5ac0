# SPDX-License-Identifier: Apache-2.0
"""Namespaces in which the kernel module is tested, and what is looked at.

    a                              b
    e1 10.0.0.1  . . EoIP . . . .  e1 10.0.0.2    (made by the test)
    u  192.0.2.1 ================  u  192.0.2.2   (veth)

Every test gets a bed of its own.  IPv6 is off and the underlay's neighbours
are static, so that nothing crosses but what the test sends."""

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import time

from packets import checksum
from sandbox import Wire, check, check_equal, run, until
import netns_socket

import rtnl

UNDERLAY = {"a": "192.0.2.1", "b": "192.0.2.2"}
INNER = {"a": "10.0.0.1", "b": "10.0.0.2"}
OTHER = {"a": "b", "b": "a"}
MAC = {"a": bytes.fromhex("02000000000a"), "b": bytes.fromhex("02000000000b")}

SIOCETHTOOL = 0x8946
ETHTOOL_GDRVINFO, ETHTOOL_GSTRINGS, ETHTOOL_GSTATS = 0x03, 0x1b, 0x1d
ETH_SS_STATS = 1


MS_BIND, MNT_DETACH = 4096, 2
IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2


def system_call(name, *arguments):
    if getattr(netns_socket.libc, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{name}: "
                      + os.strerror(ctypes.get_errno()))


def make_netns(name):
    """As `ip netns add` does; programs are what costs most here."""
    path = f"/run/netns/{name}"
    os.makedirs("/run/netns", exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0))
    with open("/proc/thread-self/ns/net") as home:
        system_call("unshare", netns_socket.CLONE_NEWNET)
        try:
            system_call("mount", b"/proc/thread-self/ns/net", path.encode(),
                        None, MS_BIND, None)
        finally:
            netns_socket.enter(home.fileno())


def remove_netns(name):
    path = f"/run/netns/{name}"
    netns_socket.libc.umount2(path.encode(), MNT_DETACH)
    os.unlink(path)


def mac_text(mac):
    return mac.hex(":")


class Echo:
    """ping, without its haste at the end."""

    def __init__(self, address, size, whole):
        self.address, self.size = address, size
        self.ipv6 = ":" in address
        self.sequence = 0
        self.sock = socket.socket(
            socket.AF_INET6 if self.ipv6 else socket.AF_INET, socket.SOCK_RAW,
            socket.IPPROTO_ICMPV6 if self.ipv6 else socket.IPPROTO_ICMP)
        if whole and not self.ipv6:
            self.sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER,
                                 IP_PMTUDISC_DO)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def answered(self, seconds):
        """Whether a request is, in this time, with the bytes it had."""
        self.sequence += 1
        rest = struct.pack("!HH", os.getpid() & 0xffff,
                           self.sequence) + os.urandom(self.size)
        request, reply = (128, 129) if self.ipv6 else (8, 0)
        message = struct.pack("!BBH", request, 0, 0) + rest
        if not self.ipv6:  # There the kernel does it.
            message = message[:2] + struct.pack("!H", checksum(
                message + bytes(self.size % 2))) + rest
        deadline = time.monotonic() + seconds
        try:
            self.sock.sendto(message, (self.address, 0))
            while (left := deadline - time.monotonic()) > 0:
                self.sock.settimeout(left)
                data = self.sock.recv(1 << 16)[0 if self.ipv6 else 20:]
                if data[0] == reply and data[4:] == rest:
                    return True
        except OSError:  # No way there yet, or nothing came.
            pass
        return False


class Bed:
    def __init__(self):
        self.prefix = f"eoip-kmod-{os.getpid()}-"
        self.sockets = {}
        self.namespaces = []

    def __enter__(self):
        try:
            self.add_namespace("a")
            self.add_namespace("b")
            self.connect("a", "b", UNDERLAY, MAC)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for where in list(self.namespaces):
            self.remove_namespace(where)

    def netns(self, where):
        return self.prefix + where

    def add_namespace(self, where):
        make_netns(self.netns(where))
        self.namespaces.append(where)
        self.sockets[where] = rtnl.Rtnl(self.netns(where))
        for which in ("all", "default"):
            self.sysctl(where, f"ipv6/conf/{which}/disable_ipv6", 1, True)
            self.sysctl(where, f"ipv4/conf/{which}/rp_filter", 0)
        self.rtnl(where).up("lo")

    def remove_namespace(self, where):
        """The name goes at once; the namespace when nothing holds it."""
        self.sockets.pop(where).close()
        self.namespaces.remove(where)
        remove_netns(self.netns(where))

    def sysctl(self, where, name, value, optional=False):
        path = f"/proc/sys/net/{name}"
        with netns_socket.inside(self.netns(where)):
            if optional and not os.path.exists(path):
                return
            with open(path, "w") as file:
                file.write(str(value))

    def connect(self, one, two, addresses, macs, device="u", mtu=1500):
        """A veth between two namespaces, with addresses and neighbours."""
        self.rtnl(one).add_veth(device, self.netns(two), macs[one], macs[two],
                                mtu)
        for here, there in ((one, two), (two, one)):
            link = self.rtnl(here)
            link.up(device)
            link.add_address(device, addresses[here], 24)
            link.add_neighbour(device, addresses[there], macs[there])
        # The first one gets its carrier when the second is up, and until the
        # kernel has seen to that, in its own time, it drops what it shall send.
        until(lambda: self.rtnl(one).link(device).is_operational,
              f"{device} of {one} does not become operational")

    ## Commands.

    def rtnl(self, where):
        return self.sockets[where]

    def ip(self, where, *lines):
        """Lines for `ip -batch`."""
        done = subprocess.run(
            ["ip", "-n", self.netns(where), "-batch", "-"], text=True,
            input="\n".join(lines) + "\n", capture_output=True, timeout=30)
        check(done.returncode == 0, f"in {where}: ip {'; '.join(lines)}: "
              f"{done.stderr.strip()}")

    def call(self, where, *command, timeout=30.0):
        with netns_socket.inside(self.netns(where)):
            return run(*command, timeout=timeout)

    def exec(self, where, *command, timeout=30.0):
        """The command's stdout.  It must exit 0."""
        done = self.call(where, *command, timeout=timeout)
        check(done.returncode == 0, f"in {where}: {' '.join(command)}: exit "
              f"{done.returncode}: {(done.stderr or done.stdout).strip()}")
        return done.stdout.strip()

    def offloads(self, where, device, **features):
        words = [word for name, state in features.items()
                 for word in (name, "on" if state else "off")]
        self.exec(where, "ethtool", "-K", device, *words)

    ## Tunnels.

    def tunnel(self, where, name="e1", up=True, address=None, mtu=None,
               **options):
        """Point-to-point to the other side, id 100, if not said otherwise."""
        if not options.get("external"):
            options.setdefault("id", 100)
            options.setdefault("remote", UNDERLAY[OTHER[where]])
        self.rtnl(where).add(name, options=options, mtu=mtu)
        if up:
            self.rtnl(where).up(name)
        if address:
            self.rtnl(where).add_address(name, address, 24)

    def pair(self, name="e1", inner=None, mtu=None, **options):
        """The same tunnel at both sides, each pointing at the other."""
        for where in ("a", "b"):
            self.tunnel(where, name, address=(inner or INNER)[where], mtu=mtu,
                        **options)

    def link(self, where, name="e1"):
        link = self.rtnl(where).link(name)
        check(link, f"there is no link {name} in {where}")
        return link

    def options(self, where, name="e1"):
        return self.link(where, name).options()

    def statistics(self, where, name="e1"):
        return self.link(where, name).statistics

    def counters(self, where, name="e1"):
        """What `ethtool -S` shows: {name: value}"""
        with netns_socket.inside(self.netns(where)), socket.socket() as sock:
            def ethtool(data):
                area = ctypes.create_string_buffer(bytes(data), len(data))
                request = struct.pack("16sP16x", name.encode(),
                                      ctypes.addressof(area))
                fcntl.ioctl(sock, SIOCETHTOOL, request)
                return area.raw

            info = ethtool(struct.pack("=I", ETHTOOL_GDRVINFO) + bytes(192))
            count = struct.unpack_from("=I", info, 180)[0]
            strings = ethtool(struct.pack("=III", ETHTOOL_GSTRINGS,
                                          ETH_SS_STATS, count)
                              + bytes(32 * count))[12:]
            values = struct.unpack(f"={count}Q", ethtool(
                struct.pack("=II", ETHTOOL_GSTATS, count)
                + bytes(8 * count))[8:])
        names = [strings[32 * n:32 * n + 32].split(b"\0")[0].decode()
                 for n in range(count)]
        return dict(zip(names, values))

    ## Traffic.

    def wire(self, where, device="u"):
        return Wire(netns_socket.packet_socket(self.netns(where), device))

    def raw_socket(self, where, protocol=47):
        with netns_socket.inside(self.netns(where)):
            sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol)
        sock.settimeout(5.0)
        return sock

    def ping(self, where="a", address=None, size=56, whole=False):
        """Waits for the first answer; after that none may be missing.
        `whole` forbids fragments."""
        address = address or INNER[OTHER[where]]
        with netns_socket.inside(self.netns(where)):
            echo = Echo(address, size, whole)
        with echo:
            until(lambda: echo.answered(1),
                  f"{where} gets no answer from {address}")
            for number in range(5):
                check(echo.answered(5), f"{where} gets no answer from "
                      f"{address} to request {number} of 5, {size} bytes")

    def ping_both_ways(self, *how):
        self.ping("a", None, *how)
        self.ping("b", None, *how)

    def large_tcp(self, where="a"):
        """TCP sends as many segments at once as its rate is worth in a
        millisecond, which in a slow kernel are two: from now on it sends
        more."""
        self.sysctl(where, "ipv4/tcp_min_tso_segs", 20)

    def tcp(self, where="a", size=2_000_000, address=None):
        target = OTHER[where]
        address = address or INNER[target]
        _, sent, received = netns_socket.tcp_transfer(
            self.netns(where), self.netns(target), address, size)
        check_equal(f"SHA-256 of TCP data from {where}", received, sent)

    def tcp_both_ways(self, size=2_000_000):
        self.tcp("a", size)
        self.tcp("b", size)
