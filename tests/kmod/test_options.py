# SPDX-License-Identifier: Apache-2.0
"""Every option of a device: what is taken, what is refused and how, and what
a change leaves alone."""

import errno
import random

import eoip
import rtnl
from bed import UNDERLAY
from sandbox import check, check_equal

NEEDED = {"id": 100, "remote": UNDERLAY["b"]}

# Option: values that are taken.
GOOD = {
    "id": [0, 1, 100, 255, 256, 65535],
    "remote": ["192.0.2.2", "1.0.0.1", "223.255.255.254", "198.51.100.7"],
    "local": ["0.0.0.0", "192.0.2.1", "198.51.100.1"],
    "ttl": [1, 64, 255],
    "ttl_inherit": [0],
    "tos": [0, 1, 4, 0x10, 0xfc],
    "df": [eoip.DF_NO, eoip.DF_SET, eoip.DF_INHERIT],
    "interval": [0, 1, 10, 65535],
    "retries": [0, 1, 10, 255],
    "clamp_mss": [0, 1],
}

# Option: values that are refused, and what the message must tell.
BAD = {
    "id": ([65536, 65537, 0x80000000, 0xffffffff], ["id", "65535"]),
    "remote": (["0.0.0.0", "224.0.0.1", "239.255.255.255",
                "255.255.255.255"], ["remote", "unicast"]),
    "local": (["224.0.0.1", "239.1.2.3", "255.255.255.255"],
              ["local", "unicast"]),
    "link": ([99999, 0x7fffffff, 0xffffffff], ["link"]),
    "tos": ([2, 3, 5, 0xfd, 255], ["tos", "252"]),
    "df": ([3, 4, 255], ["df", "2"]),
    "ttl_inherit": ([2, 255], ["ttl-inherit", "1"]),
    "clamp_mss": ([2, 255], ["mss"]),
    "interval": ([65536, 0x7fffffff, 0xffffffff], ["interval", "65535"]),
}

SIZE = {"u8": 1, "u32": 4, "ip": 4}


def refusal(what, call, *arguments, code=None, words=(), ours=True, **named):
    """`call` must fail, with a reason in words that are the module's own."""
    try:
        call(*arguments, **named)
    except rtnl.NetlinkError as error:
        check(error.message.startswith("eoip: " if ours else "")
              and error.message, f"{what}: the kernel says "
              f"{error.message!r} (errno {error.errno})")
        for word in words:
            check(word in error.message.lower(),
                  f"{what}: {error.message!r} does not mention {word!r}")
        if code is not None:
            check_equal(f"{what}: errno", errno.errorcode[error.errno], code)
        return
    check(False, f"{what}: was not refused")


def refused_on_creation(bed, what, options, **expected):
    refusal(what, bed.rtnl("a").add, "e9", options=options, **expected)
    check_equal(f"{what}: links of kind eoip after it",
                [link.name for link in bed.rtnl("a").links()
                 if link.name == "e9"], [])


def test_defaults(bed):
    """What a device has of which only id and remote were said."""
    bed.rtnl("a").add("e1", options=NEEDED)
    check_equal("options", {name: value for name, value
                            in bed.options("a").items() if name != "retries"},
                {**eoip.DEFAULTS, **NEEDED})
    link = bed.link("a")
    check_equal("kind", link.kind, "eoip")
    check_equal("hardware type (1: Ethernet)", link.hardware, 1)
    check_equal("length of the address", len(link.address), 6)
    check_equal("group bit and local bit of the address",
                link.address[0] & 3, 2)


def test_values_taken(bed):
    """Each value comes back as it was given, and nothing else moves."""
    for name, values in GOOD.items():
        for value in values:
            options = {**NEEDED, name: value}
            bed.rtnl("a").add("e1", options=options)
            shown = bed.options("a")
            retries = options.get("retries", shown["retries"])
            check_equal(f"options with {name}={value}", shown,
                        {**eoip.DEFAULTS, "retries": retries, **options})
            bed.rtnl("a").delete("e1")


def test_link_taken(bed):
    index = bed.link("a", "u").index
    bed.rtnl("a").add("e1", options={**NEEDED, "link": index})
    check_equal("link", bed.options("a")["link"], index)


def test_values_refused(bed):
    """One clear sentence, and no device."""
    for name, (values, words) in BAD.items():
        for value in values:
            refused_on_creation(bed, f"{name}={value}",
                                {**NEEDED, name: value}, words=words)
    # What a device only says.
    refused_on_creation(bed, "heard", {**NEEDED, "heard": 1}, ours=False)


