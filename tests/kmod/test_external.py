# SPDX-License-Identifier: Apache-2.0
"""An external device: each frame says where it goes, here by routes with
`encap ip`, as flows of Open vSwitch do.

    a: ext (10.0.0.1, routes say where)    b: e1 (10.0.0.2, id 100)
"""

import modules
import test_ipv6
from bed import INNER, MAC, UNDERLAY, mac_text
from packets import ARP_IN_TUNNEL_100, ARP_REQUEST, eoip
from peer import eoipv6, ipv6, one_processor, packet
from sandbox import Skip, check, check_equal, until

INNER_MAC = {"a": bytes.fromhex("0200000000a1"),
             "b": bytes.fromhex("0200000000b1")}


def external(bed, name="ext"):
    bed.tunnel("a", name, external=True)
    bed.ip("a", f"link set {name} address {mac_text(INNER_MAC['a'])}",
           f"addr add {INNER['a']}/32 dev {name}",
           f"neigh add {INNER['b']} lladdr {mac_text(INNER_MAC['b'])} "
           f"dev {name} nud permanent")


def route(bed, words, to=INNER["b"], name="ext"):
    done = bed.call("a", "ip", "route", "replace", to, "encap", "ip",
                    *words.split(), "dev", name)
    if "LWTUNNEL is not enabled" in done.stderr:
        raise Skip("this kernel has no routes with encap ip")
    check_equal(f"ip route encap ip {words}: stderr", done.stderr, "")


def peer(bed, tunnel_id=100, name="e1"):
    bed.tunnel("b", name, id=tunnel_id)
    bed.ip("b", f"link set {name} address {mac_text(INNER_MAC['b'])}",
           f"addr add {INNER['b']}/24 dev {name}")
    bed.ip("b", f"neigh replace {INNER['a']} lladdr "
           f"{mac_text(INNER_MAC['a'])} dev {name} nud permanent")


def counted(bed, name="ext"):
    return {counter: value for counter, value
            in bed.counters("a", name).items() if value}


def first_outer(bed, wire):
    """Sends one ping from a, returns the outer packet at b."""
    bed.call("a", "ping", "-c", "1", "-W", "0.1", INNER["b"])
    return wire.wait_for(lambda data: data[23] == 47,
                         "no outer packet arrives")[14:]


def test_route_encap(bed):
    """Traffic both ways, against a point-to-point device."""
    external(bed)
    peer(bed)
    route(bed, f"id 100 dst {UNDERLAY['b']} ttl 64 key")
    bed.ping_both_ways()
    bed.tcp_both_ways(500_000)
    check_equal("counters of ext", counted(bed), {})


def test_full_size(bed):
    """Frames of 1500, in outer fragments."""
    external(bed)
    peer(bed)
    bed.rtnl("a").set_mtu("ext", 1500)
    bed.rtnl("b").set_mtu("e1", 1500)
    route(bed, f"id 100 dst {UNDERLAY['b']} ttl 64 key")
    bed.ping_both_ways(1472)
    bed.tcp_both_ways(300_000)


def test_metadata_sent(bed):
    """Id, addresses, TTL and TOS are those of the route."""
    external(bed)
    bed.ip("a", "addr add 192.0.2.77/24 dev u")
    with bed.wire("b") as wire:
        for tunnel_id, ttl, tos in ((0, 3, 0), (100, 64, 0x20),
                                    (65535, 255, 0xfc)):
            route(bed, f"id {tunnel_id} src 192.0.2.77 dst {UNDERLAY['b']} "
                  f"ttl {ttl} tos {tos:#x} key")
            data = first_outer(bed, wire)
            check_equal("TOS, TTL", (data[1], data[8]), (tos, ttl))
            check_equal("source", data[12:16], bytes([192, 0, 2, 77]))
            check_equal("id", int.from_bytes(data[26:28], "little"),
                        tunnel_id)


def test_key_out_of_range(bed):
    """An id that EoIP cannot carry is dropped by name, and nothing leaves."""
    external(bed)
    with bed.wire("b") as wire:
        for number, tunnel_id in enumerate((65536, 65636, 1 << 32,
                                            (1 << 64) - 1), 1):
            route(bed, f"id {tunnel_id} dst {UNDERLAY['b']} ttl 64 key")
            bed.call("a", "ping", "-c", "1", "-W", "0.1", INNER["b"])
            check_equal(f"counters with id {tunnel_id}", counted(bed),
                        {"tx_drop_key_out_of_range": number})
        check_equal("packets that left", [frame.hex() for frame
                                          in wire.frames(seconds=0.3)
                                          if frame[23] == 47], [])
    statistics = bed.statistics("a", "ext")
    check_equal("tx_dropped and tx_errors",
                statistics["tx_dropped"] + statistics["tx_errors"], 4)


