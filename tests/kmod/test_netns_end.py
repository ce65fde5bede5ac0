# SPDX-License-Identifier: Apache-2.0
"""A namespace ends while packets that look like EoIP arrive in it.

    x: w fd00::1, 198.51.100.1 == b: v fd00::2, 198.51.100.2 (sends)

It needs no tunnel for that: handlers of the module look tunnels up in every
namespace, until the last of its devices is gone.  A kernel that poisons freed
memory (slub_debug=P, KASAN) says if they read what the end has freed."""

import contextlib
import threading

import modules
from bed import mac_text
from packets import ARP_REQUEST, eoip, eoipv6, ethernet, ipv4, ipv6, tcp
from sandbox import run, until

ROUNDS = 5
X, V = bytes.fromhex("020000000021"), bytes.fromhex("020000000022")


class Background(threading.Thread):
    """Calls `work` again and again, until the end of the block."""

    def __init__(self, work):
        super().__init__(daemon=True)
        self.work, self.done = work, threading.Event()

    def run(self):
        while not self.done.wait(0.01):
            self.work()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join(30)


@contextlib.contextmanager
def gre_first():
    """What was loaded last leaves a namespace first.  With ip_gre before eoip,
    three devices of GRE's are taken down between the end of ours and that of
    w, each of which waits for RCU, while w receives."""
    modules.need_loadable("ip_gre")
    modules.unload("eoip")
    modules.unload("ip_gre")
    modules.load("ip_gre")
    modules.load("eoip")
    yield
    modules.unload("ip_gre")


def add_x(bed):
    bed.add_namespace("x")
    bed.sysctl("x", "ipv6/conf/default/disable_ipv6", 0)
    bed.ip("b", f"link add w netns {bed.netns('x')} address {mac_text(X)} "
           f"type veth peer name v address {mac_text(V)}", "link set v up")
    # A veth does GRO when the sender does no segmentation.
    bed.offloads("b", "v", tso=False)
    bed.offloads("x", "w", gro=True)
    bed.ip("x", "link set w up", "addr add fd00::1/64 dev w nodad",
           "addr add 198.51.100.1/24 dev w")


def end_under(bed, data, prepare=lambda: None):
    """Namespaces end under a flood of `data`."""
    sent = 0

    def flood():
        nonlocal sent
        with contextlib.suppress(OSError), bed.wire("b", "v").sock as sock:
            while True:
                sock.send(data)
                sent += 1

    with gre_first(), Background(flood):
        for _ in range(ROUNDS):
            add_x(bed)
            prepare()
            before = sent
            until(lambda: sent > before + 500, "nothing is sent to x", 60)
            bed.remove_namespace("x")
            until(lambda: not run("ip", "-n", bed.netns("b"), "link", "show",
                                  "v").stdout, "x does not end", 60)
    return f"{ROUNDS} times, {sent} packets sent"


def test_ipv6(bed):
    """The protocol number 97 has a handler in every namespace."""
    return end_under(bed, ethernet(ipv6(eoipv6(ARP_REQUEST), src="fd00::2",
                                        dst="fd00::1"), X, V, 0x86dd))


def gro_packet(tunnel_id=100):
    """With TCP inside, as nothing else is joined."""
    frame = ethernet(tcp(bytes(100), 0), X)
    return ethernet(ipv4(eoip(frame, tunnel_id), src="198.51.100.2",
                         dst="198.51.100.1"), X, V, 0x800)


def test_gro(bed):
    """GRO asks for each packet of EoIP whether there is a tunnel."""
    return end_under(bed, gro_packet())


def test_tunnel(bed):
    """With tunnels, one of which lives elsewhere."""
    def prepare():
        for number in (100, 101):
            bed.rtnl("x").add(f"e{number}", options={
                "id": number, "remote": "198.51.100.2"})
            bed.rtnl("x").up(f"e{number}")
        bed.rtnl("x").move("e100", bed.netns("a"))
        bed.rtnl("a").up("e100")

    said = end_under(bed, gro_packet(), prepare)
    until(lambda: not bed.rtnl("a").links(), "a device outlives its underlay")
    return said
