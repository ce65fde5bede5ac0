# SPDX-License-Identifier: Apache-2.0
"""`eoip check` of hosts and switches: cards, other tunnels, the peer's
keepalives, the switch and the module, each fault really there."""

import contextlib
import json
import os
import signal
import threading

import netns_socket
from eoip_check import (IFF_TAP, IFF_VNET_HDR, NOTHING, TUN_F_CSUM, USERSPACE,
                        called, mended, program, says, silent, tun, tunnels,
                        undone)
from sandbox import ADDRESS, Skip, check, check_equal, until

UP = []


GRO = """\
{device}: is a port of {bridge} and joins packets that come in (GRO): the userspace datapath drops what is longer than the MTU, and TCP stalls
    ethtool -K {device} gro off
"""


@USERSPACE
def test_gro(sandbox):
    tunnels(sandbox)
    for device, bridge in ("host-a", "br0"), ("eth0", "br-phy"):
        sandbox.exec("a", "ethtool", "-K", device, "gro", "on")
        mended(sandbox, GRO.format(device=device, bridge=bridge))


@USERSPACE
def test_gro_at_work(sandbox):
    """TCP stalls, the log says what to do, and so does a counter; with that
    done it goes on."""
    tunnels(sandbox)
    sandbox.ping()
    for feature in "tso", "gso":
        sandbox.exec("host-a", "ethtool", "-K", "eth0", feature, "off")
    command = "ethtool -K host-a gro on"
    with undone(sandbox, "ethtool -K host-a gro off"):
        sandbox.exec("a", *command.split())
        result = []
        sender = threading.Thread(target=lambda: result.append(
            netns_socket.tcp_transfer(
                sandbox.netns("host-a"), sandbox.netns("host-b"),
                ADDRESS["host-b"], 20_000_000, 60)), daemon=True)
        sender.start()
        until(lambda: log_says(sandbox, "host-a: Dropped packet: Too big. "
                               "GRO/TSO enabled? Run \"ethtool -K host-a gro "
                               "off lro off\""),
              "the log does not name the command")
        until(lambda: int(sandbox.get("a", "host-a",
                                      "statistics:rx_dropped")) > 0,
              "rx_dropped of host-a does not count")
        check(not result, "TCP does not need more than its first packets")
        mended(sandbox, GRO.format(device="host-a", bridge="br0"))
        sender.join(60)
        check(result and result[0][1] == result[0][2],
              f"TCP does not go on: {result}")


def log_says(sandbox, words):
    path = f"/run/{sandbox.name}-sandbox/a/ovs-vswitchd.log"
    with open(path, errors="replace") as log:
        return words in log.read()


@USERSPACE
def test_checksums_of_a_namespace(sandbox):
    tunnels(sandbox)
    sandbox.exec("host-a", *"ethtool -K eth0 tx on".split())
    mended(sandbox, f"""\
host-a: is a port of br0, and what is behind it leaves checksums and segmentation to it: the userspace datapath does neither, and TCP fails
    ip netns exec {sandbox.netns('host-a')} ethtool -K eth0 tx off
""")


@USERSPACE
def test_checksums_of_a_guest(sandbox):
    tunnels(sandbox)
    with tun(sandbox, "guest", IFF_TAP | IFF_VNET_HDR, TUN_F_CSUM):
        sandbox.vsctl("a", "add-port", "br0", "guest")
        says(sandbox, """\
guest: is a port of br0, and what is behind it leaves checksums and segmentation to it: the userspace datapath does neither, and TCP fails; run this in the guest
    ethtool -K CARD tx off
""")
        sandbox.vsctl("a", "del-port", "guest")
    with tun(sandbox, "guest", IFF_TAP | IFF_VNET_HDR):
        sandbox.vsctl("a", "add-port", "br0", "guest")
        silent(sandbox)


