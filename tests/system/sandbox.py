# SPDX-License-Identifier: Apache-2.0
"""What the tests do with a sandbox: run commands in it, send through it, look.

A thin layer over utilities/eoip-sandbox.  Everything here has a time limit;
`until` is the only way to wait.  Where the datapaths differ, the difference is
in here and not in the tests."""

import functools
import json
import math
import os
import re
import signal
import struct
import subprocess
import sys
import time

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(TOP, "utilities"))

import netns_socket  # noqa: E402

ADDRESS = {"a": "192.0.2.1", "b": "192.0.2.2",
           "host-a": "10.0.0.1", "host-b": "10.0.0.2"}
ADDRESS6 = {"a": "2001:db8::1", "b": "2001:db8::2"}  # Underlay.

# Who forwards: "netdev", ovs-vswitchd itself, or "system", the kernel.
DATAPATH = os.environ.get("EOIP_DATAPATH", "netdev")

# The device that has a site's address in the underlay.
UNDERLAY_DEVICE = {"netdev": "br-phy", "system": "eth0"}[DATAPATH]

# <linux/if_packet.h>
SOL_PACKET = 263
PACKET_AUXDATA = 8
PACKET_OUTGOING = 4
TP_STATUS_VLAN_VALID = 1 << 4


class Failure(Exception):
    """The test has failed; the message says why in one line."""


class Skip(Exception):
    """The test makes no sense on this machine; the message says why."""


def only(datapath, reason):
    """A test of what only one datapath has; with the other it is skipped."""
    def decorate(test):
        @functools.wraps(test)
        def wrapped(sandbox):
            if DATAPATH != datapath:
                name = {"netdev": "userspace", "system": "kernel"}[datapath]
                raise Skip(f"{name} datapath only: {reason}")
            return test(sandbox)
        wrapped.datapath = datapath
        return wrapped
    return decorate


def check(condition, reason):
    if not condition:
        raise Failure(reason)


def check_equal(what, seen, expected):
    check(seen == expected, f"{what} is {seen!r}, expected {expected!r}")


