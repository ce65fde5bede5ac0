# SPDX-License-Identifier: Apache-2.0
"""Which way frames go, and from which address: as the kernel says.

    host-a -- [br0 e1 | br-phy] == underlay == b (this test, no switch)
"""

import contextlib
import re
import socket
import time

from sandbox import (ADDRESS, ADDRESS6, UNDERLAY_DEVICE, check, check_equal,
                     only, until)
from packets import ARP_REQUEST, eoip, ethernet, ipv4
from test_keepalive_routes import (FAR, FAR_NET, SECOND, SECOND6, address,
                                   configured)

UP = ["--plain-b"]
SAME = "with the kernel's datapath the kernel routes by itself"

# Two routers of the underlay; there is nobody behind their MAC addresses.
ROUTERS = {"192.0.2.12": "02:00:00:00:01:0c", "192.0.2.13": "02:00:00:00:01:0d"}
FIRST, SPARE = ROUTERS

# Of the host, whichever device packets for it come in by.
HOST = "198.51.100.1"


def route(sandbox, router, *more):
    return configured(sandbox, "route", "add", FAR_NET, "via", router, "dev",
                      UNDERLAY_DEVICE, *more)


@contextlib.contextmanager
def tunnel(sandbox, **options):
    """Port e1, in a switch that knows where the routers are."""
    for router, mac in ROUTERS.items():
        sandbox.set_neighbour("a", router, mac)
    options = {"remote_ip": FAR, "key": 100, "keepalive": "none", **options}
    sandbox.add_tunnel("a", **options)
    try:
        yield
    finally:
        sandbox.vsctl("a", "del-port", "br0", "e1")


def sent(sandbox, wanted=lambda packet: True):
    """The next packet of a frame of host-a for which wanted(packet) is true,
    as it comes in at site b."""
    def is_ours(packet):
        return packet[12:14] + packet[23:24] == b"\x08\0\x2f" or (
            packet[12:14] + packet[20:21] == b"\x86\xdd\x61")

    with sandbox.wire("b") as underlay, sandbox.wire("host-a") as host:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            host.send(ARP_REQUEST)
            for packet in underlay.frames(0.2):
                if is_ours(packet) and wanted(packet):
                    return packet
    check(False, "no such packet comes in at site b: eoip/show says "
          f"{sandbox.shown('a')['tunnels']}")


def check_router(sandbox, router):
    mac = bytes.fromhex(ROUTERS[router].replace(":", ""))
    sent(sandbox, lambda packet: packet[:6] == mac)


def check_source(sandbox, source):
    sent(sandbox, lambda packet: packet[26:30] == socket.inet_aton(source))


@only("netdev", SAME)
def test_metrics(sandbox):
    """The least one is used, whatever came first; the next one once that has
    gone."""
    with tunnel(sandbox), route(sandbox, SPARE, "metric", "200"):
        check_router(sandbox, SPARE)
        with route(sandbox, FIRST, "metric", "100"), \
                route(sandbox, "192.0.2.14", "metric", "300"):
            check_router(sandbox, FIRST)
        check_router(sandbox, SPARE)


@only("netdev", SAME)
def test_source_of_the_route(sandbox):
    """Of another address of the device, and of one that this has not."""
    with tunnel(sandbox), address(sandbox, f"{SECOND}/24"), \
            configured(sandbox, "address", "add", f"{HOST}/32", "dev", "lo"):
        with route(sandbox, FIRST):
            check_source(sandbox, ADDRESS["a"])
        for source in SECOND, HOST:
            with route(sandbox, FIRST, "src", source):
                check_source(sandbox, source)


@only("netdev", SAME)
def test_rules(sandbox):
    """By the tunnel's local address and its mark, and when they come later."""
    with address(sandbox, f"{SECOND}/24"), route(sandbox, FIRST), \
            configured(sandbox, "route", "add", FAR_NET, "via", SPARE, "table",
                       "100"):
        for option, rule in (({"local_ip": SECOND}, ("from", SECOND)),
                             ({"egress_pkt_mark": 7}, ("fwmark", "7"))):
            with tunnel(sandbox, **option):
                check_router(sandbox, FIRST)
                with configured(sandbox, "rule", "add", *rule, "lookup",
                                "100"):
                    check_router(sandbox, SPARE)
                check_router(sandbox, FIRST)


