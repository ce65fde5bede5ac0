# SPDX-License-Identifier: Apache-2.0
"""The kernel module against the userspace datapath.

    host-a -- [br0 e1 | br-phy] == underlay == [eth0 | e1] b
    10.0.0.1     ovs-vswitchd                   eoip.ko   10.0.0.2

Site b has no switch: its e1 is a device of the kernel's."""

import contextlib
import os
import subprocess
import sys

from packets import MAGIC
from sandbox import ADDRESS, TOP, check, check_equal, run, until
import netns_socket

sys.path.append(os.path.join(TOP, "tests/kmod"))

import rtnl  # noqa: E402

UP = ["--plain-b"]


@contextlib.contextmanager
def device(sandbox, mtu=1500, **options):
    """e1 at b, of kind eoip, with 10.0.0.2."""
    options = options if options.get("external") else {
        "id": 100, "remote": ADDRESS["a"], **options}
    netlink = rtnl.Rtnl(sandbox.netns("b"))
    netlink.add("e1", options=options, mtu=mtu)
    try:
        netlink.set("e1", rtnl.attribute(
            rtnl.IFLA_ADDRESS, bytes.fromhex("02000000000b")))
        sandbox.exec("b", "sysctl", "-qw",
                     "net.ipv6.conf.e1.addr_gen_mode=1")
        netlink.up("e1")
        sandbox.exec("b", "ip", "address", "add",
                     ADDRESS["host-b"] + "/24", "dev", "e1")
        yield netlink
    finally:
        netlink.delete("e1")
        netlink.close()


def ping_both_ways(sandbox, *options):
    sandbox.ping("host-a", ADDRESS["host-b"], *options)
    sandbox.ping("b", ADDRESS["host-a"], *options)


def tcp_both_ways(sandbox, size=1_000_000):
    for source, target, address in (
            ("host-a", "b", ADDRESS["host-b"]),
            ("b", "host-a", ADDRESS["host-a"])):
        _, sent, received = netns_socket.tcp_transfer(
            sandbox.netns(source), sandbox.netns(target), address, size)
        check_equal(f"SHA-256 of TCP data from {source}", received, sent)


def fragments(sandbox):
    """Fragments that a and b have received."""
    counted = sandbox.exec("b", "grep", "^Ip:", "/proc/net/snmp").splitlines()
    names, values = (line.split() for line in counted)
    return (sandbox.reassembly("a")["fragments"],
            int(values[names.index("ReasmReqds")]))


def test_ping_and_tcp(sandbox):
    """Frames of 1458 bytes of IP fit the underlay: no fragments."""
    with device(sandbox, mtu=1458):
        sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=100)
        sandbox.exec("host-a", *"ip link set eth0 mtu 1458".split())
        try:
            before = fragments(sandbox)
            ping_both_ways(sandbox)
            ping_both_ways(sandbox, "-M", "do", "-s", "1430")
            tcp_both_ways(sandbox)
            check_equal("fragments at a and b", fragments(sandbox), before)
        finally:
            sandbox.exec("host-a", *"ip link set eth0 mtu 1500".split())


def test_full_size_frames(sandbox):
    """1500 bytes of IP inside need two packets outside, both ways."""
    with device(sandbox):
        sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=100)
        before = fragments(sandbox)
        ping_both_ways(sandbox, "-M", "do", "-s", "1472")
        tcp_both_ways(sandbox)
        for where, count, old in zip("ab", fragments(sandbox), before):
            check(count >= old + 40, f"{where} has received {count - old} "
                  "fragments only")


def test_keys(sandbox):
    """Ids whose bytes tell one order from the other."""
    for key in 0, 1, 255, 256, 65535:
        with device(sandbox, id=key):
            sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=key)
            ping_both_ways(sandbox)
            sandbox.vsctl("a", "del-port", "br0", "e1")


def test_wrong_key(sandbox):
    """1 and 256: the same bytes, swapped.  Nothing crosses."""
    with device(sandbox, id=1):
        sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=256)
        for where, address in (("host-a", ADDRESS["host-b"]),
                               ("b", ADDRESS["host-a"])):
            check(not sandbox.can_ping(where, address),
                  f"{where} gets an answer through another tunnel")
        sandbox.vsctl("a", "set", "interface", "e1", "options:key=1")
        ping_both_ways(sandbox)


def test_ipv6_and_vlan_inside(sandbox):
    """IPv6, and tagged frames of two VLANs."""
    with device(sandbox):
        sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=100)
        ends = (("host-a", "eth0", 1), ("b", "e1", 2))
        for where, dev, number in ends:
            sandbox.exec(where, "ip", "address", "add", f"fd00::{number}/64",
                         "dev", dev, "nodad")
            sandbox.exec(where, "ip", "link", "add", "link", dev, "name",
                         "v10", "type", "vlan", "id", "10")
            sandbox.exec(where, "ip", "link", "set", "v10", "up")
            sandbox.exec(where, "ip", "address", "add",
                         f"10.0.10.{number}/24", "dev", "v10")
        try:
            for where, _, number in ends:
                sandbox.ping(where, f"fd00::{3 - number}")
                sandbox.ping(where, f"10.0.10.{3 - number}", "-s", "1468")
        finally:
            sandbox.exec("host-a", *"ip link delete v10".split())
            sandbox.exec("host-a", *"ip -6 address flush dev eth0".split())


def test_external_device(sandbox):
    """A device without a remote: each route of b names id and address."""
    with device(sandbox, external=True):
        sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=65535)
        sandbox.exec("b", *f"ip route add {ADDRESS['host-a']} encap ip id "
                           f"65535 dst {ADDRESS['a']} dev e1".split())
        # Neither can ask the other: a question to all has no route.
        for where, dev, other, mac in (
                ("b", "e1", "host-a", sandbox.mac("host-a")),
                ("host-a", "eth0", "host-b", sandbox.mac("b", "e1"))):
            sandbox.exec(where, "ip", "neighbour", "replace", ADDRESS[other],
                         "lladdr", mac.hex(":"), "dev", dev, "nud",
                         "permanent")
        try:
            ping_both_ways(sandbox, "-s", "1472")
            tcp_both_ways(sandbox)
        finally:
            sandbox.exec("host-a", "ip", "neighbour", "delete",
                         ADDRESS["host-b"], "dev", "eth0")


def test_keepalives_of_the_kernel(sandbox):
    """b asks every second; a counts, and takes none for a frame."""
    with device(sandbox, interval=1, retries=0):
        sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=100)
        until(lambda: sandbox.statistics("a")["rx_keepalives"] >= 2,
              "a counts fewer than 2 keepalives")
        ping_both_ways(sandbox)
