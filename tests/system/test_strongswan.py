# SPDX-License-Identifier: Apache-2.0
"""options:psk of ports of the kernel's datapath, by eoip-ipsecd and strongSwan.

    host-a -- br0 e1 == a == underlay == b == e1 br0 -- host-b
              psk, eoip-ipsecd, strongSwan   strongSwan that is told what a router
                                             does, or the same as at a

Nobody of us had a router: what it does is as MikroTik documents it, and as it
was captured."""

import contextlib
import re
import threading
import time

from packets import ARP_IN_TUNNEL_100, KEEPALIVE_OF_TUNNEL_100, ethernet, ipv4
from sandbox import (ADDRESS, ADDRESS6, TOP, check, check_equal, run,
                     until)
from strongswan import BUILD, Charon, Daemon, be_router, need

UP = []
KERNEL_ONLY = "the userspace datapath has no IPsec"

SECRET = "s3cret-of-the-tunnel"
OTHER = "another-secret"
ODD = "p\"a'\\ {x} = #, \u00e4;"

MAC_A, MAC_B = (bytes.fromhex(f"02000000010{letter}") for letter in "ab")


class Clear:
    """What leaves a site unencrypted while this runs: EoIP's packets, and any
    later fragment of a packet of its protocol."""

    def __init__(self, sandbox, site="a"):
        self.wire = sandbox.wire(site)
        self.found = []
        self.esp = 0
        self.ended = False

    def look(self):
        while not self.ended:
            for frame in self.wire.frames(seconds=0.2, outgoing=True):
                ipv6 = frame[12:14] == b"\x86\xdd"
                if not ipv6 and frame[12:14] != b"\x08\0":
                    continue
                protocol = frame[20] if ipv6 else frame[23]
                if ipv6 and protocol == 44:     # A fragment's next header.
                    protocol = frame[54]
                if protocol in (47, 97):
                    self.found.append(frame.hex())
                self.esp += protocol == 50

    def __enter__(self):
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        return self

    def __exit__(self, *failed):
        self.ended = True
        self.thread.join()
        self.wire.sock.close()
        if not failed[0]:
            check(not self.found, f"{len(self.found)} packets left in the "
                  f"clear, the first is {self.found[:1]}")


@contextlib.contextmanager
def sites(sandbox, router=True, start=True):
    """strongSwan at both, and eoip-ipsecd at a; without `router` at b, too."""
    need()
    charons = [Charon(sandbox, site) for site in "ab"]
    daemons = [Daemon(sandbox, charon)
               for charon in charons[:1 if router else 2]]
    try:
        started = [*(charons if start else []), *daemons]
        for program in started:
            program.spawn()
        for program in started:
            program.ready()
        yield charons, daemons
        no_secret_logged(sandbox, charons, daemons)
    except BaseException:
        for daemon in daemons:
            print(f"    {daemon.site}: " + "\n    ".join(
                daemon.log().splitlines()[-12:]))
        for charon in charons:
            print(f"    {charon.place}: " + "\n    ".join(
                charon.output().splitlines()[-12:]))
        raise
    finally:
        for daemon in daemons:
            daemon.kill()
        for charon in charons:
            charon.stop(sure=True)
            for what in "state", "policy":
                sandbox.exec(charon.place, "ip", "xfrm", what, "flush")


def shown_commands():
    """All that shows something of a port: those of ovs-bugtool, too."""
    with open(f"{TOP}/utilities/bugtool/network-status/eoip.xml",
              encoding="utf-8") as file:
        collected = re.findall("<command [^>]*>(.*)</command>", file.read())
    check(len(collected) > 5, f"ovs-bugtool collects only {collected}")
    return [*collected, "eoip list", "eoip show e1", "eoip check",
            "eoip export", "eoip stats", "eoip stats --prometheus",
            "ovs-vsctl --columns=status,error,other_config list interface"]


def no_secret_in(said):
    """`said` is text by what it is of."""
    for what, text in said.items():
        for secret in (SECRET, ODD[:5], OTHER):
            check(secret not in text, f"{what} shows a secret")


