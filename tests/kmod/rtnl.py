# SPDX-License-Identifier: Apache-2.0
"""Links by rtnetlink, down to the single attribute.

`ip` knows nothing of kind "eoip", and could not send what is wrong on
purpose; so this talks to the kernel itself.  An answer that is an error
becomes a NetlinkError with the kernel's own words (extack)."""

import os
import socket
import struct

import netns_socket

import eoip

NETLINK_ROUTE = 0
SOL_NETLINK = 270
NETLINK_CAP_ACK = 10
NETLINK_EXT_ACK = 11

NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 1, 4, 0x300
NLM_F_EXCL, NLM_F_CREATE = 0x200, 0x400
NLM_F_CAPPED, NLM_F_ACK_TLVS = 0x100, 0x200
NLMSGERR_ATTR_MSG = 1
NLA_TYPE_MASK = 0x3fff
NLA_F_NESTED = 0x8000

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWADDR, RTM_NEWNEIGH = 20, 28
IFF_UP, IFF_RUNNING, IFF_LOWER_UP = 0x1, 0x40, 0x10000

IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK = 1, 3, 4, 5
IFLA_OPERSTATE, IFLA_LINKINFO, IFLA_STATS64 = 16, 18, 23
IF_OPER_UP = 6
IFLA_NET_NS_FD, IFLA_CARRIER, IFLA_LINK_NETNSID = 28, 33, 37
IFLA_MIN_MTU, IFLA_MAX_MTU = 50, 51
IFLA_INFO_KIND, IFLA_INFO_DATA = 1, 2
VETH_INFO_PEER = 1
IFA_ADDRESS, IFA_LOCAL, IFA_F_NODAD = 1, 2, 2
NDA_DST, NDA_LLADDR, NUD_PERMANENT = 1, 2, 0x80

STATISTICS = ["rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_errors",
              "tx_errors", "rx_dropped", "tx_dropped"]


class NetlinkError(OSError):
    """`message` is what the kernel said about it, "" if nothing."""

    def __init__(self, errno, message):
        super().__init__(errno, message or os.strerror(errno))
        self.message = message


def attribute(number, payload=b""):
    length = 4 + len(payload)
    return struct.pack("=HH", length, number) + payload + bytes(-length % 4)


def attributes(data):
    """{number: payload}"""
    found = {}
    while len(data) >= 4:
        length, number = struct.unpack_from("=HH", data)
        if not 4 <= length <= len(data):
            break
        found[number & NLA_TYPE_MASK] = data[4:length]
        data = data[(length + 3) & ~3:]
    return found


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def encode(kind, value):
    if kind == "flag":
        return b""
    if kind == "ip":
        return socket.inet_pton(family_of(value), value)
    if kind == "nested":
        return info_data(value)
    return struct.pack({"u8": "=B", "u32": "=I"}[kind], value)


def decode(kind, payload):
    if kind == "flag":
        return True
    if kind == "ip":
        return socket.inet_ntop(socket.AF_INET if len(payload) == 4
                                else socket.AF_INET6, payload)
    return struct.unpack({"u8": "=B", "u32": "=I"}[kind],
                         payload)[0]


def info_data(options):
    """The attributes in IFLA_INFO_DATA.  `options` are by name; a value that
    is bytes goes out as it is, and a number instead of a name too."""
    data = b""
    for name, value in options.items():
        number, kind = eoip.ATTRIBUTES.get(name, (name, "raw"))
        if value is not False:
            nested = NLA_F_NESTED if kind == "nested" else 0
            data += attribute(number | nested, value if isinstance(value, bytes)
                              else encode(kind, value))
    return data


def link_info(kind, options):
    inner = attribute(IFLA_INFO_KIND, kind.encode() + b"\0")
    if options is not None:
        inner += attribute(IFLA_INFO_DATA, info_data(options))
    return attribute(IFLA_LINKINFO, inner)


class Link:
    """What the kernel says about a link."""

    def __init__(self, message):
        _, self.hardware, self.index, self.flags, _ = struct.unpack_from(
            "=BxHiII", message)
        found = attributes(message[16:])
        self.name = found[IFLA_IFNAME].rstrip(b"\0").decode()
        self.address = found.get(IFLA_ADDRESS, b"")
        self.mtu = struct.unpack("=I", found[IFLA_MTU])[0]
        self.min_mtu, self.max_mtu = (
            struct.unpack("=I", found.get(number, bytes(4)))[0]
            for number in (IFLA_MIN_MTU, IFLA_MAX_MTU))
        self.carrier = found.get(IFLA_CARRIER) == b"\1"
        self.is_operational = found.get(IFLA_OPERSTATE) == bytes([IF_OPER_UP])
        self.netnsid = (struct.unpack("=i", found[IFLA_LINK_NETNSID])[0]
                        if IFLA_LINK_NETNSID in found else None)
        info = attributes(found.get(IFLA_LINKINFO, b""))
        self.kind = info.get(IFLA_INFO_KIND, b"").rstrip(b"\0").decode()
        self.raw_options = attributes(info.get(IFLA_INFO_DATA, b""))
        self.statistics = dict(zip(STATISTICS, struct.unpack_from(
            f"={len(STATISTICS)}Q", found[IFLA_STATS64])))

    def options(self):
        """{name: value} of what is in IFLA_INFO_DATA."""
        return {name: decode(kind, self.raw_options[number])
                for name, (number, kind) in eoip.ATTRIBUTES.items()
                if number in self.raw_options}


