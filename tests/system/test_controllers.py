# SPDX-License-Identifier: Apache-2.0
"""Clients of OVSDB and OpenFlow that others wrote, as docs/controllers.md has
them: its blocks are run as they stand.

    host-a -- [br0 e1 | br-phy] a == underlay == b [br-phy | e1 br0] -- host-b
                the switch                          the controller

Blocks marked `switch` run at a, `controller` and `site` at b; those with a
file's name are that file."""

import contextlib
import os
import re
import subprocess
import tempfile
import threading

from sandbox import ADDRESS, TOP, Skip, check, check_equal, run, until

UP = []
USERSPACE_ONLY = "nothing that a controller says depends on the datapath"

PAGE = f"{TOP}/docs/controllers.md"
PLACES = {"switch": "a", "controller": "b", "site": "b"}


def blocks(heading):
    """[(what the block is marked with, its text)] of one chapter."""
    with open(PAGE) as page:
        chapters = re.split(r"^## (.*)$", page.read(), flags=re.M)
    chapter = chapters[chapters.index(heading) + 1]
    found = re.findall(r"^```(\w+ .*)\n((?s:.*?))^```$", chapter, re.M)
    check_equal(f"block ends in \"{heading}\"", chapter.count("```"),
                2 * len(found))
    return found


def command(sandbox, place, folder, text):
    """The shell's, with Debian's Python and what is installed for it."""
    tools = sandbox.environment(place)["PATH"].split(":")[:3]
    path = ":".join([*tools, "/usr/sbin", "/usr/bin", "/sbin", "/bin"])
    return ["env", f"PATH={path}", "PYTHONDONTWRITEBYTECODE=1", "bash", "-ec",
            f"cd {folder}; {text}"]


