/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR Apache-2.0 */
/*
 * EoIP on the wire, and the names of what is dropped.
 *
 * The only place that spells out the header's layout and the list of drops:
 * the userspace core, the switch and the kernel module all include it.  Plain
 * C that is also clean C++.  The tags in brackets say where a fact is known
 * from: [cap] packets of RouterOS 7.18, [doc] MikroTik's manual, [peer] other
 * open implementations, [infer] our own reading of those.
 */
#ifndef _UAPI_LINUX_EOIP_H
#define _UAPI_LINUX_EOIP_H

#include <linux/types.h>

/* The release of all that is made of this source, and of the module. */
#define EOIP_VERSION	"0.2.0"

/* EoIP is GRE version 1 with a key and a protocol number of its own.  [cap] */
#define EOIP_IPPROTO	47
#define EOIP_MAGIC	0x20016400U

/* The header between the outer IPv4 header and the inner frame.  [cap] */
struct eoip_hdr {
	__be32 magic;		/* EOIP_MAGIC. */
	__be16 frame_len;	/* Bytes of the frame; 0 in a keepalive. */
	__le16 tunnel_id;	/* 0 to 65535, little-endian. */
};

#define EOIP_HLEN	8
#define EOIP_KEY_MAX	65535
#define EOIP_FRAME_MIN	14	/* An Ethernet header.  [peer] */
#define EOIP_FRAME_MAX	65507	/* 65535 - 20 (IPv4) - 8 (EoIP).  [infer] */

/*
 * EoIPv6 has a protocol number of its own, and two bytes of header: the id's
 * upper four bits and a 3, then its lower eight bits.  The frame's length is
 * that of what follows.  [peer]
 */
#define EOIP6_IPPROTO	97
#define EOIP6_MAGIC	0x0300	/* Of the two bytes, big-endian ... */
#define EOIP6_MAGIC_MASK 0x0f00	/* ... these bits. */
#define EOIP6_HLEN	2
#define EOIP6_KEY_MAX	4095
#define EOIP6_FRAME_MAX	65533	/* 65535 (IPv6's payload) - 2.  [infer] */

/*
 * Every reason to drop a packet: X(symbol, counter name, sentence).  A drop
 * is one line here and has its counter, its name and its sentence everywhere.
 */

/* Only in the userspace datapath: the kernel sorts these out by itself. */
#define EOIP_UNDERLAY_DROPS(X)                                                \
	X(TRUNCATED, "truncated",                                             \
	  "the packet ends before its EoIP header does")                      \
	X(IP_HEADER, "ip_header",                                             \
	  "the outer IP header is malformed or longer than the packet")     \
	X(IP_CHECKSUM, "ip_checksum",                                         \
	  "the checksum of the outer IPv4 header is wrong")                   \
	X(FRAGMENT, "fragment",                                               \
	  "the packet is a fragment, and came where none are reassembled")    \
	X(NOT_EOIP, "not_eoip",                                               \
	  "protocol 47 or 97, but not EoIP (GRE, PPTP or EtherIP, say)")      \
	X(MARTIAN, "martian",                                                 \
	  "the source is no other host's: loopback, multicast, or our own")

/* In packets that are certainly EoIP. */
#define EOIP_TUNNEL_DROPS(X)                                                  \
	X(IP_OPTIONS, "ip_options",                                           \
	  "the outer IP header carries options or extension headers")                            \
	X(LENGTH_BEYOND_PACKET, "length_beyond_packet",                       \
	  "the EoIP header announces more bytes than the packet carries")     \
	X(FRAME_TOO_SHORT, "frame_too_short",                                 \
	  "the frame is shorter than an Ethernet header")

#define EOIP_RX_DROPS(X) EOIP_UNDERLAY_DROPS(X) EOIP_TUNNEL_DROPS(X)

/* In valid packets, for what is in the frame. */
#define EOIP_FRAME_DROPS(X)                                                   \
	X(ECN, "ecn",                                                         \
	  "the underlay marked congestion on a frame that cannot carry it")

/*
 * In valid packets: only the switch has ports that learn their peers, and only
 * its userspace datapath a limit of its own.
 */
