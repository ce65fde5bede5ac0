# SPDX-License-Identifier: Apache-2.0
"""`eoip check` of links of the kernel, with each fault really there: it says
what is wrong, and the commands that it prints mend it.  Ports on bridges are in
tests/system."""

import glob
import os
import shutil
import tempfile

import modules
import netns_socket
import test_coexistence
import test_command
from bed import INNER, MAC, UNDERLAY, Echo
from sandbox import Skip, check, check_equal, until

NOTHING = "nothing wrong found\n"


def called(bed, *words):
    done = test_command.call(bed, "check", *words)
    check(not done.stderr, f"eoip check: {done.stderr}")
    check_equal(f"exit status of eoip check ({done.stdout.strip()})",
                done.returncode, 0 if done.stdout == NOTHING else 1)
    return done.stdout


def silent(bed, *words):
    check_equal("eoip check", called(bed, *words), NOTHING)


def says(bed, text):
    check_equal("eoip check", called(bed), text)


def mended(bed, text):
    """It says this, and its commands are right."""
    says(bed, text)
    environment = test_command.environment()
    for line in text.splitlines():
        if line.startswith("    "):
            words = line.split()
            if words[0] == "eoip":
                words = [*environment, *words[1:]]
            bed.exec("a", *words)
    until(lambda: called(bed) == NOTHING,
          f"its commands do not mend: {text}")


def bridge(bed, *ports):
    """A Linux bridge br0, with these of its ports made as veths."""
    bed.ip("a", "link add br0 type bridge", "link set br0 up",
           *(line for port in ports for line in (
               f"link add {port} type veth peer name {port}-end",
               f"link set {port} master br0", f"link set {port} up",
               f"link set {port}-end up")))


def test_healthy(bed):
    silent(bed)
    bed.pair(interval=10)
    bed.ping_both_ways()
    silent(bed)
    silent(bed, "e1")


def rules(bed, text):
    if not shutil.which("nft"):
        raise Skip("nft is missing: install nftables")
    modules.need("nf_conntrack")
    modules.need("nft_ct")
    bed.exec("a", "nft", f"flush ruleset; {text}")


FILTER = ("add table inet f; add chain inet f in {{ type filter hook input "
          "priority filter; policy {policy}; }}; ")
STATES = "add rule inet f in ct state vmap { established : accept, related : " \
    "accept, invalid : drop }; "
EXEMPT = "    nft insert rule inet f in ip saddr 192.0.2.2 meta l4proto 47 " \
    "accept\n"


def test_firewall(bed):
    """As conntrack does not know EoIP, the rule of all guides ends it."""
    bed.pair(interval=10)
    invalid = (
        "e1: the firewall drops its packets: \"ct state invalid "
        "drop\" in chain \"inet f in\", as conntrack does not know EoIP\n"
        + EXEMPT)
    nothing_else = ("add rule inet f in iif lo accept; add rule inet f in tcp "
                    "dport 22 accept; add rule inet f in icmp type "
                    "echo-request accept; ")
    accepts = FILTER.format(policy="accept")
    jump = ("add chain inet f states; add rule inet f states ct state invalid "
            "counter drop; add rule inet f in jump states; ")
    for text, chain in (
            (nothing_else + STATES, "in"), (jump, "states"),
            ("add rule inet f in meta mark 7 drop; "
             "add rule inet f in ct state invalid drop; ", "in")):
        rules(bed, accepts + text)
        dropped(bed)
        mended(bed, invalid.replace('f in"', f'f {chain}"'))
        bed.ping()
    rules(bed, FILTER.format(policy="drop") + "add rule inet f in ct state "
          "established accept; " + nothing_else)
    dropped(bed)
    mended(bed, "e1: the firewall drops its packets: chain "
           "\"inet f in\" has no rule that accepts them\n" + EXEMPT)
    bed.ping()
    rules(bed, "add table inet f; add chain inet f out { type filter hook "
          "output priority filter; }; add rule inet f out ct state invalid "
          "drop")
    mended(bed, """\
e1: the firewall drops its packets: "ct state invalid drop" in chain "inet f out", as conntrack does not know EoIP
    nft insert rule inet f out ip daddr 192.0.2.2 meta l4proto 47 accept
""")
    bed.ping()


