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


def path(name):
    """Of a file in the folder EOIP_MODULES, if that is set and has it; else
    the name, for modprobe."""
    found = pathlib.Path(os.environ.get("EOIP_MODULES", ""), f"{name}.ko")
    return str(found) if "EOIP_MODULES" in os.environ and found.is_file() \
        else name


def load(name):
    if loaded(name):
        return
    if (file := path(name)) != name:
        depends = run("modinfo", "-F", "depends", file).stdout.strip()
        for other in filter(None, depends.split(",")):
            run("modprobe", "-q", other)
        done = run("insmod", file)
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