def test_loop(sandbox):
    sandbox.add_tunnel("a", "e1", remote_ip=ADDRESS["b"], key=1)
    sandbox.add_tunnel("a", "e2", remote_ip=ADDRESS["b"], key=2)
    text = """\
br0: e1 and e2 lead to 192.0.2.2, and no spanning tree breaks the loop if they end in one bridge there
    ovs-vsctl set bridge br0 rstp_enable=true
"""
    with undone(sandbox, "ovs-vsctl set bridge br0 rstp_enable=false"):
        mended(sandbox, text)
    says(sandbox, text)
    with undone(sandbox, "ovs-vsctl del-fail-mode br0"):
        sandbox.vsctl("a", "set-fail-mode", "br0", "secure")
        silent(sandbox)
    for port in "e1", "e2":
        sandbox.vsctl("a", "set", "port", port, f"tag={port[1:]}")
    silent(sandbox)


def test_same_key(sandbox):
    """A link of the kernel and a port, which do not know of each other."""
    if not os.path.exists("/sys/module/eoip"):
        raise Skip("this kernel has no module eoip")
    tunnels(sandbox)
    sandbox.exec("a", program(), *"add name k1 tunnel-id 1234 remote 192.0.2.2 "
                 "keepalive 10,0".split())
    with undone(sandbox, "ip link del k1"):
        sandbox.exec("a", *"ip link set k1 up".split())
        says(sandbox, """\
k1: this link of the kernel and port e1 of bridge br0 both have remote 192.0.2.2 and tunnel-id 1234: remove one of them
    eoip del k1
    eoip del e1 bridge br0
""")
        sandbox.exec("a", program(), *"change name k1 tunnel-id 5".split())
        silent(sandbox)


@USERSPACE
def test_keepalives_of_one_side(sandbox):
    sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=7, keepalive="none")
    sandbox.add_tunnel("b", remote_ip=ADDRESS["a"], key=7, keepalive="1s,0")
    until(lambda: called(sandbox) == """\
e1: the peer sends keepalives and gets none: a router that waits for them takes its side down
    eoip change name e1 keepalive 10,0
""", "eoip check does not see keepalives without an answer", 20)


@USERSPACE
def test_no_keepalives_of_the_peer(sandbox):
    sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=7, keepalive="1s,2")
    sandbox.add_tunnel("b", remote_ip=ADDRESS["a"], key=7, keepalive="none")
    sandbox.ping()
    text = """\
e1: frames have come and never a keepalive: the peer sends none, so that the tunnel is down whenever it is idle
    eoip change name e1 keepalive 10,0
"""
    until(lambda: called(sandbox).endswith(text),
          "eoip check does not see that the peer sends no keepalives", 20)
    first = called(sandbox).splitlines()[0]
    check(first.startswith("e1: silent: "), f"its state is told as {first}")


def test_refused(sandbox):
    sandbox.vsctl("a", "--no-wait", "add-port", "br0", "e1", "--", "set",
                  "interface", "e1", "type=eoip", "options:key=99999",
                  f"options:remote_ip={ADDRESS['b']}")
    until(lambda: sandbox.error("a"), "the port is taken")
    says(sandbox, 'e1: key=99999 is out of range: allowed are 0 to 65535, or '
         '"flow"\n')
    check_equal("eoip list", listed(sandbox, "e1"),
                f"e1 br0 {ADDRESS['b']} 99999 no-datapath - 0 0 0")


def listed(sandbox, name):
    """The line of a tunnel in `eoip list`, with single blanks."""
    lines = sandbox.exec("a", program(), "list").splitlines()
    return next(" ".join(line.split()) for line in lines
                if line.startswith(f"{name} "))


@contextlib.contextmanager
def by_tcp(sandbox):
    """The option that names the database as that of another host."""
    sandbox.vsctl("a", "set-manager", "ptcp:6640:127.0.0.1")
    try:
        yield "--db=tcp:127.0.0.1:6640"
    finally:
        sandbox.vsctl("a", "del-manager")


