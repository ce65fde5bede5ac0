# SPDX-License-Identifier: Apache-2.0
"""Frames of a virtual machine, as its host gets them: the guest leaves
checksums and segmentation to the host, and may say about both what it likes.

    tap (virtio-net header) -- a: br0 [tap, e1] == b: e1
"""

import fcntl
import os
import socket
import struct

import modules
import netns_socket
from bed import INNER
from packets import checksum, ethernet, ipv4
from peer import IFF_NO_PI, IFF_TAP, TUNSETIFF
from sandbox import Failure, check, check_equal
from test_forwarding import cards
from test_traffic import check_outer, no_drops, without_offloads

GUEST, PEER = "10.9.0.2", "10.9.0.1"
GUEST6, PEER6 = "fd09::2", "fd09::1"
GUEST_MAC = bytes.fromhex("020000000033")
IFF_VNET_HDR = 0x4000
NEEDS_CSUM = 1
GSO_NONE, GSO_TCPV4, GSO_UDP, GSO_TCPV6, GSO_UDP_L4 = 0, 1, 3, 4, 5
GSO_ECN = 0x80
TCP, UDP = 6, 17
# Where the checksum is in the header.
CHECKSUM_AT = {TCP: 16, UDP: 6}
TAG = b"\x81\0\0\5"