@contextlib.contextmanager
def goes_on(words, sandbox, place):
    """A program that the rest of the chapter needs.  Yields its lines."""
    process = subprocess.Popen(
        ["ip", "netns", "exec", sandbox.netns(place), *words],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = []
    thread = threading.Thread(
        target=lambda: lines.extend(iter(process.stdout.readline, "")),
        daemon=True)
    thread.start()
    try:
        yield lines
    finally:
        process.terminate()
        process.wait(10)
        thread.join(10)
        process.stdout.close()


@contextlib.contextmanager
def done(sandbox, *headings):
    """Runs the chapters.  Yields (folder, output of the last block, lines of
    the program that goes on); afterwards a switch has no manager."""
    with tempfile.TemporaryDirectory() as folder, \
            contextlib.ExitStack() as stack:
        stack.callback(sandbox.vsctl, "a", "del-manager", "--", "del-ssl")
        output, lines = "", []
        for mark, text in [block for heading in headings
                           for block in blocks(heading)]:
            kind, name = mark.split(" ", 1)
            if kind == "python":
                with open(f"{folder}/{name}", "w") as script:
                    script.write(text)
                continue
            place = PLACES[name.split(",")[0]]
            words = command(sandbox, place, folder, text)
            if name.endswith(", goes on"):
                words[-1] = words[-1].replace("; ", "; exec ", 1)
                lines = stack.enter_context(goes_on(words, sandbox, place))
            else:
                output = sandbox.exec(place, *words)
        yield folder, output, lines


def needs(module, package):
    if run("/usr/bin/python3", "-c", f"import {module}").returncode != 0:
        raise Skip(f"there is no {package}: run utilities/prepare test")


def works(sandbox):
    """The switch has the tunnel that each chapter makes."""
    check_equal("error of e1", sandbox.error("a"), "")
    sandbox.add_tunnel("b", remote_ip=ADDRESS["a"], key=1234)
    sandbox.ping()


def test_vsctl(sandbox):
    with done(sandbox, "Let controllers in", "ovs-vsctl") as (_, output, _):
        check_equal("error", output, "[]")
        works(sandbox)


def test_vsctl_tls(sandbox):
    """And no certificate, or one for another purpose, is not enough."""
    with done(sandbox, "ovs-vsctl over TLS") as (folder, _, _):
        works(sandbox)
        server = "--db=ssl:192.0.2.1:6640 --timeout=3"
        for who in ("-p controller-privkey.pem -c controller-cert.pem "
                    "-C pki/switchca/cacert.pem",
                    "-p switch-privkey.pem -c switch-cert.pem "
                    "-C pki/switchca/cacert.pem",
                    "-p controller-privkey.pem -c controller-cert.pem "
                    "-C pki/controllerca/cacert.pem"):
            taken = sandbox.try_exec("b", *command(
                sandbox, "b", folder, f"ovs-vsctl {server} {who} show"))
            check_equal(f"exit with {who}", taken.returncode == 0,
                        "controller-privkey" in who and "switchca" in who)
        plain = sandbox.try_exec("b", "ovs-vsctl", "--timeout=3",
                                 "--db=tcp:192.0.2.1:6640", "show")
        check(plain.returncode != 0, "no TLS is enough")


def test_ovsdb_client(sandbox):
    with done(sandbox, "Let controllers in",
              "ovsdb-client") as (_, output, _):
        check("eoip" in output, f"ovsdb-client dump says {output}")
        until(lambda: sandbox.get("a", "e1", "ofport") not in ("[]", "-1"),
              "the switch does not take it")
        works(sandbox)


def test_idl(sandbox):
    """A wrong option comes back as the client's own error."""
    needs("ovs.db.idl", "python3-openvswitch")
    with done(sandbox, "Let controllers in",
              "Python: ovs.db.idl") as (folder, _, _):
        works(sandbox)
        wrong = sandbox.try_exec("b", *command(
            sandbox, "b", folder, "python3 add_tunnel.py tcp:192.0.2.1:6640 "
            "br0 e2 remote_ip=192.0.2.2 key=99999"))
        check_equal("exit of a wrong key", wrong.returncode, 1)
        check("key=99999 is out of range" in wrong.stderr, wrong.stderr)


def test_ovsdbapp(sandbox):
    needs("ovsdbapp", "python3-ovsdbapp")
    with done(sandbox, "Let controllers in",
              "Python: ovsdbapp") as (_, output, _):
        check_equal("error", output, "[]")
        works(sandbox)


@contextlib.contextmanager
def three_sites(sandbox):
    """b is all of them: a tunnel each, and host-b their hosts."""
    numbers = 11, 12, 13
    flows = []
    for number in numbers:
        if number != 11:    # The page has that.
            sandbox.exec("b", "ip", "address", "add",
                         f"192.0.2.{number}/24", "dev", "br-phy")
            sandbox.add_tunnel("b", f"e{number}", remote_ip=ADDRESS["a"],
                               local_ip=f"192.0.2.{number}", key=number)
        sandbox.exec("host-b", "ip", "address", "add",
                     f"10.0.0.{number}/24", "dev", "eth0")
        flows += [f"in_port=e{number},icmp,actions=output:host-b",
                  f"in_port=e{number},arp,actions=output:host-b",
                  f"in_port=host-b,ip,nw_src=10.0.0.{number},"
                  f"actions=output:e{number}",
                  f"in_port=host-b,arp,arp_spa=10.0.0.{number},"
                  f"actions=output:e{number}"]
    sandbox.set_flows("b", *flows)
    try:
        yield numbers
    finally:
        for number in numbers:
            sandbox.exec("b", "ip", "address", "del",
                         f"192.0.2.{number}/24", "dev", "br-phy")
            sandbox.exec("host-b", "ip", "address", "del",
                         f"10.0.0.{number}/24", "dev", "eth0")


def pings(sandbox, numbers):
    """How many have come to b from each of the tunnels."""
    sandbox.appctl("b", "revalidator/wait")
    return [sandbox.flow_packets("b", f"in_port=e{number},icmp")
            for number in numbers]


def test_os_ken(sandbox):
    """One port, three sites; each gets its own traffic and no other, and what
    comes from the wrong one is not let in."""
    needs("os_ken", "python3-os-ken")
    try:
        with done(sandbox, "OpenFlow: many sites behind one port") as (
                _, _, lines), three_sites(sandbox) as numbers:
            until(lambda: "rules sent\n" in lines,
                  f"os-ken sends no rules: {lines}", 45)
            for number in numbers:
                before = pings(sandbox, numbers)
                sandbox.ping("host-a", f"10.0.0.{number}")
                for other, old, new in zip(numbers, before,
                                           pings(sandbox, numbers)):
                    check(new >= old + 10 if other == number else new == old,
                          f"of the pings of site {number} {new - old} come "
                          f"to {other}")
            # Site 12 says that it were 11.
            sandbox.set_flows("b", "in_port=host-b,actions=output:e12",
                              "priority=0,actions=output:host-b")
            old = sandbox.statistics("a", "e1")["rx_packets"]
            ping = sandbox.try_exec("host-b", "ping", "-q", "-c", "3", "-i",
                                    "0.1", "-W", "1", "-I", "10.0.0.11",
                                    ADDRESS["host-a"])
            check(ping.returncode != 0, "a lets in what site 12 sends with "
                  "the address of site 11")
            until(lambda: sandbox.statistics("a", "e1")["rx_packets"]
                  >= old + 3, "nothing of site 12 has come to a")
    finally:
        sandbox.vsctl("a", "del-controller", "br0", "--", "del-fail-mode",
                      "br0", "--", "clear", "bridge", "br0", "protocols")
