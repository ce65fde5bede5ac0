# SPDX-License-Identifier: Apache-2.0
"""Keepalives: sent each interval; silence takes the carrier, a sign of life
brings it back."""

import time

from bed import MAC
from packets import (ARP_IN_TUNNEL_100, ARP_REQUEST,
                     KEEPALIVE_OF_TUNNEL_100, eoip)
from peer import Injector, packet
from sandbox import check, check_equal, until

INTERVAL, RETRIES = 1, 3


def carrier(bed, where="a"):
    return bed.link(where).carrier


def is_keepalive(frame):
    return frame[34:] == KEEPALIVE_OF_TUNNEL_100


def send(bed, payload, **fields):
    with bed.wire("b") as wire:
        wire.send(MAC["a"] + MAC["b"] + b"\x08\0" + packet(payload, **fields))


def wait_for_carrier(bed, state, seconds):
    until(lambda: carrier(bed) == state,
          f"the carrier is not {'on' if state else 'off'}", seconds)


def test_carrier_follows_silence(bed):
    """On at first; off after the silence that was said, not sooner; on with
    the next keepalive; off again."""
    bed.tunnel("a", interval=INTERVAL, retries=RETRIES)
    check(carrier(bed), "no carrier at the beginning")
    for _ in range(2):
        start = time.monotonic()
        wait_for_carrier(bed, False, INTERVAL * RETRIES + 10)
        silent = time.monotonic() - start
        check(silent > INTERVAL * RETRIES - 0.5,
              f"the carrier went after {silent:.1f} s")
        send(bed, KEEPALIVE_OF_TUNNEL_100)
        wait_for_carrier(bed, True, 5)
    check_equal("rx_keepalives", bed.counters("a")["rx_keepalives"], 2)


def test_frames_are_life(bed):
    """Any valid frame of the tunnel brings the carrier back; what is wrong or
    another's does not."""
    bed.tunnel("a", interval=INTERVAL, retries=1)
    wait_for_carrier(bed, False, 15)
    for payload in (eoip(ARP_REQUEST, 101), eoip(b"", 101),
                    eoip(ARP_REQUEST, length=1000), eoip(ARP_REQUEST[:9])):
        send(bed, payload)
    send(bed, ARP_IN_TUNNEL_100, options=b"\x01" * 4)
    until(lambda: bed.counters("a")["rx_drop_ip_options"] == 1,
          "the packet with options does not arrive")
    check(not carrier(bed), "a bad packet brought the carrier back")
    send(bed, ARP_IN_TUNNEL_100)
    wait_for_carrier(bed, True, 5)


def test_both_sides(bed):
    """Two devices keep each other alive; when one goes down, the other loses
    its carrier, and gets it back."""
    bed.pair(interval=INTERVAL, retries=2)
    bed.ping_both_ways()
    bed.rtnl("b").down("e1")
    wait_for_carrier(bed, False, 20)
    bed.rtnl("b").up("e1")
    wait_for_carrier(bed, True, 10)
    # Both live on without other traffic for longer than the silence allowed.
    deadline = time.monotonic() + 4 * INTERVAL
    until(lambda: time.monotonic() > deadline, "", 10)
    check(carrier(bed) and carrier(bed, "b"), "carrier lost between equals")
    bed.ping_both_ways()


def test_sent_each_interval(bed):
    """Also while the carrier is off; none while the device is down."""
    bed.tunnel("a", interval=INTERVAL, retries=1)
    with bed.wire("b") as wire:
        times = []
        for frame in wire.frames(seconds=6):
            if is_keepalive(frame):
                times.append(time.monotonic())
            if len(times) == 5:
                break
        check_equal("keepalives in 6 s, up to 5", len(times), 5)
        # The second one comes at a time by chance, up to an interval later.
        gaps = [after - before for before, after in zip(times, times[1:])]
        check(gaps[0] < 1.9 and all(0.5 < gap < 1.9 for gap in gaps[1:])
              and 2.5 < times[-1] - times[1] < 4, f"gaps of {gaps} s")
        check(not carrier(bed), "the peer was silent, and the carrier is on")
        until(lambda: bed.counters("a")["tx_keepalives"] >= 5,
              "tx_keepalives is less than what arrived")
        bed.rtnl("a").down("e1")
        list(wire.frames(seconds=0.3))
        check_equal("keepalives of a device that is down",
                    len([frame for frame in wire.frames(seconds=2.5)
                         if is_keepalive(frame)]), 0)


