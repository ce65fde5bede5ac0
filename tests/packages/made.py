# SPDX-License-Identifier: Apache-2.0
"""The packages by themselves: made, looked at, and those of the kernel's
module installed in a layer over the system that they are made in.  Called by
run."""

import glob
import os
import re
import shutil
import sys

from tree import ENVIRONMENT, TOP, Skip, check, must, run

BUILD = os.environ.get("EOIP_BUILD", f"{TOP}/build")
IN_TREE = []    # Runs a command where the packages are made.
ROOT = "/"      # Of the system they are made in.
SUITE = None    # The release that they are for, if it is not this machine's.
if "--debian13" in sys.argv[1:]:
    IN_TREE = [f"{TOP}/tests/debian13/run"]
    SUITE = "trixie"
    ROOT = f"{BUILD}-debian13/tree"
    BUILD += "-debian13/build"
PACKAGES = ("openvswitch-switch-eoip", "openvswitch-eoip-dkms",
            "openvswitch-eoip-ipsec", "eoip-utils")


def package(name):
    """The one file of the package, of those that were made."""
    found = glob.glob(f"{BUILD}/deb/{name}_*.deb")
    check(len(found) == 1, f"packages of {name}: {found}")
    return found[0]


def field(path, name):
    return must("dpkg-deb", "-f", path, name)


def test_make_deb(_):
    """Of what is built already; debug symbols would take longest."""
    must(*IN_TREE, "env", "DEB_BUILD_OPTIONS=noautodbgsym", "make", "-s",
         "-C", BUILD, "deb", timeout=240)
    for name in PACKAGES:
        print(f"    {os.path.basename(package(name))}")


def test_another_system(bed):
    """Is told what is supported, on the first line, and nothing happens."""
    with open(f"{bed.folder}/os-release", "w") as file:
        file.write('ID=ubuntu\nVERSION_ID="24.04"\nPRETTY_NAME="Ubuntu X"\n')
    for command in ([f"{TOP}/utilities/quickstart"],
                    [f"{TOP}/utilities/prepare", "deb"],
                    [f"{TOP}/tests/run", "unit"]):
        said = run("unshare", "--mount", "--propagation", "private", "bash",
                   "-ec", f"mount --bind {bed.folder}/os-release "
                   '/etc/os-release; exec "$@"', "", *command)
        lines = (said.stdout + said.stderr).splitlines()
        check(said.returncode == 1 and len(lines) == 2
              and "Debian 12 and 13" in lines[0] and "Ubuntu X" in lines[0]
              and "nothing was installed" in lines[1],
              f"{command[0]}: exit {said.returncode}: {lines}")


def test_versions_agree(_):
    version = re.search(r"^AC_INIT\(\[.*\], \[(.*)\]\)",
                        open(f"{TOP}/configure.ac").read(), re.M)[1]
    dkms = re.search('^PACKAGE_VERSION="(.*)"',
                     open(f"{TOP}/kmod-vport/dkms.conf").read(), re.M)[1]
    header = re.search('^#define EOIP_VERSION\t"(.*)"', open(
        f"{TOP}/kmod-vport/uapi/linux/eoip.h").read(), re.M)[1]
    ours = field(package("eoip-utils"), "Version")
    check(version == dkms == header == ours, f"configure.ac has {version}, "
          f"dkms.conf {dkms}, eoip.h {header}, debian/changelog {ours}")


def test_needs_the_minor_release(_):
    """Of the switch whose source it is made of, and any revision of it."""
    source = must(*IN_TREE, "dpkg-query", "-W", "-f", "${Version}",
                  "openvswitch-source")
    path = package("openvswitch-switch-eoip")
    needs = field(path, "Depends")
    upstream = source.split(":")[-1].split("-")[0]
    major, minor = map(int, upstream.split(".")[:2])
    for relation in f">= {upstream}", f"<< {major}.{minor + 1}~":
        check(f"openvswitch-switch ({relation})" in needs,
              f"Depends: {needs}; the source is of {source}")
    version = field(path, "Version")
    check(version.startswith(f"{source}~eoip"), f"it is {version}")
    for newer in (re.sub(r"u(\d+)$", lambda n: f"u{int(n[1]) + 1}", source),
                  f"{source}+deb99u1"):
        check(newer == source or run(
            "dpkg", "--compare-versions", version, "lt",
            f"{newer}~eoip0").returncode == 0,
            f"{version} is no older than what is made of {newer}")


def test_bugtool_files(_):
    """Where the release of Open vSwitch has ovs-bugtool."""
    shipped = must("dpkg-deb", "-c", package("openvswitch-switch-eoip"))
    check(("bugtool" in shipped)
          == os.path.isdir(f"{BUILD}/ovs/utilities/bugtool"),
          f"bugtool's files: {shipped}")


