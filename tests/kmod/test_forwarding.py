# SPDX-License-Identifier: Apache-2.0
"""Packets that GRO has joined before they come to a tunnel: those of a host
behind a, which a bridge, a router or a switch forwards.

    h: u -- a: lan [GRO] -> bridge, route or datapath -> e1 == b: e1

TCP of h's kernel comes in pages.  What a packet socket sends is in linear
memory, as copying drivers deliver it, and the kernel joins it otherwise."""

import modules
import netns_socket
from bed import INNER, mac_text
from datapath import Datapath, output
from packets import ethernet, tcp
from peer import one_processor
from sandbox import Failure, check, check_equal
from test_traffic import check_outer, no_drops, without_offloads

HOST = "10.0.0.3"
ROUTED_HOST, ROUTER = "10.1.0.3", "10.1.0.1"
HOST_MAC = bytes.fromhex("020000000033")
TYPE_NETDEV = 1
TCP_BYTES = 2_000_000
# Of the tunnel over an underlay of 1500, as h's link is set.
MTU = 1458


def host(bed, mtu=MTU):
    """h, and a's device towards it, which joins what comes in."""
    bed.add_namespace("h")
    bed.ip("a", f"link add lan mtu {mtu} type veth peer name u mtu {mtu} "
           f"netns {bed.netns('h')}", "link set lan up")
    bed.ip("h", f"link set u address {mac_text(HOST_MAC)} up")
    bed.offloads("h", "u", tso=False, gso=False)
    bed.large_tcp("h")
    bed.offloads("a", "lan", gro=True)


def bridge(bed):
    modules.need("bridge")
    bed.pair(mtu=MTU)
    host(bed)
    bed.ip("a", "link add br0 type bridge", "link set br0 up",
           "addr flush dev e1", "link set e1 master br0",
           "link set lan master br0")
    bed.ip("h", f"addr add {HOST}/24 dev u")
    return HOST


def router(bed):
    bed.pair(mtu=MTU)
    host(bed)
    bed.sysctl("a", "ipv4/ip_forward", 1)
    bed.ip("a", f"addr add {ROUTER}/24 dev lan")
    bed.ip("h", f"addr add {ROUTED_HOST}/24 dev u",
           f"route add {INNER['b']} via {ROUTER}")
    bed.ip("b", f"route add {ROUTED_HOST} via {INNER['a']}")
    return ROUTED_HOST


def datapath(bed):
    """Open vSwitch's in the kernel, with two flows."""
    modules.need("openvswitch")
    bed.pair(mtu=MTU)
    host(bed)
    bed.ip("a", "addr flush dev e1")
    bed.ip("h", f"addr add {HOST}/24 dev u")
    switch = bed.datapath = Datapath(bed.netns("a"))
    switch.new()
    for number, (name, other) in enumerate((("lan", 2), ("e1", 1)), 1):
        switch.add_port(name, TYPE_NETDEV, number)
        switch.add_flow(number, output(other))
    return HOST


WAYS = {"bridge": bridge, "route": router, "datapath": datapath}


def cards(bed):
    """The underlay as two cards have it: packets as on a wire."""
    for where in ("a", "b"):
        bed.offloads(where, "u", tso=False, gso=False, gro=True)


def transfer(bed, address):
    """TCP from h to b.  Returns how many packets a has sent for it."""
    bed.ping("h", INNER["b"])
    before = bed.statistics("a")["tx_packets"]
    _, sent, received = netns_socket.tcp_transfer(
        bed.netns("h"), bed.netns("b"), INNER["b"], TCP_BYTES)
    check_equal("SHA-256 of TCP data", received, sent)
    bed.ping("b", address)
    return bed.statistics("a")["tx_packets"] - before


def forward(bed, way):
    """TCP through `way`: with an underlay that carries super-packets, with one
    that does not, and with small segments, so that more of them are joined
    than a packet has fragments.  None is dropped."""
    address = WAYS[way](bed)
    packets = transfer(bed, address)
    segments = TCP_BYTES // (MTU - 52)
    check(packets < segments / 2,
          f"{packets} packets for {segments} segments: nothing was joined")
    cards(bed)
    transfer(bed, address)
    bed.ip("h", "link set u mtu 576")
    transfer(bed, address)
    without_offloads(bed)
    transfer(bed, address)
    no_drops(bed)
    return f"{packets} packets for {segments} segments"


def test_bridge(bed):
    return forward(bed, "bridge")


def test_route(bed):
    return forward(bed, "route")


def test_datapath(bed):
    return forward(bed, "datapath")


def test_full_size(bed):
    """The host's frames are of 1500, as the underlay's packets: super-packets
    are cut for fragmentation."""
    address = bridge(bed)
    for where, device in (("a", "lan"), ("h", "u"), ("a", "e1"), ("b", "e1"),
                          ("a", "br0")):
        bed.ip(where, f"link set {device} mtu 1500")
    transfer(bed, address)
    cards(bed)
    transfer(bed, address)
    no_drops(bed)


