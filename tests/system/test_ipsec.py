# SPDX-License-Identifier: Apache-2.0
"""Ports with options:psk on the kernel's datapath, without a daemon that agrees
on keys: nothing of theirs is in the clear, whatever happens to the switch.

    host-a -- [br0 eoip_sys] eth0 ==underlay== eth0 [eoip_sys br0] -- host-b
"""

import contextlib

from sandbox import ADDRESS, Skip, check, check_equal, until
from test_datapath import xfrm_policy, xfrm_states

UP = []
KERNEL_ONLY = True


def policies(sandbox):
    """How many a has to guard with."""
    return sandbox.exec("a", "ip", "xfrm", "policy").count(
        "action block priority 1701800304")


@contextlib.contextmanager
def protected(sandbox, **options):
    """a's port has a secret, b's has not."""
    if sandbox.try_exec("a", "ip", "xfrm", "policy").returncode != 0:
        raise Skip("this kernel has no IPsec")
    sandbox.add_tunnel("b", remote_ip=ADDRESS["a"], key=1234, keepalive="1,10")
    sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=1234, psk="hunter2",
                       keepalive="1,10", **options)
    try:
        yield
    finally:
        for site in "a", "b":
            sandbox.exec(site, "ip", "xfrm", "state", "flush")
            sandbox.exec(site, "ip", "xfrm", "policy", "flush")
        sandbox.reset()
        # The next test may have a tunnel to the same peer.
        until(lambda: policies(sandbox) == 0, "a peer is guarded for ever", 20)


def in_the_clear(wire, seconds):
    """How many packets of tunnels come in, of those of all protocols."""
    return [frame[23] for frame in wire.frames(seconds)
            if frame[12:14] == b"\x08\0"].count(47)


def test_nothing_in_the_clear(sandbox):
    """Neither frames nor keepalives leave, and what comes is refused; also
    while ovs-vswitchd is started anew, and when the port goes."""
    with sandbox.wire("b") as wire, protected(sandbox):
        check_equal("policies", policies(sandbox), 2)
        before = sandbox.counters("a")
        check(not sandbox.can_ping("host-a", ADDRESS["host-b"]),
              "a ping is answered")
        check(not sandbox.can_ping("host-b", ADDRESS["host-a"]),
              "a ping of the other side is answered")
        for name in "ipsec_blocked", "ipsec_policy":
            until(lambda n=name: sandbox.counters("a")[n] > before.get(n, 0),
                  f"nothing is counted as {name}")
        check_equal("no_route", sandbox.counters("a")["no_route"],
                    before.get("no_route", 0))
        sandbox.restart("a")
        until(lambda: "ipsec" in sandbox.appctl("a", "eoip/show"),
              "the port is not there again")
        check_equal("policies", policies(sandbox), 2)
        sandbox.can_ping("host-a", ADDRESS["host-b"])
        sandbox.vsctl("a", "del-port", "e1")
        sandbox.can_ping("host-a", ADDRESS["host-b"])
        check_equal("packets in the clear", in_the_clear(wire, 0.5), 0)


def test_policies_that_protect(sandbox):
    """With keys, here by hand, the guard is in nobody's way; and when all
    policies are taken away it is there again."""
    with protected(sandbox), sandbox.wire("b") as wire:
        xfrm_states(sandbox)
        for site, other in ("a", "b"), ("b", "a"):
            xfrm_policy(sandbox, site, other, "in", "out")
        sandbox.ping_both_ways()
        check_equal("packets in the clear", in_the_clear(wire, 0.5), 0)
        sandbox.exec("a", "ip", "xfrm", "policy", "flush")
        until(lambda: policies(sandbox) == 2, "the guard is not put back")
        with sandbox.wire("b") as later:
            check(not sandbox.can_ping("host-a", ADDRESS["host-b"]),
                  "a ping is answered")
            check_equal("packets in the clear", in_the_clear(later, 0.5), 0)


def test_without_the_secret(sandbox):
    """A port that loses its secret speaks in the clear at once."""
    with protected(sandbox):
        sandbox.vsctl("a", "remove", "interface", "e1", "options", "psk")
        until(lambda: policies(sandbox) == 0, "the peer is still guarded", 2)
        sandbox.ping()
