#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What tests/bench/kernel runs inside the emulator: prints one line of JSON,
the results.

    a                                        b
    tunnels 10.0.N.1  . . . . . . . . . . .  tunnels 10.0.N.2
    u  192.0.2.1  =========================  u  192.0.2.2   (veth)

All kinds of tunnels are there all the time.  One thread holds both ends of a
conversation: on the only processor, what is sent has arrived when the call
that sends it returns, so that nothing is waited for."""

import argparse
import contextlib
import ctypes
import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import common  # noqa: E402

for folder in "utilities", "tests/system", "tests/kmod":
    sys.path.append(str(common.TOP / folder))

import netns_socket  # noqa: E402
import rtnl  # noqa: E402

UNDERLAY = {"a": "192.0.2.1", "b": "192.0.2.2"}
ENDS = ["a", "b"]
# gre2 is the A/A control.  In the kernel, GRE with frames inside is gretap.
TUNNELS = ["gre", "eoip", "vxlan", "gre2", "gredf"]
# The veth alone: what is not a tunnel's part of the others' figures.
VARIANTS = [*TUNNELS, "none"]
MANY = 10_000
TCP_BYTES = 16 << 20
CHUNK = 64 << 10
PACKETS = 1024
BATCH = 32


def run(*command, **options):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, **options)


def ip(netns, *lines):
    subprocess.run(["ip", "-n", netns, "-batch", "-"], check=True, text=True,
                   input="".join(f"{line}\n" for line in lines))


## Namespaces and tunnels.

class Bed:
    """Two namespaces, and what joins them."""

    def __init__(self):
        self.netlink = {}

    def __enter__(self):
        for end in ENDS:
            run("ip", "netns", "add", end)
            for kind in "all", "default":
                with netns_socket.inside(end), open(
                        f"/proc/sys/net/ipv6/conf/{kind}/disable_ipv6",
                        "w") as file:
                    file.write("1")
            self.netlink[end] = rtnl.Rtnl(end)
        ip("a", "link add u type veth peer name u netns b")
        for end in ENDS:
            ip(end, "link set lo up", "link set u up",
               f"address add {UNDERLAY[end]}/24 dev u")
        return self

    def __exit__(self, *_):
        for end in ENDS:
            self.netlink[end].close()
            run("ip", "netns", "delete", end)

    def offloads(self, carries_gso):
        """Whether the veth takes packets of 64 KB, or wants them in pieces
        and puts together what it receives, as a NIC does."""
        word = "on" if carries_gso else "off"
        for end in ENDS:
            with netns_socket.inside(end):
                run("ethtool", "-K", "u", "tso", word, "gso", word,
                    "tx-gre-segmentation", word, "tx-gre-csum-segmentation",
                    word, "tx-udp_tnl-segmentation", word,
                    "tx-udp_tnl-csum-segmentation", word,
                    "gro", "off" if carries_gso else "on",
                    stdout=subprocess.DEVNULL)

    def add_tunnels(self):
        for end, other in zip(ENDS, reversed(ENDS)):
            outer = f"local {UNDERLAY[end]} remote {UNDERLAY[other]}"
            # What is too long is fragmented, as EoIP does.
            ip(end,
               f"link add gre type gretap {outer} key 1 nopmtudisc ignore-df",
               f"link add gre2 type gretap {outer} key 2 nopmtudisc ignore-df",
               f"link add gredf type gretap {outer} key 5",
               f"link add vxlan type vxlan {outer} id 3 dstport 4789")
            self.netlink[end].add("eoip", options={
                "id": 4, "local": UNDERLAY[end], "remote": UNDERLAY[other]})
            for variant in TUNNELS:
                ip(end, f"link set {variant} mtu 1450 up",
                   f"address add {address(variant, end)}/24 dev {variant}")

    def set_mtu(self, mtu):
        for end in ENDS:
            ip(end, *(f"link set {variant} mtu {mtu}"
                      for variant in TUNNELS))


def address(variant, end):
    if variant == "none":
        return UNDERLAY[end]
    return f"10.0.{TUNNELS.index(variant)}.{ENDS.index(end) + 1}"


## Conversations.

class Tcp:
    """Bytes from a to b; both ends are ours."""

    def __init__(self, source, target, to):
        with netns_socket.inside(target):
            listener = socket.create_server((to, 0))
        with netns_socket.inside(source):
            self.sender = socket.socket()
        with listener:
            self.sender.connect(listener.getsockname())
            self.receiver, _ = listener.accept()
        for sock in self.sender, self.receiver:
            sock.setblocking(False)
        self.data = bytes(CHUNK)
        self.buffer = bytearray(4 * CHUNK)

    def close(self):
        self.sender.close()
        self.receiver.close()

    def receive(self):
        count = 0
        with contextlib.suppress(BlockingIOError):
            while size := self.receiver.recv_into(self.buffer):
                count += size
        return count

    def seconds(self, size):
        """How long `size` bytes take."""
        start = time.monotonic()
        sent = received = 0
        while received < size:
            with contextlib.suppress(BlockingIOError):
                while sent < size:
                    sent += self.sender.send(self.data[:size - sent])
            received += self.receive()
        return time.monotonic() - start


class Message(ctypes.Structure):
    """struct mmsghdr, whose integers are followed by padding."""
    _fields_ = [("name", ctypes.c_void_p), ("name_length", ctypes.c_uint32),
                ("vector", ctypes.c_void_p), ("vector_length", ctypes.c_size_t),
                ("control", ctypes.c_void_p),
                ("control_length", ctypes.c_size_t),
                ("flags", ctypes.c_size_t), ("length", ctypes.c_size_t)]


libc = ctypes.CDLL(None, use_errno=True)


class Messages:
    """BATCH messages for sendmmsg(2) and recvmmsg(2), so that python's part in
    a packet is small."""

    def __init__(self, datas, names=None):
        count = len(datas)
        self.buffers = [ctypes.create_string_buffer(data, len(data))
                        for data in datas]
        self.names = [ctypes.create_string_buffer(name, len(name))
                      for name in names or []]
        self.vectors = (ctypes.c_size_t * (2 * count))()
        self.headers = (Message * count)()
        for number, buffer in enumerate(self.buffers):
            self.vectors[2 * number] = ctypes.addressof(buffer)
            self.vectors[2 * number + 1] = len(buffer)
            header = self.headers[number]
            header.vector = ctypes.addressof(self.vectors) + 16 * number
            header.vector_length = 1
            if self.names:
                header.name = ctypes.addressof(self.names[number])
                header.name_length = len(self.names[number])

    def send(self, sock):
        count = libc.sendmmsg(sock.fileno(), self.headers, len(self.headers),
                              0)
        if count != len(self.headers):
            raise OSError(ctypes.get_errno(), "sendmmsg")

    def receive(self, sock):
        """How many have come."""
        return libc.recvmmsg(sock.fileno(), self.headers, len(self.headers),
                             socket.MSG_DONTWAIT, None)


class Udp:
    """Packets of `size` bytes of payload from a to b."""

    def __init__(self, source, target, to, size):
        with netns_socket.inside(target):
            self.receiver = socket.socket(type=socket.SOCK_DGRAM)
            self.receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF,
                                     1 << 20)
            self.receiver.bind((to, 0))
        with netns_socket.inside(source):
            self.sender = socket.socket(type=socket.SOCK_DGRAM)
            self.sender.connect(self.receiver.getsockname())
        self.out = Messages([bytes(size)] * BATCH)
        self.into = Messages([bytes(size)] * BATCH)

    def close(self):
        self.sender.close()
        self.receiver.close()

    def seconds(self, packets):
        start = time.monotonic()
        for _ in range(packets // BATCH):
            self.out.send(self.sender)
            count = self.into.receive(self.receiver)
            if count != BATCH:
                raise OSError(f"{count} of {BATCH} packets have arrived")
        return time.monotonic() - start


## Measurements.

class Bench:
    def __init__(self, rounds):
        self.rounds = rounds
        self.results = []

    def compare(self, what, unit, conversations, amount, value):
        """conversations: {variant: one with seconds(amount)}; value(seconds)
        is the sample."""
        samples = {variant: [] for variant in conversations}
        try:
            for conversation in conversations.values():
                conversation.seconds(amount)
            for _, variant in common.interleave(list(conversations),
                                                self.rounds):
                samples[variant].append(value(
                    conversations[variant].seconds(amount)))
        finally:
            for conversation in conversations.values():
                conversation.close()
        self.results += [common.result("kernel", what, variant, unit, numbers)
                         for variant, numbers in samples.items()]
        print(what, {variant: round(numbers[-1], 3)
                     for variant, numbers in samples.items()},
              file=sys.stderr, flush=True)

    def tcp(self, what, source="a", target="b", where=address,
            variants=VARIANTS, size=TCP_BYTES):
        self.compare(what, "Mbit/s", {
            variant: Tcp(source, target, where(variant, "b"))
            for variant in variants}, size,
            lambda seconds: size * 8 / seconds / 1e6)

    def udp(self, what, size, source="a", target="b", where=address,
            variants=VARIANTS, names=None):
        """`names` are the variants' in the results."""
        self.compare(what, "ns/packet", {
            (names or {}).get(variant, variant):
            Udp(source, target, where(variant, "b"), size)
            for variant in variants}, PACKETS,
            lambda seconds: seconds / PACKETS * 1e9)

    def once(self, what, variant, unit, value):
        self.results.append(common.result("kernel", what, variant, unit,
                                          [value]))
        print(what, variant, value, unit, file=sys.stderr, flush=True)


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


PARTS = {"point-to-point": point_to_point, "ovs": through_ovs,
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
