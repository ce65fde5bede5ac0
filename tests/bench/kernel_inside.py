#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What tests/bench/kernel runs inside the emulator: prints one line of JSON,
the results."""

import argparse
import json
import os
import socket
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import common  # noqa: E402
from kernel_bed import (  # noqa: E402
    BATCH, Bed, Bench, ENDS, Messages, TCP_BYTES, UNDERLAY, address, ip,
    netns_socket, run)

MANY = 10_000
COMPARED = ["gre", "eoip", "gre2"]

# UDP payloads: frames of 60 bytes are 64 with their checksum.
SMALL = 60 - 14 - 20 - 8


def point_to_point(bench):
    with Bed() as bed:
        bed.add_tunnels()
        bench.tcp("TCP, underlay carries GSO")
        bench.udp("64-byte frames", SMALL)
        bench.udp("UDP of 1400 bytes", 1400)
        bed.set_mtu(1500)
        bench.tcp("TCP, 1500 over 1500 bytes", size=TCP_BYTES // 4,
                  variants=["gre", "eoip", "gre2"])
        bed.set_mtu(1450)
        bed.offloads(carries_gso=False)
        bench.tcp("TCP, underlay does not carry GSO")


def tunnels_over(bed, variants, underlay, link, device="u"):
    """A tunnel of each of `variants` over what has the addresses `underlay`;
    `link` makes a gretap: the words of `ip link add` behind its name."""
    for number, variant in enumerate(variants):
        for end, other in zip(ENDS, reversed(ENDS)):
            if variant == "eoip":
                bed.netlink[end].add(variant, options={
                    "id": 4, "local": underlay[end],
                    "remote": underlay[other]})
            else:
                ip(end, f"link add {variant} type {link} key {number} dev "
                   f"{device} local {underlay[end]} remote {underlay[other]}")
            ip(end, f"link set {variant} mtu 1400 up",
               f"address add {address(variant, end)}/24 dev {variant}")


def over_ipv6(bench):
    """EoIPv6 beside ip6gretap, which by default has an option more in its
    packets."""
    with Bed() as bed:
        underlay = {"a": "fd00::1", "b": "fd00::2"}
        for end in ENDS:
            bed.set_ipv6(end, "u", True)
            ip(end, f"address add {underlay[end]}/64 dev u nodad")
        tunnels_over(bed, COMPARED, underlay, "ip6gretap encaplimit none")
        bench.tcp("EoIPv6: TCP, underlay carries GSO", variants=COMPARED)
        bench.udp("EoIPv6: 64-byte frames", SMALL, variants=COMPARED)
        bed.offloads(carries_gso=False)
        bench.tcp("EoIPv6: TCP, underlay does not carry GSO",
                  variants=COMPARED)


def over_vlan(bench):
    """The underlay is a VLAN device: another one is beneath it."""
    with Bed() as bed:
        underlay = {"a": "198.51.100.1", "b": "198.51.100.2"}
        for end in ENDS:
            ip(end, "link add link u name u.5 type vlan id 5",
               "link set u.5 up", f"address add {underlay[end]}/24 dev u.5")
        tunnels_over(bed, COMPARED, underlay, "gretap nopmtudisc ignore-df",
                     "u.5")
        bench.tcp("TCP over a VLAN, underlay carries GSO", variants=COMPARED)
        bed.offloads(carries_gso=False)
        bench.tcp("TCP over a VLAN, underlay does not carry GSO",
                  variants=COMPARED)


def forwarded(bench):
    """A bridge has a tunnel and a port on which packets of a host, cut as on
    a wire, are joined: a host for each tunnel."""
    with Bed() as bed:
        tunnels_over(bed, COMPARED, UNDERLAY, "gretap nopmtudisc ignore-df")
        for variant in COMPARED:
            host = f"h-{variant}"
            bed.add_netns(host)
            ip("a", f"link add br-{variant} type bridge",
               f"link set br-{variant} up", f"address flush dev {variant}",
               f"link set {variant} master br-{variant}",
               f"link add p-{variant} mtu 1400 type veth peer name u mtu 1400 "
               f"netns {host}", f"link set p-{variant} master br-{variant} up")
            ip(host, "link set u up",
               f"address add {address(variant, 'a')}/24 dev u")
            with netns_socket.inside(host):
                run("ethtool", "-K", "u", "tso", "off", "gso", "off",
                    stdout=subprocess.DEVNULL)
            with netns_socket.inside("a"):
                run("ethtool", "-K", f"p-{variant}", "gro", "on",
                    stdout=subprocess.DEVNULL)
        for carries_gso, what in ((True, "underlay carries GSO"),
                                  (False, "underlay does not carry GSO")):
            bed.offloads(carries_gso)
            # More would overflow the veth's ring, and be sent again.
            bench.tcp(f"forwarded TCP, {what}", variants=COMPARED,
                      window=200_000,
                      sources={variant: f"h-{variant}"
                               for variant in COMPARED})
        lost = sum(bed.netlink[end].link("eoip").statistics[counter]
                   for end in ENDS for counter in ("rx_dropped", "tx_dropped"))
        bench.once("forwarded TCP", "eoip", "packets lost", lost)
        if lost:
            raise OSError(f"eoip has lost {lost} packets")


def many_tunnels(bench):
    """The same tunnel, alone and among MANY; and what it takes to make
    them."""
    with Bed() as bed:
        bed.add_tunnels()
        bench.udp("64-byte frames, one of many tunnels", SMALL,
                  variants=["eoip"], names={"eoip": "eoip 1 port"})
        for end, other in zip(ENDS, reversed(ENDS)):
            start = time.monotonic()
            for number in range(10, 10 + MANY):
                bed.netlink[end].add(f"m{number}", options={
                    "id": number, "remote": UNDERLAY[other]})
            seconds = time.monotonic() - start
        bench.once(f"making {MANY} tunnels", "eoip", "s", seconds)
        bench.udp("64-byte frames, one of many tunnels", SMALL,
                  variants=["eoip"], names={"eoip": "eoip many"})


class Ids:
    """Packets of protocol 47 from a, written by hand, for an external device
    of b: with one id, or each with another."""

    def __init__(self, ids):
        # For another host: the device takes it, then IP does not.
        frame = bytes.fromhex("0200000000ee 0200000000ff 0800") + bytes(46)
        to = struct.pack("=HH4s8x", socket.AF_INET, 0,
                         socket.inet_aton(UNDERLAY["b"]))
        with netns_socket.inside("a"):
            self.sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, 47)
        self.messages = [
            Messages([bytes.fromhex("20016400003c") + struct.pack("<H", number)
                      + frame for number in ids[start:start + BATCH]],
                     [to] * BATCH)
            for start in range(0, len(ids), BATCH)]

    def close(self):
        self.sender.close()

    def seconds(self, packets):
        start = time.monotonic()
        for messages in self.messages:
            messages.send(self.sender)
        return time.monotonic() - start


def all_ids(bench):
    """One external device takes every id there is."""
    with Bed() as bed:
        netlink = bed.netlink["b"]
        netlink.add("ext", options={"external": True})
        netlink.up("ext")

        def received():
            return netlink.link("ext").statistics["rx_packets"]

        before = received()
        bench.compare("receiving on an external device", "ns/packet",
                      {"1 id": Ids([1] * 65536),
                       "65536 ids": Ids(list(range(65536)))}, 65536,
                      lambda seconds: seconds / 65536 * 1e9)
        expected = 65536 * 2 * (bench.rounds + 1)
        if received() - before != expected:
            raise OSError(f"the device has taken {received() - before} of "
                          f"{expected} packets")


class Awake:
    """A process that computes while nothing else does.  When the processor
    idles, the emulator's clock runs ahead to the next timer: a program that
    waits for its file would be late for everything else."""

    def __enter__(self):
        self.process = subprocess.Popen(
            ["nice", "-n", "19", "sh", "-c", "while :; do :; done"])

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


SANDBOX = common.TOP / "utilities/eoip-sandbox"
OVS_VARIANTS = {"gre": "gre", "eoip": "eoip", "vxlan": "vxlan", "gre2": "gre"}


def ovs_address(variant, end):
    return f"10.1.{list(OVS_VARIANTS).index(variant)}.{ENDS.index(end) + 1}"


def set_up_switches():
    """Every variant has addresses of its own; flows send them its way."""
    os.environ.update(EOIP_SANDBOX="bench", EOIP_BUILD=str(common.BUILD))
    run(SANDBOX, "up", "--datapath", "system", stdout=subprocess.DEVNULL)
    for end, other in zip(ENDS, reversed(ENDS)):
        ports, flows = [], ["arp,actions=NORMAL"]
        for number, (variant, kind) in enumerate(OVS_VARIANTS.items()):
            ports += ["--", "add-port", "br0", variant, "--", "set",
                      "interface", variant, f"type={kind}",
                      f"options:remote_ip={UNDERLAY[other]}",
                      f"options:key={number + 1}"]
            flows += [f"ip,in_port=host-{end},nw_dst="
                      f"{ovs_address(variant, other)},actions=output:{variant}",
                      f"ip,in_port={variant},actions=output:host-{end}"]
        run(SANDBOX, "exec", end, "--", "ovs-vsctl", "--timeout=60", *ports[1:])
        run(SANDBOX, "exec", end, "--", "ovs-ofctl", "del-flows", "br0")
        for flow in flows:
            run(SANDBOX, "exec", end, "--", "ovs-ofctl", "add-flow", "br0",
                flow)
        host = f"bench-host-{end}"
        # What any of the tunnels carries without fragments.
        ip(host, "link set eth0 mtu 1450")
        for variant in OVS_VARIANTS:
            ip(host, f"address add {ovs_address(variant, end)}/24 dev eth0")
    set_neighbours()


def set_neighbours():
    """A broadcast would go through all the tunnels at once."""
    macs = {}
    for end in ENDS:
        shown = subprocess.run(
            ["ip", "-n", f"bench-host-{end}", "-j", "link", "show", "eth0"],
            check=True, capture_output=True, text=True).stdout
        macs[end] = json.loads(shown)[0]["address"]
    for end, other in zip(ENDS, reversed(ENDS)):
        ip(f"bench-host-{end}", *(
            f"neighbour replace {ovs_address(variant, other)} lladdr "
            f"{macs[other]} dev eth0 nud permanent"
            for variant in OVS_VARIANTS))


def through_ovs(bench):
    try:
        with Awake():
            set_up_switches()
        options = {"source": "bench-host-a", "target": "bench-host-b",
                   "where": ovs_address, "variants": list(OVS_VARIANTS)}
        bench.tcp("TCP through OVS", **options)
        bench.udp("64-byte frames through OVS", SMALL, **options)
        bench.udp("UDP of 1400 bytes through OVS", 1400, **options)
    finally:
        with Awake():
            run(SANDBOX, "down")


PARTS = {"point-to-point": point_to_point, "ipv6": over_ipv6,
         "vlan": over_vlan, "forwarded": forwarded, "ovs": through_ovs,
         "many": many_tunnels, "ids": all_ids}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("part", nargs="+", choices=PARTS)
    args = parser.parse_args()
    bench = Bench(args.rounds)
    for part in args.part:
        PARTS[part](bench)
    print("results", json.dumps(bench.results))


if __name__ == "__main__":
    main()
