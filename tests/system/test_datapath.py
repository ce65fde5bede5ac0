# SPDX-License-Identifier: Apache-2.0
"""What only the kernel's datapath has: its module, the device that all tunnels
share, megaflows that outlive ovs-vswitchd, routing rules, IPsec.

    host-a -- [br0 eoip_sys] eth0 ==underlay== eth0 [eoip_sys br0] -- host-b
"""

import contextlib
import json
import os
import re
import sys
import tempfile

from eoip_check import says
from sandbox import (ADDRESS, TOP, Failure, Skip, check, check_equal, run,
                     until)
from test_two_switches import flow_based

sys.path.append(os.path.join(TOP, "tests/kmod"))
import datapath  # noqa: E402
from rtnl import NetlinkError  # noqa: E402

UP = []
KERNEL_ONLY = True

BUILD = os.environ.get("EOIP_BUILD", f"{TOP}/build")
MODULE = "/sys/module/eoip"
MODPROBE = "/proc/sys/kernel/modprobe"


@contextlib.contextmanager
def autoload_without(pattern):
    """For a while the kernel does not load modules by itself for what the
    shell's `pattern` describes."""
    with open(MODPROBE) as file:
        before = file.read()
    try:
        with tempfile.TemporaryDirectory() as folder:
            program = os.path.join(folder, "modprobe")
            with open(program, "w") as file:
                file.write(f"#!/bin/sh\ncase \"$*\" in {pattern}) exit 1; "
                           f"esac\nexec {before.strip()} \"$@\"\n")
            os.chmod(program, 0o755)
            with open(MODPROBE, "w") as file:
                file.write(f"{program}\n")
            yield
    finally:
        with open(MODPROBE, "w") as file:
            file.write(before)


def unload_modules():
    run("rmmod", "vport_eoip")
    return run("rmmod", "eoip").returncode == 0


def need_no_module():
    """Those that other tests have loaded go; not what somebody uses."""
    try:
        until(lambda: not os.path.exists(MODULE) or unload_modules(), "in use")
    except Failure:
        raise Skip("the module eoip is loaded, and in use") from None


def test_without_the_kind(sandbox):
    """Where no such link is to be had, ovs-vswitchd takes the vport type by
    itself."""
    need_no_module()
    with autoload_without("*rtnl-link-eoip*"):
        sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=1234)
    ovs = datapath.Datapath(sandbox.netns("a"))
    ovs.index = sandbox.link("a", "ovs-system")["ifindex"]
    check_equal("type of the port", ovs.ports()["eoip_sys"][0],
                datapath.TYPE_EOIP)
    ovs.close()
    sandbox.add_tunnel("b", remote_ip=ADDRESS["a"], key=1234)
    sandbox.ping_both_ways()
    sandbox.tcp("host-a", 300_000)
    for site in "a", "b":
        sandbox.vsctl(site, "del-port", "br0", "e1")
        until(lambda: device(sandbox, site) is None,
              "eoip_sys outlives its tunnels")
    # The next test wants to see what is said without them.
    until(unload_modules, "the modules stay in use")


def test_other_module(sandbox):
    """The module eoip of another project has no such device: the error says
    so, and nothing is left of it."""
    folder = os.environ.get("EOIP_NAMESAKE")
    if not folder:
        raise Skip("the packages eoip and eoip-dkms cannot be had")
    need_no_module()
    done = run("insmod", f"{folder}/eoip.ko")
    check(done.returncode == 0, done.stderr)
    try:
        sandbox.vsctl("a", "add-port", "br0", "e1", "--", "set", "interface",
                      "e1", "type=eoip", "options:key=1234",
                      f"options:remote_ip={ADDRESS['b']}")
        error = sandbox.error("a")
        for words in "e1:", "another project's", "openvswitch-eoip-dkms":
            check(words in error, f"{words} is missing in: {error}")
        check("\n" not in error and len(error) < 260, f"it says {error!r}")
        check(device(sandbox) is None, "eoip_sys was made all the same")
        sandbox.vsctl("a", "del-port", "br0", "e1")
    finally:
        done = run("rmmod", "eoip")
    check(done.returncode == 0, done.stderr)


