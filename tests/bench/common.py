# SPDX-License-Identifier: Apache-2.0
"""What the benchmark scripts share: where things are built, statistics over
interleaved rounds, facts about the machine, and the form of the results.

A result is a dictionary: bench, what, variant, unit, samples (one a round,
in the order of the rounds).  Everything that is printed or drawn is computed
from those.
"""

import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
BUILD = pathlib.Path(os.environ.get("EOIP_BUILD", TOP / "build")).resolve()
OVS = pathlib.Path(os.environ.get("OVS_BUILD", BUILD / "ovs")).resolve()
DPDK_BUILD = pathlib.Path(
    os.environ.get("EOIP_BUILD_DPDK", f"{BUILD}-dpdk")).resolve()

SKIP = 77                       # Exit status: cannot run here.


def skip(why):
    print(f"skipped: {why}", file=sys.stderr)
    sys.exit(SKIP)


def build_programs():
    """Builds the programs; returns the folder they are in."""
    subprocess.run(
        ["make", "--silent", "-C", HERE, f"EOIP_BUILD={BUILD}",
         f"OVS_BUILD={OVS}"], check=True)
    return BUILD / "bench"


def interleave(variants, rounds):
    """Yields (round, variant), the order swapped every other round, so that a
    drift of the clock or of the machine's load hits all variants alike."""
    for number in range(rounds):
        order = variants if number % 2 == 0 else reversed(variants)
        for variant in order:
            yield number, variant


def result(bench, what, variant, unit, samples):
    return {"bench": bench, "what": what, "variant": variant, "unit": unit,
            "samples": samples}


def quartiles(samples):
    if len(samples) < 2:
        return samples[0], samples[0]
    low, _, high = statistics.quantiles(samples, n=4, method="inclusive")
    return low, high


def find(results, bench, what, variant):
    for row in results:
        if (row["bench"], row["what"], row["variant"]) == (bench, what,
                                                           variant):
            return row
    return None


def ratio(row, other):
    """Median of the ratios of each round, with its quartiles: what both have
    in common in one round cancels out."""
    ratios = [a / b for a, b in zip(row["samples"], other["samples"])]
    return (statistics.median(ratios), *quartiles(ratios))


# Which ratios are worth a line.  gre2 is the A/A control: two ports of one
# type, whose distance from 1 is the error of the measurement.
RATIOS = [("eoip", "gre"), ("eoip", "vxlan"), ("eoip", "geneve"),
          ("gre2", "gre"),
          ("eoip many", "eoip 1 port"), ("gre many", "gre 1 port"),
          ("eoip 1 port", "gre 1 port"), ("eoip many", "gre many"),
          ("eoip flow", "gre flow"),
          ("eoip", "gredf"), ("65536 ids", "1 id"),
          ("1500 in fragments", "1458 whole"), ("1458 whole", "kernel"),
          ("ours", "kernel's"), ("kernel's 2", "kernel's")]


# For these more is better; for all others less.
MORE = {"Mbit/s", "kpackets/s"}


def print_table(results):
    groups = {}
    for row in results:
        groups.setdefault((row["bench"], row["what"]), []).append(row)
    for (bench, what), rows in groups.items():
        unit = rows[0]["unit"]
        count = len(rows[0]["samples"])
        print(f"\n{bench}: {what}, {unit}"
              + (f" ({count} rounds)" if count > 1 else ""))
        if count > 1:
            print(f"  {'':26}{'median':>11}{'quartiles':>23}{'min':>11}"
                  f"{'max':>11}")
        for row in rows:
            samples = row["samples"]
            middle = statistics.median(samples)
            text = f"  {row['variant']:26}{middle:11,.1f}"
            if count > 1:
                low, high = quartiles(samples)
                text += (f"{f'{low:,.1f} .. {high:,.1f}':>23}"
                         f"{min(samples):11,.1f}{max(samples):11,.1f}")
            print(text)
        for one, other in RATIOS:
            a, b = (find(rows, bench, what, name) for name in (one, other))
            if a and b:
                middle, low, high = ratio(a, b)
                text = f"  {one + ' / ' + other:26}{middle:11.3f}"
                if count > 1:
                    # What disturbs a measurement only ever makes it worse,
                    # so the best ones say something too.
                    best = max if unit in MORE else min
                    of_best = best(a["samples"]) / best(b["samples"])
                    text += f"{f'{low:.3f} .. {high:.3f}':>23}"
                    text += " " * (11 if best is max else 0)
                    text += f"{of_best:11.3f}"
                print(text)
    sys.stdout.flush()


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True,
                              timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.splitlines()
    return lines[0] if lines else None


def facts():
    """What a reader needs to know to judge or repeat the figures."""
    model = None
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as info:
        for line in info:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return {
        "date": time.strftime("%Y-%m-%d %H:%M:%S%z"),
        "cpu": model or platform.machine(),
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "load": round(os.getloadavg()[0], 2),
        "ovs": first_line(OVS / "vswitchd/ovs-vswitchd", "--version"),
        "compiler": first_line("cc", "--version"),
        "dpdk": first_line("pkg-config", "--modversion", "libdpdk"),
        "valgrind": first_line("valgrind", "--version"),
        "iperf3": first_line("iperf3", "--version"),
        "commit": first_line("git", "-C", TOP, "describe", "--always",
                             "--dirty"),
    }


def write(path, results, **more):
    """Writes results and facts as JSON, if there is a path."""
    if not path:
        return
    text = json.dumps({"facts": facts(), **more, "results": results},
                      indent=1)
    pathlib.Path(path).write_text(text + "\n", encoding="ascii")
