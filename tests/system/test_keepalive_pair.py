# SPDX-License-Identifier: Apache-2.0
"""Keepalives between two switches, and what bonds make of them.

    host-a -- [br0 e1 e2 | br-phy] == underlay == [br-phy | e1 e2 br0] -- host-b
"""

import contextlib
import time

from sandbox import ADDRESS, check, check_equal, until

UP = []
USERSPACE_ONLY = "it cuts the path by rules of br-phy"


def keepalive(sandbox, site, port="e1"):
    return next(tunnel["keepalive"] for tunnel in sandbox.shown(site)["tunnels"]
                if tunnel["name"] == port)


def wait_for(sandbox, site, state, port="e1"):
    until(lambda: keepalive(sandbox, site, port)["state"] == state,
          f"{port} at {site} does not become {state!r}", 15)


@contextlib.contextmanager
def cut(sandbox, site):
    """What the other site sends in protocol 47 does not reach this one."""
    sandbox.exec(site, "ovs-ofctl", "add-flow", "br-phy",
                 "priority=9,ip,nw_proto=47,in_port=eth0,actions=drop")
    try:
        yield
    finally:
        sandbox.exec(site, "ovs-ofctl", "del-flows", "br-phy",
                     "ip,nw_proto=47")


def test_mixed_intervals(sandbox):
    """Each side by its own settings: who sends slower than the other watches
    is up nevertheless as long as the retries cover it."""
    sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=1, keepalive="1s,4")
    sandbox.add_tunnel("b", remote_ip=ADDRESS["a"], key=1, keepalive="3s,2")
    for site in "a", "b":
        wait_for(sandbox, site, "up")
    time.sleep(10)
    for site in "a", "b":
        check_equal(f"state at {site}", keepalive(sandbox, site)["state"],
                    "up")
        check_equal(f"link_resets at {site}",
                    sandbox.get(site, "e1", "link_resets"), "0")
    sandbox.ping_both_ways()


def test_one_way_cut(sandbox):
    """Only the side that hears nothing goes down, and it comes back."""
    sandbox.add_tunnels(key=1, keepalive="1s,3")
    for site in "a", "b":
        wait_for(sandbox, site, "up")
    with cut(sandbox, "b"):
        wait_for(sandbox, "b", "down")
        check_equal("state at a", keepalive(sandbox, "a")["state"], "up")
    wait_for(sandbox, "b", "up")
    until(lambda: sandbox.get("b", "e1", "link_state") == "up",
          "link_state does not follow")
    sandbox.ping_both_ways()


def test_bond(sandbox):
    """Two tunnels as a bond: the traffic moves to the second one when the
    first is silent."""
    for site, other in ("a", "b"), ("b", "a"):
        words = []
        for key in 1, 2:
            words += ["--", "set", "interface", f"e{key}", "type=eoip",
                      f"options:remote_ip={ADDRESS[other]}",
                      f"options:key={key}", "options:keepalive=1s,2"]
        sandbox.vsctl(site, "add-bond", "br0", "e", "e1", "e2",
                      "bond_mode=active-backup",
                      "other-config:bond-primary=e1", *words)
    for site in "a", "b":
        wait_for(sandbox, site, "up", "e1")
        wait_for(sandbox, site, "up", "e2")
    sandbox.ping_both_ways()

    def active(site):
        for line in sandbox.appctl(site, "bond/show", "e").splitlines():
            if line.startswith("active-backup primary"):
                continue
            if line.startswith(("member e", "slave e")):
                name = line.split()[1].rstrip(":")
            if "active " in line and "member" in line and "mac" not in line:
                return name
        return None

    for site in "a", "b":
        until(lambda: active(site) == "e1", f"e1 is not active at {site}")
    # A tunnel of another id: to both sides as if the path were gone.
    sandbox.vsctl("b", "set", "interface", "e1", "options:key=99")
    begun = time.monotonic()
    for site in "a", "b":
        until(lambda: active(site) == "e2", f"e2 is not active at {site}")
    took = time.monotonic() - begun
    sandbox.ping_both_ways()
    sandbox.vsctl("b", "set", "interface", "e1", "options:key=1")
    for site in "a", "b":
        until(lambda: active(site) == "e1", f"e1 is not back at {site}", 15)
    sandbox.ping_both_ways()
    check(took < 6, f"failover took {took:.1f} s")
    return f"both sides moved {took:.1f} s after the cut at 1s,2"
