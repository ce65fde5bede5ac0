# SPDX-License-Identifier: Apache-2.0
"""Guests that are started by UEFI with Secure Boot: by Debian's OVMF, shim and
MOK manager, in a firmware that knows no key but "SnakeOil", which comes with
OVMF, for such tests."""

import os
import re
import shutil
import subprocess

import kernel

PACKAGES = ("ovmf", "shim-unsigned", "shim-helpers-amd64-signed",
            "systemd-boot-efi", "sbsigntool", "mokutil")

# Of sections of a program.
ALIGNMENT = 0x10000
# DKMS's words.
SIGNER = "DKMS module signing key"
# For mokutil and the next boot.
PASSWORD = "of-this-test"


def fill(root):
    apt = kernel.Apt()
    for package in (*PACKAGES, *apt.dependencies("mokutil", "libefivar.*")):
        apt.unpack(package, root)


def root():
    """Where the packages are unpacked.  May raise kernel.Missing."""
    return kernel.unpacked(kernel.KERNELS / "firmware", fill)


def environment():
    """What mokutil needs in its."""
    return {"LD_LIBRARY_PATH": str(root() / "usr/lib/x86_64-linux-gnu"),
            "PATH": f"{root()}/usr/bin:{os.environ['PATH']}"}


def run(*command):
    subprocess.run([str(word) for word in command], check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def make_key(key, certificate):
    """As DKMS does."""
    run("openssl", "req", "-new", "-x509", "-nodes", "-days", "36500", "-subj",
        f"/CN={SIGNER}", "-newkey", "rsa:2048", "-keyout", key, "-outform",
        "DER", "-out", certificate)


def write_program(path, image, initramfs, line):
    """One that is kernel, initramfs and command line: shim hands over no
    others."""
    text = path.with_suffix(".line")
    text.write_text(line, encoding="ascii")
    stub = root() / "usr/lib/systemd/boot/efi/linuxx64.efi.stub"
    sections = re.findall(r"^ *\d+ \S+ +([0-9a-f]+) +([0-9a-f]+)",
                          kernel.run("objdump", "-h", stub), re.MULTILINE)
    end = max(int(size, 16) + int(address, 16) for size, address in sections)
    command = ["objcopy"]
    # The kernel is last, as it unpacks itself into what follows.
    for name, file in ((".cmdline", text), (".initrd", initramfs),
                       (".linux", image)):
        address = -(-end // ALIGNMENT) * ALIGNMENT
        command += ["--add-section", f"{name}={file}",
                    "--change-section-vma", f"{name}={address}"]
        end = address + file.stat().st_size
    run(*command, stub, path)


def sign(program, signed, folder):
    """By the key that the firmware knows."""
    key = folder / "snakeoil.key"
    pair = root() / "usr/share/ovmf/PkKek-1-snakeoil"
    run("openssl", "rsa", "-passin", "pass:snakeoil", "-in", f"{pair}.key",
        "-out", key)
    run(root() / "usr/bin/sbsign", "--key", key, "--cert", f"{pair}.pem", "--output", signed,
        program)


def options(home, folder, image, initramfs, line):
    """Words for the emulator, by which the first serial line is that of the
    firmware and the kernel.  What the firmware is to remember until the next
    boot, and a socket at that line, are `home`/variables and `home`/console;
    `folder` is of this boot."""
    ovmf = root() / "usr/share/OVMF"
    disk = folder / "disk/EFI/BOOT"
    disk.mkdir(parents=True)
    write_program(folder / "program", image, initramfs, line)
    # shim starts what is called as Debian's boot loader is.
    sign(folder / "program", disk / "grubx64.efi", folder)
    sign(root() / "usr/lib/shim/shimx64.efi", disk / "BOOTX64.EFI", folder)
    shutil.copy(root() / "usr/lib/shim/mmx64.efi.signed", disk / "mmx64.efi")
    if not (home / "variables").exists():
        shutil.copy(ovmf / "OVMF_VARS_4M.snakeoil.fd", home / "variables")
    flash = "if=pflash,format=raw,unit"
    return ["-chardev", f"socket,id=console,path={home}/console,server=on,"
            f"wait=off,logfile={folder}/console", "-serial", "chardev:console",
            # Else the guest could write to the flash by itself.
            "-global", "driver=cfi.pflash01,property=secure,value=on",
            "-drive", f"{flash}=0,readonly=on,"
            f"file={ovmf}/OVMF_CODE_4M.secboot.fd",
            "-drive", f"{flash}=1,file={home}/variables",
            "-drive", f"if=none,id=disk,format=raw,readonly=on,"
            f"file=fat:{folder}/disk",
            "-device", "virtio-blk-pci,drive=disk,bootindex=1"]
