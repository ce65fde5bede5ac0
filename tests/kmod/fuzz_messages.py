# SPDX-License-Identifier: Apache-2.0
"""rtnetlink messages for links of kind "eoip", good, bad and random, and a
socket for them.

The attributes are read from <linux/eoip.h>, so that a new one is fuzzed as
soon as it is there."""

import os
import pathlib
import re
import socket
import struct

UAPI = (pathlib.Path(__file__).resolve().parent.parent.parent
        / "kmod-vport/uapi/linux/eoip.h")

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19
NLMSG_ERROR, NLMSG_DONE = 2, 3
F_REQUEST, F_ACK, F_DUMP, F_REPLACE, F_EXCL, F_CREATE = (
    1, 4, 0x300, 0x100, 0x200, 0x400)
F_ACK_TLVS = 0x200
SOL_NETLINK, NETLINK_EXT_ACK, NETLINK_CAP_ACK = 270, 11, 10
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK = 1, 3, 4, 5
IFLA_MASTER, IFLA_TXQLEN, IFLA_LINKMODE, IFLA_LINKINFO = 10, 13, 17, 18
IFLA_NET_NS_PID, IFLA_NUM_TX_QUEUES, IFLA_NUM_RX_QUEUES = 19, 31, 32
IFLA_CARRIER, IFLA_LINK_NETNSID = 33, 37
IFLA_INFO_KIND, IFLA_INFO_DATA = 1, 2
NLMSGERR_ATTR_MSG = 1
NLA_F_NESTED, NLA_F_NET_BYTEORDER = 0x8000, 0x4000

NAMES = [f"fz{number}" for number in range(12)]


def attributes_of_uapi():
    """{name: (number, type)}, such as "ID": (4, "u32")."""
    text = UAPI.read_text(encoding="ascii")
    found = re.findall(r"^\tIFLA_EOIP_(\w+)(?: = (\d+))?,\s*/\* (\w+)", text,
                       re.MULTILINE)
    table, number = {}, 0
    for name, given, kind in found:
        number = int(given) if given else number + 1
        table[name] = (number | (NLA_F_NESTED if kind == "nested" else 0),
                       kind)
    return table


ATTRIBUTES = attributes_of_uapi()


def attribute(number, payload):
    size = 4 + len(payload)
    return struct.pack("=HH", size & 0xffff, number) + payload + bytes(
        -size % 4)


def parse(data):
    """[(number, payload)] of a run of attributes."""
    found = []
    while len(data) >= 4:
        size, number = struct.unpack_from("=HH", data)
        if size < 4:
            break
        found.append((number & 0x3fff, data[4:size]))
        data = data[(size + 3) & ~3:]
    return found


