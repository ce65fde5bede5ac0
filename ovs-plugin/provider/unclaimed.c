/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "unclaimed.h"

#include "dpif.h"
#include "eoip-hooks.h"
#include "flow.h"
#include "log.h"
#include "ovs-compat.h"
#include "packets.h"
#include "route.h"

void
count_received_drop(struct eoip_tunnel *tunnel, enum eoip_drop reason,
                    const struct in6_addr *src, const struct in6_addr *dst,
                    uint16_t key)
{
    char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(600, 20);

    eoip_tunnel_count_drop(tunnel, reason);
    VLOG_DBG_RL(&rl, "%s: dropped, from %s to %s, key %"PRIu16": %s",
                tunnel ? eoip_tunnel_name(tunnel) : "no tunnel",
                ipv6_string_mapped(from, src), ipv6_string_mapped(to, dst),
                key, eoip_drop_name(reason));
}

/* Offers the place of a peer to the sender of a packet that no tunnel claims,
 * and returns EOIP_N_DROPS; or returns why it does not get it, and who counts
 * that in '*learner'. */
static enum eoip_drop
meet(const struct in6_addr *remote, const struct in6_addr *local,
     uint16_t key, enum match_where where, struct eoip_tunnel **learner)
{
    *learner = match_learner(local, key, where);
    return !*learner ? EOIP_DROP_NO_TUNNEL
           : route_is_own(remote, local) ? EOIP_DROP_MARTIAN
           : eoip_learning_meet(*learner, remote, local) ? EOIP_N_DROPS
           : EOIP_DROP_NOT_THE_PEER;
}

void
unclaimed_keepalive(const struct in6_addr *remote,
                    const struct in6_addr *local, uint16_t key,
                    enum match_where where)
{
    struct eoip_tunnel *learner;
    enum eoip_drop why = meet(remote, local, key, where, &learner);

    if (!learner || why == EOIP_N_DROPS) {
        eoip_tunnel_count_keepalive(learner);
    } else {
        count_received_drop(learner, why, remote, local, key);
    }
}

void
unclaimed_keepalive_of_host(const struct in6_addr *remote,
                            const struct in6_addr *local, uint16_t key)
{
    /* The host sees what comes to the switch as well. */
    if (!match_packet(remote, local, key, MATCH_USERSPACE)) {
        unclaimed_keepalive(remote, local, key, MATCH_KERNEL);
    }
}

/* Drops a frame.  In the kernel's datapath those that no tunnel may learn from
 * are left to the flow that drops them. */
static void
drop_frame(const struct in6_addr *remote, const struct in6_addr *local,
           uint16_t key, enum match_where where)
{
    struct eoip_tunnel *learner;
    enum eoip_drop why = meet(remote, local, key, where, &learner);

    if (learner || where == MATCH_USERSPACE) {
        count_received_drop(learner, why == EOIP_N_DROPS
                                     ? EOIP_DROP_NOT_THE_PEER : why,
                            remote, local, key);
    }
}

void
unclaimed_frame(const struct in6_addr *remote, const struct in6_addr *local,
                uint16_t key)
{
    drop_frame(remote, local, key, MATCH_USERSPACE);
}

/* Learning is all there is to do: the frame is dropped by a flow, which OVS
 * makes now. */
void
unclaimed_in_kernel(const struct flow *flow, const struct dpif *dpif)
{
    const struct flow_tnl *tnl = &flow->tunnel;
    uint64_t key = ntohll(tnl->tun_id);
    struct in6_addr remote = flow_tnl_src(tnl);
    struct in6_addr local = flow_tnl_dst(tnl);
    struct dpif_port port;

    if (key > EOIP_KEY_MAX || strcmp(dpif_type(dpif), "system")
        || match_packet(&remote, &local, key, MATCH_KERNEL)
        || dpif_port_query_by_number(dpif, flow->in_port.odp_port, &port,
                                     false)) {
        return;
    }
    if (!strcmp(port.name, EOIP_DPIF_PORT)) {
        drop_frame(&remote, &local, key, MATCH_KERNEL);
    }
    dpif_port_destroy(&port);
}