def no_secret_logged(sandbox, charons, daemons):
    said = {f"strongSwan at {charon.place}": charon.log()
            for charon in charons}
    for daemon in daemons:
        said[f"eoip-ipsecd at {daemon.site}"] = daemon.log()
        with open(f"/run/{sandbox.name}-sandbox/{daemon.site}/"
                  "ovs-vswitchd.log", encoding="utf-8",
                  errors="replace") as file:
            said[f"ovs-vswitchd at {daemon.site}"] = file.read()
    no_secret_in(said)


def no_secret_shown(sandbox):
    said = {}
    for command in shown_commands():
        done = sandbox.try_exec("a", "bash", "-c",
                                f"PATH={BUILD}/utilities/eoip:$PATH; {command}")
        check(done.returncode not in (126, 127),
              f"no {command}: {done.stderr.strip()}")
        said[command] = done.stdout + done.stderr
    no_secret_in(said)


def secure(sandbox, site, secret=SECRET, addresses=ADDRESS, **options):
    """A port with a psk at the site."""
    other = addresses["b" if site == "a" else "a"]
    words = [f"options:{name}={value}" for name, value in options.items()]
    quoted = secret.replace("\\", "\\\\").replace("\"", "\\\"")
    sandbox.vsctl(site, "add-port", "br0", "e1", "--", "set", "interface",
                  "e1", "type=eoip", f"options:remote_ip=\"{other}\"",
                  "options:key=100", f"options:psk=\"{quoted}\"",
                  "options:keepalive=1s,10", *words)
    check_equal("error", sandbox.error(site), "")


def plain(sandbox, site="b", addresses=ADDRESS):
    """The router's end: whatever it wants encrypted, its strongSwan says."""
    sandbox.add_tunnel(site, key=100, keepalive="1s,10",
                       remote_ip=addresses["b" if site == "a" else "a"])


def wait_for_status(sandbox, **wanted):
    """Of port e1 at a, as the switch has it from the daemon."""
    for name, value in wanted.items():
        until(lambda: value in sandbox.vsctl(
            "a", "--if-exists", "get", "interface", "e1", f"status:{name}"),
            f"status:{name} is not {value}", 30)


def wait_for_ping(sandbox, seconds=40):
    until(lambda: sandbox.can_ping("host-a", ADDRESS["host-b"]),
          "host-a gets no answer", seconds)


def lost_of_40(sandbox, action):
    """How many of so many pings are lost while action() is done."""
    said = []

    def ping():
        said.append(sandbox.exec("host-a", "ping", "-q", "-i", "0.1", "-c",
                                 "40", "-W", "5", ADDRESS["host-b"]))

    thread = threading.Thread(target=ping)
    thread.start()
    time.sleep(0.5)
    action()
    thread.join()
    return 40 - int(re.search(r"(\d+) received", said[0])[1])


def loses_nothing(sandbox, action):
    """Who takes the new keys first may send by them before the other side, in
    an emulator that has much else to do, is ready: so it may be tried thrice,
    and never more than a few are lost."""
    lost = []
    while not lost or lost[-1] and len(lost) < 3:
        lost.append(lost_of_40(sandbox, action))
        check(lost[-1] <= 5, f"{lost[-1]} of 40 pings are lost")
    check(lost[-1] == 0, f"pings of 40 that are lost, in three turns: {lost}")


def full_size(sandbox):
    """1500 bytes of IP inside, which go in fragments outside."""
    sandbox.ping("host-a", ADDRESS["host-b"], "-s", "1472", "-M", "do")


def refuses_the_clear(sandbox):
    """Frames and a keepalive that come in unencrypted are dropped, by name."""
    before = sandbox.counters("a")["ipsec_policy"]
    with sandbox.wire("b") as wire:
        for payload in [ARP_IN_TUNNEL_100] * 4 + [KEEPALIVE_OF_TUNNEL_100]:
            wire.send(ethernet(ipv4(payload), MAC_A, MAC_B))
    until(lambda: sandbox.counters("a")["ipsec_policy"] == before + 5,
          "rx_drop_ipsec_policy does not count 5 more")