def test_endpoint_unresolved(bed):
    """What the switch puts in the place of an address that it does not know
    leads nowhere: not to this machine, and not to its gateway."""
    test_ipv6.underlay(bed)
    external(bed)
    bed.ip("a", f"route add default via {UNDERLAY['b']}",
           f"route add ::/0 via {test_ipv6.ADDRESS['b']}")
    with bed.wire("b") as wire, bed.wire("a", "lo") as lo:
        for number, (family, words) in enumerate((
                ("ip", "dst 127.1.0.1"), ("ip6", "dst 100::7f01:1"),
                ("ip", f"dst {UNDERLAY['b']} src 127.1.0.1"),
                ("ip6", f"dst {test_ipv6.ADDRESS['b']} src 100::7f01:1")), 1):
            bed.ip("a", f"route replace {INNER['b']} encap {family} id 100 "
                   f"{words} {'ttl' if family == 'ip' else 'hoplimit'} 64 "
                   "key dev ext")
            bed.call("a", "ping", "-c", "1", "-W", "0.1", INNER["b"])
            check_equal(f"counters with {words}", counted(bed),
                        {"tx_drop_endpoint_unresolved": number})
        check_equal("packets that left",
                    [data.hex() for capture in (wire, lo)
                     for data in capture.frames(seconds=0.3)
                     if data[23] == 47 or data[20] == 97], [])


def test_no_tunnel_info(bed):
    """A frame that does not say where it goes."""
    external(bed)
    with bed.wire("a", "ext") as sender:
        for _ in range(5):
            sender.send(ARP_REQUEST)
    check_equal("counters", counted(bed), {"tx_drop_no_tunnel_info": 5})


def test_no_route(bed):
    external(bed)
    route(bed, "id 100 dst 203.0.113.9 ttl 64 key")
    bed.call("a", "ping", "-c", "1", "-W", "0.1", INNER["b"])
    check_equal("counters", counted(bed), {"tx_drop_no_route": 1})


def with_ipv6(bed):
    """a has IPv6 and is a router, which says most of itself."""
    try:
        bed.sysctl("a", "ipv6/conf/default/disable_ipv6", 0)
    except FileNotFoundError:
        raise Skip("this kernel has no IPv6") from None
    bed.sysctl("a", "ipv6/conf/all/forwarding", 1)


def test_ipv6_is_silent(bed):
    """IPv6 sends nothing of its own through an external device, which it
    could not say a tunnel for; a point-to-point one is as any Ethernet."""
    with_ipv6(bed)
    bed.tunnel("a", "ext", external=True)
    bed.tunnel("a", id=100)
    until(lambda: " fe80:" in bed.exec("a", "ip", "-6", "addr", "show", "dev",
                                       "e1"), "e1 gets no address by itself")
    # What e1 says of itself comes some time after that.
    until(lambda: bed.statistics("a")["tx_packets"] >= 3,
          "e1 says nothing of itself")
    check_equal("counters of ext", counted(bed), {})
    check_equal("addresses of ext",
                bed.exec("a", "ip", "-6", "addr", "show", "dev", "ext"), "")


def test_ipv6_by_route(bed):
    """Who wants IPv6 to go through it switches it on."""
    with_ipv6(bed)
    external(bed)
    bed.sysctl("b", "ipv6/conf/default/disable_ipv6", 0)
    peer(bed)
    bed.ip("b", "addr add fd00::2/64 dev e1 nodad",
           f"neigh replace fd00::1 lladdr {mac_text(INNER_MAC['a'])} dev e1 "
           "nud permanent")
    bed.sysctl("a", "ipv6/conf/ext/disable_ipv6", 0)
    bed.ip("a", "addr add fd00::1/128 dev ext nodad",
           f"neigh add fd00::2 lladdr {mac_text(INNER_MAC['b'])} dev ext "
           "nud permanent")
    route(bed, f"id 100 dst {UNDERLAY['b']} ttl 64 key", "fd00::2")
    bed.ping("a", "fd00::2")


def test_fallback(bed):
    """A point-to-point device goes first, whichever came first; what it does
    not want, and only that, is the external one's."""
    external(bed)
    bed.tunnel("a", id=100)
    with bed.wire("b") as wire, bed.wire("a", "ext") as ext, \
            bed.wire("a", "e1") as e1:
        def send(payload, **fields):
            wire.send(MAC["a"] + MAC["b"] + b"\x08\0"
                      + packet(payload, **fields))

        send(ARP_IN_TUNNEL_100)
        e1.wait_for(lambda data: data == ARP_REQUEST, "e1 gets nothing")
        send(eoip(ARP_REQUEST, 101))
        ext.wait_for(lambda data: data == ARP_REQUEST, "ext gets nothing")
        send(ARP_IN_TUNNEL_100, src="192.0.2.3")
        ext.wait_for(lambda data: data == ARP_REQUEST,
                     "ext does not get another peer's packet")
        check_equal("rx_packets of e1 and ext",
                    (bed.statistics("a", "e1")["rx_packets"],
                     bed.statistics("a", "ext")["rx_packets"]), (1, 2))
        bed.rtnl("a").delete("e1")
        send(ARP_IN_TUNNEL_100)
        ext.wait_for(lambda data: data == ARP_REQUEST,
                     "ext does not get what was e1's")


