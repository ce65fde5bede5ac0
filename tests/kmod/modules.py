# SPDX-License-Identifier: Apache-2.0
"""Kernel modules, ours and the stock ones that live beside it."""

import os
import pathlib

from sandbox import Skip, check, run


def loaded(name):
    """As a module; what is built in does not count."""
    with open("/proc/modules") as modules:
        return any(line.split()[0] == name for line in modules)


def built_in(name):
    return not loaded(name) and os.path.isdir(f"/sys/module/{name}")


def load(name):
    """Ours comes from the folder EOIP_MODULES if that is set."""
    if loaded(name):
        return
    folder = os.environ.get("EOIP_MODULES")
    path = pathlib.Path(folder or "", f"{name}.ko")
    if folder and path.is_file():
        depends = run("modinfo", "-F", "depends", str(path)).stdout.strip()
        for other in filter(None, depends.split(",")):
            run("modprobe", "-q", other)
        done = run("insmod", str(path))
    else:
        done = run("modprobe", name)
    check(done.returncode == 0, f"loading {name}: {done.stderr.strip()}")


def unload(name, timeout=30.0):
    if not loaded(name):
        return
    done = run("rmmod", name, timeout=timeout)
    check(done.returncode == 0, f"rmmod {name}: {done.stderr.strip()}")


def need(name):
    """A stock module, loaded or built in; without it the test is skipped."""
    if run("modprobe", "-q", name).returncode != 0 \
            and not loaded(name) and not os.path.isdir(f"/sys/module/{name}"):
        raise Skip(f"this kernel has no module {name}")


def need_loadable(name):
    """The same, and it can be unloaded and loaded again."""
    need(name)
    if not loaded(name):
        raise Skip(f"{name} is built into this kernel, so that its place in "
                   "the order cannot be changed")
