# SPDX-License-Identifier: Apache-2.0
"""Two of our switches, as people configure them.

    host-a -- [br0 e1]====EoIP over the underlay====[e1 br0] -- host-b
"""

import json
import time

from sandbox import ADDRESS, Failure, check, check_equal, only, until
from packets import MAGIC

UP = []


def test_fixed_remote_and_key(sandbox):
    """Ping and TCP, both ways, with remote_ip and key."""
    sandbox.add_tunnels(key=1234)
    sandbox.ping_both_ways()
    sandbox.tcp_both_ways()


def test_full_size_frames(sandbox):
    """Inner IP packets of 1458 bytes make outer ones of exactly 1500, which
    are not fragmented."""
    sandbox.add_tunnels(key=1234)
    def fragments():
        # What still waits is left from tests before.
        return [sandbox.reassembly(site)["fragments"]
                for site in sandbox.sites]

    before = fragments()
    sandbox.ping("host-a", ADDRESS["host-b"], "-M", "do", "-s", "1430")
    sandbox.ping("host-b", ADDRESS["host-a"], "-M", "do", "-s", "1430")
    check_equal("reassembled fragments", fragments(), before)


def test_ipv6_inside(sandbox):
    """The hosts speak IPv6, whose neighbour discovery is multicast."""
    sandbox.add_tunnels(key=1234)
    for host, address in ("host-a", "fd00::1"), ("host-b", "fd00::2"):
        sandbox.exec(host, *f"ip addr add {address}/64 dev eth0 nodad".split())
    try:
        sandbox.ping("host-a", "fd00::2")
        sandbox.ping("host-b", "fd00::1", "-M", "do", "-s", "1410")
    finally:
        for host in "host-a", "host-b":
            sandbox.exec(host, *"ip -6 addr flush dev eth0".split())


def test_show(sandbox):
    """eoip/show names the tunnel and counts what crosses."""
    sandbox.add_tunnels(key=1234)
    sandbox.ping()

    def shown():
        return json.loads(sandbox.appctl("a", "eoip/show", "-f", "json"))

    check_equal("tunnels", [tunnel["name"] for tunnel in shown()["tunnels"]],
                ["e1"])
    tunnel = shown()["tunnels"][0]
    for name, expected in (("remote_ip", ADDRESS["b"]), ("local_ip", "any"),
                           ("in_key", 1234), ("out_key", 1234)):
        check_equal(name, tunnel[name], expected)
    # OVS adds up its flows' counters once in a while.
    for name in "rx_packets", "tx_packets":
        until(lambda: shown()["tunnels"][0]["statistics"][name] >= 10,
              f"{name} stays below 10 after 10 pings")
    check(f"remote {ADDRESS['b']}" in sandbox.appctl("a", "eoip/show"),
          "the text does not name the remote")


def test_exact_counters(sandbox):
    """101 frames of many sizes, whole and in fragments: the tunnel counts
    each once, without what is around the frame, and so does OVS."""
    sandbox.set_flows("a", "actions=drop")
    sandbox.add_tunnels(key=1234)
    sizes = [14 + 15 * i for i in range(101)]
    header = sandbox.mac("host-b") + bytes.fromhex("0200000000ff88b5")
    # The host's own multicast stays out of the count.
    sandbox.set_flows("a", "in_port=host-a,dl_type=0x88b5,actions=output:e1")
    sandbox.set_neighbour("a", ADDRESS["b"], "02:00:00:00:01:0b")
    with sandbox.wire("host-a") as host_a:
        for size in sizes:
            host_a.send(header + bytes(size - len(header)))
            time.sleep(0.002)
    expected = [len(sizes), sum(sizes)]
    for site, way in ("a", "tx"), ("b", "rx"):
        def counted():
            statistics = sandbox.statistics(site)
            return [statistics[f"{way}_packets"], statistics[f"{way}_bytes"]]

        try:
            until(lambda: counted() == expected, "", 5)
        except Failure:
            check_equal(f"{way} packets and bytes at {site}", counted(),
                        expected)
    until(lambda: sandbox.get("a", "e1", "statistics:tx_packets")
          == str(len(sizes)), "OVS's own statistics say something else", 10)


