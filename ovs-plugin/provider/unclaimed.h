/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets that no tunnel claims: counted, and offered to tunnels that learn
 * their peer.  Called by any thread. */

#ifndef EOIP_UNCLAIMED_H
#define EOIP_UNCLAIMED_H 1

#include "match.h"

struct dpif;
struct flow;

/* Counts a packet between the two addresses as dropped, of 'tunnel' or, if it
 * is NULL, of none; and says so in the log, if that is asked for. */
void count_received_drop(struct eoip_tunnel *, enum eoip_drop,
                         const struct in6_addr *src,
                         const struct in6_addr *dst, uint16_t key);

/* Accounts for a keepalive that no tunnel claims and that came to the userspace
 * datapath, or was heard by a socket of the host's. */
void unclaimed_keepalive(const struct in6_addr *remote,
                         const struct in6_addr *local, uint16_t key,
                         enum match_where);
void unclaimed_keepalive_of_host(const struct in6_addr *remote,
                                 const struct in6_addr *local, uint16_t key);

/* Drops a packet with a frame. */
void unclaimed_frame(const struct in6_addr *remote,
                     const struct in6_addr *local, uint16_t key);

/* See struct eoip_hooks. */
void unclaimed_in_kernel(const struct flow *, const struct dpif *);

#endif /* unclaimed.h */
