# SPDX-License-Identifier: Apache-2.0
"""The maximum segment size in SYNs that come out of a tunnel: lowered to what
fits the tunnel, and nothing else is touched."""

import struct

from bed import INNER, UNDERLAY
from packets import checksum
from packets import eoip as eoip_packet
from packets import ipv4
from peer import Injector, packet
from sandbox import check_equal

ETHERNET = b"\xff" * 6 + bytes.fromhex("020000000011")
SYN, ACK = 2, 16
MTU = 1458
IPV6_ADDRESSES = bytes(15) + b"\1" + bytes(15) + b"\2"


def mss_option(size):
    return struct.pack("!BBH", 2, 4, size)


def tcp(options, pseudo, flags=SYN, data_offset=None):
    words = 5 + len(options) // 4 if data_offset is None else data_offset
    header = struct.pack("!HHIIBBHHH", 1000, 80, 1, 0, words << 4, flags,
                         65535, 0, 0) + options
    whole = pseudo + struct.pack("!HH", 6, len(header)) + header
    value = checksum(whole + bytes(len(whole) % 2))
    return header[:16] + struct.pack("!H", value) + header[18:]


def over_ipv4(options, tag=b"", fragment=0, cut=None, **fields):
    header = ipv4(b"", INNER["b"], INNER["a"])
    segment = tcp(options, header[12:20], **fields)[:cut]
    return ETHERNET + tag + b"\x08\0" + ipv4(
        segment, INNER["b"], INNER["a"], proto=6, fragment=fragment)


def over_ipv6(options, extension=False):
    segment = tcp(options, IPV6_ADDRESSES)
    if extension:
        segment = b"\6\0\1\4" + bytes(4) + segment
    return ETHERNET + b"\x86\xdd" + struct.pack(
        "!IHBB", 6 << 28, len(segment), 0 if extension else 6,
        64) + IPV6_ADDRESSES + segment


def check_clamped(injector, what, frame, expected):
    """Another MSS and a checksum to match, or nothing at all."""
    injector.expect(what, [packet(eoip_packet(frame))], [expected])


def test_clamped(bed):
    """Tunnel MTU - 40, IPv6 - 60, wherever the option stands."""
    bed.tunnel("a")
    check_equal("MTU", bed.link("a").mtu, MTU)
    with Injector(bed) as injector:
        for size in (MTU - 39, 1460, 8960, 65535):
            for before, after in ((b"", b""), (b"\1\1\1\1", b""),
                                  (b"\1", b"\1\1\1"), (b"\1\1\1", b"\0"),
                                  (b"\3\3\7", b"\1"), (b"\4\2", b"\1\1"),
                                  (b"\x08\x0a" + bytes(8), b"\1\1")):
                for tag in (b"", b"\x81\0\0\5"):
                    check_clamped(
                        injector, f"MSS {size} behind {before.hex()}",
                        over_ipv4(before + mss_option(size) + after, tag),
                        over_ipv4(before + mss_option(MTU - 40) + after, tag))
            check_clamped(injector, f"MSS {size} of SYN+ACK",
                          over_ipv4(mss_option(size), flags=SYN | ACK),
                          over_ipv4(mss_option(MTU - 40), flags=SYN | ACK))
            if size > MTU - 60:
                for extension in (False, True):
                    check_clamped(injector, f"MSS {size} over IPv6",
                                  over_ipv6(mss_option(size), extension),
                                  over_ipv6(mss_option(MTU - 60), extension))


def test_follows_the_mtu(bed):
    bed.tunnel("a")
    with Injector(bed) as injector:
        for mtu in (576, 1000, 1500):
            bed.rtnl("a").set_mtu("e1", mtu)
            check_clamped(injector, f"MTU {mtu}", over_ipv4(mss_option(9000)),
                          over_ipv4(mss_option(mtu - 40)))


def test_left_alone(bed):
    """What is small enough, is no SYN, or makes no sense."""
    bed.tunnel("a")
    big = mss_option(1460)
    frames = {
        "small enough": over_ipv4(mss_option(MTU - 40)),
        "tiny": over_ipv4(mss_option(0)),
        "no option": over_ipv4(b""),
        "no SYN": over_ipv4(big, flags=ACK),
        "behind the end of options": over_ipv4(b"\0\0\0\0" + big),
        "an option of length 0": over_ipv4(b"\5\0\1\1" + big),
        "an option of length 1": over_ipv4(b"\5\1\1\1" + big),
        "an option that is too long": over_ipv4(b"\5\x28\1\1" + big),
        "an MSS of length 3": over_ipv4(struct.pack("!BBHB", 2, 3, 1460, 1)
                                        + b"\1\1\1"),
        "an MSS cut short": over_ipv4(b"\1\1\2\4"),
        "a header length below 5": over_ipv4(big, data_offset=4),
        "a header length beyond the frame": over_ipv4(big, data_offset=15),
        "a later fragment": over_ipv4(big, fragment=8),
        **{f"TCP cut at {size}": over_ipv4(big, cut=size)
           for size in range(0, 24)},
    }
    with Injector(bed) as injector:
        for what, frame in frames.items():
            check_clamped(injector, what, frame, frame)


def test_switched_off(bed):
    bed.tunnel("a", clamp_mss=0)
    frame = over_ipv4(mss_option(8960))
    with Injector(bed) as injector:
        check_clamped(injector, "off", frame, frame)
        bed.rtnl("a").change("e1", {"clamp_mss": 1})
        check_clamped(injector, "on", frame, over_ipv4(mss_option(MTU - 40)))
        bed.rtnl("a").change("e1", {"clamp_mss": 0})
        check_clamped(injector, "off again", frame, frame)


def test_external(bed):
    """There it is the route back to the peer that says what fits."""
    bed.tunnel("a", "ext", external=True)
    with Injector(bed, "ext") as injector:
        check_clamped(injector, "over 1500", over_ipv4(mss_option(8960)),
                      over_ipv4(mss_option(MTU - 40)))
        bed.ip("a", f"route add {UNDERLAY['b']}/32 dev u mtu 1000")
        check_clamped(injector, "over 1000", over_ipv4(mss_option(8960)),
                      over_ipv4(mss_option(1000 - 42 - 40)))
