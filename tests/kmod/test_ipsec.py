# SPDX-License-Identifier: Apache-2.0
"""An IPsec policy on the underlay is obeyed: what should have been encrypted
and was not does not get in."""

import modules
import test_ipv6
from bed import MAC, OTHER, UNDERLAY
from packets import ARP_IN_TUNNEL_100, ARP_REQUEST, KEEPALIVE_OF_TUNNEL_100
from peer import eoipv6, ipv6, packet
from sandbox import Skip, check, check_equal, until

AUTH = "auth hmac(sha256) 0x" + "11" * 32
CIPHER = "enc cbc(aes) 0x" + "22" * 16


def need_ipsec(bed):
    for name in ("xfrm_user", "esp4"):
        modules.need(name)
    done = bed.call("a", "ip", "xfrm", "state", "add", *state("a", "b"))
    if done.returncode != 0:
        raise Skip(f"no ESP in this kernel: {done.stderr.strip()}")
    bed.call("a", "ip", "xfrm", "state", "flush")


def state(source, target):
    spi = {"a": "0x100", "b": "0x200"}[source]
    return (f"src {UNDERLAY[source]} dst {UNDERLAY[target]} proto esp spi "
            f"{spi} mode transport {AUTH} {CIPHER}").split()


def policy(bed, where, direction):
    source, target = ((where, OTHER[where]) if direction == "out"
                      else (OTHER[where], where))
    bed.exec(where, "ip", "xfrm", "policy", "add", "src",
             f"{UNDERLAY[source]}/32", "dst", f"{UNDERLAY[target]}/32",
             "proto", "47", "dir", direction, "tmpl", "proto", "esp", "mode",
             "transport")


def inject(bed, *payloads):
    with bed.wire("b") as wire:
        for payload in payloads:
            wire.send(MAC["a"] + MAC["b"] + b"\x08\0" + packet(payload))


def test_policy_violated(bed):
    """Frames and keepalives in the clear are dropped by name."""
    need_ipsec(bed)
    bed.tunnel("a")
    policy(bed, "a", "in")
    inject(bed, *[ARP_IN_TUNNEL_100] * 4, KEEPALIVE_OF_TUNNEL_100)
    until(lambda: bed.counters("a")["rx_drop_ipsec_policy"] == 5,
          "rx_drop_ipsec_policy does not become 5")
    check_equal("rx_packets, rx_keepalives",
                (bed.statistics("a")["rx_packets"],
                 bed.counters("a")["rx_keepalives"]), (0, 0))
    bed.exec("a", "ip", "xfrm", "policy", "flush")
    inject(bed, ARP_IN_TUNNEL_100)
    until(lambda: bed.statistics("a")["rx_packets"] == 1,
          "without the policy nothing gets in")


def test_block_policy(bed):
    need_ipsec(bed)
    bed.tunnel("a")
    bed.exec("a", "ip", "xfrm", "policy", "add", "src", UNDERLAY["b"], "dst",
             UNDERLAY["a"], "dir", "in", "action", "block")
    inject(bed, ARP_IN_TUNNEL_100)
    until(lambda: bed.counters("a")["rx_drop_ipsec_policy"] == 1,
          "rx_drop_ipsec_policy does not become 1")


def expect_blocked(bed, count):
    """A frame is sent, and counted as 'count' in all that IPsec blocks."""
    with bed.wire("b") as wire, bed.wire("a", "e1") as sender:
        sender.send(ARP_REQUEST)
        until(lambda: bed.counters("a")["tx_drop_ipsec_blocked"] == count,
              f"tx_drop_ipsec_blocked does not become {count}")
        check_equal("protocols on the wire", {
            frame[23] for frame in wire.frames(seconds=0.3)
            if frame[12:14] == b"\x08\0"}, set())
    check_equal("tx_packets, tx_drop_no_route",
                (bed.statistics("a")["tx_packets"],
                 bed.counters("a")["tx_drop_no_route"]), (0, 0))


