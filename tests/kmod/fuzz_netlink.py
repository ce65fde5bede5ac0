# SPDX-License-Identifier: Apache-2.0
"""Sends the messages of fuzz_messages.py.  Two rules are held against the kernel
all the while: a change that is refused changes nothing, and one that is
accepted changes what it names and nothing else."""

import collections
import errno
import os

from fuzz_messages import (ATTRIBUTES, F_CREATE, F_DUMP, F_EXCL, F_REPLACE,
                           IFLA_IFNAME, IFLA_INFO_DATA, NAMES, NLMSG_DONE,
                           NLMSG_ERROR, RTM_DELLINK, RTM_GETLINK, RTM_NEWLINK,
                           RTM_SETLINK, Netlink, attribute, good_data,
                           good_value, link, link_options, linkinfo, spoil)


def ttl_after(data, before):
    """Of the two attributes that say it: what both are after a change."""
    ttl, inherit = ATTRIBUTES["TTL"][0], ATTRIBUTES["TTL_INHERIT"][0]
    if ttl not in before or (ttl not in data and inherit not in data):
        return {}
    value = data[ttl][0] or 64 if ttl in data else before[ttl][0]
    if inherit in data:
        value = 0 if data[inherit][0] else value or 64
    return {ttl: bytes([value]), inherit: bytes([not value])}