def matched(bed, matches, name="ext"):
    """Makes filters, each of what flower matches; returns a function: how many
    packets each has seen."""
    for module in ("sch_ingress", "cls_flower", "act_gact"):
        modules.need(module)
    bed.exec("a", "tc", "qdisc", "add", "dev", name, "clsact")
    for number, words in enumerate(matches, 1):
        bed.exec("a", "tc", "filter", "add", "dev", name, "ingress", "pref",
                 str(number), "flower", *words.split(), "action", "pass")

    def hits():
        shown = bed.exec("a", "tc", "-s", "filter", "show", "dev", name,
                         "ingress")
        return [int(line.split(" pkt")[0].split()[-1])
                for line in shown.splitlines() if " pkt" in line]
    return hits


def test_metadata_received(bed):
    """Who looks at the frame sees id and addresses of its tunnel."""
    external(bed)
    hits = matched(bed, [f"enc_key_id {tunnel_id} enc_src_ip {UNDERLAY['b']} "
                         f"enc_dst_ip {UNDERLAY['a']}"
                         for tunnel_id in (100, 65535)])
    with bed.wire("b") as wire:
        for tunnel_id in (65535, 100, 65535, 7):
            wire.send(MAC["a"] + MAC["b"] + b"\x08\0"
                      + packet(eoip(ARP_REQUEST, tunnel_id)))
    until(lambda: bed.statistics("a", "ext")["rx_packets"] == 4,
          "four packets do not arrive")
    check_equal("packets of id 100 and 65535", hits(), [1, 2])


# Each differs from the one before in one thing: what flower sees of it.
UNLIKE = [
    (packet(eoip(ARP_REQUEST, 100)), "100 enc_src_ip 192.0.2.2 enc_tos 0 "
     "enc_ttl 255"),
    (packet(eoip(ARP_REQUEST, 101)), "101 enc_src_ip 192.0.2.2 enc_tos 0 "
     "enc_ttl 255"),
    (packet(eoip(ARP_REQUEST, 101), src="192.0.2.3"),
     "101 enc_src_ip 192.0.2.3 enc_tos 0 enc_ttl 255"),
    (packet(eoip(ARP_REQUEST, 101), src="192.0.2.3", tos=8),
     "101 enc_src_ip 192.0.2.3 enc_tos 8 enc_ttl 255"),
    (packet(eoip(ARP_REQUEST, 101), src="192.0.2.3", tos=8, ttl=64),
     "101 enc_src_ip 192.0.2.3 enc_tos 8 enc_ttl 64"),
    (ipv6(eoipv6(ARP_REQUEST, 101), hops=64, traffic_class=8),
     "101 enc_src_ip fd01::2 enc_tos 8 enc_ttl 64"),
    (ipv6(eoipv6(ARP_REQUEST, 101), hops=64, traffic_class=16),
     "101 enc_src_ip fd01::2 enc_tos 16 enc_ttl 64"),
    (ipv6(eoipv6(ARP_REQUEST, 101), hops=63, traffic_class=16),
     "101 enc_src_ip fd01::2 enc_tos 16 enc_ttl 63"),
    (ipv6(eoipv6(ARP_REQUEST, 101), src="fd01::3", hops=63, traffic_class=16),
     "101 enc_src_ip fd01::3 enc_tos 16 enc_ttl 63"),
]


def test_metadata_of_many_at_once(bed):
    """Frames that wait together, like ones and others between them, keep each
    its own."""
    modules.need("sch_netem")
    test_ipv6.underlay(bed)
    external(bed)
    hits = matched(bed, [f"enc_key_id {words}" for _, words in UNLIKE])
    bed.exec("b", *"tc qdisc add dev u root netem delay 1ms slot 150ms".split())
    sent = [data for data, _ in UNLIKE for _ in range(2)] * 2
    with bed.wire("b") as wire, one_processor():
        for data in sent:
            wire.send(MAC["a"] + MAC["b"] + (
                b"\x08\0" if data[0] >> 4 == 4 else b"\x86\xdd") + data)
    until(lambda: bed.statistics("a", "ext")["rx_packets"] == len(sent),
          "not all packets arrive")
    check_equal("packets by what they say", hits(), [4] * len(UNLIKE))


def test_many_ids(bed):
    """Ids from all over the range arrive on one device."""
    external(bed)
    ids = [*range(0, 65536, 13), 65535]
    with bed.wire("b") as wire, one_processor():
        for start in range(0, len(ids), 64):
            for tunnel_id in ids[start:start + 64]:
                wire.send(MAC["a"] + MAC["b"] + b"\x08\0"
                          + packet(eoip(ARP_REQUEST, tunnel_id)))
            sent = min(start + 64, len(ids))
            until(lambda: bed.statistics("a", "ext")["rx_packets"] == sent,
                  f"not all of {sent} packets arrive")
    check_equal("counters", counted(bed), {})
    return f"{len(ids)} ids"
