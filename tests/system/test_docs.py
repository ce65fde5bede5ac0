# SPDX-License-Identifier: Apache-2.0
"""The documentation is true: what it tells to type is typed.

Site a is the reader's switch, and its port to the hosts is eth1 as in the
pages; site b plays the router.  What a block is and how it is marked says
pages.py."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import ipsec_page
import pages
import strongswan
from sandbox import (ADDRESS, DATAPATH, TOP, UNDERLAY_DEVICE, Failure, Skip,
                     check, check_equal, netns_socket, only, run, until)

UP = None

BUILD = os.environ.get("EOIP_BUILD", f"{TOP}/build")
os.environ["PATH"] = f"{BUILD}/utilities/eoip:{os.environ['PATH']}"

# Where each page with something to run is run.
RUN_BY = {"README.md": "test_readme", "docs/mikrotik.md": "test_mikrotik",
          "docs/userspace.md": "test_userspace",
          "docs/safety.md": "test_safety",
          "docs/sites.md": "test_sites", "docs/vlans.md": "test_vlans",
          "docs/troubleshooting.md": "test_troubleshooting",
          "docs/kernel.md": "test_kernel", "docs/ipsec.md": "test_ipsec"}


def up(sandbox):
    """The sandbox, with a's host at eth1, which no bridge has yet."""
    sandbox.up()
    sandbox.vsctl("a", "del-port", "host-a")
    for words in "down", "name eth1", "up":
        device = "eth1" if words == "up" else "host-a"
        sandbox.exec("a", *f"ip link set {device} {words}".split())


def up_as_installed(sandbox):
    """A machine that was never touched: no bridges, an address on eth0, and
    cards and hosts as they come."""
    up(sandbox)
    sandbox.vsctl("a", "del-br", "br0")
    sandbox.exec("a", *"ip link set eth1 down".split())
    if DATAPATH == "netdev":
        sandbox.vsctl("a", "del-br", "br-phy")
        for line in ("ip link set eth0 address 02:00:00:00:01:0a arp on",
                     f"ip addr add {ADDRESS['a']}/24 dev eth0",
                     "ethtool -K eth0 gro on", "ethtool -K eth1 gro on",
                     # As Debian has it.
                     "sysctl -q net.ipv4.conf.all.rp_filter=0",
                     "sysctl -q net.ipv4.conf.eth0.rp_filter=0",
                     "sysctl -q net.ipv4.conf.default.rp_filter=0"):
            sandbox.exec("a", *line.split())
        sandbox.exec("host-a", *"ethtool -K eth0 tx on".split())


def test_every_block_is_run_or_marked(_):
    count = 0
    for page in pages.names():
        for block in pages.blocks(page):
            pages.check_marked(block)
            count += 1
            if block.language != "sh" or block.by or block.machines:
                continue
            test = globals().get(RUN_BY.get(page))
            check(test, f"{block.where}: no test runs this page")
            only_on = getattr(test, "datapath", block.datapath)
            check(block.datapath in (None, only_on),
                  f"{block.where}: {test.__name__} runs only on {only_on}")
    return f"{count} blocks"


def test_links_lead_somewhere(_):
    for page in pages.names():
        with open(f"{TOP}/{page}", encoding="utf-8") as file:
            links = re.findall(r"\]\(([^):]+)\)", file.read())
        for link in links:
            name, _, place = link.partition("#")
            path = os.path.join(TOP, os.path.dirname(page), name)
            path = path if name else f"{TOP}/{page}"
            check(os.path.exists(path), f"{page}: there is no {link}")
            check(not place or place in places(path),
                  f"{page}: there is no {link}")


def places(path):
    """What may be behind "#" in a link: headings as GitHub names them."""
    with open(path, encoding="utf-8") as file:
        headings = re.findall(r"^#+ (.*)$", file.read(), re.MULTILINE)
    return [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
            for heading in headings]


def test_picture_is_of_the_figures(_):
    """docs/speed.json is chosen of what bench and bench-kernel have written."""
    drawn = run(f"{TOP}/tests/bench/plot", f"{TOP}/docs/speed.json")
    with open(f"{TOP}/docs/speed.svg", encoding="utf-8") as file:
        check(drawn.returncode == 0 and drawn.stdout == file.read(),
              "docs/speed.svg is not what tests/bench/plot draws of "
              f"docs/speed.json {drawn.stderr}")


