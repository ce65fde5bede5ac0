# SPDX-License-Identifier: Apache-2.0
"""EoIPv6 between two of our switches, over an underlay of both families.

    host-a -- [br0 e1]====EoIPv6 over the underlay====[e1 br0] -- host-b
"""

from sandbox import (ADDRESS, ADDRESS6, DATAPATH, check, check_equal, until)
from packets import ARP_REQUEST, eoipv6, ethernet, ipv6

UP = []


def is_eoipv6(packet):
    return packet[12:14] == b"\x86\xdd" and packet[20] == 97


def is_keepalive(packet):
    return is_eoipv6(packet) and packet[18:20] == b"\0\2"


def is_fragment(packet):
    """Of EoIPv6, in the first 54 + 8 bytes."""
    return (packet[12:14] == b"\x86\xdd" and packet[20] == 44
            and packet[54] == 97)


def test_ping_and_tcp(sandbox):
    """Both ways; full frames of 1500 bytes take fragments of IPv6."""
    sandbox.add_tunnels(addresses=ADDRESS6, key=4095)
    sandbox.ping_both_ways()
    sandbox.ping("host-a", None, "-s", "1472")
    sandbox.ping("host-b", None, "-s", "1472")
    sandbox.tcp_both_ways()
    check_equal("drops", sandbox.drops(), {})
    check_equal("remote_ip shown", sandbox.shown("a")["tunnels"][0]
                ["remote_ip"], ADDRESS6["b"])


def test_on_the_wire(sandbox):
    """The header; then the fragments of a frame that is too long."""
    sandbox.add_tunnels(addresses=ADDRESS6, key=1234)
    sandbox.ping()
    with sandbox.wire("b") as underlay, sandbox.wire("host-a") as host:
        host.send(ARP_REQUEST)
        seen = underlay.wait_for(lambda packet: is_eoipv6(packet)
                                 and packet[56:] == ARP_REQUEST,
                                 "no frame on the underlay")
        check_equal("headers", seen[14:56].hex(), ipv6(
            eoipv6(ARP_REQUEST, 1234), src=ADDRESS6["a"], dst=ADDRESS6["b"],
            hops=64)[:42].hex())
        whole = ARP_REQUEST[:12] + b"\x88\xb5" + bytes(range(250)) * 6
        host.send(whole)
        first = underlay.wait_for(is_fragment, "no fragment")[14:]
        last = underlay.wait_for(is_fragment, "one fragment only")[14:]
    check(len(first) <= 1500, f"a fragment of {len(first)} bytes")
    check_equal("id", last[44:48].hex(), first[44:48].hex())
    check_equal("joined", (first[48:] + last[48:]).hex(),
                eoipv6(whole, 1234).hex())


def test_fragments_are_joined(sandbox):
    """In any order; and what is missing is waited for, but not for long."""
    sandbox.add_tunnels(addresses=ADDRESS6, key=100, keepalive="none")
    sandbox.ping()
    frame = b"\xff" * 6 + ARP_REQUEST[6:12] + b"\x88\xb5" + bytes(
        range(200))
    payload = eoipv6(frame)
    mac = sandbox.mac("a", {"netdev": "br-phy", "system": "eth0"}[DATAPATH])

    def fragment(begin, end, number):
        where = begin | (end < len(payload))
        header = bytes([97, 0]) + where.to_bytes(2, "big") + bytes(
            [0, 0, 1, number])
        return ethernet(ipv6(header + payload[begin:end], proto=44), mac,
                        kind=0x86dd)

    with sandbox.wire("host-a") as host, sandbox.wire("b") as underlay:
        for number, order in enumerate(((0, 1), (1, 0))):
            pieces = (fragment(0, 80, number),
                      fragment(80, len(payload), number))
            for part in order:
                underlay.send(pieces[part])
            seen = host.wait_for(lambda packet: packet[12:14] == b"\x88\xb5",
                                 f"nothing arrives in order {order}")
            check_equal("frame", seen.hex(), frame.hex())
        if DATAPATH == "netdev":
            underlay.send(fragment(0, 80, 9))
            until(lambda: sandbox.counters("a")["fragment_timeout"] == 1,
                  "fragment_timeout does not become 1")


