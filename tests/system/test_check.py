# SPDX-License-Identifier: Apache-2.0
"""`eoip check` of the way to the peer, with each fault really there: it says
what is wrong, and the commands that it prints mend it.  On a sandbox without
faults it finds none.

What it makes of facts that a sandbox does not have is tested in tests/unit, and
links of the kernel in tests/kmod."""

from eoip_check import (IFF_TUN, NOTHING, USERSPACE, called, mended, program,
                        says, silent, tun, tunnels, undone)
from sandbox import ADDRESS, ADDRESS6, check_equal, only, until

UP = []


def test_healthy(sandbox):
    silent(sandbox)
    sandbox.add_tunnels(key=1234)
    sandbox.ping_both_ways()
    for site in "a", "b":
        silent(sandbox, site=site)
        silent(sandbox, "e1", site=site)
        check_equal("eoip check --json",
                    called(sandbox, "--json", site=site), "[]\n")


@USERSPACE
def test_address_on_port(sandbox):
    """As after a boot that gives eth0 the address that is br-phy's."""
    tunnels(sandbox)
    sandbox.exec("a", *"ip address del 192.0.2.1/24 dev br-phy".split())
    sandbox.exec("a", *"ip address add 192.0.2.1/24 dev eth0".split())
    sandbox.exec("a", *"ip route add default via 192.0.2.2".split())
    with undone(sandbox, "ip route del default"):
        says(sandbox, """\
e1: the way to 192.0.2.2 leads through eth0, which is a port of br-phy: its address must be on br-phy
    ip address del 192.0.2.1/24 dev eth0
    ip address add 192.0.2.1/24 dev br-phy
    ip link set br-phy up
""")
        sandbox.vsctl("a", "set", "interface", "e1",
                      "options:remote_ip=198.51.100.9")
        mended(sandbox, """\
e1: the way to 198.51.100.9 leads through eth0, which is a port of br-phy: its address must be on br-phy
    ip address del 192.0.2.1/24 dev eth0
    ip address add 192.0.2.1/24 dev br-phy
    ip link set br-phy up
    ip route replace default via 192.0.2.2 dev br-phy
""")
        sandbox.vsctl("a", "set", "interface", "e1",
                      f"options:remote_ip={ADDRESS['b']}")
    sandbox.ping()


@only("system", "in userspace a port leaves the card to the host")
def test_address_on_port_of_the_kernel(sandbox):
    """The kernel's datapath takes whatever comes on a port."""
    tunnels(sandbox)
    with undone(sandbox, "ovs-vsctl del-br br-x", "ip link set eth0 up",
                *(f"ip address add {address} dev eth0" for address in (
                    f"{ADDRESS['a']}/24", f"{ADDRESS6['a']}/64 nodad"))):
        sandbox.vsctl("a", "add-br", "br-x", "--", "add-port", "br-x", "eth0")
        mended(sandbox, """\
e1: the way to 192.0.2.2 leads through eth0, which is a port of br-x: its address must be on br-x
    ip address del 192.0.2.1/24 dev eth0
    ip address add 192.0.2.1/24 dev br-x
    ip link set br-x up
""")
        sandbox.ping()


@USERSPACE
def test_not_a_bridge(sandbox):
    """A card that is in no bridge, and a device without Ethernet as wg0."""
    sandbox.exec("a", *"ip link add w0 type veth peer name w1".split())
    with undone(sandbox, "ovs-vsctl --if-exists del-br br-w0",
                "ip link del w0"):
        sandbox.exec("a", *"ethtool -K w1 tx off".split())
        for line in ("ip address add 198.51.100.1/24 dev w0",
                     "ip link set w0 up", "ip link set w1 up"):
            sandbox.exec("a", *line.split())
        sandbox.add_tunnel("a", remote_ip="198.51.100.2", key=7)
        mended(sandbox, """\
e1: the way to 198.51.100.2 leads through w0, which is no bridge of the userspace datapath: no frame can leave there
    ovs-vsctl add-br br-w0 -- set bridge br-w0 datapath_type=netdev -- add-port br-w0 w0
    ip address del 198.51.100.1/24 dev w0
    ip address add 198.51.100.1/24 dev br-w0
    ip link set br-w0 up
""")


@USERSPACE
def test_no_ethernet(sandbox):
    with tun(sandbox, "wg0", IFF_TUN):
        sandbox.exec("a", *"ip address add 198.51.100.1/24 dev wg0".split())
        sandbox.add_tunnel("a", remote_ip="198.51.100.2", key=7)
        says(sandbox, """\
e1: the way to 198.51.100.2 leads through wg0, which is no bridge of the userspace datapath: no frame can leave there; a tunnel of the kernel goes through any device
    eoip del e1 bridge br0
    eoip add name e1 tunnel-id 7 remote 198.51.100.2
    ip link set e1 up
    ovs-vsctl add-port br0 e1
""")


def test_port_down(sandbox):
    tunnels(sandbox)
    sandbox.exec("a", *"ip link set host-a down".split())
    mended(sandbox, """\
host-a: is a port of br0, and is down
    ip link set host-a up
""")


@USERSPACE
def test_bridge_down(sandbox):
    tunnels(sandbox)
    sandbox.exec("a", *"ip link set br-phy down".split())
    # The kernel forgets its addresses of IPv6.
    with undone(sandbox,
                f"ip address add {ADDRESS6['a']}/64 dev br-phy nodad"):
        mended(sandbox, """\
br-phy: is down, and has the address in the network of 192.0.2.2, the peer of e1
    ip link set br-phy up
""")