def refused(page, number, language, words, text):
    block = pages.Block(page, number, language, words)
    block.text = text
    try:
        pages.check_marked(block)
    except Failure:
        return True
    return False


def test_what_is_not_marked_is_found(_):
    for language, words, text in (
            ("", [], "ls\n"), ("bash", ["a"], "ls\n"), ("sh", [], "ls\n"),
            ("sh", ["c"], "ls\n"), ("sh", ["by=.ci/run"], "reboot\n"),
            ("routeros", [], "/interface eoip add remote=1.2.3.4\n"),
            ("routeros", [], "/interface gre add name=gre1\n"),
            ("routeros", [], "ls -l\n"),
            ("sh", ["on=all"], "ls\n"), ("ini", ["on=all"], "ls\n")):
        check(refused("page", 1, language, words, text),
              f"{language} {words} {text.strip()} passes")
    check(not refused("page", 1, "sh", ["by=.ci/run"], "sudo tests/run\n"),
          "a good block does not pass")


def test_readme(sandbox):
    """The sandbox on one datapath, the real host on the other."""
    if DATAPATH == "netdev":
        return f"{pages.run_page(sandbox, 'README.md')} lines"
    up_as_installed(sandbox)
    sandbox.add_tunnel("b", remote_ip=ADDRESS["a"], key=1234)
    count = pages.run_page(sandbox, "README.md")
    sandbox.ping()
    until(lambda: json.loads(sandbox.exec("a", "eoip", "list", "--json"))[0][
        "state"] == "up", "eoip list does not say that it is up")
    return f"{count} lines"


@only("netdev", "the words are the same")
def test_sandbox_says_what_to_type(_):
    """As the user does, who is somewhere else, and is root by sudo."""
    said = run(f"{TOP}/utilities/eoip-sandbox", "up",
               env={**os.environ, "SUDO_USER": "reader"})
    hints = [line.strip() for line in said.stdout.splitlines()
             if line.startswith("  ")]
    check(len(hints) == 3, f"it says: {said.stdout} {said.stderr}")
    for number, hint in enumerate(hints):
        check(hint.startswith("sudo "), f"without rights: {hint}")
        if number != 1:  # That one pings until it is stopped.
            done = run("bash", "-c", f"cd /; {hint.removeprefix('sudo ')}")
            check(done.returncode == 0, f"{hint}: {done.stderr}")


def test_mikrotik(sandbox):
    """On the kernel's datapath as the page has it; on the userspace one br0 is
    made as test_userspace does."""
    up_as_installed(sandbox)
    if DATAPATH == "netdev":
        run_userspace(sandbox)
    sandbox.add_tunnel("b", remote_ip=ADDRESS["a"], key=1234,
                       keepalive="10s,10")
    return f"{pages.run_page(sandbox, 'docs/mikrotik.md')} lines"


def run_userspace(sandbox):
    if sandbox.try_exec("a", "nft", "-c", "table netdev x { chain x { type "
                        "filter hook ingress device eth0 priority 0; }; }"
                        ).returncode:
        raise Skip("this kernel has no nf_tables for devices")
    return pages.run_page(sandbox, "docs/userspace.md")


@only("netdev", "it is what the page is of")
def test_userspace(sandbox):
    """The page, and then that each thing it says is needed is: its tunnel
    carries TCP, and the host hears once."""
    up_as_installed(sandbox)
    count = run_userspace(sandbox)
    # Open vSwitch takes that of a card by itself, but not of a veth.
    mac = sandbox.link("a", "eth0")["address"]
    sandbox.vsctl("a", "set", "bridge", "br-phy", f"other_config:hwaddr={mac}")
    until(lambda: sandbox.link("a", "br-phy")["address"] == mac,
          "br-phy has not the MAC address of eth0")
    sandbox.set_neighbour("b", ADDRESS["a"], mac)
    sandbox.exec("b", *"ip neigh flush dev br-phy".split())
    sandbox.add_tunnels(key=1234, keepalive="1s,9")
    sandbox.ping()
    sandbox.tcp_both_ways()
    said = sandbox.try_exec("a", "eoip", "check").stdout
    check_equal("eoip check", said, "nothing wrong found\n")
    check(not hears_twice(sandbox), "the host hears twice")
    sandbox.exec("a", *"nft delete table netdev eoip".split())
    until(lambda: hears_twice(sandbox), "without the table it hears once, too")
    check_keepalives_count_once(sandbox)
    return f"{count} lines"


