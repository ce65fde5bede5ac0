# SPDX-License-Identifier: Apache-2.0
"""A kernel that was started with ipv6.disable=1: the code of IPv6 is there, but
nothing that it works on.  EoIPv6 is refused, and EoIP goes on.

Part no-ipv6 of tests/vm/run starts one."""

import os

import rtnl
from bed import UNDERLAY
from packets import ARP_REQUEST
from peer import Injector, eoipv6, ipv6
from sandbox import Skip, check, check_equal
from test_gro import segment, without_segmentation


def need_no_ipv6():
    if os.path.exists("/proc/net/if_inet6"):
        raise Skip("this kernel has IPv6")


def refused(change, reason="this kernel has no IPv6"):
    try:
        change()
    except rtnl.NetlinkError as error:
        check(reason in error.message, error.message)
    else:
        check(False, "it was not refused")


def test_refused(bed):
    need_no_ipv6()
    for more in ({}, {"local": "fd01::1"}):
        options = {"id": 100, "remote": "fd01::2", **more}
        refused(lambda: bed.rtnl("a").add("e1", options=options))
        check_equal("links", bed.rtnl("a").links(), [])
        bed.tunnel("a", up=False)
        refused(lambda: bed.rtnl("a").change("e1", options),
                "of kind eoip has an IPv4 remote")
        check_equal("remote", bed.options("a")["remote"], UNDERLAY["b"])
        bed.rtnl("a").delete("e1")


def test_received(bed):
    """By a device that takes packets from everywhere: of IPv6's there are none,
    not even for the code that joins what comes in."""
    need_no_ipv6()
    without_segmentation(bed)
    bed.tunnel("a", external=True)
    with Injector(bed) as injector:
        injector.kind = 0x86dd
        for number in range(4):
            injector.send(ipv6(eoipv6(segment(1000 * number, 1000))))
        injector.kind = 0x0800
        injector.expect("EoIP", [injector.wrap(ARP_REQUEST)], [ARP_REQUEST])
