/* SPDX-License-Identifier: Apache-2.0
 *
 * Who shares IP protocol 47 with EoIP in a userspace datapath: at most one
 * datapath port for each of gre, ip6gre, erspan and ip6erspan.  OVS's map of
 * tunnel ports knows protocols only, so where eoip is one of them, packets are
 * told apart when they are popped.
 *
 * Written by the main thread, read by any. */

#ifndef EOIP_SHARING_H
#define EOIP_SHARING_H 1

#include "eoip/wire.h"
#include "netdev.h"

struct dp_packet;
struct flow;
struct flow_wildcards;

/* 'tunnel' is there, or goes, at 'port'. */
void sharing_port_added(const struct netdev *tunnel, odp_port_t port);
void sharing_port_deleted(const struct netdev *tunnel, odp_port_t port);

/* As tnl_port_map_lookup(), which it calls. */
odp_port_t sharing_port_lookup(struct flow *, struct flow_wildcards *);

/* True if packets of IP protocol 47 have to be told apart. */
bool sharing_is_needed(void);

/* The port of the eoip tunnels, or ODPP_NONE. */
odp_port_t sharing_eoip_port(void);

/* Pops a packet of 'kind' by OVS's own tunnels.  Returns false, with the packet
 * as it was, if none of them wants it; else stores what came out, whose
 * in_port is set, or NULL if it was dropped. */
bool sharing_pop(struct dp_packet **, enum eoip_gre_kind kind, bool is_ipv6);

#endif /* sharing.h */