class Rtnl:
    """A socket to rtnetlink in one namespace."""

    def __init__(self, netns, protocol=NETLINK_ROUTE):
        with netns_socket.inside(netns):
            self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW,
                                      protocol)
        self.sock.bind((0, 0))
        self.sock.settimeout(60)
        for option in (NETLINK_CAP_ACK, NETLINK_EXT_ACK):
            self.sock.setsockopt(SOL_NETLINK, option, 1)
        self.sequence = 0

    def close(self):
        self.sock.close()

    def send(self, kind, flags, payload):
        self.sequence += 1
        self.sock.send(struct.pack("=IHHII", 16 + len(payload), kind,
                                   flags | NLM_F_REQUEST, self.sequence, 0)
                       + payload)

    def answers(self):
        """Payloads, up to the acknowledgement or the end of the dump."""
        found = []
        while True:
            data = self.sock.recv(1 << 18)
            while len(data) >= 16:
                length, kind, flags, sequence, _ = struct.unpack_from(
                    "=IHHII", data)
                payload, data = data[16:length], data[(length + 3) & ~3:]
                if sequence != self.sequence:
                    continue
                if kind == NLMSG_DONE:
                    return found
                if kind == NLMSG_ERROR:
                    self.raise_for(payload, flags)
                    return found
                found.append(payload)

    @staticmethod
    def raise_for(payload, flags):
        error, length = struct.unpack_from("=iI", payload)
        if error == 0:
            return
        echoed = 16 if flags & NLM_F_CAPPED else length
        tlvs = attributes(payload[4 + echoed:]
                          if flags & NLM_F_ACK_TLVS else b"")
        raise NetlinkError(-error, tlvs.get(NLMSGERR_ATTR_MSG, b"").rstrip(
            b"\0").decode())

    def request(self, kind, flags, payload):
        self.send(kind, flags | NLM_F_ACK, payload)
        return self.answers()

    ## Links.

    def add(self, name, kind=None, options=None, mtu=None, extra=b""):
        """`kind` None: by the remote.  `options` None: no IFLA_INFO_DATA at
        all."""
        if kind is None:
            remote = (options or {}).get("remote")
            kind = "eoipv6" if ":" in str(remote) else "eoip"
        if mtu is not None:
            extra += attribute(IFLA_MTU, struct.pack("=I", mtu))
        self.request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, bytes(16)
                     + attribute(IFLA_IFNAME, name.encode() + b"\0") + extra
                     + link_info(kind, options))

    def set(self, name, extra=b"", flags=0, change=0):
        self.request(RTM_NEWLINK, 0, struct.pack("=BxHiII", 0, 0, 0, flags,
                                                 change)
                     + attribute(IFLA_IFNAME, name.encode() + b"\0") + extra)

    def change(self, name, options, kind=None):
        """`kind` None: what it is."""
        if kind is None:
            link = self.link(name)
            kind = link.kind if link else "eoip"
        self.set(name, link_info(kind, options))

    def set_mtu(self, name, mtu):
        self.set(name, attribute(IFLA_MTU, struct.pack("=I", mtu)))

    def up(self, name):
        self.set(name, flags=IFF_UP, change=IFF_UP)

    def down(self, name):
        self.set(name, change=IFF_UP)

    def move(self, name, netns):
        with open(f"/run/netns/{netns}") as there:
            self.set(name, attribute(IFLA_NET_NS_FD,
                                     struct.pack("=I", there.fileno())))

    def delete(self, name):
        self.request(RTM_DELLINK, 0, bytes(16)
                     + attribute(IFLA_IFNAME, name.encode() + b"\0"))

    def link(self, name):
        """None if there is no such link."""
        try:
            answer = self.request(RTM_GETLINK, 0, bytes(16) + attribute(
                IFLA_IFNAME, name.encode() + b"\0"))
        except NetlinkError as error:
            if error.strerror and error.errno == 19:  # ENODEV
                return None
            raise
        return Link(answer[0])

    def add_veth(self, name, netns, mac, peer_mac, mtu):
        """With a peer of the same name in another namespace."""
        def end(address):
            return (attribute(IFLA_IFNAME, name.encode() + b"\0")
                    + attribute(IFLA_ADDRESS, address)
                    + attribute(IFLA_MTU, struct.pack("=I", mtu)))

        with open(f"/run/netns/{netns}") as there:
            peer = bytes(16) + end(peer_mac) + attribute(
                IFLA_NET_NS_FD, struct.pack("=I", there.fileno()))
            self.request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, bytes(16)
                         + end(mac) + link_info("veth",
                                                {VETH_INFO_PEER: peer}))

    ## Addresses and neighbours.

    def add_address(self, name, address, bits):
        family = family_of(address)
        data = socket.inet_pton(family, address)
        self.request(RTM_NEWADDR, NLM_F_CREATE, struct.pack(
            "=BBBBI", family, bits, IFA_F_NODAD, 0, self.link(name).index)
            + attribute(IFA_LOCAL, data) + attribute(IFA_ADDRESS, data))

    def add_neighbour(self, name, address, mac):
        family = family_of(address)
        self.request(RTM_NEWNEIGH, NLM_F_CREATE, struct.pack(
            "=BxxxIHBB", family, self.link(name).index, NUD_PERMANENT, 0, 0)
            + attribute(NDA_DST, socket.inet_pton(family, address))
            + attribute(NDA_LLADDR, mac))

    def links(self, kinds=("eoip", "eoipv6")):
        self.send(RTM_GETLINK, NLM_F_DUMP, bytes(16))
        return [link for link in map(Link, self.answers())
                if link.kind in kinds]
