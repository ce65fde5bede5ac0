# SPDX-License-Identifier: Apache-2.0
"""The maximum segment size in SYNs that come out of a tunnel: lowered to what
fits the tunnel, and nothing else is touched."""

import struct

import eoip
from bed import INNER, UNDERLAY
from packets import checksum
from packets import eoip as eoip_packet
from packets import ipv4
from peer import Injector, packet
from sandbox import check_equal
from test_options import refusal

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
    """Tunnel MTU - 40, IPv6 - 60, a VLAN tag - 4, wherever the option
    stands."""
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
                        over_ipv4(before + mss_option(MTU - 40 - len(tag))
                                  + after, tag))
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


BIG = over_ipv4(mss_option(8960))
LOWERED = over_ipv4(mss_option(MTU - 40))


def rule(bed, clamp=None, **packets):
    """Of a's device ext: without `clamp` it is forgotten."""
    if clamp is not None:
        packets["clamp_mss"] = clamp
    bed.rtnl("a").change("ext", {"mss_rule": packets})


def test_rules(bed):
    """The most exact rule that fits decides, whatever else there is; where
    none is left, the device's own setting."""
    bed.tunnel("a", "ext", external=True)
    # Any packets; those to an address, from an address, and of an id.
    wider = [{key: value for key, value in (
        ("id", 100), ("remote", UNDERLAY["b"]), ("local", UNDERLAY["a"]))
        if key in keys} for keys in (
            "", "local", "remote", "remote local", "id", "id local",
            "id remote", "id remote local")]

    def check_rule(injector, what, clamp):
        check_clamped(injector, what, BIG, LOWERED if clamp else BIG)

    with Injector(bed, "ext") as injector:
        for own in (1, 0):
            bed.rtnl("a").change("ext", {"clamp_mss": own})
            check_rule(injector, "without rules", own)
            for number, packets in enumerate(wider):
                rule(bed, (number + 1 + own) % 2, **packets)
                check_rule(injector, f"{packets} among wider ones",
                           (number + 1 + own) % 2)
            for other in ({"id": 101}, {"remote": "192.0.2.3", "id": 100},
                          {"local": "192.0.2.9", "id": 100}):
                rule(bed, 0, **other)
                rule(bed, 1, **other)
                check_rule(injector, f"beside {other}", own)
                rule(bed, **other)
            for number, packets in reversed(list(enumerate(wider))):
                check_rule(injector, f"{packets} is left",
                           (number + 1 + own) % 2)
                rule(bed, **packets)
            check_rule(injector, "rules that are gone", own)
            rule(bed, **wider[0])


def test_rules_changed(bed):
    """A rule can be changed and forgotten; another id is no business of it;
    a device that is made anew has none."""
    bed.tunnel("a", "ext", external=True)
    with Injector(bed, "ext") as injector:
        rule(bed, 0, id=0)
        check_clamped(injector, "a rule of id 0", BIG, LOWERED)
        for clamp in (0, 1, 0):
            rule(bed, clamp, id=100)
            check_clamped(injector, f"changed to {clamp}", BIG,
                          LOWERED if clamp else BIG)
        injector.expect("id 101", [packet(eoip_packet(BIG, 101))], [LOWERED])
    bed.rtnl("a").delete("ext")
    bed.tunnel("a", "ext", external=True)
    with Injector(bed, "ext") as injector:
        check_clamped(injector, "a new device", BIG, LOWERED)


def test_rules_refused(bed):
    """One sentence each, and the rule that was there stays."""
    bed.tunnel("a", "ext", external=True)
    bed.tunnel("a", "e1", remote="192.0.2.77")
    refusal("a rule at creation", bed.rtnl("b").add, "ext",
            options={"external": True, "mss_rule": {"id": 1, "clamp_mss": 0}},
            words=["mss-rule", "external"])
    refusal("a rule of another kind of device", bed.rtnl("a").change, "e1",
            {"mss_rule": {"id": 1, "clamp_mss": 0}},
            words=["mss-rule", "external"])
    rule(bed, 0, id=100)
    refusal("two changes", bed.rtnl("a").change, "ext",
            {"mss_rule": {"id": 100, "clamp_mss": 1}, "clamp_mss": 0},
            words=["mss-rule", "clamp-mss"])
    for what, packets, words in (
            ("id", {"id": 65536}, ["id", "65535"]),
            ("remote", {"remote": "224.0.0.1"}, ["remote", "unicast"]),
            ("local", {"local": "255.255.255.255"}, ["local", "unicast"]),
            ("an address of 5 bytes", {"remote": bytes(5)}, ["remote"])):
        refusal(what, bed.rtnl("a").change, "ext",
                {"mss_rule": {"id": 100, "clamp_mss": 1, **packets}},
                words=words)
    refusal("clamp_mss", bed.rtnl("a").change, "ext",
            {"mss_rule": {"id": 100, "clamp_mss": 2}}, words=["mss"])
    for what, value in (
            ("ttl", {"id": 100, "clamp_mss": 1, "ttl": 3}),
            ("another rule", {"id": 100, "clamp_mss": 1,
                              "mss_rule": {"id": 1}}),
            ("half an id", {"id": b"\0\0", "clamp_mss": 1}),
            ("half an address", {"remote": b"\0\0", "clamp_mss": 1})):
        refusal(f"{what} in a rule", bed.rtnl("a").change, "ext",
                {"mss_rule": value}, ours=False)
    refusal("a rule without the mark of a nest", bed.rtnl("a").change, "ext",
            {eoip.ATTRIBUTES["mss_rule"][0]: b""}, ours=False)
    with Injector(bed, "ext") as injector:
        check_clamped(injector, "as before", BIG, BIG)


def test_rules_limit(bed):
    """As many as there are ids, and not one more."""
    bed.tunnel("a", "ext", external=True)
    for number in range(eoip.MSS_RULES_MAX):
        rule(bed, 0, id=number)
    refusal("one too many", rule, bed, 0, remote=UNDERLAY["b"],
            words=["65536"], code="ENOSPC")
    with Injector(bed, "ext") as injector:
        check_clamped(injector, "among all ids", BIG, BIG)
        rule(bed, 1, id=100)
        check_clamped(injector, "changed among all", BIG, LOWERED)
    rule(bed, id=7)
    rule(bed, 0, remote=UNDERLAY["b"])
