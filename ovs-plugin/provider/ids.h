/* SPDX-License-Identifier: Apache-2.0
 *
 * IP ids.  Where a router may fragment packets they have to differ among those
 * from one address to another (RFC 6864), whichever thread sends them. */

#ifndef EOIP_IDS_H
#define EOIP_IDS_H 1

#include <stddef.h>
#include <stdint.h>

#include "ovs-atomic.h"

/* Those of one pair of addresses. */
struct ids {
    atomic_uint64_t pair;       /* 0: free. */
    atomic_uint32_t next;
};

/* Returns those of packets with the source and destination in 'pair', as an
 * IPv4 header has them.  They stay for ever. */
struct ids *ids_find(uint64_t pair);

/* Returns the first of 'n' ids. */
static inline uint32_t
ids_take(struct ids *ids, size_t n)
{
    uint32_t first;

    atomic_add_relaxed(&ids->next, (uint32_t) n, &first);
    return first;
}

#endif /* ids.h */
