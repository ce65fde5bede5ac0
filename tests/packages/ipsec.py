# SPDX-License-Identifier: Apache-2.0
"""openvswitch-eoip-ipsec, beside openvswitch-ipsec in one strongSwan.  Called
by run, in its tree, where no datapath has IPsec: what it does for a tunnel is
tested in tests/system/test_strongswan.py."""

import re

from tree import check, until

OURS = "openvswitch-eoip-ipsec"
STOCK = "openvswitch-ipsec"
# What another package has there is its own affair.
FILES = ("find /etc/ipsec.conf /etc/ipsec.secrets /etc/ipsec.d /etc/swanctl "
         "/etc/strongswan.conf /etc/strongswan.d -type f ! -name eoip.conf "
         "-exec sha256sum {} +")


def fetch_and(site, verb, *words):
    """apt, as a user does, in the site's own network: so what it takes from
    the archive is fetched before.  Files are in /root."""
    script = (f"cd /root && apt-get -y --no-install-recommends {verb} "
              + " ".join(words))
    if verb == "install":
        site.exec("bash", "-c", f"{script} --download-only", network=False,
                  timeout=180)
    return site.exec("bash", "-c", script, timeout=180)


def shown(site):
    return site.exec("ovs-appctl", "--timeout=20", "-t", "eoip-ipsecd", "show")


def pid(site, name):
    found = site.try_exec("cat", f"/run/{name}.pid")
    return found.stdout.strip() if found.returncode == 0 else None


def meets_strongswan(site):
    until(lambda: re.match(r"strongSwan \d", shown(site)),
          "eoip-ipsecd does not find strongSwan", 20)
    return shown(site)


def test_ipsec_alone(bed):
    """It waits for strongSwan, which it does not start."""
    a = bed.site("a")
    fetch_and(a, "install", "./openvswitch-eoip-ipsec_*.deb")
    check("strongSwan is not running" in shown(a), shown(a))
    check(pid(a, "charon") is None, "it has started charon")
    a.exec("test", "-e", "/etc/systemd/system/multi-user.target.wants/"
           "eoip-ipsecd.service")
    for path in ("/usr/share/man/man8/eoip-ipsecd.8.gz",
                 "/etc/strongswan.d/eoip.conf"):
        a.exec("test", "-e", path)


def test_ipsec_beside_stock(bed):
    a = bed.site("a")
    fetch_and(a, "install", STOCK)
    print(f"    {meets_strongswan(a)}")
    check(pid(a, "openvswitch/ovs-monitor-ipsec"), "the stock daemon is gone")


def test_ipsec_upgrade(bed):
    """Both ways, and nothing of others is touched."""
    a = bed.site("a")
    files, charon = a.exec("bash", "-c", FILES), pid(a, "charon")
    for age, options in ("old", ["--allow-downgrades"]), ("new", []):
        before = pid(a, "openvswitch/eoip-ipsecd")
        fetch_and(a, "install", *options, f"./{OURS}-{age}.deb")
        check(pid(a, "openvswitch/eoip-ipsecd") not in (None, before),
              f"{age}: the daemon was not started anew")
        meets_strongswan(a)
    check(a.exec("bash", "-c", FILES) == files,
          "files of others have changed")
    check(pid(a, "charon") == charon, "charon was started anew")


def test_ipsec_purge(bed):
    a = bed.site("a")
    files, charon = a.exec("bash", "-c", FILES), pid(a, "charon")
    output = fetch_and(a, "purge", OURS)
    check(not re.search("warning|error", output, re.I), output[-600:])
    check(pid(a, "openvswitch/eoip-ipsecd") is None, "the daemon goes on")
    left = a.exec("find", "/etc", "/usr", "/var/lib/systemd", "/var/log",
                  "-name", "*eoip-ipsec*")
    check(not left, f"left are {left}")
    check(a.exec("bash", "-c", FILES) == files
          and pid(a, "charon") == charon
          and pid(a, "openvswitch/ovs-monitor-ipsec"),
          "others have suffered")
    # And the other way round: it goes on without the stock daemon.
    fetch_and(a, "install", f"./{OURS}-new.deb")
    meets_strongswan(a)
    fetch_and(a, "purge", STOCK, OURS)
    a.exec("ipsec", "stop")
    fetch_and(a, "autoremove", "--purge")


TESTS = (test_ipsec_alone, test_ipsec_beside_stock, test_ipsec_upgrade,
         test_ipsec_purge)
__all__ = ["TESTS"]
