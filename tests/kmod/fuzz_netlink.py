# SPDX-License-Identifier: Apache-2.0
"""rtnetlink messages for links of kind "eoip", good, bad and random.

The attributes are read from <linux/eoip.h>, so that a new one is fuzzed as
soon as it is there.  Two rules are held against the kernel all the while: a
change that is refused changes nothing, and one that is accepted changes what
it names and nothing else."""

import collections
import errno
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


def ttl_after(data, before):
    """Of the two attributes that say it: what both are after a change."""
    ttl, inherit = ATTRIBUTES["TTL"][0], ATTRIBUTES["TTL_INHERIT"][0]
    if ttl not in before or (ttl not in data and inherit not in data):
        return {}
    value = data[ttl][0] or 64 if ttl in data else before[ttl][0]
    if inherit in data:
        value = 0 if data[inherit][0] else value or 64
    return {ttl: bytes([value]), inherit: bytes([not value])}


class Worker:
    """Sends until the time is over; what it saw is in `counts`, and what may
    not be in `faults`."""

    def __init__(self, rng):
        self.rng = rng
        self.netlink = Netlink()
        self.counts = collections.Counter()
        self.faults = []

    def note(self, what, code):
        self.counts[f"{what} {errno.errorcode.get(code, code) or 'ok'}"
                    if code else f"{what} ok"] += 1

    def create(self):
        rng = self.rng
        odd = rng.random() < 0.5
        data = good_data(rng)
        if odd:
            data = spoil(rng, data)
        body = attribute(IFLA_IFNAME, rng.choice(NAMES).encode() + b"\0")
        body += link_options(rng) if odd else b""
        body += linkinfo(rng, data, odd)
        code, _ = self.netlink.request(
            RTM_NEWLINK, F_CREATE | rng.choice((0, F_EXCL, F_EXCL, F_EXCL,
                                                F_REPLACE)),
            link(body, flags=rng.choice((0, 1)), change=rng.choice((0, 1))))
        self.note("create", code)

    def change(self):
        """Only IFLA_INFO_DATA, so that the two rules can be held."""
        rng = self.rng
        name = rng.choice(NAMES)
        before = self.netlink.get(name)
        if before is None:
            self.counts["change without a device"] += 1
            return
        names = rng.sample(sorted(ATTRIBUTES), rng.choice((0, 1, 1, 2, 3)))
        if ATTRIBUTES["COLLECT_METADATA"][0] in before and rng.random() < 0.7:
            names = ["MSS_RULE"]
        data = [(ATTRIBUTES[key][0], good_value(rng, key, ATTRIBUTES[key][1]))
                for key in names]
        spoilt = rng.random() < 0.5
        if spoilt:
            data = spoil(rng, data)
        body = attribute(IFLA_IFNAME, name.encode() + b"\0")
        code, sentence = self.netlink.request(
            RTM_NEWLINK, 0, link(body + linkinfo(
                rng, data, False,
                len(before.get(ATTRIBUTES["REMOTE"][0], b"")) == 16)))
        after = self.netlink.get(name)
        self.note("change", code)
        if code == errno.ENODEV or after is None:
            return  # Another worker has unloaded the module.
        if code not in (0, errno.ENOMEM) and not sentence:
            self.faults.append(f"refused ({errno.errorcode.get(code, code)}) "
                               f"without a sentence: {shown(data)}")
        expected = dict(before)
        if code == 0:
            expected.update(data)
            expected.update(ttl_after(dict(data), before))
            if spoilt:
                for number, _ in data:
                    expected[number & 0x3fff] = after.get(number & 0x3fff)
        for number, value in before.items():
            if not is_same(number, after.get(number), expected[number]):
                self.faults.append(
                    f"change of {name}, {shown(data)}: answer {code}, "
                    f"{sentence}; before {shown(before.items())}, after "
                    f"{shown(after.items())}")
                break

    def set_link(self):
        """RTM_SETLINK, which takes no IFLA_INFO_DATA of ours for granted."""
        rng = self.rng
        body = attribute(IFLA_IFNAME, rng.choice(NAMES).encode() + b"\0")
        body += link_options(rng)
        if rng.random() < 0.5:
            body += linkinfo(rng, spoil(rng, good_data(rng)), True)
        code, _ = self.netlink.request(
            RTM_SETLINK, 0, link(body, flags=rng.choice((0, 1)), change=1))
        self.note("set", code)

    def delete(self):
        body = attribute(IFLA_IFNAME,
                         self.rng.choice(NAMES).encode() + b"\0")
        if self.rng.random() < 0.3:
            body += linkinfo(self.rng, spoil(self.rng, []), True)
        code, _ = self.netlink.request(RTM_DELLINK, 0, link(body))
        self.note("delete", code)

    def dump(self):
        body = linkinfo(self.rng, [], False) if self.rng.random() < 0.5 \
            else b""
        self.netlink.send(RTM_GETLINK, F_DUMP, link(body))
        while True:
            answers = self.netlink.receive()
            if any(kind in (NLMSG_DONE, NLMSG_ERROR) for kind, _ in answers):
                break
        self.counts["dump"] += 1

    def noise(self):
        """A message as above with some bytes turned, whatever they mean; it
        may not reach devices other than those of this fuzz by name."""
        rng = self.rng
        body = bytearray(linkinfo(rng, spoil(rng, good_data(rng)), True))
        for _ in range(rng.randrange(1, 6)):
            body[rng.randrange(len(body))] = rng.randrange(256)
        name = attribute(IFLA_IFNAME, rng.choice(NAMES).encode() + b"\0")
        code, _ = self.netlink.request(
            RTM_NEWLINK, rng.choice((0, F_CREATE)), link(name + bytes(body)))
        self.note("noise", code)

    def without_memory(self):
        """The n-th allocation of a request fails, for n from 1 on until the
        request needs no more: every way back is gone once."""
        rng = self.rng
        name = "fznomem"
        request = link(attribute(IFLA_IFNAME, name.encode() + b"\0")
                       + linkinfo(rng, good_data(rng), False))
        remove = link(attribute(IFLA_IFNAME, name.encode() + b"\0"))
        # It is still there if a step before this one had no end.
        self.netlink.request(RTM_DELLINK, 0, remove)
        for nth in range(1, 200):
            if not fail_nth(nth):
                return
            try:
                code, _ = self.netlink.request(RTM_NEWLINK, F_CREATE | F_EXCL,
                                               request)
            except OSError as error:
                code = error.errno
            unused = fail_nth(0)
            there = self.netlink.get(name) is not None
            self.note("create without memory", code)
            # One that was made may be gone again by another worker's doing.
            if there and code:
                self.faults.append(f"allocation {nth} failed: answer {code}, "
                                   "but the device is there")
            if there:
                self.netlink.request(RTM_DELLINK, 0, remove)
            if unused:
                return

    def step(self):
        action = self.rng.choices(
            (self.create, self.change, self.set_link, self.delete, self.dump,
             self.noise, self.without_memory),
            (30, 30, 8, 8, 2, 10, 1))[0]
        try:
            action()
        except OSError as error:
            # The other worker lets allocations fail: then this may be netlink's
            # own, of a message or of its answer.
            if error.errno != errno.ENOBUFS:
                raise
            self.counts["no memory for the message"] += 1


def is_same(number, value, expected):
    """An address that is left open is as long as the remote one."""
    if number == ATTRIBUTES["LOCAL"][0] and value and expected:
        return value.strip(b"\0") == expected.strip(b"\0")
    return value == expected


def shown(data):
    return " ".join(f"{number:#x}={value.hex() or '-'}"
                    for number, value in data)


def fail_nth(nth):
    """Arms (nth > 0) or disarms this thread's failing allocation.  False if
    the kernel cannot; disarming says whether it was left unused."""
    try:
        file = os.open("/proc/thread-self/fail-nth", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        left = int(os.pread(file, 16, 0))
        os.pwrite(file, str(nth).encode(), 0)
    finally:
        os.close(file)
    return nth > 0 or left > 0
