# SPDX-License-Identifier: Apache-2.0
"""Newer packages in an archive: those of Open vSwitch that the distribution
publishes after ours was made, and others that are called as ours are.

Called by run, with a tunnel between the sites.  The newer ones are those of
the distribution with another version.  apt runs in a site's own network, where
only the archive in the tree can be reached."""

import contextlib
import glob
import os
import re
import shutil
import subprocess
import threading

from tree import ENVIRONMENT, TOP, Failure, check, must

ARCHIVE = "/srv/archive"
SWITCH = "openvswitch-switch"
# The distribution's packages of that source, of which some are recommended.
STOCK = (SWITCH, "openvswitch-common", "python3-openvswitch")
MADE_OF = "usr/lib/openvswitch-switch-eoip/made-of"
SECONDS_WITHOUT_TRAFFIC = 10.0


## Packages.

def control(path):
    return must("dpkg-deb", "-f", path)


def repack(bed, path, edit, change=lambda folder: None):
    """A copy of the package in the tree's archive, with its control file as
    `edit` returns it, and `change`d files.  Returns its version."""
    folder = f"{bed.folder}/repack"
    must("dpkg-deb", "-R", path, folder)
    file = f"{folder}/DEBIAN/control"
    with open(file) as old:
        text = edit(old.read())
    with open(file, "w") as new:
        new.write(text)
    change(folder)
    os.makedirs(f"{bed.tree}{ARCHIVE}", exist_ok=True)
    must("dpkg-deb", "-Znone", "-b", folder, f"{bed.tree}{ARCHIVE}")
    shutil.rmtree(folder)
    return re.search("^Version: (.*)$", text, re.M)[1]


def set_field(text, name, value):
    return re.sub(f"^{name}: .*$", f"{name}: {value}", text, flags=re.M)


def signer(bed):
    """The environment that gpg has our key in."""
    home = f"{bed.folder}/gnupg"
    environment = {**os.environ, "GNUPGHOME": home, "KEY": "eoip@example.org"}
    if not os.path.exists(home):
        os.mkdir(home, 0o700)
        must("gpg", "--batch", "--passphrase", "", "--quick-generate-key",
             environment["KEY"], "ed25519", "sign", "never", env=environment)
    return environment


def publish(bed):
    """As an operator does, and what apt knows of the other archives stays."""
    must(f"{TOP}/utilities/apt-repo", f"{bed.tree}{ARCHIVE}", env=signer(bed))
    key = "/etc/apt/keyrings/archive.asc"
    shutil.copyfile(f"{bed.tree}{ARCHIVE}/eoip.asc", f"{bed.tree}{key}")
    with open(f"{bed.tree}/etc/apt/sources.list.d/archive.list", "w") as file:
        file.write(f"deb [signed-by={key}] file:{ARCHIVE} ./\n")
    bed.site("a").exec(
        "apt-get", "update", "-o",
        "Dir::Etc::sourcelist=sources.list.d/archive.list", "-o",
        "Dir::Etc::sourceparts=-", "-o", "APT::Get::List-Cleanup=0")


def unpublish(bed):
    shutil.rmtree(f"{bed.tree}{ARCHIVE}")
    publish(bed)


def stock_packages(bed):
    """The distribution's that apt has brought into the tree: name and file."""
    paths = {}
    for name in STOCK:
        found = glob.glob(f"{bed.tree}/var/cache/apt/archives/{name}_*.deb")
        check(len(found) <= 1, f"apt has brought {found} of {name}")
        if found:
            paths[name] = found[0]
    check(SWITCH in paths, "apt has brought no switch")
    return paths


def source_version(bed):
    """Of the distribution's switch that is installed."""
    return bed.site("a").exec("dpkg-query", "-W", "-f", "${source:Version}",
                              "openvswitch-switch")


def security_update(bed, version):
    """What a security update of Open vSwitch is called."""
    numbered = re.fullmatch(r"(.*\+deb\d+u)(\d+)", version)
    if numbered:
        return f"{numbered[1]}{int(numbered[2]) + 1}"
    release = bed.site("a").exec("bash", "-c",
                                 ". /etc/os-release; echo $VERSION_ID")
    return f"{version}+deb{release}u1"


