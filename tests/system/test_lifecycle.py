# SPDX-License-Identifier: Apache-2.0
"""The sandbox itself: what it leaves behind (nothing) and what it says."""

import glob
import os
import signal

from sandbox import TOP, Sandbox, Skip, check, check_equal, run, until

UP = None
USERSPACE_ONLY = "of the sandbox, whichever datapath it has"


def leftovers(name):
    """Namespaces, files and processes of the sandbox of this name."""
    names = [line.split()[0] for line in
             run("ip", "netns", "list").stdout.splitlines()
             if line.startswith(f"{name}-")]
    files = glob.glob(f"/run/{name}-sandbox*")
    processes = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file:
                if f"/run/{name}-sandbox".encode() in file.read():
                    processes.append(path)
        except OSError:
            pass  # Ended meanwhile.
    return names + files + processes


def check_nothing_is_left(name):
    check_equal("what is left", leftovers(name), [])


def refused(sandbox, code, *arguments):
    """What `eoip-sandbox` says, in one line, when it exits with `code`."""
    done = sandbox.call(*arguments)
    check_equal(f"exit code of {' '.join(arguments)}", done.returncode, code)
    lines = done.stderr.strip().splitlines()
    check_equal(f"lines that {' '.join(arguments)} says", len(lines), 1)
    return lines[0]


def test_down_leaves_nothing(sandbox):
    """up, down, and down again."""
    sandbox.up()
    check(len(leftovers(sandbox.name)) >= 5, "up made less than was expected")
    sandbox.down()
    check_nothing_is_left(sandbox.name)
    sandbox.down()


def test_down_after_a_crash(sandbox):
    """A switch was killed, a command is still running in a site."""
    sandbox.up()
    sandbox.kill_vswitchd("a")
    sandbox.exec("host-a", "sh", "-c", "sleep 1000 >/dev/null 2>&1 &")
    sandbox.down()
    check_nothing_is_left(sandbox.name)
    sandbox.up()
    sandbox.down()


def test_stale_pidfile(sandbox):
    """A pidfile that names somebody else's process: it is left alone."""
    sandbox.up()
    bystander = os.spawnlp(os.P_NOWAIT, "sleep", "sleep", "1000")
    try:
        for name in glob.glob(f"/run/{sandbox.name}-sandbox/*/*.pid"):
            with open(name, "w") as file:
                file.write(f"{bystander}\n")
        sandbox.down()
        check_nothing_is_left(sandbox.name)
        check_equal("the bystander", os.waitpid(bystander, os.WNOHANG), (0, 0))
    finally:
        os.kill(bystander, signal.SIGKILL)
        os.waitpid(bystander, 0)


def test_second_up(sandbox):
    """It is up already: one sentence, and the first one is not hurt."""
    sandbox.up()
    check("up already" in refused(sandbox, 1, "up"), "it does not say why")
    check(sandbox.can_ping("a", "192.0.2.2"), "the first sandbox is broken")


def test_failed_up(sandbox):
    """Something that is not a switch in its place: up fails and tidies up."""
    build = os.environ.get("EOIP_BUILD")
    real = build or f"{TOP}/build"
    fake = f"/run/{sandbox.name}-fake"
    try:
        for part in "ovsdb", "utilities":
            os.makedirs(f"{fake}/ovs", exist_ok=True)
            os.symlink(f"{real}/ovs/{part}", f"{fake}/ovs/{part}")
        os.makedirs(f"{fake}/ovs/vswitchd")
        os.symlink(f"{real}/ovs/vswitchd/vswitch.ovsschema",
                   f"{fake}/ovs/vswitchd/vswitch.ovsschema")
        os.environ["EOIP_BUILD"] = fake
        check("utilities/prepare" in refused(sandbox, 1, "up"),
              "it does not say what to run when the switch is missing")
        os.symlink("/bin/false", f"{fake}/ovs/vswitchd/ovs-vswitchd")
        done = sandbox.call("up")
        check(done.returncode != 0, "up succeeded without a switch")
        check("did not start" in done.stderr, f"it says: {done.stderr}")
        check_nothing_is_left(sandbox.name)
    finally:
        os.environ.pop("EOIP_BUILD")
        if build:
            os.environ["EOIP_BUILD"] = build
        run("rm", "-rf", fake)


