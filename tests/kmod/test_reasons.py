# SPDX-License-Identifier: Apache-2.0
"""Drops have a reason where the kernel's own tools look for one (dropwatch,
`perf trace -e skb:kfree_skb`)."""

import os

import eoip as numbers
from packets import ARP_IN_TUNNEL_100, ARP_REQUEST, eoip
from peer import Injector, packet
from sandbox import Skip, check, run

TRACING = "/sys/kernel/tracing"
EVENT = "events/skb/kfree_skb/enable"


class Trace:
    """What kfree_skb says while the block runs."""

    def __init__(self):
        self.folder = f"{TRACING}/instances/eoip-test"

    def __enter__(self):
        if not os.path.isdir(f"{TRACING}/instances"):
            # In the guest nobody has mounted it; elsewhere it may be missing.
            run("mount", "-t", "tracefs", "tracefs", TRACING)
        if not os.path.isdir(f"{TRACING}/events/skb/kfree_skb"):
            raise Skip("this kernel does not trace drops")
        os.makedirs(self.folder, exist_ok=True)
        self.write(EVENT, "1")
        return self

    def write(self, name, text):
        with open(f"{self.folder}/{name}", "w") as file:
            file.write(text)

    def reasons(self):
        """Of IPv4 and inner frames alike, since the last call."""
        with open(f"{self.folder}/trace") as file:
            found = {line.split("reason: ")[1].split()[0] for line in file
                     if "reason: " in line}
        self.write("trace", "")
        return found

    def __exit__(self, *_):
        self.write(EVENT, "0")
        os.rmdir(self.folder)


def test_received(bed):
    bed.tunnel("a")
    kinds = {"IP_INHDR": packet(ARP_IN_TUNNEL_100, options=b"\x01" * 4),
             "PKT_TOO_SMALL": packet(eoip(ARP_REQUEST, length=1000))}
    with Injector(bed) as injector, Trace() as trace:
        for reason, data in kinds.items():
            trace.reasons()
            injector.delivered([data])
            seen = trace.reasons()
            check(reason in seen, f"instead of {reason} there is {seen}")
        bed.rtnl("a").down("e1")
        trace.reasons()
        injector.send(packet(ARP_IN_TUNNEL_100))
        seen = trace.reasons()
        check("DEV_READY" in seen, f"instead of DEV_READY there is {seen}")


def test_sent(bed):
    bed.tunnel("a", df=numbers.DF_SET, mtu=1500)
    with Trace() as trace, bed.wire("a", "e1") as sender:
        sender.send(ARP_REQUEST + bytes(1450))
        seen = trace.reasons()
        check("PKT_TOO_BIG" in seen, f"instead of PKT_TOO_BIG there is {seen}")
        bed.ip("a", "route del 192.0.2.0/24 dev u")
        trace.reasons()
        sender.send(ARP_REQUEST)
        seen = trace.reasons()
        check("IP_OUTNOROUTES" in seen,
              f"instead of IP_OUTNOROUTES there is {seen}")
