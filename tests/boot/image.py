# SPDX-License-Identifier: Apache-2.0
"""Disks for machines: Debian of this release with systemd, our packages, our
kernel module, and one manager of the network, which gives eth0 its address as
is usual.  Made as root, of what apt on this machine gets from its archive."""

import glob
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path[:0] = [str(HERE.parent / name) for name in ("packages", "vm")]
import initramfs  # noqa: E402
import kernel  # noqa: E402
import tree  # noqa: E402

PACKAGES = ("systemd-sysv,udev,dbus,ifupdown,iproute2,iputils-ping,ethtool,"
            "kmod,procps,nftables,openvswitch-switch")
SWITCH = "/usr/lib/openvswitch-switch-eoip/ovs-vswitchd-eoip"
SIZE = "1200M"

# To reach the disk, and what the machine loads by itself afterwards.
FIRST_MODULES = ("virtio_pci", "virtio_blk", "ext4", "crc32c_generic")
MODULES = (*FIRST_MODULES, "virtio_net", "openvswitch", "tun", "nf_tables",
           "nft_ct", "sch_fq_codel", "xfrm_user", "esp4")

# Takes its time, and has nothing to do with networks.
MASKED = ("e2scrub_reap.service", "systemd-logind.service",
          "getty@tty1.service", "serial-getty@ttyS0.service",
          "apt-daily.timer", "apt-daily-upgrade.timer", "fstrim.timer",
          "e2scrub_all.timer", "dpkg-db-backup.timer",
          "systemd-binfmt.service", "proc-sys-fs-binfmt_misc.automount")

INTERFACES = """source /etc/network/interfaces.d/*

auto lo
iface lo inet loopback

auto eth0
iface eth0 inet static
    address 192.0.2.1/24
"""
NETWORK = """[Match]
Name=eth0

[Network]
Address=192.0.2.1/24
"""
NETPLAN = """network:
  version: 2
  renderer: networkd
  ethernets:
    eth0:
      addresses: [192.0.2.1/24]
"""
KEYFILE = """[connection]
id=eth0
type=ethernet
interface-name=eth0

[ipv4]
method=manual
addresses=192.0.2.1/24
"""

# Manager: packages besides PACKAGES, units that are enabled, a file for eth0.
MANAGERS = {
    "ifupdown": ((), (), ("/etc/network/interfaces", INTERFACES)),
    "ifupdown2": (("ifupdown2",), (), ("/etc/network/interfaces",
                                       INTERFACES)),
    "networkd": ((), ("systemd-networkd",), (
        "/etc/systemd/network/eth0.network", NETWORK)),
    "netplan": (("netplan.io",), ("systemd-networkd",), (
        "/etc/netplan/01-eth0.yaml", NETPLAN)),
    "NetworkManager": (("network-manager",), ("NetworkManager",), (
        "/etc/NetworkManager/system-connections/eth0.nmconnection", KEYFILE)),
}


# Machine: packages of ours that it has besides.
OURS = {"ifupdown-kernel": ("openvswitch-eoip-ipsec",)}


def packages():
    """Ours, made anew if anything of them is newer."""
    build = kernel.BUILD
    made = glob.glob(f"{build}/deb/*.deb")
    sources = [f"{build}/ovs/vswitchd/ovs-vswitchd",
               f"{build}/utilities/eoip/eoip",
               *glob.glob(f"{TOP}/debian/*"), *glob.glob(f"{TOP}/utilities/*")]
    if not made or min(map(os.path.getmtime, made)) < max(
            map(os.path.getmtime, sources)):
        tree.must("make", "-s", "-C", str(build), "deb", timeout=240,
                  env={**os.environ, "DEB_BUILD_OPTIONS": "noautodbgsym"})
    return [path for name in ("openvswitch-switch-eoip", "eoip-utils",
                              *{name for names in OURS.values()
                                for name in names})
            for path in glob.glob(f"{build}/deb/{name}_*.deb")]


