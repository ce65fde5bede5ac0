# SPDX-License-Identifier: Apache-2.0
"""A Debian tree that nobody has used yet, and two sites that run in it.

Each site is a network namespace, a /run and a database of its own, and a
process that collects those that have ended.  The tree's packages come from
wherever apt on this machine gets its own."""

import glob
import os
import shlex
import shutil
import subprocess
import sys

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
sys.path.insert(0, os.path.join(TOP, "tests/system"))

from sandbox import Failure, Skip, check, run, until  # noqa: E402

HERE = os.path.dirname(os.path.realpath(__file__))
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
               "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
PACKAGES = ("debian-archive-keyring,iproute2,iputils-ping,procps,"
            "unattended-upgrades")


def must(*command, **options):
    """The command's output; it must exit 0."""
    done = run(*command, **options)
    check(done.returncode == 0, f"{shlex.join(command)}: exit "
          f"{done.returncode}: {(done.stderr or done.stdout)[-800:].strip()}")
    return done.stdout.strip()


def machine_sources():
    """This machine's release, and where apt gets it from."""
    with open("/etc/os-release") as release:
        names = dict(line.rstrip().split("=", 1) for line in release
                     if "=" in line)
    return names["VERSION_CODENAME"].strip('"'), [
        path for pattern in ("sources.list", "sources.list.d/*.list",
                             "sources.list.d/*.sources")
        for path in glob.glob(f"/etc/apt/{pattern}")]


def other_sources(suite):
    """Another release, from where this machine gets its own."""
    lines = must("apt-get", "indextargets", "--format",
                 "$(REPO_URI) $(CODENAME)", "Created-By: Packages",
                 "Origin: Debian").splitlines()
    own = [uri for uri, codename in map(str.split, lines)
           if "-" not in codename]
    check(own, "apt knows of no archive of Debian")
    return suite, [own[0]]


def bootstrap(folder, suite, sources, packages, *options):
    """A Debian with these packages in folder/tree, whose lists and settings of
    apt are left there."""
    settings = [line for line in must("apt-config", "dump").splitlines()
                if line.startswith("Acquire::")
                and not line.endswith(' "";')]
    with open(f"{folder}/apt.conf", "w") as conf:
        conf.write("\n".join(settings) + "\n")
    must("mmdebstrap", "--mode=root", "--quiet", "--skip=cleanup/apt",
         f"--include={packages}", f"--aptopt={folder}/apt.conf", *options,
         suite, f"{folder}/tree", *sources, timeout=300)


def make(folder, suite=None):
    """A minimal Debian, of this machine's release if no other is named."""
    suite, sources = other_sources(suite) if suite else machine_sources()
    bootstrap(folder, suite, sources, PACKAGES, "--variant=apt")
    for name in "resolv.conf", "hosts":
        shutil.copyfile(f"/etc/{name}", f"{folder}/tree/etc/{name}")
    # Debian 13's uuid-runtime, say, brings systemd along with its own.
    must("chroot", f"{folder}/tree", "dpkg-divert", "--local", "--rename",
         "--add", "/usr/bin/systemctl", env=ENVIRONMENT)
    shutil.copy(f"{HERE}/systemctl", f"{folder}/tree/usr/bin/systemctl")
    # The sites load none; without one only the userspace datapath is there.
    os.makedirs(f"{folder}/tree/etc/modprobe.d", exist_ok=True)
    with open(f"{folder}/tree/etc/modprobe.d/sites.conf", "w") as conf:
        conf.write("install openvswitch /bin/true\n")
    return f"{folder}/tree"