def test_interrupted_up(sandbox):
    """up is terminated half-way, and killed half-way."""
    for number in signal.SIGTERM, signal.SIGKILL:
        devnull = os.open(os.devnull, os.O_WRONLY)
        pid = os.posix_spawn(
            f"{TOP}/utilities/eoip-sandbox", ["eoip-sandbox", "up"],
            os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, devnull, 1),
                                      (os.POSIX_SPAWN_DUP2, devnull, 2)])
        os.close(devnull)
        until(lambda: glob.glob(f"/run/{sandbox.name}-sandbox/a/*.pid"),
              "up does not get half-way")
        os.kill(pid, number)
        os.waitpid(pid, 0)
        if number == signal.SIGKILL:
            sandbox.down()
        check_nothing_is_left(sandbox.name)


def test_two_side_by_side(sandbox):
    """Another sandbox comes and goes, this one does not notice."""
    sandbox.up()
    other = Sandbox(f"{sandbox.name}-2")
    try:
        other.up("--plain-b", "--underlay-mtu", "1600")
        check(other.can_ping("a", "192.0.2.2"), "the second one has no wire")
        check_equal("MTU of host-a", other.link("host-a", "eth0")["mtu"], 1558)
    finally:
        other.down()
        os.environ["EOIP_SANDBOX"] = sandbox.name
    check_nothing_is_left(other.name)
    check(sandbox.can_ping("a", "192.0.2.2"), "the first one has no wire")


def test_foreign_namespace(sandbox):
    """A namespace of the same name that is not ours survives up and down."""
    name = sandbox.netns("b")
    run("ip", "netns", "add", name)
    try:
        check(name in refused(sandbox, 1, "up"), "the namespace is not named")
        refused(sandbox, 1, "exec", "b", "true")
        sandbox.down()
        check(os.path.exists(f"/run/netns/{name}"), "it was removed")
    finally:
        run("ip", "netns", "del", name)


def test_bad_arguments(sandbox):
    """One sentence, exit 2, with the option, the value and what is allowed."""
    for arguments, wanted in (
            (("up", "--underlay-mtu", "100"), ("--underlay-mtu", "'100'",
                                               "576 to 9000")),
            (("up", "--underlay-mtu", "1e3"), ("'1e3'",)),
            (("up", "--underlay-mtu"), ("--underlay-mtu",)),
            (("up", "--underlay", "dpdk"), ("--underlay", "'dpdk'", "afxdp")),
            (("up", "--underlay", "afxdp", "--underlay-mtu", "9000"),
             ("'9000'", "576 to 3000")),
            (("up", "--plain"), ("'--plain'", "--plain-b")),
            (("up", "--datapath", "kernel"), ("--datapath", "'kernel'",
                                              "netdev, system")),
            (("up", "--datapath", "system", "--underlay", "afxdp"),
             ("--underlay", "'afxdp'", "--datapath netdev")),
            (("exec", "c", "--", "true"), ("'c'", "host-a")),
            (("exec", "a"), ("command",)),
            (("restart", "host-a"), ("'host-a'", "a, b")),
            (("down", "now"), ("'now'",)),
            (("sideways",), ("'sideways'", "restart")),
            ((), ("''", "up"))):
        said = refused(sandbox, 2, *arguments)
        for word in wanted:
            check(word in said, f"{arguments}: {word} is missing in: {said}")
    check_nothing_is_left(sandbox.name)


def test_no_kernel_datapath(sandbox):
    """--datapath system where the kernel has no openvswitch."""
    if (os.path.exists("/sys/module/openvswitch")
            or run("modprobe", "-qn", "openvswitch").returncode == 0):
        raise Skip("this kernel has the module openvswitch")
    check("openvswitch" in refused(sandbox, 1, "up", "--datapath", "system"),
          "it does not say what is missing")
    check_nothing_is_left(sandbox.name)


def test_quickstart(sandbox):
    """The first command that anybody runs."""
    done = run(f"{TOP}/utilities/quickstart", timeout=55)
    check_equal("exit code, saying " + done.stderr[-200:], done.returncode, 0)
    for words in ("GRE version 1 with key, type 0x6400", "1234, little-endian",
                  "SHA-256 equal at both ends", "e1: remote 192.0.2.2"):
        check(words in done.stdout, f"it does not show: {words}")
    check_equal("what it says on stderr", done.stderr, "")
    check_nothing_is_left("eoip-quickstart")


def test_exit_code_of_exec(sandbox):
    """exec is the command: its exit code, its output."""
    sandbox.up("--plain-b")
    check_equal("exit code", sandbox.call("exec", "b", "--", "sh", "-c",
                                          "exit 7").returncode, 7)
    check("has no host-b" in refused(sandbox, 1, "exec", "host-b", "true"),
          "with --plain-b there is no host-b")