def flow_based(sandbox):
    for site, other in ("a", "b"), ("b", "a"):
        sandbox.set_flows(
            site,
            f"in_port=host-{site},actions="
            f"set_field:{ADDRESS[other]}->tun_dst,output:e1",
            f"in_port=e1,tun_src={ADDRESS[other]},"
            f"actions=output:host-{site}")


def test_key_alone(sandbox):
    """The shortest line there is: only a key, the remote comes from flows."""
    for site in "a", "b":
        sandbox.exec(site, *"ovs-vsctl add-port br0 e1 -- set interface e1 "
                            "type=eoip options:key=1234".split())
        check_equal(f"error at {site}", sandbox.error(site), "")
    flow_based(sandbox)
    sandbox.ping_both_ways()
    sandbox.tcp_both_ways()


def test_key_alone_without_flows(sandbox):
    """Nobody has said where to: nothing crosses, nothing breaks."""
    for site in "a", "b":
        sandbox.add_tunnel(site, key=1234)
    check(not sandbox.can_ping("host-a", ADDRESS["host-b"]),
          "a ping arrived although no remote was named")
    flow_based(sandbox)
    sandbox.ping()


def test_key_from_flows(sandbox):
    """Ids 0, 1, 255, 256, 65535 by set_tunnel on one side, tun_id on the
    other; a packet with another id must not match."""
    for site in "a", "b":
        sandbox.add_tunnel(site, key="flow", remote_ip="flow")
    for key in 0, 1, 255, 256, 65535:
        for site, other in ("a", "b"), ("b", "a"):
            sandbox.set_flows(
                site,
                f"in_port=host-{site},actions=set_tunnel:{key},"
                f"set_field:{ADDRESS[other]}->tun_dst,output:e1",
                f"priority=20,in_port=e1,tun_id={key},"
                f"actions=output:host-{site}",
                "priority=10,in_port=e1,actions=drop")
        sandbox.ping_both_ways()
        for site in "a", "b":
            # The rules' counters follow the traffic by up to a second.
            until(lambda: sandbox.flow_packets(
                site, f"in_port=e1,tun_id={key}") >= 20,
                f"key {key}: packets at {site} did not match tun_id={key}")


def test_key_from_flows_is_told_apart(sandbox):
    """Sent with id 256, accepted with id 1: the same bytes, swapped."""
    for site in "a", "b":
        sandbox.add_tunnel(site, key="flow", remote_ip="flow")
    sandbox.set_flows("a", "in_port=host-a,actions=set_tunnel:256,"
                      f"set_field:{ADDRESS['b']}->tun_dst,output:e1")
    sandbox.set_flows("b", "priority=20,in_port=e1,tun_id=1,"
                      "actions=output:host-b",
                      "priority=10,in_port=e1,tun_id=256,actions=drop")
    until(lambda: not sandbox.can_ping("host-a", ADDRESS["host-b"])
          and sandbox.flow_packets("b", "in_port=e1,tun_id=256"),
          "no packet with id 256 came to b")
    check_equal("packets with id 1",
                sandbox.flow_packets("b", "in_port=e1,tun_id=1"), 0)


def test_key_above_65535_from_flows(sandbox):
    """A flow may ask for any 64-bit key: above 65535 it is a counted drop."""
    for site in "a", "b":
        sandbox.add_tunnel(site, key="flow", remote_ip="flow")
    sandbox.set_flows("a", "in_port=host-a,actions=set_tunnel:65536,"
                      f"set_field:{ADDRESS['b']}->tun_dst,output:e1")
    sandbox.set_flows("b", "in_port=e1,actions=output:host-b")
    check(not sandbox.can_ping("host-a", ADDRESS["host-b"]),
          "a ping arrived although its key does not fit")
    until(lambda: sandbox.counters("a")["key_out_of_range"] > 0,
          "the drop is not counted as key_out_of_range")


