/* SPDX-License-Identifier: Apache-2.0
 *
 * Options in: validates them, lets OVS's own tunnel code take over what it has
 * to know, and puts them in force.  Follows what changes by itself. */

#include <config.h>

#include "netdev-eoip.h"

#include <errno.h>

#include "clamping.h"
#include "dns-resolve.h"
#include "eoip-hooks.h"
#include "ipsec_ports.h"
#include "log.h"
#include "netdev-vport.h"
#include "openvswitch/poll-loop.h"
#include "ovs-atomic.h"
#include "ovs-rcu.h"
#include "packets.h"
#include "reassemblers.h"
#include "settings.h"
#include "smap.h"
#include "timeval.h"
#include "versions.h"

/* How often, in milliseconds, host names are looked up again, learned peers
 * looked after, and fragments let go of that have waited for too long.  The
 * resolver caches answers for as long as the name server allows. */
#define RUN_INTERVAL 1000

/* When that is due, and whether there is any of it. */
static long long int next_run;
static bool have_names;
static bool have_learners;
static bool have_fragments;

/* Ports have changed: the kernel has to be told, once there was one that does
 * not clamp the MSS.  The first is set by any thread. */
static atomic_bool ports_changed = false;
static bool have_unclamped;

static struct eoip_tunnel *
tunnel_of(struct netdev_eoip *dev)
{
    if (!dev->tunnel) {
        dev->tunnel = eoip_tunnel_create(netdev_get_name(&dev->vport.up));
    }
    return dev->tunnel;
}

bool
eoip_resolve(const char *name, struct in6_addr *address)
{
    ovs_be32 ipv4;
    char *text;
    bool ok;

    dns_resolve(name, &text);
    if (text && ip_parse(text, &ipv4)) {
        in6_addr_set_mapped_ipv4(address, ipv4);
        ok = eoip_can_be_remote(address);
    } else {
        ok = text && ipv6_parse(text, address) && eoip_can_be_remote(address);
    }
    free(text);
    return ok;
}

static void
log_config(const struct netdev *netdev, const struct smap *ovs_options)
{
    if (VLOG_IS_DBG_ENABLED()) {
        const struct smap_node **nodes = smap_sort(ovs_options);
        struct ds s = DS_EMPTY_INITIALIZER;

        for (size_t i = 0; i < smap_count(ovs_options); i++) {
            ds_put_format(&s, " %s=%s", nodes[i]->key, nodes[i]->value);
        }
        VLOG_DBG("%s: configured:%s", netdev_get_name(netdev), ds_cstr(&s));
        ds_destroy(&s);
        free(nodes);
    }
}

/* Returns the options that an interface will have when all are configured, or
 * NULL; see struct eoip_hooks.  Main thread. */
static const struct smap *(*wanted_options)(const char *name);

/* Counts how often all interfaces have been configured.  Main thread. */
static unsigned int config_round;

const struct smap *
eoip_config_wanted(const struct netdev *netdev)
{
    return wanted_options
           && netdev_eoip_cast(netdev)->refused_in != config_round
           ? wanted_options(netdev_get_name(netdev)) : NULL;
}

/* True if 'netdev' takes the packets of 'match' only until its turn comes to be
 * configured, which it has not come to yet. */
static bool
will_move(const struct netdev *netdev, const struct eoip_match *match)
{
    const struct smap *options = eoip_config_wanted(netdev);
    struct eoip_match later, anybody;
    bool learns;

    if (!options
        || !eoip_tunnel_foresee(netdev_eoip_tunnel(netdev), options,
                                eoip_resolve, &later, &learns)) {
        return false;
    }
    anybody = match_anybody(&later);
    return memcmp(&later, match, sizeof later)
           && !(learns && !memcmp(&anybody, match, sizeof anybody));
}

/* Puts what was prepared in force.  Takes ownership of 'ovs_options'.  With
 * 'foresee' others will follow, and it is the outcome that counts. */
