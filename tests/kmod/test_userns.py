# SPDX-License-Identifier: Apache-2.0
"""A container is given a device of the host's.

    a: u 192.0.2.1           h: e1, in a user namespace of its own
    (the underlay)           (its root may do there what it likes)

The device is the container's, the tunnel is not: whoever may not change what
a's root sends by changes nothing of it, as with the kernel's own tunnels."""

import ctypes
import json
import os
import struct

import modules
import netns_socket
import rtnl
from bed import MS_BIND, UNDERLAY, system_call
from sandbox import Skip, check, check_equal

CLONE_NEWUSER = 0x10000000
EPERM = 1
TUNNEL = {"id": 100, "remote": UNDERLAY["b"], "local": UNDERLAY["a"]}


class Container:
    """A process in a user namespace and the network namespace `h` of a bed.
    What `work(rtnl)` returns there is result()."""

    def __init__(self, bed, work):
        self.bed = bed
        self.ready, ready = os.pipe()
        go, self.go = os.pipe()
        self.said, said = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os._exit(self.child(work, ready, go, said))
        for end in (ready, go, said):
            os.close(end)

    def child(self, work, ready, go, said):
        """A fork of the tests' process, which never returns to it."""
        if netns_socket.libc.unshare(CLONE_NEWUSER
                                     | netns_socket.CLONE_NEWNET) != 0:
            os.write(ready, str(ctypes.get_errno()).encode())
            return 1
        os.write(ready, b"0")
        os.read(go, 1)
        try:
            with open("/proc/self/ns/net") as here:
                path = f"/proc/self/fd/{here.fileno()}"
                os.write(said, json.dumps(work(rtnl.Rtnl(
                    os.path.relpath(path, "/run/netns")))).encode())
        except BaseException as error:
            os.write(said, json.dumps(repr(error)).encode())
        return 0

    def __enter__(self):
        error = int(os.read(self.ready, 16) or b"1")
        if error:
            raise Skip("no user namespaces: " + os.strerror(error))
        for name, text in (("setgroups", "deny"), ("uid_map", "0 100000 1000"),
                           ("gid_map", "0 100000 1000")):
            with open(f"/proc/{self.pid}/{name}", "w") as file:
                file.write(text)
        path = f"/run/netns/{self.bed.netns('h')}"
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0))
        system_call("mount", f"/proc/{self.pid}/ns/net".encode(),
                    path.encode(), None, MS_BIND, None)
        self.bed.namespaces.append("h")
        self.bed.sockets["h"] = rtnl.Rtnl(self.bed.netns("h"))
        return self

    def result(self):
        os.write(self.go, b"!")
        return json.loads(os.read(self.said, 1 << 16))

    def __exit__(self, *_):
        os.close(self.go)
        os.waitpid(self.pid, 0)
        os.close(self.said)
        os.close(self.ready)


def attempt(call, *arguments, **options):
    """0, or the error number with the kernel's words."""
    try:
        call(*arguments, **options)
        return 0
    except rtnl.NetlinkError as error:
        return [error.errno, error.message]


def in_container(bed, names, work):
    with Container(bed, work) as container:
        for name in names:
            bed.rtnl("a").move(name, bed.netns("h"))
        return container.result()


def test_change_refused(bed):
    """No option of the tunnel; nothing has changed after."""
    changes = [{"remote": "192.0.2.66"}, {"id": 7}, {"local": "0.0.0.0"},
               {"link": bed.link("a", "u").index}, {"ttl": 9}, {"tos": 4},
               {"df": 1}, {"interval": 1}, {"clamp_mss": 0}]
    bed.rtnl("a").add("e1", options=TUNNEL)
    before = bed.options("a")
    said = in_container(bed, ["e1"], lambda here: [
        attempt(here.change, "e1", change) for change in changes])
    for change, answer in zip(changes, said):
        check(answer and answer[0] == EPERM and "CAP_NET_ADMIN" in answer[1],
              f"{change}: {answer}")
    check_equal("options", bed.options("h"), before)


def test_mss_rule_refused(bed):
    """Rules of an external device are options as well."""
    rule = rtnl.info_data({"id": 5, "clamp_mss": 0})
    bed.rtnl("a").add("ext", options={"external": True})
    said = in_container(bed, ["ext"], lambda here: [
        attempt(here.change, "ext", {"mss_rule": rule}),
        attempt(here.change, "ext", {"clamp_mss": 0})])
    check_equal("errors", [answer and answer[0] for answer in said],
                [EPERM, EPERM])


def test_new_in_the_underlay(bed):
    """No tunnel of its own in the underlay that it knows by the device."""
    bed.rtnl("a").add("e1", options=TUNNEL)

    def work(here):
        number = here.link("e1").netnsid
        return attempt(here.add, "e2", options={**TUNNEL, "id": 2},
                       extra=rtnl.attribute(rtnl.IFLA_LINK_NETNSID,
                                            struct.pack("=i", number)))

    said = in_container(bed, ["e1"], work)
    check_equal("errno", said and said[0], EPERM)


def test_allowed(bed):
    """What is the device's own: up, down, address, MTU, and to be rid of it;
    and tunnels within the container."""
    bed.rtnl("a").add("e1", options=TUNNEL)
    said = in_container(bed, ["e1"], lambda here: [
        attempt(here.up, "e1"), attempt(here.set_mtu, "e1", 1300),
        attempt(here.add_address, "e1", "10.0.0.1", 24),
        attempt(here.delete, "e1"),
        attempt(here.add, "e1", options=TUNNEL),
        attempt(here.change, "e1", {"ttl": 9})])
    check_equal("errors", said, [0] * 6)


def test_root_may(bed):
    """Who has the rights in the underlay changes the device where it is."""
    bed.rtnl("a").add("e1", options=TUNNEL)
    with Container(bed, lambda here: here.link("e1").options()) as container:
        bed.rtnl("a").move("e1", bed.netns("h"))
        bed.rtnl("h").change("e1", {"ttl": 9})
        check_equal("ttl", container.result()["ttl"], 9)


def test_like_gretap(bed):
    """The kernel's own tunnels are the model."""
    modules.need("ip_gre")
    bed.ip("a", f"link add e1 type gretap key 100 remote {UNDERLAY['b']} "
           f"local {UNDERLAY['a']}")
    change = {7: bytes([192, 0, 2, 66])}  # IFLA_GRE_REMOTE
    said = in_container(bed, ["e1"], lambda here: attempt(
        here.change, "e1", change, "gretap"))
    check_equal("errno", said and said[0], EPERM)
