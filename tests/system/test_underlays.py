# SPDX-License-Identifier: Apache-2.0
"""The ways in which ovs-vswitchd can own the underlay's device.

    host-a -- [br0 e1 | br-phy eth0] ==veth== [eth0 br-phy | e1 br0] -- host-b
                             ^------- type of these -^
"""

from sandbox import Failure, Skip

UP = None


def tunnel_over(sandbox, *arguments):
    try:
        sandbox.up(*arguments)
    except Failure as reason:
        if "does not work here" in str(reason):
            raise Skip(str(reason))
        raise
    sandbox.add_tunnels(key=1234)
    sandbox.ping_both_ways()
    sandbox.tcp_both_ways()


def test_system(sandbox):
    """AF_PACKET."""
    tunnel_over(sandbox, "--underlay", "system")


def test_afxdp(sandbox):
    """AF_XDP, with a polling thread."""
    tunnel_over(sandbox, "--underlay", "afxdp")


def test_afxdp_nonpmd(sandbox):
    """AF_XDP, without a polling thread."""
    tunnel_over(sandbox, "--underlay", "afxdp-nonpmd")


def test_small_mtu(sandbox):
    """An underlay of 576 bytes: the hosts have 534."""
    tunnel_over(sandbox, "--underlay-mtu", "576")
    sandbox.ping("host-a", None, "-M", "do", "-s", "506")


def test_jumbo_mtu(sandbox):
    """An underlay of 9000 bytes carries whole 1500-byte frames and more."""
    tunnel_over(sandbox, "--underlay-mtu", "9000")
    sandbox.ping("host-a", None, "-M", "do", "-s", "1472")
    sandbox.ping("host-a", None, "-M", "do", "-s", "8930")
