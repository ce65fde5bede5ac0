#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Compares vport-abi.h with the openvswitch.ko of one kernel.

usage: vport-abi.py KDIR [SYSROOT] > vport-kernel.h

Reads the types that the kernel itself was compiled with (BTF).  Prints a header
that defines either VPORT_DATAPATH_NET, the offset of a datapath's namespace, or
VPORT_REFUSED, a sentence, which goes to stderr as well.  SYSROOT is where the
kernel was unpacked, if not in the system.
"""

import gzip
import lzma
import os
import pathlib
import re
import struct
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent

# What we make ourselves; of other structures our members are the first ones.
COMPLETE = {"vport_ops"}

# As the kernel numbers them.
(INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT,
 FUNC, FUNC_PROTO, VAR, DATASEC, FLOAT, DECL_TAG, TYPE_TAG,
 ENUM64) = range(1, 20)
FIXED_TAIL = {INT: 4, ARRAY: 12, VAR: 4, DECL_TAG: 4}
TAIL_PER_ITEM = {STRUCT: 12, UNION: 12, ENUM: 8, FUNC_PROTO: 8, DATASEC: 12,
                 ENUM64: 12}
BTF_START = struct.pack("=HBBI", 0xeb9f, 1, 0, 24)


class Refused(Exception):
    """Why there can be no vport type, as a sentence."""


class Btf:
    """The types in one file's BTF; a module's go on after its kernel's."""

    def __init__(self, data, base=None):
        start = data.find(BTF_START)
        if start < 0:
            raise Refused("has no type information (BTF)")
        types, types_len, strings, strings_len = struct.unpack_from(
            "=IIII", data, start + 8)
        body = start + 24
        self.base = base
        self.strings = data[body + strings:body + strings + strings_len]
        self.first_id = base.end_id if base else 1
        self.first_string = base.end_string if base else 0
        self.end_string = self.first_string + strings_len
        self.types = list(split(data[body + types:body + types + types_len]))
        self.end_id = self.first_id + len(self.types)

    def string(self, offset):
        if offset < self.first_string:
            return self.base.string(offset)
        offset -= self.first_string
        return self.strings[offset:self.strings.index(b"\0", offset)].decode()

    def type(self, number):
        if number < self.first_id:
            return self.base.type(number)
        return self.types[number - self.first_id]

    def find(self, wanted, name):
        """The tail, or else the type that is referred to, of a definition."""
        for offset, kind, target, tail in self.types:
            if kind == wanted and self.string(offset) == name:
                return tail or target
        return self.base.find(wanted, name) if self.base else None

    def members(self, name):
        """(name, type, offset in bits) of each."""
        tail = self.find(STRUCT, name)
        if not tail:
            raise Refused(f"has no struct {name}")
        return [(self.string(text), number, bits & 0xffffff)
                for text, number, bits in struct.iter_unpack("=III", tail)]

    def declare(self, number, inner):
        """A declaration in C of `inner`, which is a name or more."""
        if number == 0:
            return f"void {inner}"
        text, kind, target, tail = self.type(number)
        if kind == PTR:
            to_function = target and self.type(target)[1] == FUNC_PROTO
            return self.declare(target,
                                f"(*{inner})" if to_function else f"*{inner}")
        if kind == CONST:
            return "const " + self.declare(target, inner)
        if kind == TYPE_TAG:
            return self.declare(target, inner)
        if kind == FUNC_PROTO:
            parameters = [self.declare(parameter, self.string(name))
                          for name, parameter in
                          struct.iter_unpack("=II", tail)]
            return self.declare(target, f"{inner}({', '.join(parameters)})")
        word = {STRUCT: "struct ", UNION: "union ", ENUM: "enum ",
                FWD: "struct "}.get(kind, "")
        return f"{word}{self.string(text)} {inner}"


def split(data):
    """(name, kind, size or type, what follows) of each type."""
    position = 0
    while position < len(data):
        name, info, target = struct.unpack_from("=III", data, position)
        kind = info >> 24 & 0x1f
        length = FIXED_TAIL.get(kind, 0) + \
            TAIL_PER_ITEM.get(kind, 0) * (info & 0xffff)
        position += 12
        yield name, kind, target, data[position:position + length]
        position += length


def plain(declaration):
    """One spelling for one declaration, whatever its pointers are called."""
    text = re.sub(r"\s+", " ", declaration).strip()
    text = re.sub(r" ?([*(),]) ?", r"\1", text)
    head, parenthesis, parameters = text.rpartition("(")
    if parenthesis:
        parameters = re.sub(r"\*\w+", "*", parameters)
    return head + parenthesis + parameters