def test_guides(bed):
    """Where README.Debian says, to be read as they are; what that tells to
    type is what README.md does, which is run."""
    folder = f"{bed.folder}/guides"
    for name in "eoip-utils", "openvswitch-switch-eoip":
        must("dpkg-deb", "-x", package(name), folder)
    doc = f"{folder}/usr/share/doc"
    guides = ["README.md", "docs/speed.svg", *glob.glob("docs/*.md",
                                                        root_dir=TOP)]
    check(len(guides) > 10, f"there are only {guides}")
    for name in guides:
        check(os.path.isfile(f"{doc}/eoip-utils/{name}"),
              f"there is no {name} in eoip-utils")
    readme = open(f"{doc}/openvswitch-switch-eoip/README.Debian").read()
    known = open(f"{TOP}/README.md").read() + "eoip check\n"
    commands = re.findall("^  (.*)$", readme, re.M)
    check(commands.pop() == "apt remove openvswitch-switch-eoip"
          and commands, "README.Debian does not end with the removal")
    for command in commands:
        check(f"{command}\n" in known, f"README.md has no \"{command}\"")
    for name in re.findall(r"docs/[a-z-]+\.md", readme):
        check(name in guides, f"README.Debian names {name}")


def test_lintian(_):
    changes = glob.glob(f"{BUILD}/deb/*.changes")
    said = run(*IN_TREE, "lintian", "--allow-root", "--pedantic", "--fail-on",
               "error,warning,pedantic,override", *changes, timeout=180)
    check(said.returncode == 0 and not said.stdout.strip(),
          f"lintian: {said.stdout or said.stderr}")


def test_source_package(bed):
    """From which Debian's tools make the same packages."""
    folder = f"{bed.folder}/source/eoip-ovs"
    os.makedirs(folder)
    must("bash", "-c", f"tar -C {TOP} --exclude='./build*' --exclude=./.git "
         f"--exclude=__pycache__ -cf - . | tar -C {folder} -xf - && "
         f"cd {folder} && dpkg-buildpackage -S -us -uc -d", timeout=120)
    said = run("lintian", "--allow-root", "--pedantic", "--fail-on",
               "error,warning,pedantic", *glob.glob(
                   f"{bed.folder}/source/*_source.changes"), timeout=180)
    check(said.returncode == 0 and not said.stdout.strip(),
          f"lintian: {said.stdout or said.stderr}")


def test_apt_repo(_):
    """What docs/packages.md has: make -C build apt-repo DIR=/srv/eoip."""
    folder = f"{BUILD}/archive"
    shutil.rmtree(folder, ignore_errors=True)
    make = [*IN_TREE, "make", "-s", "-C", BUILD, "apt-repo"]
    said = run(*make)
    check(said.returncode and "DIR=FOLDER" in said.stderr,
          f"make apt-repo: exit {said.returncode}: {said.stderr}")
    print(f"    {must(*make, f'DIR={folder}')}")
    packages = open(f"{folder}/Packages").read()
    for name in PACKAGES:
        check(f"Package: {name}\n" in packages, f"{name} is not in Packages")
    release = open(f"{folder}/Release").read()
    for file in "Packages", "Packages.gz":
        size = os.path.getsize(f"{folder}/{file}")
        check(re.search(rf"^ [0-9a-f]{{64}} {size} {file}$", release, re.M),
              f"Release lacks {file}: {release}")
    shutil.rmtree(folder)


# A system that is a copy of another one, and gone afterwards.
LAYER = """
mount -t tmpfs tmpfs {layer}
mkdir {layer}/upper {layer}/work {layer}/root
mount -t overlay overlay {layer}/root -o metacopy=on,lowerdir={root} \\
    -o upperdir={layer}/upper,workdir={layer}/work
mount --rbind /dev {layer}/root/dev
mount -t proc proc {layer}/root/proc
mount -t tmpfs tmpfs {layer}/root/run
"""