@only("netdev", SAME)
def test_mtu_of_the_way(sandbox):
    """Of the device that a rule leads to, not of the one without it."""
    def mtu():
        trace = sandbox.appctl("a", "ofproto/trace", "br0",
                               "in_port=host-a,dl_type=0x88b5")
        return re.findall(r"eoip\(.*mtu=(\d+)", trace)

    sandbox.vsctl("a", "add-br", "br-far", "--", "set", "bridge", "br-far",
                  "datapath_type=netdev")
    try:
        for line in (f"address add {HOST}/24 dev br-far",
                     "link set br-far up mtu 1300"):
            sandbox.exec("a", "ip", *line.split())
        sandbox.appctl("a", "tnl/neigh/set", "br-far", "198.51.100.2",
                       ROUTERS[SPARE])
        with address(sandbox, f"{SECOND}/24"), route(sandbox, FIRST), \
                tunnel(sandbox, local_ip=SECOND), \
                configured(sandbox, "route", "add", FAR_NET, "via",
                           "198.51.100.2", "table", "100"):
            until(lambda: mtu() == ["1500"], f"the MTU is {mtu()}, not 1500")
            with configured(sandbox, "rule", "add", "from", SECOND, "lookup",
                            "100"):
                until(lambda: mtu() == ["1300"],
                      f"the MTU is {mtu()}, not 1300")
    finally:
        sandbox.vsctl("a", "del-br", "br-far")


@only("netdev", SAME)
def test_gateway_on_the_link(sandbox):
    """As at hosters: in none of the device's networks."""
    gateway, mac = "203.0.114.1", "02:00:00:00:01:0e"
    with tunnel(sandbox), route(sandbox, gateway, "onlink"):
        sandbox.set_neighbour("a", gateway, mac)
        packet = sent(sandbox)
        check_equal("the next hop", packet[:6].hex(":"), mac)
        check_equal("the source", socket.inet_ntoa(packet[26:30]),
                    ADDRESS["a"])


@only("netdev", SAME)
def test_no_way(sandbox):
    """What the kernel is told not to send is counted, not sent by the route to
    a larger network."""
    with tunnel(sandbox), route(sandbox, FIRST):
        check_router(sandbox, FIRST)
        with configured(sandbox, "route", "add", "unreachable", FAR), \
                sandbox.wire("host-a") as host:
            def dropped():
                host.send(ARP_REQUEST)
                return sandbox.counters("a")["no_route"] > 0

            until(dropped, "no_route is not counted")
        check_router(sandbox, FIRST)


@only("netdev", SAME)
def test_given_routes_win(sandbox):
    """Those of ovs/route/add, over a narrower one of the kernel."""
    with tunnel(sandbox), route(sandbox, FIRST):
        sandbox.appctl("a", "ovs/route/add", "203.0.0.0/16", UNDERLAY_DEVICE,
                       SPARE)
        try:
            check_router(sandbox, SPARE)
        finally:
            sandbox.appctl("a", "ovs/route/del", "203.0.0.0/16")
        check_router(sandbox, FIRST)


@only("netdev", SAME)
def test_end_on_the_loopback_device(sandbox):
    """Frames go from there, and what comes to it is the tunnel's; its other
    addresses are nobody's."""
    with configured(sandbox, "address", "add", f"{HOST}/32", "dev", "lo"), \
            route(sandbox, FIRST), tunnel(sandbox, local_ip=HOST), \
            sandbox.wire("b") as underlay, sandbox.wire("host-a") as host:
        check_source(sandbox, HOST)
        mac = sandbox.mac("a", UNDERLAY_DEVICE)

        def arrives():
            underlay.send(ethernet(ipv4(eoip(ARP_REQUEST), src=FAR, dst=HOST),
                                   mac))
            return any(frame == ARP_REQUEST for frame in host.frames(0.2))

        until(arrives, f"what comes to {HOST} is not delivered")
        shown = sandbox.appctl("a", "tnl/ports/show", "-v")
        check(HOST in shown, shown)
        check("127.0.0.1" not in shown, shown)


@only("netdev", SAME)
def test_local_ip_over_ipv6(sandbox):
    """Each of two addresses, not the one that the kernel prefers."""
    with address(sandbox, f"{SECOND6}/64", "nodad"):
        for source in ADDRESS6["a"], SECOND6:
            with tunnel(sandbox, remote_ip=ADDRESS6["b"], local_ip=source):
                check_equal("the source", socket.inet_ntop(
                    socket.AF_INET6, sent(sandbox)[22:38]), source)
