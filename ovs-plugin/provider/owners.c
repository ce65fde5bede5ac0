/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "owners.h"

#include "eoip/wire.h"
#include "packets.h"
#include "route.h"

enum { N_OWNERS = 64 };
static __thread struct owner owners[N_OWNERS];
static __thread unsigned int last;

const struct owner *
owners_last(void)
{
    return &owners[last];
}

const struct owner *
owners_find(const struct ip_header *nh, uint16_t key, uint64_t ends,
            uint64_t tag)
{
    ovs_be32 src = get_16aligned_be32(&nh->ip_src);
    struct in6_addr remote, local;
    struct eoip_tunnel *tunnel;
    bool is_martian;

    last = ((uint32_t) src * 0x9e3779b9u >> 24 ^ key) % N_OWNERS;
    if (owners[last].ends == ends && owners[last].tag == tag) {
        return &owners[last];
    }
    in6_addr_set_mapped_ipv4(&remote, src);
    in6_addr_set_mapped_ipv4(&local, get_16aligned_be32(&nh->ip_dst));
    tunnel = match_packet(&remote, &local, key, MATCH_USERSPACE);
    is_martian = eoip_is_martian(nh)
                 || owners_is_self(tunnel, &remote, &local);
    owners[last] = (struct owner) {
        .ends = ends, .tag = tag, .tunnel = tunnel,
        .taker = is_martian ? NULL : tunnel, .is_martian = is_martian,
    };
    return &owners[last];
}

bool
owners_is_self(const struct eoip_tunnel *tunnel,
               const struct in6_addr *remote, const struct in6_addr *local)
{
    return tunnel && eoip_tunnel_has_any_remote(tunnel)
           && route_is_own(remote, local);
}
