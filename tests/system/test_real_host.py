# SPDX-License-Identifier: Apache-2.0
"""Sites whose kernel takes part, as on a host with one network card: br-phy
has the MAC address of eth0, so that the kernel sees what comes on eth0 as its
own, too, and answers for br-phy's address on either.

    host-a -- [br0 e1 | br-phy eth0] ==veth== [eth0 br-phy | e1 br0] -- host-b
                          ^---- same MAC address ----^
"""

import contextlib

from sandbox import ADDRESS, check, check_equal, only, run, until

UP = []
SAME_MAC = only("netdev", "with the kernel's datapath there is no br-phy")


@contextlib.contextmanager
def same_mac(sandbox):
    before = {}
    for site in "a", "b":
        mac = sandbox.link(site, "eth0")["address"]
        before[site] = sandbox.link(site, "br-phy")["address"]
        sandbox.exec(site, *"ip link set eth0 arp on".split())
        sandbox.vsctl(site, "set", "bridge", "br-phy",
                      f"other_config:hwaddr={mac}")
        until(lambda: sandbox.link(site, "br-phy")["address"] == mac,
              f"br-phy of {site} does not take the address of eth0")
    try:
        yield
    finally:
        for site, mac in before.items():
            sandbox.exec(site, *"ip link set eth0 arp off".split())
            sandbox.vsctl(site, "set", "bridge", "br-phy",
                          f"other_config:hwaddr={mac}")


def check_traffic(sandbox):
    """Pings, full-size packets in fragments, and TCP: all once."""
    sandbox.ping_both_ways()
    for host in "host-a", "host-b":
        sandbox.ping(host, None, "-M", "do", "-s", "1472")
    sandbox.tcp_both_ways()
    sandbox.wait_for_no_fragments()
    check_equal("drops", sandbox.drops(), {})


@SAME_MAC
def test_same_mac(sandbox):
    with same_mac(sandbox):
        sandbox.add_tunnels(key=1234)
        check_traffic(sandbox)


@contextlib.contextmanager
def card(sandbox, host):
    """A card for the host: its eth0 leaves checksums and segments to what is
    behind it, and joins what comes.  What goes on to the switch is finished,
    as on a cable."""
    address = f"{ADDRESS[host]}/24"

    def configure(*lines):
        for line in lines:
            sandbox.exec(host, *line.split())

    configure("ip link set eth0 down", "ip link set eth0 name cable",
              f"ip address del {address} dev cable",
              "ip link add eth0 type veth peer name card",
              "ip link add chip type bridge",
              "ip link set chip arp off",
              "ethtool -K eth0 tx on rx on tso on gro on",
              # A veth joins nothing that comes from who could have done so.
              "ethtool -K card tso off",
              "ip link set cable master chip", "ip link set card master chip",
              *(f"ip link set {name} up" for name in
                ("cable", "card", "chip", "eth0")),
              f"ip address add {address} dev eth0")
    # Else it hands on what comes one by one, as it comes.
    for name, value in ("napi_defer_hard_irqs", 2), ("gro_flush_timeout", 20000):
        done = run("ip", "netns", "exec", sandbox.netns(host), "sh", "-c",
                   f"echo {value} > /sys/class/net/eth0/{name}")
        check(done.returncode == 0, f"{name}: {done.stderr}")
    try:
        yield
    finally:
        configure("ip link del chip", "ip link del eth0",
                  "ip link set cable down", "ip link set cable name eth0",
                  f"ip address add {address} dev eth0", "ip link set eth0 up")


def joined(sandbox, host):
    """How many packets the host got as a part of another one: of its two
    counters of packets only one knows what these are made of."""
    value = {}
    for file in "snmp", "netstat":
        lines = sandbox.exec(host, "grep", "^Ip", f"/proc/net/{file}")
        names, values = lines.split("\n")
        value |= zip(names.split()[1:], map(int, values.split()[1:]))
    return value["InNoECTPkts"] - value["InReceives"]


@contextlib.contextmanager
def underlay_offload(sandbox):
    def configure(word):
        for site in "a", "b":
            sandbox.exec(site, "ethtool", "-K", "eth0", "tx", word, "gro", word)

    configure("on")
    try:
        yield
    finally:
        configure("off")


@SAME_MAC
def test_offload(sandbox):
    """As on hosts with real cards: checksums, segmentation and GRO by the
    card, at both hosts and at both ends of the underlay; keepalives beside."""
    with same_mac(sandbox), underlay_offload(sandbox), \
            card(sandbox, "host-a"), card(sandbox, "host-b"):
        sandbox.add_tunnels(key=1234, keepalive="1s,9")
        check_traffic(sandbox)
        for host in "host-a", "host-b":
            check(joined(sandbox, host) > 100, f"{host} joins no packets")
        with sandbox.wire("host-a") as sender:
            sandbox.tcp("host-a")
            sender.wait_for(lambda frame: len(frame) > 1514,
                            "host-a sends no frame for its card to cut",
                            outgoing=True)
        for site in "a", "b":
            until(lambda: sandbox.shown(site)["tunnels"][0]["keepalive"][
                "state"] == "up", f"no keepalive reaches site {site}")
            check(sandbox.statistics(site)["rx_keepalives"] > 0,
                  f"no keepalive is counted at {site}")
