# SPDX-License-Identifier: Apache-2.0
"""`eoip check` in a sandbox, for test_check.py and test_check_host.py: what it
says is compared whole, and the commands that it prints have to mend it."""

import contextlib
import fcntl
import os
import struct

import netns_socket
from sandbox import TOP, check, check_equal, only, run, until

USERSPACE = only("netdev", "the kernel's datapath needs no bridge below it")

TUNSETIFF, TUNSETOFFLOAD = 0x400454ca, 0x400454d0  # <linux/if_tun.h>
IFF_TUN, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 1, 2, 0x1000, 0x4000
TUN_F_CSUM = 1

NOTHING = "nothing wrong found\n"


def program():
    build = os.environ.get("EOIP_BUILD", f"{TOP}/build")
    return f"{build}/utilities/eoip/eoip"


def called(sandbox, *words, site="a"):
    done = sandbox.try_exec(site, program(), "check", *words)
    check(not done.stderr, f"eoip check: {done.stderr}")
    check_equal(f"exit status of eoip check ({done.stdout.strip()})",
                done.returncode, 0 if done.stdout in (NOTHING, "[]\n") else 1)
    return done.stdout


def silent(sandbox, *words, site="a"):
    check_equal("eoip check", called(sandbox, *words, site=site), NOTHING)


def says(sandbox, text, *words):
    check_equal("eoip check", called(sandbox, *words), text)


def mended(sandbox, text, *words):
    """It says this, and its commands are right."""
    says(sandbox, text, *words)
    for line in text.splitlines():
        if line.startswith("    "):
            sandbox.exec("a", "bash", "-c", line)
    until(lambda: called(sandbox, *words) == NOTHING,
          f"its commands do not mend: {text}")


def tunnels(sandbox):
    sandbox.add_tunnels(key=1234)
    silent(sandbox)


@contextlib.contextmanager
def undone(sandbox, *lines):
    try:
        yield
    finally:
        for line in lines:
            sandbox.try_exec("a", *line.split())


@contextlib.contextmanager
def tun(sandbox, name, flags, offload=0):
    """A device whose other end is a program, as a guest or VPN is."""
    with netns_socket.inside(sandbox.netns("a")):
        with open("/dev/net/tun", "r+b", buffering=0) as file:
            fcntl.ioctl(file, TUNSETIFF, struct.pack(
                "16sH22x", name.encode(), flags | IFF_NO_PI))
            fcntl.ioctl(file, TUNSETOFFLOAD, offload)
            run("ip", "link", "set", name, "up")
            yield
