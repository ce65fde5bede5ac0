# SPDX-License-Identifier: Apache-2.0
"""Packets that a program lets through (NFQUEUE, as Suricata and Snort use it)
come to the module from that program's process, and not from a softirq.

Here they are counted.  A kernel with DEBUG_PREEMPT says if one is taken with
softirqs on."""

import socket
import struct
import threading

import modules
import netns_socket
from bed import INNER, MAC
from packets import eoip, ethernet, tcp
from peer import packet
from sandbox import check_equal, until

NETLINK_NETFILTER, NFNL_SUBSYS_QUEUE = 12, 3
PACKET, VERDICT, CONFIG = 0, 1, 2  # NFQNL_MSG_*
NF_ACCEPT, COPY_PACKET, BIND = 1, 2, 1
QUEUE, PACKETS = 7, 300


def attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(
        -len(data) % 4)


class Program(threading.Thread):
    """Lets everything through."""

    def __init__(self, netns):
        super().__init__(daemon=True)
        with netns_socket.inside(netns):
            self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW,
                                      NETLINK_NETFILTER)
        self.sock.bind((0, 0))
        self.sock.settimeout(0.2)
        self.seen, self.done = 0, threading.Event()
        self.say(CONFIG, attribute(1, struct.pack("!BxH", BIND,
                                                  socket.AF_INET)))
        self.say(CONFIG, attribute(2, struct.pack("!IB", 100, COPY_PACKET)))

    def say(self, message, payload):
        body = struct.pack("!BBH", socket.AF_UNSPEC, 0, QUEUE) + payload
        self.sock.send(struct.pack("=IHHII", 16 + len(body),
                                   NFNL_SUBSYS_QUEUE << 8 | message, 1, 0, 0)
                       + body)

    def run(self):
        while not self.done.is_set():
            try:
                data = self.sock.recv(1 << 16)
            except TimeoutError:
                continue
            if struct.unpack_from("=H", data, 4)[0] != NFNL_SUBSYS_QUEUE << 8:
                continue
            # The first attribute is the packet's header, its id comes first.
            self.say(VERDICT, attribute(2, struct.pack("!I", NF_ACCEPT)
                                        + data[24:28]))
            self.seen += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join(10)
        self.sock.close()


def test_verdicts(bed):
    """TCP, which GRO would like to put together, through a queue: each packet
    is counted once, and the tunnel is as before."""
    for name in ("nfnetlink_queue", "nft_queue"):
        modules.need(name)
    bed.pair()
    bed.exec("a", "nft", "add table ip q; add chain ip q i { type filter hook "
             "input priority 0; }; add rule ip q i ip protocol gre queue num "
             f"{QUEUE}")
    mac = bed.link("a").address
    with Program(bed.netns("a")) as program, bed.wire("b") as wire:
        before = bed.statistics("a")["rx_packets"]
        for number in range(PACKETS):
            wire.send(MAC["a"] + MAC["b"] + b"\x08\0" + packet(eoip(
                ethernet(tcp(bytes(100), number * 100), mac))))
            # The queue holds 1024, the program's socket less.
            until(lambda: program.seen + 30 > number, "no verdict comes")
        until(lambda: program.seen == PACKETS, "a packet gets no verdict")
        until(lambda: bed.statistics("a")["rx_packets"] - before >= PACKETS,
              "what was let through does not come out")
        check_equal("rx_packets", bed.statistics("a")["rx_packets"] - before,
                    PACKETS)
        check_equal("drops", {name: value for name, value
                              in bed.counters("a").items() if value}, {})
        bed.ping("b", INNER["a"])
        bed.tcp("b", 200_000)
