# SPDX-License-Identifier: Apache-2.0
"""Our switch against bytes: site b is a wire, where we write and read packets
as RouterOS would.

    host-a -- [br0 e1 | br-phy] == underlay == b (this test, no switch)
"""

import socket

from sandbox import (ADDRESS, UNDERLAY_DEVICE, check, check_equal,
                     netns_socket, until)
from packets import (ARP_IN_TUNNEL_100, ARP_REQUEST, KEEPALIVE_OF_TUNNEL_100,
                     MAGIC, checksum, eoip, ethernet, ipv4)

UP = ["--plain-b"]


def add_tunnel_100(sandbox):
    sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=100)


def frame_of(size, sandbox):
    """A frame for host-a of exactly `size` bytes with a distinct content."""
    header = sandbox.mac("host-a") + bytes.fromhex("0200000000ff88b5")
    return header + bytes(i & 0xff for i in range(size - len(header)))


class Peer:
    """Site b and host-a, with a hand on both wires."""

    def __init__(self, sandbox):
        self.switch_mac = sandbox.mac("a", UNDERLAY_DEVICE)
        self.underlay = sandbox.wire("b")
        self.host_a = sandbox.wire("host-a")
        sandbox.set_neighbour("a", ADDRESS["b"], "02:00:00:00:01:0b")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.underlay.sock.close()
        self.host_a.sock.close()

    def send(self, packet, padding=b""):
        """`packet` begins with IPv4; `padding` is Ethernet's."""
        self.underlay.send(ethernet(packet, self.switch_mac) + padding)

    def expect_delivery(self, frame, what):
        """The next thing that host-a sees is `frame`, and nothing else."""
        for seen in self.host_a.frames():
            check_equal(f"{what}: what host-a sees", seen.hex(), frame.hex())
            return
        check(False, f"{what}: nothing arrives at host-a")


def test_arp_request_of_routeros(sandbox):
    """The ARP request as RouterOS sent it in tunnel 100 arrives, and nothing
    else does."""
    add_tunnel_100(sandbox)
    with Peer(sandbox) as peer:
        peer.send(ipv4(ARP_IN_TUNNEL_100))
        peer.expect_delivery(ARP_REQUEST, "an ARP request")


def test_ethernet_padding(sandbox):
    """Ethernet pads short packets to 60 bytes: the padding is not the frame's.
    No size is too small from 14 bytes on."""
    add_tunnel_100(sandbox)
    with Peer(sandbox) as peer:
        for size in 14, 15, 16, 17, 18:
            frame = frame_of(size, sandbox)
            packet = ipv4(eoip(frame))
            peer.send(packet, b"\xee" * (46 - len(packet)))
            peer.expect_delivery(frame, f"{size} bytes, padded")
        peer.send(ipv4(ARP_IN_TUNNEL_100), b"\xee" * 20)
        peer.expect_delivery(ARP_REQUEST, "20 bytes behind the IP packet")
    check_equal("rx_trimmed", sandbox.counters("a").get("rx_trimmed", 0), 0)


def test_bytes_behind_the_frame(sandbox):
    """The EoIP length is smaller than what IP carries: cut off, counted."""
    add_tunnel_100(sandbox)
    before = sandbox.counters("a")
    with Peer(sandbox) as peer:
        for behind in 1, 2, 100:
            peer.send(ipv4(ARP_IN_TUNNEL_100 + b"\xee" * behind))
            peer.expect_delivery(ARP_REQUEST, f"{behind} bytes behind")
    # The kernel does not count what is only cut off.
    if "rx_trimmed" in before:
        after = sandbox.counters("a")
        check_equal("rx_trimmed", after["rx_trimmed"] - before["rx_trimmed"],
                    3)