def check_keepalives_count_once(sandbox):
    def heard():
        return sandbox.statistics("a")["rx_keepalives"]

    def sent():
        return sandbox.statistics("b")["tx_keepalives"]

    sent_before, heard_before = sent(), heard()
    until(lambda: heard() >= heard_before + 4, "no keepalives come", 30)
    heard_now = heard()
    # One may be on its way at the beginning.
    check(heard_now - heard_before <= sent() - sent_before + 1,
          "keepalives are counted twice")


def hears_twice(sandbox):
    return "DUP!" in sandbox.exec("b", "ping", "-c", "5", "-i", "0.1", "-w",
                                  "10", ADDRESS["a"])


# What systemd is asked for is noted, and done when the test says.
SYSTEMD = """#!/bin/sh
case $0:$1:$2:$3 in
*/systemd-run:--unit=way-back:--on-active=*:sh) echo "$5" > {folder}/timer ;;
*/systemctl:stop:way-back.timer:) mv {folder}/timer {folder}/stopped ;;
*) exit 1 ;;
esac
"""

STRANGER = "192.0.2.3"


def test_safety(sandbox):
    """The page, and then that a stranger gets nothing through, not even in
    fragments, and that the way back is one."""
    up(sandbox)
    sandbox.vsctl("a", "add-port", "br0", "eth1")
    sandbox.add_tunnels(key=1234)
    sandbox.ping()
    path = os.environ["PATH"]
    with tempfile.TemporaryDirectory() as folder:
        for name in "systemd-run", "systemctl":
            with open(f"{folder}/{name}", "w") as file:
                file.write(SYSTEMD.format(folder=folder))
            os.chmod(f"{folder}/{name}", 0o755)
        os.environ["PATH"] = f"{folder}:{path}"
        try:
            count = pages.run_page(sandbox, "docs/safety.md")
        finally:
            os.environ["PATH"] = path
        check_stranger(sandbox)
        if DATAPATH == "netdev":
            check_way_back(sandbox, f"{folder}/stopped")
    return f"{count} lines"


def check_stranger(sandbox):
    """Another source address, which the tunnel itself would take."""
    for site in "a", "b":
        sandbox.vsctl(site, "del-port", "e2")
    sandbox.exec("b", "ip", "address", "add", f"{STRANGER}/24", "dev",
                 UNDERLAY_DEVICE)
    sandbox.vsctl("b", "set", "interface", "e1",
                  f"options:local_ip={STRANGER}")
    sandbox.vsctl("a", "set", "interface", "e1",
                  f"options:remote_ip={STRANGER}")

    def heard():
        return sandbox.statistics("a")["rx_packets"]

    before = heard()
    for size in "56", "1472":
        check(sandbox.try_exec("host-b", "ping", "-c", "2", "-i", "0.1", "-W",
                               "1", "-M", "do", "-s", size, ADDRESS["host-a"]
                               ).returncode == 1, "a stranger gets an answer")
    check_equal("frames of a stranger", heard() - before, 0)
    if DATAPATH == "netdev":
        sandbox.exec("a", *"ovs-ofctl del-flows br-phy ip,nw_proto=47".split())
    else:
        sandbox.exec("a", *"nft delete table inet eoip_peers".split())
    sandbox.ping("host-b", None, "-M", "do", "-s", "1472")


def check_way_back(sandbox, file):
    sandbox.exec("a", *"ip address flush dev br-phy".split())
    sandbox.exec("a", "sh", file)
    sandbox.exec("a", *"ip link set eth0 address 02:00:00:00:01:0a arp on"
                 .split())
    sandbox.exec("b", "ping", "-q", "-c", "1", "-w", "10", ADDRESS["a"])


@only("netdev", "the datapath makes no difference to the page")
def test_sites(sandbox):
    up(sandbox)
    sandbox.vsctl("a", "add-port", "br0", "eth1")
    sandbox.add_tunnel("b", remote_ip=ADDRESS["a"], key=1)
    return f"{pages.run_page(sandbox, 'docs/sites.md')} lines"


