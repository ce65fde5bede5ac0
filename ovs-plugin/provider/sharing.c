/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "sharing.h"

#include "dp-packet.h"
#include "flow.h"
#include "match.h"
#include "netdev-native-tnl.h"
#include "odp-util.h"
#include "ovs-atomic.h"
#include "packets.h"
#include "tnl-ports.h"
#include "util.h"

struct neighbor {
    const char *type;
    struct dp_packet *(*pop)(struct dp_packet *);
    atomic_uint32_t port;       /* Of 'n_tunnels' tunnels, or ODPP_NONE. */
    unsigned int n_tunnels;     /* Main thread. */
};

enum { EOIP, GRE, IP6GRE, ERSPAN, IP6ERSPAN, N_NEIGHBORS };

static struct neighbor neighbors[N_NEIGHBORS] = {
    [EOIP] = { "eoip", NULL, UINT32_MAX, 0 },
    [GRE] = { "gre", netdev_gre_pop_header, UINT32_MAX, 0 },
    [IP6GRE] = { "ip6gre", netdev_gre_pop_header, UINT32_MAX, 0 },
    [ERSPAN] = { "erspan", netdev_erspan_pop_header, UINT32_MAX, 0 },
    [IP6ERSPAN] = { "ip6erspan", netdev_erspan_pop_header, UINT32_MAX, 0 },
};

static odp_port_t
port_of(struct neighbor *neighbor)
{
    uint32_t port;

    atomic_read_relaxed(&neighbor->port, &port);
    return u32_to_odp(port);
}

/* OVS tells of the ports of the kernel's datapath when they go, whose numbers
 * are others. */
static struct neighbor *
find_neighbor(const struct netdev *tunnel)
{
    const char *type = netdev_get_type(tunnel);

    for (size_t i = 0; i < N_NEIGHBORS; i++) {
        if (!strcmp(neighbors[i].type, type)) {
            return match_is_in_kernel(tunnel) ? NULL : &neighbors[i];
        }
    }
    return NULL;
}

void
sharing_port_added(const struct netdev *tunnel, odp_port_t port)
{
    struct neighbor *neighbor = find_neighbor(tunnel);

    if (neighbor) {
        neighbor->n_tunnels
            = port_of(neighbor) == port ? neighbor->n_tunnels + 1 : 1;
        atomic_store_relaxed(&neighbor->port, odp_to_u32(port));
    }
}

void
sharing_port_deleted(const struct netdev *tunnel, odp_port_t port)
{
    struct neighbor *neighbor = find_neighbor(tunnel);

    if (neighbor && port_of(neighbor) == port && !--neighbor->n_tunnels) {
        atomic_store_relaxed(&neighbor->port, UINT32_MAX);
    }
}

odp_port_t
sharing_eoip_port(void)
{
    return port_of(&neighbors[EOIP]);
}

bool
sharing_is_needed(void)
{
    int n = 0;

    for (size_t i = 0; i < N_NEIGHBORS; i++) {
        n += port_of(&neighbors[i]) != ODPP_NONE;
    }
    return n > 1 || sharing_eoip_port() != ODPP_NONE;
}

/* The rule of OVS's map may name a port that has gone, as long as another one
 * needs the rule.  Returns one that is there. */
static odp_port_t
living_port(odp_port_t port)
{
    odp_port_t other = ODPP_NONE;

    for (size_t i = GRE; i < N_NEIGHBORS; i++) {
        if (port_of(&neighbors[i]) == port) {
            return port;
        } else if (other == ODPP_NONE) {
            other = port_of(&neighbors[i]);
        }
    }
    return other;
}

/* OVS has one rule for all tunnels of IP protocol 47 at an address, for packets
 * that are not fragments.  EoIPv6 is found by the same rule, and of later
 * fragments over IPv6 a flow does not say what is in them. */
odp_port_t
sharing_port_lookup(struct flow *flow, struct flow_wildcards *wc)
{
    uint8_t nw_proto = flow->nw_proto, nw_frag = flow->nw_frag;
    bool is_ipv6 = flow->dl_type == htons(ETH_TYPE_IPV6);
    odp_port_t eoip = sharing_eoip_port();
    bool ours = eoip != ODPP_NONE
                && (nw_proto == EOIP_IPPROTO
                    || (is_ipv6 && (nw_proto == EOIP6_IPPROTO
                                    || nw_proto == IPPROTO_FRAGMENT)));
    odp_port_t port;

    if (ours) {
        flow->nw_proto = IPPROTO_GRE;
        flow->nw_frag = 0;
    }
    port = tnl_port_map_lookup(flow, wc);
    flow->nw_proto = nw_proto;
    flow->nw_frag = nw_frag;
    if (port == ODPP_NONE) {
        return port;
    }
    return ours ? eoip : nw_proto == IPPROTO_GRE ? living_port(port) : port;
}

/* Which ports want a packet, the likeliest first.  Alone, OVS's ports of
 * either address family take packets of the other one too, and gre's take
 * erspan's. */
static const uint8_t candidates[2][2][4] = {
    { { GRE, IP6GRE, ERSPAN, IP6ERSPAN }, { IP6GRE, GRE, IP6ERSPAN, ERSPAN } },
    { { ERSPAN, IP6ERSPAN, GRE, IP6GRE }, { IP6ERSPAN, ERSPAN, IP6GRE, GRE } },
};

bool
sharing_pop(struct dp_packet **packetp, enum eoip_gre_kind kind, bool is_ipv6)
{
    if (kind != EOIP_GRE_IS_GRE && kind != EOIP_GRE_IS_ERSPAN) {
        return false;
    }
    for (size_t i = 0; i < 4; i++) {
        struct neighbor *neighbor = &neighbors[
            candidates[kind == EOIP_GRE_IS_ERSPAN][is_ipv6][i]];
        odp_port_t port = port_of(neighbor);

        if (port != ODPP_NONE) {
            struct dp_packet *packet = neighbor->pop(*packetp);

            if (packet) {
                dp_packet_reset_offload(packet);
                pkt_metadata_init_conn(&packet->md);
                packet->md.in_port.odp_port = port;
            }
            *packetp = packet;
            return true;
        }
    }
    return false;
}
