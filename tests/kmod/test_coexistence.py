# SPDX-License-Identifier: Apache-2.0
"""Protocol 47 has other users: GRE, PPTP, raw sockets, connection tracking.
All pass traffic at the same time, whichever module was there first."""

import contextlib
import ctypes
import fcntl
import os
import shutil
import socket
import struct

import modules
import netns_socket
from bed import INNER, MAC, OTHER, UNDERLAY, Echo
from packets import ARP_IN_TUNNEL_100, ARP_REQUEST, eoip
from peer import packet
from sandbox import TOP, Skip, check, check_equal, until

STOCK = ["gre", "ip_gre", "pptp"]

AF_PPPOX, PX_PROTO_PPTP = 24, 2
PPPIOCGCHAN, PPPIOCATTCHAN = 0x80047437, 0x40047438
CALL = {"a": 10, "b": 20}

libc = ctypes.CDLL(None, use_errno=True)


class Pptp:
    """One end of a PPTP call, down to PPP frames; no negotiation."""

    def __init__(self, bed, where):
        with netns_socket.inside(bed.netns(where)):
            self.sock = socket.socket(AF_PPPOX, socket.SOCK_STREAM,
                                      PX_PROTO_PPTP)
            self.call(libc.bind, where)
            self.call(libc.connect, OTHER[where])
            channel = fcntl.ioctl(self.sock, PPPIOCGCHAN, bytes(4))
            self.fd = os.open("/dev/ppp", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(self.fd, PPPIOCATTCHAN, channel)

    def call(self, function, where):
        """Python has no addresses of this family."""
        address = struct.pack("=HIHxx4s16x", AF_PPPOX, PX_PROTO_PPTP,
                              CALL[where], socket.inet_aton(UNDERLAY[where]))
        if function(self.sock.fileno(), address, len(address)) != 0:
            raise OSError(ctypes.get_errno(), "pptp: " + os.strerror(
                ctypes.get_errno()))

    def send(self, frame):
        os.write(self.fd, frame)

    def receive(self):
        def read():
            with contextlib.suppress(BlockingIOError):
                return os.read(self.fd, 2048)

        return until(read, "no PPP frame arrives")

    def close(self):
        os.close(self.fd)
        self.sock.close()


def pptp_both_ways(ends):
    for number in range(5):
        for where in ("a", "b"):
            frame = b"\xc0\x21" + bytes([9, number, 0, 8]) + where.encode() * 4
            ends[where].send(frame)
            check_equal("PPP frame", ends[OTHER[where]].receive().hex(),
                        frame.hex())


def make_gre(bed):
    for where, last in (("a", 1), ("b", 2)):
        ends = f"local {UNDERLAY[where]} remote {UNDERLAY[OTHER[where]]}"
        bed.ip(where, f"link add g1 type gre {ends}",
               f"addr add 10.1.0.{last}/24 dev g1", "link set g1 up",
               f"link add g2 type gretap {ends} key 100",
               f"addr add 10.2.0.{last}/24 dev g2", "link set g2 up")


def all_pass(bed):
    """eoip, gre, gretap and PPTP between the same two addresses at once."""
    bed.pair()
    make_gre(bed)
    ends = {where: Pptp(bed, where) for where in ("a", "b")}
    try:
        for address in (INNER["b"], "10.1.0.2", "10.2.0.2"):
            bed.ping("a", address)
        pptp_both_ways(ends)
        for address in (INNER["b"], "10.1.0.2", "10.2.0.2"):
            bed.tcp("a", 200_000, address)
        for address in (INNER["a"], "10.1.0.1", "10.2.0.1"):
            bed.tcp("b", 200_000, address)
        pptp_both_ways(ends)
    finally:
        for end in ends.values():
            end.close()
    for where in ("a", "b"):
        bed.rtnl(where).delete("e1")
        bed.ip(where, "link del g1", "link del g2")


def in_order(bed, order):
    for name in STOCK:
        modules.need_loadable(name)
    for name in ("eoip", "pptp", "ip_gre", "gre"):
        modules.unload(name)
    for name in order:
        modules.load(name)
    all_pass(bed)


def test_loaded_after(bed):
    in_order(bed, [*STOCK, "eoip"])


def test_loaded_before(bed):
    in_order(bed, ["eoip", *STOCK])


def test_loaded_between(bed):
    in_order(bed, ["gre", "pptp", "eoip", "ip_gre"])


def test_gre_alone(bed):
    """Beside GRE as this kernel has it, built in or not."""
    modules.need("ip_gre")
    bed.pair()
    make_gre(bed)
    for address in (INNER["b"], "10.1.0.2", "10.2.0.2"):
        bed.ping("a", address)
        bed.tcp("a", 200_000, address)


def test_unloaded_beside(bed):
    """Ours goes and comes while GRE's traffic does not notice."""
    modules.need("ip_gre")
    make_gre(bed)
    for _ in range(3):
        modules.unload("eoip")
        bed.ping("a", "10.1.0.2")
        bed.ping("a", "10.2.0.2")
        modules.load("eoip")
        bed.pair()
        bed.ping("a", "10.2.0.2")
        bed.ping_both_ways()
        for where in ("a", "b"):
            bed.rtnl(where).delete("e1")


def test_raw_socket(bed):
    """A raw socket of protocol 47 sees what is not ours, untouched, and does
    not see what is."""
    bed.tunnel("a")
    others = [packet(eoip(ARP_REQUEST, 7), ident=1),
              packet(bytes.fromhex("00006558") + ARP_REQUEST, ident=2),
              packet(bytes.fromhex("3001880b000400010000000aff03c021"),
                     ident=3),
              packet(eoip(b"", 7), ident=4),
              packet(ARP_IN_TUNNEL_100, src="192.0.2.9", ident=5),
              packet(b"\x20", ident=6)]
    with bed.raw_socket("a") as raw, bed.wire("b") as wire:
        for data in (packet(ARP_IN_TUNNEL_100), others[0],
                     packet(eoip(b"")), *others[1:],
                     packet(eoip(ARP_REQUEST, length=999)),
                     packet(eoip(ARP_REQUEST, 8), ident=7)):
            wire.send(MAC["a"] + MAC["b"] + b"\x08\0" + data)
        seen = [raw.recv(4096).hex() for _ in range(len(others) + 1)]
    check_equal("what the raw socket sees", seen,
                [data.hex() for data in others]
                + [packet(eoip(ARP_REQUEST, 8), ident=7).hex()])
    check_equal("rx_packets of e1", bed.statistics("a")["rx_packets"], 1)


def test_after_the_last_tunnel(bed):
    """Without a tunnel everything is others'."""
    bed.tunnel("a")
    bed.rtnl("a").delete("e1")
    with bed.raw_socket("a") as raw, bed.wire("b") as wire:
        wire.send(MAC["a"] + MAC["b"] + b"\x08\0" + packet(ARP_IN_TUNNEL_100))
        check_equal("what the raw socket sees", raw.recv(4096).hex(),
                    packet(ARP_IN_TUNNEL_100).hex())
    check(bed.rtnl("a").links() == [], "there is a link left")


def documented_rules():
    with open(f"{TOP}/docs/kernel.md", encoding="utf-8") as file:
        return [line.strip() for line in file if line.startswith("nft ")]


def test_connection_tracking(bed):
    """It takes EoIP for broken PPTP.  A firewall that drops what is invalid,
    coming or going, lets EoIP pass with the rules of docs/kernel.md, and goes
    on to watch other GRE."""
    if not shutil.which("nft"):
        raise Skip("nft is missing: install nftables")
    modules.need("nf_conntrack")
    modules.need("nft_ct")
    bed.pair()
    bed.ping_both_ways()
    bed.exec("a", "nft", """
        add table ip firewall
        add chain ip firewall input { type filter hook input priority 0; }
        add chain ip firewall output { type filter hook output priority 0; }
        add counter ip firewall watched
        add rule ip firewall input ip protocol gre ct state new counter name \
            watched
        add rule ip firewall input ct state invalid drop
        add rule ip firewall output ct state invalid drop""")
    with netns_socket.inside(bed.netns("b")):
        echo = Echo(INNER["a"], 56, False)
    with echo:
        check(not echo.answered(1), "the firewall lets EoIP pass")
        rules = documented_rules()
        check_equal("rules in docs/kernel.md", len(rules), 5)
        for rule in rules:
            bed.exec("a", "sh", "-c", rule)
        check(echo.answered(5), "the firewall still drops EoIP")
    bed.ping_both_ways()
    with bed.wire("b") as wire:
        wire.send(MAC["a"] + MAC["b"] + b"\x08\0"
                  + packet(bytes.fromhex("2000655800000064") + ARP_REQUEST))
    until(lambda: "packets 1 " in bed.exec("a", "nft", "list", "counters"),
          "a packet of GRE is not watched any more")
