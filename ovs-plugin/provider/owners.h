/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose received packets are.  Each thread remembers whose its last ones over
 * IPv4 were.  Called by the threads of the userspace datapath. */

#ifndef EOIP_OWNERS_H
#define EOIP_OWNERS_H 1

#include "match.h"

struct ip_header;

struct owner {
    uint64_t ends;              /* Source and destination, as in the header. */
    uint64_t tag;               /* Key; from its 16th bit on the generation
                                 * of match.h, which this is good for. */
    struct eoip_tunnel *tunnel; /* Whose such packets are, or NULL, */
    struct eoip_tunnel *taker;  /* and who takes their frames, or NULL. */
    bool is_martian;
};

/* Returns the one of the thread's last packet. */
const struct owner *owners_last(void);

/* Returns that of a packet with the header 'nh', which has 'ends', and with
 * 'key', which is in 'tag'. */
const struct owner *owners_find(const struct ip_header *nh, uint16_t key,
                                uint64_t ends, uint64_t tag);

/* True if a packet of 'tunnel' claims to be from an address of the device that
 * it came in by.  Of a remote end that was configured that is not asked. */
bool owners_is_self(const struct eoip_tunnel *tunnel,
                    const struct in6_addr *remote,
                    const struct in6_addr *local);

#endif /* owners.h */