def test_beside_ipv4(sandbox):
    """The same key over both families; one way through each."""
    sandbox.add_tunnels("e4", key=100)
    sandbox.add_tunnels("e6", addresses=ADDRESS6, key=100)
    for site, out in ("a", "e6"), ("b", "e4"):
        sandbox.set_flows(site, f"in_port=host-{site},actions=output:{out}",
                          f"in_port=e4,actions=output:host-{site}",
                          f"in_port=e6,actions=output:host-{site}")
    sandbox.ping_both_ways()
    sandbox.tcp_both_ways()
    for site, port in ("a", "e4"), ("b", "e6"):
        until(lambda: sandbox.statistics(site, port)["rx_packets"] > 100,
              f"{port} at {site} has not received what was sent")
        check(sandbox.statistics(site, "e6" if port == "e4" else "e4")
              ["rx_packets"] < 100, "frames came the other way")


def test_keepalive(sandbox):
    """The bare two bytes, as the options say; silence takes the link down."""
    with sandbox.wire("b") as underlay:
        sandbox.add_tunnel("a", remote_ip=ADDRESS6["b"], key=1234, ttl=7,
                           tos=184, local_ip=ADDRESS6["a"], keepalive="1s,2")
        seen = underlay.wait_for(is_keepalive, "no keepalive")
    check_equal("keepalive", seen[14:56].hex(), ipv6(
        bytes.fromhex("43d2"), src=ADDRESS6["a"], dst=ADDRESS6["b"], hops=7,
        traffic_class=184).hex())
    until(lambda: sandbox.get("a", "e1", "link_state") == "down",
          "the link of a silent peer stays up")
    sandbox.add_tunnel("b", remote_ip=ADDRESS6["a"], key=1234,
                       keepalive="1s,2")
    for site in "a", "b":
        until(lambda: sandbox.shown(site)["tunnels"][0]["keepalive"]["state"]
              == "up", f"the keepalive state at {site} does not become up")
        until(lambda: sandbox.get(site, "e1", "link_state") == "up",
              f"the link at {site} does not come up")
    sandbox.ping()


def test_learned(sandbox):
    """The same port takes a peer of either family."""
    sandbox.add_tunnel("a", remote_ip="learn", key=100)
    for addresses in ADDRESS6, ADDRESS:
        sandbox.add_tunnel("b", remote_ip=addresses["a"], key=100)
        sandbox.ping("host-b")
        until(lambda: sandbox.shown("a")["tunnels"][0]["learning"].get("peer")
              == addresses["b"], f"{addresses['b']} is not learned")
        sandbox.ping("host-a")
        sandbox.vsctl("b", "del-port", "e1")
        sandbox.vsctl("a", "set", "interface", "e1", "options:key=101")
        sandbox.vsctl("a", "set", "interface", "e1", "options:key=100")


def test_refused(sandbox):
    """Keys that EoIPv6 has no room for, and two families."""
    for options, words in (
            (f'options:remote_ip="{ADDRESS6["b"]}" options:key=4096',
             ("key=4096", "4095")),
            (f'options:remote_ip="{ADDRESS6["b"]}" '
             f'options:local_ip={ADDRESS["a"]}', ("mix address families",))):
        sandbox.try_exec("a", "ovs-vsctl", "--timeout=60", "add-port", "br0",
                         "e1", "--", "set", "interface", "e1", "type=eoip",
                         *options.split())
        error = sandbox.error("a")
        check(all(word in error for word in words), f"error is {error!r}")
        sandbox.vsctl("a", "del-port", "e1")
