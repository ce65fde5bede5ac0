/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ipsec_ports.h"

#include "eoip-hooks.h"
#include "hmapx.h"
#include "ipsec.h"
#include "ipsec_guard.h"
#include "netdev-vport.h"
#include "openvswitch/poll-loop.h"
#include "ovs-thread.h"
#include "packets.h"
#include "timeval.h"
#include "unixctl.h"

/* How often, in milliseconds, it is looked whether the daemon still tells. */
#define RUN_INTERVAL 1000
static long long int next_run = LLONG_MAX;

/* The struct netdev_eoips with a guard, which 'mutex' protects, too. */
static struct hmapx guarded_devs = HMAPX_INITIALIZER(&guarded_devs);
static struct ovs_mutex mutex = OVS_MUTEX_INITIALIZER;

/* Returns why IPsec cannot protect 'dev' together with the other ports to
 * 'peer' of the kernel's datapath, or NULL. */
static char *
find_conflict(const struct netdev_eoip *dev, bool prepared,
              const struct in6_addr *peer,
              const struct smap *(*wanted)(const struct netdev *))
{
    struct netdev **vports;
    char *reason = NULL;
    size_t n;

    vports = netdev_get_vports(&n);
    for (size_t i = 0; i < n; i++) {
        struct netdev_eoip *other = eoip_is_type(vports[i])
            ? netdev_eoip_cast(vports[i]) : NULL;

        if (!reason && other && other != dev && other->node
            && match_is_in_kernel(vports[i])
            && ipv6_addr_equals(&match_of(other->node)->remote, peer)) {
            reason = eoip_ipsec_conflict(dev->tunnel, prepared, other->tunnel,
                                         wanted ? wanted(vports[i]) : NULL,
                                         eoip_resolve);
        }
        netdev_close(vports[i]);
    }
    free(vports);
    return reason;
}

char *
ipsec_admit(const struct netdev_eoip *dev, const char *dp_type, bool prepared,
            const struct smap *(*wanted)(const struct netdev *),
            struct in6_addr *guarded)
{
    bool is_kernel = !strcmp(dp_type, "system");
    struct in6_addr peer;
    char *reason = NULL;
    bool has_psk;

    *guarded = in6addr_any;
    has_psk = eoip_ipsec_peer(dev->tunnel, prepared, &peer);
    if (has_psk && !is_kernel) {
        reason = xstrdup("psk needs a bridge with datapath_type=system: the "
                         "userspace datapath does not send through the "
                         "kernel's IPsec; docs/ipsec.md has a way around");
    } else if (is_kernel && ipv6_addr_is_set(&peer)
               && (has_psk || ipsec_guard_is_held(&peer))) {
        /* Of two that do not agree it is the other one's fault if this one has
         * been there, and stays as it is. */
        bool stays = prepared && dev->node && eoip_ipsec_stays(dev->tunnel);

        reason = stays ? NULL : find_conflict(dev, prepared, &peer, wanted);
        if (!reason && has_psk) {
            reason = ipsec_guard_hold(&peer);
            *guarded = reason ? in6addr_any : peer;
        }
    }
    if (reason) {
        char *why = xasprintf("%s: %s", netdev_get_name(&dev->vport.up),
                              reason);

        free(reason);
        reason = why;
    }
    return reason;
}

/* Makes the peer of 'dev' that is guarded 'peer', or all zeros for none.  Returns
 * which one was. */
static struct in6_addr
set_guarded(struct netdev_eoip *dev, const struct in6_addr *peer)
{
    struct in6_addr before;

    ovs_mutex_lock(&mutex);
    before = dev->guarded;
    dev->guarded = *peer;
    if (ipv6_addr_is_set(peer)) {
        hmapx_add(&guarded_devs, dev);
    } else {
        hmapx_find_and_delete(&guarded_devs, dev);
    }
    ovs_mutex_unlock(&mutex);
    return before;
}

void
ipsec_admitted(struct netdev_eoip *dev, const struct in6_addr *guarded)
{
    struct in6_addr before = set_guarded(dev, guarded), peer;

    if (ipv6_addr_is_set(&before)) {
        bool has_psk = eoip_ipsec_peer(dev->tunnel, false, &peer);

        ipsec_guard_release(&before,
                            !has_psk && ipv6_addr_equals(&before, &peer));
    }
    if (ipv6_addr_is_set(guarded)) {
        next_run = MIN(next_run, time_msec());
    }
}

void
ipsec_renounced(const struct in6_addr *guarded)
{
    if (ipv6_addr_is_set(guarded)) {
        ipsec_guard_release(guarded, false);
    }
}

void
ipsec_forget(struct netdev_eoip *dev)
{
    struct in6_addr before = set_guarded(dev, &in6addr_any);

    ipsec_renounced(&before);
}

/* A netdev that the bridge has removed may live for long: the datapath keeps
 * the first of its tunnels as long as it has a port for them. */
static void
forget_removed(void)
{
    struct hmapx_node *node;

    ovs_mutex_lock(&mutex);
    HMAPX_FOR_EACH_SAFE (node, &guarded_devs) {
        struct netdev_eoip *dev = node->data;

        if (!dev->vport.up.node) {
            ipsec_guard_release(&dev->guarded, false);
            dev->guarded = in6addr_any;
            hmapx_delete(&guarded_devs, node);
        }
    }
    if (!hmapx_is_empty(&guarded_devs)) {
        next_run = time_msec() + RUN_INTERVAL;
    }
    ovs_mutex_unlock(&mutex);
}

/* Has what is to be told of ports written to the database where it is something
 * else than before. */
static void
look_at_all(void)
{
    struct netdev **vports;
    size_t n;

    next_run = LLONG_MAX;
    forget_removed();
    vports = netdev_get_vports(&n);
    for (size_t i = 0; i < n; i++) {
        struct netdev_eoip *dev = eoip_is_type(vports[i])
            ? netdev_eoip_cast(vports[i]) : NULL;

        if (dev && dev->tunnel && eoip_ipsec_changed(dev->tunnel)) {
            netdev_change_seq_changed(vports[i]);
        }
        netdev_close(vports[i]);
    }
    free(vports);
}

void
ipsec_ports_run(bool configured)
{
    ipsec_guard_run(configured);
    if (time_msec() >= next_run) {
        look_at_all();
    }
}

void
ipsec_ports_wait(void)
{
    ipsec_guard_wait();
    if (next_run != LLONG_MAX) {
        poll_timer_wait_until(next_run);
    }
}

static void
tell(struct unixctl_conn *conn, int argc, const char *argv[],
     void *aux OVS_UNUSED)
{
    struct netdev *netdev = netdev_from_name(argv[1]);
    struct netdev_eoip *dev = netdev && eoip_is_type(netdev)
        ? netdev_eoip_cast(netdev) : NULL;
    char *fault;

    if (!dev || !dev->node) {
        fault = xasprintf("%s: there is no eoip interface of this name",
                          argv[1]);
    } else {
        fault = eoip_ipsec_tell(dev->tunnel, argv[2], argv + 3, argc - 3);
        if (!fault && eoip_ipsec_changed(dev->tunnel)) {
            netdev_change_seq_changed(netdev);
        }
    }
    if (fault) {
        unixctl_command_reply_error(conn, fault);
    } else {
        unixctl_command_reply(conn, NULL);
    }
    free(fault);
    netdev_close(netdev);
}

void
ipsec_ports_init(void)
{
    unixctl_command_register("eoip/ipsec",
                             "port state [since=seconds] [algorithms=text] "
                             "[reason=text]", 2, 5, tell, NULL);
}
