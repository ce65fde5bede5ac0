# SPDX-License-Identifier: Apache-2.0
"""Kernels to boot: Debian's own image, unpacked from its package and never
installed, so that the machine's own kernel is left alone; or one with checks,
built from Debian's source.

What is fetched once is kept in the build folder."""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("EOIP_BUILD", TOP / "build")).resolve()
KERNELS = BUILD / "vm"

# Large, and for hardware that the emulator does not have.
LEFT_OUT = ["*/lib/modules/*/kernel/sound",
            *(f"*/lib/modules/*/kernel/drivers/{name}" for name in (
                "net/ethernet", "net/wireless", "gpu", "media", "scsi",
                "infiniband", "usb", "iio", "staging", "hwmon", "hid", "md",
                "platform", "input"))]


class Missing(Exception):
    """The kernel cannot be had on this machine; the message says why."""


def run(*command, cwd=None):
    """The command's stdout, or Missing with its last words."""
    try:
        done = subprocess.run(command, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, cwd=cwd, timeout=300)
    except (OSError, subprocess.TimeoutExpired) as reason:
        raise Missing(str(reason)) from None
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines() or ["failed"]
        raise Missing(f"{' '.join(command[:2])}: {words[-1]}")
    return done.stdout


def own_suite():
    """(URI, name) of the suite that the system's own packages are from."""
    targets = run("apt-get", "indextargets", "--format",
                  "$(REPO_URI) $(RELEASE) $(CODENAME) $(COMPONENT)",
                  "Created-By: Packages", "Origin: Debian")
    for line in targets.splitlines():
        uri, release, codename, component = line.split()
        if release == codename and component == "main" \
                and "-" not in release:
            return uri.rstrip("/"), codename
    raise Missing("no source of Debian's packages is configured")


class Apt:
    """Packages of the configured sources, or of other suites, for which the
    lists are kept apart from the system's."""

    def __init__(self, *suites, architecture="amd64"):
        self.options = []
        if not suites:
            return
        home = KERNELS / "apt" / "-".join([*suites, architecture])
        (home / "lists/partial").mkdir(parents=True, exist_ok=True)
        uri, _ = own_suite()
        (home / "sources.list").write_text("".join(
            f"deb [arch={architecture}] "
            f"{uri}{'-security' if suite.endswith('-security') else ''} "
            f"{suite} main\n" for suite in suites), encoding="ascii")
        settings = {"Dir::Etc::sourcelist": home / "sources.list",
                    "Dir::Etc::sourceparts": "-",
                    "Dir::State::lists": home / "lists",
                    # What is installed here is none of these suites'.
                    "Dir::State::status": "/dev/null",
                    "Dir::Cache::pkgcache": "", "Dir::Cache::srcpkgcache": "",
                    "APT::Architecture": architecture,
                    "APT::Architectures::": architecture,
                    # A mirror may be some days behind.
                    "Acquire::Check-Valid-Until": "false"}
        self.options = [word for name, value in settings.items()
                        for word in ("-o", f"{name}={value}")]
        self.update()

    def update(self):
        run("apt-get", "-q", *self.options, "update")

    def field(self, package, field):
        """Of the newest version: for `Depends`, the text after the colon."""
        shown = run("apt-cache", *self.options, "show", "--no-all-versions",
                    package)
        found = re.search(rf"^{field}: (.*)$", shown, re.MULTILINE)
        if not found:
            raise Missing(f"package {package} has no {field}")
        return found[1]

    def dependencies(self, package, pattern):
        """What `package` depends on, by names that match."""
        names = [words.split()[0] for words in
                 re.split(r"[,|] *", self.field(package, "Depends"))]
        found = [name for name in names if re.fullmatch(pattern, name)]
        if not found:
            raise Missing(f"{package} depends on no {pattern}")
        return found

    def unpack(self, package, into, *tar_options):
        """`package` may be NAME=VERSION."""
        debs = into / "packages"
        shutil.rmtree(debs, ignore_errors=True)
        debs.mkdir(parents=True)
        # What one release has in /lib, another has in /usr/lib.
        for name in ("bin", "sbin", "lib"):
            (into / "usr" / name).mkdir(parents=True, exist_ok=True)
            if not (into / name).exists():
                (into / name).symlink_to(f"usr/{name}")
        command = ["apt-get", "-q", *self.options, "download", package]
        try:
            run(*command, cwd=debs)
        except Missing:
            # The lists may be older than the archive, or not there at all.
            self.update()
            run(*command, cwd=debs)
        deb, = debs.glob("*.deb")
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb],
                              stdout=subprocess.PIPE) as data:
            done = subprocess.run(["tar", "-x", "--keep-directory-symlink",
                                   "-C", into, *tar_options],
                                  stdin=data.stdout, check=False)
        if data.returncode or done.returncode:
            raise Missing(f"{deb.name} cannot be unpacked")
        shutil.rmtree(debs)