def test_router(sandbox):
    """A tunnel's life, from the first packet on, against a router."""
    with sites(sandbox) as ((ours, router), (daemon,)), \
            Clear(sandbox) as clear:
        # As Open vSwitch's own daemon has it for a port of another kind.
        ours.call("load-shared", {"id": "stock", "type": "IKE", "data": "x",
                                  "owners": ["%any", "198.51.100.7"]})
        secure(sandbox, "a")
        plain(sandbox)
        daemon.wait_for("takes none of our ike_proposals, or expects no")
        check(not sandbox.can_ping("host-a", ADDRESS["host-b"]),
              "frames cross before there are keys")
        be_router(router, ADDRESS["b"], ADDRESS["a"], SECRET)
        wait_for_ping(sandbox)
        line = daemon.wait_for("up since")
        check("IKEv1 AES_CBC_128/HMAC_SHA1_96/MODP_2048, ESP "
              "AES_CBC_256/HMAC_SHA1_96/MODP_1024" in line, line)
        no_secret_shown(sandbox)
        wait_for_status(sandbox, ipsec_state="up",
                        ipsec_algorithms=line.partition(", ")[2])
        sandbox.ping_both_ways()
        full_size(sandbox)
        sandbox.tcp("host-a", 300_000)
        check(clear.esp > 100, f"only {clear.esp} packets of ESP")
        refuses_the_clear(sandbox)
        loses_nothing(sandbox, lambda: router.call(
            "rekey", {"child": "router"}))
        loses_nothing(sandbox, lambda: router.call(
            "rekey", {"ike": "router", "reauth": "yes"}))
        # The router as initiator, while our daemon stands still.
        daemon.process.send_signal(19)
        ours.call("terminate", {"ike": name_of(ours), "force": "yes",
                                "timeout": "-1"})
        until(lambda: not ours.children(), "the keys are not thrown away")
        router.call("initiate", {"child": "router", "timeout": "20000"})
        daemon.process.send_signal(18)
        wait_for_ping(sandbox)
        daemon.wait_for("up since")
        restart_of_each(sandbox, ours, daemon)
    return f"{clear.esp} packets of ESP"


def name_of(charon):
    return charon.call("get-conns")["conns"][0]


def restart_of_each(sandbox, charon, daemon):
    """Who was killed finds what it needs, and all goes on."""
    charon.stop(sure=True)
    daemon.wait_for("no-daemon")
    charon.start()
    daemon.wait_for("up since")
    wait_for_ping(sandbox)
    # Somebody loads what is in swanctl's files, and unloads all else.
    charon.call("unload-conn", {"name": name_of(charon)})
    until(lambda: charon.call("get-conns").get("conns"),
          "the connection is not loaded again")
    sandbox.restart("a")
    wait_for_ping(sandbox)
    daemon.stop()
    check(charon.call("get-conns")["conns"], "without --cleanup it is gone")
    wait_for_ping(sandbox)
    daemon.start()
    daemon.wait_for("up since")


def test_secrets(sandbox):
    """A wrong one is told, an odd one works; without a psk all is unloaded."""
    with sites(sandbox, start=False) as ((ours, router), (daemon,)):
        with Clear(sandbox):
            secure(sandbox, "a", OTHER)
            plain(sandbox)
            daemon.wait_for("no-daemon")
            wait_for_status(sandbox, ipsec_state="no-daemon")
            blocked = sandbox.counters("a")["ipsec_blocked"]
            check(not sandbox.can_ping("host-a", ADDRESS["host-b"]),
                  "frames cross without strongSwan")
            check(sandbox.counters("a")["ipsec_blocked"] > blocked,
                  "tx_drop_ipsec_blocked does not count")
            ours.start()
            router.start()
            be_router(router, ADDRESS["b"], ADDRESS["a"], ODD)
            daemon.wait_for("failed since")
            line = daemon.wait_for("the secrets of the two sides differ")
            check(not sandbox.can_ping("host-a", ADDRESS["host-b"]), line)
            wait_for_status(sandbox, ipsec_state="failed",
                            ipsec_reason="the secrets of the two sides differ")
            no_secret_shown(sandbox)
            quoted = ODD.replace("\\", "\\\\").replace("\"", "\\\"")
            sandbox.vsctl("a", "set", "interface", "e1",
                          f"options:psk=\"{quoted}\"")
            wait_for_ping(sandbox)
            daemon.wait_for("up since")
            for name, value, reason in (
                    ("ike_proposals", "aes256-sha512-modp4096",
                     "takes none of our ike_proposals"),
                    ("ike_proposals", "nonsense",
                     "does not know what is in ike_proposals")):
                sandbox.vsctl("a", "set", "interface", "e1",
                              f"options:{name}={value}")
                daemon.wait_for(reason)
                sandbox.vsctl("a", "remove", "interface", "e1", "options",
                              name)
            daemon.wait_for("up since")
        sandbox.vsctl("a", "remove", "interface", "e1", "options", "psk")
        until(lambda: not ours.call("get-conns").get("conns")
              and not ours.call("get-shared").get("keys")
              and not ours.children(), "not all is unloaded")


