# SPDX-License-Identifier: Apache-2.0
"""The thread that sends keepalives of the kernel's datapath, when it cannot: it
goes on when it can again.

    host-a -- [br0 e1 | br-phy] == underlay == b (this test, no switch)
"""

import contextlib
import os
import socket
import subprocess

from sandbox import (ADDRESS, TOP, UNDERLAY_DEVICE, check, check_equal, only,
                     run, until)
from packets import eoip, ethernet, ipv4
from test_keepalive_routes import FAR

UP = ["--plain-b"]
KERNEL_ONLY = "keepalives of the other need no socket"

FEW_FILES = 100  # Enough to start.


def limit_files(pid, soft):
    subprocess.run(["prlimit", f"--pid={pid}", f"--nofile={soft}:"],
                   check=True)


def soft_limit_of_files(pid):
    with open(f"/proc/{pid}/limits", encoding="ascii") as limits:
        return next(line.split()[3] for line in limits
                    if line.startswith("Max open files"))


def wait_until_logged(sandbox, text, reason):
    log = os.path.join(sandbox.environment("a")["OVS_LOGDIR"],
                       "ovs-vswitchd.log")

    def is_logged():  # Since ovs-vswitchd began.
        with open(log, encoding="utf-8") as lines:
            return text in lines.read().rpartition("opened log file")[2]

    until(is_logged, reason)


@only("system", KERNEL_ONLY)
def test_a_lack_of_descriptors_passes(sandbox):
    """No raw socket, as there is no descriptor left; later there is one."""
    sandbox.restart("a")
    pid = sandbox.vswitchd_pid("a")
    soft = soft_limit_of_files(pid)
    # Of the switch only the thread needs a descriptor for what changes then.
    sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=100, keepalive="none")
    sandbox.set_neighbour("a", ADDRESS["b"], "02:00:00:00:01:0b")
    limit_files(pid, 0)
    try:
        sandbox.vsctl("a", "--no-wait", "set", "interface", "e1",
                      "options:remote_ip=learn", "options:keepalive=1s")
        wait_until_logged(
            sandbox, "IPv4: no raw socket: Too many open files",
            "the thread does not lack a descriptor")
    finally:
        limit_files(pid, soft)
    wait_until_logged(sandbox, "keepalives can be sent over IPv4 now",
                      "the thread does not try again")
    with sandbox.wire("b") as wire:
        wire.send(ethernet(ipv4(eoip(b"", 100)),
                           sandbox.mac("a", UNDERLAY_DEVICE)))
    until(lambda: sandbox.statistics("a")["tx_keepalives"] > 0,
          "no keepalive is sent, though there are descriptors again")


@contextlib.contextmanager
def descriptors_taken(sandbox, pid):
    """All that the switch may have, by connections to its control socket."""
    path = os.path.join(sandbox.environment("a")["OVS_RUNDIR"],
                        f"ovs-vswitchd.{pid}.ctl")
    with contextlib.ExitStack() as stack:
        while len(os.listdir(f"/proc/{pid}/fd")) < FEW_FILES:
            control = stack.enter_context(socket.socket(socket.AF_UNIX))
            control.settimeout(20)
            control.connect(path)
            control.sendall(b'{"id": 1, "method": "version", "params": []}')
            check(control.recv(1000), "the switch does not answer")
        yield


@only("system", KERNEL_ONLY)
def test_a_lack_of_descriptors_at_start(sandbox):
    """A switch that starts with few descriptors, and has none left before it
    has ever had a raw socket."""
    # No route leads there yet, so that no socket is asked for.
    sandbox.add_tunnel("a", remote_ip=FAR, key=100, keepalive="1s")
    done = run("prlimit", f"--nofile={FEW_FILES}:",
               f"{TOP}/utilities/eoip-sandbox", "restart", "a")
    check(done.returncode == 0, f"restart: {done.stderr}")
    pid = sandbox.vswitchd_pid("a")
    check_equal("the limit", soft_limit_of_files(pid), str(FEW_FILES))
    with descriptors_taken(sandbox, pid), sandbox.wire("b") as wire:
        sandbox.vsctl("a", "--no-wait", "set", "interface", "e1",
                      f"options:remote_ip={ADDRESS['b']}")
        wait_until_logged(sandbox, "IPv4: no raw socket: Too many open files",
                          "the thread does not lack a descriptor")
        limit_files(pid, 2 * FEW_FILES)
        wire.wait_for(lambda packet: packet[23] == 47
                      and packet[34:] == eoip(b"", 100),
                      "no keepalive is sent, though there are descriptors now",
                      seconds=20)