def test_several_tunnels(sandbox):
    """host-a --ICMP, ARP--> e1 (id 100) --> host-b
       host-a --TCP--------> e2 (id 200) --> host-b
    Each site accepts a protocol from its own tunnel only."""
    sandbox.add_tunnels("e1", key=100)
    sandbox.add_tunnels("e2", key=200)
    for site in "a", "b":
        host = f"host-{site}"
        sandbox.set_flows(
            site,
            f"in_port={host},arp,actions=output:e1",
            f"in_port={host},icmp,actions=output:e1",
            f"in_port={host},tcp,actions=output:e2",
            f"in_port=e1,arp,actions=output:{host}",
            f"in_port=e1,icmp,actions=output:{host}",
            f"in_port=e2,tcp,actions=output:{host}")
    sandbox.ping_both_ways()
    sandbox.tcp_both_ways()
    sandbox.vsctl("b", "del-port", "br0", "e2")
    sandbox.ping_both_ways()


def test_keys_per_direction(sandbox):
    """in_key and out_key: 10 from a to b, 20 from b to a."""
    sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], out_key=10, in_key=20)
    sandbox.add_tunnel("b", remote_ip=ADDRESS["a"], out_key=20, in_key=10)
    sandbox.ping_both_ways()


def test_wrong_key(sandbox):
    """Tunnel 100 at a, tunnel 101 at b: nothing crosses."""
    sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=100)
    sandbox.add_tunnel("b", remote_ip=ADDRESS["a"], key=101)
    check(not sandbox.can_ping("host-a", ADDRESS["host-b"]),
          "a ping crossed from tunnel 100 to tunnel 101")
    sandbox.vsctl("b", "set", "interface", "e1", "options:key=100")
    sandbox.ping()


@only("netdev", "there it is the kernel's flows that frames do not match")
def test_wrong_keys_are_counted(sandbox):
    """40000 frames of a key that b does not know: each one is counted."""
    sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=100, keepalive="none")
    sandbox.add_tunnel("b", remote_ip=ADDRESS["a"], key=101, keepalive="none")
    # Frames of earlier tests may have outlived their tunnel.
    before = sandbox.counters("b")["no_tunnel"]

    def sent():
        return sum(tunnel["statistics"]["tx_packets"]
                   for tunnel in sandbox.shown("a")["tunnels"])

    frame = bytes.fromhex("ffffffffffff02000000000188b5") + bytes(50)
    with sandbox.wire("host-a") as host:
        while sent() < 40000:
            # No more than fits into the receive buffers.
            for _ in range(64):
                host.send(frame)
            until(lambda: sent() ==
                  sandbox.counters("b")["no_tunnel"] - before,
                  "b has not counted every frame that a has sent")
    return f"{sent()} frames"


def test_vlan_access_ports(sandbox):
    """host-a -- access port, VLAN 10 -- trunk e1 -- access port -- host-b"""
    sandbox.add_tunnels(key=1234)
    for site in "a", "b":
        sandbox.vsctl(site, "set", "port", f"host-{site}", "tag=10")
    try:
        with sandbox.wire("b") as underlay:
            # The tag needs 4 bytes of the 1500 outside.
            sandbox.ping("host-a", ADDRESS["host-b"], "-M", "do", "-s", "1426")
            packet = underlay.wait_for(
                lambda packet: packet[34:38] == MAGIC,
                "no EoIP packet was seen on the underlay")
        check_equal("ethertype and VLAN of the carried frame",
                    packet[54:58].hex(), "8100000a")
        sandbox.ping("host-b", ADDRESS["host-a"], "-M", "do", "-s", "1472")
        sandbox.tcp_both_ways()
        sandbox.vsctl("b", "set", "port", "host-b", "tag=11")
        until(lambda: not sandbox.can_ping("host-a", ADDRESS["host-b"]),
              "pings cross from VLAN 10 to VLAN 11")
    finally:
        for site in "a", "b":
            sandbox.vsctl(site, "clear", "port", f"host-{site}", "tag")