class Site:
    """One of the two machines; `tree` is the root of its files."""

    def __init__(self, tree, name, number, own_database):
        self.name, self.number = name, number
        self.netns = f"eoip-packages-{os.getpid()}-{name}"
        must("ip", "netns", "add", self.netns)
        must("ip", "-n", self.netns, "link", "set", "lo", "up")
        own = [f"mount -t tmpfs tmpfs {tree}/{path}" for path in (
            "run", *(["var/lib/openvswitch", "var/log/openvswitch"]
                     if own_database else []))]
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", self.netns, "unshare", "--mount", "--pid",
             "--fork", "--kill-child=KILL", "--propagation", "private",
             "bash", "-ec", "; ".join([
                 f"mount --rbind /dev {tree}/dev",
                 f"mount -t proc proc {tree}/proc",
                 f"mount -t sysfs -o ro sysfs {tree}/sys", *own,
                 f"mkdir -p {tree}/run/systemd/system {tree}/run/lock",
                 f"exec chroot {tree} perl -e '"
                 '$SIG{CHLD} = "IGNORE"; $0 = "site"; print "up\\n"; '
                 "$| = 1; print \"\"; sleep 1000 while 1;'"])],
            stdout=subprocess.PIPE, env=ENVIRONMENT)
        check(self.process.stdout.readline() == b"up\n",
              f"site {name} does not start")
        # The process that unshare has forked, and all else is entered by.
        self.pid = must("ps", "-o", "pid=", "--ppid", str(
            self.process.pid)).split()[0]

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        run("ip", "netns", "delete", self.netns)

    def command(self, *command, network=True):
        """What runs it here; without `network` it has the machine's own."""
        where = ["-n"] if network else []
        # The kernel's modules are the machine's.
        return ("nsenter", "-t", self.pid, "-m", "-p", "-r", "-w", *where,
                "setpriv", "--bounding-set=-sys_module", *command)

    def try_exec(self, *command, timeout=120.0, network=True):
        return run(*self.command(*command, network=network),
                   timeout=timeout, env=ENVIRONMENT)

    def exec(self, *command, **options):
        done = self.try_exec(*command, **options)
        check(done.returncode == 0, f"at {self.name}: {shlex.join(command)}: "
              f"exit {done.returncode}: "
              f"{(done.stderr or done.stdout)[-800:].strip()}")
        return done.stdout.strip()

    def show(self, *command, **options):
        """As exec, and the log has it as a user would see it."""
        print(f"{self.name}# {shlex.join(command)}", flush=True)
        output = self.exec(*command, **options)
        for line in output.splitlines()[-8:]:
            print(f"    {line}", flush=True)
        return output

    def vsctl(self, *command):
        return self.exec("ovs-vsctl", "--timeout=20", *command)

    def running(self):
        """What the switch's process was started from, or None."""
        pid = self.try_exec("cat", "/run/openvswitch/ovs-vswitchd.pid")
        if pid.returncode != 0:
            return None
        found = self.try_exec("readlink", f"/proc/{pid.stdout.strip()}/exe")
        return found.stdout.strip() if found.returncode == 0 else None

    def give_addresses(self):
        """To the bridges' own devices, which each start of the switch makes
        anew."""
        for bridge, net in ("br-phy", "192.0.2"), ("br0", "10.0.0"):
            until(lambda: self.try_exec("ip", "link", "show", bridge)
                  .returncode == 0, f"there is no {bridge} at {self.name}")
            self.exec("ip", "address", "replace",
                      f"{net}.{self.number}/24", "dev", bridge)
            self.exec("ip", "link", "set", bridge, "up")


def connect(sites):
    """An underlay between the two, of which each has eth0."""
    ends = [(site.netns, f"02:00:00:00:03:0{site.number}") for site in sites]
    must("ip", "-n", ends[0][0], "link", "add", "eth0", "address", ends[0][1],
         "type", "veth", "peer", "name", "eth0", "netns", ends[1][0],
         "address", ends[1][1])
    for netns, _ in ends:
        must("ip", "-n", netns, "link", "set", "eth0", "arp", "off", "up")
        # A veth leaves checksums to a device that never comes.
        must("ip", "netns", "exec", netns, "ethtool", "-K", "eth0", "tx",
             "off")


__all__ = ["ENVIRONMENT", "Failure", "Site", "Skip", "check", "connect",
           "make", "must", "run", "until"]