def test_needed(bed):
    refused_on_creation(bed, "no id", {"remote": UNDERLAY["b"]},
                        words=["id"])
    refused_on_creation(bed, "no remote", {"id": 100}, words=["remote"])
    refused_on_creation(bed, "an empty IFLA_INFO_DATA", {})
    refused_on_creation(bed, "no IFLA_INFO_DATA", None)


def test_lengths(bed):
    """Every attribute that has one length, with every other.  These the
    kernel's own parser refuses, in its own words."""
    sized = {name: kind for name, (_, kind) in eoip.ATTRIBUTES.items()
             if kind in SIZE}
    check_equal("attributes of one length", len(sized),
                len(eoip.ATTRIBUTES) - len(("external", "mss_rule")))
    for name, kind in sized.items():
        for size in (*range(SIZE[kind]), SIZE[kind] + 1, 8, 64):
            options = {**NEEDED, name: b"\x01" * size}
            what = f"{name} of {size} bytes"
            refused_on_creation(bed, what, options, ours=False)
    bed.rtnl("a").add("e1", options=NEEDED)
    before = bed.options("a")
    for name, kind in sized.items():
        for size in (0, SIZE[kind] - 1, SIZE[kind] + 1):
            refusal(f"changing {name} to {size} bytes", bed.rtnl("a").change,
                    "e1", {name: b"\x01" * size}, ours=False)
    check_equal("options after refused changes", bed.options("a"), before)


def test_unknown_attributes(bed):
    """Numbers that mean nothing do no harm: refused or without effect."""
    for number in (*range(0, 50), 100, 0x3fff):
        if number in [known for known, _ in eoip.ATTRIBUTES.values()]:
            continue
        for payload in (b"", b"\x01", b"\x01\2\3\4", bytes(200)):
            try:
                bed.rtnl("a").add("e1", options={**NEEDED, number: payload})
            except rtnl.NetlinkError as error:
                check_equal(f"errno for attribute {number}",
                            errno.errorcode[error.errno], "EINVAL")
                continue
            check_equal(f"id with attribute {number}",
                        bed.options("a")["id"], 100)
            bed.rtnl("a").delete("e1")


def test_external_alone(bed):
    """What names one peer makes no sense where each frame names its own."""
    for name, value in {"id": 100, "remote": UNDERLAY["b"], "interval": 10,
                        "local": UNDERLAY["a"], "retries": 3}.items():
        refused_on_creation(bed, f"external with {name}",
                            {"external": True, name: value})
    bed.rtnl("a").add("ext", options={"external": True})
    options = bed.options("a", "ext")
    check(options.get("external"), f"not shown as external: {options}")
    for name in ("id", "remote"):
        check(not options.get(name) or options[name] == "0.0.0.0",
              f"an external device shows {name}={options.get(name)}")


def test_one_external(bed):
    bed.rtnl("a").add("ext", options={"external": True})
    refused_on_creation(bed, "a second external device", {"external": True},
                        code="EEXIST")
    bed.rtnl("b").add("ext", options={"external": True})
    bed.rtnl("a").delete("ext")
    bed.rtnl("a").add("ext", options={"external": True})


def test_kind_for_life(bed):
    """Neither becomes the other."""
    bed.rtnl("a").add("ext", options={"external": True})
    bed.rtnl("a").add("e1", options=NEEDED)
    before = bed.options("a"), bed.options("a", "ext")
    refusal("to external", bed.rtnl("a").change, "e1",
            {"external": True})
    refusal("to point-to-point", bed.rtnl("a").change, "ext",
            NEEDED)
    refusal("id of an external device", bed.rtnl("a").change, "ext",
            {"id": 5})
    check_equal("options", (bed.options("a"), bed.options("a", "ext")),
                before)


