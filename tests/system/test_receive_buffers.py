# SPDX-License-Identifier: Apache-2.0
"""Where packets wait for ovs-vswitchd at ports that it reads by AF_PACKET:
other_config:eoip-receive-buffer.

    host-a -- [br0 e1 | br-phy eth0] ==underlay== [eth0 br-phy | e1 br0] -- host-b
"""

import contextlib
import ctypes
import json
import os
import signal
import socket

from sandbox import SOL_PACKET, check, check_equal, until

UP = []
USERSPACE_ONLY = "the kernel's datapath reads no sockets"

DEFAULT = 4 << 20
SYS_PIDFD_GETFD = 438
ETH_P_ALL = 3
PACKET_IGNORE_OUTGOING = 23  # <linux/if_packet.h>

# Frames that only this test sends.
ETHER_TYPE = "0x88b5"
SMALL = bytes.fromhex("02000000000b 02000000000a 88b5") + bytes(46)
N_SMALL = 2000


def of_sockets(sandbox, level, option, site="a"):
    """By device, what an option of the socket is that ovs-vswitchd has."""
    pid = sandbox.vswitchd_pid(site)
    pidfd = os.pidfd_open(pid)
    devices = {str(link["ifindex"]): link["ifname"] for link in json.loads(
        sandbox.exec(site, "ip", "-json", "link"))}
    with open(f"/proc/{pid}/net/packet", encoding="ascii") as table:
        # sk, references, type, protocol, device, running, bytes, user, inode
        rows = [line.split() for line in list(table)[1:]]
    names = {f"socket:[{row[8]}]": devices[row[4]] for row in rows
             if int(row[3], 16) == ETH_P_ALL and row[4] in devices}
    values = {}
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            name = names.get(os.readlink(f"/proc/{pid}/fd/{fd}"))
            if name:
                copy = ctypes.CDLL(None).syscall(SYS_PIDFD_GETFD, pidfd,
                                                 int(fd), 0)
                with socket.socket(fileno=copy) as sock:
                    values[name] = sock.getsockopt(level, option)
    finally:
        os.close(pidfd)
    return values


def receive_buffers(sandbox):
    return of_sockets(sandbox, socket.SOL_SOCKET, socket.SO_RCVBUF)


@contextlib.contextmanager
def setting(sandbox, value):
    sandbox.vsctl("a", "set", "open_vswitch", ".",
                  f"other_config:eoip-receive-buffer={value}")
    try:
        yield
    finally:
        sandbox.vsctl("a", "remove", "open_vswitch", ".", "other_config",
                      "eoip-receive-buffer")


def wait_for(sandbox, when, size, devices=("eth0", "host-a")):
    wanted = dict.fromkeys(devices, size)
    until(lambda: receive_buffers(sandbox) == wanted,
          f"{when} the buffers should be {wanted}")
    check_equal("what eoip/show says of them",
                {port: buffer["bytes"]
                 for port, buffer in sandbox.shown("a")["receive_buffers"].items()}, wanted)


def test_size(sandbox):
    """The kernel's own without a tunnel; set at run time, and set back."""
    with open("/proc/sys/net/core/rmem_default", encoding="ascii") as default:
        kernels = int(default.read())
    wait_for(sandbox, "without a tunnel", kernels)
    sandbox.add_tunnel("a", remote_ip="192.0.2.2", key=1)
    wait_for(sandbox, "with a tunnel", max(DEFAULT, kernels))
    with setting(sandbox, 2 * kernels):
        wait_for(sandbox, "with twice the kernel's", 2 * kernels)
        # A port that comes later.
        sandbox.exec("a", *"ip link add late type veth peer late2".split())
        try:
            sandbox.vsctl("a", "add-port", "br0", "late")
            wait_for(sandbox, "with one more port", 2 * kernels,
                     ("eth0", "host-a", "late"))
            sandbox.vsctl("a", "del-port", "br0", "late")
            wait_for(sandbox, "without it", 2 * kernels)
        finally:
            sandbox.exec("a", *"ip link delete late".split())
    with setting(sandbox, 0):
        wait_for(sandbox, "with 0", kernels)
    wait_for(sandbox, "without a setting", max(DEFAULT, kernels))
    sandbox.vsctl("a", "del-port", "br0", "e1")
    wait_for(sandbox, "without a tunnel again", kernels)


