# SPDX-License-Identifier: Apache-2.0
"""Keepalives against bytes: site b is a wire, where a RouterOS would be.

    host-a -- [br0 e1 | br-phy] == underlay == b (this test, no switch)
"""

import contextlib
import os
import re
import shutil
import signal
import statistics
import subprocess
import threading
import time

from sandbox import (ADDRESS, DATAPATH, UNDERLAY_DEVICE, Skip, check,
                     check_equal, netns_socket, only, until)
from packets import ARP_IN_TUNNEL_100, MAGIC, eoip, ethernet, ipv4

UP = ["--plain-b"]

HERE = os.path.dirname(os.path.realpath(__file__))
MANY = 1000
# With the kernel's datapath keepalives are heard in another way, and link_state
# and PORT_STATUS must follow there as well; this is tested with both.
SAME = "it is the same with the kernel's, and an emulator is slow"
# Emulated, everything takes longer.
SLACK = {"netdev": 0, "system": 4}[DATAPATH]


def keepalive(key):
    return eoip(b"", key)


def is_keepalive(packet):
    return packet[23] == 47 and packet[34:40] == MAGIC + b"\0\0"


class Peer:
    """The wire at b, and a thread that sends what a peer sends."""

    def __init__(self, sandbox):
        self.switch_mac = sandbox.mac("a", UNDERLAY_DEVICE)
        self.wire = sandbox.wire("b")
        sandbox.set_neighbour("a", ADDRESS["b"], "02:00:00:00:01:0b")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.sock.close()

    def send(self, payload):
        self.wire.send(ethernet(ipv4(payload), self.switch_mac))

    def next_keepalive(self, seconds=5.0):
        """Its arrival time, and the packet without Ethernet and padding."""
        packet = self.wire.wait_for(is_keepalive, "no keepalive on the wire",
                                    seconds=seconds)
        return time.monotonic(), packet[14:42]

    @contextlib.contextmanager
    def sending(self, payloads, interval):
        """Sends all payloads every `interval` seconds meanwhile, evenly, as
        more at once than fit into a receive buffer would be lost."""
        stop = threading.Event()

        def run():
            step = max(1, len(payloads) // 20)
            while True:
                for i in range(0, len(payloads), step):
                    for payload in payloads[i:i + step]:
                        self.send(payload)
                    if stop.wait(interval * step / len(payloads)):
                        return

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(10)


def add(sandbox, value, port="e1", key=100):
    sandbox.add_tunnel("a", port, remote_ip=ADDRESS["b"], key=key,
                       keepalive=value)


def shown(sandbox, port="e1"):
    return next(tunnel["keepalive"] for tunnel
                in sandbox.shown("a")["tunnels"] if tunnel["name"] == port)


def wait_for(sandbox, state, seconds=10.0):
    """Returns when the state has come, to 20 ms."""
    until(lambda: shown(sandbox)["state"] == state,
          f"the keepalive state does not become {state!r}, but is "
          f"{shown(sandbox)}", seconds)
    return time.monotonic()


@only("netdev", SAME)
def test_defaults_send_and_never_go_down(sandbox):
    """RouterOS at its defaults shows the tunnel running, and one that sends
    none does not take ours down."""
    with Peer(sandbox) as peer:
        sandbox.add_tunnel("a", remote_ip=ADDRESS["b"], key=100)
        peer.next_keepalive()
    check_equal("interval", shown(sandbox)["interval"], 10)
    check_equal("retries", shown(sandbox)["retries"], 0)
    check_equal("state", shown(sandbox)["state"], "unwatched")
    until(lambda: sandbox.get("a", "e1", "link_state") == "up",
          "the link is not up")
    until(lambda: "keepalive_state=unwatched"
          in sandbox.get("a", "e1", "status"), "the status column does not say")


@only("netdev", SAME)
def test_none_sends_none(sandbox):
    """keepalive=none, and flow-based ports; what is heard is counted."""
    sandbox.add_tunnel("a", "e1", remote_ip=ADDRESS["b"], key=100,
                       keepalive="none")
    sandbox.add_tunnel("a", "e2", remote_ip="flow", key="flow",
                       keepalive="1s,3")
    sandbox.add_tunnel("a", "e3", remote_ip=ADDRESS["b"], key="flow",
                       keepalive="1s,3")
    with Peer(sandbox) as peer:
        check(not any(map(is_keepalive, peer.wire.frames(3))),
              "a keepalive was sent")
        peer.send(keepalive(100))
    until(lambda: sandbox.statistics("a")["rx_keepalives"] == 1,
          "the keepalive is not counted")
    check_equal("state", shown(sandbox)["state"], "off")
    for port in "e2", "e3":
        check_equal("state", shown(sandbox, port)["state"], "flow-based")
        until(lambda: sandbox.get("a", port, "status").find(
            "keepalive_state=flow-based") > 0, "the status does not say")


@only("netdev", SAME)
def test_interval(sandbox):
    """12 keepalives at 1 s: no drift, and jitter far below the interval."""
    with Peer(sandbox) as peer:
        add(sandbox, "1s")
        peer.next_keepalive()  # At once; the others have their phase.
        times = [peer.next_keepalive()[0] for _ in range(13)]
    # From the first five to the last five, so that one that a busy machine
    # holds back decides nothing.
    late = [seen - number for number, seen in enumerate(times[1:])]
    drift = statistics.median(late[-5:]) - statistics.median(late[:5])
    gaps = [after - before for before, after in zip(times[1:], times[2:])]
    jitter = statistics.median(abs(gap - 1) for gap in gaps)
    check(abs(drift) < 0.07, f"they drift by {drift:.3f} s in 7 s")
    check(jitter < 0.05, f"gaps are {[f'{gap:.3f}' for gap in gaps]}")
    return (f"median deviation {jitter * 1000:.1f} ms, largest "
            f"{max(abs(gap - 1) for gap in gaps) * 1000:.1f} ms of 1 s")


@contextlib.contextmanager
def monitor(sandbox):
    """ovs-ofctl, told of the ports of br0.  Yields the lines that it writes."""
    lines = []
    with netns_socket.inside(sandbox.netns("a")):
        # With a length, or OVS tells it nothing unasked.
        process = subprocess.Popen(
            ["ovs-ofctl", "monitor", "br0", "64"], stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, env=sandbox.environment("a"))
    thread = threading.Thread(target=read_lines, args=(process.stderr, lines),
                              daemon=True)
    thread.start()
    try:
        yield lines
    finally:
        process.terminate()
        process.wait(10)


def read_lines(stream, lines):
    for line in stream:
        lines.append(line.strip())


def wait_for_link(sandbox, lines, state):
    """link_state and PORT_STATUS follow the keepalives."""
    until(lambda: sandbox.get("a", "e1", "link_state") == state,
          f"link_state does not become {state}")

    def told():
        states = re.findall(r"\(e1\):.*?state: +(\S+)", " ".join(lines))
        return any((each == "LINK_DOWN") == (state == "down")
                   for each in states)

    until(told, f"no PORT_STATUS says {state}: {lines}")
    lines.clear()


def test_first_keepalive(sandbox):
    """From waiting, where the link is up, to up."""
    add(sandbox, "30s,3")
    check_equal("state", shown(sandbox)["state"], "waiting")
    with Peer(sandbox) as peer:
        peer.send(keepalive(100))
        wait_for(sandbox, "up", 2 + SLACK)
    check_equal("link_state", sandbox.get("a", "e1", "link_state"), "up")


def noticed(sandbox):
    """From the last keepalive heard to the last change of state, in seconds,
    by the clock of the switch: who looks may be late, and is no part of it."""
    keepalive = shown(sandbox)
    return (keepalive["heard_ago_ms"] - keepalive["state_age_ms"]) / 1000


def test_states_of_the_peer(sandbox):
    """The word for each, in eoip/show and in the database."""
    def wait_for_word(word, seconds=10):
        until(lambda: sandbox.shown("a")["tunnels"][0]["state"] == word,
              f"eoip/show does not say {word}", seconds + SLACK)
        until(lambda: f"state={word}" in sandbox.get("a", "e1", "status")
              .replace('"', ""), f"the status does not say {word}")

    with Peer(sandbox) as peer:
        add(sandbox, "1s,5")
        wait_for_word("waiting")
        peer.send(keepalive(100))
        wait_for_word("up", 2)
        wait_for_word("silent")
        sandbox.vsctl("a", "set", "interface", "e1", "options:keepalive=none")
        wait_for_word("unwatched")
        sandbox.vsctl("a", "set", "interface", "e1", "options:remote_ip=learn")
        wait_for_word("learning")


# RouterOS: keepalive
def test_peer_comes_and_goes(sandbox):
    """Only keepalives: silence takes the link down after interval x retries,
    one of them brings it back at once.  That it is not later than that is
    tested where time is the test's own, in tests/ovs/keepalive.at: a switch
    that had to wait for the processor gives its peer longer."""
    interval = sandbox.pace()
    seconds = 5 * interval + 5
    add(sandbox, f"{interval}s,3")
    check_equal("state", shown(sandbox)["state"], "waiting")
    with Peer(sandbox) as peer, monitor(sandbox) as lines:
        wait_for(sandbox, "down", seconds)
        wait_for_link(sandbox, lines, "down")
        peer.send(keepalive(100))
        wait_for(sandbox, "up")
        woken = noticed(sandbox)
        check(0 <= woken < interval / 2, f"up {woken:.3f} s after the keepalive")
        wait_for_link(sandbox, lines, "up")
        with peer.sending([keepalive(100)], interval):
            time.sleep(4 * interval)
            check_equal("state", shown(sandbox)["state"], "up")
        wait_for(sandbox, "down", seconds)
        silent = noticed(sandbox)
        wait_for_link(sandbox, lines, "down")
    check(silent >= 3 * interval,
          f"who falls silent is down after {silent:.3f} s")
    status = sandbox.get("a", "e1", "status")
    for word in "keepalive_state", "keepalive_since", "keepalive_last_heard":
        check(word in status, f"no {word} in {status}")
    check_equal("link_resets", sandbox.get("a", "e1", "link_resets"), "3")
    return f"down after {silent:.2f} s of silence at {interval}s,3"


def test_frames_are_signs_of_life(sandbox):
    """A peer that sends frames, but no keepalives, is there; when none is due,
    too."""
    add(sandbox, "300s,2")
    with Peer(sandbox) as peer:
        with peer.sending([ARP_IN_TUNNEL_100], 0.3):
            wait_for(sandbox, "up", 3 + SLACK)
        sandbox.vsctl("a", "set", "interface", "e1", "options:keepalive=1s,2")
        wait_for(sandbox, "down")
        with peer.sending([ARP_IN_TUNNEL_100], 0.3):
            wait_for(sandbox, "up", 3)
            time.sleep(3)
            check_equal("state", shown(sandbox)["state"], "up")
        wait_for(sandbox, "down", 4 + SLACK)
    check_equal("rx_keepalives",
                sandbox.statistics("a").get("rx_keepalives", 0), 0)


@only("netdev", SAME)
def test_keepalives_of_others(sandbox):
    """Another id, another sender: no sign of life of this tunnel."""
    add(sandbox, "1s,2")
    with Peer(sandbox) as peer:
        wait_for(sandbox, "down")
        peer.send(keepalive(101))
        peer.wire.send(ethernet(ipv4(keepalive(100), src="192.0.2.77"),
                                peer.switch_mac))
        peer.send(eoip(b"\0" * 5, 100))  # Too short to be a frame.
        time.sleep(1.5)
    check_equal("state", shown(sandbox)["state"], "down")


@only("netdev", SAME)
def test_stopped_process(sandbox):
    """A switch that was stopped for long does not blame the peer."""
    interval = sandbox.pace()
    pid = sandbox.vswitchd_pid("a")
    with Peer(sandbox) as peer, peer.sending([keepalive(100)], interval / 2):
        add(sandbox, f"{interval}s,2")
        wait_for(sandbox, "up")
        os.kill(pid, signal.SIGSTOP)
        time.sleep(5 * interval)
        os.kill(pid, signal.SIGCONT)
        sent = sandbox.statistics("a")["tx_keepalives"]
        until(lambda: sandbox.statistics("a")["tx_keepalives"] >= sent + 3,
              "keepalives do not go on", 5 * interval + 5)
        check_equal("state", shown(sandbox)["state"], "up")
        check_equal("link_resets", sandbox.get("a", "e1", "link_resets"), "0")


@only("netdev", SAME)
def test_restart(sandbox):
    """After a restart of ovs-vswitchd keepalives go on, and the link is not
    down meanwhile."""
    interval = sandbox.pace()
    with Peer(sandbox) as peer, peer.sending([keepalive(100)], interval / 2):
        add(sandbox, f"{interval}s,3")
        wait_for(sandbox, "up")
        sandbox.restart("a")
        with sandbox.wire("b") as wire:
            wire.wait_for(is_keepalive, "no keepalive after the restart",
                          seconds=10 + interval)
        wait_for(sandbox, "up")
        check_equal("link_resets", sandbox.get("a", "e1", "link_resets"), "0")


@only("netdev", SAME)
def test_settings_change(sandbox):
    """From watched and down to unwatched and up, and to nothing sent."""
    add(sandbox, "1s,2")
    wait_for(sandbox, "down")
    sandbox.vsctl("a", "set", "interface", "e1", "options:keepalive=1s,0")
    wait_for(sandbox, "unwatched")
    until(lambda: sandbox.get("a", "e1", "link_state") == "up",
          "the link is not up")
    sandbox.vsctl("a", "set", "interface", "e1", "options:keepalive=none")
    wait_for(sandbox, "off")
    with Peer(sandbox) as peer:
        check(not any(map(is_keepalive, peer.wire.frames(2))),
              "a keepalive was sent")


@contextlib.contextmanager
def controller(sandbox):
    """os-ken, as site a's controller.  Yields the lines that it has said."""
    if not shutil.which("osken-manager"):
        raise Skip("no osken-manager; it is in Debian's python3-os-ken")
    lines = []
    process = subprocess.Popen(
        ["ip", "netns", "exec", sandbox.netns("a"), "osken-manager",
         "--ofp-listen-host", "127.0.0.1", "--ofp-tcp-listen-port", "16653",
         f"{HERE}/port_status_app.py"], stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    thread = threading.Thread(target=read_lines, args=(process.stdout, lines),
                              daemon=True)
    thread.start()
    try:
        sandbox.exec("a", "ip", "link", "set", "lo", "up")
        sandbox.vsctl("a", "set", "bridge", "br0", "protocols=OpenFlow13",
                      "--", "set-controller", "br0", "tcp:127.0.0.1:16653",
                      "--", "set", "controller", "br0",
                      "connection-mode=out-of-band", "max_backoff=1000")
        until(lambda: "connected" in lines, "os-ken does not connect", 45)
        yield lines
    finally:
        sandbox.vsctl("a", "del-controller", "br0", "--", "clear", "bridge",
                      "br0", "protocols")
        process.terminate()
        process.wait(10)


@only("netdev", SAME)
def test_port_status(sandbox):
    """A real OpenFlow controller sees the link go down and come back."""
    add(sandbox, "1s,2")
    with Peer(sandbox) as peer, controller(sandbox) as lines:
        wait_for(sandbox, "down")
        lines.clear()
        peer.send(keepalive(100))
        until(lambda: "e1 up" in lines, f"PORT_STATUS says {lines}")
        until(lambda: "e1 down" in lines, f"PORT_STATUS says {lines}")


@only("netdev", SAME)
def test_many(sandbox):
    """1000 tunnels of one peer: up by its keepalives, down by its silence."""
    keys = range(1, MANY + 1)

    def states():
        return [tunnel["keepalive"] for tunnel in sandbox.shown("a")["tunnels"]]

    def count(state):
        return sum(each["state"] == state for each in states())

    sandbox.vsctl("a", "--no-wait", *(word for key in keys for word in (
        "--", "add-port", "br0", f"e{key}", "--", "set", "interface",
        f"e{key}", "type=eoip", f"options:remote_ip={ADDRESS['b']}",
        f"options:key={key}", "options:keepalive=none")))
    until(lambda: count("off") == MANY, "not all are there", 120)
    interval = max(2, sandbox.pace())
    sandbox.vsctl("a", "--no-wait", *(word for key in keys for word in (
        "--", "set", "interface", f"e{key}",
        f"options:keepalive={interval}s,3")))
    with Peer(sandbox) as peer:
        payloads = [keepalive(key) for key in keys]
        with peer.sending(payloads, interval / 2):
            until(lambda: count("up") == MANY, "not all come up", 120)
            time.sleep(2 * interval)
            check_equal("up", count("up"), MANY)
        until(lambda: count("down") == MANY, f"after a silence of "
              f"{3 * interval} s: {count('down')} are down", 10 * interval)
        # From the last thing heard to the change, as the switch has noted.
        silent = [(each["heard_ago_ms"] - each["state_age_ms"]) / 1000
                  for each in states()]
        with peer.sending(payloads, interval / 2):
            until(lambda: count("up") == MANY, "not all come back",
                  10 * interval)
    words = (f"{MANY} at {interval}s,3: down after {min(silent):.2f} to "
             f"{max(silent):.2f} s of silence")
    check(3 * interval <= min(silent) and max(silent) <= 4 * interval, words)
    return words
