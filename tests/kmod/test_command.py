# SPDX-License-Identifier: Apache-2.0
"""The command eoip on links of the kernel: what it makes is what was asked
for, and what it refuses changes nothing.

What it does not look at the kernel for is tested in tests/unit, and bridges
are in tests/ovs."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile

import modules
from bed import INNER, MAC, OTHER, UNDERLAY
from packets import KEEPALIVE_OF_TUNNEL_100
from peer import packet
from sandbox import TOP, Skip, check, check_equal, run, until

MODPROBE = "/proc/sys/kernel/modprobe"


def program():
    path = os.path.join(os.environ.get("EOIP_BUILD", f"{TOP}/build"),
                        "utilities/eoip/eoip")
    if not os.access(path, os.X_OK):
        raise Skip(f"{path} is not there: build it first")
    return path


def environment():
    """No Open vSwitch: a switch of this machine is none of the test's."""
    return ["env", "OVS_RUNDIR=/nonexistent", program()]


def call(bed, *words, where="a"):
    return bed.call(where, *environment(), *words)


def eoip(bed, line, where="a"):
    """The command's stdout.  It must do what it is asked."""
    done = call(bed, *line.split(), where=where)
    check(done.returncode == 0 and not done.stderr,
          f"eoip {line}: exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def refuse(bed, line, *pieces, status=1):
    """It must refuse, in one line on stderr with all of `pieces`, and leave
    every link as it is."""
    before = bed.exec("a", "ip", "-d", "-j", "link", "show")
    done = call(bed, *line.split())
    check_equal(f"exit status of eoip {line} ({done.stderr.strip()})",
                done.returncode, status)
    check_equal(f"stdout of eoip {line}", done.stdout, "")
    check(done.stderr.startswith("eoip: ") and done.stderr.count("\n") == 1,
          f"eoip {line} says {done.stderr!r}")
    for piece in pieces:
        check(piece in done.stderr,
              f"eoip {line}: no {piece!r} in: {done.stderr.strip()}")
    check_equal(f"links after eoip {line}",
                bed.exec("a", "ip", "-d", "-j", "link", "show"), before)


def check_says(bed, status, text=""):
    done = call(bed, "check")
    check(done.returncode == status and text in done.stdout,
          f"eoip check: exit {done.returncode}: {done.stdout}{done.stderr}")


def test_old_module(bed):
    """One that runs on after another was installed is named, until that one is
    loaded as the sentence says."""
    folder = os.environ.get("EOIP_STRANGE_MODULES")
    if not folder:
        raise Skip("EOIP_STRANGE_MODULES is not set")
    check_says(bed, 0)
    installed = run("modinfo", "-F", "version", "eoip").stdout.strip()
    modules.unload("eoip")
    done = run("insmod", f"{folder}/older/eoip.ko")
    check(done.returncode == 0, done.stderr)
    try:
        check_says(bed, 1, "the kernel runs another module eoip than the one "
                   f"that is installed, which is of version {installed}: it is "
                   'taken at the next boot, or by "modprobe -r eoip" and '
                   '"modprobe eoip" when no tunnel uses it')
        said = eoip(bed, "version")
        check("module: eoip 0.0.1\n" in said, f"eoip version says {said}")
    finally:
        for words in ("modprobe", "-r", "eoip"), ("modprobe", "eoip"):
            done = run(*words)
            check(done.returncode == 0, f"{words}: {done.stderr}")
    check_says(bed, 0)
    said = eoip(bed, "version")
    check(f"module: eoip {installed}\n" in said, f"eoip version says {said}")


def check_options(bed, name, **expected):
    seen = bed.options("a", name)
    check_equal(f"options of {name}",
                {option: seen.get(option) for option in expected}, expected)


def test_add_and_ping(bed):
    """The line that users know, at both sites; then traffic."""
    for where in "a", "b":
        eoip(bed, f"add tunnel-id 1234 name e1 local {UNDERLAY[where]} "
             f"remote {UNDERLAY[OTHER[where]]}", where)
        bed.ip(where, "link set e1 up",
               f"addr add {INNER[where]}/24 dev e1")
    bed.ping_both_ways()
    check_options(bed, "e1", id=1234, local="192.0.2.1", remote="192.0.2.2",
                  ttl=64, tos=0, interval=10, retries=0)


def test_every_word(bed):
    """Shortened, in every notation, with the aliases."""
    index = bed.link("a", "u").index
    eoip(bed, "n ti 0x4d2 n e1 loc 192.0.2.1 r 192.0.2.2 li u tt 077 to 0x10 "
         "k 10,3")
    check_options(bed, "e1", id=1234, local="192.0.2.1", remote="192.0.2.2",
                  link=index, ttl=63, tos=16, interval=10, retries=3)
    eoip(bed, f"add tid 5 name e2 remote 192.0.2.2 link {index} ttl 0 tos 1 "
         "keepalive none df_default true clamp_tcp_mss false")
    check_options(bed, "e2", id=5, link=index, ttl=0, ttl_inherit=1, tos=1,
                  interval=0, df=1, clamp_mss=0)
    eoip(bed, "change name e2 dont_fragment inherit")
    check_options(bed, "e2", df=2, clamp_mss=0)
    check("\ndont_fragment: inherit\n" in eoip(bed, "show e2"),
          "show e2 lacks its dont_fragment")


def test_names(bed):
    """The kernel chooses one if the user does not, and the user is told."""
    check_equal("name", eoip(bed, "add tid 1 remote 192.0.2.2"), "eoip0\n")
    check_equal("name", eoip(bed, "add tid 2 remote 192.0.2.2 local "
                             "192.0.2.1 link u"), "eoip1\n")
    check_equal("name", eoip(bed, "del eoip0"), "")
    check_equal("name", eoip(bed, "add tid 3 remote 192.0.2.2"), "eoip0\n")
    check_options(bed, "eoip0", id=3)
    refuse(bed, "add tid 4 remote 192.0.2.2 name u", "u: a device of this "
           "name exists")
    refuse(bed, "add tid 4 remote 192.0.2.2 name eoip0", "eoip0: a device of "
           "this name exists", "eoip change")


def test_change_keeps_what_it_does_not_name(bed):
    eoip(bed, "add tid 7 name e1 local 192.0.2.1 remote 192.0.2.2 link u "
         "ttl 9 tos 8 keepalive 10,3")
    before = bed.options("a", "e1")
    for line, changed in (
            ("ttl 10", {"ttl": 10}), ("tunnel-id 8", {"id": 8}),
            ("tos 0", {"tos": 0}), ("local any", {"local": "0.0.0.0"}),
            ("remote 192.0.2.77", {"remote": "192.0.2.77"}),
            ("link none", {"link": 0}),
            ("keepalive 20,5", {"interval": 20, "retries": 5}),
            ("keepalive none", {"interval": 0})):
        eoip(bed, f"change name e1 {line}")
        before.update(changed)
        check_equal(f"after change {line}", {
            **bed.options("a", "e1"), "retries": None},
            {**before, "retries": None})
    eoip(bed, "set n e1 tid 9")
    check_options(bed, "e1", id=9, ttl=10)


def test_change_of_what_is_not_there(bed):
    """It makes nothing, whatever the name is of."""
    refuse(bed, "change name e9 tunnel-id 5", "there is no tunnel e9",
           "eoip list")
    refuse(bed, "change name u tunnel-id 5", "there is no tunnel u")
    refuse(bed, "del u", "there is no tunnel u")
    refuse(bed, "del e9", "there is no tunnel e9")
    refuse(bed, "show e9", "there is no tunnel e9")
    eoip(bed, "add tid 1 name e1 remote 192.0.2.2")
    refuse(bed, "change name e1 ttl 1 bridge br0", "database of Open vSwitch")


def test_links_that_do_not_exist(bed):
    for link in "99999", "nothing", "-1", "4294967296":
        for verb in "add tid 1 remote 192.0.2.2", "change name e1":
            if verb.startswith("change") and not bed.rtnl("a").link("e1"):
                eoip(bed, "add tid 5 name e1 remote 192.0.2.2")
            refuse(bed, f"{verb} link {link}",
                   f"invalid interface name/index: {link}", "ip link")


def test_refused_by_the_kernel(bed):
    """Its own sentence is shown, with the name that it is about."""
    eoip(bed, "add tid 5 name e1 remote 192.0.2.2")
    refuse(bed, "add tid 5 name e2 remote 192.0.2.2", "e2: the kernel refuses")
    refuse(bed, "add tid 6 remote 224.0.0.1", "unicast")
    refuse(bed, "add tid 6", "remote is mandatory")
    refuse(bed, "change name e1 remote 0.0.0.0", "e1: ", "unicast")
    refuse(bed, "change name e1 local 2001:db8::1", "both of IPv4")


def test_ipv6(bed):
    """The address selects EoIPv6."""
    eoip(bed, "add tid 4095 name e6 local fd01::1 remote fd01::2")
    check_options(bed, "e6", id=4095, local="fd01::1", remote="fd01::2")
    check("e6@0: link/eoipv6 fd01::1 remote fd01::2 tunnel-id 4095 ttl 64 "
          "tos 0 keepalive 10,0" in eoip(bed, "list --legacy"),
          "the legacy list lacks e6")
    refuse(bed, "change name e6 tunnel-id 4096", "e6: ", "4095")
    refuse(bed, "add tid 4096 remote fd01::2", "tunnel-id must be 0..4095",
           status=2)


def test_list(bed):
    """As a table, in the older tool's lines, and for programs."""
    check_equal("list of nothing", eoip(bed, "list"), "")
    eoip(bed, "add tid 1234 name e1 local 192.0.2.1 remote 192.0.2.2 ttl 0")
    eoip(bed, "add tid 5 name e2 remote 192.0.2.2 link u keepalive 10,3")
    one, two = (bed.link("a", name).index for name in ("e1", "e2"))
    under = bed.link("a", "u").index
    check_equal("the table", [line.split() for line in eoip(
        bed, "list").splitlines()], [
        "NAME WHERE REMOTE ID STATE HEARD RX TX DROPS COMMENT".split(),
        "e1 kernel 192.0.2.2 1234 off - 0 0 0".split(),
        "e2 kernel 192.0.2.2 5 off - 0 0 0".split()])
    check_equal("--legacy", eoip(bed, "list --legacy"),
                f"{one}: e1@0: link/eoip 192.0.2.1 remote 192.0.2.2 "
                "tunnel-id 1234 ttl 0 tos 0 keepalive 10,0\n"
                f"{two}: e2@{under}: link/eoip 0.0.0.0 remote 192.0.2.2 "
                "tunnel-id 5 ttl 64 tos 0 keepalive 10,3\n")
    bed.ip("a", "link set e1 up")
    shown = json.loads(eoip(bed, "--json"))
    check_equal("names", [tunnel["name"] for tunnel in shown], ["e1", "e2"])
    check_equal("--json of e1", shown[0], {
        "name": "e1", "kind": "kernel", "ifindex": one,
        "state": "waiting", "link_state": "up",
        "options": {"key": 1234, "local_ip": "192.0.2.1",
                    "remote_ip": "192.0.2.2", "ttl": "inherit", "tos": 0,
                    "keepalive": "10,0", "df_default": "false",
                    "clamp_tcp_mss": "true", "mtu": 1458}})
    check("tunnel-id: 5\nremote: 192.0.2.2\n" in eoip(bed, "show e2"),
          "show e2 lacks its tunnel-id and remote")
    bed.tunnel("a", "ext", external=True)
    check("ext" not in eoip(bed, "list"), "an external device is listed")


def test_stats(bed):
    """The kernel's counters, and why frames were dropped."""
    bed.pair()
    bed.ping()
    shown = json.loads(eoip(bed, "stats e1 --json"))["statistics"]
    check(shown["rx_packets"] >= 6 and shown["tx_bytes"] > 0,
          f"statistics are {shown}")
    check_equal("drops", shown["rx_drop_ip_options"], 0)
    bed.ip("a", "route add blackhole 192.0.2.99")
    eoip(bed, "change name e1 remote 192.0.2.99")
    bed.call("a", *"ping -q -c 1 -W 1".split(), INNER["b"])
    text = eoip(bed, "stats --prometheus")
    for line in ('eoip_up{interface="e1",bridge=""} 1',
                 'kind="kernel",remote="192.0.2.99"',
                 'eoip_tx_drop_no_route_total{interface="e1",bridge=""} '):
        check(line in text, f"no {line} in {text}")
    text = eoip(bed, "stats")
    check("tx_drop_no_route: " in text and "(the underlay has no route to "
          "the remote address)" in text, f"stats says {text}")


def test_states(bed):
    """One word for what is known of a link."""
    def until_state(word, link, heard):
        def said():
            shown = json.loads(eoip(bed, "show e1 --json"))
            return (shown["state"], shown["link_state"],
                    "heard_ago_s" in shown)

        until(lambda: said() == (word, link, heard),
              f"e1 is not {word}, {link}, but {said()}", 20)

    def speak():
        with bed.wire("b") as wire:
            wire.send(MAC["a"] + MAC["b"] + b"\x08\0"
                      + packet(KEEPALIVE_OF_TUNNEL_100))

    eoip(bed, "add tid 100 name e1 remote 192.0.2.2 keepalive 2,2")
    until_state("off", "off", False)
    bed.ip("a", "link set e1 up")
    until_state("waiting", "up", False)
    speak()
    until_state("up", "up", True)
    until_state("silent", "down", True)
    speak()
    until_state("up", "up", True)
    eoip(bed, "change name e1 keepalive none")
    until_state("unwatched", "up", False)


def test_monitor(bed):
    """A line for each thing that happens, as it happens."""
    with subprocess.Popen(
            ["ip", "netns", "exec", bed.netns("a"), *environment(),
             "monitor"], stdout=subprocess.PIPE) as monitor:
        try:
            # As bytes: Python's text does not know "nothing yet".
            os.set_blocking(monitor.stdout.fileno(), False)
            said = bytearray()

            def heard(*pieces):
                said.extend(monitor.stdout.read() or b"")
                return any(all(piece in line for piece in pieces)
                           for line in said.decode().splitlines())

            def watches():
                eoip(bed, "add tid 9 name e9 remote 192.0.2.2")
                eoip(bed, "del e9")
                return heard("e9")

            until(watches, "it does not begin", 30)
            eoip(bed, "add tid 1 name e1 remote 192.0.2.2")
            until(lambda: heard("added e1", "tunnel-id 1", "remote 192.0.2.2"),
                  "it does not say that e1 came", 30)
            bed.ip("a", "link set e1 up")
            until(lambda: heard("changed e1", "state off -> waiting"),
                  "it does not say that e1 is up", 30)
            eoip(bed, "change name e1 ttl 3")
            until(lambda: heard("changed e1", "ttl 64 -> 3"),
                  "it does not say that the ttl changed", 30)
            eoip(bed, "del e1")
            until(lambda: heard("removed e1"),
                  "it does not say that e1 went", 30)
        finally:
            monitor.terminate()


def test_dry_run(bed):
    """It says what it would do, and does nothing."""
    eoip(bed, "add tid 1 name e1 remote 192.0.2.2")
    before = bed.exec("a", "ip", "-d", "-j", "link", "show")
    for line, says in (
            ("add tid 2 name e2 remote 192.0.2.2", "would add a link"),
            ("change name e1 ttl 3", "would change a link"),
            ("del e1", "would remove a link")):
        check(says in eoip(bed, f"{line} --dry-run"),
              f"{line} --dry-run does not say {says!r}")
    check_equal("links", bed.exec("a", "ip", "-d", "-j", "link", "show"),
                before)
    refuse(bed, "add tid 2 name e1 remote 192.0.2.2 --dry-run", "exists")
    refuse(bed, "change name e9 ttl 3 --dry-run", "there is no tunnel e9")


@contextlib.contextmanager
def no_autoload():
    """The kernel does not load modules by itself for a while."""
    with open(MODPROBE, encoding="ascii") as file:
        before = file.read()
    try:
        with open(MODPROBE, "w", encoding="ascii") as file:
            file.write("/bin/false\n")
        yield
    finally:
        with open(MODPROBE, "w", encoding="ascii") as file:
            file.write(before)


def from_manual(word):
    """The lines of the example in eoip.8 that begins so."""
    with open(f"{TOP}/utilities/eoip.8") as page:
        example = page.read().split(f"\n{word}", 1)[1].split("\n.Ed")[0]
    return word + example + "\n"


def find_ifup():
    return os.environ.get("EOIP_IFUP") or shutil.which("ifup")


@contextlib.contextmanager
def ifupdown(bed, text):
    """Between ifup and ifdown of the interfaces that `text` has."""
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/interfaces", "w") as interfaces:
            interfaces.write(text.replace(" eoip ", f" {program()} "))

        def call_as(verb):
            # One program has both names.
            os.symlink(find_ifup(), f"{folder}/{verb}")
            bed.exec("a", "env", "OVS_RUNDIR=/nonexistent", f"{folder}/{verb}",
                     "-i", f"{folder}/interfaces", "--state-dir", folder, "-a")

        call_as("ifup")
        yield
        call_as("ifdown")


def test_ifupdown(bed):
    """What the manual has for /etc/network/interfaces, up and down."""
    if not find_ifup():
        raise Skip("there is no ifup, of the package ifupdown")
    with ifupdown(bed, from_manual("auto eoip0")):
        check_options(bed, "eoip0", id=1234, remote="192.0.2.2")
        eoip(bed, "add tunnel-id 1234 name eoip0 remote 192.0.2.1", "b")
        bed.ip("b", "link set eoip0 up",
               f"addr add {INNER['b']}/24 dev eoip0")
        bed.ping_both_ways()
    check(bed.call("a", "ip", "link", "show", "eoip0").returncode != 0,
          "ifdown leaves eoip0 behind")


def test_service(bed):
    """What the manual has for systemd: both commands do what they say."""
    unit = from_manual("[Unit]")
    for name, there in ("Start", True), ("Stop", False):
        line = re.search(f"^Exec{name}=/usr/sbin/eoip (.*)$", unit, re.M)[1]
        eoip(bed, line)
        seen = bed.call("a", "ip", "link", "show", "eoip0").returncode == 0
        check_equal(f"eoip0 after Exec{name}", seen, there)


def test_without_the_module(bed):
    """The reader learns what to install, or what else to do."""
    program()
    if not modules.loaded("eoip"):
        raise Skip("eoip is built into this kernel")
    modules.unload("eoip")
    with no_autoload():
        refuse(bed, "add tid 1 name e1 remote 192.0.2.2",
               "openvswitch-eoip-dkms", "bridge BR", "datapath_type=netdev")
        check_equal("list", eoip(bed, "list"), "")


def test_not_root(bed):
    """Without what makes root root for the network; a user of another number
    might not even get at the program."""
    eoip(bed, "add tid 1 name e1 remote 192.0.2.2")
    done = bed.call("a", "setpriv", "--bounding-set=-net_admin",
                    *environment(), "change", "name", "e1", "ttl", "3")
    check(done.returncode == 1 and "only root" in done.stderr,
          f"exit {done.returncode}, {done.stderr.strip()}")
    check_options(bed, "e1", ttl=64)
