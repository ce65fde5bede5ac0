# SPDX-License-Identifier: Apache-2.0
"""The MSS of TCP connections through the tunnel, seen at the host.

    host-a -- [br0 e1 | br-phy] == underlay == b (this test, no switch)

The underlay's MTU is 1500, so that a packet with a frame of 1458 + 14 bytes
fits: an MSS of 1418 over IPv4, 1398 over IPv6, and less by the bytes of VLAN
tags.  EoIPv6 has 14 bytes less."""

import socket
import struct

from sandbox import (ADDRESS, ADDRESS6, DATAPATH, UNDERLAY_DEVICE, Failure,
                     check_equal, until)
from packets import checksum, eoip, eoipv6, ethernet, ipv4, ipv6

UP = ["--plain-b"]

SOURCE = bytes.fromhex("0200000000ff")
VLAN = bytes.fromhex("81000005")


def tcp(pseudo, flags=0x02, options=struct.pack("!BBH", 2, 4, 1460)):
    segment = struct.pack("!HHIIBBHHH", 12345, 80, 1, 0,
                          (20 + len(options)) // 4 << 4, flags, 64240, 0,
                          0) + options
    value = checksum(pseudo + struct.pack("!HH", 6, len(segment)) + segment)
    return segment[:16] + struct.pack("!H", value) + segment[18:]


def addresses(family):
    here, there = {socket.AF_INET: ("10.0.0.1", "10.0.0.9"),
                   socket.AF_INET6: ("2001:db8::1", "2001:db8::9")}[family]
    return socket.inet_pton(family, there) + socket.inet_pton(family, here)


def frame(sandbox, family, tag=b"", **fields):
    segment = tcp(addresses(family), **fields)
    if family == socket.AF_INET:
        packet = ipv4(segment, src="10.0.0.9", dst="10.0.0.1", proto=6)
        kind = b"\x08\x00"
    else:
        packet = struct.pack("!IHBB", 6 << 28, len(segment), 6, 64)
        packet += addresses(family) + segment
        kind = b"\x86\xdd"
    return sandbox.mac("host-a") + SOURCE + tag + kind + packet


def received(sandbox, family, tag=b"", over_ipv6=False, key=100, **fields):
    """The TCP header that host-a sees; its checksum is right."""
    sent = frame(sandbox, family, tag, **fields)
    mac = sandbox.mac("a", UNDERLAY_DEVICE)
    sandbox.set_neighbour("a", ADDRESS["b"], "02:00:00:00:01:0b")
    with sandbox.wire("host-a") as host, sandbox.wire("b") as underlay:
        underlay.send(ethernet(ipv6(eoipv6(sent, key)), mac, kind=0x86dd)
                      if over_ipv6 else ethernet(ipv4(eoip(sent, key)), mac))
        seen = host.wait_for(lambda seen: seen[6:12] == SOURCE,
                             "host-a sees nothing")
    header = 14 + len(tag) + (20 if family == socket.AF_INET else 40)
    segment = seen[header:]
    check_equal("checksum", checksum(
        addresses(family) + struct.pack("!HH", 6, len(segment)) + segment), 0)
    check_equal("all before TCP", seen[:header].hex(), sent[:header].hex())
    return segment


def mss(segment):
    return struct.unpack("!H", segment[22:24])[0]


# RouterOS: clamp-tcp-mss
def test_clamped(sandbox):
    """IPv4 and IPv6, with and without a VLAN tag, SYN and SYN ACK."""
    sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=100)
    for tag in b"", VLAN:
        for flags in 0x02, 0x12:
            for family, fits in ((socket.AF_INET, 1418),
                                 (socket.AF_INET6, 1398)):
                segment = received(sandbox, family, tag, flags=flags)
                check_equal(f"MSS, family {family}, tag {tag.hex()}, flags "
                            f"{flags:#x}", mss(segment), fits - len(tag))


def test_clamped_over_ipv6(sandbox):
    """The headers around the frame are longer: 56 bytes with Ethernet's."""
    sandbox.add_tunnel("a", remote_ip=ADDRESS6["b"], key=100)
    for family, fits in (socket.AF_INET, 1404), (socket.AF_INET6, 1384):
        segment = received(sandbox, family, over_ipv6=True)
        check_equal(f"MSS, family {family}", mss(segment), fits)


def test_left_alone(sandbox):
    """What fits, and what is no SYN."""
    sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=100)
    small = struct.pack("!BBH", 2, 4, 1300)
    check_equal("a small MSS", mss(received(sandbox, socket.AF_INET,
                                            options=small)), 1300)
    check_equal("the option in an ACK", mss(received(
        sandbox, socket.AF_INET, flags=0x10)), 1460)


def set_clamp(sandbox, port, value):
    sandbox.vsctl("a", "set", "interface", port,
                  f"options:clamp_tcp_mss={value}")