def dropped(bed):
    """Whatever crosses, none of it reaches a's tunnel."""
    before = bed.statistics("a")["rx_packets"]
    wire = bed.wire("a")
    with wire:
        bed.call("b", "ping", "-c", "1", "-W", "1", INNER["a"])
        wire.wait_for(lambda frame: frame[12:14] == b"\x08\x00"
                      and frame[23] == 47, "nothing of the tunnel comes")
    check_equal("frames that came in", bed.statistics("a")["rx_packets"],
                before)


def test_firewall_without_harm(bed):
    """What lets the packets in is not told, nor what is not known."""
    bed.pair(interval=10)
    accepts = FILTER.format(policy="accept")
    drop = "add rule inet f in ct state invalid drop; "
    raw = "add chain inet f raw { type filter hook prerouting priority raw; " \
        "}; add rule inet f raw "
    for text, known in (
            ("add rule inet f in ip protocol gre accept; ", True),
            ("add rule inet f in meta l4proto { 47, 50 } accept; ", True),
            ("add rule inet f in ip saddr 192.0.2.2 accept; ", True),
            (raw + "ip protocol 47 notrack; ", True),
            ("add set inet f s { type ipv4_addr; elements = { 192.0.2.2 }; }; "
             "add rule inet f in ip saddr @s accept; ", False)):
        rules(bed, accepts + text + drop)
        bed.ping()
        silent(bed)
    rules(bed, accepts + drop)
    for rule in test_coexistence.documented_rules():
        bed.exec("a", "sh", "-c", rule)
    bed.ping()
    silent(bed)
    for text in (raw + "iif lo notrack; " + drop,
                 "add rule inet f in ip saddr 192.0.2.3 accept; " + drop,
                 "add rule inet f in iifname v accept; " + drop):
        rules(bed, accepts + text)
        dropped(bed)
        check(called(bed).endswith(EXEMPT), f"nothing is said of {text}")


def iptables(folder, flavour):
    """What to put before a command that shall find these programs, and the
    shell's `iptables`: the one of `flavour`, nft or legacy."""
    root = os.environ.get("EOIP_IPTABLES")
    if not root:
        raise Skip("iptables is missing: tests/vm/run fetches it")
    libraries, = glob.glob(f"{root}/usr/lib/*-linux-gnu")
    for name in "iptables", "iptables-save", "ip6tables-save":
        first, _, rest = name.partition("-")
        os.symlink(f"{root}/usr/sbin/{first}-{flavour}"
                   + (f"-{rest}" if rest else ""), f"{folder}/{name}")
    return ["env", f"PATH={folder}:{os.environ['PATH']}",
            f"LD_LIBRARY_PATH={libraries}",
            f"XTABLES_LIBDIR={libraries}/xtables"]


def test_iptables(bed):
    """The same rule in its words, of either flavour, as ufw has it."""
    bed.pair(interval=10)
    for flavour, module in ("nft", "nft_compat"), ("legacy", "iptable_filter"):
        modules.need(module)
        modules.need("xt_conntrack")
        with tempfile.TemporaryDirectory() as folder:
            within = iptables(folder, flavour)

            def says_here(text):
                done = bed.call("a", *within, *test_command.environment(),
                                "check")
                check_equal(f"eoip check with iptables-{flavour}",
                            done.stdout, text)

            says_here(NOTHING)
            for line in ("-N before", "-A INPUT -j before",
                         "-A before -i lo -j ACCEPT",
                         "-A before -m conntrack --ctstate RELATED,ESTABLISHED"
                         " -j ACCEPT",
                         "-A before -m conntrack --ctstate INVALID -j DROP"):
                bed.exec("a", *within, "iptables", *line.split())
            dropped(bed)
            command = "iptables -t filter -I INPUT -s 192.0.2.2 -p 47 -j ACCEPT"
            says_here(f"""\
e1: the firewall drops its packets: "ct state invalid drop" in chain "before" of iptables, as conntrack does not know EoIP
    {command}
""")
            bed.exec("a", *within, *command.split())
            bed.ping()
            says_here(NOTHING)
            bed.exec("a", *within, "iptables", "-F")
            bed.exec("a", *within, "iptables", "-P", "INPUT", "DROP")
            dropped(bed)
            says_here(f"""\
e1: the firewall drops its packets: chain "INPUT" of iptables has no rule that accepts them
    {command}
""")
            bed.exec("a", *within, "iptables", "-P", "INPUT", "ACCEPT")
            bed.exec("a", *within, "iptables", "-X")


