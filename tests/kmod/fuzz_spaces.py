# SPDX-License-Identifier: Apache-2.0
"""Namespaces that end while packets come in, and namespaces whose root is
nobody outside of them."""

import contextlib
import ctypes
import errno
import json
import os
import socket
import subprocess
import threading

import fuzz_messages
import fuzz_netlink
import fuzz_packets
import netns_socket
import packets

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
FLOOD_MAC = "02:00:00:00:0a:0f"
SECONDS = 110


class Flood:
    """Packets for the namespace at the other end of `device`, as fast as they
    go, for as long as the device is there: EoIP of both kinds, in trains that
    GRO likes, for tunnels that are there, were there or never were."""

    def __init__(self, rng, netns, device):
        self.sent = 0
        mac = bytes.fromhex(FLOOD_MAC.replace(":", ""))
        self.frames = [packets.ethernet(packet, mac)
                       for packet in fuzz_packets.train(rng)]
        self.frames += [packets.ethernet(packet, mac, kind=0x86dd)
                        for _ in range(3)
                        for packet in fuzz_packets.train6(rng)]
        self.sock = netns_socket.packet_socket(netns, device)
        self.end = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        self.thread.join(SECONDS)
        self.sock.close()

    def run(self):
        while not self.end.is_set():
            for frame in self.frames:
                with contextlib.suppress(OSError):  # Gone, or not yet up.
                    self.sock.send(frame)
                    self.sent += 1


class Child:
    """A process in namespaces of its own, where it is root and outside nobody
    of note.  The parent calls start(), does what it likes with `pid`, and then
    finish(), which returns (counts, faults) of the child's work()."""

    def __init__(self, work):
        self.work = work
        self.here, there = socket.socketpair()
        self.here.settimeout(SECONDS)
        self.pid = os.fork()
        if self.pid == 0:
            self.here.close()
            try:
                self.live(there)
            finally:
                os._exit(0)
        there.close()

    def live(self, there):
        if netns_socket.libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
            code = ctypes.get_errno()
            # No memory, as somebody else wants it to be.
            there.sendall(json.dumps(
                [{f"user namespace {errno.errorcode[code]}": 1}, []]).encode())
            return
        for name, text in (("setgroups", "deny"), ("uid_map", "0 0 1"),
                           ("gid_map", "0 0 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
        there.sendall(b".")
        there.recv(1)
        try:
            result = self.work()
        except OSError as error:
            result = ({f"user namespace: {error.strerror}": 1}, [])
        there.sendall(json.dumps(result).encode())

    def start(self):
        """True once the namespaces are there."""
        self.first = self.here.recv(1)
        return self.first == b"."

    def finish(self):
        text = b"" if self.first == b"." else self.first
        with self.here, contextlib.suppress(TimeoutError):
            if not text:
                self.here.sendall(b".")
            while data := self.here.recv(1 << 16):
                text += data
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)
        return json.loads(text) if text else (
            {}, ["the process in a user namespace gave no answer"])


def batch(lines):
    subprocess.run(["ip", "-force", "-batch", "-"], check=False,
                   input="".join(f"{line}\n" for line in lines).encode(),
                   capture_output=True, timeout=SECONDS)


def foreign_root(rng, moved):
    """What root of a user namespace does: everything to devices of its own,
    and to `moved`, a tunnel of the host's that was given to it, whatever it is
    allowed to.  To turn its outer end to elsewhere in the host's network is
    not."""
    batch(["link set lo up", "link add d0 type dummy",
           "address add 198.51.100.1/24 dev d0",
           "address add fd02::1/64 dev d0", "link set d0 up",
           f"link set {moved} up"])
    fuzz_messages.add_device("fz0", ID=5, REMOTE="198.51.100.2")
    fuzz_messages.add_device("fz1", ID=6, REMOTE="fd02::2")
    batch(["link set fz0 up", "link set fz1 up"])
    worker = fuzz_netlink.Worker(rng)
    for _ in range(30):
        rng.choice((worker.create, worker.change, worker.set_link,
                    worker.delete, worker.dump, worker.noise))()
        send(rng, rng.choice(("fz0", "fz1", moved)), worker.counts)
    before = worker.netlink.get(moved)
    if before is not None:
        code = repoint(worker.netlink, moved)
        worker.note("a tunnel of the host's changed", code)
        if code == 0 or worker.netlink.get(moved) not in (before, None):
            worker.faults.append(
                f"root of a user namespace changed {moved} of the host")
    return dict(worker.counts), worker.faults


def repoint(netlink, name):
    """Asks for another remote address.  0 or an errno."""
    data = fuzz_messages.attribute(fuzz_messages.ATTRIBUTES["REMOTE"][0],
                                  socket.inet_aton("192.0.2.77"))
    info = fuzz_messages.attribute(fuzz_messages.IFLA_INFO_KIND, b"eoip\0") \
        + fuzz_messages.attribute(fuzz_messages.IFLA_INFO_DATA, data)
    return netlink.request(
        fuzz_messages.RTM_NEWLINK, 0, fuzz_messages.link(
            fuzz_messages.attribute(fuzz_messages.IFLA_IFNAME,
                                   name.encode() + b"\0")
            + fuzz_messages.attribute(fuzz_messages.IFLA_LINKINFO, info)))[0]


def send(rng, device, counts):
    try:
        with fuzz_packets.packet_socket(device, True) as sock:
            sock.send(b"".join(fuzz_packets.gso_frame(rng)))
            counts["frames sent"] += 1
    except OSError:
        counts["frames not sent"] += 1