def test_out_of_step(bed):
    """Devices that come up together say so soon, and then spread."""
    interval, ids = 5, range(1, 21)
    first, second = {}, {}
    with bed.wire("b") as wire:
        for number in ids:
            bed.tunnel("a", f"e{number}", up=False, id=number,
                       interval=interval)
        up = time.monotonic()
        for number in ids:
            bed.rtnl("a").up(f"e{number}")
        all_up = time.monotonic() - up
        for frame in wire.frames(seconds=3 * interval):
            if frame[34:40] != KEEPALIVE_OF_TUNNEL_100[:6]:
                continue
            number = int.from_bytes(frame[40:42], "little")
            if number not in first:
                first[number] = time.monotonic() - up
            else:
                second.setdefault(number, time.monotonic() - up)
            if len(second) == len(ids):
                break
    check_equal("devices that sent two", sorted(second), list(ids))
    late = max(first.values()) - all_up
    check(late < 2, f"the first keepalive came {late:.1f} s after `up`")
    gaps = [second[number] - first[number] for number in ids]
    check(max(gaps) < interval + 1, f"up to {max(gaps):.1f} s between two")
    spread = max(second.values()) - min(second.values())
    check(spread > interval / 3 + all_up,
          f"all beat within {spread:.1f} s of {interval}")
    return f"spread over {spread:.1f} s of {interval}"


def test_no_retries(bed):
    """retries=0: sent, and the carrier stays; interval=0: not sent."""
    bed.tunnel("a", interval=INTERVAL, retries=0)
    with bed.wire("b") as wire:
        seen = [frame for frame in wire.frames(seconds=4.5)
                if is_keepalive(frame)]
        check(len(seen) >= 3, f"{len(seen)} keepalives in 4.5 s")
        check(carrier(bed), "the carrier went without retries")
        bed.rtnl("a").change("e1", {"interval": 0, "retries": 1})
        list(wire.frames(seconds=0.3))
        check_equal("keepalives with interval=0",
                    len([frame for frame in wire.frames(seconds=2.5)
                         if is_keepalive(frame)]), 0)
    check(carrier(bed), "the carrier went without interval")


def test_changed(bed):
    """Switched off while the carrier is gone, the carrier is back; switched
    on, it begins with a carrier."""
    bed.tunnel("a", interval=INTERVAL, retries=1)
    wait_for_carrier(bed, False, 15)
    bed.rtnl("a").change("e1", {"interval": 0})
    wait_for_carrier(bed, True, 5)
    bed.rtnl("a").change("e1", {"interval": INTERVAL})
    check(carrier(bed), "no carrier at the beginning")
    wait_for_carrier(bed, False, 15)
    bed.rtnl("a").change("e1", {"retries": 0})
    wait_for_carrier(bed, True, 5)


def test_changed_address(bed):
    """A change of what has nothing to do with keepalives does not make a dead
    peer alive."""
    bed.tunnel("a", interval=INTERVAL, retries=1)
    wait_for_carrier(bed, False, 15)
    bed.rtnl("a").change("e1", {"ttl": 3})
    check(not carrier(bed), "a new ttl brought the carrier back")


def test_swallowed(bed):
    """A point-to-point device keeps its keepalives; a raw socket sees those
    of others."""
    bed.tunnel("a", interval=10, retries=3)
    with bed.raw_socket("a") as raw:
        send(bed, KEEPALIVE_OF_TUNNEL_100)
        send(bed, eoip(b"", 101))
        check_equal("what the raw socket sees", raw.recv(100)[20:].hex(),
                    eoip(b"", 101).hex())


def test_external_passes_on(bed):
    """An external device counts keepalives, and lets who keeps the books see
    them."""
    bed.tunnel("a", external=True)
    with bed.raw_socket("a") as raw:
        send(bed, KEEPALIVE_OF_TUNNEL_100)
        check_equal("what the raw socket sees", raw.recv(100)[20:].hex(),
                    KEEPALIVE_OF_TUNNEL_100.hex())
    check_equal("rx_keepalives", bed.counters("a")["rx_keepalives"], 1)
    check_equal("rx_packets", bed.statistics("a")["rx_packets"], 0)


def test_many_keepalives(bed):
    """A flood of them is counted to the last, also by who sends none."""
    bed.tunnel("a")
    with Injector(bed) as injector:
        for _ in range(10):
            injector.expect("keepalives",
                            [packet(KEEPALIVE_OF_TUNNEL_100)] * 50,
                            rx_keepalives=50)