def test_older_module(sandbox):
    """It serves, and the log, eoip/show and eoip/version say of which version
    it is; so does the command, which knows also what is installed."""
    folder = os.environ.get("EOIP_STRANGE_MODULES")
    if not folder:
        raise Skip("EOIP_STRANGE_MODULES is not set")
    need_no_module()
    done = run("insmod", f"{folder}/older/eoip.ko")
    check(done.returncode == 0, done.stderr)
    sandbox.add_tunnels(key=1234)
    sandbox.ping()
    words = "the kernel's module eoip is of version 0.0.1, this switch of "

    def times_in_log():
        with open(f"/run/{sandbox.name}-sandbox/a/ovs-vswitchd.log",
                  encoding="utf-8") as log:
            return log.read().count(words)
    until(lambda: times_in_log() == 1, "the log does not have it")
    words += "version " + re.search(
        r"^switch: EoIP (\S+),", sandbox.appctl("a", "eoip/version"), re.M)[1]
    for command in "eoip/show", "eoip/version":
        said = sandbox.appctl("a", command).splitlines()
        check_equal(f"warnings of {command}", [
            line for line in said if line.startswith("warning")],
            [f"warning: {words}"])
    check_equal("warnings for programs", sandbox.shown("a")["warnings"],
                [words])
    check_equal("how often the log has it", times_in_log(), 1)
    done = sandbox.try_exec("a", f"{BUILD}/utilities/eoip/eoip", "check")
    check(done.returncode == 1 and words in done.stdout
          and "the kernel runs another module eoip " in done.stdout,
          f"eoip check: exit {done.returncode}: {done.stdout}{done.stderr}")
    for site in "a", "b":
        sandbox.vsctl(site, "del-port", "br0", "e1")
    until(unload_modules, "the older module stays in use")


def test_without_the_module(sandbox):
    """The error says which package to install and what else helps; once the
    module can be loaded, the port works."""
    need_no_module()
    with autoload_without("*"):
        sandbox.vsctl("a", "add-port", "br0", "e1", "--", "set", "interface",
                      "e1", "type=eoip", "options:key=1234",
                      f"options:remote_ip={ADDRESS['b']}")
        error = sandbox.error("a")
        for words in ("e1:", "openvswitch-eoip-dkms", "datapath_type=netdev",
                      "br0"):
            check(words in error, f"{words} is missing in: {error}")
        check("\n" not in error and len(error) < 200, f"it says {error!r}")
        check_equal("ofport", sandbox.get("a", "e1", "ofport"), "-1")
    sandbox.add_tunnel("b", remote_ip=ADDRESS["a"], key=1234)
    sandbox.vsctl("a", "del-port", "br0", "e1")
    sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=1234)
    sandbox.ping()


def device(sandbox, site="a"):
    """What the kernel says of the tunnels' device, None without one."""
    done = sandbox.try_exec(site, "ip", "-d", "-j", "link", "show", "eoip_sys")
    return json.loads(done.stdout)[0] if done.returncode == 0 else None


def test_device(sandbox):
    """One device of kind eoip for all tunnels, gone with the last of them."""
    check_equal("device without tunnels", device(sandbox), None)
    sandbox.add_tunnels(key=1)
    sandbox.add_tunnel("a", "e2", remote_ip="192.0.2.77", key=1)
    check_equal("kind", device(sandbox)["linkinfo"]["info_kind"], "eoip")
    check("UP" in device(sandbox)["flags"], "the device is down")
    sandbox.vsctl("a", "del-port", "br0", "e2")
    sandbox.ping()
    index = device(sandbox)["ifindex"]
    sandbox.vsctl("a", "del-port", "br0", "e1")
    until(lambda: device(sandbox) is None, "eoip_sys outlives its tunnels")
    sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=1)
    check(device(sandbox)["ifindex"] != index, "eoip_sys never went away")
    sandbox.ping()


def lookups(sandbox):
    """How many packets the kernel forwarded by a flow that it had, and how
    many it asked ovs-vswitchd about."""
    shown = sandbox.appctl("a", "dpctl/show", "system@ovs-system")
    return map(int, re.search(r"lookups: hit:(\d+) missed:(\d+)",
                              shown).groups())


def test_megaflows(sandbox):
    """One flow each way for all of a kind; the kernel forwards by them and
    asks no more."""
    sandbox.add_tunnels(key=1234)
    # A flag that is geneve's, and by which the kernel is told of DF: it may
    # come from a rule, or with a frame out of another tunnel.
    sandbox.set_flows("a", "actions=set_field:oam->tun_flags,NORMAL")
    sandbox.ping()
    flows = [line for line in sandbox.appctl(
        "a", "dpctl/dump-flows", "system@ovs-system").splitlines()
        if "eth_type(0x0800)" in line]
    check_equal("flows for IPv4", len(flows), 2)
    come = next((flow for flow in flows if "src=192.0.2.2" in flow), "")
    match, actions = come.split("actions:")
    check("tunnel(tun_id=0x4d2,src=192.0.2.2,dst=192.0.2.1," in match
          and "ttl=" not in match.split("in_port")[0]
          and "10.0.0." not in match and "tunnel" not in actions,
          f"what comes in matches {come}")
    goes = next(flow for flow in flows if flow != come)
    check("set(tunnel(tun_id=0x4d2,dst=192.0.2.2,ttl=64,flags(key)))" in goes
          and "10.0.0." not in goes.split("actions:")[0],
          f"what goes out is done by {goes}")
    sandbox.vsctl("a", "set", "interface", "e1",
                  "options:dont_fragment=inherit")
    until(lambda: "ttl=64,flags(oam|key))" in sandbox.appctl(
        "a", "dpctl/dump-flows", "system@ovs-system"),
        "flows do not say that DF is inherited")
    sandbox.ping()
    hit, missed = lookups(sandbox)
    sandbox.ping()
    hit, missed = [after - before for after, before
                   in zip(lookups(sandbox), (hit, missed))]
    check(hit >= 20 and missed <= 4,
          f"{hit} packets were forwarded by flows, {missed} were not")


