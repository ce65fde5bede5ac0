/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "unsent.h"

#include "headers.h"
#include "log.h"
#include "ovs-atomic.h"

/* Set by any thread. */
static atomic_bool missed_neighbor = false;

void
count_unsent(const struct ovs_action_push_tnl *push,
             struct eoip_tunnel *tunnel, enum eoip_drop reason, size_t n)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(600, 20);

    for (size_t i = 0; i < n; i++) {
        eoip_tunnel_count_drop(tunnel, reason);
    }
    if (reason == EOIP_DROP_NO_NEIGHBOR) {
        atomic_store_relaxed(&missed_neighbor, true);
    }
    VLOG_DBG_RL(&rl, "%s: %"PRIuSIZE" dropped that were to be sent, "
                "key %"PRIu16": %s",
                tunnel ? eoip_tunnel_name(tunnel) : "no tunnel", n,
                headers_key(push), eoip_drop_name(reason));
}

bool
unsent_missed_neighbor(void)
{
    bool missed;

    atomic_read_relaxed(&missed_neighbor, &missed);
    if (missed) {
        atomic_store_relaxed(&missed_neighbor, false);
    }
    return missed;
}
