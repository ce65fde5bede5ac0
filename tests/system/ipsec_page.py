# SPDX-License-Identifier: Apache-2.0
"""docs/ipsec.md, with strongSwan at both sites: a's has eoip-ipsecd, or what is
done by hand, and b's does what a router does."""

import pages
from sandbox import ADDRESS, check, until
from strongswan import Charon, Daemon, be_router


def run(sandbox):
    """In the sandbox of test_docs.py.  Returns how many lines were run."""
    sandbox.vsctl("a", "add-port", "br0", "eth1")
    sandbox.add_tunnel("b", remote_ip=ADDRESS["a"], key=1234,
                       keepalive="1s,10")
    ours, router = (Charon(sandbox, site) for site in "ab")
    daemon = Daemon(sandbox, ours)

    def before(block):
        if "ip xfrm policy add" in block.text:
            # By hand: the part before has come to its end.
            sandbox.vsctl("a", "del-port", "br0", "e1")
            until(lambda: not ours.call("get-conns").get("conns"),
                  "the port's connection stays")
        elif block.language == "ini":
            ours.swanctl(block.text)
        elif block.places == ["host-a"]:
            # As a reader does that sees no answer yet.
            until(lambda: sandbox.can_ping("host-a", ADDRESS["host-b"]),
                  "host-a gets no answer", 60)

    try:
        ours.start()
        router.start()
        be_router(router, ADDRESS["b"], ADDRESS["a"], "a-long-random-secret")
        daemon.start()
        count = pages.run_page(sandbox, "docs/ipsec.md", before)
        check_bridge_of_link(sandbox)
        return count
    finally:
        daemon.kill()
        ours.stop(sure=True)
        router.stop(sure=True)


def check_bridge_of_link(sandbox):
    """br1 reaches the other side's host, and all of it is ESP."""
    sandbox.exec("a", "ip", "address", "add", "10.0.0.3/24", "dev", "br1")
    sandbox.exec("a", "ip", "link", "set", "br1", "up")
    until(lambda: sandbox.can_ping("a", ADDRESS["host-b"]),
          "br1 gets no answer", 40)
    with sandbox.wire("a") as wire:
        sandbox.ping("a", ADDRESS["host-b"])
        sandbox.ping("a", ADDRESS["host-b"], "-s", "1472")
        protocols = {frame[23] for outgoing in (False, True)
                     for frame in wire.frames(1, outgoing)
                     if frame[12:14] == b"\x08\0"}
    check(50 in protocols and 47 not in protocols,
          f"between the sites are IP protocols {sorted(protocols)}")