def test_strict_filtering(bed):
    """The peer's packets come in on u, and the way back leads through v."""
    addresses = {"a": "198.51.100.1", "b": "198.51.100.2"}
    bed.connect("a", "b", addresses, MAC, "v")
    bed.tunnel("a", local=UNDERLAY["a"], interval=10)
    silent(bed)
    bed.ip("a", "route add 192.0.2.2/32 via 198.51.100.2 dev v")
    silent(bed)
    bed.sysctl("a", "ipv4/conf/u/rp_filter", 1)
    mended(bed, """\
e1: what 192.0.2.2 sends to u is dropped there, as the way back leads through another device and rp_filter is strict
    sysctl net.ipv4.conf.u.rp_filter=2
""")


def crosses(bed, where, size):
    """Whether a ping of `size` bytes of IP gets from there to b and back."""
    with netns_socket.inside(bed.netns(where)), \
            Echo(INNER["b"], size - 28, True) as echo:
        return echo.answered(2)


def test_link_in_a_bridge(bed):
    """Its MTU is that of a frame in one piece, and the other ports' is not:
    their longer frames are lost, and nothing of the bridge counts them."""
    bed.tunnel("a", interval=10)
    bed.tunnel("b", interval=10, mtu=1500, address=INNER["b"])
    silent(bed)
    bridge(bed, "p")
    bed.ip("a", "link set e1 master br0")
    bed.add_namespace("guest")
    bed.ip("a", f"link set p-end netns {bed.netns('guest')}")
    bed.ip("guest", "link set p-end up", "addr add 10.0.0.3/24 dev p-end")
    bed.ping("guest", INNER["b"], 1430, True)

    def drops():
        return [bed.statistics("a", name)[count] for name in ("p", "br0", "e1")
                for count in ("rx_dropped", "rx_errors", "tx_dropped",
                              "tx_errors")]

    before = drops()
    check(not crosses(bed, "guest", 1500), "1500 bytes cross 1458")
    check_equal("what p, br0 and e1 count as dropped", drops(), before)
    mended(bed, """\
e1: has an MTU of 1458, and p of the same bridge br0 one of 1500: the bridge drops longer frames without a count
    ip link set e1 mtu 1500
""")
    check(crosses(bed, "guest", 1500), "1500 bytes do not cross 1500")


def test_bridge_with_an_mtu(bed):
    """One that was told its own: only then it has not its ports' lowest."""
    bed.tunnel("a", interval=10)
    bed.tunnel("b", interval=10, mtu=1500, address=INNER["b"])
    bridge(bed)
    bed.ip("a", "link set e1 master br0", f"addr add {INNER['a']}/24 dev br0")
    bed.ping("a", None, 1430, True)
    check_equal("MTU of br0", bed.link("a", "br0").mtu, 1458)
    silent(bed)
    bed.ip("a", "link set br0 mtu 1500")
    check(not crosses(bed, "a", 1500), "1500 bytes cross 1458")
    mended(bed, """\
e1: has an MTU of 1458, and its bridge br0 one of 1500: the bridge drops longer frames without a count
    ip link set e1 mtu 1500
""")
    check(crosses(bed, "a", 1500), "1500 bytes do not cross 1500")


