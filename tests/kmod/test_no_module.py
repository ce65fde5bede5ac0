# SPDX-License-Identifier: Apache-2.0
"""EoIP with the kernel's own modules alone: what docs/no-module.md says is
done, from the text of the page.

                     a                                 b
    guest -- p [br0] e0 (gretap) . . nftables . . a program with a tap device
    10.0.0.1                                       10.0.0.2
"""

import contextlib
import os
import re
import shlex
import shutil
import socket
import struct
import subprocess
import tempfile

import modules
import netns_socket
import test_command
from bed import INNER, MAC
from packets import MAGIC, eoip, ethernet
from peer import Program, outer, packet
from sandbox import TOP, Failure, Skip, check, check_equal, until

ID = 1234
UDP_SEGMENT = 103
# What follows this many bytes of UDP is in the second fragment: of 1480 bytes
# outside, the headers take 8, 14, 20 and 8.
TO_SECOND_FRAGMENT = 1480 - 8 - 14 - 20 - 8


def block(start):
    """The block of the page that begins so."""
    with open(f"{TOP}/docs/no-module.md", encoding="utf-8") as page:
        found = re.findall(rf"^```.*\n({re.escape(start)}.*?)^```$",
                           page.read(), re.DOTALL | re.MULTILINE)
    check_equal(f"blocks of docs/no-module.md that begin with {start}",
                len(found), 1)
    return found[0]


def stock_modules():
    if not shutil.which("nft"):
        raise Skip("nft is missing: install nftables")
    if not test_command.find_ifup():
        raise Skip("there is no ifup, of the package ifupdown")
    for name in ("ip_gre", "nf_tables", "tun", "bridge"):
        modules.need(name)
    for name in ("vport_eoip", "eoip"):
        modules.unload(name)