def test_tagged_frames(sandbox):
    """Frames that host-a has tagged itself arrive byte by byte: one tag, a
    priority tag, two tags, and a service tag."""
    sandbox.add_tunnels(key=1234)
    sandbox.ping()
    to, source = sandbox.mac("host-b"), sandbox.mac("host-a")
    with sandbox.wire("host-a") as host_a, sandbox.wire("host-b") as host_b:
        for tags in "8100000a", "81006000", "8100000a81000014", "88a8000a":
            frame = (to + source + bytes.fromhex(tags + "88b5")
                     + bytes(range(100)))
            host_a.send(frame)
            host_b.wait_for(lambda seen: seen == frame,
                            f"a frame with the tags {tags} does not arrive as "
                            "it was sent")


def test_bad_options(sandbox):
    """One sentence that names option and value; no tunnel from it; and the
    right value afterwards mends it."""
    good = {"remote_ip": ADDRESS["b"], "key": "1234"}
    sandbox.add_tunnel("b", remote_ip=ADDRESS["a"], key=1234)
    for option, value in (
            ("key", "99999"), ("key", "-1"), ("key", "12x"), ("key", ""),
            ("in_key", "65536"), ("out_key", "65536"), ("ttl", "300"),
            ("tos", "256"), ("remote_ip", "224.0.0.1"),
            ("remote_ip", "255.255.255.255"), ("remote_ip", "192.0.2"),
            ("remote_ip", "ff02::1"), ("local_ip", "0.0.0.0"),
            ("df_default", "maybe")):
        words = [f'options:{name}="{word}"' for name, word
                 in {**good, option: value}.items()]
        sandbox.vsctl("a", "add-port", "br0", "e1", "--", "set", "interface",
                      "e1", "type=eoip", *words)
        error = sandbox.error("a")
        check(f"{option}={value}" in error and "\n" not in error
              and len(error) < 200, f"{option}={value}: the error is {error!r}")
        check_equal(f"ofport with {option}={value}",
                    sandbox.get("a", "e1", "ofport"), "-1")
        sandbox.vsctl("a", "del-port", "br0", "e1")
    sandbox.vsctl("a", "add-port", "br0", "e1", "--", "set", "interface", "e1",
                  "type=eoip", "options:key=99999",
                  f"options:remote_ip={ADDRESS['b']}")
    sandbox.vsctl("a", "set", "interface", "e1", "options:key=1234")
    check_equal("error once mended", sandbox.error("a"), "")
    sandbox.ping()


def test_several_bad_options(sandbox):
    """All faults at once, not one after the other."""
    sandbox.vsctl("a", "add-port", "br0", "e1", "--", "set", "interface", "e1",
                  "type=eoip", "options:key=70000", "options:ttl=300")
    error = sandbox.error("a")
    check("key=70000" in error and "ttl=300" in error,
          f"the error is {error!r}")


def test_duplicate_tunnel(sandbox):
    """A second tunnel with the same remote and key says which has it; the
    first goes on working."""
    sandbox.add_tunnels(key=1234)
    sandbox.vsctl("a", "add-port", "br0", "e2", "--", "set", "interface", "e2",
                  "type=eoip", "options:key=1234",
                  f"options:remote_ip={ADDRESS['b']}")
    error = sandbox.error("a", "e2")
    check("e1" in error, f"the error of e2 does not name e1: {error!r}")
    sandbox.vsctl("a", "del-port", "br0", "e2")
    sandbox.ping()


def test_bfd(sandbox):
    """BFD over the tunnel comes up, and goes down when the peer is gone."""
    sandbox.add_tunnels(key=1234)

    def bfd_state():
        return sandbox.get("a", "e1", "bfd_status:state")

    for site in "a", "b":
        sandbox.vsctl(site, "set", "interface", "e1", "bfd:enable=true",
                      "bfd:min_rx=100", "bfd:min_tx=100")
    until(lambda: sandbox.vsctl("a", "--if-exists", "get", "interface", "e1",
                                "bfd_status:state") == "up",
          "BFD over the tunnel does not come up", 20)
    sandbox.vsctl("b", "del-port", "br0", "e1")
    until(lambda: bfd_state() == "down",
          "BFD stays up although the peer is gone", 20)


