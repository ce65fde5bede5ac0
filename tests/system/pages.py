# SPDX-License-Identifier: Apache-2.0
"""The pages of documentation, and the blocks of code in them.

A block says behind its language what is done with it:

    sh a            run at that place of the sandbox: a, b, host-a, host-b, or
                    "top", the folder of the source
    sh a datapath=D run there if the sandbox has that datapath, netdev or system
    sh by=FILE,...  run elsewhere: every word of it is in one of the FILEs, or
                    one of them takes the block from "{TOP}/PAGE"
    sh on=NAME,...  typed on machines of tests/boot/run that follow the page
    ini on=NAME,... FILE
                    FILE of such machines; yaml likewise
    text            after a block that is run: lines of its output, "..." for
                    anything; elsewhere a drawing
    routeros        for a router; its words are checked
    ini             a file, not commands; yaml and xml likewise
"""

import glob
import os
import re

from sandbox import DATAPATH, TOP, check, run

PLACES = ("a", "b", "host-a", "host-b", "top")

# The pages that tests/boot/run follows.
RUN_ON_MACHINES = ("docs/reboot.md",)

# RouterOS's other menus in our pages, and what may be said there.
MENUS = {"/interface bridge": "protocol-mode vlan-filtering",
         "/interface bridge port": "bridge interface pvid",
         "/interface bridge vlan": "bridge tagged untagged vlan-ids",
         "/ip ipsec profile": "hash-algorithm enc-algorithm dh-group",
         "/ip ipsec proposal": "enc-algorithms pfs-group"}


class Block:
    def __init__(self, page, line, language, words):
        self.where = f"{page}:{line}"
        self.language = language
        self.by = [word[3:].split(",") for word in words
                   if word.startswith("by=")]
        self.machines = [name for word in words if word.startswith("on=")
                         for name in word[3:].split(",")]
        self.datapath = next((word[9:] for word in words
                              if word.startswith("datapath=")), None)
        self.places = [word for word in words if "=" not in word]
        self.text = ""

    def runs(self, datapath):
        return self.language == "sh" and not self.by and (
            not self.machines and self.datapath in (None, datapath))

    def commands(self):
        return [line for line in self.text.splitlines() if line.strip()]


def names():
    """Paths of all pages from the top but docs/controllers.md, which is
    run block by block by test_controllers.py, and has programs, too."""
    return ["README.md", "CONTRIBUTING.md", *sorted(
        os.path.relpath(path, TOP) for path in glob.glob(f"{TOP}/docs/*.md")
        if not path.endswith("/controllers.md"))]


def blocks(page):
    found, block = [], None
    with open(f"{TOP}/{page}", encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.startswith("```"):
                if block:
                    found.append(block)
                    block = None
                else:
                    language, *words = line[3:].split() or [""]
                    block = Block(page, number, language, words)
            elif block:
                block.text += line
            else:
                check(not re.match(r"(    |\t)\S|\s+```", line),
                      f"{page}:{number}: "
                      "code that says in no fence what is done with it")
    check(block is None, f"{page}: the last block has no end")
    return found


def examples(manual):
    """The commands that a manual page shows, one text for each block."""
    with open(manual, encoding="utf-8") as file:
        found = re.findall(r"^\.Bd -literal -offset indent\n(.*?)^\.Ed$",
                           file.read(), re.DOTALL | re.MULTILINE)
    return [text.replace("\\e", "\\") for text in found]


# Blocks that are not run here.

def check_marked(block):
    """What cannot be run is at least well-formed."""
    check(block.language in ("sh", "text", "routeros", "ini", "yaml", "xml"),
          f"{block.where}: nobody runs \"{block.language}\"")
    check(block.datapath in (None, "netdev", "system"),
          f"{block.where}: there is no datapath {block.datapath}")
    if block.language == "routeros":
        for line in block.commands():
            check_routeros(block, line)
    elif block.language == "sh" and block.by:
        check_run_elsewhere(block)
    elif block.machines:
        check((block.language == "sh") == (not block.places)
              and block.where.partition(":")[0] in RUN_ON_MACHINES,
              f"{block.where}: no machine does that")
    elif block.language == "sh":
        check(block.places and set(block.places) <= set(PLACES),
              f"{block.where}: says in none of {PLACES} where it is run")


def check_run_elsewhere(block):
    text = ""
    for path in block.by[0]:
        with open(f"{TOP}/{path}", encoding="utf-8") as file:
            text += file.read()
    if f"{{TOP}}/{block.where.partition(':')[0]}" in text:
        return
    for line in block.commands():
        for word in line.partition("#")[0].split():
            name = word.rpartition("../")[2]
            check(name in ("sudo", "&&") or name[0] == "-" or name in text,
                  f"{block.where}: \"{word}\" is not in {block.by[0]}")


def check_routeros(block, line):
    with open(f"{TOP}/ovsdb-schema/eoip.xml", encoding="utf-8") as file:
        properties = re.findall(r'<property name="([a-z0-9-]+)"', file.read())
    menus = {**MENUS, "/interface eoip": " ".join(["name", *properties])}
    match = re.fullmatch(r"(/[a-z0-9 ]+?) (add|set [a-z0-9]+)((?: \S+)+)",
                         line)
    check(match and match[1] in menus,
          f"{block.where}: not RouterOS as we know it: {line}")
    for word in match[3].split():
        name = word.partition("=")[0].removeprefix("!")
        check(name in menus[match[1]].split()
              and ("=" in word) != word.startswith("!"),
              f"{block.where}: RouterOS's {match[1]} has no \"{word}\"")


# Blocks that are.

def run_page(sandbox, page, before=lambda block: None):
    """Runs what is to be run, in the page's order; returns how much.
    before(block) is called before each block."""
    output, count = None, 0
    for block in blocks(page):
        before(block)
        if block.runs(DATAPATH):
            output = "".join(run_block(sandbox, block, place)
                             for place in block.places)
            count += len(block.commands())
        elif block.language == "text" and output is not None:
            check_output(block, output)
        else:
            output = None
    check(count, f"{page} has nothing to run")
    return count


def run_block(sandbox, block, place):
    script = f"set -e -o pipefail\ncd '{TOP}'\n{block.text}"
    if place == "top":
        # Tests are root, and on a machine that may have no sudo.
        done = run("bash", "-c", f'sudo() {{ "$@"; }}\n{script}')
    else:
        done = sandbox.try_exec(place, "bash", "-c", script)
    check(done.returncode == 0, f"{block.where} at {place}: exit "
          f"{done.returncode}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def check_output(block, output):
    lines = [line.strip() for line in output.splitlines()]
    for expected in block.commands():
        pattern = ".*".join(map(re.escape, expected.strip().split("...")))
        check(any(re.fullmatch(pattern, line) for line in lines),
              f"{block.where}: no line \"{expected}\" in: {output.strip()}")
