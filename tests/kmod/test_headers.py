# SPDX-License-Identifier: Apache-2.0
"""The outer header: TTL, TOS and ECN, DF, and what a path that carries less
does to it."""

import socket
import struct

import eoip
import modules
from bed import INNER, MAC, UNDERLAY
from packets import ARP_REQUEST, checksum, ipv4
from packets import eoip as eoip_packet
from peer import Injector, outer, packet
from sandbox import check, check_equal, until

BROADCAST = b"\xff" * 6
HERE = bytes.fromhex("020000000011")
NOT_ECT, ECT_1, ECT_0, CE = range(4)
DF = 0x4000


def inner_ipv4(size=100, **fields):
    return BROADCAST + HERE + b"\x08\0" + ipv4(
        bytes(size), **{"src": INNER["a"], "dst": INNER["b"], "proto": 253,
                        **fields})


def inner_ipv6(traffic_class=0, hops=64):
    return BROADCAST + HERE + b"\x86\xdd" + struct.pack(
        "!IHBB", 0x60000000 | traffic_class << 20, 8, 59, hops) + bytes(
        15) + b"\1" + bytes(15) + b"\2" + bytes(8)


def tagged(frame):
    return frame[:12] + b"\x81\0\0\x64" + frame[12:]


def test_ttl(bed):
    """A fixed TTL is that of every frame; 0 is the default; or it is the
    frame's own."""
    bed.tunnel("a")
    for ttl in (1, 64, 255):
        bed.rtnl("a").change("e1", {"ttl": ttl})
        for frame in (ARP_REQUEST, inner_ipv4(ttl=7), inner_ipv6(hops=9)):
            check_equal(f"TTL with ttl={ttl}", outer(bed, frame)[8], ttl)
    for options in {"ttl": 0}, {"ttl_inherit": 1, "ttl": 0}, {"ttl_inherit": 0}:
        bed.rtnl("a").change("e1", options)
        inherits = options.get("ttl_inherit")
        check_equal(f"TTL after {options}", outer(bed, inner_ipv4(ttl=7))[8],
                    7 if inherits else eoip.DEFAULTS["ttl"])
    bed.rtnl("a").change("e1", {"ttl_inherit": 1})
    for ttl in (1, 7, 255):
        check_equal("inherited of IPv4", outer(bed, inner_ipv4(ttl=ttl))[8],
                    ttl)
        check_equal("inherited of IPv6", outer(bed, inner_ipv6(hops=ttl))[8],
                    ttl)
        check_equal("inherited of tagged IPv4",
                    outer(bed, tagged(inner_ipv4(ttl=ttl)))[8], ttl)
    check(outer(bed, ARP_REQUEST)[8] != 0, "ARP, which has no TTL, got 0")


def test_tos(bed):
    """A fixed DSCP, or that of the frame; ECN is always the frame's, but for
    CE, which goes out as ECT(0)."""
    bed.tunnel("a")
    for ecn in (NOT_ECT, ECT_1, ECT_0, CE):
        expected = ECT_0 if ecn == CE else ecn
        for tos in (0, 0x20, 0xfc):
            bed.rtnl("a").change("e1", {"tos": tos})
            check_equal(f"TOS, ECN {ecn}, tos={tos}",
                        outer(bed, inner_ipv4(tos=0x48 | ecn))[1],
                        tos | expected)
            check_equal(f"TOS of ARP, tos={tos}", outer(bed, ARP_REQUEST)[1],
                        tos)
        bed.rtnl("a").change("e1", {"tos": 1})
        for frame in (inner_ipv4(tos=0x48 | ecn), inner_ipv6(0x48 | ecn),
                      tagged(inner_ipv4(tos=0x48 | ecn))):
            check_equal(f"inherited TOS, ECN {ecn}", outer(bed, frame)[1],
                        0x48 | expected)
        check_equal("inherited TOS of ARP", outer(bed, ARP_REQUEST)[1], 0)


