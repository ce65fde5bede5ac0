# SPDX-License-Identifier: Apache-2.0
"""The Open vSwitch vport type, asked for as an Open vSwitch would.

    a: dp, ports: eoip_sys, in (10.0.0.1)      b: e1 (10.0.0.2, id 100)

Who asks stands in neither namespace: only the socket does."""

import contextlib
import errno
import os
import pathlib

import modules
from bed import INNER, UNDERLAY
from datapath import (TUNNEL_DF, TUNNEL_OAM, TYPE_EOIP, TYPE_INTERNAL, Datapath,
                      output, set_tunnel)
from packets import ARP_REQUEST, ipv4
from peer import outer
from rtnl import IFF_UP, NetlinkError
from sandbox import Skip, check, check_equal, run, until

NAME = "eoip_sys"
PORT = (TYPE_EOIP, 1)


@contextlib.contextmanager
def datapath(bed, where="a"):
    """An empty one, in whose namespace nothing is there before."""
    modules.need("openvswitch")
    with contextlib.closing(Datapath(bed.netns(where))) as found:
        found.new()
        yield found
        # What is not there any more went with its namespace.
        if where in bed.namespaces:
            found.delete_all()


def known():
    """The module is loaded, if there is one for this kernel."""
    modules.need("openvswitch")
    if modules.loaded("vport_eoip"):
        return
    if "openvswitch" not in run("modinfo", "-F", "depends",
                                modules.path("vport-eoip")).stdout:
        raise Skip("there is no vport type for this kernel's openvswitch.ko")
    modules.load("vport-eoip")


def refused(call, expected, what):
    try:
        call()
    except NetlinkError as error:
        check_equal(f"errno of {what}", errno.errorcode[error.errno],
                    errno.errorcode[expected])
        return
    check(False, f"{what} is accepted")


def is_port(bed, dp, where="a"):
    """The port and its device are there, as they should be."""
    check_equal("port", dp.ports().get(NAME), PORT)
    link = bed.link(where, NAME)
    check_equal("kind, external", (link.kind, link.options().get("external")),
                ("eoip", True))
    check(link.flags & IFF_UP, "the device is down")
    check_equal("MTU", link.mtu, link.max_mtu)
    return link


def is_no_port(bed, dp, where="a"):
    check_equal("port", dp.ports().get(NAME), None)
    check_equal("link", bed.rtnl(where).link(NAME), None)


def test_loaded_by_need(bed):
    """The first port loads the modules, by the alias of its type."""
    if "EOIP_MODULES" in os.environ:
        raise Skip("the modules are not where modprobe looks for them")
    modules.unload("vport_eoip")
    modules.unload("eoip")
    with datapath(bed) as dp:
        dp.add_port(NAME, *PORT)
        check(modules.loaded("vport_eoip") and modules.loaded("eoip"),
              "there is a port without the modules")
        is_port(bed, dp)


def test_add_and_delete(bed):
    """The device comes and goes with its port, again and again."""
    known()
    with datapath(bed) as dp:
        for _ in range(20):
            dp.add_port(NAME, *PORT)
            is_port(bed, dp)
            refused(lambda: dp.add_port(NAME, TYPE_EOIP, 7), errno.EEXIST,
                    "a port of the same name")
            dp.delete_port(NAME)
            is_no_port(bed, dp)


def test_traffic(bed):
    """Between the vport type and a point-to-point device."""
    known()
    bed.tunnel("b", address=INNER["b"], mtu=1500)
    with datapath(bed) as dp:
        dp.add_port(NAME, *PORT)
        dp.add_port("in", TYPE_INTERNAL, 2)
        bed.rtnl("a").up("in")
        bed.ip("a", f"addr add {INNER['a']}/24 dev in")
        dp.add_flow(1, output(2))
        dp.add_flow(2, set_tunnel(100, UNDERLAY["b"]) + output(1))
        bed.ping_both_ways()
        bed.ping_both_ways(1472)
        bed.tcp_both_ways(500_000)


def test_df(bed):
    """A flow says what the outer DF bit is: set, or by a flag that EoIP has no
    other use for, that of a frame which has one."""
    known()
    ether = b"\xff" * 6 + bytes.fromhex("0200000000110800")
    frames = [ether + ipv4(bytes(30), proto=253, fragment=fragment)
              for fragment in (0, 0x4000)] + [ARP_REQUEST]
    with datapath(bed) as dp:
        dp.add_port(NAME, *PORT)
        dp.add_port("in", TYPE_INTERNAL, 2)
        bed.rtnl("a").up("in")
        for flags, expected in (((), (0, 0, 0)),
                                ((TUNNEL_DF,), (1, 1, 1)),
                                ((TUNNEL_OAM,), (0, 1, 0)),
                                ((TUNNEL_DF, TUNNEL_OAM), (0, 1, 1))):
            dp.add_flow(2, set_tunnel(100, UNDERLAY["b"], *flags) + output(1))
            check_equal(f"DF with the flags {flags}", tuple(
                outer(bed, frame, device="in")[6] >> 6
                for frame in frames), expected)
            dp.delete_flows()


def test_existing_device_is_linked(bed):
    """What userspace made already is taken, in its place and as it is."""
    known()
    bed.tunnel("a", NAME, external=True, up=False)
    before = bed.link("a", NAME)
    with datapath(bed) as dp:
        dp.add_port(NAME, *PORT)
        check_equal("index", bed.link("a", NAME).index, before.index)
        check_equal("MTU", bed.link("a", NAME).mtu, before.mtu)
        check(bed.link("a", NAME).flags & IFF_UP, "the device is down")
        dp.delete_port(NAME)
        is_no_port(bed, dp)