def test_outer_header_of_others(sandbox):
    """Nothing is required of TOS, TTL, DF and identification."""
    add_tunnel_100(sandbox)
    with Peer(sandbox) as peer:
        for outer in ({"tos": 0xfe}, {"tos": 0xfc}, {"ttl": 1}, {"ttl": 64},
                      {"ident": 0}, {"ident": 0xffff}, {"fragment": 0x4000}):
            peer.send(ipv4(ARP_IN_TUNNEL_100, **outer))
            peer.expect_delivery(ARP_REQUEST, f"outer {outer}")


def test_keepalive(sandbox):
    """A keepalive, bare and padded to 60 bytes: counted, delivered to nobody,
    and no drop."""
    add_tunnel_100(sandbox)
    before = sandbox.counters("a")
    with Peer(sandbox) as peer:
        packet = ipv4(KEEPALIVE_OF_TUNNEL_100)
        peer.send(packet)
        peer.send(packet, bytes(46 - len(packet)))
        peer.send(ipv4(ARP_IN_TUNNEL_100))
        peer.expect_delivery(ARP_REQUEST, "what follows two keepalives")
    after = sandbox.counters("a")
    check_equal("what was counted",
                {name: after[name] - before[name] for name in after
                 if after[name] != before[name]}, {"rx_keepalives": 2})


def test_sent_header(sandbox):
    """Frames of host-a, of all sizes, on the wire: every outer byte."""
    header = b"\xff" * 6 + sandbox.mac("host-a") + b"\x88\xb5"
    with Peer(sandbox) as peer:
        def packets_of(frame, seconds):
            peer.host_a.send(frame)
            return (packet for packet in peer.underlay.frames(seconds)
                    if packet[23] == 47 and packet[54:56] == b"\x88\xb5"
                    and len(packet) == 42 + len(frame))

        seen_idents = []
        for key in 0, 1, 100, 255, 256, 1234, 65535:
            sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=key)
            # The datapath's flow of the tunnel before lives a moment longer.
            until(lambda: any(packet[40:42] == key.to_bytes(2, "little")
                              for packet in packets_of(header, 0.5)),
                  f"no packet has id {key}")
            for size in 14, 42, 60, 61, 1472:
                frame = header + bytes(i & 0xff for i in range(size - 14))
                packet = next(packets_of(frame, 5), None)
                check(packet, f"no packet with id {key} for a frame of {size} "
                      "bytes")
                seen_idents.append(check_sent(packet, frame, key))
            sandbox.vsctl("a", "del-port", "br0", "e1")
        check(0 not in seen_idents and len(set(seen_idents)) > 1,
              f"IP ids do not change: {seen_idents}")


def check_sent(packet, frame, key):
    """Returns the IP id, the one thing that is not fixed."""
    outer, payload = packet[14:34], packet[34:]
    what = f"id {key}, frame of {len(frame)} bytes"
    for name, seen, expected in (
            ("version and header length", outer[0:1], b"\x45"),
            ("TOS", outer[1:2], b"\0"),
            ("total length", outer[2:4],
             (28 + len(frame)).to_bytes(2, "big")),
            ("flags and fragment offset", outer[6:8], b"\0\0"),
            ("TTL", outer[8:9], b"\x40"),
            ("protocol", outer[9:10], b"\x2f"),
            ("source", outer[12:16], bytes([192, 0, 2, 1])),
            ("destination", outer[16:20], bytes([192, 0, 2, 2])),
            ("EoIP magic", payload[0:4], MAGIC),
            ("EoIP length", payload[4:6], len(frame).to_bytes(2, "big")),
            ("EoIP id", payload[6:8], key.to_bytes(2, "little")),
            ("frame", payload[8:], frame)):
        check_equal(f"{what}: {name}", seen.hex(), expected.hex())
    check_equal(f"{what}: checksum over the header", checksum(outer), 0)
    return int.from_bytes(outer[4:6], "big")


