# SPDX-License-Identifier: Apache-2.0
"""A client of VICI, the protocol in which strongSwan's IKE daemon is told what
to do and asked how it is: packets over a Unix socket, each a number of bytes, a
type, in most of them a name, and a message.  A message is a tree: here a dict
of values, lists and further dicts.

Calls block until the answer is there, at most SECONDS; events are read when
their socket is readable.  What goes wrong with the socket, or with what comes
from it, is an OSError, after which the connection is of no use any more.  No
value of a message is ever logged: secrets are among them."""

import socket
import struct

SECONDS = 10.0

# Types of packets.
REQUEST, RESPONSE, UNKNOWN = 0, 1, 2
REGISTER, UNREGISTER, CONFIRM, NO_EVENT, EVENT = 3, 4, 5, 6, 7

# Types of what a message consists of.
SECTION, SECTION_END, VALUE, LIST, ITEM, LIST_END = 1, 2, 3, 4, 5, 6


class Refused(Exception):
    """strongSwan has answered that it does not do it; says why."""


def name_of(text):
    data = text.encode("ascii")
    return bytes([len(data)]) + data


def value_of(value):
    data = value if isinstance(value, bytes) else str(value).encode()
    return struct.pack("!H", len(data)) + data


def encode(message):
    """Values may be bytes, or anything that str() is of."""
    parts = []
    for key, value in message.items():
        name = name_of(key)
        if isinstance(value, dict):
            parts += [bytes([SECTION]), name, encode(value),
                      bytes([SECTION_END])]
        elif isinstance(value, (list, tuple)):
            parts += [bytes([LIST]), name]
            parts += [bytes([ITEM]) + value_of(item) for item in value]
            parts.append(bytes([LIST_END]))
        else:
            parts += [bytes([VALUE]), name, value_of(value)]
    return b"".join(parts)


class Reader:
    """Takes a message apart, from the front to the end."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, count):
        if self.at + count > len(self.data):
            raise OSError("a message of strongSwan's ends too early")
        piece = self.data[self.at:self.at + count]
        self.at += count
        return piece

    def text(self, size):
        """Behind its length, of `size` bytes."""
        count = int.from_bytes(self.take(size), "big")
        return self.take(count).decode("utf-8", "replace")

    def items(self):
        found = []
        while (kind := self.take(1)[0]) == ITEM:
            found.append(self.text(2))
        if kind != LIST_END:
            raise OSError("a list of strongSwan's has something else in it")
        return found

    def section(self, outermost=False):
        found = {}
        while not (outermost and self.at == len(self.data)):
            kind = self.take(1)[0]
            if kind == SECTION_END and not outermost:
                break
            if kind not in (SECTION, VALUE, LIST):
                raise OSError(f"a message of strongSwan's has the type {kind}")
            name = self.text(1)
            found[name] = (self.section() if kind == SECTION else
                           self.text(2) if kind == VALUE else self.items())
        return found


def decode(data):
    """The message; values are text."""
    return Reader(data).section(outermost=True)


class Connection:
    """One to the daemon's socket at `path`."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(SECONDS)
            self.sock.connect(path)
        except OSError:
            self.sock.close()
            raise
        self.buffer = b""

    def close(self):
        self.sock.close()

    def fileno(self):
        return self.sock.fileno()

    def send(self, kind, name, message=None):
        packet = bytes([kind]) + name_of(name) + encode(message or {})
        self.sock.sendall(struct.pack("!I", len(packet)) + packet)

    def packet(self):
        """The first of those that were read, or None."""
        if len(self.buffer) < 4:
            return None
        end = 4 + int.from_bytes(self.buffer[:4], "big")
        if len(self.buffer) < end:
            return None
        packet, self.buffer = self.buffer[4:end], self.buffer[end:]
        if not packet:
            raise OSError("strongSwan has sent an empty packet")
        return packet

    def fill(self):
        data = self.sock.recv(65536)
        if not data:
            raise OSError("strongSwan has closed the connection")
        self.buffer += data

    def receive(self):
        """(type, message) of the next packet, whatever event it is of."""
        while (packet := self.packet()) is None:
            self.fill()
        at = 2 + packet[1] if packet[0] == EVENT else 1
        return packet[0], decode(packet[at:])

    def call(self, command, message=None):
        """The answer.  May raise Refused."""
        self.send(REQUEST, command, message)
        kind, answer = self.receive()
        if kind != RESPONSE:
            raise Refused(f"it does not know the command {command}")
        if answer.get("success", "yes") != "yes":
            raise Refused(answer.get("errmsg", "it does not say why"))
        return answer

    def register(self, event, kind=REGISTER):
        self.send(kind, event)
        answer = self.receive()[0]
        while answer == EVENT:
            answer = self.receive()[0]
        if answer != CONFIRM:
            raise OSError(f"strongSwan knows no event {event}")

    def stream(self, command, event, message=None):
        """What comes as events before the answer."""
        self.register(event)
        self.send(REQUEST, command, message)
        found = []
        while (received := self.receive())[0] == EVENT:
            found.append(received[1])
        self.register(event, UNREGISTER)
        return found


class Events(Connection):
    """A connection for events alone."""

    def __init__(self, path, *names):
        super().__init__(path)
        try:
            for name in names:
                self.register(name)
        except OSError:
            self.close()
            raise
        self.sock.setblocking(False)

    def read(self):
        """(name, message) of those that are there; does not block."""
        try:
            while True:
                self.fill()
        except BlockingIOError:
            pass
        found = []
        while (packet := self.packet()) is not None:
            if packet[0] == EVENT:
                end = 2 + packet[1]
                found.append((packet[2:end].decode("ascii", "replace"),
                              decode(packet[end:])))
        return found


__all__ = ["Connection", "Events", "Refused", "decode", "encode"]