static int
put_in_force(struct netdev_eoip *dev, struct smap *ovs_options,
             const struct eoip_match *match, bool foresee, char **errp)
{
    struct netdev *netdev = &dev->vport.up;
    struct eoip_match anybody = match_anybody(match);
    bool learns = eoip_tunnel_learns(dev->tunnel);
    const char *dp_type = netdev_get_dpif_type(netdev);
    struct in6_addr guarded = in6addr_any;
    const struct netdev *other
        = match_conflict(match, netdev, foresee ? will_move : NULL);
    int error;

    if (!other && learns) {
        other = match_conflict(&anybody, netdev, foresee ? will_move : NULL);
    }
    if (other) {
        *errp = xasprintf("%s: remote_ip=%s, local_ip=%s and in_key=%s are "
                          "those of interface %s already: one of the three "
                          "must differ", netdev_get_name(netdev),
                          learns ? "learn" : smap_get_def(
                              ovs_options, "remote_ip", "flow"),
                          smap_get_def(ovs_options, "local_ip", "any"),
                          smap_get(ovs_options, "in_key"),
                          netdev_get_name(other));
        error = EEXIST;
    } else if (dp_type
               && (*errp = ipsec_admit(dev, dp_type, true,
                                       foresee ? eoip_config_wanted : NULL,
                                       &guarded)) != NULL) {
        error = EINVAL;
    } else {
        error = eoip_common.set_config(netdev, ovs_options, errp);
    }
    if (error) {
        ipsec_renounced(&guarded);
    } else {
        bool inherited_df = eoip_tunnel_inherits_df(dev->tunnel);

        eoip_tunnel_commit(dev->tunnel, ovsrcu_postpone__);
        if (!dev->number) {
            match_number_add(&dev->number, dev->tunnel);
        }
        if (eoip_tunnel_inherits_df(dev->tunnel) != inherited_df) {
            /* The flows hold it, and OVS does not know of it. */
            netdev_change_seq_changed(netdev);
        }
        match_set(&dev->node, match, netdev, dev->tunnel);
        match_set(&dev->learner, learns ? &anybody : NULL, netdev,
                  dev->tunnel);
        ipsec_admitted(dev, &guarded);
        eoip_keepalive_configure(dev->tunnel, netdev, &eoip_keepalive_calls);
        eoip_path_outdate();
        have_names |= eoip_tunnel_has_names(dev->tunnel);
        have_learners |= learns;
        have_unclamped |= !eoip_tunnel_clamps_mss(dev->tunnel);
        atomic_store_relaxed(&ports_changed, true);
        log_config(netdev, ovs_options);
    }
    smap_destroy(ovs_options);
    return error;
}

/* True if 'dev' can go on with what is in force, which no port has taken that
 * has been configured since. */
static bool
can_stay(const struct netdev_eoip *dev)
{
    const struct netdev *netdev = &dev->vport.up;

    return dev->node && !match_conflict(match_of(dev->node), netdev, NULL)
           && !(dev->learner
                && match_conflict(match_of(dev->learner), netdev, NULL));
}

/* To OVS an error means that the port has to go, and that others may get its
 * OpenFlow number.  One that works goes on as it was instead, and OVS is told
 * why by eoip_config_refused(). */
int
eoip_set_config(struct netdev *netdev, const struct smap *options,
                char **errp)
{
    struct netdev_eoip *dev = netdev_eoip_cast(netdev);
    struct smap ovs_options = SMAP_INITIALIZER(&ovs_options);
    struct eoip_match match;
    char *reason;
    int error = EINVAL;

    reason = eoip_tunnel_prepare(tunnel_of(dev), options, eoip_resolve,
                                 &ovs_options, &match);
    if (!reason) {
        error = put_in_force(dev, &ovs_options, &match, true, &reason);
    }
    if (reason && (!dev->refused || strcmp(reason, dev->refused))) {
        VLOG_WARN("%s", reason);
    }
    free(dev->refused);
    dev->refused = NULL;
    if (reason && can_stay(dev)) {
        dev->refused = reason;
        dev->refused_in = config_round;
        return 0;
    }
    *errp = reason;
    return error;
}

const char *
eoip_config_refused(const struct netdev *netdev)
{
    return netdev_eoip_cast(netdev)->refused;
}

/* As put_in_force(), where nobody waits for the error.  Returns true if there is
 * none. */
static bool
put_in_force_again(struct netdev_eoip *dev, struct smap *ovs_options,
                   const struct eoip_match *match)
{
    char *error = NULL;

    put_in_force(dev, ovs_options, match, false, &error);
    if (error) {
        static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);
        VLOG_WARN_RL(&rl, "%s", error);
        free(error);
        return false;
    }
    return true;
}

