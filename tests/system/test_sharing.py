# SPDX-License-Identifier: Apache-2.0
"""IP protocol 47 has many users: tunnels of three types between two switches,
and programs of the kernel that speak it, too.

    host-a -- [br0 e1]====EoIP====[e1 br0] -- host-b    10.0.0.1,  .2
                  [g1]====GRE=====[g1]                  10.0.0.11, .12
                  [s1]===ERSPAN===[s1]                  10.0.0.21, .22
"""

import contextlib
import os
import re
import socket
import subprocess
import time

from sandbox import ADDRESS, check, check_equal, netns_socket
from packets import ARP_REQUEST

UP = []

TUNNELS = {"e1": ("eoip", 10, 0), "g1": ("gre", 11, 10),
           "s1": ("erspan", 12, 20)}
PPTP = bytes.fromhex("3001880b 002a0064 00000001")


def add(sandbox, port):
    kind, number, _ = TUNNELS[port]
    for site, other in ("a", "b"), ("b", "a"):
        words = ["options:key=100", f"options:remote_ip={ADDRESS[other]}",
                 f"ofport_request={number}"]
        if kind == "erspan":
            words += ["options:erspan_ver=1", "options:erspan_idx=1"]
        sandbox.vsctl(site, "add-port", "br0", port, "--", "set", "interface",
                      port, f"type={kind}", *words)
        check_equal(f"error of {port}", sandbox.error(site, port), "")
        check_equal(f"ofport of {port}", sandbox.get(site, port, "ofport"),
                    str(number))


def delete(sandbox, port):
    for site in "a", "b":
        sandbox.vsctl(site, "del-port", "br0", port)


@contextlib.contextmanager
def three_tunnels(sandbox):
    """Each carries the traffic of its own pair of addresses, and nothing of
    another one is let in."""
    for port in TUNNELS:
        add(sandbox, port)
    for site, own in ("a", 1), ("b", 2):
        flows = []
        for _, number, base in TUNNELS.values():
            there, here = f"10.0.0.{base + 3 - own}", f"10.0.0.{base + own}"
            for kind, to in ("ip", "nw_dst"), ("arp", "arp_tpa"):
                flows += [f"in_port=host-{site},{kind},{to}={there},"
                          f"actions=output:{number}",
                          f"in_port={number},{kind},{to}={here},"
                          f"actions=output:host-{site}"]
        sandbox.set_flows(site, *flows)
        for base in 10, 20:
            sandbox.exec(f"host-{site}", *f"ip addr add 10.0.0.{base + own}/24 "
                         "dev eth0".split())
    try:
        yield
    finally:
        for site, own in ("a", 1), ("b", 2):
            for base in 10, 20:
                sandbox.exec(f"host-{site}", *f"ip addr del 10.0.0.{base + own}"
                             "/24 dev eth0".split())


def ping_through(sandbox, port, *options):
    base = TUNNELS[port][2]
    sandbox.ping("host-a", f"10.0.0.{base + 2}", "-I", f"10.0.0.{base + 1}",
                 *options)


def test_three_at_once(sandbox):
    """EoIP, GRE and ERSPAN carry each its own traffic."""
    with three_tunnels(sandbox):
        for port in TUNNELS:
            ping_through(sandbox, port)
        ping_through(sandbox, "e1", "-M", "do", "-s", "1472")
        sandbox.tcp_both_ways()


def lost_meanwhile(sandbox, ports, do):
    """Pings that each of `ports` lost while do() ran."""
    pings = {}
    for port in ports:
        base = TUNNELS[port][2]
        ping_through(sandbox, port)
        pings[port] = subprocess.Popen(
            ["ip", "netns", "exec", sandbox.netns("host-a"), "ping", "-q",
             "-i", "0.02", "-I", f"10.0.0.{base + 1}", f"10.0.0.{base + 2}"],
            stdout=subprocess.PIPE, text=True)
    try:
        do()
    finally:
        said = {}
        for port, process in pings.items():
            process.send_signal(2)  # SIGINT: it prints its sum.
            said[port] = process.communicate(timeout=20)[0]
    lost = {}
    for port, words in said.items():
        sent, received = map(int, re.search(
            r"(\d+) packets transmitted, (\d+) received", words).groups())
        # One may be on its way when ping ends.
        lost[port] = max(sent - received - 1, 0)
        check(sent > 10, f"only {sent} pings through {port}")
    return lost


def test_one_comes_and_goes(sandbox):
    """Each is deleted and added, for a second; the two others go on."""
    with three_tunnels(sandbox):
        figures = []
        for port in TUNNELS:
            def again():
                end = time.monotonic() + 1
                while time.monotonic() < end:
                    delete(sandbox, port)
                    add(sandbox, port)

            others = [other for other in TUNNELS if other != port]
            lost = lost_meanwhile(sandbox, others, again)
            check(sum(lost.values()) <= 6, f"while {port} came and went the "
                  f"others lost {lost}")
            figures.append(f"{port}: {sum(lost.values())}")
            ping_through(sandbox, port)
    return "pings of the others lost: " + ", ".join(figures)


def raw_socket(sandbox, site):
    with netns_socket.inside(sandbox.netns(site)):
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, 47)
    sock.settimeout(3)
    return sock


def test_kernel_speaks_it_too(sandbox):
    """PPTP's packets between the kernels of both sites, short and in
    fragments, once each, while the tunnel works."""
    sandbox.add_tunnels(key=100)
    sandbox.ping()
    with raw_socket(sandbox, "a") as a, raw_socket(sandbox, "b") as b:
        for source, sink, to in (b, a, ADDRESS["a"]), (a, b, ADDRESS["b"]):
            for packet in (PPTP + ARP_REQUEST, PPTP + os.urandom(1400),
                           PPTP + os.urandom(3000)):
                source.sendto(packet, (to, 0))
                check_equal(f"{len(packet)} bytes to {to}",
                            sink.recv(1 << 16)[20:].hex(), packet.hex())
        sandbox.ping()
        for sock in a, b:
            sock.settimeout(0.3)
            try:
                extra = sock.recv(1 << 16)
            except TimeoutError:
                continue
            check(False, f"a raw socket sees more: {extra[:40].hex()}")
