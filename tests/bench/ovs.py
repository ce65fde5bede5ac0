# SPDX-License-Identifier: Apache-2.0
"""A private Open vSwitch with DPDK's null and pcap devices as ports, for
measuring cycles per packet.  Each is in a network namespace of its own."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import common
import packets

# OpenFlow port numbers.
SOURCE, SINK, PATCH, FIRST_TUNNEL = 1, 2, 3, 10


def enter_namespace():
    """Starts this script again in a fresh PID namespace.  When it ends,
    however it ends, the kernel ends all it has started: a poll-mode thread
    left over would burn its core for ever."""
    if os.environ.get("BENCH_NAMESPACE"):
        return
    if os.geteuid() or not shutil.which("unshare"):
        common.skip("needs root and unshare")
    done = subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "--",
         sys.executable, *sys.argv],
        env={**os.environ, "BENCH_NAMESPACE": "1"})
    sys.exit(done.returncode if done.returncode >= 0 else 1)


class Failure(Exception):
    pass


class Switch:
    """One ovsdb-server and ovs-vswitchd with two bridges: br-phy, which has
    the underlay's address, and br-int, which has the tunnels.

        push:  source (net_null) -> br-int -> tunnel -> br-phy -> sink
        pop:   source (net_pcap) -> br-phy -> tunnel -> br-int -> sink

    A patch port stands for "no tunnel": it costs the datapath nothing."""

    def __init__(self, build, direction, core, memory, realtime):
        self.build = pathlib.Path(build)
        self.direction = direction
        self.core = core
        self.memory = memory
        self.realtime = realtime
        self.processes = []
        self.tunnels = {}       # Name -> OpenFlow port number, of all times.
        self.present = []       # Names of those that are there.
        self.sources = 0
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="eoip-bench-"))
        self.env = {**os.environ, "OVS_RUNDIR": str(self.dir),
                    "OVS_LOGDIR": str(self.dir), "OVS_DBDIR": str(self.dir),
                    "RUNTIME_DIRECTORY": str(self.dir)}

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind, value, traceback):
        if kind and issubclass(kind, Exception):
            log = self.dir / "vswitchd.log"
            if log.exists():
                print(*log.read_text().splitlines()[-15:], sep="\n",
                      file=sys.stderr)
        self.stop()

    def tool(self, name):
        if not (self.build / name).exists():
            raise Failure(f"{self.build / name} is not built")
        return str(self.build / name)

    def run(self, name, *args):
        done = subprocess.run([self.tool(name), *args], env=self.env,
                              capture_output=True, text=True)
        if done.returncode:
            raise Failure(f"{name} {' '.join(args)[:200]}: "
                          f"{done.stderr.strip()}")
        return done.stdout

    def vsctl(self, *args):
        return self.run("utilities/ovs-vsctl", "--timeout=300",
                        f"--db=unix:{self.dir}/db.sock", *args)

    def ofctl(self, *args):
        return self.run("utilities/ovs-ofctl", "-O", "OpenFlow13", *args)

    def spawn(self, name, *args, under=()):
        log = open(self.dir / f"{pathlib.Path(name).name}.out", "wb")
        self.processes.append(subprocess.Popen(
            [*under, self.tool(name), *args], env=self.env, cwd=self.dir,
            stdout=log, stderr=log))

    def start(self):
        source = pathlib.Path(os.environ.get("OVS_SOURCE", self.build))
        self.run("ovsdb/ovsdb-tool", "create", f"{self.dir}/conf.db",
                 str(source / "vswitchd/vswitch.ovsschema"))
        self.spawn("ovsdb/ovsdb-server", f"{self.dir}/conf.db",
                   f"--remote=punix:{self.dir}/db.sock",
                   f"--unixctl={self.dir}/db.ctl")
        self.wait(lambda: (self.dir / "db.sock").exists(), "ovsdb-server")
        self.vsctl("--no-wait", "init", "--", "set", "Open_vSwitch", ".",
                   "other_config:dpdk-init=true",
                   f"other_config:pmd-cpu-mask={1 << self.core:#x}",
                   "other_config:dpdk-extra=--no-huge --legacy-mem "
                   f"-m {self.memory} --no-pci "
                   f"--file-prefix={self.dir.name}")
        self.spawn("vswitchd/ovs-vswitchd", f"unix:{self.dir}/db.sock",
                   f"--unixctl={self.dir}/vswitchd.ctl",
                   f"--log-file={self.dir}/vswitchd.log",
                   "--verbose=console:off", under=("unshare", "--net"))
        self.wait(lambda: (self.dir / "vswitchd.ctl").exists(),
                  "ovs-vswitchd")
        inner, outer = "br-int", "br-phy"
        if self.direction == "pop":
            inner, outer = outer, inner
        self.source_bridge, self.sink_bridge = inner, outer
        self.vsctl(
            "add-br", "br-int", "--", "set", "Bridge", "br-int",
            "datapath_type=netdev", "fail_mode=secure",
            "--", "add-br", "br-phy", "--", "set", "Bridge", "br-phy",
            "datapath_type=netdev", "fail_mode=secure",
            f'other_config:hwaddr="{packets.LOCAL_MAC}"',
            "--", "add-port", outer, "sink", "--", "set", "Interface",
            "sink", "type=dpdk", f"ofport_request={SINK}",
            "options:dpdk-devargs=net_null1,no-rx=1",
            *self.patch("br-int", "br-phy"), *self.patch("br-phy", "br-int"))
        if self.direction == "push":
            self.add_source("net_null0,size=64")
        for command in (f"ip addr add {packets.LOCAL_IP}/24 dev br-phy",
                        "ip link set br-phy up"):
            subprocess.run(["nsenter", f"--target={self.processes[-1].pid}",
                            "--net", *command.split()], check=True)
        self.wait(lambda: "br-phy" in self.appctl("ovs/route/show"),
                  "the route")
        self.appctl("tnl/neigh/aging", "3600")
        self.appctl("tnl/neigh/set", "br-phy", packets.REMOTE_IP,
                    packets.REMOTE_MAC)
        self.ofctl("add-flow", "br-phy",
                   f"in_port=LOCAL,actions=output:{SINK}")
        self.ofctl("add-flow", self.sink_bridge,
                   f"priority=1,actions=output:{SINK}")

    def pause(self):
        """Gives the core to another switch."""
        self.processes[-1].send_signal(signal.SIGSTOP)

    def resume(self):
        self.processes[-1].send_signal(signal.SIGCONT)

    def stop(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def wait(self, condition, what, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            for process in self.processes:
                if process.poll() is not None:
                    raise Failure(f"{process.args[0]} ended while waiting "
                                  f"for {what}; see its log:\n"
                                  + self.logs())
            if time.monotonic() > end:
                raise Failure(f"{what} did not come")
            time.sleep(0.02)

    def logs(self):
        return "\n".join(path.read_text(errors="replace")[-2000:]
                         for path in sorted(self.dir.glob("*.out")))

    def appctl(self, method, *params):
        """ovs-appctl, without the process: that would sit on the cores that
        are being measured."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            connection.connect(str(self.dir / "vswitchd.ctl"))
            connection.sendall(json.dumps(
                {"id": 0, "method": method, "params": params}).encode())
            text = b""
            while True:
                part = connection.recv(1 << 16)
                text += part
                if not part:
                    raise Failure(f"{method}: no answer")
                try:
                    reply = json.loads(text)
                    break
                except ValueError:
                    continue
        if reply.get("error"):
            raise Failure(f"{method}: {reply['error']}")
        return reply["result"]

    @staticmethod
    def patch(bridge, peer):
        return ("--", "add-port", bridge, f"to-{peer}", "--", "set",
                "Interface", f"to-{peer}", "type=patch",
                f"ofport_request={PATCH}", f"options:peer=to-{bridge}")

    def add_source(self, devargs):
        self.vsctl("add-port", self.source_bridge, "source", "--", "set",
                   "Interface", "source", "type=dpdk",
                   f"ofport_request={SOURCE}",
                   f"options:dpdk-devargs={devargs}")
        error = self.vsctl("get", "Interface", "source", "error").strip()
        if error not in ("[]", '""'):
            raise Failure(f"{devargs}: {error}")
        if self.realtime:
            self.raise_priority()

    def raise_priority(self):
        """Nothing but the kernel may preempt the poll-mode thread."""
        for process in self.processes:
            for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
                if (task / "comm").read_text().startswith("pmd-c"):
                    os.sched_setscheduler(int(task.name), os.SCHED_FIFO,
                                          os.sched_param(1))

    def set_tunnels(self, tunnels):
        """Makes (name, type, key) tunnels instead of those that there are;
        None as key takes it per flow."""
        # In a step of its own: in one step OVS may make the new ones first,
        # and two types of IP protocol 47 get in each other's way.
        if self.present:
            self.run_all([["del-port", name] for name in self.present])
        self.present = [name for name, *_ in tunnels]
        commands = []
        for name, kind, key in tunnels:
            # OVS does not give a number out again at once.
            number = self.tunnels.setdefault(
                name, FIRST_TUNNEL + len(self.tunnels))
            remote = packets.REMOTE_IP if key is not None else "flow"
            commands.append([
                "add-port", "br-int", name, "--", "set", "Interface", name,
                f"type={kind}", f"ofport_request={number}",
                f"options:remote_ip={remote}",
                f"options:key={'flow' if key is None else key}"])
        self.run_all(commands)

    def run_all(self, commands):
        """Database commands, as many a transaction as a command line holds."""
        for start in range(0, len(commands), 1000):
            line = []
            for command in commands[start:start + 1000]:
                line += ["--", *command]
            self.vsctl(*line)

    def steer(self, tunnel, pcap):
        """Sends the source's packets through 'tunnel', or through none.  For
        pop the packets are those of the file.  For push they get a remote
        and an id, which count only with a tunnel that takes them per flow."""
        if self.direction == "pop":
            # The source reads a file once, when it is made.
            self.vsctl("--if-exists", "del-port", "source")
            target = "LOCAL" if tunnel else f"output:{PATCH}"
        else:
            target = (f"set_field:{packets.REMOTE_IP}->tun_dst,"
                      f"set_field:1->tun_id,output:{self.tunnels[tunnel]}"
                      if tunnel else f"output:{PATCH}")
        self.ofctl("add-flow", self.source_bridge,
                   f"priority=2,in_port={SOURCE},actions={target}")
        if self.direction == "pop":
            self.sources += 1
            self.add_source(f"net_pcap{self.sources},rx_pcap={pcap},"
                            "infinite_rx=1")

    def counters(self):
        """(packets received, recirculated, missed, processing cycles) of the
        poll-mode thread."""
        text = self.appctl("dpif-netdev/pmd-stats-show", "-pmd",
                           str(self.core))
        received, recirculated, missed, failed, cycles = (
            int(re.search(rf"  {name}: (\d+)", text)[1])
            for name in ("packets received", "packet recirculations",
                         "miss with success upcall",
                         "miss with failed upcall", "processing cycles"))
        return received, recirculated, missed + failed, cycles

    def sent(self):
        text = self.ofctl("dump-ports", self.sink_bridge, str(SINK))
        return int(re.search(r"tx pkts=(\d+)", text)[1])

    def settle(self, seconds=120):
        """Waits until packets flow and none goes to the slow path."""
        quiet = 0
        last = None
        end = time.monotonic() + seconds
        while quiet < 3:
            if time.monotonic() > end:
                raise Failure("the packets do not settle: "
                              + self.appctl("dpctl/dump-flows")[:2000])
            # A flow for each id is more than OVS trusts itself to handle at
            # first, and after each pause.
            self.appctl("upcall/set-flow-limit", "200000")
            time.sleep(0.1)
            try:
                now = self.counters()
            except TypeError:
                continue        # No thread yet, or no cycles counted.
            good = last and now[0] > last[0] + 1000 and now[2] == last[2]
            quiet = quiet + 1 if good else 0
            last = now

    def sample(self, *args, tries=3):
        """One measurement, taken again if something came between; that it
        always does is a failure."""
        for left in reversed(range(tries)):
            self.settle()
            try:
                return self.measure(*args)
            except Failure:
                if not left:
                    raise

    def measure(self, windows, seconds, recirculates):
        """The least cycles per packet of some windows: what disturbs a
        window only ever adds cycles."""
        best = None
        first = self.counters()
        sent = self.sent()
        before = self.counters()
        for _ in range(windows):
            time.sleep(seconds)
            after = self.counters()
            received, recirculated, _, cycles = (
                b - a for a, b in zip(before, after))
            if received:
                cost = cycles / received
                best = cost if best is None else min(best, cost)
            before = after
        sent = self.sent() - sent
        received, recirculated, missed, _ = (
            b - a for a, b in zip(first, self.counters()))
        if not received or sent < 0.5 * received:
            raise Failure(f"{received} packets in, {sent} out")
        if missed > 0.001 * received:
            raise Failure(f"{missed} of {received} packets went to the slow "
                          "path")
        if abs(recirculated / received - recirculates) > 0.1:
            raise Failure(f"{recirculated} of {received} packets "
                          "recirculated: not the path to be measured")
        return best