class Rules:
    """The page's files, in a folder that stands for /etc, and its service."""

    def __init__(self, bed):
        self.bed = bed
        self.etc = tempfile.TemporaryDirectory()
        self.write("eoip.nft", block("include "))
        bed.exec("a", "bash", "-c", self.here(block("seq ")))
        # Without % and $, a service's commands are quoted as a shell's.
        before, start = (shlex.split(self.here(command)) for command in
                         re.findall(r"^Exec\w+=(.*)$", block("[Unit]"),
                                    re.MULTILINE))
        bed.exec("a", *before)
        with netns_socket.inside(bed.netns("a")):
            self.service = subprocess.Popen(
                start, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT)
        until(lambda: " hook prerouting " in self.shown()
              or self.service.poll() is not None,
              "the service loads no rules", 60)
        if self.service.poll() is not None:
            raise Failure("the service ends: "
                          f"{self.service.stdout.read().decode()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.service.pid, 9)
        self.service.wait()
        self.etc.cleanup()

    def here(self, text):
        return text.replace("/etc/", f"{self.etc.name}/")

    def write(self, name, text):
        with open(f"{self.etc.name}/{name}", "w", encoding="utf-8") as file:
            file.write(self.here(text))

    def shown(self):
        return self.bed.call("a", "nft", "list", "ruleset").stdout

    def dropped(self, comment):
        """Packets that the rule with this comment has counted."""
        found = re.search(rf"counter packets (\d+) .*{comment}", self.shown())
        check(found, f"no rule drops: {comment}")
        return int(found[1])


@contextlib.contextmanager
def tunnel(bed):
    """Rules, link and the program at the other end."""
    stock_modules()
    with Rules(bed) as rules, \
            test_command.ifupdown(bed, block("auto e0")), \
            Program(bed, INNER["b"], ID):
        bed.ip("a", f"addr add {INNER['a']}/24 dev e0")
        bed.ping("a")
        yield rules


def udp(bed, data, here="a", there="b", segment=None):
    """What arrives of `data`."""
    with netns_socket.inside(bed.netns(there)):
        target = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with netns_socket.inside(bed.netns(here)):
        source = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with target, source:
        target.bind((INNER["b" if there == "b" else "a"], 0))
        target.settimeout(5)
        if segment:
            source.setsockopt(socket.SOL_UDP, UDP_SEGMENT, segment)
        source.sendto(data, target.getsockname())
        found = b""
        while len(found) < len(data):
            found += target.recv(1 << 16)
        return found


def test_page(bed):
    """Frames of every size, and each with the length that it has."""
    with tunnel(bed):
        for size in 0, 1, 18, 56, 1430, 1431, 1472:
            bed.ping("a", None, size, True)
            bed.ping("b", None, size, True)
        bed.tcp_both_ways()
        for size in 14, 42, 60, 1514, 1518:
            frame = ethernet(os.urandom(size - 14), MAC["b"], MAC["a"],
                             0x8100 if size == 1518 else 0x88b5)
            seen = outer(bed, frame, device="e0")
            whole = eoip(frame, ID)[:1480]
            check_equal(f"outer packet of a frame of {size} bytes",
                        seen[20:20 + len(whole)].hex(), whole.hex())


def test_super_packets(bed):
    """What is cut late is cut before the tunnel, of a bridge's other port as
    well: each piece has a length of its own."""
    bed.large_tcp()
    with tunnel(bed):
        bed.tcp()
        bed.ip("a", "addr flush dev e0", "link add br0 type bridge",
               "link set br0 up", "link set e0 master br0")
        bed.add_namespace("guest")
        bed.large_tcp("guest")
        bed.rtnl("a").add_veth("p", bed.netns("guest"), MAC["a"],
                               bytes.fromhex("020000000011"), 1500)
        bed.ip("a", "link set p master br0", "link set p up")
        bed.ip("guest", "link set p up", f"addr add {INNER['a']}/24 dev p")
        bed.ping("guest", INNER["b"])
        for source, target in ("guest", "b"), ("b", "guest"):
            _, sent, received = netns_socket.tcp_transfer(
                bed.netns(source), bed.netns(target),
                INNER["b" if target == "b" else "a"], 2_000_000)
            check_equal(f"SHA-256 of TCP data from {source}", received, sent)
        data = os.urandom(14000)
        for segment in 600, 1400:
            check(udp(bed, data, "guest", segment=segment) == data,
                  f"UDP in segments of {segment} bytes arrives as other bytes")


def test_second_fragment(bed):
    """Bytes that look like a header are none, where a fragment begins."""
    with tunnel(bed):
        for header in (struct.pack(">IHH", 0x20006558, 0, 53764),
                       MAGIC + struct.pack(">HH", 20, 53764)):
            data = os.urandom(TO_SECOND_FRAGMENT) + header + bytes(20)
            for ends in ("a", "b"), ("b", "a"):
                check_equal("UDP from {} to {}".format(*ends),
                            udp(bed, data, *ends).hex(), data.hex())


def test_drops(bed):
    """Keepalives, and what is longer than the table knows."""
    with tunnel(bed) as rules, bed.wire("b") as wire:
        before = bed.statistics("a", "e0")
        wire.send(ethernet(packet(eoip(b"", ID)), MAC["a"], MAC["b"]))
        until(lambda: rules.dropped("keepalives") == 1,
              "no keepalive is counted")
        bed.ip("a", "link set e0 mtu 9000")
        with bed.wire("a", "e0") as link:
            link.send(ethernet(bytes(1509), MAC["b"], MAC["a"], 0x88b5))
        until(lambda: rules.dropped("longer") == 1, "no long frame is counted")
        check_equal("received by e0", bed.statistics("a", "e0")["rx_packets"],
                    before["rx_packets"])


def test_never_lost(bed):
    """Not by those who replace the rules of the host; with the process, which
    systemd starts again, they are gone."""
    with tunnel(bed) as rules:
        with open(f"{rules.etc.name}/nftables.conf", "w") as file:
            file.write("flush ruleset\ntable inet filter {\n chain input {\n"
                       "  type filter hook input priority 0;\n"
                       "  ct state invalid drop\n }\n}\n")
        bed.exec("a", "nft", "-f", f"{rules.etc.name}/nftables.conf")
        bed.exec("a", "nft", "flush", "ruleset")
        check(bed.call("a", "nft", "delete table ip eoip").returncode != 0,
              "the table can be deleted")
        bed.exec("a", "nft", "-f", f"{rules.etc.name}/nftables.conf")
        bed.ping_both_ways(1472)
        rules.service.kill()
        until(lambda: "table ip eoip" not in rules.shown(),
              "the rules outlive the process")
