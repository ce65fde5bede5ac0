# SPDX-License-Identifier: Apache-2.0
"""Sites whose kernel takes part, as on a host with one network card: br-phy
has the MAC address of eth0, so that the kernel sees what comes on eth0 as its
own, too, and answers for br-phy's address on either.

    host-a -- [br0 e1 | br-phy eth0] ==veth== [eth0 br-phy | e1 br0] -- host-b
                          ^---- same MAC address ----^
"""

from sandbox import check_equal, only, until

UP = []
SAME_MAC = only("netdev", "with the kernel's datapath there is no br-phy")


@SAME_MAC
def test_same_mac(sandbox):
    """Pings, full-size packets in fragments, and TCP: all once."""
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
        sandbox.add_tunnels(key=1234)
        sandbox.ping_both_ways()
        for host in "host-a", "host-b":
            sandbox.ping(host, None, "-M", "do", "-s", "1472")
        sandbox.tcp_both_ways()
        sandbox.wait_for_no_fragments()
        check_equal("drops", {name: count for name, count
                              in sandbox.counters("b").items()
                              if count and not name.startswith("rx_")}, {})
    finally:
        for site, mac in before.items():
            sandbox.exec(site, *"ip link set eth0 arp off".split())
            sandbox.vsctl(site, "set", "bridge", "br-phy",
                          f"other_config:hwaddr={mac}")