def test_no_carrier(sandbox):
    tunnels(sandbox)
    sandbox.exec("b", *"ip link set eth0 down".split())
    try:
        until(lambda: called(sandbox) == "eth0: has no carrier: its cable, or "
              "what is at the other end of it, is off\n",
              "eoip check does not see that eth0 has no carrier")
    finally:
        sandbox.exec("b", *"ip link set eth0 up".split())
    until(lambda: called(sandbox) == NOTHING, "the carrier does not come back")


def test_over_itself(sandbox):
    for line in ("ip address add 198.51.100.1/24 dev br0",
                 "ip link set br0 up"):
        sandbox.exec("a", *line.split())
    with undone(sandbox, "ip address del 198.51.100.1/24 dev br0",
                "ip link set br0 down"):
        sandbox.add_tunnel("a", remote_ip="198.51.100.2", key=7)
        says(sandbox, """\
e1: the way to 198.51.100.2 leads through br0, and the tunnel is a port of that bridge: its packets come back into it; give the underlay a device or bridge of its own
""")


def test_addresses(sandbox):
    sandbox.add_tunnel("a", "e1", remote_ip="203.0.113.9", key=7)
    says(sandbox, "e1: there is no route to 203.0.113.9\n")
    sandbox.vsctl("a", "set", "interface", "e1",
                  f"options:remote_ip={ADDRESS['a']}")
    says(sandbox, """\
e1: its remote 192.0.2.1 is an address of this host
    eoip change name e1 remote ADDRESS
""")
    sandbox.vsctl("a", "set", "interface", "e1",
                  f"options:remote_ip={ADDRESS['b']}",
                  "options:local_ip=203.0.113.9")
    says(sandbox, """\
e1: its local address 203.0.113.9 is none of this host's
    eoip change name e1 local any
""")


def test_states(sandbox):
    """What only the switch knows."""
    sandbox.add_tunnel("a", remote_ip="192.0.2.77", key=7, keepalive="1s,20")
    until(lambda: called(sandbox) == "e1: no-neighbour: the next hop to "
          "192.0.2.77 does not tell its MAC address\n",
          "eoip check does not say no-neighbour", 60)
    sandbox.vsctl("a", "set", "interface", "e1",
                  "options:remote_ip=nowhere.example")
    until(lambda: called(sandbox) == "e1: name-unresolved: no address is known "
          "of nowhere.example\n",
          "eoip check does not say name-unresolved", 60)


@USERSPACE
def test_routes_of_the_switch(sandbox):
    """What `ovs/route/add` made is a way, which the kernel does not know."""
    sandbox.add_tunnel("a", remote_ip="203.0.113.9", key=7)
    says(sandbox, "e1: there is no route to 203.0.113.9\n")
    with undone(sandbox, "ovs-appctl ovs/route/del 203.0.113.9/32",
                "ovs-vsctl --if-exists del-br br-x"):
        # A bridge of its own: with a route OVS forgets the addresses of its
        # device, and tunnels that listen there are deaf.
        sandbox.vsctl("a", "add-br", "br-x", "--", "set", "bridge", "br-x",
                      "datapath_type=netdev")
        for line in ("ip address add 198.51.100.1/24 dev br-x",
                     "ip link set br-x up"):
            sandbox.exec("a", *line.split())
        until(lambda: "198.51.100.0/24" in sandbox.appctl(
            "a", "ovs/route/show"), "the switch does not see br-x's network")
        sandbox.appctl("a", "ovs/route/add", "203.0.113.9/32", "br-x",
                       "198.51.100.2")
        silent(sandbox)


def test_dont_fragment(sandbox):
    tunnels(sandbox)
    sandbox.vsctl("a", "set", "interface", "e1", "options:df_default=true")
    text = """\
e1: frames of 1500 bytes are packets of 1542, which may not be cut (df_default true), and the path to 192.0.2.2 takes 1500: allow fragments, or give the hosts an MTU of 1458
    eoip change name e1 df_default false
"""
    says(sandbox, text)
    done = sandbox.try_exec("a", program(), *text.split()[-6:][1:])
    check_equal("exit status of its command", done.returncode, 0)
    silent(sandbox)


@USERSPACE
def test_lost_fragments(sandbox):
    """The peer's side drops them, as many firewalls do."""
    tunnels(sandbox)
    rule = "priority=9,ip,ip_frag=yes"
    sandbox.exec("b", "ovs-ofctl", "add-flow", "br-phy",
                 f"{rule},actions=drop")
    try:
        sandbox.ping()
        says(sandbox, """\
e1: 192.0.2.2 answers a short ping, and none of 1542 bytes in fragments, as long frames need them: let fragments pass on the way, or give the hosts an MTU of 1458
""")
    finally:
        sandbox.exec("b", "ovs-ofctl", "--strict", "del-flows", "br-phy", rule)
    silent(sandbox)
    # What does not answer at all proves nothing.
    rule = "priority=9,icmp,nw_src=192.0.2.1"
    sandbox.exec("b", "ovs-ofctl", "add-flow", "br-phy",
                 f"{rule},actions=drop")
    try:
        silent(sandbox)
    finally:
        sandbox.exec("b", "ovs-ofctl", "--strict", "del-flows", "br-phy", rule)


@USERSPACE
def test_narrow_path_of_ipv6(sandbox):
    sandbox.add_tunnel("a", remote_ip="2001:db8::2", key=7)
    silent(sandbox)
    route = "2001:db8::2 dev br-phy mtu 1400"
    sandbox.exec("a", *f"ip -6 route add {route}".split())
    with undone(sandbox, f"ip -6 route del {route}"):
        says(sandbox, """\
e1: the path to 2001:db8::2 takes packets of 1400 bytes, and the switch cuts them to the 1500 of br-phy
    ovs-vsctl set interface br-phy mtu_request=1400
""")