def renew_stock(bed):
    """Publishes the distribution's next revision; returns its version."""
    version = security_update(bed, source_version(bed))
    for path in stock_packages(bed).values():
        old = re.search("^Version: (.*)$", control(path), re.M)[1]

        def edit(text, old=old):
            text = set_field(text, "Version", version)
            text = set_field(text, "Source", "openvswitch")
            return text.replace(f"(= {old})", f"(= {version})")
        repack(bed, path, edit)
    publish(bed)
    return version


def renew_ours(bed, version):
    """Publishes what a build of the distribution's `version` makes."""
    path = glob.glob(f"{bed.tree}/root/openvswitch-switch-eoip-new.deb")[0]
    ours = re.search("^Version: .*(~eoip.*)$", control(path), re.M)[1]

    def change(folder):
        with open(f"{folder}/{MADE_OF}", "w") as file:
            file.write(f"{version}\n")
    made = repack(bed, path, lambda text: set_field(
        text, "Version", f"{version}{ours}"), change)
    publish(bed)
    return made


def installed(site, name):
    """Its version, or None."""
    done = site.try_exec("dpkg-query", "-W", "-f",
                         "${db:Status-Abbrev} ${Version}", name)
    state, _, version = done.stdout.strip().partition(" ")
    return version.strip() if state == "ii" else None


def apt(site, *words):
    print(f"{site.name}# {' '.join(words)}", flush=True)
    done = site.try_exec(*words, timeout=180)
    output = done.stdout + done.stderr
    check(done.returncode == 0, f"{' '.join(words)}: {output[-800:]}")
    for line in output.splitlines():
        if re.match(r"(Unpacking|Setting up|Removing) .*(eoip|vswitch-switch)"
                    r"|openvswitch-switch-eoip is", line):
            print(f"    {line}", flush=True)
    return output


def apt_get(site, *words):
    return apt(site, "apt-get", "-y", *words)


## Traffic meanwhile.

def longest_gap(text):
    times = [float(at) for at in re.findall(r"^\[([0-9.]+)\] \d+ bytes from",
                                            text, re.M)]
    check(len(times) > 1, f"no answer through the tunnel: {text[-300:]}")
    return max(b - a for a, b in zip(times, times[1:])), len(times)