def test_duplicates(bed):
    """One device for one (remote, id, local, link) in one underlay."""
    index = bed.link("a", "u").index
    places = [NEEDED, {**NEEDED, "id": 101},
              {**NEEDED, "remote": "192.0.2.3"},
              {**NEEDED, "local": UNDERLAY["a"]}, {**NEEDED, "link": index},
              {**NEEDED, "local": UNDERLAY["a"], "link": index}]
    for number, place in enumerate(places):
        bed.rtnl("a").add(f"e{number}x", options=place)
    for place in places:
        refused_on_creation(bed, f"a second device for {place}", place,
                            code="EEXIST")
        refused_on_creation(bed, f"with other ttl, {place}",
                            {**place, "ttl": 3, "interval": 5}, code="EEXIST")
    before = bed.options("a", "e1x")
    refusal("changing e1x to what e0x is", bed.rtnl("a").change, "e1x",
            {"id": 100}, code="EEXIST")
    check_equal("options of e1x", bed.options("a", "e1x"), before)
    bed.rtnl("a").change("e1x", {"id": 101})  # Its own place is no other's.


def test_change_one(bed):
    """A change moves what it names and keeps the rest."""
    start = {"id": 7, "remote": "192.0.2.9", "local": UNDERLAY["a"],
             "link": bed.link("a", "u").index, "ttl": 33, "tos": 0x20,
             "df": eoip.DF_SET, "interval": 17, "retries": 4, "ttl_inherit": 0,
             "clamp_mss": 0}
    bed.rtnl("a").add("e1", options=start)
    now = dict(start)
    check_equal("options", bed.options("a"), now)
    for name, values in {**GOOD, "link": [0]}.items():
        for value in values:
            bed.rtnl("a").change("e1", {name: value})
            now[name] = value
            check_equal(f"options after {name}={value}", bed.options("a"),
                        now)
    bed.rtnl("a").change("e1", {})
    check_equal("options after a change of nothing", bed.options("a"), now)


def test_change_refused(bed):
    """A change with one bad value changes nothing, not even the good ones."""
    start = {**NEEDED, "ttl": 9, "interval": 10, "retries": 3}
    bed.rtnl("a").add("e1", options=start)
    before = bed.options("a")
    for name, (values, words) in BAD.items():
        for value in values:
            options = {"ttl": 200, "retries": 9, name: value}
            refusal(f"changing {name} to {value}", bed.rtnl("a").change, "e1",
                    options, words=words)
    check_equal("options", bed.options("a"), before)


def test_change_external(bed):
    """It takes what it has, with or without being called external."""
    bed.rtnl("a").add("ext", options={"external": True, "clamp_mss": 0})
    for value in (1, 0):
        bed.rtnl("a").change("ext", {"clamp_mss": value})
        check_equal("clamp_mss", bed.options("a", "ext")["clamp_mss"], value)
    bed.rtnl("a").change("ext", {"external": True, "clamp_mss": 1})
    bed.rtnl("a").change("ext", {})
    before = bed.options("a", "ext")
    check_equal("clamp_mss", before["clamp_mss"], 1)
    for name, value in {**NEEDED, "local": UNDERLAY["a"], "ttl": 3, "tos": 4,
                        "df": 1, "interval": 9, "retries": 9}.items():
        refusal(f"{name} of an external device", bed.rtnl("a").change, "ext",
                {name: value})
    check_equal("options", bed.options("a", "ext"), before)


def test_bad_address(bed):
    """The device's own address is an Ethernet one, for one station."""
    for address in (b"", b"\2\0\0\0\0", bytes(6), b"\xff" * 6,
                    b"\1\0\0\0\0\1", bytes(8)):
        try:
            bed.rtnl("a").add("e1", options=NEEDED, extra=rtnl.attribute(
                rtnl.IFLA_ADDRESS, address))
        except rtnl.NetlinkError as error:
            check(error.message, f"{address.hex()}: {error}")
        else:
            check(False, f"address {address.hex()} was not refused")
    check_equal("links", bed.rtnl("a").links(), [])


def test_mtu_bounds(bed):
    """68 to what one IPv4 packet carries."""
    bed.rtnl("a").add("e1", options=NEEDED)
    link = bed.link("a")
    check_equal("bounds", (link.min_mtu, link.max_mtu),
                (eoip.MTU_MIN, eoip.MTU_MAX))
    for mtu in (eoip.MTU_MIN, 1500, eoip.MTU_MAX):
        bed.rtnl("a").set_mtu("e1", mtu)
        check_equal("MTU", bed.link("a").mtu, mtu)
        bed.rtnl("a").add("e2", options={**NEEDED, "id": 5}, mtu=mtu)
        check_equal("MTU from the beginning", bed.link("a", "e2").mtu, mtu)
        bed.rtnl("a").delete("e2")
    for mtu in (0, eoip.MTU_MIN - 1, eoip.MTU_MAX + 1, 65535, 0x7fffffff):
        for what, call in {
                "set": lambda: bed.rtnl("a").set_mtu("e1", mtu),
                "from the beginning": lambda: bed.rtnl("a").add(
                    "e2", options={**NEEDED, "id": 5}, mtu=mtu)}.items():
            try:
                call()
            except rtnl.NetlinkError as error:
                check_equal(f"MTU {mtu}, {what}: errno",
                            errno.errorcode[error.errno], "EINVAL")
            else:
                # 0 at creation stands for nothing said.
                check(mtu == 0 and what != "set",
                      f"MTU {mtu}, {what}: was not refused")
                bed.rtnl("a").delete("e2")


