# SPDX-License-Identifier: Apache-2.0
"""Ten thousand devices: made, found by their packets, and gone.  EOIP_DEVICES
sets another number, for a kernel that is slow."""

import os
import random
import time

from bed import MAC, UNDERLAY
from packets import ARP_REQUEST, eoip
from peer import packet
from sandbox import check, check_equal, until

DEVICES = int(os.environ.get("EOIP_DEVICES", "10000"))


def test_many_devices(bed):
    start = time.monotonic()
    for number in range(DEVICES):
        bed.rtnl("a").add(f"m{number}", options={
            "id": number, "remote": UNDERLAY["b"]})
    made = time.monotonic() - start
    check_equal("devices", len(bed.rtnl("a").links()), DEVICES)

    sample = random.sample(range(DEVICES), 20)
    for number in sample:
        bed.rtnl("a").up(f"m{number}")
        with bed.wire("b") as wire, bed.wire("a", f"m{number}") as device:
            wire.send(MAC["a"] + MAC["b"] + b"\x08\0"
                      + packet(eoip(ARP_REQUEST, number)))
            device.wait_for(lambda data: data == ARP_REQUEST,
                            f"m{number} gets nothing")

    for number in sample:
        bed.rtnl("a").delete(f"m{number}")
    check_equal("devices after deletions", len(bed.rtnl("a").links()),
                DEVICES - len(sample))
    start = time.monotonic()
    bed.remove_namespace("a")
    until(lambda: bed.rtnl("b").link("u") is None,
          "the namespace does not end", 100)
    check(made < 200, f"{DEVICES} devices took {made:.1f} s")
    return (f"{DEVICES} devices: made in {made:.1f} s, gone in "
            f"{time.monotonic() - start:.1f} s")
