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
 * Every reason to drop a packet: X(symbol, counter name, sentence).  A drop
 * is one line here and has its counter, its name and its sentence everywhere.
 */
#define EOIP_RX_DROPS(X)                                                      \
	X(TRUNCATED, "truncated",                                             \
	  "the packet ends before its EoIP header does")                      \
	X(IP_HEADER, "ip_header",                                             \
	  "the outer IPv4 header is malformed or longer than the packet")     \
	X(IP_CHECKSUM, "ip_checksum",                                         \
	  "the checksum of the outer IPv4 header is wrong")                   \
	X(IP_OPTIONS, "ip_options",                                           \
	  "the outer IPv4 header carries options")                            \
	X(FRAGMENT, "fragment",                                               \
	  "the packet is a fragment, and came where none are reassembled")    \
	X(NOT_EOIP, "not_eoip",                                               \
	  "protocol 47, but not EoIP (GRE or PPTP, say)")                     \
	X(LENGTH_BEYOND_PACKET, "length_beyond_packet",                       \
	  "the EoIP header announces more bytes than the packet carries")     \
	X(FRAME_TOO_SHORT, "frame_too_short",                                 \
	  "the frame is shorter than an Ethernet header")

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

#define EOIP_TX_DROPS(X)                                                      \
	X(FRAME_TOO_LONG, "frame_too_long",                                   \
	  "the frame is longer than an EoIP packet can carry")                \
	X(EXCEEDS_MTU, "exceeds_mtu",                                         \
	  "the packet exceeds the underlay's MTU and may not be fragmented")  \
	X(KEY_OUT_OF_RANGE, "key_out_of_range",                               \
	  "the flow asks for a tunnel key above 65535")                       \
	X(IPV6_UNDERLAY, "ipv6_underlay",                                     \
	  "the flow asks for an IPv6 endpoint, which EoIP does not have")     \
	X(ENDPOINT_UNRESOLVED, "endpoint_unresolved",                         \
	  "the host name of an endpoint has no address yet")

#define EOIP_DROPS(X)                                                         \
	EOIP_RX_DROPS(X) EOIP_FRAGMENT_DROPS(X) EOIP_TX_DROPS(X)

enum eoip_drop {
#define EOIP_DROP_ENUM(SYMBOL, NAME, SENTENCE) EOIP_DROP_##SYMBOL,
	EOIP_DROPS(EOIP_DROP_ENUM)
#undef EOIP_DROP_ENUM
	EOIP_N_DROPS
};

#endif /* _UAPI_LINUX_EOIP_H */
