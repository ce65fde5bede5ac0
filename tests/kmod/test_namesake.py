# SPDX-License-Identifier: Apache-2.0
"""The other module for these tunnels, eoip 2.4 of Debian's backports, and its
command: its command on our module, and ours on its module.

EOIP_NAMESAKE names a folder with its eoip.ko, eoipv6.ko and its command."""

import os

import modules
import test_command
from sandbox import Skip, check, check_equal, run

IPV4 = "local 192.0.2.1 remote 192.0.2.2"
IPV6 = "local fd01::1 remote fd01::2"


def theirs(name):
    folder = os.environ.get("EOIP_NAMESAKE")
    if not folder:
        raise Skip("the packages eoip and eoip-dkms cannot be had")
    return os.path.join(folder, name)


def with_ipv6(bed):
    bed.sysctl("a", "ipv6/conf/u/disable_ipv6", 0)
    bed.ip("a", "addr add fd01::1/64 dev u nodad")


def call(bed, words, status=0):
    done = bed.call("a", theirs("eoip"), *words.split())
    check_equal(f"exit status of its eoip {words} "
                f"({done.stdout.strip()} {done.stderr.strip()})",
                done.returncode, status)
    return done.stdout


def test_its_command_on_our_module(bed):
    """What is asked for is what is made, in its kinds and its byte order."""
    with_ipv6(bed)
    under = bed.link("a", "u").index
    call(bed, f"add tunnel-id 5 name e1 {IPV4}")
    call(bed, f"add tunnel-id 1234 name e2 {IPV4} ttl 33 tos 8 link u "
         "keepalive 10")
    call(bed, f"add tunnel-id 4095 name e3 {IPV6} keepalive 20,3")
    check_equal("its list", call(bed, "list").splitlines(), [
        f"{bed.link('a', name).index}: {name}@{rest}" for name, rest in (
            ("e1", "0: link/eoip 192.0.2.1 remote 192.0.2.2 tunnel-id 5 "
             "ttl 64 tos 0 keepalive none"),
            ("e2", f"{under}: link/eoip 192.0.2.1 remote 192.0.2.2 tunnel-id "
             "1234 ttl 33 tos 8 keepalive 10,10"),
            ("e3", "0: link/eoipv6 fd01::1 remote fd01::2 tunnel-id 4095 "
             "ttl 64 tos 0 keepalive 20,3"))])
    call(bed, "change name e1 tunnel-id 6 local 192.0.2.1 remote 192.0.2.3")
    call(bed, "change name e3 tunnel-id 7 local fd01::1 remote fd01::3")
    test_command.check_options(bed, "e1", id=6, remote="192.0.2.3", ttl=64)
    test_command.check_options(bed, "e3", id=7, remote="fd01::3",
                               interval=20, retries=3)
    check_equal("kinds", [bed.link("a", name).kind for name in ("e1", "e3")],
                ["eoip", "eoipv6"])
    call(bed, f"add tunnel-id 6 name e9 local 192.0.2.1 remote 192.0.2.3",
         status=1)


def test_our_command_on_its_module(bed):
    """The same words make the same tunnels, or are refused by name; nothing is
    said to be done that is not."""
    folder = os.path.dirname(theirs("eoip"))
    with_ipv6(bed)
    modules.unload("vport-eoip")
    modules.unload("eoip")
    try:
        for name in "eoip", "eoipv6":
            done = run("insmod", f"{folder}/{name}.ko")
            check(done.returncode == 0, f"{name}: {done.stderr.strip()}")
        on_its_module(bed)
    finally:
        for name in "eoipv6", "eoip":
            run("rmmod", name)
        modules.load("eoip")


def on_its_module(bed):
    eoip, refuse = test_command.eoip, test_command.refuse
    eoip(bed, f"add tunnel-id 5 name e1 {IPV4}")
    eoip(bed, f"add tunnel-id 1234 name e2 {IPV4} ttl 33 tos 8 link u "
         "keepalive 10,3")
    eoip(bed, f"add tunnel-id 4095 name e3 {IPV6} keepalive 10,0")
    check_equal("a name of the kernel's choice",
                eoip(bed, f"add tunnel-id 12 {IPV4}"), "eoip0\n")
    under = bed.link("a", "u").index
    listed = call(bed, "list")
    for words in ("link/eoip 192.0.2.1 remote 192.0.2.2 tunnel-id 5 ",
                  f"e2@{under}: link/eoip 192.0.2.1 remote 192.0.2.2 tunnel-id "
                  "1234 ttl 33 tos 8 keepalive 10,3",
                  "link/eoipv6 fd01::1 remote fd01::2 tunnel-id 4095 "):
        check(words in listed, f"no {words!r} in {listed}")
    eoip(bed, "change name e1 tunnel-id 50")
    eoip(bed, "change name e2 keepalive 20,5")
    listed = call(bed, "list")
    for words in ("192.0.2.1 remote 192.0.2.2 tunnel-id 50 ",
                  "tunnel-id 1234 ttl 33 tos 8 keepalive 20,5"):
        check(words in listed, f"no {words!r} in {listed}")
    done = test_command.call(bed, "check")
    check(done.returncode == 1 and "of another project" in done.stdout,
          f"eoip check: exit {done.returncode}: {done.stdout}")
    project = "another project's"
    refuse(bed, "add tunnel-id 9 name e9 remote 192.0.2.2", project,
           "give local ADDRESS")
    for words in ("clamp_tcp_mss false", "dont_fragment inherit",
                  "df_default true", "ttl inherit", "tos inherit"):
        refuse(bed, f"add tunnel-id 9 name e9 {IPV4} {words}", project,
               words.split()[0], "openvswitch-eoip-dkms")
        refuse(bed, f"change name e1 {words}", project, words.split()[0])
    refuse(bed, "change name e1 remote fd01::2 local fd01::1",
           "goes on with IPv4 or IPv6")
