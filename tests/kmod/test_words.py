# SPDX-License-Identifier: Apache-2.0
"""Words and commands of eoip that the older tool does not have, on links of
the kernel."""

import json
import tempfile

from sandbox import check, check_equal
from test_command import (call, check_options, environment, eoip, find_ifup,
                          ifupdown, refuse)


def test_words_of_routeros(bed):
    """And those that a link alone has."""
    bed.exec("a", *environment(), "add", "name=e1", "tunnel-id=5",
             "remote-address=192.0.2.2", "dscp=46", "clamp-tcp-mss=no",
             "mtu=1500", "comment=To Lyon, 2nd")
    check_options(bed, "e1", id=5, tos=184, clamp_mss=0)
    check("\ncomment: To Lyon, 2nd\n" in eoip(bed, "show e1")
          and "\nmtu: 1500\n" in eoip(bed, "show e1"),
          f"show e1 says {eoip(bed, 'show e1')}")
    shown = json.loads(bed.exec("a", "ip", "-j", "link", "show", "e1"))[0]
    check_equal("what ip says", (shown["mtu"], shown["ifalias"]),
                (1500, "To Lyon, 2nd"))
    bed.exec("a", *environment(), "change", "name", "e1", "comment", "Nice",
             "mtu", "1400")
    eoip(bed, "change name e1 ttl 9")
    shown = json.loads(bed.exec("a", "ip", "-j", "link", "show", "e1"))[0]
    check_equal("what ip says", (shown["mtu"], shown["ifalias"]),
                (1400, "Nice"))
    bed.exec("a", *environment(), "change", "name", "e1", "comment", "")
    check("comment" not in eoip(bed, "show e1"), "the comment stays")
    refuse(bed, "add tid 6 name e2 remote 192.0.2.2 mtu 65535 comment x",
           "e2: ", "mtu")


def test_several(bed):
    """All that are named go, or none."""
    for name, key in ("e1", 1), ("e2", 2), ("e3", 3):
        eoip(bed, f"add tid {key} name {name} remote 192.0.2.2")
    refuse(bed, "del e1 e9 e2", "there is no tunnel e9")
    eoip(bed, "remove e1 e3")
    check_equal("left", [one["name"] for one in json.loads(
        eoip(bed, "list --json"))], ["e2"])


def test_keepalive_by_itself(bed):
    """A router that hears nothing takes its side down: so the command makes a
    link that sends, and a bare request of netlink one that does not."""
    eoip(bed, "add tid 1 name e1 remote 192.0.2.2")
    check_options(bed, "e1", interval=10, retries=0)
    eoip(bed, "add tid 2 name e2 remote 192.0.2.2 keepalive none")
    check_options(bed, "e2", interval=0)
    bed.tunnel("a", "e3", id=3, remote="192.0.2.2")
    check_options(bed, "e3", interval=0)
    check("keepalive: 10,0" in
          eoip(bed, "add tid 4 remote 192.0.2.2 --dry-run"),
          "--dry-run is silent on the keepalive")


ROUTER = """/interface eoip
add comment="To Lyon" dscp=46 local-address=192.0.2.2 mtu=1500 name=e1 \\
    remote-address=192.0.2.1 tunnel-id=5
add !keepalive local-address=192.0.2.2 name=e2 remote-address=192.0.2.1 \\
    tunnel-id=6
"""


def test_import_and_export(bed):
    """All links that a router's export asks for, or none; and back."""
    with tempfile.NamedTemporaryFile("w", suffix=".rsc") as file:
        file.write(ROUTER)
        file.flush()
        check("eoip add name e1 " in eoip(bed, f"import {file.name} "
                                          "--dry-run"), "no line for e1")
        check_equal("list", eoip(bed, "list"), "")
        eoip(bed, f"import {file.name}")
        check_options(bed, "e1", id=5, remote="192.0.2.2", local="192.0.2.1",
                      tos=184, interval=10, retries=0)
        check_options(bed, "e2", id=6, interval=0)
        lines = eoip(bed, "export routeros").splitlines()
        check_equal("export", lines, [
            '/interface eoip add comment="To Lyon" dscp=46 mtu=1500 '
            "local-address=192.0.2.2 name=e1 remote-address=192.0.2.1 "
            "tunnel-id=5",
            "/interface eoip add !keepalive local-address=192.0.2.2 name=e2 "
            "remote-address=192.0.2.1 tunnel-id=6"])
        eoip(bed, "change name e1 local any link u")
        check("remote-address=192.0.2.1" in eoip(bed, "export routeros e1"),
              "export does not know our address")
        made = eoip(bed, "export interfaces e1")
        check("pre-up eoip add name e1 tunnel-id 5 remote 192.0.2.2 comment "
              "'To Lyon' link u mtu 1500 tos 184\n" in made, made)
        before = eoip(bed, "export routeros e1")
        eoip(bed, "del e1")
        if find_ifup():
            with ifupdown(bed, made):
                check_equal("what ifup made",
                            eoip(bed, "export routeros e1"), before)
                check("LOWER_UP" in bed.exec("a", "ip", "link", "show", "e1"),
                      "e1 is not up")
            check("e1" not in eoip(bed, "list").split(),
                  "ifdown leaves e1 behind")
        # The second one cannot be made, so the first goes again.
        done = call(bed, "import", file.name)
        check(done.returncode == 1 and "e2: a device of this name exists" in
              done.stderr and done.stderr.endswith("nothing was made\n"),
              f"import says {done.stderr}")
        eoip(bed, "del e2")
        eoip(bed, "add name other tunnel-id 6 local 192.0.2.1 remote "
             "192.0.2.2")
        done = call(bed, "import", file.name)
        check(done.returncode == 1 and "e2: the kernel refuses" in
              done.stderr, f"import says {done.stderr}")
        check_equal("links", [one["name"] for one in json.loads(
            eoip(bed, "list --json"))], ["other"])


def test_link_local(bed):
    """Such a remote is another host on each link."""
    refuse(bed, "add tid 1 name e1 remote fe80::2", "fe80::2", "link IF")
    refuse(bed, "add tid 1 name e1 remote fe80::2 link none", "link IF")
    eoip(bed, "add tid 1 name e1 remote fe80::2 link u")
    check_options(bed, "e1", remote="fe80::2",
                  link=bed.link("a", "u").index)
