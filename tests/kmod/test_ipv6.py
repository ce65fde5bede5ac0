# SPDX-License-Identifier: Apache-2.0
"""EoIPv6: protocol 97, a header of two bytes without a length, ids to 4095.

    a: u fd01::1 == b: u fd01::2

The frames are the same, so here is what differs from EoIP over IPv4."""

import struct

import eoip
import rtnl
import test_mss
from bed import INNER, MAC, UNDERLAY
from packets import ARP_REQUEST
from packets import ipv4
from peer import Injector, eoipv6, ipv6, outer, packet
from sandbox import Skip, check, check_equal, until

ADDRESS = {"a": "fd01::1", "b": "fd01::2"}
BROADCAST = b"\xff" * 6
HERE = bytes.fromhex("020000000011")
NOT_ECT, ECT_1, ECT_0, CE = range(4)


def underlay(bed, mtu=1500):
    """IPv6 on the veth alone, with static neighbours."""
    for here, there in (("a", "b"), ("b", "a")):
        try:
            bed.sysctl(here, "ipv6/conf/u/disable_ipv6", 0)
        except FileNotFoundError:
            raise Skip("this kernel has no IPv6") from None
        bed.sysctl(here, "ipv6/conf/u/accept_ra", 0)
        bed.ip(here, f"link set u mtu {mtu}",
               f"addr add {ADDRESS[here]}/64 dev u nodad",
               f"neigh replace {ADDRESS[there]} lladdr {MAC[there].hex(':')} "
               "dev u nud permanent")


def tunnel(bed, where="a", name="e1", **options):
    bed.tunnel(where, name, **{
        "remote": ADDRESS["b" if where == "a" else "a"], **options})


def pair(bed, **options):
    for where in ("a", "b"):
        tunnel(bed, where, address=INNER[where], **options)


def injector_of(bed, name="e1"):
    return Injector(bed, name, kind=0x86dd,
                    wrap=lambda frame: ipv6(eoipv6(frame)))


def inner_ipv4(size=100, **fields):
    return BROADCAST + HERE + b"\x08\0" + ipv4(
        bytes(size), **{"src": INNER["a"], "dst": INNER["b"], "proto": 253,
                        **fields})


def sent(bed, frame):
    return outer(bed, frame, protocol=eoip.IPV6_PROTOCOL)


def test_options(bed):
    underlay(bed)
    for tunnel_id in (0, 1, 256, eoip.IPV6_ID_MAX):
        for local in ("fd01::1", "fe80::1"):
            options = {"id": tunnel_id, "remote": "fd01::2", "local": local}
            bed.rtnl("a").add("e1", options=options)
            shown = bed.options("a")
            check_equal("options", {name: shown[name] for name in options},
                        options)
            bed.rtnl("a").delete("e1")
    check_equal("links", bed.rtnl("a").links(), [])


def test_options_refused(bed):
    underlay(bed)
    good = {"id": 100, "remote": "fd01::2"}
    bad = [{**good, "id": eoip.IPV6_ID_MAX + 1}, {**good, "id": 65535},
           {**good, "remote": "::"}, {**good, "remote": "ff02::1"},
           {**good, "local": "ff02::1"}, {**good, "local": "192.0.2.1"},
           {"id": 100, "remote": "192.0.2.2", "local": "fd01::1"}]
    kinds = [(None, options) for options in bad] + [
        ("eoip", good), ("eoipv6", {**good, "remote": "192.0.2.2"}),
        ("eoipv6", {"external": True})]
    for kind, options in kinds:
        try:
            bed.rtnl("a").add("e1", kind, options=options)
        except rtnl.NetlinkError as error:
            check(error.message.startswith("eoip: "),
                  f"{options}: {error.message!r}")
        else:
            check(False, f"{options} was not refused")
    check_equal("links", bed.rtnl("a").links(), [])
    bed.rtnl("a").add("e1", options={"id": 5000, "remote": "192.0.2.2"})
    before = bed.options("a")
    try:
        bed.rtnl("a").change("e1", {"remote": "fd01::2"})
    except rtnl.NetlinkError as error:
        check("eoipv6" in error.message, error.message)
    else:
        check(False, "a link of kind eoip went over to IPv6")
    check_equal("options", bed.options("a"), before)


def test_default_mtu(bed):
    underlay(bed)
    tunnel(bed)
    check_equal("MTU over 1500", bed.link("a").mtu, 1500 - eoip.IPV6_OVERHEAD)


