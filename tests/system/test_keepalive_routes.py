# SPDX-License-Identifier: Apache-2.0
"""Which way keepalives go, and what is said when they cannot go.

    host-a -- [br0 e1 | br-phy] == underlay == b (this test, no switch)
"""

import contextlib

from sandbox import (ADDRESS, ADDRESS6, DATAPATH, UNDERLAY_DEVICE, check,
                     check_equal, only, until)
from packets import eoipv6, ipv4, ipv6
from test_keepalive import SAME, Peer, shown

UP = ["--plain-b"]

# Site a's second addresses.
SECOND = "192.0.2.11"
SECOND6 = "2001:db8::11"

# Behind the underlay, if there is a route.
FAR = "203.0.113.1"
FAR_NET = "203.0.113.0/24"


@contextlib.contextmanager
def configured(sandbox, *command):
    """`ip COMMAND` with "add" in it, undone at the end."""
    sandbox.exec("a", "ip", *command)
    try:
        yield
    finally:
        sandbox.exec("a", "ip", *("del" if word == "add" else word
                                  for word in command if word != "nodad"))


def address(sandbox, text, *more):
    return configured(sandbox, "address", "add", text, "dev", UNDERLAY_DEVICE,
                      *more)


def route(sandbox, *more):
    return configured(sandbox, "route", "add", FAR_NET, "via", ADDRESS["b"],
                      *more)


def wait_until_sent(sandbox):
    until(lambda: sandbox.statistics("a")["tx_keepalives"] > 0,
          "no keepalive was sent")
    check("error" not in shown(sandbox), f"{shown(sandbox)}")


def wait_for_error(sandbox, words):
    until(lambda: words in shown(sandbox).get("error", ""),
          f"eoip/show does not say {words!r}")
    check_equal("tx_keepalives", sandbox.statistics("a")["tx_keepalives"], 0)


def test_sent_bytes(sandbox):
    """Every outer byte of a keepalive, as the options of the tunnel say."""
    with address(sandbox, f"{SECOND}/24"), Peer(sandbox) as peer:
        sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], in_key=4321,
                           out_key=1234, ttl=7, tos=184, df_default="true",
                           local_ip=SECOND)
        _, packet = peer.next_keepalive()
        expected = ipv4(bytes.fromhex("200164000000d204"), src=SECOND,
                        dst=ADDRESS["b"], ttl=7, tos=184, fragment=0x4000,
                        ident=int.from_bytes(packet[4:6], "big"))
        check_equal("the keepalive", packet.hex(), expected.hex())


def test_sent_bytes_ipv6(sandbox):
    """The same over IPv6, from either address: left alone, the kernel chooses
    the one that came last."""
    with address(sandbox, f"{SECOND6}/64", "nodad"), \
            sandbox.wire("b") as underlay:
        for key, source in (1234, ADDRESS6["a"]), (1235, SECOND6):
            sandbox.add_tunnel("a", f"e{key}", remote_ip=ADDRESS6["b"],
                               in_key=321, out_key=key, ttl=7, tos=184,
                               local_ip=source)
            seen = underlay.wait_for(
                lambda packet: packet[12:14] == b"\x86\xdd" and packet[20] == 97
                and packet[54:56] == eoipv6(b"", key),
                f"no keepalive of {key}")
            check_equal("the keepalive", seen[14:56].hex(), ipv6(
                eoipv6(b"", key), src=source, dst=ADDRESS6["b"], hops=7,
                traffic_class=184).hex())
            sandbox.vsctl("a", "del-port", "br0", f"e{key}")


@only("netdev", SAME)
def test_rule_of_the_source(sandbox):
    """The kernel's rules for the local address hold, as for any program."""
    router = bytes.fromhex("02000000010c")
    with address(sandbox, f"{SECOND}/24"), route(sandbox), \
            configured(sandbox, "neigh", "add", "192.0.2.12", "lladdr",
                       router.hex(":"), "dev", UNDERLAY_DEVICE), \
            configured(sandbox, "route", "add", FAR_NET, "via", "192.0.2.12",
                       "table", "100"), \
            configured(sandbox, "rule", "add", "from", SECOND, "lookup",
                       "100"), Peer(sandbox) as peer:
        sandbox.add_tunnel("a", remote_ip=FAR, key=100, local_ip=SECOND)
        packet = peer.wire.wait_for(
            lambda packet: packet[23] == 47, "no keepalive")
        check_equal("the next router", packet[:6].hex(":"), router.hex(":"))


@only("netdev", SAME)
def test_no_route(sandbox):
    """Said in eoip/show, and tried again after a second, not only when the
    next one is due."""
    # Seconds; where in it this port has its turn is not known.
    sandbox.add_tunnel("a", remote_ip=FAR, key=100, keepalive="65535s")
    wait_for_error(sandbox, "no route")
    with route(sandbox):
        wait_until_sent(sandbox)


@only("netdev", SAME)
def test_refused_by_the_kernel(sandbox):
    """What the kernel does not send is not counted as sent; its reason is
    said.  The rule is for the protocol, so that OVS, which asks for a route to
    the address alone, is told of one."""
    with route(sandbox):
        with configured(sandbox, "rule", "add", "to", FAR_NET, "ipproto",
                        "47", "prohibit"):
            sandbox.add_tunnel("a", remote_ip=FAR, key=100, keepalive="65535s")
            wait_for_error(sandbox, "Permission denied")
        wait_until_sent(sandbox)


@only("netdev", SAME)
def test_device_that_comes_later(sandbox):
    """The kernel knows the device that the route leads to a while after OVS
    does: here it is in another namespace at first."""
    sandbox.vsctl("a", "add-br", "br-far", "--", "set", "bridge", "br-far",
                  "datapath_type=netdev")
    try:
        sandbox.exec("a", "ip", "address", "add", "198.51.100.1/24", "dev",
                     "br-far")
        sandbox.exec("a", "ip", "link", "set", "br-far", "up")
        until(lambda: sandbox.try_exec(
            "a", "ovs-appctl", "ovs/route/add", FAR_NET, "br-far",
            "198.51.100.2").returncode == 0, "OVS takes no route")
        with route(sandbox):
            sandbox.exec("a", "ip", "link", "set", "br-far", "netns",
                         sandbox.netns("host-a"))
            sandbox.add_tunnel("a", remote_ip=FAR, key=100, keepalive="65535s")
            wait_for_error(sandbox, "a device that the host lacks")
            sandbox.exec("host-a", "ip", "link", "set", "br-far", "netns",
                         sandbox.netns("a"))
            wait_until_sent(sandbox)
    finally:
        sandbox.try_exec("a", "ovs-appctl", "ovs/route/del", FAR_NET)
        sandbox.vsctl("a", "del-br", "br-far")
