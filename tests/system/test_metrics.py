# SPDX-License-Identifier: Apache-2.0
"""Metrics of a switch that runs, and the alerts on them, as Prometheus's own
checker sees them."""

import functools
import os
import re
import shutil
import sys
import tempfile

from sandbox import TOP, Skip, check, check_equal, run, until

sys.path.insert(0, f"{TOP}/tests/vm")
import kernel  # noqa: E402

UP = []
USERSPACE_ONLY = "nothing of it is the datapath's"

BUILD = os.environ.get("EOIP_BUILD", f"{TOP}/build")
EOIP = f"{BUILD}/utilities/eoip/eoip"
UNIT = f"{TOP}/debian/eoip-utils.eoip-metrics"
RULES = f"{TOP}/utilities/eoip-alerts.yml"


@functools.cache
def find_promtool():
    """(its path, why there is none).  Of Debian's package, which is unpacked,
    not installed: it would start a server."""
    installed = os.environ.get("EOIP_PROMTOOL") or shutil.which("promtool")
    if installed:
        return installed, ""
    try:
        root = kernel.unpacked(
            kernel.KERNELS / "prometheus",
            lambda into: kernel.Apt().unpack("prometheus", into,
                                             "./usr/bin/promtool"))
    except kernel.Missing as reason:
        return None, f"no promtool, of the package prometheus: {reason}"
    return f"{root}/usr/bin/promtool", ""


def promtool():
    path, reason = find_promtool()
    if not path:
        raise Skip(reason)
    return path


def quiet(*words, **options):
    """It ends well and complains of nothing."""
    done = run(promtool(), *words, **options)
    check(done.returncode == 0 and not done.stderr,
          f"promtool {' '.join(words)}: exit {done.returncode}: {done.stdout}"
          f"{done.stderr}")
    return done.stdout


def test_alerts(_):
    """Each alert comes when it should, and not before."""
    quiet("check", "rules", RULES)
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{TOP}/tests/system/eoip_alerts_test.yml") as file:
            text = file.read()
        with open(f"{folder}/test.yml", "w") as file:
            file.write(text.replace("RULES", RULES))
        done = run(promtool(), "test", "rules", f"{folder}/test.yml")
        check(done.returncode == 0, f"{done.stdout}{done.stderr}")
    with open(RULES) as file:
        alerts = re.findall("- alert: (.*)", file.read())
    for alert in alerts:
        check(text.count(f"alertname: {alert}") >= 1, f"{alert} is untested")
    return f"{len(alerts)} alerts"


def metrics(sandbox):
    return sandbox.exec("a", EOIP, "stats", "--prometheus") + "\n"


def value(text, metric, interface="e1"):
    found = re.search(f'^{metric}{{interface="{interface}"[^}}]*}} (.*)$',
                      text, re.MULTILINE)
    return found and float(found[1])


def test_metrics(sandbox):
    """They are well-formed, and true."""
    sandbox.add_tunnels(key=1234)
    sandbox.vsctl("a", "set", "interface", "e1",
                  'external_ids:comment="To \\"Lyon\\""')
    sandbox.exec("a", EOIP, "add", "bridge", "br0", "name", "e2", "tunnel-id",
                 "5", "remote", "192.0.2.77")
    sandbox.exec("host-a", *"ping -q -c 3 -i 0.2 10.0.0.2".split())
    until(lambda: (value(metrics(sandbox), "eoip_rx_packets_total") or 0) >= 3,
          "the ping is not in the metrics", 30)
    until(lambda: value(metrics(sandbox),
                        "eoip_last_heard_timestamp_seconds") is not None,
          "nothing of when e1 was heard", 30)
    text = metrics(sandbox)
    check_equal("up", value(text, "eoip_up"), 1)
    check('comment="To \\"Lyon\\""' in text and 'key="1234"' in text
          and 'remote="192.0.2.2"' in text, f"no such labels in {text}")
    check(value(text, "eoip_last_heard_timestamp_seconds") > 1.7e9,
          "nothing of when e1 was heard")
    check(value(text, "eoip_last_heard_timestamp_seconds", "e2") is None,
          "e2 has never been heard")
    names = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    check("eoip_rx_drop_not_eoip_total" in names and len(names) > 20,
          f"only {names}")
    check_equal("eoip_state", value(text, "eoip_state"), 1)
    quiet("check", "metrics", stdin=text)
    return f"{len(names)} metrics"


def test_service(sandbox):
    """What the unit runs leaves a file that is whole: if something fails, the
    one of the last time."""
    sandbox.add_tunnels(key=1234)
    with open(f"{UNIT}.service") as file:
        line = re.search("^ExecStart=/bin/sh -c '(.*)'$", file.read(), re.M)[1]
    check("/usr/sbin/eoip stats" in line, f"the unit runs {line}")
    with tempfile.TemporaryDirectory() as folder:
        line = line.replace("/usr/sbin/eoip", EOIP).replace("${FOLDER}",
                                                            folder)
        sandbox.exec("a", "sh", "-c", line)
        check_equal("files", os.listdir(folder), ["eoip.prom"])
        path = f"{folder}/eoip.prom"
        check_equal("mode", os.stat(path).st_mode & 0o777, 0o644)
        with open(path) as file:
            before = file.read()
        check("eoip_up" in before, f"eoip.prom has {before}")
        done = sandbox.try_exec("a", "sh", "-c", line.replace(
            " stats", " --db=tcp:127.0.0.1:1 stats"))
        check(done.returncode != 0 and "cannot talk" in done.stderr,
              f"exit {done.returncode}: {done.stderr}")
        with open(path) as file:
            check_equal("eoip.prom", file.read(), before)
