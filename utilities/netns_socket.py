#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sockets in network namespaces, from one process outside of them.

A socket stays in the namespace it was made in.  So one process can hold both
ends of a path that crosses several namespaces, and nothing has to be started,
waited for or ended elsewhere.  Used by quickstart and by tests/system.

As a program it sends random bytes over TCP from one namespace to another:

    netns_socket.py FROM-NAMESPACE TO-NAMESPACE TO-ADDRESS BYTES
"""

import contextlib
import ctypes
import hashlib
import os
import socket
import sys
import threading
import time

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def enter(fd):
    if libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "cannot enter a network namespace")


@contextlib.contextmanager
def inside(netns):
    """The calling thread is in namespace `netns` for a while."""
    with open("/proc/thread-self/ns/net") as home, \
            open(f"/run/netns/{netns}") as there:
        enter(there.fileno())
        try:
            yield
        finally:
            enter(home.fileno())


def packet_socket(netns, device, timeout=5.0):
    """An AF_PACKET socket that sees and sends whole Ethernet frames."""
    ETH_P_ALL = 3
    with inside(netns):
        # With a protocol it would see the frames of all devices until it is
        # bound to one.
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        sock.bind((device, ETH_P_ALL))
    sock.settimeout(timeout)
    return sock


def tcp_transfer(from_netns, to_netns, address, size, timeout=30.0):
    """Sends `size` random bytes.  Returns (seconds, SHA-256 of what was sent,
    SHA-256 of what arrived)."""
    data = os.urandom(size)
    received = hashlib.sha256()

    with inside(to_netns):
        listener = socket.create_server((address, 0))
    listener.settimeout(timeout)

    def receive():
        connection, _ = listener.accept()
        connection.settimeout(timeout)
        with connection:
            while chunk := connection.recv(1 << 16):
                received.update(chunk)

    with listener:
        receiver = threading.Thread(target=receive, daemon=True)
        receiver.start()
        with inside(from_netns):
            sender = socket.socket()
        with sender:
            sender.settimeout(timeout)
            start = time.monotonic()
            sender.connect(listener.getsockname())
            sender.sendall(data)
            sender.shutdown(socket.SHUT_WR)
            receiver.join(timeout)
            return (time.monotonic() - start, hashlib.sha256(data).hexdigest(),
                    received.hexdigest())


def main():
    if len(sys.argv) != 5 or not sys.argv[4].isdigit():
        sys.exit(__doc__.strip())
    from_netns, to_netns, address, size = sys.argv[1:]
    try:
        seconds, sent, arrived = tcp_transfer(from_netns, to_netns, address,
                                              int(size))
    except OSError as error:
        sys.exit(f"TCP to {address}: {error}")
    if sent != arrived:
        sys.exit(f"TCP to {address}: sent SHA-256 {sent}, received {arrived}")
    print(f"{int(size) / 1e6:.0f} MB in {seconds:.1f} s, SHA-256 equal at both "
          f"ends: {sent[:16]}...")


if __name__ == "__main__":
    main()