def test_tagged(bed):
    """Behind a VLAN tag."""
    modules.need("8021q")
    bridge(bed)
    for where, device, address in (("h", "u", "10.0.5.3"),
                                   ("b", "e1", "10.0.5.2")):
        bed.ip(where, f"link add link {device} name {device}.5 mtu {MTU - 4} "
               "type vlan id 5", f"link set {device}.5 up",
               f"addr add {address}/24 dev {device}.5")
    # In h, the tag is put in before the frame is cut.
    bed.offloads("h", "u.5", tso=False, gso=False)
    bed.ping("h", "10.0.5.2")

    def exchange():
        _, sent, received = netns_socket.tcp_transfer(
            bed.netns("h"), bed.netns("b"), "10.0.5.2", TCP_BYTES)
        check_equal("SHA-256 of TCP data", received, sent)

    exchange()
    cards(bed)
    exchange()
    without_offloads(bed)
    exchange()
    no_drops(bed)


## Linear memory.

def data_of(frame):
    """The TCP data of a frame, which may have a tag."""
    start = 14 + 4 * (frame[12:14] == b"\x81\0")
    total = int.from_bytes(frame[start + 2:start + 4], "big")
    return frame[start + 40:start + total]


def burst(bed, sizes, tag=b""):
    """h sends segments of these sizes at once, and they arrive in b as they
    were.  Returns how many packets a has sent for them."""
    mac = bed.link("b").address
    sent, frames = b"", []
    for size in sizes:
        data = bytes((len(sent) + number) % 251 for number in range(size))
        frame = ethernet(tcp(data, len(sent)), mac, HOST_MAC)
        frames.append(frame[:12] + tag + frame[12:])
        sent += data
    seen = {}
    before = bed.statistics("a")["tx_packets"]
    with bed.wire("h") as wire, bed.wire("b", "e1") as peer, one_processor():
        for frame in frames:
            wire.send(frame)
        for frame in peer.frames(seconds=10):
            if HOST_MAC not in frame[:12]:
                continue
            at = 14 + 4 * (frame[12:14] == b"\x81\0") + 24
            seen[int.from_bytes(frame[at:at + 4], "big")] = data_of(frame)
            if sum(map(len, seen.values())) >= len(sent):
                break
        else:
            arrived = sum(map(len, seen.values()))
            raise Failure(f"of segments {sizes}, {arrived}"
                          f" of {len(sent)} bytes arrive")
    check(b"".join(seen[key] for key in sorted(seen)) == sent,
          f"of segments {sizes}, the data differs")
    return bed.statistics("a")["tx_packets"] - before


SHORT_TAILS = ([600, 600, 600, 300], [1396] * 20 + [700], [536] * 40 + [1],
               [1396, 1396, 1], [100] * 60, [1396] * 30)


def linear(bed, way):
    """Bursts of segments with a short last one, in linear memory."""
    modules.need("sch_netem")
    address = WAYS[way](bed)
    bed.ping("h", INNER["b"])
    bed.exec("h", *"tc qdisc add dev u root netem delay 1ms slot 150ms"
             .split())
    joined = [burst(bed, sizes) for sizes in SHORT_TAILS]
    check(max(joined) <= 4, f"bursts leave in {joined} packets")
    cards(bed)
    for sizes in SHORT_TAILS:
        burst(bed, sizes)
    no_drops(bed)
    bed.ping("b", address)
    return f"bursts leave in {joined} packets"


def test_linear_bridge(bed):
    return linear(bed, "bridge")


def test_linear_datapath(bed):
    return linear(bed, "datapath")


def test_linear_on_the_wire(bed):
    """What leaves for an underlay without offloads has right lengths and
    checksums, packet by packet.  The frames have one IP id, and keep it; the
    packets have one each, for they may be fragmented."""
    modules.need("sch_netem")
    bridge(bed)
    without_offloads(bed)
    bed.offloads("a", "lan", gro=True)
    bed.exec("h", *"tc qdisc add dev u root netem delay 1ms slot 150ms"
             .split())
    for tag in (b"", b"\x81\0\0\5"):
        with bed.wire("b") as wire:
            burst(bed, [600, 600, 600, 300], tag)
            packets = [frame for frame in wire.frames(seconds=0.5)
                       if frame[12:14] == b"\x08\0" and frame[23] == 47
                       and check_outer(frame)]
        check_equal("sizes of segments", list(map(check_outer, packets)),
                    [600, 600, 600, 300])
        check_equal("IP ids of packets",
                    len({packet[18:20] for packet in packets}), 4)
        inner = 42 + 14 + len(tag)
        check_equal("IP ids of frames", {packet[inner + 4:inner + 6].hex()
                                         for packet in packets}, {"6700"})
    no_drops(bed)