def test_other_switch(sandbox):
    """One that does not know the type says so in the database; ours, which
    would take that back, is halted."""
    tunnels(sandbox)
    with by_tcp(sandbox) as database:
        silent(sandbox, database)
        pid = sandbox.vswitchd_pid("a")
        os.kill(pid, signal.SIGSTOP)
        try:
            sandbox.vsctl("a", "--no-wait", "remove", "Open_vSwitch", ".",
                          "iface_types", "eoip")
            says(sandbox, """\
the ovs-vswitchd that runs knows no interfaces of type eoip: it is another than that of the package openvswitch-switch-eoip
    apt install openvswitch-switch-eoip
    systemctl restart openvswitch-switch
""", database)
        finally:
            os.kill(pid, signal.SIGCONT)
        # At the next change of anything it says again what it knows.
        sandbox.vsctl("a", "del-port", "br0", "e1")
        until(lambda: called(sandbox, database) == NOTHING,
              "the switch does not say again that it knows the type")


def test_stopped_switch(sandbox):
    tunnels(sandbox)
    sandbox.kill_vswitchd("a")
    try:
        check(called(sandbox).startswith("""\
Open vSwitch does not run: there is a database with tunnels, and no ovs-vswitchd that makes them
    systemctl start openvswitch-switch
"""), "eoip check does not see that ovs-vswitchd has gone")
    finally:
        sandbox.restart("a")


@USERSPACE
def test_no_module(sandbox):
    if os.path.exists("/sys/module/eoip"):
        raise Skip("this kernel has the module eoip")
    sandbox.vsctl("a", "--no-wait", "add-br", "br-k")
    with undone(sandbox, "ovs-vsctl del-br br-k"):
        sandbox.vsctl("a", "--no-wait", "add-port", "br-k", "e7", "--", "set",
                      "interface", "e7", "type=eoip", "options:key=7",
                      f"options:remote_ip={ADDRESS['b']}")
        text = called(sandbox)
        check(text.startswith("""\
the kernel has no module eoip, and tunnels on br-k, a bridge of its datapath, need it
    apt install openvswitch-eoip-dkms
    modprobe eoip
"""), f"eoip check says {text}")
        check_equal("eoip list", listed(sandbox, "e7"),
                    f"e7 br-k {ADDRESS['b']} 7 no-datapath - 0 0 0")


def test_one_tunnel(sandbox):
    """Of the others nothing is said, and programs are told the same."""
    sandbox.add_tunnel("a", "e1", remote_ip=ADDRESS["b"], key=1)
    sandbox.add_tunnel("a", "e2", remote_ip="203.0.113.9", key=2)
    silent(sandbox, "e1")
    says(sandbox, "e2: there is no route to 203.0.113.9\n", "e2")
    check_equal("eoip check e2 --json",
                json.loads(called(sandbox, "e2", "--json")),
                [{"check": "no-route", "subject": "e2", "commands": [],
                  "sentence": "there is no route to 203.0.113.9"}])
    done = sandbox.try_exec("a", program(), "check", "e3")
    check_equal("eoip check e3", (done.returncode, done.stdout, done.stderr),
                (1, "", "eoip: there is no tunnel e3: \"eoip list\" shows "
                 "those that exist\n"))


def test_database_of_another_host(sandbox):
    """Only what the database knows is said, not what is so here."""
    sandbox.add_tunnel("a", "e1", remote_ip="203.0.113.9", key=1)
    sandbox.add_tunnel("a", "e2", remote_ip="203.0.113.9", key=2)
    for port in "e1", "e2":
        until(lambda: "no-route" in sandbox.get("a", port, "status"),
              "the database does not know that there is no route")
    with by_tcp(sandbox) as database:
        says(sandbox, """\
br0: e1 and e2 lead to 203.0.113.9, and no spanning tree breaks the loop if they end in one bridge there
    ovs-vsctl set bridge br0 rstp_enable=true
e1: no-route: there is no route to 203.0.113.9
e2: no-route: there is no route to 203.0.113.9
""", database)