class Netlink:
    """One socket; each request waits for its acknowledgement."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        self.sock.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
        self.sock.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
        self.sock.settimeout(60)
        self.sequence = 0

    def send(self, kind, flags, body):
        self.sequence += 1
        self.sock.send(struct.pack("=IHHII", 16 + len(body), kind,
                                   flags | F_REQUEST, self.sequence, 0) + body)

    def receive(self):
        """Messages (type, body) of one datagram that answer the last one."""
        data = self.sock.recv(1 << 20)
        found = []
        while len(data) >= 16:
            size, kind, _, sequence, _ = struct.unpack_from("=IHHII", data)
            if sequence == self.sequence:
                found.append((kind, data[16:size]))
            data = data[(size + 3) & ~3:]
        return found

    def request(self, kind, flags, body):
        """(errno or 0, the sentence of a refusal or None)."""
        self.send(kind, flags | F_ACK, body)
        while True:
            for answer, data in self.receive():
                if answer == NLMSG_ERROR:
                    return self.verdict(data)
                if answer == NLMSG_DONE:
                    return 0, None

    @staticmethod
    def verdict(data):
        code = -struct.unpack_from("=i", data)[0]
        for number, payload in parse(data[20:]):
            if number == NLMSGERR_ATTR_MSG:
                return code, payload.rstrip(b"\0").decode()
        return code, None

    def get(self, name):
        """IFLA_INFO_DATA of a link as {number: payload}, or None."""
        self.send(RTM_GETLINK, 0, link(attribute(IFLA_IFNAME,
                                                 name.encode() + b"\0")))
        for answer, data in self.receive():
            if answer != RTM_NEWLINK:
                return None
            info = dict(parse(dict(parse(data[16:]))[IFLA_LINKINFO]))
            if info.get(IFLA_INFO_KIND, b"").rstrip(b"\0") not in (
                    b"eoip", b"eoipv6"):
                return None
            return dict(parse(info.get(IFLA_INFO_DATA, b"")))
        return None


def link(attributes, index=0, flags=0, change=0):
    return struct.pack("=BxHiII", 0, 0, index, flags, change) + attributes


def add_device(name, **values):
    """Makes a sound device in this namespace: ID=100, REMOTE="192.0.2.2", or
    COLLECT_METADATA=None.  Returns 0 or an errno."""
    data = b""
    for key, value in values.items():
        number, kind = ATTRIBUTES[key]
        if value is None:
            value = b""
        elif isinstance(value, str):
            value = socket.inet_pton(socket.AF_INET6 if ":" in value
                                     else socket.AF_INET, value)
        else:
            value = struct.pack({"u8": "=B"}.get(kind, "=I"), value)
        data += attribute(number, value)
    is_ipv6 = ":" in (values.get("REMOTE") or "")
    info = attribute(IFLA_INFO_KIND, b"eoipv6\0" if is_ipv6 else b"eoip\0") \
        + attribute(IFLA_INFO_DATA, data)
    netlink = Netlink()
    with netlink.sock:
        return netlink.request(RTM_NEWLINK, F_CREATE | F_EXCL, link(
            attribute(IFLA_IFNAME, name.encode() + b"\0")
            + attribute(IFLA_LINKINFO, info)))[0]


def good_value(rng, name, kind):
    if kind == "flag":
        return b""
    if name == "ID":
        return struct.pack("=I", rng.choice((0, 1, 100, 1234, 65535,
                                             rng.randrange(65536))))
    if name in ("LOCAL", "REMOTE"):
        address = f"192.0.2.{rng.choice((1, 2, 2, 2, 77))}"
        if rng.random() < 0.1:
            return socket.inet_pton(socket.AF_INET6, "2001:db8::" + address)
        return socket.inet_aton(address)
    if name == "LINK":
        return struct.pack("=I", rng.choice((0, 0, 1, 2, 3)))
    if name == "DF":
        return bytes([rng.randrange(3)])
    if kind == "nested":
        return good_rule(rng)
    if kind == "u8":
        return bytes([rng.choice((0, 1, 2, 64, 255))])
    return struct.pack("=I", rng.choice((0, 1, 10, 65535)))


def good_rule(rng):
    """Of few tunnels, so that some are changed and some forgotten."""
    names = [name for name in ("ID", "LOCAL", "REMOTE", "CLAMP_MSS")
             if rng.random() < 0.6]
    return b"".join(attribute(ATTRIBUTES[name][0], bytes([rng.randrange(2)])
                              if name == "CLAMP_MSS" else
                              good_value(rng, name, ATTRIBUTES[name][1]))
                    for name in names)


def bad_value(rng, value):
    """Out of range, of a wrong length, or anything."""
    way = rng.randrange(5)
    if way == 0:
        return value[:rng.randrange(len(value))] if value else b"\1"
    if way == 1:
        return value + rng.randbytes(rng.choice((1, 3, 4, 200)))
    if way == 2:
        return rng.randbytes(len(value))
    if way == 3:
        return rng.choice((b"\xff", b"\0", b"\x80")) * max(1, len(value))
    return rng.randbytes(rng.choice((0, 1, 2, 4, 8, 64, 4000)))


def good_data(rng):
    """[(number, payload)] as a user would ask for."""
    names = set(rng.sample(sorted(ATTRIBUTES), rng.randrange(
        len(ATTRIBUTES))))
    if rng.random() < 0.15:
        names |= {"COLLECT_METADATA"}
        names -= {"ID", "REMOTE", "LOCAL", "LINK"}
    else:
        names |= {"ID", "REMOTE"}
        names -= {"COLLECT_METADATA"}
    # For a device that is there; and of what a device says only.
    names -= {"MSS_RULE", "HEARD"}
    return [(ATTRIBUTES[name][0], good_value(rng, name, ATTRIBUTES[name][1]))
            for name in sorted(names)]


def spoil(rng, data):
    """One to three things go wrong."""
    data = list(data)
    for _ in range(rng.randrange(1, 4)):
        way = rng.randrange(6)
        if way == 0 and data:
            del data[rng.randrange(len(data))]
        elif way == 1 and data:
            number, value = rng.choice(data)
            data.append((number, bad_value(rng, value)
                         if rng.random() < 0.5 else value))
        elif way == 2:
            data.append((rng.randrange(64), rng.randbytes(rng.choice(
                (0, 1, 4, 16)))))
        elif way == 3 and data:
            place = rng.randrange(len(data))
            number, value = data[place]
            data[place] = (number | rng.choice((
                NLA_F_NESTED, NLA_F_NET_BYTEORDER)), value)
        elif data:
            place = rng.randrange(len(data))
            number, value = data[place]
            data[place] = (number, bad_value(rng, value))
    rng.shuffle(data)
    return data


def linkinfo(rng, data, odd, is_ipv6=None):
    """IFLA_LINKINFO around IFLA_INFO_DATA; if `odd`, not always in order.
    `is_ipv6` None: by the remote."""
    if is_ipv6 is None:
        is_ipv6 = any(number == ATTRIBUTES["REMOTE"][0] and len(value) == 16
                      for number, value in data)
    kind = b"eoipv6\0" if is_ipv6 else b"eoip\0"
    if odd and rng.random() < 0.2:
        kind = rng.choice((b"eoip", b"", b"eoip\0\0\0", b"eoi\0", b"veth\0",
                           b"gretap\0", b"eoip\0", b"eoipv6\0"))
    blob = b"".join(attribute(*pair) for pair in data)
    if odd and rng.random() < 0.1:
        blob = blob[:rng.randrange(len(blob) + 1)]
    parts = [attribute(IFLA_INFO_KIND, kind),
             attribute(IFLA_INFO_DATA, blob)]
    if odd and rng.random() < 0.1:
        del parts[rng.randrange(2)]
    return attribute(IFLA_LINKINFO, b"".join(parts))


def link_options(rng):
    """Attributes of the link itself, mostly sound."""
    choices = (
        (IFLA_MTU, struct.pack("=I", rng.choice(
            (0, 1, 67, 68, 1458, 1500, 65493, 65494, 65535, 1 << 31)))),
        (IFLA_ADDRESS, rng.randbytes(rng.choice((6, 6, 6, 5, 0, 32)))),
        (IFLA_TXQLEN, struct.pack("=I", rng.choice((0, 1000)))),
        (IFLA_LINK, struct.pack("=I", rng.randrange(8))),
        (IFLA_MASTER, struct.pack("=I", rng.randrange(12))),
        (IFLA_NUM_TX_QUEUES, struct.pack("=I", rng.choice((0, 1, 4, 4097)))),
        (IFLA_NUM_RX_QUEUES, struct.pack("=I", rng.choice((0, 1, 4)))),
        (IFLA_NET_NS_PID, struct.pack("=I", rng.choice((1, os.getpid())))),
        (IFLA_LINK_NETNSID, struct.pack("=i", rng.choice((-1, 0, 1)))),
        (IFLA_LINKMODE, bytes([rng.randrange(3)])),
        (IFLA_CARRIER, bytes([rng.randrange(2)])),
    )
    return b"".join(attribute(*pair) for pair in rng.sample(
        choices, rng.choice((0, 0, 1, 2))))
