# SPDX-License-Identifier: Apache-2.0
"""The ways in which ovs-vswitchd can own the underlay's device.

    host-a -- [br0 e1 | br-phy eth0] ==veth== [eth0 br-phy | e1 br0] -- host-b
                             ^------- type of these -^
"""

from sandbox import Failure, Skip, check_equal, only

UP = None
OWNED_BY_VSWITCHD = only("netdev", "the kernel owns the underlay's device")


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


@OWNED_BY_VSWITCHD
def test_system(sandbox):
    """AF_PACKET."""
    tunnel_over(sandbox, "--underlay", "system")


@OWNED_BY_VSWITCHD
def test_afxdp(sandbox):
    """AF_XDP, with a polling thread."""
    tunnel_over(sandbox, "--underlay", "afxdp")


@OWNED_BY_VSWITCHD
def test_afxdp_nonpmd(sandbox):
    """AF_XDP, without a polling thread."""
    tunnel_over(sandbox, "--underlay", "afxdp-nonpmd")


def full_size(sandbox, mtu, fragments):
    """Hosts with an MTU of 1500 or more: full-size pings and TCP over an
    underlay of `mtu`, where a frame of 1514 bytes takes `fragments`."""
    tunnel_over(sandbox, "--underlay-mtu", str(mtu))
    for host in "host-a", "host-b":
        sandbox.ping(host, None, "-M", "do", "-s", "1472")
    sandbox.wait_for_no_fragments()
    before = sandbox.reassembly("b")
    asked = sandbox.ping("host-a", None, "-M", "do", "-s", "1472")
    sandbox.wait_for_no_fragments()
    after = sandbox.reassembly("b")
    pieces = after["fragments"] - before["fragments"]
    wholes = after["packets"] - before["packets"]
    check_equal(f"packets and fragments of {asked} frames at b",
                (wholes, pieces),
                (asked, asked * fragments) if fragments > 1 else (0, 0))
    sandbox.wait_for_no_fragments()


def test_mtu_1500(sandbox):
    """As everybody has it: 1500 bytes inside and outside."""
    full_size(sandbox, 1500, 2)


def test_mtu_1400(sandbox):
    """The underlay is itself a tunnel."""
    full_size(sandbox, 1400, 2)


def test_mtu_576(sandbox):
    """The least that every IPv4 host must take."""
    full_size(sandbox, 576, 3)


def test_mtu_9000(sandbox):
    """Jumbo frames carry whole 1500-byte frames and more."""
    full_size(sandbox, 9000, 1)
    sandbox.ping("host-a", None, "-M", "do", "-s", "8930")
