# SPDX-License-Identifier: Apache-2.0
"""other_config:userspace-tso-enable=true: hosts leave the segments of TCP to
the switch, which cuts them before it puts them into the tunnel, whose header
has the length of each frame.

    host-a -- [br0 e1 | br-phy] ==underlay== [br-phy | e1 br0] -- host-b
"""

import contextlib
import os
import re

from sandbox import TOP, Skip, check, check_equal, only

UP = []
USERSPACE_ONLY = "the kernel's datapath always cuts"
BUILD = os.environ.get("EOIP_BUILD", f"{TOP}/build")


@contextlib.contextmanager
def segments_left_to_switch(sandbox):
    for site in "a", "b":
        sandbox.vsctl(site, "--no-wait", "set", "Open_vSwitch", ".",
                      "other_config:userspace-tso-enable=true")
        sandbox.restart(site)
        sandbox.exec(f"host-{site}", *"ethtool -K eth0 tx on tso on".split())
    try:
        yield
    finally:
        for site in "a", "b":
            sandbox.exec(f"host-{site}", *"ethtool -K eth0 tx off".split())
            sandbox.vsctl(site, "--no-wait", "remove", "Open_vSwitch", ".",
                          "other_config", "userspace-tso-enable")
            sandbox.restart(site)


def received(sandbox, site):
    """Packets that the port of the site's host has got."""
    text = sandbox.exec(site, "ovs-ofctl", "dump-ports", "br0", f"host-{site}")
    return int(re.search(r"rx pkts=(\d+)", text)[1])


def check_tcp(sandbox, site):
    """A transfer from the site's host arrives whole, and the switch cut it."""
    got = received(sandbox, site)
    sent = sandbox.statistics(site)["tx_packets"]
    sandbox.tcp(f"host-{site}")
    got = received(sandbox, site) - got
    sent = sandbox.statistics(site)["tx_packets"] - sent
    check(sent > 2 * got > 0,
          f"of {got} packets the switch of {site} makes {sent} frames")


@only("netdev", USERSPACE_ONLY)
def test_tcp(sandbox):
    if not os.path.exists(f"{BUILD}/ovs/lib/dp-packet-gso.h"):
        raise Skip("this release of Open vSwitch cannot cut segments itself")
    with segments_left_to_switch(sandbox):
        sandbox.add_tunnels(key=1234)
        # The second one in fragments.
        for mtu in 1458, 1500:
            for host in "host-a", "host-b":
                sandbox.exec(host, *f"ip link set eth0 mtu {mtu}".split())
            sandbox.ping_both_ways()
            for site in "a", "b":
                check_tcp(sandbox, site)
            check_equal("drops", sandbox.drops(), {})