@contextlib.contextmanager
def traffic(bed):
    """Pings from a to b while the block runs, and fails if they stop for too
    long.  The addresses of the bridges are given again and again, as what
    configures a machine's network does."""
    a = bed.site("a")
    over = threading.Event()

    def give():
        while not over.wait(0.2):
            with contextlib.suppress(Failure, subprocess.SubprocessError):
                a.give_addresses()
    thread = threading.Thread(target=give)
    thread.start()
    # The answers to what is sent before and after are the ends of the gaps.
    ping = subprocess.Popen(
        a.command("bash", "-c", "echo $$ > /run/ping.pid; "
                  "exec ping -D -i 0.1 10.0.0.2"), env=ENVIRONMENT,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield
        done = a.try_exec("ping", "-c", "3", "-i", "0.2", "-w", "20",
                          "10.0.0.2")
    finally:
        over.set()
        thread.join()
        a.exec("bash", "-c", "kill -INT $(cat /run/ping.pid)")
        output = ping.communicate(timeout=20)[0]
    check(done.returncode == 0, f"no answer afterwards: {done.stdout[-300:]}")
    gap, answers = longest_gap(output)
    print(f"    {answers} answers, the longest time without: {gap:.1f} s",
          flush=True)
    check(gap <= SECONDS_WITHOUT_TRAFFIC, f"no answer for {gap:.1f} s")


## What is said.

def runs_ours(site):
    running = site.running()
    check(running and running.endswith("-eoip"),
          f"the switch at {site.name} runs {running}")


def log_of(site):
    return site.exec("cat", "/var/log/openvswitch/ovs-vswitchd.log")


def check_warnings(site, *expected):
    """All that warn have these sentences, and no others."""
    for command in ("ovs-appctl eoip/show", "ovs-appctl eoip/version",
                    "eoip version"):
        said = site.exec(*command.split())
        found = re.findall("^warning: (.*)$", said, re.M)
        check(found == [*expected], f"{command} says {said}")
    checked = site.try_exec("eoip", "check")
    check(checked.returncode == bool(expected)
          and all(words in checked.stdout for words in expected),
          f"eoip check: exit {checked.returncode}: {checked.stdout}")


def says(site, output, made_of, has):
    """All that warn do so, and apt and the log."""
    words = (f"openvswitch-switch-eoip is made of Open vSwitch {made_of}, and "
             f"the distribution has {has}")
    for where, text in ("apt", output), ("the log", log_of(site)):
        check(words in text, f"{where} lacks \"{words}\": {text[-600:]}")
    check_warnings(site, re.search(f"{re.escape(words)}.*", log_of(site))[0])


def silent(site):
    check_warnings(site)


def back(bed, *more):
    """To the distribution's switch that ours was made of."""
    return apt_get(bed.site("a"), "--allow-downgrades", "install", *(
        f"{name}={must('dpkg-deb', '-f', path, 'Version')}"
        for name, path in stock_packages(bed).items()), *more)


## The distribution's Open vSwitch is mended.

def made_of(bed):
    with open(f"{bed.tree}/{MADE_OF}") as file:
        return file.read().strip()


def updated(bed, *words):
    """Updates by `words`; ours stays, is older now, and says so."""
    a = bed.site("a")
    before = installed(a, "openvswitch-switch-eoip")
    silent(a)
    version = renew_stock(bed)
    with traffic(bed):
        output = apt(a, *words)
    for name in stock_packages(bed):
        check(installed(a, name) == version,
              f"{name} is {installed(a, name)}: {output[-600:]}")
    check(installed(a, "openvswitch-switch-eoip") == before,
          f"ours is {installed(a, 'openvswitch-switch-eoip')}")
    runs_ours(a)
    return output, version


def test_update(bed):
    output, version = updated(bed, "apt-get", "-y", "upgrade")
    says(bed.site("a"), output, made_of(bed), version)


def test_update_and_restart(bed):
    """Who looks only at the log sees it again at each start."""
    a = bed.site("a")
    before = log_of(a).count("is made of Open vSwitch")
    a.exec("ovs-appctl", "eoip/show")
    check(log_of(a).count("is made of Open vSwitch") == before,
          "the log says it again when it is asked")
    a.exec("systemctl", "restart", "openvswitch-switch")
    a.give_addresses()
    check(log_of(a).count("is made of Open vSwitch") == before + 1,
          "the log does not say it after a restart")


def test_distribution_goes_back(bed):
    with traffic(bed):
        back(bed)
    runs_ours(bed.site("a"))
    silent(bed.site("a"))


def test_full_upgrade(bed):
    output, version = updated(bed, "apt-get", "-y", "full-upgrade")
    says(bed.site("a"), output, made_of(bed), version)
    back(bed)


def test_unattended_upgrades(bed):
    a = bed.site("a")
    with open(f"{bed.tree}/etc/apt/apt.conf.d/99archive", "w") as file:
        file.write('Unattended-Upgrade::Origins-Pattern { "origin=eoip-ovs"; '
                   "};\n")
    _, version = updated(bed, "unattended-upgrade", "-v")
    # What it prints of dpkg is in its own log.
    log = a.exec("cat", "/var/log/unattended-upgrades/"
                 "unattended-upgrades-dpkg.log")
    says(a, log, made_of(bed), version)


def test_rebuilt(bed):
    """Later ours comes of the same revision: nothing is left to say."""
    a = bed.site("a")
    made = renew_ours(bed, source_version(bed))
    with traffic(bed):
        apt_get(a, "upgrade")
    check(installed(a, "openvswitch-switch-eoip") == made,
          f"ours is {installed(a, 'openvswitch-switch-eoip')}, not {made}")
    runs_ours(a)
    silent(a)


def test_both_go_back(bed):
    a = bed.site("a")
    ours = re.search("^Version: (.*)$", control(
        f"{bed.tree}/root/openvswitch-switch-eoip-new.deb"), re.M)[1]
    with traffic(bed):
        back(bed, "/root/openvswitch-switch-eoip-new.deb")
    check(installed(a, "openvswitch-switch-eoip") == ours,
          f"ours is {installed(a, 'openvswitch-switch-eoip')}, not {ours}")
    runs_ours(a)
    silent(a)


def test_update_of_both(bed):
    """Both are in the archive already."""
    a = bed.site("a")
    with traffic(bed):
        output = apt_get(a, "upgrade")
    check("the distribution has" not in output, f"it says {output[-600:]}")
    check(made_of(bed) == source_version(bed),
          f"of {made_of(bed)}, beside {source_version(bed)}")
    runs_ours(a)
    silent(a)
    back(bed, "/root/openvswitch-switch-eoip-new.deb")
    unpublish(bed)


## From the names and versions of 0.1.0.

def test_from_0_1_0(bed):
    """Its version sorts above ours, so apt wants to be told."""
    a = bed.site("a")
    shutil.rmtree(f"{bed.tree}{ARCHIVE}")
    path = f"{bed.tree}/root/openvswitch-switch-eoip-new.deb"
    old = repack(bed, path, lambda text: re.sub(
        "^(Version: .*)~eoip.*$", r"\1+eoip0.1.0", text, flags=re.M))
    repack(bed, f"{bed.tree}/root/eoip-utils-new.deb",
           lambda text: re.sub("^(Conflicts|Replaces|Provides): .*\n", "",
                               set_field(text, "Version", "0.1.0"),
                               flags=re.M))
    publish(bed)
    apt_get(a, "--allow-downgrades", "install",
            f"openvswitch-switch-eoip={old}", "eoip-utils=0.1.0")
    with traffic(bed):
        apt_get(a, "--allow-downgrades", "install",
                "/root/openvswitch-switch-eoip-new.deb",
                "/root/eoip-utils-new.deb")
    check("~eoip" in installed(a, "openvswitch-switch-eoip")
          and installed(a, "eoip-utils") != "0.1.0", "0.1.0 stays")
    runs_ours(a)
    silent(a)
    unpublish(bed)


## Another project's package with a command of that name.

def other_eoip(bed, version):
    folder = f"{bed.folder}/other-command"
    os.makedirs(f"{folder}/DEBIAN")
    os.makedirs(f"{folder}/usr/sbin")
    with open(f"{folder}/DEBIAN/control", "w") as file:
        file.write(f"Package: eoip\nVersion: {version}\nArchitecture: all\n"
                   "Maintainer: Nobody <nobody@example.org>\n"
                   "Description: the other command\n")
    with open(f"{folder}/usr/sbin/eoip", "w") as file:
        file.write(f"#!/bin/sh\necho other {version}\n")
    os.chmod(f"{folder}/usr/sbin/eoip", 0o755)
    must("dpkg-deb", "-Znone", "-b", folder, f"{bed.tree}{ARCHIVE}")
    shutil.rmtree(folder)


def the_command_is(site, word):
    said = site.exec("eoip", "version").splitlines()[0]
    check(said.startswith(word), f"eoip version says {said}")


def test_other_eoip(bed):
    """Who installs one of the two has it, and updates do not change that."""
    a = bed.site("a")
    os.makedirs(f"{bed.tree}{ARCHIVE}", exist_ok=True)
    shutil.copy(f"{bed.tree}/root/eoip-utils-new.deb", f"{bed.tree}{ARCHIVE}")
    other_eoip(bed, "2.4")
    publish(bed)
    apt_get(a, "full-upgrade")
    the_command_is(a, "eoip 0.")
    apt_get(a, "install", "eoip")
    the_command_is(a, "other 2.4")
    check(installed(a, "eoip-utils") is None, "eoip-utils is there, too")
    other_eoip(bed, "2.5")
    publish(bed)
    apt_get(a, "full-upgrade")
    the_command_is(a, "other 2.5")
    apt_get(a, "install", "eoip-utils")
    the_command_is(a, "eoip 0.")
    check(installed(a, "eoip") is None, "eoip is there, too")
    runs_ours(a)
    unpublish(bed)


TESTS = (test_update, test_update_and_restart, test_distribution_goes_back,
         test_full_upgrade, test_unattended_upgrades, test_rebuilt,
         test_both_go_back, test_update_of_both, test_from_0_1_0,
         test_other_eoip)
__all__ = ["TESTS"]
