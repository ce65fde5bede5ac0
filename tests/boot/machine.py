# SPDX-License-Identifier: Apache-2.0
"""A machine in the emulator with two network cards, and what is plugged into
them: site b of a sandbox into eth0, host-a into eth1.

    host-a            the machine                    site b           host-b
    eth0 ========= eth1  br0 e1 ... EoIP ...... e1 br0 ================ eth0
    10.0.0.1          eth0 192.0.2.1 === br-phy 192.0.2.2           10.0.0.2
"""

import base64
import fcntl
import os
import pathlib
import re
import socket
import struct
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / name) for name in ("kmod", "system")]
import kernel_log  # noqa: E402
from sandbox import (ADDRESS, Failure, Sandbox, check, netns_socket,  # noqa: E402
                     until)

# Of real time, for a boot, and for one command.  The emulator takes 20 seconds
# of a processor for a boot.
BOOT_SECONDS = 240
COMMAND_SECONDS = 120

# <linux/if_tun.h>
TUNSETIFF = 0x400454ca
IFF_TAP = 2
IFF_NO_PI = 0x1000


class Network:
    """Site b and host-a, whose eth0 are ends of cables to the machine."""

    def __init__(self, name):
        self.sandbox = Sandbox(name)
        self.cables = []

    def up(self):
        box = self.sandbox
        box.down()
        box.up()
        box.exec("a", "ip", "link", "delete", "eth0")
        box.vsctl("b", "--if-exists", "del-port", "br-phy", "eth0")
        box.exec("host-a", "ip", "link", "delete", "eth0")
        self.cables = [self.cable("b"), self.cable("host-a")]
        box.exec("b", "ip", "link", "set", "eth0", "address",
                 "02:00:00:00:03:02", "arp", "off", "up")
        box.vsctl("b", "add-port", "br-phy", "eth0")
        box.exec("host-a", "ip", "link", "set", "eth0", "up")
        box.exec("host-a", "ip", "address", "add", f"{ADDRESS['host-a']}/24",
                 "dev", "eth0")
        box.add_tunnel("b", remote_ip=ADDRESS["a"], key=1234)

    def add_link_peer(self):
        """At site b, the other end of a link of the kernel with the id 77."""
        self.sandbox.vsctl(
            "b", "add-br", "br77", "--", "set", "bridge", "br77",
            "datapath_type=netdev", "--", "add-port", "br77", "e77", "--",
            "set", "interface", "e77", "type=eoip",
            f"options:remote_ip={ADDRESS['a']}", "options:key=77")
        self.sandbox.exec("b", "ip", "link", "set", "br77", "up")
        self.sandbox.exec("b", "ip", "address", "add", "10.0.77.2/24", "dev",
                          "br77")

    def cable(self, where):
        """The file that the emulator reads and writes frames of eth0 by."""
        with netns_socket.inside(self.sandbox.netns(where)):
            cable = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(cable, TUNSETIFF, struct.pack("16sH22x", b"eth0",
                                                  IFF_TAP | IFF_NO_PI))
        return cable

    def down(self):
        for cable in self.cables:
            os.close(cable)
        self.sandbox.down()


class Machine:
    """`disk` is written to; `folder` is for the machine alone."""

    def __init__(self, base, disk, folder, cables):
        self.base, self.disk, self.cables = base, disk, cables
        self.folder = pathlib.Path(folder)
        self.process = self.console = None
        self.boots = 0

    def log(self, text):
        print(f"    {text}", flush=True)

    def command(self):
        cards = []
        for number, cable in enumerate(self.cables):
            cards += ["-netdev", f"tap,id=card{number},fd={cable}", "-device",
                      f"virtio-net-pci,netdev=card{number},romfile=,"
                      f"mac=52:54:00:00:00:0{number}"]
        # One thread, see tests/vm/boot.  What is not killed by us ends with us.
        return ["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", "-M",
                "q35", "-accel", "tcg,thread=single", "-cpu",
                "max,la57=off,avx=off", "-m", "1024", "-nodefaults",
                "-no-user-config", "-no-reboot", "-display", "none",
                "-kernel", self.base.system.image, "-initrd", self.base.first,
                "-append", "console=ttyS0 loglevel=5 panic=-1 oops=panic "
                "no_timer_check norandmaps mitigations=off net.ifnames=0 "
                "watchdog_thresh=60 rcupdate.rcu_cpu_stall_timeout=60",
                "-serial", f"file:{self.folder}/console",
                "-chardev", f"socket,id=person,path={self.folder}/person,"
                "server=on,wait=off", "-serial", "chardev:person",
                "-drive", f"file={self.disk},if=virtio,format=raw",
                *cards]

    def boot(self):
        """Returns when systemd has nothing left to start."""
        start = time.monotonic()
        self.boots += 1
        (self.folder / "person").unlink(missing_ok=True)
        self.process = subprocess.Popen(
            self.command(), pass_fds=self.cables, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL)
        connection = socket.socket(socket.AF_UNIX)
        until(lambda: (self.folder / "person").exists(), "no emulator")
        until(lambda: not connection.connect_ex(str(self.folder / "person")),
              "no serial line")
        connection.settimeout(BOOT_SECONDS)
        self.console = connection.makefile("rwb")
        self.connection = connection
        self.answer(b"up\n")
        self.try_exec("systemctl is-system-running --wait", BOOT_SECONDS)
        self.log(f"boot {self.boots}: {time.monotonic() - start:.0f} s")

    def check_units(self):
        """Nothing that systemd was to start has failed."""
        status, state = self.try_exec("systemctl is-system-running")
        check(status == 0, f"the system is {state}: " + self.try_exec(
            "systemctl --failed; journalctl -b -p warning | tail -n 30")[1])

    def answer(self, wanted):
        """The next line that matches, of those that come."""
        try:
            for line in self.console:
                if line.endswith(wanted):
                    return line
        except TimeoutError:
            pass
        raise Failure("the machine does not answer; its console's last lines: "
                      + "\n".join(self.console_lines()[-30:]))

    def try_exec(self, command, timeout=COMMAND_SECONDS):
        """Exit status and output."""
        self.connection.settimeout(timeout)
        self.console.write(base64.b64encode(command.encode()) + b"\n")
        self.console.flush()
        status, _, output = self.answer(b"\n").partition(b" ")
        return int(status), base64.b64decode(output).decode().strip()

    def exec(self, command):
        status, output = self.try_exec(command)
        check(status == 0, f"{command}: exit {status}: {output[-800:]}")
        return output

    def until(self, command, pattern, seconds=60):
        """Output of `command` in which the pattern is."""
        def found():
            _, output = self.try_exec(command)
            return output if re.search(pattern, output, re.M) else None

        try:
            return until(found, "not yet", seconds)
        except Failure:
            raise Failure(f"{command}: no \"{pattern}\" within {seconds} s in:"
                          f" {self.try_exec(command)[1]}") from None

    def write(self, path, text):
        data = base64.b64encode(text.encode()).decode()
        self.exec(f"mkdir -p $(dirname {path}) && echo {data} | base64 -d "
                  f"> {path}")

    def cut_power(self):
        """What is not on the disk yet is lost."""
        self.exec("sync")
        self.close()
        shown = kernel_log.shown(self.console_lines())
        check(not shown, "the kernel says: " + "\n".join(shown))

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.console.close()
            self.connection.close()
            self.process = None

    def console_lines(self):
        path = self.folder / "console"
        text = path.read_text(encoding="utf-8", errors="replace") \
            if path.exists() else ""
        return text.replace("\r", "").splitlines()


__all__ = ["ADDRESS", "Failure", "Machine", "Network", "check", "until"]