static void
resolve_again(struct netdev_eoip *dev)
{
    struct smap ovs_options = SMAP_INITIALIZER(&ovs_options);
    struct eoip_match match;

    if (eoip_tunnel_resolve(dev->tunnel, eoip_resolve, &ovs_options, &match)
        && put_in_force_again(dev, &ovs_options, &match)) {
        VLOG_INFO("%s: the address of a host name has changed",
                  netdev_get_name(&dev->vport.up));
    }
}

static void
learn_again(struct netdev_eoip *dev, long long int passed)
{
    struct smap ovs_options = SMAP_INITIALIZER(&ovs_options);
    struct eoip_match match;
    struct eoip_port port;

    if (eoip_keepalive_calls.poll(&dev->vport.up, &port)
        && eoip_learning_look(dev->tunnel, port.rx_packets, passed,
                              &ovs_options, &match)
        && put_in_force_again(dev, &ovs_options, &match)) {
        static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(60, 60);
        char peer[INET6_ADDRSTRLEN];

        ipv6_string_mapped(peer, &match.remote);
        VLOG_INFO_RL(&rl, "%s: has learned the peer %s",
                     netdev_get_name(&dev->vport.up), peer);
        eoip_keepalive_heard(dev->tunnel);
    }
}

/* Looks after all tunnels whose ends may change by themselves; 'passed' is
 * the time since this was due before, in milliseconds, or 0. */
static void
look_after_all(long long int passed)
{
    struct netdev **vports;
    size_t n;

    have_names = have_learners = false;
    vports = netdev_get_vports(&n);
    for (size_t i = 0; i < n; i++) {
        struct netdev_eoip *dev = eoip_is_type(vports[i])
            ? netdev_eoip_cast(vports[i]) : NULL;

        if (dev && dev->tunnel) {
            if (passed) {
                resolve_again(dev);
            }
            if (dev->learner) {
                learn_again(dev, passed);
            }
            have_names |= eoip_tunnel_has_names(dev->tunnel);
            have_learners |= dev->learner != NULL;
        }
        netdev_close(vports[i]);
    }
    free(vports);
}

/* Looks at the ports of the kernel's datapath: what is wrong with its module
 * goes to the log, and the kernel is told if one does not clamp the MSS. */
static void
look_at_kernel_ports(void)
{
    struct eoip_kernel_port *ports;
    struct netdev **vports;
    size_t n_vports, n = 0;

    vports = netdev_get_vports(&n_vports);
    ports = xcalloc(n_vports + 1, sizeof *ports);
    for (size_t i = 0; i < n_vports; i++) {
        struct netdev_eoip *dev = eoip_is_type(vports[i])
            ? netdev_eoip_cast(vports[i]) : NULL;

        if (dev && dev->node && match_is_in_kernel(vports[i])) {
            ports[n++] = (struct eoip_kernel_port) {
                .match = *match_of(dev->node), .tunnel = dev->tunnel,
            };
        }
        netdev_close(vports[i]);
    }
    if (have_unclamped) {
        eoip_clamping_update(ports, n, EOIP_DPIF_PORT);
    }
    eoip_version_log(n > 0);
    free(ports);
    free(vports);
}

void
eoip_config_run(void)
{
    bool changed;

    atomic_read_relaxed(&ports_changed, &changed);
    if (changed) {
        atomic_store_relaxed(&ports_changed, false);
        look_at_kernel_ports();
    }
    ipsec_ports_run(config_round > 0);
    if (eoip_learning_met()) {
        look_after_all(0);
    }
    if (time_msec() < next_run) {
        return;
    }
    next_run = time_msec() + RUN_INTERVAL;
    have_fragments = eoip_reassembly_expire(time_msec());
    if (have_names || have_learners) {
        look_after_all(RUN_INTERVAL);
    }
}

void
eoip_config_wait(void)
{
    ipsec_ports_wait();
    eoip_learning_wait();
    if (have_names || have_learners || have_fragments) {
        poll_timer_wait_until(next_run);
    }
}

void
eoip_config_ports_changed(void)
{
    atomic_store_relaxed(&ports_changed, true);
}

void
eoip_config_begin(const struct smap *other_config,
                  const struct smap *(*wanted)(const char *name))
{
    static char *last;
    char *error = settings_configure(other_config);

    wanted_options = wanted;
    config_round++;
    if (error && (!last || strcmp(error, last))) {
        VLOG_WARN("%s", error);
    }
    free(last);
    last = error;
}