def test_other_device_is_left_alone(bed):
    """One of that name that is not external, or not ours at all."""
    known()
    with datapath(bed) as dp:
        bed.tunnel("a", NAME, id=7)
        before = bed.link("a", NAME)
        refused(lambda: dp.add_port(NAME, *PORT), errno.EEXIST,
                "a port on a point-to-point device")
        check_equal("index, options",
                    (bed.link("a", NAME).index, bed.options("a", NAME)),
                    (before.index, before.options()))
        bed.rtnl("a").delete(NAME)
        bed.ip("a", f"link add {NAME} type veth peer name other")
        refused(lambda: dp.add_port(NAME, *PORT), errno.EEXIST,
                "a port on a veth")
        check_equal("kind", bed.link("a", NAME).kind, "veth")
        check_equal("port", dp.ports().get(NAME), None)
        bed.rtnl("a").delete(NAME)
        # There can be one external device, and it has another name.
        bed.tunnel("a", "ext", external=True)
        refused(lambda: dp.add_port(NAME, *PORT), errno.EEXIST,
                "a second external device")
        is_no_port(bed, dp)
        bed.rtnl("a").delete("ext")
        dp.add_port(NAME, *PORT)
        is_port(bed, dp)


def test_device_in_use(bed):
    """It is another datapath's: nothing changes."""
    known()
    with datapath(bed) as dp, \
            contextlib.closing(Datapath(bed.netns("a"), "dp2")) as other:
        other.new()
        dp.add_port(NAME, *PORT)
        refused(lambda: other.add_port(NAME, *PORT), errno.EBUSY,
                "the device of another datapath")
        is_port(bed, dp)
        other.delete_all()


def test_device_goes_first(bed):
    """`ip link del` takes the port along, and it can come again."""
    known()
    with datapath(bed) as dp:
        for _ in range(5):
            dp.add_port(NAME, *PORT)
            bed.rtnl("a").delete(NAME)
            until(lambda: NAME not in dp.ports(), "the port is still there")
            is_no_port(bed, dp)
        dp.add_port(NAME, *PORT)
        is_port(bed, dp)


def test_unload(bed):
    """Not while there is a port; then at once."""
    known()
    with datapath(bed) as dp:
        dp.add_port(NAME, *PORT)
        for name in ("vport_eoip", "eoip"):
            done = run("rmmod", name)
            check(done.returncode != 0 and "in use" in done.stderr,
                  f"rmmod {name}: {done.returncode} {done.stderr.strip()}")
        is_port(bed, dp)
        dp.delete_port(NAME)
        modules.unload("vport_eoip")
        check(not modules.loaded("vport_eoip"), "the module is still there")
        if "EOIP_MODULES" in os.environ:
            refused(lambda: dp.add_port(NAME, *PORT), errno.EAFNOSUPPORT,
                    "a port without the module")


def test_two_namespaces(bed):
    """Each has its own; neither appears where the other is."""
    known()
    with datapath(bed, "a") as one, datapath(bed, "b") as two:
        one.add_port(NAME, *PORT)
        is_port(bed, one, "a")
        is_no_port(bed, two, "b")
        two.add_port(NAME, *PORT)
        is_port(bed, two, "b")
        one.delete_port(NAME)
        is_no_port(bed, one, "a")
        is_port(bed, two, "b")
    done = run("ip", "-o", "link", "show", NAME)
    check(done.returncode != 0, f"a device where we are: {done.stdout}")


def test_datapath_goes_first(bed):
    known()
    with datapath(bed) as dp:
        dp.add_port(NAME, *PORT)
        dp.delete_all()
        check_equal("link", bed.rtnl("a").link(NAME), None)
        dp.index = 0
        dp.new()


def test_namespace_goes_first(bed):
    """With a port in it; the module is free again."""
    known()
    with datapath(bed) as dp:
        dp.add_port(NAME, *PORT)
        dp.close()
        bed.remove_namespace("a")

    def goes():
        return run("rmmod", "vport_eoip").returncode == 0
    until(goes, "the module is still in use", 30)


def strange(name):
    """A module that is built for an Open vSwitch that there is not; see
    tests/kmod/build-strange."""
    folder = os.environ.get("EOIP_STRANGE_MODULES")
    if not folder:
        raise Skip("EOIP_STRANGE_MODULES is not set")
    path = pathlib.Path(folder, name, "vport-eoip.ko")
    check(path.is_file(), f"there is no {path}")
    modules.need("openvswitch")
    modules.load("eoip")
    modules.unload("vport_eoip")
    return run("insmod", str(path))


def refuses_at_run_time(bed, name):
    done = strange(name)
    check_equal(f"insmod: {done.stderr.strip()}", done.returncode, 0)
    try:
        with datapath(bed) as dp:
            for _ in range(3):
                refused(lambda: dp.add_port(NAME, *PORT), errno.EOPNOTSUPP,
                        f"a port with {name}")
                is_no_port(bed, dp)
        log = run("dmesg").stdout
        check("vport_eoip: no port is made" in log, "the log says nothing")
    finally:
        modules.unload("vport_eoip")


def test_struct_vport_differs(bed):
    refuses_at_run_time(bed, "struct-vport")


def test_struct_vport_parms_differs(bed):
    refuses_at_run_time(bed, "struct-vport-parms")


def test_namespace_elsewhere(bed):
    refuses_at_run_time(bed, "namespace")


def test_unknown_kernel(bed):
    """It does not even load, and says why."""
    done = strange("refused")
    check(done.returncode != 0, "it loads")
    check(not modules.loaded("vport_eoip"), "it stays")
    log = run("dmesg").stdout
    check("vport_eoip: made for a kernel whose Open vSwitch it does not know: "
          "openvswitch.ko of " in log, f"the log says {log[-300:]}")