def write(root, path, text, mode=0o644):
    path = pathlib.Path(f"{root}{path}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def in_tree(root, *command, **options):
    return tree.must("chroot", str(root), *command, env=tree.ENVIRONMENT,
                     **options)


class Base:
    """What all disks have, in `folder`: a tree, the kernel, how it starts."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.tree = self.folder / "tree"
        self.first = self.folder / "first.cpio"
        self.system = kernel.get("headers")

    def make(self):
        debs = packages()
        suite, sources = tree.machine_sources()
        tree.bootstrap(self.folder, suite, sources, PACKAGES,
                       "--variant=minbase", *(
                           f"--dpkgopt=path-exclude=/usr/share/{name}/*"
                           for name in ("man", "locale")))
        shutil.copy("/etc/resolv.conf", self.tree / "etc")
        for path in debs:
            shutil.copy(path, self.tree / "root")
        in_tree(self.tree, "bash", "-c", "cd /root && apt-get install -y "
                "--no-install-recommends ./openvswitch-switch-eoip_*.deb "
                "./eoip-utils_*.deb", timeout=300)
        self.add_modules()
        write(self.tree, "/etc/fstab", "/dev/vda / ext4 defaults 0 1\n")
        write(self.tree, "/etc/hostname", "switch\n")
        write(self.tree, "/etc/hosts", "127.0.0.1 localhost switch\n")
        shutil.copy(HERE / "console", self.tree / "usr/local/sbin")
        shutil.copy(HERE / "console.service",
                    self.tree / "etc/systemd/system")
        # netplan has 10 s for a program in Python: short in an emulator.
        write(self.tree, "/etc/systemd/system/netplan-ovs-cleanup.service.d/"
              "slow.conf", "[Service]\nTimeoutStartSec=200\n")
        in_tree(self.tree, "systemctl", "enable", "console.service")
        in_tree(self.tree, "systemctl", "mask", *MASKED)

    def add_modules(self):
        """Those of the kernel that are needed, and ours, as from DKMS."""
        system = self.system
        index = self.folder / "index"
        there = index / "lib/modules" / system.release
        there.mkdir(parents=True)
        (there / "kernel").symlink_to(system.modules / "kernel")
        for path in system.modules.glob("modules.*"):
            shutil.copy(path, there)
        tree.must("depmod", "-b", str(index), system.release)
        modules = self.tree / "lib/modules" / system.release
        for path in initramfs.insmods(index, system.release, MODULES):
            to = modules / os.path.relpath(path, there)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, to)
        for path in system.modules.glob("modules.*"):
            shutil.copy(path, modules)
        (modules / "updates/dkms").mkdir(parents=True)
        for path in system.build_modules().glob("*.ko"):
            shutil.copy(path, modules / "updates/dkms")
        tree.must("depmod", "-b", str(self.tree), system.release)
        initramfs.write(self.first, "/bin/busybox", HERE / "init",
                        initramfs.insmods(index, system.release,
                                          FIRST_MODULES))


def make_disk(base, name, home):
    """home/disk, in a layer over the tree that goes with its mounts; what the
    machine's name begins with is its manager."""
    done = tree.run("unshare", "--mount", "--propagation", "private",
                    sys.executable, __file__, str(base.folder),
                    name, str(home), timeout=300)
    tree.check(done.returncode == 0, f"no disk for {name}: "
               f"{(done.stderr or done.stdout)[-800:]}")


def fill_disk(folder, name, home):
    manager = name.partition("-")[0]
    more, enabled, file = MANAGERS[manager]
    layer, root = f"{home}/layer", f"{home}/root"
    for path in layer, root:
        os.mkdir(path)
    tree.must("mount", "-t", "tmpfs", "tmpfs", layer)
    for part in "upper", "work":
        os.mkdir(f"{layer}/{part}")
    tree.must("mount", "-t", "overlay", "overlay", root, "-o",
              f"lowerdir={folder}/tree,upperdir={layer}/upper,"
              f"workdir={layer}/work")
    ours = [f"/root/{path.name}" for package in OURS.get(name, ())
            for path in pathlib.Path(root, "root").glob(f"{package}_*.deb")]
    if more or ours:
        in_tree(root, "apt-get", "install", "-y", "--no-install-recommends",
                *more, *ours, timeout=240)
    for path in pathlib.Path(root, "root").glob("*.deb"):
        path.unlink()
    if not manager.startswith("ifupdown"):
        # Debian's default, which has the loopback device alone.
        write(root, "/etc/network/interfaces", INTERFACES.partition(
            "\nauto eth0")[0])
    if enabled:
        in_tree(root, "systemctl", "enable", *enabled)
    # NetworkManager ignores what others may read, networkd what it may not.
    write(root, *file, mode=0o600 if manager == "NetworkManager" else 0o644)
    for archives in pathlib.Path(root, "var/cache/apt").rglob("*.*"):
        archives.unlink()
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", root, "-E",
                    "lazy_itable_init=1,root_owner=0:0", f"{home}/disk",
                    SIZE],
                   check=True)


if __name__ == "__main__":
    fill_disk(*sys.argv[1:])