def test_mirror_into_tunnel(sandbox):
    """host-a -- br0's own port at site a; what they say is mirrored into e1
    and seen at host-b."""
    sandbox.add_tunnels(key=1234)
    sandbox.set_flows("b", "in_port=e1,actions=output:host-b")
    sandbox.exec("a", *"ip addr add 10.0.0.254/24 dev br0".split())
    sandbox.exec("a", *"ip link set br0 up".split())
    try:
        sandbox.vsctl(
            "a", "--", "--id=@host", "get", "port", "host-a",
            "--", "--id=@e1", "get", "port", "e1",
            "--", "--id=@m", "create", "mirror", "name=m",
            "select-src-port=@host", "output-port=@e1",
            "--", "set", "bridge", "br0", "mirrors=@m")
        with sandbox.wire("host-b") as host_b:
            sandbox.ping("host-a", "10.0.0.254")
            host_b.wait_for(
                lambda frame: frame[12:14] == b"\x08\x00"
                and frame[26:34] == bytes([10, 0, 0, 1, 10, 0, 0, 254]),
                "host-b does not see the mirrored ping")
    finally:
        sandbox.exec("a", *"ip addr del 10.0.0.254/24 dev br0".split())
        sandbox.exec("a", *"ip link set br0 down".split())


def test_mirror_of_tunnel(sandbox):
    """What comes out of e1 at site b is mirrored to the port `span`."""
    sandbox.add_tunnels(key=1234)
    sandbox.exec("b", *"ip link add span type veth peer name span-end".split())
    try:
        for device in "span", "span-end":
            sandbox.exec("b", *f"ip link set {device} addrgenmode none up"
                         .split())
        sandbox.vsctl(
            "b", "add-port", "br0", "span",
            "--", "--id=@e1", "get", "port", "e1",
            "--", "--id=@span", "get", "port", "span",
            "--", "--id=@m", "create", "mirror", "name=m",
            "select-src-port=@e1", "output-port=@span",
            "--", "set", "bridge", "br0", "mirrors=@m")
        with sandbox.wire("b", "span-end") as span:
            sandbox.ping()
            span.wait_for(
                lambda frame: frame[12:14] == b"\x08\x00"
                and frame[26:34] == bytes([10, 0, 0, 1, 10, 0, 0, 2]),
                "the mirror does not show the ping out of the tunnel")
    finally:
        sandbox.exec("b", *"ip link del span".split())


def test_restart(sandbox):
    """ovs-vswitchd restarts at one site, then at the other: the tunnel is in
    the database and works again, with nothing said anew."""
    sandbox.add_tunnels(key=1234)
    sandbox.ping()
    for site in "a", "b":
        pid = sandbox.vswitchd_pid(site)
        sandbox.restart(site)
        check(sandbox.vswitchd_pid(site) not in (pid, None),
              f"ovs-vswitchd of site {site} was not restarted")
        sandbox.ping_both_ways()
    sandbox.tcp()


def test_crash(sandbox):
    """ovs-vswitchd is killed, traffic running; it is started again."""
    sandbox.add_tunnels(key=1234)
    sandbox.ping()
    sandbox.kill_vswitchd("a")
    sandbox.restart("a")
    sandbox.ping_both_ways()


def test_delete_and_add(sandbox):
    """Twenty times gone and back, with the port in use."""
    sandbox.add_tunnels(key=1234)
    for _ in range(20):
        sandbox.vsctl("a", "del-port", "br0", "e1")
        sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=1234)
    sandbox.ping_both_ways()


def test_remote_changes(sandbox):
    """A tunnel that pointed at nobody is turned to b while it exists."""
    sandbox.add_tunnel("b", remote_ip=ADDRESS["a"], key=1234)
    sandbox.add_tunnel("a", remote_ip="192.0.2.77", key=1234)
    check(not sandbox.can_ping("host-a", ADDRESS["host-b"]),
          "a ping arrived although the remote is somebody else")
    sandbox.vsctl("a", "set", "interface", "e1",
                  f"options:remote_ip={ADDRESS['b']}")
    sandbox.ping_both_ways()