def test_ecn_received(bed):
    """RFC 6040: congestion reaches the frame if it can carry the mark, else
    the frame is dropped; an outer ECT over a Not-ECT frame does no harm."""
    arrives = {
        NOT_ECT: {NOT_ECT: NOT_ECT, ECT_1: NOT_ECT, ECT_0: NOT_ECT, CE: None},
        ECT_0: {NOT_ECT: ECT_0, ECT_1: ECT_1, ECT_0: ECT_0, CE: CE},
        ECT_1: {NOT_ECT: ECT_1, ECT_1: ECT_1, ECT_0: ECT_1, CE: CE},
        CE: {NOT_ECT: CE, ECT_1: CE, ECT_0: CE, CE: CE},
    }
    bed.tunnel("a")
    with Injector(bed) as injector:
        for inner, row in arrives.items():
            for mark, seen in row.items():
                what = f"outer {mark:02b}, inner {inner:02b}"
                for make in (lambda ecn: inner_ipv4(tos=0x48 | ecn),
                             lambda ecn: inner_ipv6(0x48 | ecn),
                             lambda ecn: tagged(inner_ipv4(tos=0x48 | ecn))):
                    sent = [packet(eoip_packet(make(inner)), tos=mark)]
                    if seen is None:
                        injector.expect(what, sent, rx_drop_ecn=1)
                    else:
                        injector.expect(what, sent, [make(seen)])
                injector.expect(f"{what}, ARP", [packet(
                    eoip_packet(ARP_REQUEST), tos=mark)], [ARP_REQUEST])


def test_df(bed):
    """no, set, inherit."""
    def field(frame):
        return struct.unpack("!H", outer(bed, frame)[6:8])[0]

    frames = {"with DF": inner_ipv4(fragment=DF), "without": inner_ipv4(),
              "ARP": ARP_REQUEST, "IPv6": inner_ipv6(),
              "tagged with DF": tagged(inner_ipv4(fragment=DF)),
              "tagged without": tagged(inner_ipv4())}
    bed.tunnel("a")
    for mode, with_df in {eoip.DF_NO: [], eoip.DF_SET: list(frames),
                          eoip.DF_INHERIT: ["with DF",
                                            "tagged with DF"]}.items():
        bed.rtnl("a").change("e1", {"df": mode})
        for name, frame in frames.items():
            check_equal(f"fragment field, df={mode}, {name}", field(frame),
                        DF if name in with_df else 0)


def fragments(wire):
    """Outer packets of protocol 47 as they come, up to the last piece."""
    pieces = []
    for frame in wire.frames():
        if frame[12:14] == b"\x08\0" and frame[23] == 47:
            field = struct.unpack("!H", frame[20:22])[0]
            pieces.append((field, struct.unpack("!H", frame[16:18])[0],
                           frame[18:20]))
            if not field & 0x2000:
                return pieces
    check(False, f"the last fragment does not arrive; seen {pieces}")
    return pieces


