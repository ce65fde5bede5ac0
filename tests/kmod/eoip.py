# SPDX-License-Identifier: Apache-2.0
"""The numbers of kmod-vport/uapi/linux/eoip.h that the tests need, once more
by hand, so that a slip in the header does not hide itself."""

# What `ethtool -S` shows, in order.
RX_DROPS = [f"rx_drop_{name}" for name in (
    "ip_options", "length_beyond_packet", "frame_too_short", "ecn",
    "ipsec_policy", "device_down", "no_memory")]
TX_DROPS = [f"tx_drop_{name}" for name in (
    "frame_too_long", "exceeds_mtu", "key_out_of_range",
    "endpoint_unresolved", "no_route", "ipsec_blocked", "ipv6_underlay",
    "no_tunnel_info", "recursion", "malformed", "no_memory")]
COUNTERS = ["rx_keepalives", "tx_keepalives", *RX_DROPS, *TX_DROPS]

# IFLA_EOIP_*: name -> (number, type).
ATTRIBUTES = {
    "link": (1, "u32"),
    "id": (4, "u32"),
    "local": (6, "ip"),
    "remote": (7, "ip"),
    "ttl": (8, "u8"),
    "tos": (9, "u8"),
    "df": (10, "u8"),
    "external": (18, "flag"),
    "interval": (32, "u32"),
    "retries": (33, "u8"),
    "heard": (46, "u32"),
    "ttl_inherit": (47, "u8"),
    "clamp_mss": (48, "u8"),
    "mss_rule": (49, "nested"),
}

MSS_RULES_MAX = 65536

DF_NO, DF_SET, DF_INHERIT = range(3)

# What a device has of which nothing was said.
DEFAULTS = {"link": 0, "local": "0.0.0.0", "ttl": 64, "tos": 0, "df": DF_NO,
            "interval": 0, "ttl_inherit": 0, "clamp_mss": 1}

# Outer IPv4, EoIP and inner Ethernet header; then what IPv4 can carry at most.
OVERHEAD = 20 + 8 + 14
MTU_MIN, MTU_MAX = 68, 65535 - OVERHEAD

# Over IPv6: protocol, overhead, the largest id.
IPV6_PROTOCOL = 97
IPV6_OVERHEAD = 40 + 2 + 14
IPV6_ID_MAX = 4095
