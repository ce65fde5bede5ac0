# SPDX-License-Identifier: Apache-2.0
"""The underlay of a device is where it was made; the device itself may be
elsewhere, and goes when either ends.

    h: e1 10.0.0.1             (the device, moved away)
    a: u 192.0.2.1 == b: u 192.0.2.2, e1 10.0.0.2
"""

import struct

import rtnl
from bed import INNER, UNDERLAY
from sandbox import check, check_equal, until

NEEDED = {"id": 100, "remote": UNDERLAY["b"]}


def move_to_h(bed):
    """a's device is in h."""
    bed.add_namespace("h")
    bed.tunnel("b", address=INNER["b"])
    bed.tunnel("a", up=False)
    bed.rtnl("a").move("e1", bed.netns("h"))
    bed.rtnl("h").up("e1")
    bed.ip("h", f"addr add {INNER['a']}/24 dev e1")


def traffic_with_h(bed):
    bed.ping("h", INNER["b"])
    bed.ping("b", INNER["a"])


def test_moved_device(bed):
    """It sends and receives in the underlay it came from."""
    move_to_h(bed)
    check(bed.rtnl("a").link("e1") is None, "the device is still in a")
    check_equal("options in h", {name: bed.options("h")[name]
                                 for name in NEEDED}, NEEDED)
    check(bed.link("h").netnsid is not None,
          "h does not say that the link's other end is in another namespace")
    traffic_with_h(bed)


def test_moved_and_changed(bed):
    """A change in its new home is about the old underlay."""
    move_to_h(bed)
    bed.rtnl("h").change("e1", {"id": 300})
    bed.rtnl("b").change("e1", {"id": 300})
    traffic_with_h(bed)
    bed.rtnl("a").add("e2", options=NEEDED)  # Its old place is free.
    try:
        bed.rtnl("h").change("e1", NEEDED)
    except rtnl.NetlinkError as error:
        check_equal("errno", error.errno, 17)  # EEXIST
    else:
        check(False, "two devices of one underlay have one tunnel")
    index = bed.link("a", "u").index
    bed.rtnl("h").change("e1", {"link": index})
    check_equal("link", bed.options("h")["link"], index)
    traffic_with_h(bed)


def test_link_of_the_same_number(bed):
    """Numbers of links are of their namespace: a device of h may send by one
    of a that has its own number, but at home not by itself."""
    move_to_h(bed)
    index = bed.link("h").index
    bed.ip("a", f"link add d1 index {index} type dummy", "link set d1 up")
    bed.rtnl("h").change("e1", {"link": index})
    check_equal("link", bed.options("h")["link"], index)
    bed.rtnl("h").change("e1", {"link": bed.link("a", "u").index})
    traffic_with_h(bed)
    bed.tunnel("a", "e2", id=2)
    try:
        bed.rtnl("a").change("e2", {"link": bed.link("a", "e2").index})
    except rtnl.NetlinkError as error:
        check_equal("errno", error.errno, 19)  # ENODEV
    else:
        check(False, "a device sends by itself")


def test_moved_twice_and_home(bed):
    move_to_h(bed)
    bed.add_namespace("i")
    bed.rtnl("h").move("e1", bed.netns("i"))
    bed.rtnl("i").move("e1", bed.netns("a"))
    bed.rtnl("a").up("e1")
    bed.ip("a", f"addr add {INNER['a']}/24 dev e1")
    bed.ping_both_ways()


def made_for(bed, there):
    with open(f"/run/netns/{bed.netns(there)}") as file:
        bed.rtnl("a").add("e1", options=NEEDED, extra=rtnl.attribute(
            rtnl.IFLA_NET_NS_FD, struct.pack("=I", file.fileno())))


def test_made_elsewhere(bed):
    """IFLA_NET_NS_FD: made in h, by a request in a, with a as its underlay."""
    bed.add_namespace("h")
    made_for(bed, "h")
    check(bed.rtnl("a").link("e1") is None, "the device is in a")
    bed.rtnl("h").up("e1")
    bed.ip("h", f"addr add {INNER['a']}/24 dev e1")
    bed.tunnel("b", address=INNER["b"])
    traffic_with_h(bed)


def test_made_by_netnsid(bed):
    """IFLA_LINK_NETNSID: a request in h whose underlay is a."""
    bed.add_namespace("h")
    bed.ip("h", f"netns set {bed.netns('a')} 7")
    bed.rtnl("h").add("e1", options=NEEDED, extra=rtnl.attribute(
        rtnl.IFLA_LINK_NETNSID, struct.pack("=i", 7)))
    bed.rtnl("h").up("e1")
    bed.ip("h", f"addr add {INNER['a']}/24 dev e1")
    bed.tunnel("b", address=INNER["b"])
    traffic_with_h(bed)


def test_same_tunnel_in_two(bed):
    """Each namespace has its own tunnels, and its own external device."""
    for where in ("a", "b"):
        bed.rtnl(where).add("e1", options=NEEDED)
        bed.rtnl(where).add("ext", options={"external": True})
    bed.add_namespace("h")
    try:
        made_for(bed, "h")
    except rtnl.NetlinkError as error:
        check_equal("errno", error.errno, 17)
    else:
        check(False, "a has the same tunnel twice, here and in h")


def test_end_of_the_device(bed):
    """h ends: the device goes, and its place in a's underlay is free."""
    move_to_h(bed)
    traffic_with_h(bed)
    bed.remove_namespace("h")

    def made_again():
        try:
            bed.rtnl("a").add("e1", options=NEEDED)
            return True
        except rtnl.NetlinkError as error:
            check_equal("errno", error.errno, 17)
            return False

    until(made_again, "the tunnel's place does not become free")
    bed.rtnl("a").up("e1")
    bed.ip("a", f"addr add {INNER['a']}/24 dev e1")
    bed.ping_both_ways()


def test_end_of_the_underlay(bed):
    """a ends: its device in h goes too, and h lives on."""
    move_to_h(bed)
    traffic_with_h(bed)
    bed.rtnl("a").add("e7", options={**NEEDED, "id": 7})
    bed.rtnl("a").move("e7", bed.netns("h"))
    bed.remove_namespace("a")
    until(lambda: not bed.rtnl("h").links(), "devices of a dead underlay live")
    bed.rtnl("h").add("e1", options=NEEDED)


def end_both(bed, first, second):
    move_to_h(bed)
    traffic_with_h(bed)
    bed.remove_namespace(first)
    bed.remove_namespace(second)
    # A new pair at once, while the old ones are still being taken down.
    bed.add_namespace("a")
    bed.rtnl("a").add("e1", options=NEEDED)


def test_end_of_both_underlay_first(bed):
    end_both(bed, "a", "h")


def test_end_of_both_device_first(bed):
    end_both(bed, "h", "a")


def test_underlay_of_a_moved_link(bed):
    """A device refers to its link by number; the link going away hurts
    nobody."""
    bed.ip("a", "link add d1 type dummy", "link set d1 up")
    bed.tunnel("a", link=bed.link("a", "d1").index)
    bed.ip("a", "link del d1")
    bed.exec("a", "ip", "-d", "link", "show", "e1")
    bed.rtnl("a").change("e1", {"ttl": 9})
    bed.rtnl("a").change("e1", {"link": 0})
    bed.ip("a", f"addr add {INNER['a']}/24 dev e1")
    bed.tunnel("b", address=INNER["b"])
    bed.ping_both_ways()