def test_without_vswitchd(sandbox):
    """The kernel goes on forwarding when ovs-vswitchd is gone.  The next one
    makes the device anew, as OVS does with all tunnels."""
    sandbox.add_tunnels(key=1234)
    sandbox.ping_both_ways()
    sandbox.kill_vswitchd("a")
    until(lambda: sandbox.vswitchd_pid("a") is None, "it does not end")
    for host in "host-a", "host-b":
        said = sandbox.exec(host, *"ping -q -c 20 -i 0.02 -W 2".split(),
                            ADDRESS["host-b" if host == "host-a"
                                    else "host-a"])
        check(" 0% packet loss" in said, f"without ovs-vswitchd: {said}")
    sandbox.restart("a")
    sandbox.ping_both_ways()
    check_equal("error of e1", sandbox.error("a"), "")
    sandbox.vsctl("a", "del-port", "br0", "e1")
    until(lambda: device(sandbox) is None, "eoip_sys outlives its tunnels")


def test_vport_type(sandbox):
    """A port of our vport type that is in the datapath already: ovs-vswitchd
    and its tools know what it is, and the tunnel works in its place."""
    sandbox.add_tunnel("b", remote_ip=ADDRESS["a"], key=1234)
    sandbox.kill_vswitchd("a")
    until(lambda: sandbox.vswitchd_pid("a") is None, "it does not end")
    try:
        ovs = datapath.Datapath(sandbox.netns("a"))
        ovs.index = sandbox.link("a", "ovs-system")["ifindex"]
        ovs.add_port("eoip_sys", datapath.TYPE_EOIP, 9)
        shown = sandbox.exec("a", "ovs-dpctl", "show")
        check("port 9: eoip_sys (eoip" in shown,
              f"ovs-dpctl does not know the port: {shown}")
    except NetlinkError as reason:
        raise Skip(f"the vport type is not to be had: {reason}") from None
    finally:
        sandbox.restart("a")
    sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=1234)
    sandbox.ping_both_ways()
    kind, _ = ovs.ports()["eoip_sys"]
    check(kind != datapath.TYPE_EOIP, "the port is still of the vport type")
    sandbox.vsctl("a", "del-port", "br0", "e1")
    until(lambda: device(sandbox) is None, "eoip_sys outlives its tunnels")


def test_counters(sandbox):
    """What the kernel drops is in eoip/show, and nothing is claimed of single
    tunnels."""
    sandbox.add_tunnels(key=1234)
    sandbox.vsctl("a", "set", "interface", "e1", "options:remote_ip=flow")
    sandbox.set_flows("a", "in_port=host-a,actions="
                      "set_field:203.0.113.1->tun_dst,output:e1")
    sandbox.can_ping("host-a", ADDRESS["host-b"])
    until(lambda: sandbox.counters("a")["no_route"] > 0,
          "a frame to nowhere is not counted as no_route")
    text = sandbox.appctl("a", "eoip/show")
    check(re.search(r"tx_drop_no_route: \d+ \(the underlay has no route", text),
          f"eoip/show says: {text}")
    statistics = sandbox.get("a", "e1", "statistics")
    check("drop" not in statistics, f"of e1 OVS claims {statistics}")


def test_device_off(sandbox):
    """Somebody sets eoip_sys down: that is what eoip/show says then."""
    sandbox.add_tunnels(key=1234)
    sandbox.ping()
    sandbox.exec("a", "ip", "link", "set", "eoip_sys", "down")
    until(lambda: "no-datapath: the device eoip_sys is off: ip link set "
          "eoip_sys up" in sandbox.appctl("a", "eoip/show"),
          "eoip/show does not say that it is off")
    check(not sandbox.can_ping("host-a", ADDRESS["host-b"]),
          "a ping arrived although eoip_sys is off")
    says(sandbox, "e1: no-datapath: the device eoip_sys is off: ip link set "
         "eoip_sys up\n")
    sandbox.exec("a", "ip", "link", "set", "eoip_sys", "up")
    sandbox.ping()
    until(lambda: "no-datapath" not in sandbox.appctl("a", "eoip/show"),
          "eoip/show says that it is off")