def test_blocked(bed):
    """What a policy keeps from being sent, or what there are no keys for yet,
    is counted as that."""
    need_ipsec(bed)
    bed.tunnel("a")
    bed.exec("a", "ip", "xfrm", "policy", "add", "src", "0.0.0.0/0", "dst",
             f"{UNDERLAY['b']}/32", "proto", "47", "dir", "out", "action",
             "block")
    expect_blocked(bed, 1)
    bed.exec("a", "ip", "xfrm", "policy", "flush")
    policy(bed, "a", "out")
    expect_blocked(bed, 2)
    bed.exec("a", "ip", "xfrm", "policy", "flush")
    with bed.wire("b") as wire, bed.wire("a", "e1") as sender:
        sender.send(ARP_REQUEST)
        until(lambda: bed.statistics("a")["tx_packets"] == 1,
              "without the policy nothing gets out")
        check(any(frame[23] == 47 for frame in wire.frames(seconds=0.3)
                  if frame[12:14] == b"\x08\0"), "nothing is on the wire")


def test_encrypted(bed):
    """With keys on both sides the tunnel works, nothing of it is in the clear,
    and the clear is still refused."""
    need_ipsec(bed)
    bed.pair()
    bed.ping_both_ways()
    for where in ("a", "b"):
        for source, target in (("a", "b"), ("b", "a")):
            bed.exec(where, "ip", "xfrm", "state", "add",
                     *state(source, target))
        policy(bed, where, "in")
        policy(bed, where, "out")
    with bed.wire("b") as wire:
        bed.ping_both_ways()
        bed.tcp_both_ways(200_000)
        protocols = {frame[23] for frame in wire.frames(seconds=0.3)
                     if frame[12:14] == b"\x08\0"}
    check_equal("protocols on the wire", protocols, {50})
    # b may have said something in the clear before it had its own policy.
    before = bed.counters("a")["rx_drop_ipsec_policy"]
    inject(bed, ARP_IN_TUNNEL_100)
    until(lambda: bed.counters("a")["rx_drop_ipsec_policy"] == before + 1,
          "rx_drop_ipsec_policy does not move")


def test_encrypted_full_size(bed):
    """Frames of 1500: outer fragments of encrypted packets."""
    need_ipsec(bed)
    bed.pair(mtu=1500)
    for where in ("a", "b"):
        for source, target in (("a", "b"), ("b", "a")):
            bed.exec(where, "ip", "xfrm", "state", "add",
                     *state(source, target))
        policy(bed, where, "in")
        policy(bed, where, "out")
    bed.ping_both_ways(1472)
    bed.tcp_both_ways(200_000)
    check(bed.counters("a")["rx_drop_ipsec_policy"] == 0,
          "packets were refused")


def test_over_ipv6(bed):
    """A policy is obeyed: in the clear nothing gets in, and what is blocked
    does not get out."""
    modules.need("xfrm_user")
    test_ipv6.underlay(bed)
    test_ipv6.tunnel(bed)
    bed.exec("a", "ip", "xfrm", "policy", "add", "src", "fd01::2", "dst",
             "fd01::1", "dir", "in", "action", "block")
    with bed.wire("b") as wire:
        for payload in (eoipv6(ARP_REQUEST), eoipv6(b"")):
            wire.send(MAC["a"] + MAC["b"] + b"\x86\xdd" + ipv6(payload))
    until(lambda: bed.counters("a")["rx_drop_ipsec_policy"] == 2,
          "rx_drop_ipsec_policy does not become 2")
    bed.exec("a", "ip", "xfrm", "policy", "add", "src", "::/0", "dst",
             "fd01::2/128", "proto", "97", "dir", "out", "action", "block")
    with bed.wire("a", "e1") as sender:
        sender.send(ARP_REQUEST)
    until(lambda: bed.counters("a")["tx_drop_ipsec_blocked"] == 1,
          "tx_drop_ipsec_blocked does not become 1")
    bed.exec("a", "ip", "xfrm", "policy", "flush")
    with test_ipv6.injector_of(bed) as injector:
        injector.expect("without the policy", [ipv6(eoipv6(ARP_REQUEST))],
                        [ARP_REQUEST])
