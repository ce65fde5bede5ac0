# SPDX-License-Identifier: Apache-2.0
"""What the emulator starts a kernel with: busybox, the modules that it needs to
reach its file tree, and a first program."""

import lzma
import pathlib
import shutil
import subprocess


def insmods(tree, release, names):
    """Paths of the modules and of what they need, in an order that insmod
    accepts.  Their index is below tree/lib/modules; what the kernel has built
    in needs none."""
    shown = subprocess.run(
        ["modprobe", "-d", tree, "-S", release, "--show-depends", "-a",
         *names], capture_output=True, text=True, check=True).stdout
    paths = [line.split()[1] for line in shown.splitlines()
             if line.startswith("insmod ")]
    return list(dict.fromkeys(paths))


def write(path, busybox, init, modules):
    """Writes `path` beside a folder of its content.  `init` finds the modules
    in /modules, and their order in /modules/order."""
    root = path.with_suffix("")
    (root / "bin").mkdir(parents=True)
    (root / "modules").mkdir()
    shutil.copy(busybox, root / "bin")
    shutil.copy(init, root / "init")
    order = []
    for module in map(pathlib.Path, modules):
        name = module.name.removesuffix(".xz")
        with (lzma.open(module) if module.suffix == ".xz"
              else open(module, "rb")) as data:
            (root / "modules" / name).write_bytes(data.read())
        order.append(name)
    (root / "modules/order").write_text(
        "".join(f"{name}\n" for name in order), encoding="ascii")
    names = "\n".join(str(entry.relative_to(root))
                      for entry in [root, *root.rglob("*")])
    with open(path, "wb") as out:
        subprocess.run(["busybox", "cpio", "-o", "-H", "newc"], cwd=root,
                       input=names.encode(), stdout=out,
                       stderr=subprocess.PIPE, check=True)