def test_device_gone(sandbox):
    """Somebody removes it."""
    sandbox.add_tunnels(key=1234)
    sandbox.ping()
    sandbox.exec("a", "ip", "link", "del", "eoip_sys")
    text = ("no-datapath: the kernel has no device eoip_sys any more: restart "
            "the switch")
    until(lambda: text in sandbox.appctl("a", "eoip/show"),
          "eoip/show does not say that it is gone")
    until(lambda: sandbox.get("a", "e1", "link_state") == "down",
          "the link is not down")
    says(sandbox, f"e1: {text}\n")
    sandbox.restart("a")
    sandbox.ping()


def test_routing_rule(sandbox):
    """egress_pkt_mark: only a marked packet has a route to b."""
    sandbox.add_tunnels(key=1234)
    rule = "not fwmark 7 to 192.0.2.2 unreachable".split()
    sandbox.exec("a", "ip", "rule", "add", *rule)
    try:
        before = sandbox.counters("a")["no_route"]
        check(not sandbox.can_ping("host-a", ADDRESS["host-b"]),
              "a ping arrived without the mark")
        until(lambda: sandbox.counters("a")["no_route"] > before,
              "it is not counted as no_route")
        sandbox.vsctl("a", "set", "interface", "e1",
                      "options:egress_pkt_mark=7")
        sandbox.ping()
    finally:
        sandbox.exec("a", "ip", "rule", "del", *rule)


def xfrm_policy(sandbox, site, other, *directions):
    """From now on protocol 47 between the sites must be in ESP."""
    for direction in directions:
        ends = (site, other) if direction == "out" else (other, site)
        sandbox.exec(site, *f"ip xfrm policy add src {ADDRESS[ends[0]]} dst "
                     f"{ADDRESS[ends[1]]} proto 47 dir {direction} tmpl proto "
                     "esp mode transport".split())


@contextlib.contextmanager
def ipsec(sandbox):
    """Removes all of it afterwards."""
    if sandbox.try_exec("a", "ip", "xfrm", "policy").returncode != 0:
        raise Skip("this kernel has no IPsec")
    try:
        yield
    finally:
        for site in "a", "b":
            for what in "policy", "state":
                sandbox.exec(site, "ip", "xfrm", what, "flush")


def xfrm_states(sandbox):
    """Both directions, known to both sites."""
    for site in "a", "b":
        for spi, source, target in (1, "a", "b"), (2, "b", "a"):
            sandbox.exec(
                site, *f"ip xfrm state add src {ADDRESS[source]} dst "
                f"{ADDRESS[target]} proto esp spi {spi} mode transport aead "
                f"rfc4106(gcm(aes)) 0x{'42' * 20} 128".split())


def ipsec_demanded(sandbox):
    """b wants ESP: what comes without is dropped and counted.  Then a sends
    it, and only ESP is on the wire."""
    sandbox.ping()
    with ipsec(sandbox):
        before = sandbox.counters("b")["ipsec_policy"]
        xfrm_policy(sandbox, "b", "a", "in")
        check(not sandbox.can_ping("host-a", ADDRESS["host-b"]),
              "a ping arrived although b's policy demands ESP")
        until(lambda: sandbox.counters("b")["ipsec_policy"] > before,
              "it is not counted as ipsec_policy")
        xfrm_states(sandbox)
        xfrm_policy(sandbox, "b", "a", "out")
        xfrm_policy(sandbox, "a", "b", "in", "out")
        until(lambda: sandbox.can_ping("host-a", ADDRESS["host-b"]),
              "no ping arrives although both sites use ESP", 30)
        with sandbox.wire("b") as underlay:
            sandbox.ping("host-a", None, "-M", "do", "-s", "1472")
            seen = {frame[23] for frame in underlay.frames(0.5)
                    if frame[12:14] == b"\x08\0"}
        check_equal("IP protocols on the wire", seen, {50})
        sandbox.tcp("host-a", 1_000_000)
    sandbox.ping()


# RouterOS: ipsec-secret
def test_ipsec(sandbox):
    """With remote_ip."""
    sandbox.add_tunnels(key=1234)
    ipsec_demanded(sandbox)


def test_ipsec_flow_based(sandbox):
    """With a key alone: the remote comes from flows."""
    for site in "a", "b":
        sandbox.exec(site, *"ovs-vsctl add-port br0 e1 -- set interface e1 "
                            "type=eoip options:key=1234".split())
    flow_based(sandbox)
    ipsec_demanded(sandbox)
