# SPDX-License-Identifier: Apache-2.0
"""Datapaths of openvswitch.ko, by generic netlink, as a switch asks for them.

The socket belongs to the namespace that is named; the process stays where it
is, which is not there.  An answer that is an error becomes a NetlinkError."""

import socket
import struct

import rtnl
from rtnl import attribute, attributes

NETLINK_GENERIC = 16
GENL_ID_CTRL, CTRL_GETFAMILY = 16, 3
CTRL_FAMILY_ID, CTRL_FAMILY_NAME = 1, 2

# NEW, DEL and GET are the same in all families of OVS.
NEW, DEL, GET = 1, 2, 3
VERSIONS = {"ovs_datapath": 2, "ovs_vport": 1, "ovs_flow": 1}

DP_NAME, DP_UPCALL_PID = 1, 2
VPORT_PORT_NO, VPORT_TYPE, VPORT_NAME, VPORT_UPCALL_PID = 1, 2, 3, 5
FLOW_KEY, FLOW_ACTIONS, FLOW_MASK = 1, 2, 7
KEY_IN_PORT, KEY_ETHERNET, KEY_TUNNEL = 3, 4, 16
TUNNEL_ID, TUNNEL_DST, TUNNEL_TTL, TUNNEL_DF, TUNNEL_OAM = 0, 2, 4, 5, 7
ACTION_OUTPUT, ACTION_SET = 1, 3

TYPE_INTERNAL, TYPE_EOIP = 2, 147


def u32(value):
    return struct.pack("=I", value)


def text(value):
    return value.encode() + b"\0"


class Datapath(rtnl.Rtnl):
    """One datapath, made by new(), in the namespace `netns`."""

    def __init__(self, netns, name="dp"):
        super().__init__(netns, NETLINK_GENERIC)
        self.name = name
        self.index = 0
        self.families = {}

    def family(self, name):
        if name not in self.families:
            answer = self.request(GENL_ID_CTRL, 0, struct.pack(
                "=BBH", CTRL_GETFAMILY, 1, 0)
                + attribute(CTRL_FAMILY_NAME, text(name)))
            self.families[name] = struct.unpack("=H", attributes(
                answer[0][4:])[CTRL_FAMILY_ID])[0]
        return self.families[name]

    def call(self, family, command, payload, flags=0):
        return self.request(self.family(family), flags, struct.pack(
            "=BBHI", command, VERSIONS[family], 0, self.index) + payload)

    def new(self):
        self.call("ovs_datapath", NEW, attribute(DP_NAME, text(self.name))
                  + attribute(DP_UPCALL_PID, u32(0)))
        answer = self.call("ovs_datapath", GET,
                           attribute(DP_NAME, text(self.name)))
        self.index = struct.unpack_from("=I", answer[0], 4)[0]

    def delete_all(self):
        self.call("ovs_datapath", DEL, b"")

    ## Ports.

    def add_port(self, name, kind, number):
        self.call("ovs_vport", NEW, attribute(VPORT_NAME, text(name))
                  + attribute(VPORT_TYPE, u32(kind))
                  + attribute(VPORT_PORT_NO, u32(number))
                  + attribute(VPORT_UPCALL_PID, u32(0)))

    def delete_port(self, name):
        self.call("ovs_vport", DEL, attribute(VPORT_NAME, text(name)))

    def ports(self):
        """{name: (type, number)}"""
        self.send(self.family("ovs_vport"), rtnl.NLM_F_DUMP, struct.pack(
            "=BBHI", GET, VERSIONS["ovs_vport"], 0, self.index))
        found = {}
        for answer in self.answers():
            port = attributes(answer[8:])
            found[port[VPORT_NAME].rstrip(b"\0").decode()] = tuple(
                struct.unpack("=I", port[number])[0]
                for number in (VPORT_TYPE, VPORT_PORT_NO))
        return found

    ## Flows.

    def add_flow(self, in_port, actions):
        """All that comes from one port."""
        def match(number, address):
            return attribute(KEY_IN_PORT, u32(number)) + \
                attribute(KEY_ETHERNET, address * 12)

        self.call("ovs_flow", NEW,
                  attribute(FLOW_KEY, match(in_port, b"\0"))
                  + attribute(FLOW_MASK, match(0xffffffff, b"\0"))
                  + attribute(FLOW_ACTIONS, actions), rtnl.NLM_F_CREATE)

    def delete_flows(self):
        self.call("ovs_flow", DEL, b"")


def output(port):
    return attribute(ACTION_OUTPUT, u32(port))


def set_tunnel(tunnel_id, remote, *flags):
    """`flags` are such as TUNNEL_DF."""
    return attribute(ACTION_SET, attribute(
        KEY_TUNNEL, attribute(TUNNEL_ID, struct.pack("!Q", tunnel_id))
        + attribute(TUNNEL_DST, socket.inet_aton(remote))
        + attribute(TUNNEL_TTL, b"\x40")
        + b"".join(map(attribute, flags))))