class Guest:
    """The host's side of a guest's card, in a bridge with the tunnel."""

    def __init__(self, bed):
        modules.need("tun")
        modules.need("bridge")
        self.bed = bed
        bed.pair()
        with netns_socket.inside(bed.netns("a")):
            self.tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(self.tap, TUNSETIFF, struct.pack(
                "16sH22x", b"tap0", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
        bed.ip("a", "link add br0 type bridge", "link set br0 up",
               f"addr flush dev e1", "link set e1 master br0",
               f"addr add {INNER['a']}/24 dev br0",
               "link set tap0 master br0 up")
        bed.ping("a", INNER["b"])
        self.peer_mac = bed.link("b").address

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.tap)

    def send(self, frame, flags=0, gso=GSO_NONE, header_len=0, size=0,
             start=0, offset=0):
        """The fields of struct virtio_net_hdr.  Returns whether the host has
        taken the frame: what it refuses at once is no matter."""
        header = struct.pack("=BBHHHH", flags, gso, header_len, size, start,
                             offset)
        try:
            os.write(self.tap, header + frame)
        except OSError:
            return False
        return True

    def frame(self, data, protocol=TCP, ipv6=False, tag=b"", **fields):
        """(frame, its csum_start) with the checksum left to others."""
        if protocol == TCP:
            header = struct.pack("!HHIIBBHHH", 1000, 80, 0, 1,
                                 fields.pop("doff", 5) << 4, 0x10, 8192, 0, 0)
        else:
            header = struct.pack("!HHHH", 1000, 80, 8 + len(data), 0)
        addresses = (
            socket.inet_pton(socket.AF_INET6, GUEST6)
            + socket.inet_pton(socket.AF_INET6, PEER6) if ipv6 else
            socket.inet_aton(GUEST) + socket.inet_aton(PEER))
        pseudo = checksum(addresses + struct.pack(
            "!II", len(header) + len(data), protocol)) ^ 0xffff
        at = CHECKSUM_AT[protocol]
        segment = header[:at] + struct.pack("!H", pseudo) + header[
            at + 2:] + data
        if ipv6:
            packet = struct.pack("!IHBB", 6 << 28, len(segment), protocol,
                                 64) + addresses + segment
        else:
            packet = ipv4(segment, GUEST, PEER, proto=protocol,
                          fragment=0x4000)
        frame = ethernet(packet, self.peer_mac, GUEST_MAC,
                         0x86dd if ipv6 else 0x0800)
        frame = frame[:12] + tag + frame[12:]
        return frame, len(frame) - len(segment)


def data_seen(wire, protocol, ipv6, wanted):
    """The data of the guest's frames that the wire sees, until it is so
    much."""
    seen = b""
    if not wanted:
        return seen
    for frame in wire.frames(seconds=10):
        if GUEST_MAC != frame[6:12]:
            continue
        at = 14 + 4 * (frame[12:14] == b"\x81\0")
        length = int.from_bytes(frame[at + 4:at + 6], "big") + 40 if ipv6 \
            else int.from_bytes(frame[at + 2:at + 4], "big")
        header = (40 if ipv6 else 20) + (20 if protocol == TCP else 8)
        seen += frame[at + header:at + length]
        if len(seen) >= wanted:
            return seen
    raise Failure(f"{len(seen)} of {wanted} bytes arrive")


GOOD = [(protocol, ipv6, tag, size, gso)
        for ipv6 in (False, True) for tag in (b"", TAG)
        for protocol, size, gso in (
            (TCP, 0, GSO_NONE), (UDP, 0, GSO_NONE),
            (TCP, 1000, GSO_TCPV6 if ipv6 else GSO_TCPV4),
            (TCP, 536, GSO_TCPV6 if ipv6 else GSO_TCPV4),
            (UDP, 1000, GSO_UDP_L4))]


def send_good(guest, protocol, ipv6, tag, size, gso):
    """Returns the data, which is several segments if `size` is not 0; none
    if this kernel does not take such segments of UDP."""
    data = bytes(number % 251 for number in range(5 * size + 77))
    frame, start = guest.frame(data, protocol, ipv6, tag)
    taken = guest.send(frame, NEEDS_CSUM, gso,
                       start + (20 if protocol == TCP else 8), size, start,
                       CHECKSUM_AT[protocol])
    check(taken or gso == GSO_UDP_L4, f"the frame is refused, of type {gso}")
    return data if taken else b""


def test_offloads(bed):
    """TCP and UDP whose checksum is missing, and super-frames of both, arrive
    in b as they were sent, over underlays that can and cannot carry them."""
    with Guest(bed) as guest:
        for change in (lambda: None, lambda: cards(bed),
                       lambda: without_offloads(bed)):
            change()
            for case in GOOD:
                with bed.wire("b", "e1") as wire:
                    data = send_good(guest, *case)
                    seen = data_seen(wire, *case[:2], len(data))
                check(seen == data, f"{case}: other data arrives")
        no_drops(bed)


def test_checksums_on_the_wire(bed):
    """Every packet that leaves has the lengths and the checksum that the
    guest left out."""
    with Guest(bed) as guest:
        without_offloads(bed)
        for tag in (b"", TAG):
            with bed.wire("b") as wire:
                send_good(guest, TCP, False, tag, 0, GSO_NONE)
                send_good(guest, TCP, False, tag, 1000, GSO_TCPV4)
                sizes = [check_outer(frame)
                         for frame in wire.frames(seconds=0.5)
                         if frame[12:14] == b"\x08\0" and frame[23] == 47]
            check_equal("sizes of segments", [size for size in sizes if size],
                        [77] + [1000] * 5 + [77])
        no_drops(bed)


def lies(guest):
    """(what, frame, fields of the header) that no honest guest sends."""
    data = bytes(3000)
    for ipv6 in (False, True):
        tcp, start = guest.frame(data, TCP, ipv6)
        udp, _ = guest.frame(data, UDP, ipv6)
        gso = GSO_TCPV6 if ipv6 else GSO_TCPV4
        good = {"flags": NEEDS_CSUM, "gso": gso, "header_len": start + 20,
                "size": 1000, "start": start, "offset": 16}
        for size in (0, 1, 7, 2999, 3000, 3001, 0xfffe, 0xffff):
            yield f"gso_size {size}", tcp, {**good, "size": size}
        for length in (0, 1, 14, start, 60000, 0xffff):
            yield f"hdr_len {length}", tcp, {**good, "header_len": length}
        for at in (0, 1, 13, start - 1, start + 1, start + 19, len(tcp) - 2,
                   len(tcp) + 2, 0xfffe):
            yield f"csum_start {at}", tcp, {**good, "start": at}
            yield f"csum_start {at}, no GSO", tcp, {
                **good, "start": at, "gso": GSO_NONE, "size": 0}
        for offset in (0, 1, 6, 15, 17, 3000, 0xffff):
            yield f"csum_offset {offset}", tcp, {**good, "offset": offset}
        yield "no NEEDS_CSUM", tcp, {**good, "flags": 0}
        yield "ECN", tcp, {**good, "gso": gso | GSO_ECN}
        yield "unknown type", tcp, {**good, "gso": 9}
        yield "the other IP version", tcp, {
            **good, "gso": GSO_TCPV4 if ipv6 else GSO_TCPV6}
        for kind in (gso, GSO_UDP, GSO_UDP_L4):
            yield f"type {kind} of UDP", udp, {**good, "gso": kind,
                                               "offset": 6}
            yield f"type {kind} of TCP", tcp, {**good, "gso": kind}
        for doff in (0, 4, 15):
            yield f"TCP header of {doff}", guest.frame(
                data, TCP, ipv6, doff=doff)[0], good
        for length in (1, 13, 14, 15, start - 1, start, start + 19,
                       start + 21):
            yield f"{length} bytes", tcp[:length], good
        yield "tagged, counted as if not", guest.frame(
            data, TCP, ipv6, TAG)[0], good
        yield "ARP", tcp[:12] + b"\x08\x06" + tcp[14:], good
        yield "protocol 47", tcp[:23] + b"\x2f" + tcp[24:], good
        yield "a frame in GRE", tcp[:14] + ipv4(
            bytes.fromhex("00006558") + tcp, GUEST, PEER), good
    large, start = guest.frame(bytes(65000), TCP)
    for size in (1, 1000, 64999):
        yield f"65000 bytes by {size}", large, {
            "flags": NEEDS_CSUM, "gso": GSO_TCPV4, "header_len": start + 20,
            "size": size, "start": start, "offset": 16}


def test_lies(bed):
    """Whatever a guest says of its frames, the host goes on, and the next
    frames arrive."""
    with Guest(bed) as guest:
        count = 0
        for change in (lambda: None, lambda: cards(bed),
                       lambda: without_offloads(bed)):
            change()
            for _, frame, fields in lies(guest):
                guest.send(frame, **fields)
                count += 1
            bed.ping("a", INNER["b"])
            with bed.wire("b", "e1") as wire:
                data = send_good(guest, TCP, False, b"", 1000, GSO_TCPV4)
                # Where processors are slow, one may still have a lie.
                seen = b""
                while not seen.endswith(data):
                    seen += data_seen(wire, TCP, False, 1)
    return f"{count} frames"