DKMS = """
{layer_over_all}
cp {package} {layer}/root
cp {folder}/old.deb {folder}/other.deb {layer}/root
exec chroot {layer}/root bash -exc '
    # The running kernel is any, and may have no headers.
    echo autoinstall_all_kernels=1 >> /etc/dkms/framework.conf
    dpkg -i old.deb
    dkms status eoip | grep 0.1.0.*installed
    # Ours takes the place of ours of another name,
    mv /usr/bin/openssl /usr/bin/openssl.away
    rm -f /var/lib/dkms/mok.*
    apt-get -y --no-install-recommends install ./openvswitch-eoip-dkms_*.deb
    dkms status eoip | grep {version}.*installed
    # is not signed without what DKMS signs with, and then as "eoip check" says.
    test -z "$(modinfo -F sig_id /lib/modules/*/updates/dkms/eoip.ko*)"
    mv /usr/bin/openssl.away /usr/bin/openssl
    apt-get -y --no-install-recommends install --reinstall ./openvswitch-eoip-dkms_*.deb
    for module in /lib/modules/*/updates/dkms/eoip.ko*; do
        test "$(modinfo -F signer $module)" = "DKMS module signing key"
    done
    test -s /var/lib/dkms/mok.pub
    if dkms status eoip | grep 0.1.0; then exit 1; fi
    for module in eoip{vport}; do
        modinfo -F license /lib/modules/*/updates/dkms/$module.ko* | grep GPL
    done
    for module in /lib/modules/*/updates/dkms/eoip.ko*; do
        test "$(modinfo -F version $module)" = {version}
    done
    test "$(ls /lib/modules/*/updates/dkms/vport-eoip.ko* | wc -l)" {vports}
    # and the other project its own, when it is asked for.
    apt-get -y install ./other.deb
    test -z "$(dkms status eoip)"
    test "$(echo /usr/src/eoip-*)" = /usr/src/eoip-2.4
    # A module that is loaded meanwhile runs on, and that is said.
    mkdir -p /sys/module/eoip
    echo 01234567 > /sys/module/eoip/srcversion
    cat > /usr/local/sbin/modinfo <<"END"
#!/bin/sh
[ "$*" = "-F srcversion eoip" ] && echo 89abcdef || exec /usr/sbin/modinfo "$@"
END
    cat > /usr/local/bin/logger <<"END"
#!/bin/sh
echo "$*" > /logged
END
    export PATH=/usr/local/sbin:/usr/local/bin:$PATH
    chmod +x /usr/local/sbin/modinfo /usr/local/bin/logger
    # (By dpkg, which keeps this PATH.)
    dpkg -i openvswitch-eoip-dkms_*.deb 2>&1 | tee out
    grep "goes on with the module eoip" out
    grep "daemon.warning.*goes on with the module eoip" /logged
    test ! -e /usr/src/eoip-2.4
    dpkg -P openvswitch-eoip-dkms
    test -z "$(dkms status eoip)"
    test -z "$(find /lib/modules /usr/src /var/lib/dkms -name "*eoip*" \\
        ! -path "/usr/src/linux-*")"'
"""


def renamed(bed, name, version, *removed):
    """The module's package as one called eoip-dkms has it."""
    folder = f"{bed.folder}/{name}"
    path = package("openvswitch-eoip-dkms")
    ours = field(path, "Version")
    must("dpkg-deb", "-R", path, folder)
    for file in removed:
        os.remove(f"{folder}/DEBIAN/{file}")
    os.rename(f"{folder}/usr/src/eoip-{ours}", f"{folder}/usr/src/eoip-{version}")
    shutil.rmtree(f"{folder}/usr/share/doc")
    for file in (*glob.glob(f"{folder}/DEBIAN/[cp]*"),
                 f"{folder}/usr/src/eoip-{version}/dkms.conf"):
        text = open(file).read().replace(ours, version)
        if file.endswith("/control"):
            text = re.sub("^(Conflicts|Replaces|Provides): .*\n", "", text,
                          flags=re.M)
            text = text.replace("Package: openvswitch-", "Package: ")
        with open(file, "w") as out:
            out.write(text)
    must("dpkg-deb", "-Znone", "-b", folder, f"{bed.folder}/{name}.deb")


OWNER = """
{layer_over_all}
exec chroot {layer}/root bash -exc '
    # As after a quickstart by sudo; nothing has to be compiled.
    export DEB_BUILD_OPTIONS=noautodbgsym EOIP_BUILD={build} HOME=/tmp
    chown -R 1000:1000 {top}
    chown -R 0:0 {build}
    {top}/utilities/prepare deb
    test -z "$(find {build} ! -user 1000 -print -quit)"
    setpriv --reuid 1000 --regid 1000 --clear-groups make -C {build} deb
    ls {build}/deb/openvswitch-switch-eoip_*.deb'
"""


def test_owner_of_the_source(bed):
    """May make packages after root has built, and root for the owner."""
    layer = f"{bed.folder}/owner"
    os.mkdir(layer)
    must("unshare", "--mount", "--propagation", "private", "bash", "-ec",
         OWNER.format(layer=layer, top=TOP, build=BUILD,
                      layer_over_all=LAYER.format(layer=layer, root="/")),
         timeout=400, env=ENVIRONMENT)


def test_dkms(bed):
    """On a layer over a tree that has headers and dkms."""
    if not glob.glob(f"{ROOT}/usr/src/linux-headers-*") or not os.path.exists(
            f"{ROOT}/usr/sbin/dkms"):
        raise Skip("no kernel headers, or no dkms: run utilities/prepare test")
    layer = f"{bed.folder}/layer"
    os.mkdir(layer)
    renamed(bed, "old", "0.1.0")
    renamed(bed, "other", "2.4", "postinst", "prerm")
    path = package("openvswitch-eoip-dkms")
    vport = os.path.isdir(f"{BUILD}/ovs/utilities/bugtool")
    must("unshare", "--mount", "--propagation", "private", "bash", "-ec",
         DKMS.format(layer=layer, folder=bed.folder, package=path,
                     layer_over_all=LAYER.format(layer=layer, root=ROOT),
                     version=field(path, "Version"),
                     vport=" vport-eoip" if vport else "",
                     vports="-gt 0" if vport else "= 0"),
         timeout=600, env=ENVIRONMENT)


TESTS = (test_make_deb, test_another_system, test_versions_agree,
         test_needs_the_minor_release, test_bugtool_files, test_guides,
         test_lintian, test_apt_repo, test_dkms)
if not IN_TREE:
    TESTS = (*TESTS, test_source_package, test_owner_of_the_source)
