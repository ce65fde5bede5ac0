# SPDX-License-Identifier: Apache-2.0
"""The thread that sends keepalives, when it cannot: packets do not wait for it,
and it goes on when it can again.

    host-a -- [br0 e1 | br-phy] == underlay == b (this test, no switch)
"""

import contextlib
import ctypes
import os
import platform
import socket
import subprocess

from sandbox import (ADDRESS, TOP, UNDERLAY_DEVICE, Failure, Skip, check,
                     check_equal, run, until)
from packets import eoip, ethernet, ipv4
from test_keepalive_routes import FAR

UP = ["--plain-b"]
USERSPACE_ONLY = "the kernel's datapath does not ask the switch"

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p,
                        ctypes.c_void_p]
# Of <linux/ptrace.h>.
PTRACE_DETACH, PTRACE_SYSCALL = 17, 24
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_GET_SYSCALL_INFO = 0x4206, 0x4207, 0x420e
PTRACE_O_TRACESYSGOOD = 1
SYSCALL_ENTRY = 1
WALL = 0x40000000
FEW_FILES = 100  # Enough to start.
SENDMMSG = {"x86_64": 307, "aarch64": 269}


def ptrace(request, tid, address=0, data=0):
    result = LIBC.ptrace(request, tid, address, data)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def syscall_of(tid):
    """The number of the system call that the thread is about to make."""
    info = ctypes.create_string_buffer(88)
    ptrace(PTRACE_GET_SYSCALL_INFO, tid, len(info), ctypes.addressof(info))
    return (int.from_bytes(info.raw[24:32], "little")
            if info.raw[0] == SYSCALL_ENTRY else None)


@contextlib.contextmanager
def stopped_while_it_sends(pid):
    """Stops the thread of keepalives where it enters sendmmsg(), with all
    the locks that it holds there."""
    if platform.machine() not in SENDMMSG:
        raise Skip(f"the number of sendmmsg on {platform.machine()} is not "
                   "known")
    tid = next(int(task) for task in os.listdir(f"/proc/{pid}/task")
               if open(f"/proc/{pid}/task/{task}/comm", encoding="ascii")
               .read().startswith("keepalives"))
    try:
        ptrace(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACESYSGOOD)
    except PermissionError as error:
        raise Skip("threads cannot be traced here") from error
    try:
        ptrace(PTRACE_INTERRUPT, tid)
        os.waitpid(tid, WALL)
        while syscall_of(tid) != SENDMMSG[platform.machine()]:
            ptrace(PTRACE_SYSCALL, tid)
            os.waitpid(tid, WALL)
        yield
    finally:
        ptrace(PTRACE_DETACH, tid)


def state(sandbox, port="e1"):
    return next(tunnel["keepalive"]["state"] for tunnel
                in sandbox.shown("a")["tunnels"] if tunnel["name"] == port)


def is_delivered(sandbox):
    """The first keepalive after a silence, the one that is urgent, and frames
    behind it, while the thread is stopped in the middle of its work."""
    switch = sandbox.mac("a", UNDERLAY_DEVICE)
    host = sandbox.mac("host-a")
    sandbox.set_neighbour("a", ADDRESS["b"], "02:00:00:00:01:0b")
    sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=100, keepalive="1s,60")
    until(lambda: state(sandbox) == "waiting", "the tunnel does not wait")
    frames = [host + bytes.fromhex("0200000000ff88b5")
              + number.to_bytes(4, "big") + bytes(46) for number in range(20)]
    with sandbox.wire("b") as wire, sandbox.wire("host-a") as inside:
        with stopped_while_it_sends(sandbox.vswitchd_pid("a")):
            for frame in frames:
                for payload in eoip(b"", 100), eoip(frame, 100):
                    wire.send(ethernet(ipv4(payload), switch))
            delivered = any(frame == frames[-1]
                            for frame in inside.frames(seconds=7))
    until(lambda: state(sandbox) == "up",
          "the keepalive was not heard when the thread went on")
    return delivered


def test_packets_do_not_wait_for_it(sandbox):
    """Several times, as Open vSwitch itself waits for all its threads when it
    has changed something, and with the userspace datapath packets wait, too."""
    for _ in range(3):
        if is_delivered(sandbox):
            return
        sandbox.vsctl("a", "del-port", "br0", "e1")
    raise Failure("no frame arrives while the thread is stopped")


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
