# SPDX-License-Identifier: Apache-2.0
"""Packets that a program lets through (NFQUEUE, as Suricata and Snort use it)
come to the module from that program's process, and not from a softirq.

Here they are counted.  A kernel with DEBUG_PREEMPT says if one is taken with
softirqs on."""

import modules
import nfqueue
from bed import INNER, MAC
from packets import eoip, ethernet, tcp
from peer import packet
from sandbox import check_equal, until

PACKETS = 300


def test_verdicts(bed):
    """TCP, which GRO would like to put together, through a queue: each packet
    is counted once, and the tunnel is as before."""
    for name in ("nfnetlink_queue", "nft_queue"):
        modules.need(name)
    bed.pair()
    bed.exec("a", "nft", "add table ip q; add chain ip q i { type filter hook "
           "input priority 0; }; add rule ip q i ip protocol gre queue num 0")
    mac = bed.link("a").address
    with nfqueue.Verdicts(bed.netns("a")) as program, bed.wire("b") as wire:
        before = bed.statistics("a")["rx_packets"]
        for number in range(PACKETS):
            wire.send(MAC["a"] + MAC["b"] + b"\x08\0" + packet(eoip(
                ethernet(tcp(bytes(100), number * 100), mac))))
            # The queue holds 1024, the program's socket less.
            until(lambda: program.count + 30 > number, "no verdict comes")
        until(lambda: program.count == PACKETS, "a packet gets no verdict")
        until(lambda: bed.statistics("a")["rx_packets"] - before >= PACKETS,
              "what was let through does not come out")
        check_equal("rx_packets", bed.statistics("a")["rx_packets"] - before,
                    PACKETS)
        check_equal("drops", {name: value for name, value
                              in bed.counters("a").items() if value}, {})
        bed.ping("b", INNER["a"])
        bed.tcp("b", 200_000)