#define EOIP_SWITCH_DROPS(X)                                                  \
	X(NOT_THE_PEER, "not_the_peer",                                       \
	  "the key is right, but the port has another peer, or has yet to learn") \
	X(FRAME_TOO_BIG, "frame_too_big",                                     \
	  "the frame is longer than other_config:eoip-max-frame allows")      \
	X(NO_TUNNEL, "no_tunnel",                                             \
	  "no port has this peer, this key and this local address")

/* In fragments, of which a packet may have held many. */
#define EOIP_FRAGMENT_DROPS(X)                                                \
	X(FRAGMENT_MALFORMED, "fragment_malformed",                           \
	  "the fragment is empty, ends beyond 65535 or inside 8 bytes")       \
	X(FRAGMENT_OVERLAP, "fragment_overlap",                               \
	  "fragments of one packet overlap, so none of them is believed")     \
	X(FRAGMENT_ECN, "fragment_ecn",                                       \
	  "the ECN bits of one packet's fragments contradict each other")     \
	X(FRAGMENT_TIMEOUT, "fragment_timeout",                               \
	  "the rest of the packet did not come in time")                      \
	X(FRAGMENT_LIMIT_PACKETS, "fragment_limit_packets",                   \
	  "too many packets were incomplete, and this one was the oldest")    \
	X(FRAGMENT_LIMIT_BYTES, "fragment_limit_bytes",                       \
	  "too many bytes were kept, and this packet was the oldest")         \
	X(FRAGMENT_LIMIT_COUNT, "fragment_limit_count",                       \
	  "the packet is in more fragments than are allowed")

/* Of frames that are sent: in both datapaths, and where names are known. */
#define EOIP_TX_DROPS(X)                                                      \
	X(FRAME_TOO_LONG, "frame_too_long",                                   \
	  "the frame is longer than an EoIP packet can carry")                \
	X(EXCEEDS_MTU, "exceeds_mtu",                                         \
	  "the packet exceeds the underlay's MTU and may not be fragmented")  \
	X(KEY_OUT_OF_RANGE, "key_out_of_range",                               \
	  "the flow asks for a tunnel key above 65535, or 4095 over IPv6")    \
	X(ENDPOINT_UNRESOLVED, "endpoint_unresolved",                         \
	  "the address of an endpoint is not known yet")                      \
	X(NO_ROUTE, "no_route",                                               \
	  "the underlay has no route to the remote address")                  \
	X(IPSEC_BLOCKED, "ipsec_blocked",                                     \
	  "IPsec forbids the packet, or has no keys for it yet")

/* Of frames that the switch's userspace datapath was to send. */
#define EOIP_SWITCH_TX_DROPS(X)                                               \
	X(NO_NEIGHBOR, "no_neighbor",                                         \
	  "nobody has answered yet for the MAC of the next hop")              \
	X(UNDERLAY_REFUSED, "underlay_refused",                               \
	  "the flows of the underlay's bridge drop the packet")               \
	X(OFFLOAD, "offload",                                                 \
	  "the frame leaves to a card what is not done for tunnels here")

#define EOIP_DROPS_BY_DIRECTION(RX, TX)                                       \
	EOIP_RX_DROPS(RX) EOIP_FRAME_DROPS(RX) EOIP_SWITCH_DROPS(RX)          \
	EOIP_FRAGMENT_DROPS(RX) EOIP_TX_DROPS(TX) EOIP_SWITCH_TX_DROPS(TX)
#define EOIP_DROPS(X) EOIP_DROPS_BY_DIRECTION(X, X)

enum eoip_drop {
#define EOIP_DROP_ENUM(SYMBOL, NAME, SENTENCE) EOIP_DROP_##SYMBOL,
	EOIP_DROPS(EOIP_DROP_ENUM)
	EOIP_N_DROPS
};

/* What the kernel module counts beside these. */
#define EOIP_KMOD_RX_DROPS(X)                                                 \
	X(IPSEC_POLICY, "ipsec_policy",                                       \
	  "an IPsec policy forbids the packet")                               \
	X(DEVICE_DOWN, "device_down",                                         \
	  "the tunnel's device is down")                                      \
	X(RX_NO_MEMORY, "no_memory",                                          \
	  "the kernel had no memory for the packet")

