# SPDX-License-Identifier: Apache-2.0
"""EoIPv6: what is received, and what is not for the tunnel."""

import struct

import eoip
from bed import UNDERLAY
from packets import ARP_REQUEST
from packets import eoip as eoip_packet
from peer import Injector, eoipv6, ipv6, packet
from sandbox import check_equal
from test_ipv6 import (CE, ECT_0, ECT_1, NOT_ECT, injector_of, inner_ipv4,
                       tunnel, underlay)


def test_received(bed):
    """Lengths are IPv6's own: a frame of 14 bytes and more is delivered."""
    underlay(bed)
    tunnel(bed)
    with injector_of(bed) as injector:
        whole = eoipv6((ARP_REQUEST + bytes(100))[:60])
        for size in range(2, 63):
            frame = whole[2:size]
            injector.expect(
                f"{len(frame)} bytes", [ipv6(whole[:size])],
                [frame] if len(frame) >= 14 else [],
                **({"rx_keepalives": 1} if not frame else {
                    "rx_drop_frame_too_short": 1} if len(frame) < 14 else {}))
        injector.expect("padding", [ipv6(eoipv6(ARP_REQUEST)) + bytes(20)],
                        [ARP_REQUEST])
        injector.expect("below the header", [ipv6(whole[:size])
                                             for size in (0, 1)])
        injector.expect("IPv6 cut short", [
            ipv6(whole)[:size] for size in range(100)])


def fragment_header(payload, offset=0, more=0, ident=1):
    return struct.pack("!BBHI", eoip.IPV6_PROTOCOL, 0, offset | more,
                       ident) + payload


def test_extension_headers(bed):
    """They have no business on a tunnel's packets, but for a fragment's."""
    underlay(bed)
    tunnel(bed)
    whole = eoipv6(ARP_REQUEST)
    options = bytes([eoip.IPV6_PROTOCOL, 0, 1, 4, 0, 0, 0, 0])
    with injector_of(bed) as injector:
        for number, what in ((60, "destination"), (0, "hop-by-hop")):
            injector.expect(f"{what} options",
                            [ipv6(options + whole, proto=number)],
                            rx_drop_ip_options=1)
        injector.expect("both", [ipv6(bytes([60]) + options[1:] + options
                                      + whole, proto=0)],
                        rx_drop_ip_options=1)
        injector.expect("options on a keepalive",
                        [ipv6(options + eoipv6(b""), proto=60)],
                        rx_drop_ip_options=1)
        injector.expect("a fragment that is whole",
                        [ipv6(fragment_header(whole), proto=44)],
                        [ARP_REQUEST])
        injector.expect("two fragments", [
            ipv6(fragment_header(whole[:24], more=1), proto=44),
            ipv6(fragment_header(whole[24:], offset=24), proto=44)],
            [ARP_REQUEST])
        # Where connections are tracked, the kernel drops these before us.
        check_equal("options before a fragment: what comes out",
                    injector.delivered([
                        ipv6(bytes([44]) + options[1:]
                             + fragment_header(whole), proto=60)]), [])


def test_not_ours(bed):
    """Other ids, peers, headers and destinations."""
    underlay(bed)
    tunnel(bed)
    with injector_of(bed) as injector:
        injector.expect("ids", [ipv6(eoipv6(ARP_REQUEST, number))
                                for number in (0, 99, 101, 356, 4095)])
        injector.expect("peers", [ipv6(eoipv6(ARP_REQUEST), src=source)
                                  for source in ("fd01::3", "fe80::2")])
        injector.expect("EtherIP and other nibbles", [
            ipv6(bytes([low, 100]) + ARP_REQUEST)
            for low in (0x30, 0x00, 0x02, 0x04, 0x0b)])
        injector.expect("multicast", [ipv6(eoipv6(ARP_REQUEST),
                                           dst="ff02::1")])
        injector.expect("IPv4's EoIP", [ipv6(eoip_packet(ARP_REQUEST))])
        injector.expect("GRE over IPv6", [ipv6(eoip_packet(ARP_REQUEST),
                                               proto=47)])


def test_beside_ipv4(bed):
    """The same id over both, to the same neighbour."""
    underlay(bed)
    tunnel(bed)
    bed.tunnel("a", "e4", remote=UNDERLAY["b"])
    with injector_of(bed) as six, Injector(bed, "e4") as four:
        six.expect("EoIPv6", [ipv6(eoipv6(ARP_REQUEST))], [ARP_REQUEST])
        four.expect("EoIP", [packet(eoip_packet(ARP_REQUEST))],
                    [ARP_REQUEST])
    check_equal("frames of each", [bed.statistics("a", name)["rx_packets"]
                                   for name in ("e1", "e4")], [3, 3])


def test_ecn_received(bed):
    arrives = {
        NOT_ECT: {NOT_ECT: NOT_ECT, ECT_1: NOT_ECT, ECT_0: NOT_ECT, CE: None},
        ECT_0: {NOT_ECT: ECT_0, ECT_1: ECT_1, ECT_0: ECT_0, CE: CE},
        ECT_1: {NOT_ECT: ECT_1, ECT_1: ECT_1, ECT_0: ECT_1, CE: CE},
        CE: {NOT_ECT: CE, ECT_1: CE, ECT_0: CE, CE: CE},
    }
    underlay(bed)
    tunnel(bed)
    with injector_of(bed) as injector:
        for inner, row in arrives.items():
            for mark, seen in row.items():
                data = [ipv6(eoipv6(inner_ipv4(tos=inner)),
                             traffic_class=mark)]
                if seen is None:
                    injector.expect("CE", data, rx_drop_ecn=1)
                else:
                    injector.expect(f"outer {mark:02b}, inner {inner:02b}",
                                    data, [inner_ipv4(tos=seen)])