def until(condition, reason, seconds=10.0):
    """Returns condition()'s value once it is true."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        check(time.monotonic() < deadline, f"{reason} ({seconds:.0f} s)")
        time.sleep(0.02)


def run(*command, timeout=90.0, env=None, stdin=""):
    return subprocess.run(command, capture_output=True, text=True, env=env,
                          timeout=timeout, input=stdin)


class Sandbox:
    def __init__(self, name):
        self.name = name
        self.sites = []
        self.arguments = None
        os.environ["EOIP_SANDBOX"] = name

    ## The sandbox's own verbs.

    def call(self, *arguments, timeout=180.0):
        return run(f"{TOP}/utilities/eoip-sandbox", *arguments,
                   timeout=timeout)

    def up(self, *arguments):
        if DATAPATH == "system":
            # OVS 3.1 first counts the processors when the machine is up for
            # 10 s.  Started before, it has no thread for the kernel's upcalls.
            until(lambda: time.monotonic() > 10, "the clock stands", 15)
        done = self.call("up", "--datapath", DATAPATH, *arguments)
        check(done.returncode == 0, f"eoip-sandbox up: {done.stderr.strip()}")
        self.sites = ["a"] if "--plain-b" in arguments else ["a", "b"]
        self.arguments = arguments
        if DATAPATH == "system":
            # For the kernel it is 30 s, which nobody wants to wait for.
            for site in self.sites:
                self.exec(site, "sysctl", "-q", "net.ipv4.ipfrag_time=1")

    def down(self):
        done = self.call("down")
        check(done.returncode == 0, f"eoip-sandbox down: {done.stderr.strip()}")
        self.sites = []
        self.arguments = None

    def restart(self, site):
        done = self.call("restart", site)
        check(done.returncode == 0,
              f"eoip-sandbox restart {site}: {done.stderr.strip()}")

    def netns(self, where):
        return f"{self.name}-{where}"

    def environment(self, site):
        """As `eoip-sandbox exec` sets it."""
        folder = f"/run/{self.name}-sandbox/{site}"
        build = os.environ.get("EOIP_BUILD", f"{TOP}/build")
        tools = [f"{build}/ovs/{part}"
                 for part in ("utilities", "ovsdb", "vswitchd")]
        return {**os.environ, **{f"OVS_{name}": folder for name in (
            "RUNDIR", "LOGDIR", "DBDIR", "SYSCONFDIR")},
            "PATH": ":".join([*tools, os.environ["PATH"]])}

    def try_exec(self, where, *command, timeout=90.0, stdin=""):
        """As `eoip-sandbox exec`, without its shell and what `ip netns exec`
        mounts: in an emulator these take longer than most commands."""
        with netns_socket.inside(self.netns(where)):
            return run(*command, timeout=timeout, stdin=stdin,
                       env=self.environment(where) if where in ("a", "b")
                       else None)

    def exec(self, where, *command, timeout=90.0, stdin=""):
        """The command's stdout.  It must exit 0."""
        done = self.try_exec(where, *command, timeout=timeout, stdin=stdin)
        check(done.returncode == 0, f"in {where}: {' '.join(command)}: exit "
              f"{done.returncode}: {(done.stderr or done.stdout).strip()}")
        return done.stdout.strip()

    def vswitchd_pid(self, site):
        """None if it does not run."""
        pids = run("ip", "netns", "pids", self.netns(site)).stdout.split()
        for pid in pids:
            try:
                with open(f"/proc/{pid}/comm") as comm:
                    if comm.read().strip() == "ovs-vswitchd":
                        return int(pid)
            except OSError:
                pass
        return None

    ## The switches.

    def kill_vswitchd(self, site):
        """As a crash does; it has gone when this returns."""
        os.kill(self.vswitchd_pid(site), signal.SIGKILL)
        until(lambda: self.vswitchd_pid(site) is None,
              f"ovs-vswitchd of site {site} goes on after SIGKILL")

    def vsctl(self, site, *command):
        return self.exec(site, "ovs-vsctl", "--timeout=60", *command)

    def get(self, site, interface, column):
        return self.vsctl(site, "get", "interface", interface, column)

    def appctl(self, site, *command):
        return self.exec(site, "ovs-appctl", "--timeout=60", *command)

    def set_flows(self, site, *flows):
        """Replaces br0's OpenFlow rules."""
        self.exec(site, "ovs-ofctl", "--timeout=60", "add-flows", "br0", "-",
                  stdin="".join(f"{line}\n" for line in ("delete", *flows)))

    def flow_packets(self, site, match):
        """Packets that hit br0's rules for `match`."""
        flows = self.exec(site, "ovs-ofctl", "--timeout=60", "dump-flows",
                          "br0", match)
        return sum(map(int, re.findall(r"n_packets=(\d+)", flows)))

    def error(self, site, port="e1"):
        """The error column, "" if there is none."""
        error = self.get(site, port, "error")
        return "" if error == "[]" else json.loads(error)

    def add_tunnel(self, site, port="e1", **options):
        # An IPv6 address needs quotes.
        words = [f'options:{name}="{value}"' if ":" in str(value)
                 else f"options:{name}={value}"
                 for name, value in options.items()]
        self.vsctl(site, "add-port", "br0", port, "--", "set", "interface",
                   port, "type=eoip", *words)
        check_equal(f"error of {port} at {site}", self.error(site, port), "")

    def add_tunnels(self, port="e1", addresses=None, **options):
        """The same tunnel at both sites, each pointing at the other."""
        addresses = addresses or ADDRESS
        self.add_tunnel("a", port, remote_ip=addresses["b"], **options)
        self.add_tunnel("b", port, remote_ip=addresses["a"], **options)

    def reset(self):
        """As `up` left it: no tunnel, no mirror, learning switches, and hosts
        that know nobody."""
        for site in self.sites:
            ports = self.vsctl(site, "list-ports", "br0").split()
            removals = [word for port in ports if port != f"host-{site}"
                        for word in ("--", "del-port", "br0", port)]
            self.vsctl(site, "--", "clear", "bridge", "br0", "mirrors",
                       *removals)
            self.set_flows(site, "actions=NORMAL")
            self.appctl(site, "fdb/flush", "br0")
            # Else a host goes on asking for whom the last test spoke of.
            self.exec(f"host-{site}", "ip", "neigh", "flush", "dev", "eth0")

    def shown(self, site):
        """What `eoip/show` says."""
        return json.loads(self.appctl(site, "eoip/show", "-f", "json"))

    def pace(self):
        """Seconds, whole and 1 at least, in which a test has looked twice at
        the switch and its database: more with sanitizers, in an emulator,
        beside other work.  What shall be seen must last for longer."""
        begun = time.monotonic()
        for _ in range(2):
            self.shown("a")
            self.vsctl("a", "list-ports", "br0")
        return math.ceil(time.monotonic() - begun)

    def statistics(self, site, port="e1"):
        """What `eoip/show` counts of one tunnel."""
        return next(tunnel["statistics"] for tunnel
                    in self.shown(site)["tunnels"] if tunnel["name"] == port)

    def reassembly(self, site):
        """What was put together of fragments: by the switch, or in front of
        its datapath by the kernel."""
        if DATAPATH == "netdev":
            return self.shown(site)["reassembly"]
        names, values = (line.split()[1:] for line in self.exec(
            site, "grep", "^Ip:", "/proc/net/snmp").splitlines())
        counted = dict(zip(names, map(int, values)))
        waiting = self.exec(site, "grep", "^FRAG:", "/proc/net/sockstat")
        return {"packets": counted["ReasmOKs"],
                "fragments": counted["ReasmReqds"],
                "waiting_packets": int(waiting.split()[2])}

    def wait_for_no_fragments(self, *sites):
        """No fragment waits for the others of its packet any more."""
        for site in sites or self.sites:
            def waiting():
                return [value for name, value in self.reassembly(site).items()
                        if name.startswith("waiting_")]

            # The longest: half a second in the table, a second to notice.
            until(lambda: not any(waiting()),
                  f"fragments stay in the table of site {site}", 4)

    def counters(self, site):
        """The rarer things that `eoip/show` counts, over all tunnels and what
        belongs to none: {"rx_keepalives": 0, "rx_trimmed": 0,
        "truncated": 0, ...}.  In the kernel: what its device counts."""
        shown = self.shown(site)
        if DATAPATH == "system":
            # The kernel itself tries to speak IPv6 on any device that is up:
            # that is no_tunnel_info, now and then.
            return {re.sub("^[rt]x_drop_", "", name): value
                    for name, value in shown.get("eoip_sys", {}).items()
                    if name != "tx_drop_no_tunnel_info"}
        total = {}
        for part in [tunnel["statistics"] for tunnel in shown["tunnels"]] + [
                shown["unclaimed"]]:
            for name, value in {"rx_keepalives": part["rx_keepalives"],
                                "rx_trimmed": part["rx_trimmed"],
                                **part["drops"]}.items():
                total[name] = total.get(name, 0) + value
        return total

    def drops(self):
        """What was dropped, {(site, name): count}; but for frames that were
        lost while the peer's MAC address was asked for: ping() waits."""
        return {(site, name): count for site in self.sites
                for name, count in self.counters(site).items()
                if count and name not in ("rx_keepalives", "rx_trimmed",
                                          "no_neighbor")}

    def set_neighbour(self, site, address, mac):
        """Else the first packet may be lost while the site asks for it."""
        if DATAPATH == "netdev":
            self.appctl(site, "tnl/neigh/set", UNDERLAY_DEVICE, address, mac)
        else:
            self.exec(site, "ip", "neigh", "replace", address, "lladdr", mac,
                      "dev", UNDERLAY_DEVICE)

    ## Traffic.

    def can_ping(self, source, address):
        return self.try_exec(source, "ping", "-q", "-c", "1", "-W", "1",
                             address).returncode == 0

    def ping(self, source="host-a", address=None, *options):
        """Waits for the first answer, since both sides may have to learn
        addresses; after that not one may be missing.  Returns how many more
        it asked for."""
        address = address or ADDRESS["host-b" if source == "host-a"
                                     else "host-a"]
        until(lambda: self.can_ping(source, address),
              f"{source} gets no answer from {address}")
        # With -w it asks on until ten answers are there, however late.
        output = self.exec(source, "ping", "-c", "10", "-i", "0.02", "-w",
                           "10", *options, address)
        seen = set(map(int, re.findall(r"bytes from .*icmp_seq=(\d+)",
                                       output)))
        check(seen >= set(range(1, 11)), f"{source} to {address}: of the first "
              f"10 only {sorted(seen)} are answered")
        return int(re.search(r"(\d+) packets transmitted", output)[1])

    def ping_both_ways(self):
        self.ping("host-a")
        self.ping("host-b")

    def tcp(self, source="host-a", size=5_000_000):
        target = "host-b" if source == "host-a" else "host-a"
        _, sent, received = netns_socket.tcp_transfer(
            self.netns(source), self.netns(target), ADDRESS[target], size)
        check_equal(f"SHA-256 of TCP data from {source}", received, sent)

    def tcp_both_ways(self):
        self.tcp("host-a")
        self.tcp("host-b")

    def mac(self, where, device="eth0"):
        address = self.link(where, device)["address"]
        return bytes.fromhex(address.replace(":", ""))

    def link(self, where, device):
        """What `ip link` knows of a device."""
        return json.loads(self.exec(where, "ip", "-j", "link", "show",
                                    device))[0]

    def wire(self, where, device="eth0"):
        return Wire(netns_socket.packet_socket(self.netns(where), device))


def vlan_tag(extra):
    """The outermost tag, which the kernel takes out of a received frame."""
    for _, kind, data in extra:
        if kind == PACKET_AUXDATA:
            status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", data)
            if status & TP_STATUS_VLAN_VALID:
                return struct.pack("!HH", tpid, tci)
    return b""


class Wire:
    """One device, to send whole frames on it and to see what arrives."""

    def __init__(self, sock):
        self.sock = sock
        sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, frame):
        self.sock.send(frame)

    def frames(self, seconds=5.0, outgoing=False):
        """Yields frames as they come, until `seconds` have passed: those that
        the device received, or with `outgoing` those that it sent."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.sock.settimeout(left)
            try:
                frame, extra, _, address = self.sock.recvmsg(1 << 16, 64)
            except TimeoutError:
                return
            if (address[2] == PACKET_OUTGOING) == outgoing:
                yield frame[:12] + vlan_tag(extra) + frame[12:]

    def wait_for(self, wanted, reason, **options):
        """The first frame for which wanted(frame) is true."""
        for frame in self.frames(**options):
            if wanted(frame):
                return frame
        raise Failure(reason)