def test_two_switches(sandbox):
    """IKEv2 between two of ours, with its own algorithms."""
    with sites(sandbox, router=False) as (_, daemons), Clear(sandbox), \
            Clear(sandbox, "b"):
        for site in "ab":
            secure(sandbox, site, ike_version=2)
        wait_for_ping(sandbox)
        for daemon in daemons:
            line = daemon.wait_for("up since")
            check(re.search("IKEv2 AES_GCM_16_256/PRF_HMAC_SHA2_256/CURVE_25519"
                            ", ESP AES_GCM_16_256", line), line)
        sandbox.ping_both_ways()


def test_eoipv6(sandbox):
    """Protocol 97 over IPv6, against a router."""
    with sites(sandbox) as ((_, router), (daemon,)), Clear(sandbox) as clear:
        secure(sandbox, "a", addresses=ADDRESS6)
        plain(sandbox, addresses=ADDRESS6)
        be_router(router, ADDRESS6["b"], ADDRESS6["a"], SECRET)
        wait_for_ping(sandbox)
        daemon.wait_for("up since")
        full_size(sandbox)
    check(clear.esp > 10, f"only {clear.esp} packets of ESP")


# A router in a network of its own, which b gives its address to.
BEHIND_NAT = """
ip netns add {router}
ip -n {router} link set lo up
ip -n {router} link add eth0 type veth peer name inside netns {b}
ip -n {router} address add 10.9.0.2/24 dev eth0
ip -n {router} link set eth0 up
ip -n {router} route add default via 10.9.0.1
ip -n {b} address add 10.9.0.1/24 dev inside
ip -n {b} link set inside up
ip netns exec {b} sysctl -qw net.ipv4.ip_forward=1
ip netns exec {b} nft 'add table ip nat
    add chain ip nat out {{ type nat hook postrouting priority srcnat; }}
    add rule ip nat out oifname eth0 masquerade'
ip netns exec {router} {eoip} add name e1 tunnel-id 100 local 10.9.0.2 \\
    remote 192.0.2.1
ip -n {router} address add 10.0.0.9/24 dev e1
ip -n {router} link set e1 up
"""


def test_behind_nat(sandbox):
    """ESP in UDP, to the address of the NAT."""
    with sites(sandbox, start=False) as ((ours, _), (daemon,)):
        names = {"router": sandbox.netns("router"), "b": sandbox.netns("b"),
                 "eoip": f"{BUILD}/utilities/eoip/eoip"}
        router = Charon(sandbox, "router")
        try:
            done = run("bash", "-ec", BEHIND_NAT.format(**names))
            check(done.returncode == 0, done.stderr.strip())
            ours.start()
            router.start()
            with Clear(sandbox):
                secure(sandbox, "a")
                until(lambda: ours.call("get-conns").get("conns"),
                      "the connection is not loaded", 20)
                be_router(router, "10.9.0.2", ADDRESS["a"], SECRET)
                router.call("initiate", {"child": "router",
                                         "timeout": "20000"})
                until(lambda: sandbox.can_ping("host-a", "10.0.0.9"),
                      "host-a gets no answer", 40)
                daemon.wait_for("up since")
            check_equal("encap", {child["encap"] for child
                                  in ours.children()}, {"yes"})
        finally:
            router.stop(sure=True)
            run("ip", "netns", "delete", names["router"])
            run("ip", "netns", "exec", names["b"], "nft", "flush", "ruleset")