def test_sent_bytes(bed):
    """The id's upper bits stand before the 3, its lower ones behind."""
    underlay(bed)
    for tunnel_id, text in {0: "0300", 100: "0364", 1234: "43d2",
                            4095: "f3ff"}.items():
        tunnel(bed, id=tunnel_id)
        data = sent(bed, ARP_REQUEST)
        check_equal(f"packet of id {tunnel_id}", data[40:].hex(),
                    text + ARP_REQUEST.hex())
        check_equal("version, class, flow label", data[:4].hex(), "60000000")
        check_equal("payload length", data[4:6].hex(), "002c")
        check_equal("next header, hop limit", data[6:8].hex(), "6140")
        bed.rtnl("a").delete("e1")


def test_traffic(bed):
    """Ping and TCP both ways, in frames of several sizes; IPv6 needs outer
    fragments for the larger ones."""
    underlay(bed)
    pair(bed)
    bed.ping_both_ways()
    bed.tcp_both_ways(500_000)
    for mtu in (1500, 9000):
        for where in ("a", "b"):
            bed.rtnl(where).set_mtu("e1", mtu)
        bed.ping_both_ways(mtu - 28)
        bed.tcp_both_ways(300_000)
    for where in ("a", "b"):
        check_equal(f"drops in {where}", {
            name: value for name, value in bed.counters(where).items()
            if value and "_drop_" in name}, {})


def test_without_offloads(bed):
    underlay(bed)
    pair(bed)
    for where in ("a", "b"):
        bed.offloads(where, "u", tso=False, gso=False, gro=False, tx=False)
    bed.tcp_both_ways(500_000)


def test_outer_header(bed):
    """Hop limit and traffic class, fixed and inherited."""
    underlay(bed)
    tunnel(bed, ttl=9, tos=0x20)
    frame = inner_ipv4(ttl=5, tos=0x48 | ECT_0)

    def seen():
        data = sent(bed, frame)
        return int.from_bytes(data[:2], "big") >> 4 & 0xff, data[7]

    check_equal("class, hop limit", seen(), (0x20 | ECT_0, 9))
    bed.rtnl("a").change("e1", {"ttl_inherit": 1, "tos": 1})
    check_equal("inherited class, hop limit", seen(), (0x48 | ECT_0, 5))


def test_link_local(bed):
    """A remote of fe80::/10 is another host on each link, so it takes one."""
    underlay(bed)
    for where, other in (("a", "b"), ("b", "a")):
        bed.ip(where, f"addr add fe80::{where}/64 dev u nodad",
               f"neigh replace fe80::{other} lladdr "
               f"{MAC[other].hex(':')} dev u nud permanent")
    good = {"remote": "fe80::b", "link": bed.link("a", "u").index}
    for options in ({**good, "link": 0}, {"remote": "fe80::b"}):
        try:
            tunnel(bed, **options)
        except rtnl.NetlinkError as error:
            check("link-local" in error.message, error.message)
        else:
            check(False, f"{options} was not refused")
    tunnel(bed, address=INNER["a"], **good)
    tunnel(bed, "b", address=INNER["b"], remote="fe80::a",
           link=bed.link("b", "u").index)
    bed.ping_both_ways()
    try:
        bed.rtnl("a").change("e1", {"link": 0})
    except rtnl.NetlinkError as error:
        check("link-local" in error.message, error.message)
    else:
        check(False, "the link was given up")
    bed.ping_both_ways()


def test_local_not_ours(bed):
    """A local address that the host does not have: nothing leaves from it, as
    over IPv4, and frames go when it has come, and no longer when it has
    gone."""
    underlay(bed)
    tunnel(bed, local="fd01::77")

    def no_route(count):
        with bed.wire("a", "e1") as sender:
            sender.send(ARP_REQUEST)
        check_equal("counters", {name: value for name, value
                                 in bed.counters("a").items() if value},
                    {"tx_drop_no_route": count})

    no_route(1)
    bed.ip("a", "addr add fd01::77/64 dev u nodad")
    check_equal("source", sent(bed, ARP_REQUEST)[8:24].hex(),
                "fd01" + "00" * 13 + "77")
    bed.ip("a", "addr del fd01::77/64 dev u")
    no_route(2)


def test_df(bed):
    """df=set forbids fragments here as well; they are made without."""
    underlay(bed)
    tunnel(bed, df=eoip.DF_SET, mtu=1500)
    with bed.wire("a", "e1") as sender, bed.wire("b") as wire:
        sender.send(inner_ipv4(1480))
        until(lambda: bed.counters("a")["tx_drop_exceeds_mtu"] == 1,
              "tx_drop_exceeds_mtu does not become 1")
        bed.rtnl("a").change("e1", {"df": eoip.DF_NO})
        sender.send(inner_ipv4(1480))
        wire.wait_for(lambda data: data[12:14] == b"\x86\xdd"
                      and data[20] == 44, "no fragment arrives")


