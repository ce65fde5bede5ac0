# SPDX-License-Identifier: Apache-2.0
"""The places where the kernel looks up who segments and joins packets of a
protocol: another module may have them before ours, or take them from it."""

import contextlib
import os
import pathlib
import subprocess

import modules
import test_ipv6 as eoipv6
from bed import INNER
from sandbox import Skip, check, run, until
from test_offload import carried, joined
from test_forwarding import cards
from test_traffic import no_drops

MSS = 1400


@contextlib.contextmanager
def taker(protocol):
    """tests/kmod/taker.c, of tests/kmod/build-strange; until the block's end
    or its own."""
    folder = os.environ.get("EOIP_STRANGE_MODULES")
    if not folder:
        raise Skip("EOIP_STRANGE_MODULES is not set")
    done = run("insmod", str(pathlib.Path(folder, "taker/taker.ko")),
               f"protocol={protocol}")
    check(done.returncode == 0, f"loading taker: {done.stderr.strip()}")
    try:
        yield
    finally:
        modules.unload("taker")


def test_taken_before(bed):
    """Another module has protocol 97: ours loads, and EoIPv6 sends and
    receives single segments."""
    modules.unload("vport_eoip")
    modules.unload("eoip")
    with taker(97):
        modules.load("eoip")
        eoipv6.underlay(bed)
        eoipv6.pair(bed)
        crossed = carried(bed, mss=MSS)
        check(crossed < 1.2, f"a packet carries {crossed:.1f} segments")
        cards(bed)
        bed.tcp_both_ways(500_000)
        no_drops(bed)
        for where in ("a", "b"):
            bed.rtnl(where).delete("e1")
        modules.unload("eoip")
    modules.load("eoip")


def test_taken_from_us(bed):
    """Who has taken protocol 47 from us may call our functions: they stay
    until the other has gone."""
    modules.load("eoip")
    bed.pair()
    with taker(47):
        cards(bed)
        check(joined(bed) > 4, "nothing is joined by way of the other module")
        no_drops(bed)
        for where in ("a", "b"):
            bed.rtnl(where).delete("e1")
        modules.unload("vport_eoip")
        with subprocess.Popen(["rmmod", "eoip"],
                              stdin=subprocess.DEVNULL) as rmmod:
            until(lambda: "waits for another module" in run("dmesg").stdout,
                  "the module does not say that it waits")
            check(rmmod.poll() is None, "the module is gone")
            modules.unload("taker")
            check(rmmod.wait(30) == 0, "rmmod eoip fails")
    modules.load("eoip")
    bed.pair()
    bed.ping("a", INNER["b"])