def lost_of_burst(sandbox):
    """How many frames eoip/show counts as lost of those that a host sends
    while the switch does nothing.  All others pass the switch."""
    passed = sandbox.flow_packets("a", f"dl_type={ETHER_TYPE}")
    lost = sandbox.shown("a")["receive_buffers"]["host-a"]["lost"]
    pid = sandbox.vswitchd_pid("a")
    with sandbox.wire("host-a") as wire:
        os.kill(pid, signal.SIGSTOP)
        try:
            for _ in range(N_SMALL):
                wire.send(SMALL)
        finally:
            os.kill(pid, signal.SIGCONT)
    lost = sandbox.shown("a")["receive_buffers"]["host-a"]["lost"] - lost
    until(lambda: sandbox.flow_packets("a", f"dl_type={ETHER_TYPE}")
          - passed == N_SMALL - lost,
          f"{lost} of {N_SMALL} frames are lost, and not all others pass")
    return lost


def test_burst(sandbox):
    """2000 frames at once wait where 208 KB lose most, which is counted."""
    sandbox.add_tunnel("a", remote_ip="192.0.2.2", key=1)
    sandbox.set_flows("a", f"priority=2,dl_type={ETHER_TYPE},actions=drop",
                      "priority=1,actions=normal")
    with setting(sandbox, 0):
        lost = lost_of_burst(sandbox)
        check(lost > N_SMALL / 4, f"only {lost} are lost in a small buffer")
        check("packets lost, as its receive buffer" in
              sandbox.appctl("a", "eoip/show"), "eoip/show does not say so")
    check_equal("frames lost by default", lost_of_burst(sandbox), 0)
    return f"{lost} of {N_SMALL} lost in the kernel's own"


def test_nothing_that_was_sent(sandbox):
    """The kernel makes no copies for the switch of what the switch sends."""
    check_equal("PACKET_IGNORE_OUTGOING", of_sockets(
        sandbox, SOL_PACKET, PACKET_IGNORE_OUTGOING), {"eth0": 1, "host-a": 1})


def waiting_bytes(sandbox, device):
    """Of the packets that ovs-vswitchd has not read from a device."""
    index = str(sandbox.link("a", device)["ifindex"])
    with open(f"/proc/{sandbox.vswitchd_pid('a')}/net/packet",
              encoding="ascii") as table:
        return sum(int(row.split()[6]) for row in list(table)[1:]
                   if row.split()[4] == index)


def test_many_at_once(sandbox):
    """What waits is read 256 packets at a time, not 32, before the switch
    looks after all else: 2000 take it 8 rounds, not 63."""
    sandbox.add_tunnel("a", remote_ip="192.0.2.2", key=1)
    sandbox.set_flows("a", f"priority=2,dl_type={ETHER_TYPE},actions=drop",
                      "priority=1,actions=normal")
    pid = sandbox.vswitchd_pid("a")
    sandbox.appctl("a", "vlog/set", "poll_loop:file:dbg")
    try:
        with open(f"/run/{sandbox.name}-sandbox/a/ovs-vswitchd.log",
                  encoding="utf-8") as log, sandbox.wire("host-a") as wire:
            os.kill(pid, signal.SIGSTOP)
            try:
                for _ in range(N_SMALL):
                    wire.send(SMALL)
                check(waiting_bytes(sandbox, "host-a"), "nothing waits")
                log.seek(0, os.SEEK_END)
            finally:
                os.kill(pid, signal.SIGCONT)
            until(lambda: not waiting_bytes(sandbox, "host-a"),
                  "not all is read")
            rounds = log.read().count("wakeup due to")
    finally:
        sandbox.appctl("a", "vlog/set", "poll_loop:file:info")
    check(rounds < 40, f"it takes {rounds} rounds to read {N_SMALL} packets")
    return f"{rounds} rounds"
