# SPDX-License-Identifier: Apache-2.0
"""remote_ip=learn against bytes: site b is a wire, and peers with several
addresses speak on it.

    host-a -- [br0 e1 | br-phy] == underlay == b (this test, no switch)
"""

import random
import re
import time

from sandbox import (DATAPATH, UNDERLAY_DEVICE, check, check_equal,
                     until)
from packets import MAGIC, eoip, ethernet, ipv4

UP = ["--plain-b"]

KEEPALIVE = eoip(b"", 100)
FIRST, SECOND = "192.0.2.2", "192.0.2.77"
# Packets of a flood at least.  Emulated, a packet takes long.
FLOOD = {"netdev": 20_000, "system": 500}[DATAPATH]
# After so many of them the peer speaks.
BURST = {"netdev": 500, "system": 100}[DATAPATH]


class Peers:
    """The wire at b, host-a's, and what is said on them."""

    def __init__(self, sandbox):
        self.switch_mac = sandbox.mac("a", UNDERLAY_DEVICE)
        self.host_mac = sandbox.mac("host-a")
        self.wire = sandbox.wire("b")
        self.host = sandbox.wire("host-a")
        for address in FIRST, SECOND:
            sandbox.set_neighbour("a", address, "02:00:00:00:01:0b")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.sock.close()
        self.host.sock.close()

    def send(self, payload, source):
        self.wire.send(ethernet(ipv4(payload, src=source), self.switch_mac))

    def frame(self, number):
        """For host-a, and different for each number."""
        return (self.host_mac + bytes.fromhex("0200000000ff88b5")
                + number.to_bytes(4, "big") + bytes(46))

    def is_delivered(self, source, number, seconds=2.0):
        frame = self.frame(number)
        self.send(eoip(frame), source)
        return any(seen == frame for seen in self.host.frames(seconds))

    def destination(self, wanted, reason):
        """Where the next packet of tunnel 100 goes that is `wanted`."""
        packet = self.wire.wait_for(
            lambda packet: packet[23] == 47 and packet[34:38] == MAGIC
            and wanted(packet), reason)
        return ".".join(map(str, packet[30:34]))

    def destination_of_keepalive(self):
        return self.destination(lambda packet: packet[38:40] == b"\0\0",
                                "no keepalive is sent")

    def destination_of_frame(self):
        self.host.send(b"\xff" * 6 + self.host_mac + b"\x88\xb5" + bytes(50))
        return self.destination(lambda packet: packet[54:56] == b"\x88\xb5",
                                "no frame is sent")


def add(sandbox, **options):
    sandbox.add_tunnel("a", remote_ip="learn", key=100, **options)


def learning(sandbox):
    return sandbox.shown("a")["tunnels"][0]["learning"]


def wait_for_peer(sandbox, address):
    until(lambda: learning(sandbox).get("peer") == address,
          f"{address} is not learned: {learning(sandbox)}")
    until(lambda: f'learned_peer="{address}"'
          in sandbox.get("a", "e1", "status"), "the status does not say so")


def test_address_changes(sandbox):
    """A site comes up at one address, and later at another; frames and
    keepalives follow it, and a restart of ovs-vswitchd only asks it to speak
    again."""
    add(sandbox, learn_after=3, keepalive="1s,2")
    # No other port has sent anything since ovs-vswitchd began.
    sandbox.restart("a")
    with Peers(sandbox) as peers:
        check("peer" not in learning(sandbox), f"{learning(sandbox)}")
        peers.send(KEEPALIVE, FIRST)
        wait_for_peer(sandbox, FIRST)
        check(peers.is_delivered(FIRST, 1), "its frame is not delivered")
        check_equal("keepalives go to", peers.destination_of_keepalive(), FIRST)
        until(lambda: peers.destination_of_frame() == FIRST,
              f"frames do not go to {FIRST}")
        check(not peers.is_delivered(SECOND, 2, 0.5),
              "a frame of another address is delivered")
        # The site is at another address now, and sends its first frame again
        # and again, as one does that waits for an answer.
        peers.send(KEEPALIVE, FIRST)
        begun = time.monotonic()
        until(lambda: peers.is_delivered(SECOND, 3, 0.3),
              "its frames are not delivered", 20)
        took = time.monotonic() - begun
        figure = f"moved {took:.1f} s after the last keepalive, learn_after=3"
        check(took > 2.5, f"the place was taken after {took:.1f} s")
        check(DATAPATH == "system" or took < 7, f"it took {took:.1f} s")
        wait_for_peer(sandbox, SECOND)
        until(lambda: peers.destination_of_frame() == SECOND,
              f"frames do not go to {SECOND}")
        check(learning(sandbox)["not_the_peer"] >= 2, f"{learning(sandbox)}")
        check(not peers.is_delivered(FIRST, 4, 0.5),
              "a frame of the old address is delivered")

        if DATAPATH == "system":
            return figure  # The rest is the same there, and takes long.
        sandbox.restart("a")
        peers.switch_mac = sandbox.mac("a", UNDERLAY_DEVICE)
        sandbox.set_neighbour("a", SECOND, "02:00:00:00:01:0b")
        until(lambda: peers.is_delivered(SECOND, 5, 0.3),
              "after a restart its frames are not delivered")
        wait_for_peer(sandbox, SECOND)
    return figure


def memory_kib(sandbox):
    with open(f"/proc/{sandbox.vswitchd_pid('a')}/status") as status:
        return next(int(line.split()[1]) for line in status
                    if line.startswith("VmRSS"))


def test_flood(sandbox):
    """Random sources, with the right key, while the peer lives: it keeps its
    place and gets its frames through, nothing piles up, all are counted."""
    silence = 2 * sandbox.pace()
    add(sandbox, learn_after=silence, keepalive="none")
    dice = random.Random(47)
    with Peers(sandbox) as peers:
        stranger = peers.frame(0)

        def comes_through(number):
            frame = peers.frame(number)
            peers.send(eoip(frame), FIRST)
            for seen in peers.host.frames(0.2):
                check(seen != stranger, "a frame of a stranger is delivered")
                if seen == frame:
                    return True
            return False

        peers.send(KEEPALIVE, FIRST)
        wait_for_peer(sandbox, FIRST)
        check(peers.is_delivered(FIRST, 1), "the peer's frame is lost")
        before = memory_kib(sandbox)
        begun = time.monotonic()
        sent = 0
        while sent < FLOOD or time.monotonic() - begun < 2 * silence:
            for _ in range(BURST):
                peers.send(dice.choice((KEEPALIVE, eoip(stranger))),
                           f"192.0.2.{dice.randrange(3, 255)}")
            sent += BURST
            # Not before the switch has seen the burst, or what fitted of it
            # into its receive buffer: nobody but the peer is to be silent.
            until(lambda: comes_through(sent),
                  "the peer's frames do not come through")
        grown = memory_kib(sandbox) - before
        check_equal("the peer", learning(sandbox)["peer"], FIRST)
        refused = learning(sandbox)["not_the_peer"]
        check(refused > 100, f"of {sent} packets {refused} are counted")
        check(grown < 20_000, f"ovs-vswitchd has grown by {grown} KiB")
    with open(f"/run/{sandbox.name}-sandbox/a/ovs-vswitchd.log",
              errors="replace") as log:
        text = log.read()
    check_equal("the last learned peer in the log",
                re.findall(r"e1: has learned the peer (\S+)", text)[-1],
                FIRST)
    return f"{refused} of {sent} packets counted, {grown} KiB more memory"
