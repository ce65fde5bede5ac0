# SPDX-License-Identifier: Apache-2.0
"""The documentation is true: what it tells to type is typed.

Site a is the reader's switch, and its port to the hosts is eth1 as in the
pages; site b plays the router.  What a block is and how it is marked says
pages.py."""

import os
import re
import subprocess
import tempfile

import pages
from sandbox import (ADDRESS, TOP, Failure, Skip, check, netns_socket, only,
                     run)

UP = None

BUILD = os.environ.get("EOIP_BUILD", f"{TOP}/build")
os.environ["PATH"] = f"{BUILD}/utilities/eoip:{os.environ['PATH']}"

# Where each page with something to run is run.
RUN_BY = {"README.md": "test_readme", "docs/mikrotik.md": "test_mikrotik",
          "docs/sites.md": "test_sites", "docs/vlans.md": "test_vlans",
          "docs/troubleshooting.md": "test_troubleshooting",
          "docs/kernel.md": "test_kernel_and_ipsec",
          "docs/ipsec.md": "test_kernel_and_ipsec"}


def up(sandbox):
    """The sandbox, with a's host at eth1, which no bridge has yet."""
    sandbox.up()
    sandbox.vsctl("a", "del-port", "host-a")
    for words in "down", "name eth1", "up":
        device = "eth1" if words == "up" else "host-a"
        sandbox.exec("a", *f"ip link set {device} {words}".split())


def test_every_block_is_run_or_marked(_):
    count = 0
    for page in pages.names():
        for block in pages.blocks(page):
            pages.check_marked(block)
            count += 1
            check(block.language != "sh" or block.by or page in RUN_BY,
                  f"{block.where}: no test runs this page")
    for test in RUN_BY.values():
        check(test in globals(), f"there is no {test}")
    return f"{count} blocks"


def test_links_lead_somewhere(_):
    for page in pages.names():
        with open(f"{TOP}/{page}", encoding="utf-8") as file:
            links = re.findall(r"\]\(([^)#:]+)\)", file.read())
        for link in links:
            path = os.path.join(TOP, os.path.dirname(page), link)
            check(os.path.exists(path), f"{page}: there is no {link}")


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
            ("routeros", [], "ls -l\n")):
        check(refused("page", 1, language, words, text),
              f"{language} {words} {text.strip()} passes")
    check(not refused("page", 1, "sh", ["by=.ci/run"], "sudo tests/run\n"),
          "a good block does not pass")


@only("netdev", "README shows it")
def test_readme(sandbox):
    return f"{pages.run_page(sandbox, 'README.md')} lines"


@only("netdev", "kernel.md is the page for the other")
def test_mikrotik(sandbox):
    up(sandbox)
    # As it comes from the system: the address is on the card.
    sandbox.vsctl("a", "del-br", "br0", "--", "del-br", "br-phy")
    for words in ("link set eth0 address 02:00:00:00:01:0a arp on",
                  f"addr add {ADDRESS['a']}/24 dev eth0"):
        sandbox.exec("a", "ip", *words.split())
    sandbox.add_tunnel("b", remote_ip=ADDRESS["a"], key=1234,
                       keepalive="10s,10")
    return f"{pages.run_page(sandbox, 'docs/mikrotik.md')} lines"


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


@only("netdev", "the other examples are in kernel_and_ipsec")
def test_manuals(sandbox):
    sandbox.up()
    count = run_examples(sandbox, of_kernel=False)
    errors = sandbox.vsctl("a", "--columns=error", "--bare", "list",
                           "interface")
    check(not errors.strip(), f"an example is refused: {errors}")
    check("router1" in sandbox.vsctl("a", "list-ports", "br0"),
          "router.rsc was not imported")
    return f"{count} examples"


@only("system", "the module of the kernel is what both pages are of")
def test_kernel_and_ipsec(sandbox):
    for module in "nf_tables", "xfrm_user", "esp4":
        if run("modprobe", module).returncode:
            raise Skip(f"this kernel has no {module}")
    up(sandbox)
    sandbox.vsctl("a", "del-br", "br0")
    sandbox.add_tunnel("b", remote_ip=ADDRESS["a"], key=1234)
    count = run_examples(sandbox, of_kernel=True)
    sandbox.exec("a", "eoip", "del", "eoip0")
    count += pages.run_page(sandbox, "docs/kernel.md")
    count += pages.run_page(sandbox, "docs/ipsec.md")
    check_encrypted(sandbox)
    return f"{count} lines"


def check_encrypted(sandbox):
    """Between the sites is ESP, and nothing of protocol 47: frames and
    keepalives alike."""
    protocols = set()
    sandbox.vsctl("a", "set", "interface", "e1", "options:keepalive=1s")
    with sandbox.wire("b") as wire:
        sandbox.ping()
        for frame in wire.frames(seconds=2):
            if frame[12:14] == b"\x08\0":
                protocols.add(frame[23])
    check(50 in protocols and 47 not in protocols,
          f"between the sites are IP protocols {sorted(protocols)}")