#define EOIP_KMOD_TX_DROPS(X)                                                 \
	X(IPV6_UNDERLAY, "ipv6_underlay",                                     \
	  "the flow asks for an IPv6 endpoint, and the kernel has no IPv6")   \
	X(NO_TUNNEL_INFO, "no_tunnel_info",                                   \
	  "the frame came to an external device without saying where it goes")\
	X(RECURSION, "recursion",                                             \
	  "tunnels are nested too deep, or one is routed through itself")     \
	X(TX_MALFORMED, "malformed",                                          \
	  "the frame's headers or its segments make no sense")                \
	X(TX_NO_MEMORY, "no_memory",                                          \
	  "the kernel had no memory for the frame")

enum eoip_kmod_drop {
#define EOIP_KMOD_DROP_ENUM(SYMBOL, NAME, SENTENCE) EOIP_KMOD_DROP_##SYMBOL,
	EOIP_TUNNEL_DROPS(EOIP_KMOD_DROP_ENUM)
	EOIP_FRAME_DROPS(EOIP_KMOD_DROP_ENUM)
	EOIP_KMOD_RX_DROPS(EOIP_KMOD_DROP_ENUM)
	EOIP_TX_DROPS(EOIP_KMOD_DROP_ENUM)
	EOIP_KMOD_TX_DROPS(EOIP_KMOD_DROP_ENUM)
	EOIP_N_KMOD_DROPS
};

/*
 * Attributes in IFLA_INFO_DATA of a link of kind "eoip", or "eoipv6" if its
 * packets are EoIPv6.  Another module for these tunnels (eoip 2.4) has the same
 * kinds, and the attributes from 1 to 33 that are not "ours": numbers up to 18
 * are those of the IFLA_GRE_* attributes of the same meaning.  What it may add
 * comes behind 33; ours are at the end of what rtnetlink allows, which is 50.
 *
 * A device is point-to-point (ID and REMOTE are given) or external
 * (COLLECT_METADATA is given, of kind "eoip": each frame says where it goes, as
 * in OVS, over IPv4 and IPv6).  What a change does not name stays.
 */
enum {
	IFLA_EOIP_LINK = 1,		/* u32: ifindex in the underlay; 0: any. */
	IFLA_EOIP_ID = 4,		/* u32: 0 to 65535, or 4095. */
	IFLA_EOIP_LOCAL = 6,		/* Own address; 0: by route. */
	IFLA_EOIP_REMOTE = 7,		/* Unicast; be32, or in6: eoipv6. */
	IFLA_EOIP_TTL = 8,		/* u8; 0: the default, 64. */
	IFLA_EOIP_TOS = 9,		/* u8: 1 inherits; default 0. */
	IFLA_EOIP_DF = 10,		/* u8, ours: enum eoip_df; default no. */
	IFLA_EOIP_COLLECT_METADATA = 18, /* flag, ours. */
	IFLA_EOIP_KEEPALIVE_INTERVAL = 32, /* u32: seconds; 0: none. */
	IFLA_EOIP_KEEPALIVE_RETRIES = 33, /* u8: 0: the carrier stays. */
	IFLA_EOIP_HEARD = 46,		/* u32, ours, never given: seconds since
					 * a valid packet came; absent if none
					 * has since the device came up.
					 */
	IFLA_EOIP_TTL_INHERIT = 47,	/* u8, ours: 1: the frame's; default 0. */
	IFLA_EOIP_CLAMP_MSS = 48,	/* u8, ours: 0 or 1; default 1. */
	IFLA_EOIP_MSS_RULE = 49,	/* nested, ours: below. */
	__IFLA_EOIP_MAX
};

#define IFLA_EOIP_MAX		(__IFLA_EOIP_MAX - 1)
#define EOIP_KEEPALIVE_INTERVAL_MAX 65535	/* Seconds.  [infer] */

/*
 * An external device may clamp the MSS of some tunnels and not of others.
 * IFLA_EOIP_MSS_RULE, alone in a change of the device, holds ID, LOCAL and
 * REMOTE, of which those that are missing mean any, and CLAMP_MSS, without
 * which the rule for just this is forgotten.  Of several rules that fit a SYN
 * one with an id wins, then one with a remote, then one with a local address;
 * where none fits, the device's own CLAMP_MSS holds.
 */

/* The DF bit of the outer header; RouterOS has "no" and "inherit".  [doc] */
enum eoip_df {
	EOIP_DF_NO,
	EOIP_DF_SET,
	EOIP_DF_INHERIT,
	EOIP_DF_MAX = EOIP_DF_INHERIT
};

#endif /* _UAPI_LINUX_EOIP_H */
