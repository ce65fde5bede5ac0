/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "match.h"

#include "cmap.h"
#include "hash.h"
#include "netdev-provider.h"
#include "ovs-atomic.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "util.h"

struct match_node {
    struct cmap_node cmap_node;
    struct eoip_match match;
    const struct netdev *netdev;
    struct eoip_tunnel *tunnel;
};

/* Written with 'mutex' held. */
static struct cmap matches = CMAP_INITIALIZER;
static struct ovs_mutex mutex = OVS_MUTEX_INITIALIZER;
atomic_uint match_generation_;

struct match_number {
    struct cmap_node cmap_node; /* By number, in 'numbers'. */
    struct eoip_tunnel *tunnel;
};

static struct cmap numbers = CMAP_INITIALIZER;

/* How a match may leave its parts to the flows: 12 kinds, the most exact one
 * first, in the order in which OVS looks.  Of each, how many there are. */
enum { N_KINDS = 12 };
static atomic_uint n_of_kind[N_KINDS];

static int
match_kind(const struct eoip_match *match)
{
    int local = match->local_flow ? 2 : ipv6_addr_is_set(&match->local) ? 0 : 1;

    return (match->key_flow ? 6 : 0) + (match->remote_flow ? 3 : 0) + local;
}

static uint32_t
match_hash(const struct eoip_match *match)
{
    return hash_bytes(&match->remote, sizeof match->remote,
                      hash_add(match->key, match->remote_flow << 1
                                           | match->key_flow));
}

/* True if the node's tunnel takes the same packets as 'match'.  Netdevs that
 * the bridge has removed already, and that only wait for their last reference
 * to go, do not count. */
static bool
match_is(const struct match_node *node, const struct eoip_match *match)
{
    return !memcmp(&node->match, match, sizeof *match) && node->netdev->node;
}

bool
match_is_in_kernel(const struct netdev *netdev)
{
    const char *dpif_type = netdev_get_dpif_type(netdev);

    return dpif_type && !strcmp(dpif_type, "system");
}

static struct eoip_tunnel *
match_find(const struct eoip_match *match, enum match_where where)
{
    const struct match_node *node;

    CMAP_FOR_EACH_WITH_HASH (node, cmap_node, match_hash(match), &matches) {
        if (match_is(node, match)
            && where & (match_is_in_kernel(node->netdev) ? MATCH_KERNEL
                        /* Which must not take what comes in the clear. */
                        : eoip_tunnel_has_psk(node->tunnel) ? 0
                        : MATCH_USERSPACE)) {
            return node->tunnel;
        }
    }
    return NULL;
}

void
match_set(struct match_node **nodep, const struct eoip_match *match,
          const struct netdev *netdev, struct eoip_tunnel *tunnel)
{
    struct match_node *node = *nodep;
    unsigned int orig;

    if (node && match && !memcmp(&node->match, match, sizeof *match)) {
        return;
    }
    ovs_mutex_lock(&mutex);
    if (node) {
        cmap_remove(&matches, &node->cmap_node, match_hash(&node->match));
        atomic_sub(&n_of_kind[match_kind(&node->match)], 1, &orig);
        ovsrcu_postpone(free, node);
        *nodep = NULL;
    }
    if (match) {
        node = xzalloc(sizeof *node);
        node->match = *match;
        node->netdev = netdev;
        node->tunnel = tunnel;
        atomic_add(&n_of_kind[match_kind(match)], 1, &orig);
        cmap_insert(&matches, &node->cmap_node, match_hash(match));
        *nodep = node;
    }
    match_outdate();
    ovs_mutex_unlock(&mutex);
}

void
match_outdate(void)
{
    unsigned int orig;

    atomic_add(&match_generation_, 1, &orig);
}

void
match_number_add(struct match_number **entryp, struct eoip_tunnel *tunnel)
{
    struct match_number *entry = xzalloc(sizeof *entry);

    entry->tunnel = tunnel;
    ovs_mutex_lock(&mutex);
    cmap_insert(&numbers, &entry->cmap_node,
                hash_int(eoip_tunnel_number(tunnel), 0));
    match_outdate();
    ovs_mutex_unlock(&mutex);
    *entryp = entry;
}

void
match_number_remove(struct match_number **entryp)
{
    struct match_number *entry = *entryp;

    if (entry) {
        ovs_mutex_lock(&mutex);
        cmap_remove(&numbers, &entry->cmap_node,
                    hash_int(eoip_tunnel_number(entry->tunnel), 0));
        match_outdate();
        ovs_mutex_unlock(&mutex);
        ovsrcu_postpone(free, entry);
        *entryp = NULL;
    }
}

struct eoip_tunnel *
match_number_find(uint32_t number)
{
    const struct match_number *entry;

    CMAP_FOR_EACH_WITH_HASH (entry, cmap_node, hash_int(number, 0),
                             &numbers) {
        if (eoip_tunnel_number(entry->tunnel) == number) {
            return entry->tunnel;
        }
    }
    return NULL;
}

const struct eoip_match *
match_of(const struct match_node *node)
{
    return &node->match;
}

struct eoip_tunnel *
match_packet(const struct in6_addr *remote, const struct in6_addr *local,
             uint16_t key, enum match_where where)
{
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct eoip_match match = {
            .key_flow = kind >= 6,
            .remote_flow = kind / 3 % 2,
            .local_flow = kind % 3 == 2,
        };
        struct eoip_tunnel *tunnel;
        unsigned int n;

        atomic_read_relaxed(&n_of_kind[kind], &n);
        if (!n) {
            continue;
        }
        if (!match.key_flow) {
            match.key = key;
        }
        if (!match.remote_flow) {
            match.remote = *remote;
        }
        if (kind % 3 == 0) {
            match.local = *local;
        }
        tunnel = match_find(&match, where);
        if (tunnel) {
            return tunnel;
        }
    }
    return NULL;
}

struct eoip_tunnel *
match_learner(const struct in6_addr *local, uint16_t key,
              enum match_where where)
{
    struct eoip_match match = { .key = key, .local = *local, .anybody = true };
    struct eoip_tunnel *tunnel = match_find(&match, where);

    if (!tunnel) {
        match.local = in6addr_any;
        tunnel = match_find(&match, where);
    }
    return tunnel;
}

struct eoip_match
match_anybody(const struct eoip_match *match)
{
    struct eoip_match anybody = *match;

    anybody.remote = in6addr_any;
    anybody.anybody = true;
    return anybody;
}

const struct netdev *
match_conflict(const struct eoip_match *match, const struct netdev *self,
               bool (*leaves)(const struct netdev *,
                              const struct eoip_match *))
{
    const struct match_node *node;

    CMAP_FOR_EACH_WITH_HASH (node, cmap_node, match_hash(match), &matches) {
        if (match_is(node, match) && node->netdev != self
            && !(leaves && leaves(node->netdev, match))) {
            return node->netdev;
        }
    }
    return NULL;
}
