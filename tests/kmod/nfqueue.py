# SPDX-License-Identifier: Apache-2.0
"""A program that gives verdicts on packets: what it lets go on does so in the
program's own context, and no longer in that of the interrupt."""

import socket
import struct
import threading

import netns_socket

NETLINK_NETFILTER = 12
QUEUE = 3 << 8  # NFNL_SUBSYS_QUEUE
PACKET, VERDICT, CONFIG = QUEUE, QUEUE | 1, QUEUE | 2
F_REQUEST = 1
CFG_CMD, CFG_PARAMS, CFG_CMD_BIND, COPY_META = 1, 2, 1, 1
PACKET_HDR, VERDICT_HDR = 1, 2
NF_DROP, NF_ACCEPT = 0, 1


def attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(
        -len(data) % 4)


class Verdicts:
    """Queue `number` of the namespace: verdict() is asked for each packet,
    and lets it go on if it is true.  `count` is how many were asked."""

    def __init__(self, netns, verdict=lambda: True, number=0):
        self.number, self.verdict, self.count = number, verdict, 0
        with netns_socket.inside(netns):
            self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW,
                                      NETLINK_NETFILTER)
        self.sock.bind((0, 0))
        self.sock.settimeout(0.2)
        self.send(CONFIG, attribute(CFG_CMD, struct.pack(
            ">BxH", CFG_CMD_BIND, socket.AF_INET)))
        self.send(CONFIG, attribute(CFG_PARAMS, struct.pack(
            ">IB", 100, COPY_META)))
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(10)
        self.sock.close()

    def send(self, kind, payload):
        body = struct.pack(">BBH", 0, 0, self.number) + payload
        self.sock.send(struct.pack("=IHHII", 16 + len(body), kind, F_REQUEST,
                                   0, 0) + body)

    def run(self):
        while not self.stop.is_set():
            try:
                data = self.sock.recv(1 << 16)
            except OSError:  # Nothing there, or more than there was room for.
                continue
            while len(data) >= 20:
                size, kind = struct.unpack_from("=IH", data)
                if kind == PACKET:
                    self.answer(data[20:size])
                data = data[(size + 3) & ~3:]

    def answer(self, attributes):
        """The packet's id is the first thing in the first attribute."""
        ident = attributes[4:8]
        verdict = NF_ACCEPT if self.verdict() else NF_DROP
        self.count += 1
        try:
            self.send(VERDICT, attribute(VERDICT_HDR, struct.pack(
                ">I", verdict) + ident))
        except OSError:  # No memory, as somebody else wants it to be.
            pass