def test_default_mtu(bed):
    """What the underlay's route carries, less 42."""
    def default(remote):
        bed.rtnl("a").add("e1", options={"id": 1, "remote": remote})
        mtu = bed.link("a").mtu
        bed.rtnl("a").delete("e1")
        return mtu

    check_equal("MTU over 1500", default(UNDERLAY["b"]), 1458)
    check_equal("MTU without a route", default("203.0.113.1"), 1458)
    bed.ip("a", "link set u mtu 9000")
    check_equal("MTU over 9000", default(UNDERLAY["b"]), 9000 - 42)
    bed.ip("a", "route add 203.0.113.0/24 via 192.0.2.2 mtu 1280")
    check_equal("MTU over a route of 1280", default("203.0.113.1"),
                1280 - 42)


def test_shown_by_ip(bed):
    """iproute2 does not know the kind, and shows it all the same."""
    bed.rtnl("a").add("e1", options=NEEDED)
    bed.rtnl("a").add("ext", options={"external": True})
    for words in (["ip", "-d", "link", "show", "e1"],
                  ["ip", "-s", "-s", "-d", "link", "show"],
                  ["ip", "-d", "-j", "link", "show", "ext"]):
        done = bed.call("a", *words)
        check_equal(f"{' '.join(words)}: exit, stderr",
                    (done.returncode, done.stderr), (0, ""))
        check("eoip" in done.stdout, f"no eoip in {done.stdout}")
    bed.exec("a", "ip", "link", "del", "e1")
    check(bed.rtnl("a").link("e1") is None, "ip link del left e1")


def test_add_list_delete(bed):
    """A dump names each device once, and those of this namespace only."""
    names = [f"t{number}" for number in range(50)]
    for number, name in enumerate(names):
        bed.rtnl("a").add(name, options={"id": number, "remote": "192.0.2.2"})
    bed.rtnl("b").add("other", options=NEEDED)
    listed = {link.name: link.options()["id"]
              for link in bed.rtnl("a").links()}
    check_equal("links", listed,
                {name: number for number, name in enumerate(names)})
    for name in names[::2]:
        bed.rtnl("a").delete(name)
    check_equal("links left", sorted(link.name for link
                                     in bed.rtnl("a").links()),
                sorted(names[1::2]))
    # What was deleted may come again.
    for number, name in enumerate(names):
        if number % 2 == 0:
            bed.rtnl("a").add(name, options={"id": number,
                                             "remote": "192.0.2.2"})


def test_random_attributes(bed):
    """Netlink messages of chance: the kernel takes or refuses them, and is
    as well as before."""
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    numbers = [number for number, _ in eoip.ATTRIBUTES.values()]
    taken = 0
    for _ in range(1500):
        options = {"id": chance.randrange(65536),
                   "remote": bytes([192, 0, 2, chance.randrange(256)])}
        for _ in range(chance.randrange(4)):
            number = chance.choice(numbers + [chance.randrange(64)])
            options[number] = chance.randbytes(
                chance.choice([0, 1, 2, 3, 4, 4, 5, 8, 40]))
        try:
            if chance.random() < 0.5 or not taken:
                bed.rtnl("a").add("e1", options=options)
                taken += 1
            else:
                bed.rtnl("a").change("e1", options)
        except rtnl.NetlinkError:
            pass
        if chance.random() < 0.3 and bed.rtnl("a").link("e1"):
            bed.options("a")
            bed.rtnl("a").delete("e1")
    for link in bed.rtnl("a").links():
        bed.rtnl("a").delete(link.name)
    check(taken > 20, f"only {taken} messages were taken (seed {seed})")
    bed.pair()
    bed.ping_both_ways()
    return f"seed {seed}, {taken} taken"
