# SPDX-License-Identifier: Apache-2.0
"""The bytes on the wire, compared with what RouterOS sends and with the
vectors that the userspace datapath runs as well."""

import socket
import struct

import eoip
from bed import UNDERLAY
from packets import (ARP_IN_TUNNEL_100, ARP_REQUEST,
                     KEEPALIVE_OF_TUNNEL_100, checksum, ipv4)
from packets import eoip as eoip_packet
from peer import Injector, outer
from sandbox import check, check_equal
from vectors import all_vectors


def test_sent_bytes(bed):
    """An ARP request leaves as RouterOS sends it."""
    bed.tunnel("a")
    idents = set()
    for _ in range(3):
        data = outer(bed, ARP_REQUEST)
        check_equal("EoIP packet", data[20:].hex(), ARP_IN_TUNNEL_100.hex())
        check_equal("header length, TOS, total length", data[:4].hex(),
                    "45000046")
        check_equal("fragment field", data[6:8].hex(), "0000")
        check_equal("TTL, protocol", data[8:10].hex(), "402f")
        check_equal("addresses", data[12:20],
                    socket.inet_aton(UNDERLAY["a"])
                    + socket.inet_aton(UNDERLAY["b"]))
        check_equal("checksum over the header", checksum(data[:20]), 0)
        idents.add(data[4:6])
    check(b"\0\0" not in idents and len(idents) == 3,
          f"IP ids {sorted(ident.hex() for ident in idents)}: the packets may "
          "be fragmented later, and need different ones")


def test_ids_sent(bed):
    """The tunnel id is little-endian, the length big-endian."""
    for tunnel_id, text in {0: "0000", 1: "0100", 100: "6400", 255: "ff00",
                            256: "0001", 1234: "d204",
                            65535: "ffff"}.items():
        bed.tunnel("a", id=tunnel_id)
        data = outer(bed, ARP_REQUEST)
        check_equal(f"EoIP header of id {tunnel_id}", data[20:28].hex(),
                    "20016400002a" + text)
        bed.rtnl("a").delete("e1")


def test_lengths_sent(bed):
    """Frames of 14 bytes to the MTU's; none is padded."""
    bed.ip("a", "link set u mtu 9000")
    bed.ip("b", "link set u mtu 9000")
    bed.tunnel("a", mtu=8000)
    for size in (14, 15, 42, 59, 60, 255, 256, 1514, 8014):
        frame = (ARP_REQUEST + bytes(9000))[:size]
        data = outer(bed, frame)
        check_equal(f"EoIP packet of a frame of {size}", data[20:].hex(),
                    (b"\x20\x01\x64\x00" + struct.pack(">H", size)
                     + b"\x64\x00" + frame).hex())


def test_vlan_sent(bed):
    """Tags travel inside the frame, one or two."""
    bed.tunnel("a")
    for tags in ("81000064", "88a8000a81000064"):
        frame = ARP_REQUEST[:12] + bytes.fromhex(tags) + ARP_REQUEST[12:]
        data = outer(bed, frame)
        check_equal(f"frame with {tags}", data[28:].hex(), frame.hex())


def set_underlay(bed, source, destination):
    """a has the vector's destination, its tunnel the vector's source."""
    bed.ip("a", "addr flush dev u", f"addr add {destination}/32 dev u",
           "route replace default dev u")


def test_vectors(bed):
    """What the vectors say comes of every packet, no more and no less."""
    vectors = all_vectors()
    done = 0
    for vector in vectors:
        if vector.expect == "martian":
            continue  # The kernel's to drop, with what marks the end of them.
        source, destination = (socket.inet_ntoa(vector.packet[n:n + 4])
                               if len(vector.packet) >= 20
                               else ("192.0.2.1", "198.51.100.2")[n // 16]
                               for n in (12, 16))
        key = 100 if vector.key is None else vector.key
        set_underlay(bed, source, destination)
        bed.tunnel("a", id=key, remote=source)
        with Injector(bed, wrap=lambda frame: ipv4(
                eoip_packet(frame, key), source, destination)) as injector:
            counters = {}
            if vector.expect == "keepalive":
                counters = {"rx_keepalives": 1}
            elif f"rx_drop_{vector.expect}" in bed.counters("a"):
                counters = {f"rx_drop_{vector.expect}": 1}
            injector.expect(vector.name, [vector.packet],
                            [vector.frame()] if vector.expect == "frame"
                            else [], **counters)
        bed.rtnl("a").delete("e1")
        done += 1
    check(done > 40, f"only {done} vectors")
    return f"{done} vectors"


def test_keepalive_bytes(bed):
    """A keepalive is the header alone."""
    bed.tunnel("a", up=False, interval=1, retries=3)
    with bed.wire("b") as wire:
        bed.rtnl("a").up("e1")
        seen = wire.wait_for(lambda data: data[23] == 47,
                             "no keepalive arrives")
    check_equal("protocol's bytes", seen[34:].hex(),
                KEEPALIVE_OF_TUNNEL_100.hex())
    check_equal("header length, TOS, total length", seen[14:18].hex(),
                "4500001c")
    check_equal("checksum", checksum(seen[14:34]), 0)


def test_statistics(bed):
    """Frames and their bytes, at both ends alike."""
    bed.pair()
    bed.ip("a", "addr flush dev e1")
    bed.ip("b", "addr flush dev e1")
    before = {where: bed.statistics(where) for where in "ab"}
    sizes = [14, 42, 60, 100, 1000, 1472] * 10
    with bed.wire("a", "e1") as sender, bed.wire("b", "e1") as receiver:
        for size in sizes:
            sender.send((ARP_REQUEST + bytes(1500))[:size])
        seen = 0
        for _ in receiver.frames():
            seen += 1
            if seen == len(sizes):
                break
    check_equal("frames that arrived", seen, len(sizes))
    for where, way in (("a", "tx"), ("b", "rx")):
        after = bed.statistics(where)
        moved = {name: after[name] - before[where][name] for name in after
                 if after[name] != before[where][name]}
        check_equal(f"statistics at {where}", moved,
                    {f"{way}_packets": len(sizes),
                     f"{way}_bytes": sum(sizes)})
    check_equal("counters at a", {name: value for name, value
                                  in bed.counters("a").items() if value}, {})


def test_counters_named(bed):
    """`ethtool -S` shows every drop that the header lists, and no other."""
    bed.tunnel("a")
    check_equal("counters", list(bed.counters("a")), eoip.COUNTERS)
    text = bed.exec("a", "ethtool", "-S", "e1")
    for name in eoip.COUNTERS:
        check(f" {name}: 0" in text, f"ethtool -S does not show {name}")