def test_loop(bed):
    bridge(bed)
    for number in 1, 2:
        bed.tunnel("a", f"e{number}", id=number, interval=10)
        bed.ip("a", f"link set e{number} master br0")
    mended(bed, """\
br0: e1 and e2 lead to 192.0.2.2, and no spanning tree breaks the loop if they end in one bridge there
    ip link set br0 type bridge stp_state 1
""")


def test_over_itself(bed):
    bridge(bed)
    bed.tunnel("a", interval=10)
    bed.ip("a", "link set e1 master br0",
           "route add 192.0.2.2/32 dev br0")
    says(bed, """\
e1: the way to 192.0.2.2 leads through br0, and the tunnel is a port of that bridge: its packets come back into it; give the underlay a device or bridge of its own
""")
    bed.ip("a", "link set e1 nomaster", "route del 192.0.2.2/32 dev br0",
           "route add 192.0.2.2/32 dev e1")
    says(bed, """\
e1: the way to 192.0.2.2 leads through e1, the tunnel itself: its packets come back into it; give the underlay a device or bridge of its own
""")


def test_address_on_port(bed):
    bridge(bed)
    bed.tunnel("a", interval=10)
    bed.ip("a", "link set u master br0")
    mended(bed, """\
e1: the way to 192.0.2.2 leads through u, which is a port of br0: its address must be on br0
    ip address del 192.0.2.1/24 dev u
    ip address add 192.0.2.1/24 dev br0
    ip link set br0 up
""")


def test_path(bed):
    """No route, no carrier, addresses of others, a link that is down."""
    bed.tunnel("a", up=False, interval=10)
    mended(bed, "e1: the link is set down\n    ip link set e1 up\n")
    bed.ip("b", "link set u down")
    until(lambda: called(bed) == "u: has no carrier: its cable, or what is at "
          "the other end of it, is off\n",
          "eoip check does not see that u has no carrier")
    bed.ip("b", "link set u up")
    until(lambda: called(bed) == NOTHING, "the carrier does not come back")
    bed.ip("a", "link set u down")
    mended(bed, "u: is down, and has the address in the network of 192.0.2.2, "
           "the peer of e1\n    ip link set u up\n")
    bed.ip("a", "route add unreachable 192.0.2.2/32")
    says(bed, "e1: there is no route to 192.0.2.2\n")
    bed.ip("a", "route del unreachable 192.0.2.2/32")
    test_command.eoip(bed, "change name e1 local 203.0.113.9")
    mended(bed, "e1: its local address 203.0.113.9 is none of this host's\n"
           "    eoip change name e1 local any\n")
    test_command.eoip(bed, "change name e1 remote 192.0.2.1")
    says(bed, "e1: its remote 192.0.2.1 is an address of this host\n"
         "    eoip change name e1 remote ADDRESS\n")


def test_dont_fragment(bed):
    bed.tunnel("a", mtu=1500, interval=10)
    silent(bed)
    test_command.eoip(bed, "change name e1 df_default true")
    mended(bed, """\
e1: frames of 1500 bytes are packets of 1542, which may not be cut (df_default true), and the path to 192.0.2.2 takes 1500: allow fragments, or give the hosts an MTU of 1458
    eoip change name e1 df_default false
""")


def test_keepalives(bed):
    bed.tunnel("a", address=INNER["a"])
    bed.tunnel("b", interval=1, retries=0)
    until(lambda: bed.counters("a")["rx_keepalives"], "no keepalive comes")
    mended(bed, """\
e1: the peer sends keepalives and gets none: a router that waits for them takes its side down
    eoip change name e1 keepalive 10,0
""")


def test_no_keepalives_of_the_peer(bed):
    bed.pair()
    bed.ping()
    test_command.eoip(bed, "change name e1 keepalive 1,2")
    text = """\
e1: silent: the peer was not heard within the time that keepalive gives it
e1: frames have come and never a keepalive: the peer sends none, so that the tunnel is down whenever it is idle
    eoip change name e1 keepalive 10,0
"""
    until(lambda: called(bed) == text,
          "eoip check does not see that the peer sends no keepalives", 20)
    mended(bed, text)
