# SPDX-License-Identifier: Apache-2.0
"""Encapsulated packets around one inner frame, and pcap files of them."""

import ipaddress
import struct

LOCAL_MAC = "02:00:00:00:00:01"
REMOTE_MAC = "02:00:00:00:00:02"
LOCAL_IP = "192.0.2.1"
REMOTE_IP = "192.0.2.2"

GRE, UDP = 47, 17


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ipv4(protocol, payload, source, destination):
    def header(csum):
        return struct.pack(
            "!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol,
            csum, ipaddress.IPv4Address(source).packed,
            ipaddress.IPv4Address(destination).packed)
    return header(checksum(header(0))) + payload


def ethernet(payload, destination=LOCAL_MAC, source=REMOTE_MAC):
    return mac(destination) + mac(source) + b"\x08\x00" + payload


def udp(port, payload):
    return struct.pack("!HHHH", 49152, port, 8 + len(payload), 0) + payload


def inner_frame(size):
    """An Ethernet frame of that size (no FCS) with a UDP datagram."""
    datagram = udp(9, bytes(size - 14 - 20 - 8))
    return ethernet(ipv4(UDP, datagram, "10.0.0.2", "10.0.0.1"),
                    "02:00:00:00:01:01", "02:00:00:00:01:02")


def encapsulate(kind, tunnel_id, frame):
    """The packet that a peer at REMOTE_IP sends to LOCAL_IP."""
    if kind == "none":
        return frame
    if kind == "gre":
        protocol, packet = GRE, struct.pack("!HHI", 0x2000, 0x6558, tunnel_id)
    elif kind == "eoip":
        protocol, packet = GRE, (bytes.fromhex("20016400")
                                 + struct.pack("!H", len(frame))
                                 + struct.pack("<H", tunnel_id))
    elif kind == "vxlan":
        protocol, packet = UDP, struct.pack("!BxxxI", 8, tunnel_id << 8)
    elif kind == "geneve":
        protocol, packet = UDP, struct.pack("!xxHI", 0x6558, tunnel_id << 8)
    else:
        raise ValueError(kind)
    packet += frame
    if protocol == UDP:
        packet = udp({"vxlan": 4789, "geneve": 6081}[kind], packet)
    return ethernet(ipv4(protocol, packet, REMOTE_IP, LOCAL_IP))


def write_pcap(path, packets):
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for packet in packets:
            out.write(struct.pack("<IIII", 0, 0, len(packet), len(packet)))
            out.write(packet)