def test_outer_ttl_tos_df(sandbox):
    """ttl, tos and df_default as the options say."""
    sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=100, ttl=7, tos=184,
                       df_default="true")
    with Peer(sandbox) as peer:
        peer.host_a.send(ARP_REQUEST)
        packet = peer.underlay.wait_for(lambda packet: packet[23] == 47,
                                        "no packet on the wire")
    check_equal("TTL", packet[22], 7)
    check_equal("TOS", packet[15], 184)
    check_equal("flags and fragment offset", packet[20:22].hex(), "4000")


def test_unknown_tunnel(sandbox):
    """Another id, another sender: nobody's, so nobody gets it."""
    add_tunnel_100(sandbox)
    with Peer(sandbox) as peer:
        peer.send(ipv4(eoip(frame_of(60, sandbox), tunnel_id=101)))
        peer.send(ipv4(eoip(frame_of(61, sandbox), tunnel_id=0x6400)))
        peer.send(ipv4(eoip(frame_of(62, sandbox)), src="192.0.2.77"))
        for _ in range(2):
            peer.send(ipv4(ARP_IN_TUNNEL_100))
            peer.expect_delivery(ARP_REQUEST, "after packets for nobody")


def test_conversation(sandbox):
    """A whole ARP exchange: host-a asks through the tunnel for an address that
    it never asked for before, we answer by hand, host-a believes it."""
    add_tunnel_100(sandbox)
    mac = bytes.fromhex("fe7d4189df2a")
    with Peer(sandbox) as peer:
        with netns_socket.inside(sandbox.netns("host-a")), \
                socket.socket(type=socket.SOCK_DGRAM) as datagram:
            datagram.sendto(b"who are you?", ("10.0.0.3", 9))
        request = peer.underlay.wait_for(
            lambda packet: packet[34:38] == MAGIC
            and packet[54:56] == b"\x08\x06"
            and packet[80:84] == bytes([10, 0, 0, 3]),
            "host-a's ARP is not seen")[42:]
        reply = (request[6:12] + mac + request[12:20] + b"\0\x02" + mac
                 + request[38:42] + request[22:32])
        peer.send(ipv4(eoip(reply)))
        until(lambda: "fe:7d:41:89:df:2a" in sandbox.exec(
            "host-a", "ip", "neigh", "show", "10.0.0.3"),
            "host-a does not take the answer")


def test_dont_fragment(sandbox):
    """dont_fragment: the outer DF bit is that of each IPv4 frame, tagged or
    not; other frames have what df_default says."""
    add_tunnel_100(sandbox)
    ether = b"\xff" * 6 + sandbox.mac("host-a")

    def inner(df, tag=b""):
        return ether + tag + b"\x08\x00" + ipv4(
            bytes(30), "10.0.0.1", "10.0.0.255", proto=253,
            fragment=0x4000 if df else 0)

    other = ether + b"\x88\xb5" + bytes(46)
    tag = bytes.fromhex("81000007")
    with Peer(sandbox) as peer:
        def outer_df(frame):
            peer.host_a.send(frame)
            packet = peer.underlay.wait_for(
                lambda seen: seen[34:38] == MAGIC and seen[42:] == frame,
                "the frame does not leave")
            return packet[20:22]

        for setting, free, bound, others in (
                ("df_default=false", False, False, False),
                ("dont_fragment=inherit", False, True, False),
                ("df_default=true", False, True, True),
                ("dont_fragment=no", True, True, True),
                ("dont_fragment=inherit", False, True, True)):
            sandbox.vsctl("a", "set", "interface", "e1", f"options:{setting}")
            for frame, df in ((inner(False), free), (inner(True), bound),
                              (inner(False, tag), free),
                              (inner(True, tag), bound), (other, others)):
                # The datapath's flows follow ovs-vsctl a moment later.
                until(lambda: outer_df(frame) == (b"\x40\0" if df
                                                  else b"\0\0"),
                      f"DF does not become {df} after {setting}, frame "
                      f"{frame[12:36].hex()}")