@only("netdev", "the datapath makes no difference to the page")
def test_vlans(sandbox):
    up(sandbox)
    sandbox.vsctl("a", "add-port", "br0", "eth1")
    sandbox.add_tunnels(key=1234)
    return f"{pages.run_page(sandbox, 'docs/vlans.md')} lines"


@only("netdev", "the page looks into its tables")
def test_troubleshooting(sandbox):
    up(sandbox)
    sandbox.vsctl("a", "add-port", "br0", "eth1")
    sandbox.add_tunnels(key=1234)
    sandbox.ping()
    # Somebody keeps talking, for those who listen.
    with netns_socket.inside(sandbox.netns("host-a")):
        talk = subprocess.Popen(
            ["ping", "-q", "-i", "0.2", "-w", "100", ADDRESS["host-b"]],
            stdout=subprocess.DEVNULL)
    try:
        return f"{pages.run_page(sandbox, 'docs/troubleshooting.md')} lines"
    finally:
        talk.kill()
        talk.wait()


@only("netdev", "the datapath makes no difference to Ansible")
def test_ansible(sandbox):
    """The play of docs/hosts.md, twice; the second time there is something to
    change, and the third time a value is wrong."""
    if not shutil.which("ansible-playbook"):
        raise Skip("no ansible-playbook, and too large to be installed for it")
    up(sandbox)
    text = next(block.text for block in pages.blocks("docs/hosts.md")
                if block.language == "yaml")
    with tempfile.TemporaryDirectory() as folder:
        def play(key):
            with open(f"{folder}/play.yml", "w") as file:
                file.write(text.replace("1234", key))
            return sandbox.try_exec(
                "a", "ansible-playbook", "-c", "local", "-i", "localhost,",
                "-e", f"ansible_python_interpreter={sys.executable}",
                f"{folder}/play.yml")

        for key in "1234", "77":
            done = play(key)
            check(done.returncode == 0, f"Ansible: {done.stdout} {done.stderr}")
            check_equal("the key", sandbox.get("a", "e1", "options:key"),
                        f'"{key}"')
        check(play("99999").returncode, "a wrong value is a success")


EXAMPLES = [text for manual in (f"{BUILD}/ovsdb-schema/ovs-eoip.5",
                                f"{TOP}/utilities/eoip.8")
            for text in pages.examples(manual)]


# What an example finds in the folder that it is run in.
ROUTER_RSC = """/interface eoip
add local-address=192.0.2.77 name=router1 remote-address=192.0.2.1 tunnel-id=77
"""


def run_examples(sandbox, of_kernel):
    """Those with "ip link" are of links of the kernel."""
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/router.rsc", "w") as file:
            file.write(ROUTER_RSC)
        for text in EXAMPLES:
            if ("ip link" in text) == of_kernel:
                sandbox.exec("a", "bash", "-e", "-c",
                             f"cd {folder}\n{text}")
                count += 1
    check(count, "the manual pages have no examples")
    return count


@only("netdev", "the other examples are in kernel")
def test_manuals(sandbox):
    sandbox.up()
    count = run_examples(sandbox, of_kernel=False)
    errors = sandbox.vsctl("a", "--columns=error", "--bare", "list",
                           "interface")
    check(not errors.strip(), f"an example is refused: {errors}")
    check("router1" in sandbox.vsctl("a", "list-ports", "br0"),
          "router.rsc was not imported")
    return f"{count} examples"


@only("system", "the module of the kernel is what the page is of")
def test_kernel(sandbox):
    if run("modprobe", "nf_tables").returncode:
        raise Skip("this kernel has no nf_tables")
    up(sandbox)
    sandbox.vsctl("a", "del-br", "br0")
    sandbox.add_tunnel("b", remote_ip=ADDRESS["a"], key=1234)
    count = run_examples(sandbox, of_kernel=True)
    sandbox.exec("a", "eoip", "del", "eoip0")
    return f"{count + pages.run_page(sandbox, 'docs/kernel.md')} lines"


@only("system", "the userspace datapath has no IPsec")
def test_ipsec(sandbox):
    strongswan.need()
    up(sandbox)
    return f"{ipsec_page.run(sandbox)} lines"
