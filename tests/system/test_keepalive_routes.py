# SPDX-License-Identifier: Apache-2.0
"""Which way keepalives go, and what is said when frames cannot go it.

    host-a -- [br0 e1 | br-phy] == underlay == b (this test, no switch)
"""

import contextlib
import time

from sandbox import (ADDRESS, ADDRESS6, DATAPATH, UNDERLAY_DEVICE, check,
                     check_equal, only, until)
from packets import eoip, eoipv6, ipv4, ipv6
from test_keepalive import SAME, Peer, is_keepalive, shown

UP = ["--plain-b"]

# Site a's second addresses.
SECOND = "192.0.2.11"
SECOND6 = "2001:db8::11"

# Behind the underlay, if there is a route.
FAR = "203.0.113.1"
FAR_NET = "203.0.113.0/24"

# Another router there.
ROUTER = "192.0.2.12"


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


def tunnel_of(sandbox, port="e1"):
    return next(tunnel for tunnel in sandbox.shown("a")["tunnels"]
                if tunnel["name"] == port)


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
            configured(sandbox, "route", "add", FAR_NET, "via", ROUTER,
                       "table", "100"), \
            configured(sandbox, "rule", "add", "from", SECOND, "lookup",
                       "100"), Peer(sandbox) as peer:
        sandbox.set_neighbour("a", ROUTER, router.hex(":"))
        sandbox.add_tunnel("a", remote_ip=FAR, key=100, local_ip=SECOND)
        packet = peer.wire.wait_for(
            lambda packet: packet[23] == 47, "no keepalive")
        check_equal("the next router", packet[:6].hex(":"), router.hex(":"))


def wait_for_state(sandbox, state, reason, link):
    """What eoip/show and the database say, and that nothing is sent."""
    def said():
        tunnel = tunnel_of(sandbox)
        return (tunnel["state"], tunnel.get("reason"), tunnel["link_state"])

    until(lambda: said() == (state, reason, link),
          f"eoip/show does not say {state}, {reason}, but {said()}")
    until(lambda: sandbox.get("a", "e1", "link_state") == link,
          f"the link is not {link}")
    until(lambda: f"state={state}" in sandbox.get("a", "e1", "status")
          .replace('"', ""), "the status does not say")
    sent = sandbox.statistics("a")["tx_keepalives"]
    with sandbox.wire("b") as wire:
        check(not any(map(is_keepalive, wire.frames(1.5))),
              "a keepalive was sent")
    check_equal("tx_keepalives", sandbox.statistics("a")["tx_keepalives"],
                sent)


def test_no_route(sandbox):
    """Said, with the link down; and all at once when there is one, not only
    when the next keepalive is due."""
    # Seconds; where in it this port has its turn is not known.
    sandbox.add_tunnel("a", remote_ip=FAR, key=100, keepalive="65535s")
    wait_for_state(sandbox, "no-route", f"there is no route to {FAR}", "down")
    with Peer(sandbox), route(sandbox):
        wait_until_sent(sandbox)
        until(lambda: sandbox.get("a", "e1", "link_state") == "up",
              "the link does not come up")
    wait_for_state(sandbox, "no-route", f"there is no route to {FAR}", "down")


def test_foreign_source(sandbox):
    """A local_ip that the machine does not hold: nothing leaves from there,
    keepalives as little as frames, until the machine holds it."""
    why = f"local_ip={SECOND} is not an address of this host"
    sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=100, local_ip=SECOND,
                       keepalive="1s,60")
    wait_for_state(sandbox, "no-address", why, "down")
    with Peer(sandbox) as peer:
        peer.send(eoip(b"", 100))
        with address(sandbox, f"{SECOND}/24"):
            wait_until_sent(sandbox)
            until(lambda: sandbox.get("a", "e1", "link_state") == "up",
                  "the link does not come up")
    wait_for_state(sandbox, "no-address", why, "down")


def test_own_address(sandbox):
    with address(sandbox, f"{SECOND}/24"):
        sandbox.add_tunnel("a", remote_ip=SECOND, key=100, keepalive="1s,3")
        wait_for_state(sandbox, "own-address",
                       f"remote_ip={SECOND} is an address of this host",
                       "down")


@only("netdev", "in the kernel's datapath any device is an underlay")
def test_not_a_port(sandbox):
    """A device of the kernel's own, as a VPN's, and a card that is a port of
    the underlay's bridge and kept its address: the kernel could send there,
    and frames cannot.  After a restart of the switch it is still said."""
    sandbox.exec("a", "ip", "link", "add", "far", "type", "veth", "peer",
                 "name", "farther")
    try:
        for device in "far", "farther":
            sandbox.exec("a", "ip", "link", "set", device, "up")
        sandbox.exec("a", "ip", "address", "add", "198.51.100.1/24", "dev",
                     "far")
        sandbox.add_tunnel("a", remote_ip="198.51.100.2", key=100,
                           keepalive="1s,3")
        why = ("far, where the route to 198.51.100.2 leads, is not a bridge "
               "of the userspace datapath")
        wait_for_state(sandbox, "not-a-port", why, "down")
    finally:
        sandbox.exec("a", "ip", "link", "del", "far")
    card = "eth0"
    with configured(sandbox, "address", "add", f"{FAR[:-1]}2/24", "dev",
                    card):
        sandbox.vsctl("a", "set", "interface", "e1",
                      f"options:remote_ip={FAR}")
        why = f"{card} is a port of br-phy: its address must be on br-phy"
        wait_for_state(sandbox, "not-a-port", why, "down")


def test_no_neighbour(sandbox):
    """Who sends, the kernel or the switch, has asked for the MAC of a peer that
    does not answer."""
    nobody = "192.0.2.77"
    sandbox.add_tunnel("a", remote_ip=nobody, key=100, keepalive="1s,100")
    until(lambda: tunnel_of(sandbox)["state"] == "no-neighbour",
          "eoip/show does not say no-neighbour", 60)
    check_equal("the reason", tunnel_of(sandbox)["reason"],
                f"the next hop to {nobody} does not tell its MAC address")
    check_equal("link_state", tunnel_of(sandbox)["link_state"], "up")
    # Who asks begins anew again and again.
    end = time.monotonic() + 5
    while time.monotonic() < end:
        check_equal("the state later", tunnel_of(sandbox)["state"],
                    "no-neighbour")


def test_name_unresolved(sandbox):
    sandbox.add_tunnel("a", remote_ip="nowhere.example", key=100)
    wait_for_state(sandbox, "name-unresolved",
                   "no address is known of nowhere.example", "down")


@only("system", "only then the kernel sends")
def test_refused_by_the_kernel(sandbox):
    """What the kernel does not send is not counted as sent; its reason is
    said."""
    with route(sandbox):
        with configured(sandbox, "rule", "add", "to", FAR_NET, "ipproto",
                        "47", "prohibit"):
            sandbox.add_tunnel("a", remote_ip=FAR, key=100, keepalive="65535s")
            until(lambda: "Permission denied"
                  in shown(sandbox).get("error", ""),
                  "eoip/show does not say that it was refused")
            check_equal("tx_keepalives",
                        sandbox.statistics("a")["tx_keepalives"], 0)
        wait_until_sent(sandbox)
