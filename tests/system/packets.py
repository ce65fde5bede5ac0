# SPDX-License-Identifier: Apache-2.0
"""Packets written down byte by byte, independently of the code under test.

The layout is EoIP's as captured from RouterOS: 20 01 64 00, the length of the
frame big-endian, the tunnel id little-endian, the frame."""

import socket
import struct

MAGIC = bytes.fromhex("20016400")

# An ARP request as it was seen in tunnel 100 between two RouterOS routers.
ARP_REQUEST = bytes.fromhex("ffffffffffff fe7d4189df2a 0806"
                            "0001080006040001 fe7d4189df2a 0aff0001"
                            "000000000000 0aff0002")
ARP_IN_TUNNEL_100 = bytes.fromhex("20016400002a6400") + ARP_REQUEST
KEEPALIVE_OF_TUNNEL_100 = bytes.fromhex("2001640000006400")


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def eoip(frame, tunnel_id=100, length=None, magic=MAGIC):
    length = len(frame) if length is None else length
    return magic + struct.pack(">H", length) + struct.pack(
        "<H", tunnel_id) + frame


def ipv4(payload, src="192.0.2.2", dst="192.0.2.1", proto=47, ttl=255, tos=0,
         ident=0x6700, fragment=0, options=b"", wrong_checksum=False):
    """`fragment` is the whole field: 0x4000 DF, 0x2000 MF, offset / 8."""
    header_size = 20 + len(options)
    header = struct.pack("!BBHHHBBH4s4s", 0x40 | header_size // 4, tos,
                         header_size + len(payload), ident, fragment, ttl,
                         proto, 0, socket.inet_aton(src),
                         socket.inet_aton(dst)) + options
    value = checksum(header) ^ (0x1 if wrong_checksum else 0)
    return header[:10] + struct.pack("!H", value) + header[12:] + payload


def eoipv6(frame, tunnel_id=100):
    return bytes([tunnel_id >> 8 << 4 | 3, tunnel_id & 0xff]) + frame


def ipv6(payload, src="2001:db8::2", dst="2001:db8::1", proto=97, hops=255,
         traffic_class=0):
    return struct.pack("!IHBB", 6 << 28 | traffic_class << 20, len(payload),
                       proto, hops) + socket.inet_pton(
        socket.AF_INET6, src) + socket.inet_pton(
        socket.AF_INET6, dst) + payload


def ethernet(payload, dst, src=bytes.fromhex("02000000010b"), kind=0x0800):
    return dst + src + struct.pack("!H", kind) + payload


def tcp(data, sequence, src="10.9.0.2", dst="10.9.0.1"):
    """An IPv4 packet with a segment of one TCP connection."""
    header = struct.pack("!HHIIBBHHH", 1000, 80, sequence, 1, 0x50, 0x10,
                         8192, 0, 0)
    pseudo = ipv4(b"", src, dst)[12:20] + struct.pack("!HH", 6, 20 + len(data))
    value = checksum(pseudo + header + data + bytes(len(data) % 2))
    return ipv4(header[:16] + struct.pack("!H", value) + header[18:] + data,
                src, dst, proto=6, fragment=0x4000)