def mss_of(sandbox, key=100, **how):
    return mss(received(sandbox, socket.AF_INET, key=key, **how))


def check_soon(what, measure, expected):
    """The kernel is told just after ovs-vsctl was."""
    try:
        until(lambda: measure() == expected, what)
    except Failure:
        check_equal(what, measure(), expected)
        raise


def test_switched_off(sandbox):
    """clamp_tcp_mss=false."""
    sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=100,
                       clamp_tcp_mss="false")
    for family in socket.AF_INET, socket.AF_INET6:
        check_soon("MSS", lambda: mss(received(sandbox, family)), 1460)


def test_switched_off_for_some(sandbox):
    """Each port as it says, also beside one for all the others, and from the
    moment that it says so."""
    sandbox.add_tunnel("a", "e1", remote_ip=ADDRESS["b"], key=100)
    sandbox.add_tunnel("a", "e2", remote_ip=ADDRESS["b"], key=101,
                       local_ip=ADDRESS["a"])
    sandbox.add_tunnel("a", "e3", remote_ip="flow", key="flow",
                       clamp_tcp_mss="false")

    def all_three():
        return [mss_of(sandbox, key) for key in (100, 101, 102)]

    check_soon("MSS at e1, e2, e3", all_three, [1418, 1418, 1460])
    set_clamp(sandbox, "e1", "false")
    check_soon("MSS without e1's", all_three, [1460, 1418, 1460])
    set_clamp(sandbox, "e3", "true")
    check_soon("MSS with e3's", all_three, [1460, 1418, 1418])
    set_clamp(sandbox, "e1", "true")
    set_clamp(sandbox, "e2", "false")
    check_soon("MSS without e2's", all_three, [1418, 1460, 1418])
    # What is gone has no more to say: the packets are e3's now.
    sandbox.vsctl("a", "del-port", "br0", "e2")
    until(lambda: mss_of(sandbox, 101) == 1418, "e2 is gone and not forgotten")


def test_switched_off_over_ipv6(sandbox):
    """Of two ports with one key, the one of IPv6."""
    sandbox.add_tunnel("a", "e1", remote_ip=ADDRESS["b"], key=100)
    sandbox.add_tunnel("a", "e2", remote_ip=ADDRESS6["b"], key=100,
                       clamp_tcp_mss="false")
    check_soon("MSS over IPv6", lambda: mss_of(sandbox, over_ipv6=True), 1460)
    check_soon("MSS over IPv4", lambda: mss_of(sandbox), 1418)


def test_switched_off_for_good(sandbox):
    """Also after a restart, and when the device of the kernel was made anew
    with the last port's going."""
    sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=100,
                       clamp_tcp_mss="false")
    sandbox.restart("a")
    check_soon("MSS after a restart", lambda: mss_of(sandbox), 1460)
    # What the kernel was told before does not outlive a change that is made
    # while nobody could tell it.
    sandbox.kill_vswitchd("a")
    until(lambda: sandbox.vswitchd_pid("a") is None, "it is still there")
    sandbox.vsctl("a", "--no-wait", "set", "interface", "e1",
                  "options:clamp_tcp_mss=true")
    sandbox.restart("a")
    check_soon("MSS after a change without ovs-vswitchd",
               lambda: mss_of(sandbox), 1418)
    sandbox.vsctl("a", "del-port", "br0", "e1")
    sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=100)
    check_soon("MSS of another port", lambda: mss_of(sandbox), 1418)
    sandbox.vsctl("a", "del-port", "br0", "e1")
    sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=100,
                       clamp_tcp_mss="false")
    check_soon("MSS of the first one again", lambda: mss_of(sandbox), 1460)


def set_underlay_mtu(sandbox, mtu):
    if DATAPATH == "netdev":
        sandbox.vsctl("a", "set", "interface", "br-phy", f"mtu_request={mtu}")
    else:
        sandbox.exec("a", "ip", "link", "set", UNDERLAY_DEVICE, "mtu",
                     str(mtu))


def test_follows_the_underlay(sandbox):
    """A smaller MTU of the underlay, a smaller MSS."""
    sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=100)
    set_underlay_mtu(sandbox, 1400)
    try:
        # The MTU is learned from what the tunnel sends.
        with sandbox.wire("host-a") as host, sandbox.wire("b") as underlay:
            host.send(b"\xff" * 6 + sandbox.mac("host-a") + b"\x88\xb5"
                      + bytes(50))
            underlay.wait_for(lambda packet: packet[54:56] == b"\x88\xb5",
                              "nothing is sent")
        check_equal("MSS", mss(received(sandbox, socket.AF_INET)), 1318)
    finally:
        set_underlay_mtu(sandbox, 1500)