def ours(text):
    """What vport-abi.h declares: {structure: members}, {function: all}."""
    text = re.sub(r"/\*.*?\*/|^#.*?$", "", text, flags=re.S | re.M)
    structures = {
        name: [plain(member) for member in body.split(";") if member.strip()]
        for name, body in re.findall(r"struct (\w+) \{(.*?)\};", text, re.S)}
    rest = re.sub(r"struct \w+ \{.*?\};", "", text, flags=re.S)
    functions = {re.search(r"(\w+)\(", line)[1]: plain(line)
                 for line in rest.split(";") if "(" in line}
    return structures, functions


def compare(btf, structures, functions):
    for name, wanted in structures.items():
        found = [plain(btf.declare(number, member))
                 for member, number, _ in btf.members(name)]
        for number, member in enumerate(wanted):
            here = found[number] if number < len(found) else "nothing"
            if here != member:
                raise Refused(f'has "{here}" in struct {name} instead of '
                              f'"{member}"')
        if name in COMPLETE and len(found) > len(wanted):
            raise Refused(f'has "{found[len(wanted)]}" in struct {name} '
                          "beyond what is known")
    for name, wanted in functions.items():
        proto = btf.find(FUNC, name)
        here = plain(btf.declare(proto, name)) if proto else "nothing"
        if here != wanted:
            raise Refused(f'has "{here}" instead of "{wanted}"')


def namespace_offset(btf):
    for name, number, bits in btf.members("datapath"):
        if plain(btf.declare(number, name)) == "possible_net_t net":
            return bits // 8
    raise Refused('has no "possible_net_t net" in struct datapath')


def unpacked(path):
    """A module, or a kernel's image, without its compression."""
    data = path.read_bytes()
    if data[0x202:0x206] == b"HdrS":        # An x86 image: only its payload.
        start = (data[0x1f1] + 1) * 512
        offset, length = struct.unpack_from("<II", data, 0x248)
        data = data[start + offset:start + offset + length]
    if data.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMADecompressor().decompress(data)
    if data.startswith(b"\x1f\x8b"):
        return gzip.decompress(data)
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        # What follows the kernel in its image is an error, after the fact.
        return subprocess.run(["zstd", "-dcq"], input=data, check=False,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL).stdout
    return data


def first_file(paths, what):
    for path in paths:
        if path.exists():
            return path
    raise Refused(f"cannot be compared: there is no {what} (SYSROOT= says "
                  "where that kernel was unpacked)")


def read_btf(kdir, sysroot, release):
    modules = sysroot / "lib/modules" / release
    path = modules / "kernel/net/openvswitch/openvswitch.ko"
    module = first_file([pathlib.Path(f"{path}{suffix}")
                         for suffix in ("", ".xz", ".zst", ".gz")], path)
    image = sysroot / f"boot/vmlinuz-{release}"
    images = [kdir / "vmlinux", image, modules / "vmlinuz"]
    if os.uname().release == release:
        images.append(pathlib.Path("/sys/kernel/btf/vmlinux"))
    image = first_file(images, image)
    return Btf(unpacked(module), Btf(unpacked(image)))


def release_of(kdir):
    """As the kernel calls itself."""
    text = (kdir / "include/generated/utsrelease.h").read_text(
        encoding="ascii")
    return re.search(r'UTS_RELEASE "(.*?)"', text)[1]


def refuse(sentence):
    print(f"vport-eoip.ko will refuse to load: {sentence}", file=sys.stderr)
    quoted = sentence.replace('"', r'\"')
    print(f'#define VPORT_REFUSED "{quoted}"')


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    kdir = pathlib.Path(sys.argv[1])
    sysroot = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else "/")
    release = release_of(kdir)
    header = (HERE / "vport-abi.h").read_text(encoding="utf-8")
    print("/* Made by vport-abi.py. */")
    try:
        btf = read_btf(kdir, sysroot, release)
        compare(btf, *ours(header))
        print(f"#define VPORT_DATAPATH_NET {namespace_offset(btf)}")
    except Refused as reason:
        refuse(f"openvswitch.ko of {release} {reason}")
    except (OSError, ValueError, IndexError, struct.error,
            lzma.LZMAError) as reason:
        refuse(f"openvswitch.ko of {release} cannot be read: {reason}")


if __name__ == "__main__":
    main()