def test_pmtu(bed):
    """ICMPv6's "too big" about a packet of ours is believed, about another's
    not."""
    underlay(bed)
    tunnel(bed)

    def icmp(quoted, mtu):
        body = struct.pack("!BBHI", 2, 0, 0, mtu) + quoted
        whole = ipv6(b"", proto=58)
        pseudo = whole[8:40] + struct.pack("!II", len(body), 58)
        total = sum(struct.unpack(f"!{len(pseudo + body) // 2}H",
                                  pseudo + body))
        while total >> 16:
            total = (total & 0xffff) + (total >> 16)
        return ipv6(body[:2] + struct.pack("!H", ~total & 0xffff) + body[4:],
                    proto=58)

    def route_mtu():
        shown = bed.exec("a", "ip", "-6", "route", "get", ADDRESS["b"])
        return int(shown.split(" mtu ")[1].split()[0]) \
            if " mtu " in shown else None

    def ours(tunnel_id, src=ADDRESS["a"]):
        return ipv6(eoipv6(inner_ipv4(1400), tunnel_id), src=src,
                    dst=ADDRESS["b"])[:200]

    with injector_of(bed) as injector:
        injector.expect("another id", [icmp(ours(7), 1300)])
        check_equal("the route's MTU", route_mtu(), None)
        injector.expect("another source", [icmp(ours(100, "fd01::66"), 1300)])
        check_equal("the route's MTU", route_mtu(), None)
        injector.expect("less than IPv6 must carry", [icmp(ours(100), 1279)])
        check_equal("the route's MTU", route_mtu(), None)
        injector.expect("our id", [icmp(ours(100), 1300)])
        check_equal("the route's MTU", route_mtu(), 1300)


def test_keepalive(bed):
    """The bare two bytes; silence takes the carrier, and one brings it
    back."""
    underlay(bed)
    tunnel(bed, interval=1, retries=1)
    with bed.wire("b") as wire:
        seen = wire.wait_for(lambda data: data[12:14] == b"\x86\xdd"
                             and data[20] == eoip.IPV6_PROTOCOL,
                             "no keepalive arrives")
        check_equal("packet", seen[54:].hex(), "0364")
        until(lambda: not bed.link("a").carrier, "the carrier stays", 15)
        wire.send(MAC["a"] + MAC["b"] + b"\x86\xdd" + ipv6(eoipv6(b"")))
        until(lambda: bed.link("a").carrier, "the carrier stays away")
    check_equal("rx_keepalives", bed.counters("a")["rx_keepalives"], 1)


def test_external(bed):
    """Routes with `encap ip6`, and what they cannot ask for."""
    underlay(bed)
    bed.tunnel("a", "ext", external=True)
    tunnel(bed, "b", address=INNER["b"])
    mac = {where: bed.link(where, name).address.hex(":")
           for where, name in (("a", "ext"), ("b", "e1"))}
    bed.ip("a", f"addr add {INNER['a']}/32 dev ext",
           f"neigh add {INNER['b']} lladdr {mac['b']} dev ext nud permanent")
    bed.ip("b", f"neigh replace {INNER['a']} lladdr {mac['a']} dev e1")

    def route(tunnel_id):
        done = bed.call("a", "ip", "route", "replace", INNER["b"], "encap",
                        "ip6", "id", str(tunnel_id), "dst", ADDRESS["b"],
                        "hoplimit", "64", "dev", "ext")
        if "LWTUNNEL is not enabled" in done.stderr:
            raise Skip("this kernel has no routes with encap ip6")
        check_equal("ip route encap ip6: stderr", done.stderr, "")

    route(100)
    bed.ping_both_ways()
    bed.tcp_both_ways(300_000)
    route(4096)
    bed.call("a", "ping", "-c", "1", "-W", "0.1", INNER["b"])
    check_equal("tx_drop_key_out_of_range",
                bed.counters("a", "ext")["tx_drop_key_out_of_range"], 1)


def test_mss_rules(bed):
    """A rule may be of IPv6 addresses, and is then of EoIPv6."""
    underlay(bed)
    bed.tunnel("a", "ext", external=True)
    frame = test_mss.over_ipv4(test_mss.mss_option(8960))
    lowered = test_mss.over_ipv4(test_mss.mss_option(1500 - 56 - 40))
    with injector_of(bed, "ext") as injector:
        for packets, fits in (({"remote": ADDRESS["b"], "id": 100}, True),
                              ({"local": ADDRESS["a"]}, True),
                              ({"remote": UNDERLAY["b"], "id": 100}, False),
                              ({"remote": "fd01::3"}, False)):
            test_mss.rule(bed, 0, **packets)
            injector.expect(f"a rule of {packets}", [ipv6(eoipv6(frame))],
                            [frame if fits else lowered])
            test_mss.rule(bed, **packets)