class Kernel:
    """release: such as 6.1.0-56-amd64; root: where it is unpacked; image: what
    the emulator boots; modules: its /lib/modules/<release>; headers: to build
    modules against; patches_itself: it changes its code while it runs."""

    def __init__(self, release, root, headers, image, patches_itself=True):
        self.release = release
        self.root = root
        self.image = image
        self.modules = root / "lib/modules" / release
        self.headers = headers
        self.patches_itself = patches_itself

    def build_modules(self):
        """The folder with our *.ko for this kernel.  May raise
        subprocess.CalledProcessError."""
        out = KERNELS / f"modules-{self.release}"
        subprocess.run(["make", "-s", "-C", TOP / "kmod-vport",
                        f"KDIR={self.headers}", f"O={out}",
                        f"SYSROOT={self.root}"], check=True,
                       stdin=subprocess.DEVNULL, stdout=sys.stderr)
        return out


def unpacked(root, fill):
    """Fills the folder `root` by fill(root), once and not by halves."""
    if not root.exists():
        shutil.rmtree(f"{root}.part", ignore_errors=True)
        part = pathlib.Path(f"{root}.part")
        part.mkdir(parents=True)
        fill(part)
        part.rename(root)
    return root


def unpack_image(apt, package):
    def fill(root):
        apt.unpack(package, root, "--wildcards",
                   *(f"--exclude={pattern}" for pattern in LEFT_OUT))
    return fill


def of_headers():
    """The kernel whose headers are installed, the newest that
    linux-headers-amd64 stands for."""
    try:
        depends = run("dpkg-query", "-W", "-f", "${Depends}",
                      "linux-headers-amd64")
    except Missing:
        raise Missing("the package linux-headers-amd64 is not installed") \
            from None
    found = re.match(r"linux-headers-(\S+) \(= (\S+)\)", depends)
    if not found:
        raise Missing(f"linux-headers-amd64 depends on \"{depends}\"")
    release, version = found.groups()
    root = unpacked(KERNELS / f"{release}_{version}", unpack_image(
        Apt(), f"linux-image-{release}={version}"))
    return in_tree(root, release, pathlib.Path("/lib/modules", release,
                                               "build"))


def unpack_kernel(apt, flavour, root):
    """Headers and image of the newest kernel; returns its release."""
    package, = apt.dependencies(f"linux-headers-{flavour}",
                                r"linux-headers-\d.*")
    release = package.removeprefix("linux-headers-")
    for needed in [package, *apt.dependencies(
            package, r"linux-(headers|kbuild)-\d.*")]:
        apt.unpack(needed, root)
    image = f"linux-image-{release}"
    try:
        # Newer ones are in several packages.
        for part in apt.dependencies(image, r"linux-(base|binary|modules)-\d.*"):
            unpack_image(apt, part)(root)
    except Missing:
        try:
            unpack_image(apt, image)(root)
        except Missing:
            # The one with a signature follows some days later.
            unpack_image(apt, f"{image}-unsigned")(root)
    return release


def fill_from_backports(root):
    release = unpack_kernel(Apt(f"{own_suite()[1]}-backports"), "amd64", root)
    # The headers are where nobody expected them.
    makefile = root / f"usr/src/linux-headers-{release}/Makefile"
    makefile.write_text(
        "sources := $(dir $(realpath $(lastword $(MAKEFILE_LIST))))..\n"
        + makefile.read_text(encoding="ascii").replace("/usr/src",
                                                       "$(sources)"),
        encoding="ascii")


def of_backports():
    """The newest that Debian offers for this release besides its own."""
    root = unpacked(KERNELS / "backports", fill_from_backports)
    release = next((root / "lib/modules").iterdir()).name
    return in_tree(root, release)


def in_tree(tree, release, headers=None):
    """One that was unpacked into a file tree; where its headers are not there
    too, they are in `headers`."""
    image = tree / "boot" / f"vmlinuz-{release}"
    if not image.exists():
        image = tree / "lib/modules" / release / "vmlinuz"
    if not image.exists():
        raise Missing(f"there is none in {tree}")
    return Kernel(release, tree,
                  headers or tree / f"usr/src/linux-headers-{release}", image)


def with_checks():
    """Without jump labels, tracers and static calls in its modules."""
    tree = BUILD / "kasan/smp"
    if not (tree / "stamp").exists():
        raise Missing(f"none in {tree}: run tests/kasan/build --smp")
    release = (tree / "include/config/kernel.release").read_text(
        encoding="ascii").strip()
    return Kernel(release, tree / "root", tree, tree / "arch/x86/boot/bzImage",
                  patches_itself=False)


KERNELS_BY_NAME = {"headers": of_headers, "backports": of_backports,
                   "smp": with_checks}


def get(name):
    """By its name, or TREE:RELEASE."""
    tree, colon, release = name.rpartition(":")
    return in_tree(pathlib.Path(tree), release) if colon \
        else KERNELS_BY_NAME[name]()


def valid_name(name):
    """`name`, if it is one, as an option of a program."""
    if name not in KERNELS_BY_NAME and ":" not in name:
        raise argparse.ArgumentTypeError(
            f"'{name}' is none of {', '.join(KERNELS_BY_NAME)}, nor "
            "TREE:RELEASE")
    return name
