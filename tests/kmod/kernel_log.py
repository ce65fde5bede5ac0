# SPDX-License-Identifier: Apache-2.0
"""What the kernel complains about while a test runs."""

import os
import re

# A healthy kernel says none of these.
ALARMS = re.compile(
    r"WARNING: |\bBUG: |\bBUG at |Oops|general protection fault|"
    r"Kernel panic|unregister_netdevice: waiting|rcu.* stall|"
    r"suspicious RCU usage|blocked for more than|refcount_t: |UBSAN: |"
    r"KASAN: |KFENCE: |possible .*deadlock|possible .*dependency|"
    r"scheduling while atomic|Dead loop on|sleeping function called|ODEBUG: |"
    r"\bBUG\b.*: |Modules linked in|ref_tracker: |kmemleak: unref|"
    r"list_(add|del) corruption|inconsistent lock state|"
    # What our own part of a guest says of itself.
    r"(init|guest): failed")


def shown(lines, alarms=ALARMS, expected=()):
    """What there is to show of a console: the alarms but for those that match
    one of `expected`, and what surrounds the first.  Empty: it is healthy."""
    found = [number for number, line in enumerate(lines)
             if alarms.search(line)
             and not any(pattern.search(line) for pattern in expected)]
    if not found:
        return []
    return [lines[number] for number in found[:40]] + [
        "the first of these:"] + lines[max(0, found[0] - 2):found[0] + 80]


class KernelLog:
    def __init__(self):
        self.fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.fd, 0, os.SEEK_END)

    def lines(self):
        """What came since the last call."""
        found = []
        while True:
            try:
                record = os.read(self.fd, 1 << 13)
            except BlockingIOError:
                return found
            except BrokenPipeError:  # The ring has overtaken us.
                continue
            found.append(record.decode(errors="replace").split(
                ";", 1)[-1].split("\n", 1)[0])

    def alarms(self):
        return [line for line in self.lines() if ALARMS.search(line)]
