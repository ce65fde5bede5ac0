/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds the tunnel that a packet belongs to, as OVS itself will when the frame
 * comes out of the tunnel.  A tunnel that learns its peer has a second match,
 * for those whom it may learn.
 *
 * Written by the main thread, read by any. */

#ifndef EOIP_MATCH_H
#define EOIP_MATCH_H 1

#include "netdev.h"
#include "ovs-atomic.h"
#include "tunnel.h"

struct match_node;

/* Which datapath's ports are asked for. */
enum match_where { MATCH_USERSPACE = 1, MATCH_KERNEL = 2 };

/* True for a port of the kernel's datapath, which forwards and counts by
 * itself.  OVS tells the netdev when it adds it to a datapath. */
bool match_is_in_kernel(const struct netdev *);

/* Makes '*nodep' say that packets of 'match' belong to 'tunnel' of 'netdev',
 * or to nobody if 'match' is NULL. */
void match_set(struct match_node **nodep, const struct eoip_match *match,
               const struct netdev *netdev, struct eoip_tunnel *tunnel);

const struct eoip_match *match_of(const struct match_node *);

/* Changes whenever a packet may belong to another tunnel than before: what was
 * found is good until then, and valid until the thread quiesces. */
static inline unsigned int
match_generation(void)
{
    extern atomic_uint match_generation_;
    unsigned int now;

    atomic_read_relaxed(&match_generation_, &now);
    return now;
}

/* Returns the tunnel that a packet from 'remote' to 'local' with 'key' belongs
 * to, or NULL. */
struct eoip_tunnel *match_packet(const struct in6_addr *remote,
                                 const struct in6_addr *local, uint16_t key,
                                 enum match_where);

/* Returns the tunnel that learns who speaks with 'key' to 'local', or NULL. */
struct eoip_tunnel *match_learner(const struct in6_addr *local, uint16_t key,
                                  enum match_where);

/* The tunnels by their numbers, which push actions hold. */
struct match_number;
void match_number_add(struct match_number **, struct eoip_tunnel *);
void match_number_remove(struct match_number **);
struct eoip_tunnel *match_number_find(uint32_t number);

/* Makes match_generation() another one, because what else the answers depend
 * on has changed. */
void match_outdate(void);

/* What stands for all whom the tunnel with 'match' may learn. */
struct eoip_match match_anybody(const struct eoip_match *match);

/* Returns a netdev other than 'self' that has 'match' and of which 'leaves',
 * if it is not NULL, is false; or NULL. */
const struct netdev *match_conflict(
    const struct eoip_match *match, const struct netdev *self,
    bool (*leaves)(const struct netdev *, const struct eoip_match *));

#endif /* match.h */