def test_fragmented(bed):
    """A full-size frame over 1500 leaves in two pieces of one packet; with DF
    it does not leave."""
    bed.tunnel("a", mtu=1500)
    frame = inner_ipv4(1480)
    with bed.wire("b") as wire, bed.wire("a", "e1") as sender:
        sender.send(frame)
        check_equal("pieces (fragment field, total length)",
                    [piece[:2] for piece in fragments(wire)],
                    [(0x2000, 1500), (1480 // 8, 20 + 1514 + 8 - 1480)])
        bed.rtnl("a").change("e1", {"df": eoip.DF_SET})
        sender.send(frame)
        until(lambda: bed.counters("a")["tx_drop_exceeds_mtu"] == 1,
              "tx_drop_exceeds_mtu does not become 1")
        statistics = bed.statistics("a")
        check_equal("tx_dropped and tx_errors", statistics["tx_dropped"]
                    + statistics["tx_errors"], 1)
        bed.rtnl("a").change("e1", {"df": eoip.DF_INHERIT})
        sender.send(inner_ipv4(1480, fragment=DF))
        until(lambda: bed.counters("a")["tx_drop_exceeds_mtu"] == 2,
              "tx_drop_exceeds_mtu does not become 2")
        sender.send(frame)
        check_equal("pieces with df=inherit of a frame without",
                    len(fragments(wire)), 2)
    check_equal("tx_drop_exceeds_mtu",
                bed.counters("a")["tx_drop_exceeds_mtu"], 2)


def test_too_long(bed):
    """A tag on a frame of the largest size makes it one that no IPv4 packet
    carries."""
    bed.tunnel("a", mtu=eoip.MTU_MAX)
    with bed.wire("a", "e1") as sender, bed.wire("b") as wire:
        sender.send(tagged(ARP_REQUEST + bytes(eoip.MTU_MAX))[
            :14 + eoip.MTU_MAX + 4])
        until(lambda: bed.counters("a")["tx_drop_frame_too_long"] == 1,
              "tx_drop_frame_too_long does not become 1")
        sender.send((ARP_REQUEST + bytes(eoip.MTU_MAX))[:14 + eoip.MTU_MAX])
        # Whole pieces of 1480 bytes, and the rest of 65515.
        check_equal("pieces of the largest frame", len(fragments(wire)),
                    -(-(14 + eoip.MTU_MAX + 8) // 1480))


def test_malformed(bed):
    """A frame that says that it is IP, and ends before its header does."""
    bed.tunnel("a")
    with bed.wire("a", "e1") as sender:
        for size in (0, 1, 19):
            sender.send(BROADCAST + HERE + b"\x08\0" + inner_ipv4()[
                14:14 + size])
        sender.send(BROADCAST + HERE + b"\x86\xdd" + inner_ipv6()[14:53])
    until(lambda: bed.counters("a")["tx_drop_malformed"] == 4,
          "tx_drop_malformed does not become 4")


def too_big_answer(bed, where):
    """Which MTU a sender with DF at `where` is told, and by whom."""
    with bed.wire(where) as wire:
        bed.call(where, "ping", "-c", "1", "-W", "0.1", "-M", "do", "-s",
                 "1472", INNER["b"])
        answer = wire.wait_for(lambda data: data[12:14] == b"\x08\0"
                               and data[23] == 1 and data[34:36] == b"\3\4",
                               "nobody says that the packet is too big")
    return (struct.unpack("!H", answer[40:42])[0],
            socket.inet_ntoa(answer[26:30]))


def routed(bed):
    """h's packets are routed into the tunnel, which may not fragment."""
    bed.tunnel("a", mtu=1500, df=eoip.DF_SET, address=INNER["a"])
    bed.tunnel("b", mtu=1500, df=eoip.DF_SET, address=INNER["b"])
    bed.add_namespace("h")
    bed.ip("a", f"link add u2 type veth peer name u netns {bed.netns('h')}",
           "link set u2 up", "addr add 10.5.0.1/24 dev u2")
    bed.sysctl("a", "ipv4/ip_forward", 1)
    bed.ip("h", "link set u up", "addr add 10.5.0.2/24 dev u",
           "route add default via 10.5.0.1")
    bed.ip("b", f"route add 10.5.0.0/24 via {INNER['a']}")
    bed.ping("h", INNER["b"])


def test_sender_told_by_router(bed):
    routed(bed)
    check_equal("MTU, router", too_big_answer(bed, "h"), (1458, "10.5.0.1"))
    bed.ping("h", INNER["b"], 1430, True)


def test_sender_told_while_watched(bed):
    """tcpdump on the tunnel (promiscuous) changes nothing of who answers."""
    routed(bed)
    bed.ip("a", "link set e1 promisc on")
    check_equal("MTU, router", too_big_answer(bed, "h"), (1458, "10.5.0.1"))


def test_sender_told_by_bridge(bed):
    """h's frames are bridged into the tunnel, which may not fragment."""
    modules.need("bridge")
    bed.tunnel("a", mtu=1500, df=eoip.DF_SET)
    bed.tunnel("b", mtu=1500, df=eoip.DF_SET, address=INNER["b"])
    bed.add_namespace("h")
    bed.ip("a", "link add br0 type bridge", "link set br0 up",
           "link set e1 master br0",
           f"link add u2 type veth peer name u netns {bed.netns('h')}",
           "link set u2 master br0 up")
    bed.ip("h", "link set u up", "addr add 10.0.0.3/24 dev u")
    bed.ping("h", INNER["b"])
    check_equal("MTU, as if from", too_big_answer(bed, "h"),
                (1458, INNER["b"]))
    bed.ping("h", INNER["b"], 1430, True)


def test_tcp_without_fragments(bed):
    """TCP finds out what a tunnel takes that may not fragment."""
    for where in ("a", "b"):
        bed.tunnel(where, mtu=1500, df=eoip.DF_SET, address=INNER[where])
    bed.tcp_both_ways(300_000)
    check(bed.counters("a")["tx_drop_exceeds_mtu"] > 0,
          "nothing was too big, so that nothing was found out")


def route_mtu(bed):
    shown = bed.exec("a", "ip", "route", "get", UNDERLAY["b"])
    return int(shown.split(" mtu ")[1].split()[0]) if " mtu " in shown else None


def too_big(quoted, mtu, code=4):
    """ICMP from b: destination unreachable, with what it is about."""
    body = struct.pack("!BBHHH", 3, code, 0, 0, mtu) + quoted
    body = body[:2] + struct.pack("!H", checksum(
        body + bytes(len(body) % 2))) + body[4:]
    return packet(body, proto=1)


def sent_packet(payload, **fields):
    """As a would have sent it with DF."""
    return packet(payload, **{"src": UNDERLAY["a"], "dst": UNDERLAY["b"],
                              "fragment": DF, **fields})


def honest(tunnel_id=100, mtu=1000):
    return too_big(sent_packet(eoip_packet(ARP_REQUEST, tunnel_id))[:28], mtu)


def test_pmtu_not_believed(bed):
    """ICMP about packets that we did not send, or that is damaged, does
    nothing to the route."""
    bed.tunnel("a", df=eoip.DF_SET)
    good = eoip_packet(ARP_REQUEST)
    damaged = too_big(sent_packet(good)[:28], 1000)
    lies = {
        "another id": too_big(sent_packet(eoip_packet(ARP_REQUEST, 5))[:28],
                              1000),
        "another magic": too_big(sent_packet(b"\x30" + good[1:])[:28], 1000),
        "another peer": too_big(sent_packet(good, dst="192.0.2.9")[:28],
                                1000),
        "another code": too_big(sent_packet(good)[:28], 1000, code=3),
        "no DF": too_big(sent_packet(good, fragment=0)[:28], 1000),
        "another source": too_big(sent_packet(good, src="192.0.2.66")[:28],
                                  1000),
        "a broadcast": packet(too_big(sent_packet(
            good, src="192.0.2.255")[:28], 1000)[20:], proto=1,
            dst="192.0.2.255"),
        "MTU 0": too_big(sent_packet(good)[:28], 0),
        "a wrong checksum": damaged[:22] + bytes([damaged[22] ^ 1])
        + damaged[23:],
        **{f"{size} bytes quoted": too_big(sent_packet(good)[:size], 1000)
           for size in (0, 8, 19, 20, 24, 27)},
    }
    with Injector(bed) as injector:
        for what, data in lies.items():
            injector.expect(what, [data])
            check_equal(f"the route's MTU after {what}", route_mtu(bed), None)


def test_pmtu_by_df(bed):
    """A tunnel that never sends DF, the default, learns nothing from who says
    that a packet with DF was too big."""
    bed.tunnel("a")
    with Injector(bed) as injector:
        for df, mtu in ((eoip.DF_NO, None), (eoip.DF_INHERIT, 1000)):
            bed.rtnl("a").change("e1", {"df": df})
            injector.expect("too big", [honest()])
            check_equal(f"the route's MTU with df={df}", route_mtu(bed), mtu)


def test_pmtu_of_external(bed):
    """Flows of an external device may send DF, whatever their id."""
    bed.tunnel("a", external=True)
    bed.tunnel("a", "e2", id=2)
    with Injector(bed, "e2", lambda frame: packet(eoip_packet(frame, 2))) \
            as injector:
        without = too_big(sent_packet(eoip_packet(ARP_REQUEST, 7),
                                      fragment=0)[:28], 1000)
        for what, data, mtu in (("df=no", honest(2), None),
                                ("no DF", without, None),
                                ("DF", honest(7), 1000)):
            injector.expect(what, [data])
            check_equal(f"the route's MTU after {what}", route_mtu(bed), mtu)


def test_pmtu_learnt(bed):
    """A router's "too big" makes the path's MTU smaller: the sender of what
    has DF is told, and packets without leave in smaller pieces."""
    bed.tunnel("a", mtu=1400, df=eoip.DF_SET)
    with Injector(bed) as injector, bed.wire("a", "e1") as sender:
        injector.expect("too big", [honest()])
        check_equal("the route's MTU", route_mtu(bed), 1000)
        sender.send(inner_ipv4(1200))
        until(lambda: bed.counters("a")["tx_drop_exceeds_mtu"] == 1,
              "tx_drop_exceeds_mtu does not become 1")
        bed.rtnl("a").change("e1", {"df": eoip.DF_NO})
        sender.send(inner_ipv4(1200))
        sizes = [piece[1] for piece in fragments(injector.underlay)]
        check(len(sizes) == 2 and max(sizes) <= 1000,
              f"pieces of {sizes} bytes over a path of 1000")


def test_no_route(bed):
    """Without a way to the peer frames are dropped by name; a route later
    makes the tunnel work."""
    bed.ip("a", "route del 192.0.2.0/24 dev u")
    bed.tunnel("a")
    with bed.wire("a", "e1") as sender:
        for _ in range(3):
            sender.send(ARP_REQUEST)
    check_equal("counters", {name: value for name, value
                             in bed.counters("a").items() if value},
                {"tx_drop_no_route": 3})
    statistics = bed.statistics("a")
    check_equal("tx_dropped and tx_errors",
                statistics["tx_dropped"] + statistics["tx_errors"], 3)
    bed.ip("a", "route add 192.0.2.0/24 dev u")
    outer(bed, ARP_REQUEST)


def test_route_to_itself(bed):
    """A tunnel whose peer is behind the tunnel drops, and does not loop."""
    bed.tunnel("a", remote=INNER["b"], address=INNER["a"])
    with bed.wire("a", "e1") as sender:
        sender.send(ARP_REQUEST)
    until(lambda: bed.counters("a")["tx_drop_no_route"] > 0,
          "nothing was dropped as tx_drop_no_route")


def test_source_address(bed):
    """local says which address packets come from, else the route does; link
    says by which device they leave."""
    bed.ip("a", "addr add 192.0.2.77/24 dev u")
    bed.tunnel("a", local="192.0.2.77")
    check_equal("source", socket.inet_ntoa(outer(bed, ARP_REQUEST)[12:16]),
                "192.0.2.77")
    bed.rtnl("a").change("e1", {"local": "0.0.0.0"})
    check_equal("source by route",
                socket.inet_ntoa(outer(bed, ARP_REQUEST)[12:16]),
                UNDERLAY["a"])
    bed.ip("a", "link add d1 type dummy", "link set d1 up",
           "route add 192.0.2.2/32 dev d1")
    bed.rtnl("a").change("e1", {"link": bed.link("a", "u").index})
    outer(bed, ARP_REQUEST)
    with bed.wire("a", "d1") as wire, bed.wire("a", "e1") as sender:
        bed.rtnl("a").change("e1", {"link": bed.link("a", "d1").index})
        bed.ip("a", f"neigh add 192.0.2.2 lladdr {MAC['b'].hex(':')} dev d1")
        sender.send(ARP_REQUEST)
        wire.wait_for(lambda data: data[23] == 47,
                      "no packet leaves by the device that link names",
                      outgoing=True)