class Worker:
    """Sends until the time is over; what it saw is in `counts`, and what may
    not be in `faults`."""

    def __init__(self, rng):
        self.rng = rng
        self.netlink = Netlink()
        self.counts = collections.Counter()
        self.faults = []

    def note(self, what, code):
        self.counts[f"{what} {errno.errorcode.get(code, code) or 'ok'}"
                    if code else f"{what} ok"] += 1

    def create(self):
        rng = self.rng
        odd = rng.random() < 0.5
        data = good_data(rng)
        if odd:
            data = spoil(rng, data)
        body = attribute(IFLA_IFNAME, rng.choice(NAMES).encode() + b"\0")
        body += link_options(rng) if odd else b""
        body += linkinfo(rng, data, odd)
        code, _ = self.netlink.request(
            RTM_NEWLINK, F_CREATE | rng.choice((0, F_EXCL, F_EXCL, F_EXCL,
                                                F_REPLACE)),
            link(body, flags=rng.choice((0, 1)), change=rng.choice((0, 1))))
        self.note("create", code)

    def change(self):
        """Only IFLA_INFO_DATA, so that the two rules can be held."""
        rng = self.rng
        name = rng.choice(NAMES)
        before = self.netlink.get(name)
        if before is None:
            self.counts["change without a device"] += 1
            return
        names = rng.sample(sorted(ATTRIBUTES), rng.choice((0, 1, 1, 2, 3)))
        if ATTRIBUTES["COLLECT_METADATA"][0] in before and rng.random() < 0.7:
            names = ["MSS_RULE"]
        data = [(ATTRIBUTES[key][0], good_value(rng, key, ATTRIBUTES[key][1]))
                for key in names]
        spoilt = rng.random() < 0.5
        if spoilt:
            data = spoil(rng, data)
        body = attribute(IFLA_IFNAME, name.encode() + b"\0")
        code, sentence = self.netlink.request(
            RTM_NEWLINK, 0, link(body + linkinfo(
                rng, data, False,
                len(before.get(ATTRIBUTES["REMOTE"][0], b"")) == 16)))
        after = self.netlink.get(name)
        self.note("change", code)
        if code == errno.ENODEV or after is None:
            return  # Another worker has unloaded the module.
        if code not in (0, errno.ENOMEM) and not sentence:
            self.faults.append(f"refused ({errno.errorcode.get(code, code)}) "
                               f"without a sentence: {shown(data)}")
        expected = dict(before)
        if code == 0:
            expected.update(data)
            expected.update(ttl_after(dict(data), before))
            if spoilt:
                for number, _ in data:
                    expected[number & 0x3fff] = after.get(number & 0x3fff)
        for number, value in before.items():
            if not is_same(number, after.get(number), expected[number]):
                self.faults.append(
                    f"change of {name}, {shown(data)}: answer {code}, "
                    f"{sentence}; before {shown(before.items())}, after "
                    f"{shown(after.items())}")
                break

    def set_link(self):
        """RTM_SETLINK, which takes no IFLA_INFO_DATA of ours for granted."""
        rng = self.rng
        body = attribute(IFLA_IFNAME, rng.choice(NAMES).encode() + b"\0")
        body += link_options(rng)
        if rng.random() < 0.5:
            body += linkinfo(rng, spoil(rng, good_data(rng)), True)
        code, _ = self.netlink.request(
            RTM_SETLINK, 0, link(body, flags=rng.choice((0, 1)), change=1))
        self.note("set", code)

    def delete(self):
        body = attribute(IFLA_IFNAME,
                         self.rng.choice(NAMES).encode() + b"\0")
        if self.rng.random() < 0.3:
            body += linkinfo(self.rng, spoil(self.rng, []), True)
        code, _ = self.netlink.request(RTM_DELLINK, 0, link(body))
        self.note("delete", code)

    def dump(self):
        body = linkinfo(self.rng, [], False) if self.rng.random() < 0.5 \
            else b""
        self.netlink.send(RTM_GETLINK, F_DUMP, link(body))
        while True:
            answers = self.netlink.receive()
            if any(kind in (NLMSG_DONE, NLMSG_ERROR) for kind, _ in answers):
                break
        self.counts["dump"] += 1

    def noise(self):
        """A message as above with some bytes turned, whatever they mean; it
        may not reach devices other than those of this fuzz by name."""
        rng = self.rng
        body = bytearray(linkinfo(rng, spoil(rng, good_data(rng)), True))
        for _ in range(rng.randrange(1, 6)):
            body[rng.randrange(len(body))] = rng.randrange(256)
        name = attribute(IFLA_IFNAME, rng.choice(NAMES).encode() + b"\0")
        code, _ = self.netlink.request(
            RTM_NEWLINK, rng.choice((0, F_CREATE)), link(name + bytes(body)))
        self.note("noise", code)

    def without_memory(self):
        """The n-th allocation of a request fails, for n from 1 on until the
        request needs no more: every way back is gone once."""
        rng = self.rng
        name = "fznomem"
        request = link(attribute(IFLA_IFNAME, name.encode() + b"\0")
                       + linkinfo(rng, good_data(rng), False))
        remove = link(attribute(IFLA_IFNAME, name.encode() + b"\0"))
        # It is still there if a step before this one had no end.
        self.netlink.request(RTM_DELLINK, 0, remove)
        for nth in range(1, 200):
            if not fail_nth(nth):
                return
            try:
                code, _ = self.netlink.request(RTM_NEWLINK, F_CREATE | F_EXCL,
                                               request)
            except OSError as error:
                code = error.errno
            unused = fail_nth(0)
            there = self.netlink.get(name) is not None
            self.note("create without memory", code)
            # One that was made may be gone again by another worker's doing.
            if there and code:
                self.faults.append(f"allocation {nth} failed: answer {code}, "
                                   "but the device is there")
            if there:
                self.netlink.request(RTM_DELLINK, 0, remove)
            if unused:
                return

    def step(self):
        action = self.rng.choices(
            (self.create, self.change, self.set_link, self.delete, self.dump,
             self.noise, self.without_memory),
            (30, 30, 8, 8, 2, 10, 1))[0]
        try:
            action()
        except OSError as error:
            # The other worker lets allocations fail: then this may be netlink's
            # own, of a message or of its answer.
            if error.errno != errno.ENOBUFS:
                raise
            self.counts["no memory for the message"] += 1


def is_same(number, value, expected):
    """An address that is left open is as long as the remote one."""
    if number == ATTRIBUTES["LOCAL"][0] and value and expected:
        return value.strip(b"\0") == expected.strip(b"\0")
    return value == expected


def shown(data):
    return " ".join(f"{number:#x}={value.hex() or '-'}"
                    for number, value in data)


def fail_nth(nth):
    """Arms (nth > 0) or disarms this thread's failing allocation.  False if
    the kernel cannot; disarming says whether it was left unused."""
    try:
        file = os.open("/proc/thread-self/fail-nth", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        left = int(os.pread(file, 16, 0))
        os.pwrite(file, str(nth).encode(), 0)
    finally:
        os.close(file)
    return nth > 0 or left > 0
