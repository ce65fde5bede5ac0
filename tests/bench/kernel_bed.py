# SPDX-License-Identifier: Apache-2.0
"""The namespaces, conversations and measurements of kernel_inside.py.

    a                                        b
    tunnels 10.0.N.1  . . . . . . . . . . .  tunnels 10.0.N.2
    u  192.0.2.1  =========================  u  192.0.2.2   (veth)

All kinds of tunnels are there all the time.  One thread holds both ends of a
conversation: on the only processor, what is sent has arrived when the call
that sends it returns, so that nothing is waited for."""

import contextlib
import ctypes
import socket
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
        self.namespaces = []

    def add_netns(self, name):
        """Without IPv6, which sends by itself."""
        run("ip", "netns", "add", name)
        self.namespaces.append(name)
        for kind in "all", "default":
            self.set_ipv6(name, kind, False)

    @staticmethod
    def set_ipv6(netns, device, state):
        with netns_socket.inside(netns), open(
                f"/proc/sys/net/ipv6/conf/{device}/disable_ipv6",
                "w") as file:
            file.write("0" if state else "1")

    def __enter__(self):
        for end in ENDS:
            self.add_netns(end)
            self.netlink[end] = rtnl.Rtnl(end)
        ip("a", "link add u type veth peer name u netns b")
        for end in ENDS:
            ip(end, "link set lo up", "link set u up",
               f"address add {UNDERLAY[end]}/24 dev u")
        return self

    def __exit__(self, *_):
        for netlink in self.netlink.values():
            netlink.close()
        for name in self.namespaces:
            run("ip", "netns", "delete", name)

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
    """Bytes from a to b; both ends are ours.  `window` bounds what is on its
    way, 0: the kernel does."""

    def __init__(self, source, target, to, window=0):
        with netns_socket.inside(target):
            listener = socket.create_server((to, 0))
        if window:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
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
            variants=VARIANTS, size=TCP_BYTES, sources=None, window=0):
        """`sources` are the variants' own ones."""
        self.compare(what, "Mbit/s", {
            variant: Tcp((sources or {}).get(variant, source), target,
                         where(variant, "b"), window)
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
