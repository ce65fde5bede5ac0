/* SPDX-License-Identifier: Apache-2.0
 *
 * The netdev class "eoip": the one file that faces the internals of OVS.
 *
 * A type=eoip netdev is an OVS tunnel vport whose class we complete: OVS's own
 * functions do what all tunnels have in common, ours validate the options,
 * build, push and pop the header, count, and follow host names.  What is ours
 * but not OVS's is behind eoip-provider.h.
 *
 * Netdevs are configured by the main thread.  Headers are built by any thread,
 * pushed and popped by the threads of the datapath. */

#include <config.h>

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>

#include "cmap.h"
#include "csum.h"
#include "dns-resolve.h"
#include "dp-packet.h"
#include "dpif.h"
#include "eoip-hooks.h"
#include "eoip-provider.h"
#include "hash.h"
#include "netdev-native-tnl.h"
#include "netdev-provider.h"
#include "netdev-vport.h"
#include "netdev-vport-private.h"
#include "odp-util.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovs-compat.h"
#include "ovs-rcu.h"
#include "packets.h"
#include "smap.h"
#include "timeval.h"
#include "tnl-ports.h"
#include "unixctl.h"

VLOG_DEFINE_THIS_MODULE(eoip);
struct vlog_module *const eoip_log = &this_module;

/* Bytes that are pushed: Ethernet, IPv4, EoIP; or Ethernet, IPv6, EoIPv6. */
#define EOIP_PUSH_BYTES (ETH_HEADER_LEN + EOIP_OUTER_HLEN)
#define EOIP6_PUSH_BYTES (ETH_HEADER_LEN + EOIP6_OUTER_HLEN)

/* How often, in milliseconds, host names are looked up again, learned peers
 * looked after, and fragments let go of that have waited for too long.  The
 * resolver caches answers for as long as the name server allows. */
#define RUN_INTERVAL 1000

/* When that is due, and whether there is any of it.  Main thread. */
static long long int next_run;
static bool have_names;
static bool have_learners;
static bool have_fragments;

/* The kernel has to be told of ports that change, once there was one that does
 * not clamp the MSS.  The first is set by any thread. */
static atomic_bool ports_changed = false;
static bool have_unclamped;

/* The functions that all tunnels of OVS have in common. */
static struct netdev_class common;

struct netdev_eoip {
    struct netdev_vport vport;  /* First, because OVS casts to it. */
    struct eoip_tunnel *tunnel;
    struct match_node *node;    /* In 'matches', or NULL. */
    struct match_node *learner; /* The same, for what it may learn. */
};

/* Finds the tunnel that a packet belongs to.  Not for packets that are fine,
 * which OVS itself matches to ports: for counting, and to see that no two
 * tunnels want the same packets.  A tunnel that learns its peer has a second
 * one, for whom it may learn.  Written with 'matches_mutex' held. */
struct match_node {
    struct cmap_node cmap_node;
    struct eoip_match match;
    struct netdev_eoip *dev;
};

static struct cmap matches = CMAP_INITIALIZER;
static struct ovs_mutex matches_mutex = OVS_MUTEX_INITIALIZER;

static struct netdev_eoip *
netdev_eoip_cast(const struct netdev *netdev)
{
    return CONTAINER_OF(netdev_vport_cast(netdev), struct netdev_eoip, vport);
}

/* Matches. */

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
    return !memcmp(&node->match, match, sizeof *match)
           && node->dev->vport.up.node;
}

/* Returns the tunnel that takes the same packets as 'match', or NULL. */
static struct netdev_eoip *
match_find(const struct eoip_match *match)
{
    const struct match_node *node;

    CMAP_FOR_EACH_WITH_HASH (node, cmap_node, match_hash(match), &matches) {
        if (match_is(node, match)) {
            return node->dev;
        }
    }
    return NULL;
}

/* Replaces '*nodep', which is one of those in 'dev'. */
static void
match_set(struct netdev_eoip *dev, struct match_node **nodep,
          const struct eoip_match *match)
{
    struct match_node *node = *nodep;

    if (node && match && !memcmp(&node->match, match, sizeof *match)) {
        return;
    }
    ovs_mutex_lock(&matches_mutex);
    if (node) {
        cmap_remove(&matches, &node->cmap_node, match_hash(&node->match));
        ovsrcu_postpone(free, node);
        *nodep = NULL;
    }
    if (match) {
        node = xzalloc(sizeof *node);
        node->match = *match;
        node->dev = dev;
        cmap_insert(&matches, &node->cmap_node, match_hash(match));
        *nodep = node;
    }
    ovs_mutex_unlock(&matches_mutex);
}

/* Returns the tunnel that a packet from 'remote' to 'local' with 'key' belongs
 * to, or NULL.  The most exact one wins, in OVS's own order. */
static struct eoip_tunnel *
match_packet(const struct in6_addr *remote, const struct in6_addr *local,
             uint16_t key)
{
    for (int i = 0; i < 12; i++) {
        bool key_flow = i >= 6;
        bool remote_flow = (i / 3) % 2;
        int local_kind = i % 3; /* Configured, any, flow. */
        struct eoip_match match = {
            .key = key_flow ? 0 : key,
            .key_flow = key_flow,
            .remote = remote_flow ? in6addr_any : *remote,
            .remote_flow = remote_flow,
            .local = local_kind == 0 ? *local : in6addr_any,
            .local_flow = local_kind == 2,
        };
        struct netdev_eoip *dev = match_find(&match);

        if (dev) {
            return dev->tunnel;
        }
    }
    return NULL;
}

/* True for a port of the kernel datapath, which forwards and counts by itself.
 * OVS tells the netdev when it adds it to a datapath. */
static bool
is_in_kernel(const struct netdev *netdev)
{
    const char *dpif_type = netdev_get_dpif_type(netdev);

    return dpif_type && !strcmp(dpif_type, "system");
}

/* Life. */

static struct netdev *
netdev_eoip_alloc(void)
{
    struct netdev_eoip *dev = xzalloc(sizeof *dev);
    return &dev->vport.up;
}

static void
netdev_eoip_destruct(struct netdev *netdev)
{
    struct netdev_eoip *dev = netdev_eoip_cast(netdev);

    VLOG_DBG("%s: removed", netdev_get_name(netdev));
    match_set(dev, &dev->node, NULL);
    match_set(dev, &dev->learner, NULL);
    if (dev->tunnel) {
        eoip_keepalive_stop(dev->tunnel);
    }
    atomic_store_relaxed(&ports_changed, true);
    common.destruct(netdev);
}

static void
netdev_eoip_free(struct netdev_eoip *dev)
{
    eoip_tunnel_destroy(dev->tunnel);
    free(dev);
}

static void
netdev_eoip_dealloc(struct netdev *netdev)
{
    /* The datapath's threads may still be counting. */
    ovsrcu_postpone(netdev_eoip_free, netdev_eoip_cast(netdev));
}

/* The class must keep OVS's own .construct, which is what makes a netdev a
 * vport to OVS, so the tunnel is made on first use. */
static struct eoip_tunnel *
tunnel_of(struct netdev_eoip *dev)
{
    if (!dev->tunnel) {
        dev->tunnel = eoip_tunnel_create(netdev_get_name(&dev->vport.up));
    }
    return dev->tunnel;
}

/* Learned peers. */

/* What stands for all whom the tunnel with 'match' may learn. */
static struct eoip_match
match_anybody(const struct eoip_match *match)
{
    struct eoip_match anybody = *match;

    anybody.remote = in6addr_any;
    anybody.anybody = true;
    return anybody;
}

/* Returns the port that learns who speaks with 'key' to 'local', or NULL. */
static struct netdev_eoip *
find_learner(const struct in6_addr *local, uint16_t key)
{
    struct eoip_match match = {
        .key = key, .local = *local, .anybody = true,
    };
    struct netdev_eoip *dev = match_find(&match);

    if (!dev) {
        match.local = in6addr_any;
        dev = match_find(&match);
    }
    return dev;
}

/* Counts a packet between the two addresses as dropped, of 'tunnel' or, if it
 * is NULL, of none; and says so in the log, if that is asked for. */
static void
drop(struct eoip_tunnel *tunnel, enum eoip_drop reason,
     const struct in6_addr *src, const struct in6_addr *dst, uint64_t key)
{
    char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(600, 20);

    eoip_tunnel_count_drop(tunnel, reason);
    VLOG_DBG_RL(&rl, "%s: dropped, from %s to %s, key %"PRIu64": %s",
                tunnel ? eoip_tunnel_name(tunnel) : "no tunnel",
                ipv6_string_mapped(from, src), ipv6_string_mapped(to, dst),
                key, eoip_drop_name(reason));
}

/* Accounts for a keepalive that no tunnel claims. */
static void
unclaimed_keepalive(const struct in6_addr *remote,
                    const struct in6_addr *local, uint16_t key, bool in_kernel)
{
    struct netdev_eoip *dev = find_learner(local, key);

    if (!dev || is_in_kernel(&dev->vport.up) != in_kernel) {
        eoip_tunnel_count_keepalive(NULL);
    } else if (eoip_learning_meet(dev->tunnel, remote, local)) {
        eoip_tunnel_count_keepalive(dev->tunnel);
    } else {
        drop(dev->tunnel, EOIP_DROP_NOT_THE_PEER, remote, local, key);
    }
}

static void
unclaimed_in_kernel(const struct in6_addr *remote,
                    const struct in6_addr *local, uint16_t key)
{
    unclaimed_keepalive(remote, local, key, true);
}

/* True if 'port' is that of the eoip tunnels in the datapath. */
static bool
is_eoip_port(odp_port_t port, const struct dpif *dpif, bool in_kernel)
{
    struct dpif_port dpif_port;
    bool is_eoip;

    if (!in_kernel) {
        return odp_to_u32(port) == eoip_own_port();
    }
    if (dpif_port_query_by_number(dpif, port, &dpif_port, false)) {
        return false;
    }
    is_eoip = !strcmp(dpif_port.name, EOIP_DPIF_PORT);
    dpif_port_destroy(&dpif_port);
    return is_eoip;
}

/* Accounts for a frame that no port takes. */
static void
unclaimed_frame(const struct flow *flow, const struct dpif *dpif)
{
    const struct flow_tnl *tnl = &flow->tunnel;
    bool in_kernel = !strcmp(dpif_type(dpif), "system");
    uint64_t key = ntohll(tnl->tun_id);
    struct in6_addr remote = flow_tnl_src(tnl);
    struct in6_addr local = flow_tnl_dst(tnl);
    struct netdev_eoip *dev;

    if (key > EOIP_KEY_MAX || match_packet(&remote, &local, key)) {
        return;     /* A change that OVS has not followed yet. */
    }
    dev = find_learner(&local, key);
    if (dev && is_in_kernel(&dev->vport.up) == in_kernel
        && is_eoip_port(flow->in_port.odp_port, dpif, in_kernel)) {
        eoip_learning_meet(dev->tunnel, &remote, &local);
        drop(dev->tunnel, EOIP_DROP_NOT_THE_PEER, &remote, &local, key);
    }
}

/* Keepalives. */

static bool
keepalive_poll(void *netdev, struct eoip_port *port)
{
    struct netdev_vport *vport = netdev_vport_cast(netdev);

    /* Not to wait: others hold it while they wait for the lock that is held
     * while a netdev, and with it its keepalives, are taken down. */
    if (ovs_mutex_trylock(&vport->mutex)) {
        return false;
    }
    port->rx_packets = vport->stats.rx_packets;
    ovs_strlcpy_arrays(port->egress, vport->egress_iface);
    ovs_mutex_unlock(&vport->mutex);
    return true;
}

static const struct eoip_keepalive_calls keepalive_calls = {
    .poll = keepalive_poll,
    .find = match_packet,
    .unclaimed = unclaimed_in_kernel,
};

static int
netdev_eoip_get_carrier(const struct netdev *netdev, bool *carrier)
{
    const struct netdev_eoip *dev = netdev_eoip_cast(netdev);

    *carrier = !dev->tunnel || eoip_keepalive_link_is_up(dev->tunnel);
    return 0;
}

static long long int
netdev_eoip_get_carrier_resets(const struct netdev *netdev)
{
    const struct netdev_eoip *dev = netdev_eoip_cast(netdev);

    return dev->tunnel ? eoip_keepalive_resets(dev->tunnel) : 0;
}

/* Configuration. */

static bool
resolve(const char *name, struct in6_addr *address)
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
 * NULL; see eoip_begin_config().  Main thread. */
static const struct smap *(*wanted_options)(const char *name);

/* True if 'dev' takes the packets of 'match' only until its turn comes to be
 * configured. */
static bool
will_move(const struct netdev_eoip *dev, const struct eoip_match *match)
{
    const struct smap *options
        = wanted_options ? wanted_options(netdev_get_name(&dev->vport.up))
                         : NULL;
    struct eoip_match later, anybody;
    bool learns;

    if (!options) {
        return false;
    }
    if (!eoip_tunnel_foresee(dev->tunnel, options, resolve, &later, &learns)) {
        return true;    /* Then it goes. */
    }
    anybody = match_anybody(&later);
    return memcmp(&later, match, sizeof later)
           && !(learns && !memcmp(&anybody, match, sizeof anybody));
}

/* Returns the tunnel other than 'self' that takes, and goes on to take, the
 * packets of 'match'; or NULL. */
static struct netdev_eoip *
find_conflict(const struct eoip_match *match, const struct netdev_eoip *self,
              bool foresee)
{
    const struct match_node *node;

    CMAP_FOR_EACH_WITH_HASH (node, cmap_node, match_hash(match), &matches) {
        if (match_is(node, match) && node->dev != self
            && !(foresee && will_move(node->dev, match))) {
            return node->dev;
        }
    }
    return NULL;
}

/* Puts what was prepared in force.  Takes ownership of 'ovs_options'.  With
 * 'foresee' others will follow, and it is the outcome that counts. */
static int
apply(struct netdev_eoip *dev, struct smap *ovs_options,
      const struct eoip_match *match, bool foresee, char **errp)
{
    struct netdev *netdev = &dev->vport.up;
    struct eoip_match anybody = match_anybody(match);
    bool learns = eoip_tunnel_learns(dev->tunnel);
    struct netdev_eoip *other = find_conflict(match, dev, foresee);
    int error;

    if (!other && learns) {
        other = find_conflict(&anybody, dev, foresee);
    }
    if (other) {
        *errp = xasprintf("%s: remote_ip=%s, local_ip=%s and in_key=%s are "
                          "those of interface %s already: one of the three "
                          "must differ", netdev_get_name(netdev),
                          learns ? "learn" : smap_get_def(
                              ovs_options, "remote_ip", "flow"),
                          smap_get_def(ovs_options, "local_ip", "any"),
                          smap_get(ovs_options, "in_key"),
                          netdev_get_name(&other->vport.up));
        error = EEXIST;
    } else {
        error = common.set_config(netdev, ovs_options, errp);
    }
    if (!error) {
        bool inherited_df = eoip_tunnel_inherits_df(dev->tunnel);

        eoip_tunnel_commit(dev->tunnel);
        if (eoip_tunnel_inherits_df(dev->tunnel) != inherited_df) {
            /* The flows hold it, and OVS does not know of it. */
            netdev_change_seq_changed(netdev);
        }
        match_set(dev, &dev->node, match);
        match_set(dev, &dev->learner, learns ? &anybody : NULL);
        eoip_keepalive_configure(dev->tunnel, netdev, &keepalive_calls);
        have_names |= eoip_tunnel_has_names(dev->tunnel);
        have_learners |= learns;
        have_unclamped |= !eoip_tunnel_clamps_mss(dev->tunnel);
        atomic_store_relaxed(&ports_changed, true);
        log_config(netdev, ovs_options);
    }
    smap_destroy(ovs_options);
    return error;
}

static int
netdev_eoip_set_config(struct netdev *netdev, const struct smap *options,
                       char **errp)
{
    struct netdev_eoip *dev = netdev_eoip_cast(netdev);
    struct smap ovs_options = SMAP_INITIALIZER(&ovs_options);
    struct eoip_match match;
    int error = EINVAL;

    *errp = eoip_tunnel_prepare(tunnel_of(dev), options, resolve,
                                &ovs_options, &match);
    if (!*errp) {
        error = apply(dev, &ovs_options, &match, true, errp);
    }
    if (*errp) {
        VLOG_WARN("%s", *errp);
    }
    return error;
}

/* As apply(), where nobody waits for the error.  Returns true if there is
 * none. */
static bool
apply_again(struct netdev_eoip *dev, struct smap *ovs_options,
            const struct eoip_match *match)
{
    char *error = NULL;

    apply(dev, ovs_options, match, false, &error);
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

    if (eoip_tunnel_resolve(dev->tunnel, resolve, &ovs_options, &match)
        && apply_again(dev, &ovs_options, &match)) {
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

    if (keepalive_poll(&dev->vport.up, &port)
        && eoip_learning_look(dev->tunnel, port.rx_packets, passed,
                              &ovs_options, &match)
        && apply_again(dev, &ovs_options, &match)) {
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

/* Tells the kernel which ports its datapath has. */
static void
tell_kernel(void)
{
    struct eoip_kernel_port *ports;
    struct netdev **vports;
    size_t n_vports, n = 0;

    vports = netdev_get_vports(&n_vports);
    ports = xcalloc(n_vports + 1, sizeof *ports);
    for (size_t i = 0; i < n_vports; i++) {
        struct netdev_eoip *dev = eoip_is_type(vports[i])
            ? netdev_eoip_cast(vports[i]) : NULL;

        if (dev && dev->node && is_in_kernel(vports[i])) {
            ports[n++] = (struct eoip_kernel_port) {
                .match = dev->node->match, .tunnel = dev->tunnel,
            };
        }
        netdev_close(vports[i]);
    }
    eoip_clamping_update(ports, n, EOIP_DPIF_PORT);
    free(ports);
    free(vports);
}

static void
netdev_eoip_run(const struct netdev_class *class)
{
    struct netdev *changed;
    bool tell;

    common.run(class);
    atomic_read_relaxed(&ports_changed, &tell);
    if (tell && have_unclamped) {
        atomic_store_relaxed(&ports_changed, false);
        tell_kernel();
    }
    while ((changed = eoip_keepalive_next_changed())) {
        netdev_change_seq_changed(changed);
    }
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

static void
netdev_eoip_wait(const struct netdev_class *class)
{
    common.wait(class);
    eoip_keepalive_wait();
    eoip_learning_wait();
    if (have_names || have_learners || have_fragments) {
        poll_timer_wait_until(next_run);
    }
}

/* Reports. */

static int
netdev_eoip_get_config(const struct netdev *netdev, struct smap *config)
{
    const struct netdev_eoip *dev = netdev_eoip_cast(netdev);
    int error = common.get_config(netdev, config);

    if (!error && dev->tunnel) {
        eoip_tunnel_correct_config(dev->tunnel, config);
    }
    return error;
}

static int
netdev_eoip_get_status(const struct netdev *netdev, struct smap *status)
{
    const struct netdev_eoip *dev = netdev_eoip_cast(netdev);

    if (dev->tunnel) {
        eoip_tunnel_get_status(dev->tunnel, status);
    }
    return common.get_status(netdev, status);
}

static int
netdev_eoip_get_stats(const struct netdev *netdev, struct netdev_stats *stats)
{
    const struct netdev_eoip *dev = netdev_eoip_cast(netdev);
    int error = common.get_stats(netdev, stats);

    if (!error && is_in_kernel(netdev)) {
        /* Known of the device only that all tunnels share. */
        stats->rx_dropped = stats->tx_dropped = UINT64_MAX;
    } else if (!error && dev->tunnel) {
        struct eoip_counters counters;

        stats->rx_dropped = stats->tx_dropped = 0;
        eoip_tunnel_get_counters(dev->tunnel, &counters);
        for (int i = 0; i < EOIP_N_DROPS; i++) {
            *(eoip_drop_is_rx(i) ? &stats->rx_dropped : &stats->tx_dropped)
                += counters.drops[i];
        }
    }
    return error;
}

static void
add_custom(struct netdev_custom_stats *custom, uint64_t value,
           const char *prefix, const char *name)
{
    struct netdev_custom_counter *counter = &custom->counters[custom->size++];

    counter->value = value;
    snprintf(counter->name, sizeof counter->name, "%s%s", prefix, name);
}

static int
netdev_eoip_get_custom_stats(const struct netdev *netdev,
                             struct netdev_custom_stats *custom)
{
    const struct netdev_eoip *dev = netdev_eoip_cast(netdev);
    struct eoip_counters counters;

    custom->size = 0;
    custom->counters = NULL;
    if (!dev->tunnel || is_in_kernel(netdev)) {
        return 0;
    }
    custom->counters = xcalloc(EOIP_N_DROPS + 3, sizeof *custom->counters);
    eoip_tunnel_get_counters(dev->tunnel, &counters);
    add_custom(custom, counters.rx_keepalives, "", "rx_keepalives");
    add_custom(custom, counters.rx_trimmed, "", "rx_trimmed");
    add_custom(custom, counters.tx_keepalives, "", "tx_keepalives");
    for (int i = 0; i < EOIP_N_DROPS; i++) {
        if (!eoip_drop_is_fragment(i)) {
            add_custom(custom, counters.drops[i],
                       eoip_drop_is_rx(i) ? "rx_drop_" : "tx_drop_",
                       eoip_drop_name(i));
        }
    }
    return 0;
}

static bool
describe(struct netdev_eoip *dev, struct eoip_shown *shown)
{
    struct netdev_stats stats;

    if (!dev->node || common.get_stats(&dev->vport.up, &stats)) {
        return false;   /* The datapath's own port, or not configured. */
    }
    *shown = (struct eoip_shown) {
        .tunnel = dev->tunnel,
        .name = netdev_get_name(&dev->vport.up),
        .in_kernel = is_in_kernel(&dev->vport.up),
        .egress = dev->vport.egress_iface,
        .egress_carrier = dev->vport.carrier_status,
        .rx_packets = stats.rx_packets,
        .rx_bytes = stats.rx_bytes,
        .tx_packets = stats.tx_packets,
        .tx_bytes = stats.tx_bytes,
    };
    return true;
}

static int
compare_shown(const void *a_, const void *b_)
{
    const struct eoip_shown *a = a_;
    const struct eoip_shown *b = b_;

    return strcmp(a->name, b->name);
}

static void
eoip_show(struct unixctl_conn *conn, int argc, const char *argv[],
          void *aux OVS_UNUSED)
{
    struct eoip_shown *shown;
    struct netdev **vports;
    size_t n_vports, n = 0;
    const char *port;
    char *reply;
    bool json;

    reply = eoip_show_parse(argc, argv, &json, &port);
    if (reply) {
        unixctl_command_reply_error(conn, reply);
        free(reply);
        return;
    }

    vports = netdev_get_vports(&n_vports);
    shown = xcalloc(n_vports + 1, sizeof *shown);
    for (size_t i = 0; i < n_vports; i++) {
        if (eoip_is_type(vports[i])
            && (!port || !strcmp(port, netdev_get_name(vports[i])))) {
            n += describe(netdev_eoip_cast(vports[i]), &shown[n]);
        }
    }
    if (port && !n) {
        reply = xasprintf("%s: there is no eoip interface of this name", port);
        unixctl_command_reply_error(conn, reply);
    } else {
        qsort(shown, n, sizeof *shown, compare_shown);
        reply = eoip_show_format(shown, n, !port, json);
        unixctl_command_reply(conn, reply);
    }
    free(reply);
    free(shown);
    for (size_t i = 0; i < n_vports; i++) {
        netdev_close(vports[i]);
    }
    free(vports);
}

void
eoip_explain_error(const struct netdev *netdev, const char *bridge,
                   const char *dp_type, int error, char **errp)
{
    if (error == EOPNOTSUPP && eoip_is_type(netdev)
        && !strcmp(dp_type, "system")) {
        free(*errp);
        *errp = xasprintf("%s: the kernel, which is the datapath of bridge "
                          "%s, has no EoIP: install the package eoip-dkms, or "
                          "set datapath_type=netdev on the bridge",
                          netdev_get_name(netdev), bridge);
    }
}

/* Packets. */

/* What is EoIP's in the headers of its packets. */
static void
build_header(struct ovs_action_push_tnl *data,
             const struct netdev_tnl_build_header_params *params,
             uint16_t key)
{
    struct ip_header *ip = (void *) eoip_push_ip(data);

    eoip_put_header(netdev_tnl_ip_build_header(data, params, EOIP_IPPROTO, 0),
                    key);
    data->header_len += EOIP_HLEN;
    if (params->flow->tunnel.flags & FLOW_TNL_F_EOIP_INHERIT_DF) {
        ip->ip_frag_off |= htons(EOIP_IP_INHERIT_DF);
    }
    /* Since 3.2 OVS leaves it to whoever sends the packet. */
    ip->ip_csum = 0;
    ip->ip_csum = csum(ip, sizeof *ip);
}

/* The same in those of EoIPv6. */
static void
build_header6(struct ovs_action_push_tnl *data,
              const struct netdev_tnl_build_header_params *params,
              uint16_t key)
{
    struct ovs_16aligned_ip6_hdr *ip6;
    ovs_be32 flow;

    eoip_put_header6(netdev_tnl_ip_build_header(data, params, EOIP6_IPPROTO, 0),
                     key);
    data->header_len += EOIP6_HLEN;

    ip6 = (void *) eoip_push_ip(data);
    flow = get_16aligned_be32(&ip6->ip6_flow);
    if (params->flow->tunnel.flags & FLOW_TNL_F_DONT_FRAGMENT) {
        flow |= htonl(EOIP6_LABEL_DF);
    }
    if (params->flow->tunnel.flags & FLOW_TNL_F_EOIP_INHERIT_DF) {
        flow |= htonl(EOIP6_LABEL_INHERIT_DF);
    }
    put_16aligned_be32(&ip6->ip6_flow, flow);
}

static int
netdev_eoip_build_header(const struct netdev *netdev,
                         struct ovs_action_push_tnl *data,
                         const struct netdev_tnl_build_header_params *params)
{
    struct eoip_tunnel *tunnel = netdev_eoip_cast(netdev)->tunnel;
    const struct flow_tnl *tnl = &params->flow->tunnel;
    uint64_t key = ntohll(tnl->tun_id);

    if (!eoip_tunnel_is_resolved(tunnel)) {
        drop(tunnel, EOIP_DROP_ENDPOINT_UNRESOLVED, &in6addr_any,
             &in6addr_any, key);
        return EHOSTUNREACH;
    }
    if (key > (params->is_ipv6 ? EOIP6_KEY_MAX : EOIP_KEY_MAX)) {
        struct in6_addr src = flow_tnl_src(tnl), dst = flow_tnl_dst(tnl);

        drop(tunnel, EOIP_DROP_KEY_OUT_OF_RANGE, &src, &dst, key);
        return ERANGE;
    }
    (params->is_ipv6 ? build_header6 : build_header)(data, params, key);
    data->tnl_type = OVS_VPORT_TYPE_EOIP;
    return 0;
}

static bool
push_inherits_df(const struct ovs_action_push_tnl *push)
{
    const struct ip_header *ip = (void *) eoip_push_ip(push);

    return ip->ip_frag_off & htons(EOIP_IP_INHERIT_DF);
}

/* Notes where the headers of a packet are that has got Ethernet and an IP
 * header of 'ip_hlen' bytes. */
static inline void
set_layers(struct dp_packet *packet, size_t ip_hlen)
{
    packet->packet_type = htonl(PT_ETH);
    dp_packet_forget_offload(packet);
    dp_packet_reset_offsets(packet);
    packet->l3_ofs = ETH_HEADER_LEN;
    packet->l4_ofs = ETH_HEADER_LEN + ip_hlen;
}

/* Out of the way of EoIP, whose registers it would cost. */
static __attribute__((noinline)) void
push_header6(struct dp_packet *packet, const struct ovs_action_push_tnl *data)
{
    const char *prepared = (const char *) data->header;
    size_t frame_bytes = dp_packet_size(packet);
    char *eth = dp_packet_push_uninit(packet, EOIP6_PUSH_BYTES);

    memcpy(eth, prepared, ETH_HEADER_LEN);
    eoip_put_outer6(eth + ETH_HEADER_LEN, prepared + ETH_HEADER_LEN,
                    frame_bytes);
    set_layers(packet, IPV6_HEADER_LEN);
}

static void
netdev_eoip_push_header(const struct netdev *netdev OVS_UNUSED,
                        OVS_PUSH_HEADER_INGRESS
                        struct dp_packet *packet,
                        const struct ovs_action_push_tnl *data)
{
    const char *prepared = (const char *) data->header;
    size_t frame_bytes = dp_packet_size(packet);
    char *eth;

    if (OVS_UNLIKELY(data->header_len != EOIP_PUSH_BYTES)) {
        push_header6(packet, data);
        return;
    }
    eth = dp_packet_push_uninit(packet, EOIP_PUSH_BYTES);
    memcpy(eth, prepared, ETH_HEADER_LEN);
    eoip_put_outer(eth + ETH_HEADER_LEN, prepared + ETH_HEADER_LEN,
                   frame_bytes);
    if (OVS_UNLIKELY(push_inherits_df(data))) {
        eoip_put_df(eth + ETH_HEADER_LEN,
                    eoip_df(prepared + ETH_HEADER_LEN,
                            eth + EOIP_PUSH_BYTES, frame_bytes));
    }
    set_layers(packet, IP_HEADER_LEN);
}

/* Counts a frame as dropped that was to get these prepared headers. */
static void
drop_push(const struct ovs_action_push_tnl *push, enum eoip_drop reason)
{
    const void *headers = eoip_push_ip(push);
    uint16_t key = eoip_push_key(push);
    struct in6_addr remote, local;

    if (eoip_push_is_ipv6(push)) {
        const struct ovs_16aligned_ip6_hdr *ip6 = headers;

        memcpy(&remote, &ip6->ip6_dst, sizeof remote);
        memcpy(&local, &ip6->ip6_src, sizeof local);
    } else {
        const struct ip_header *ip = headers;

        in6_addr_set_mapped_ipv4(&remote, get_16aligned_be32(&ip->ip_dst));
        in6_addr_set_mapped_ipv4(&local, get_16aligned_be32(&ip->ip_src));
    }
    drop(match_packet(&remote, &local, key), reason, &local, &remote, key);
}

/* Set by limit_push() for fragment(), which follows it in the same thread. */
static __thread bool need_fragments;

static void
limit_push(struct dp_packet_batch *batch,
           const struct ovs_action_push_tnl *push)
{
    uint16_t fits = eoip_push_limit(push);
    size_t limit = fits ? fits : EOIP_FRAME_MAX;
    struct dp_packet *packet;
    size_t i, n = dp_packet_batch_size(batch);

    need_fragments = false;
    DP_PACKET_BATCH_REFILL_FOR_EACH (i, n, packet, batch) {
        if (OVS_LIKELY(dp_packet_size(packet) <= limit)) {
            dp_packet_batch_add(batch, packet);
        } else if (dp_packet_size(packet) <= EOIP_FRAME_MAX
                   && eoip_push_mtu(push)
                      >= eoip_push_mtu_min(eoip_push_is_ipv6(push))
                   && !eoip_df(eoip_push_ip(push), dp_packet_data(packet),
                               dp_packet_size(packet))) {
            need_fragments = true;
            dp_packet_batch_add(batch, packet);
        } else {
            bool too_long = dp_packet_size(packet) > EOIP_FRAME_MAX;
            drop_push(push, too_long ? EOIP_DROP_FRAME_TOO_LONG
                                     : EOIP_DROP_EXCEEDS_MTU);
            dp_packet_delete(packet);
        }
    }
}

/* Executes an action that holds a 32-bit number on a batch, which it takes
 * over. */
static void
execute_u32(odp_execute_cb execute, void *aux, enum ovs_action_attr type,
            uint32_t value, struct dp_packet_batch *batch)
{
    struct {
        struct nlattr a;
        uint32_t value;
    } action = {
        .a = { .nla_len = sizeof action, .nla_type = type },
        .value = value,
    };

    execute(aux, batch, &action.a, true);
}

/* Adds to 'batch' the fragments of 'packet', which stays as it is; executes
 * what is in the batch whenever it is full. */
static void
split(const struct dp_packet *packet, size_t mtu,
      struct dp_packet_batch *batch, odp_execute_cb execute, void *aux)
{
    const char *headers = dp_packet_data(packet);
    struct eoip_fragments plan;
    size_t hlen, payload;

    eoip_plan_fragments(headers + ETH_HEADER_LEN, mtu, &plan);
    hlen = ETH_HEADER_LEN + plan.ip_hlen;
    payload = dp_packet_size(packet) - hlen;
    for (size_t offset = 0; offset < payload; offset += plan.step) {
        size_t bytes = MIN(plan.step, payload - offset);
        struct dp_packet *piece
            = dp_packet_new_with_headroom(hlen + plan.extra_hlen + bytes,
                                          EOIP6_PUSH_BYTES);

        dp_packet_put(piece, headers, hlen);
        dp_packet_put_zeros(piece, plan.extra_hlen);
        dp_packet_put(piece, headers + hlen + offset, bytes);
        piece->md = packet->md;
        eoip_make_fragment((char *) dp_packet_data(piece) + ETH_HEADER_LEN,
                           &plan, offset, bytes, offset + bytes < payload);
        dp_packet_batch_add(batch, piece);
        if (dp_packet_batch_size(batch) >= NETDEV_MAX_BURST) {
            execute_u32(execute, aux, OVS_ACTION_ATTR_RECIRC, 0, batch);
            dp_packet_batch_reset(batch);
        }
    }
}

/* The fragments do not fit into the batch, so they go through the underlay's
 * bridge on their own, as if its local port had sent them. */
static void
fragment(struct dp_packet_batch *batch,
         const struct ovs_action_push_tnl *push, odp_execute_cb execute,
         void *aux)
{
    size_t mtu = eoip_push_mtu(push);
    struct dp_packet_batch pieces;
    struct dp_packet *packet;
    size_t i, n = dp_packet_batch_size(batch);

    if (OVS_LIKELY(!need_fragments)) {
        return;
    }
    need_fragments = false;
    dp_packet_batch_init(&pieces);
    DP_PACKET_BATCH_REFILL_FOR_EACH (i, n, packet, batch) {
        if (dp_packet_size(packet) <= ETH_HEADER_LEN + mtu) {
            dp_packet_batch_add(batch, packet);
        } else {
            split(packet, mtu, &pieces, execute, aux);
            dp_packet_delete(packet);
        }
    }
    if (!dp_packet_batch_is_empty(&pieces)) {
        execute_u32(execute, aux, OVS_ACTION_ATTR_RECIRC, 0, &pieces);
    }
    dp_packet_batch_destroy(&pieces);
}

/* Does what is due for packets that are not simply a frame.  The frame is, or
 * would be, at 'frame' behind 'outer_hlen' bytes of headers. */
static void
account(const struct flow_tnl *tnl, const struct eoip_received *rx,
        size_t outer_hlen, char *frame)
{
    struct in6_addr remote = flow_tnl_src(tnl);
    struct in6_addr local = flow_tnl_dst(tnl);
    struct eoip_tunnel *tunnel = rx->flags & EOIP_KEY_KNOWN
        ? match_packet(&remote, &local, rx->key) : NULL;

    if (rx->kind == EOIP_DROPPED) {
        drop(tunnel, rx->drop, &remote, &local, rx->key);
    } else if (rx->kind == EOIP_KEEPALIVE) {
        if (tunnel) {
            eoip_tunnel_count_keepalive(tunnel);
            eoip_keepalive_heard(tunnel);
        } else {
            unclaimed_keepalive(&remote, &local, rx->key, false);
        }
    } else if (rx->flags & EOIP_TRIMMED) {
        eoip_tunnel_count_trimmed(tunnel);
    }
    if (rx->flags & EOIP_TCP_SYN && tunnel) {
        eoip_tunnel_clamp_mss(tunnel, outer_hlen, frame, rx->frame_bytes);
    }
}

/* Where pop_shared() has a thread's pop put what may belong to others, or
 * NULL; and how many packets pop took out without dropping them. */
static __thread struct dp_packet_batch *set_aside;
static __thread size_t n_kept_back;

static size_t
kept_back(void)
{
    size_t n = n_kept_back;

    n_kept_back = 0;
    return n;
}

/* Bytes from the IP header on, padding included. */
static size_t
l3_bytes(const struct dp_packet *packet)
{
    return (char *) dp_packet_tail(packet) - (char *) dp_packet_l3(packet);
}

static bool
is_ipv6(const struct dp_packet *packet)
{
    const struct ip_header *ip = dp_packet_l3(packet);

    return ip && IP_VER(ip->ip_ihl_ver) == 6;
}

/* True, with 'packet' kept, if it is not for eoip to drop it. */
static bool
keep_aside(struct dp_packet *packet, const struct eoip_received *rx)
{
    const char *l4 = dp_packet_l4(packet);

    if (!set_aside || !l4 || !dp_packet_batch_has_room(set_aside)
        || (rx->drop != EOIP_DROP_FRAGMENT && rx->drop != EOIP_DROP_NOT_EOIP
            && eoip_is_ours(dp_packet_l3(packet), l3_bytes(packet), l4,
                            dp_packet_l4_size(packet)))) {
        return false;
    }
    dp_packet_batch_add(set_aside, packet);
    n_kept_back++;
    return true;
}

/* Counts and frees a packet whose frame, as 'rx' says, is not delivered. */
static __attribute__((noinline)) void
drop_pop(struct dp_packet *packet, const struct eoip_received *rx)
{
    account(&packet->md.tunnel, rx, 0, NULL);
    dp_packet_delete(packet);
}

/* Marks the frame with what the packet around it, with this TOS, met on its
 * way.  Returns false if that is a reason to drop it. */
static __attribute__((noinline)) bool
pop_ecn(struct eoip_received *rx, char *frame, uint8_t tos)
{
    if (eoip_take_over_ecn(frame, rx->frame_bytes, tos)) {
        return true;
    }
    *rx = (struct eoip_received) {
        .kind = EOIP_DROPPED, .drop = EOIP_DROP_ECN,
        .flags = EOIP_KEY_KNOWN, .key = rx->key,
    };
    return false;
}

/* Removes from the packet all but its frame. */
static inline void
remove_headers(struct dp_packet *packet, char *frame, size_t frame_bytes)
{
    packet->packet_type = htonl(PT_ETH);
    dp_packet_reset_packet(packet, frame - (char *) dp_packet_data(packet));
    dp_packet_set_size(packet, frame_bytes);
}

static struct dp_packet *
pop_header6(struct dp_packet *packet)
{
    char *ip = dp_packet_l3(packet);
    const struct ovs_16aligned_ip6_hdr *nh = (const void *) ip;
    struct flow_tnl *tnl = &packet->md.tunnel;
    struct eoip_received rx;

    eoip_receive6(ip, l3_bytes(packet), &rx);
    if (!(rx.flags & EOIP_KEY_KNOWN) && keep_aside(packet, &rx)) {
        return NULL;
    }
    pkt_metadata_init_tnl(&packet->md);
    if (rx.flags & EOIP_KEY_KNOWN) {
        memcpy(&tnl->ipv6_src, &nh->ip6_src, sizeof tnl->ipv6_src);
        memcpy(&tnl->ipv6_dst, &nh->ip6_dst, sizeof tnl->ipv6_dst);
    }
    if (OVS_UNLIKELY(rx.kind != EOIP_FRAME || rx.flags & EOIP_TCP_SYN)) {
        account(tnl, &rx, EOIP6_OUTER_HLEN, ip + EOIP6_OUTER_HLEN);
        if (rx.kind != EOIP_FRAME) {
            n_kept_back += rx.kind == EOIP_KEEPALIVE;
            dp_packet_delete(packet);
            return NULL;
        }
    }
    tnl->ip_tos = ntohl(get_16aligned_be32(&nh->ip6_flow)) >> 20;
    tnl->ip_ttl = nh->ip6_hlim;
    if (OVS_UNLIKELY(tnl->ip_tos & IP_ECN_ECT_1)
        && !pop_ecn(&rx, ip + EOIP6_OUTER_HLEN, tnl->ip_tos)) {
        drop_pop(packet, &rx);
        return NULL;
    }
    tnl->tun_id = htonll(rx.key);
    tnl->flags = FLOW_TNL_F_KEY;

    remove_headers(packet, ip + EOIP6_OUTER_HLEN, rx.frame_bytes);
    return packet;
}

/* What no packet of EoIP over IPv4 is: what its receiver cannot even say the
 * key of. */
static __attribute__((noinline)) struct dp_packet *
pop_strange(struct dp_packet *packet, const struct eoip_received *rx)
{
    if (is_ipv6(packet)) {
        return pop_header6(packet);
    }
    if (!keep_aside(packet, rx)) {
        drop(NULL, rx->drop, &in6addr_any, &in6addr_any, 0);
        dp_packet_delete(packet);
    }
    return NULL;
}

static struct dp_packet *
netdev_eoip_pop_header(struct dp_packet *packet)
{
    char *ip = dp_packet_l3(packet);
    size_t n_bytes = ip ? (char *) dp_packet_tail(packet) - ip : 0;
    const struct ip_header *nh = (const void *) ip;
    struct flow_tnl *tnl = &packet->md.tunnel;
    struct eoip_received rx;

    eoip_receive(ip, n_bytes, dp_packet_ip_checksum_valid(packet), &rx);
    if (OVS_UNLIKELY(!(rx.flags & EOIP_KEY_KNOWN))) {
        return pop_strange(packet, &rx);
    }
    pkt_metadata_init_tnl(&packet->md);
    tnl->ip_src = get_16aligned_be32(&nh->ip_src);
    tnl->ip_dst = get_16aligned_be32(&nh->ip_dst);
    if (OVS_UNLIKELY(rx.kind != EOIP_FRAME
                     || rx.flags & (EOIP_TRIMMED | EOIP_TCP_SYN))) {
        account(tnl, &rx, EOIP_OUTER_HLEN, ip + EOIP_OUTER_HLEN);
        if (rx.kind != EOIP_FRAME) {
            n_kept_back += rx.kind == EOIP_KEEPALIVE;
            dp_packet_delete(packet);
            return NULL;
        }
    }
    tnl->ip_tos = nh->ip_tos;
    tnl->ip_ttl = nh->ip_ttl;
    if (OVS_UNLIKELY(nh->ip_tos & IP_ECN_ECT_1)
        && !pop_ecn(&rx, ip + EOIP_OUTER_HLEN, nh->ip_tos)) {
        drop_pop(packet, &rx);
        return NULL;
    }
    tnl->tun_id = htonll(rx.key);
    tnl->flags = FLOW_TNL_F_KEY;

    remove_headers(packet, ip + EOIP_OUTER_HLEN, rx.frame_bytes);
    return packet;
}

/* Returns 'packet' unless it is a fragment; then the packet that it completes,
 * or NULL.  Takes ownership of 'packet'. */
static struct dp_packet *
reassemble(struct dp_packet *packet)
{
    const char *ip = dp_packet_l3(packet);
    size_t n = l3_bytes(packet);
    struct dp_packet *whole = NULL;
    const void *bytes;

    if (!eoip_is_fragment(ip, n)) {
        return packet;
    }
    bytes = eoip_reassemble(ip, n, time_msec(), &n);
    if (bytes) {
        whole = dp_packet_new_with_headroom(ETH_HEADER_LEN + n,
                                            EOIP_PUSH_BYTES);
        dp_packet_put(whole, dp_packet_data(packet), ETH_HEADER_LEN);
        dp_packet_put(whole, bytes, n);
        whole->md = packet->md;
        whole->l3_ofs = ETH_HEADER_LEN;
        whole->l4_ofs = ETH_HEADER_LEN + (is_ipv6(packet) ? IPV6_HEADER_LEN
                                                          : IP_HEADER_LEN);
    }
    dp_packet_delete(packet);
    return whole;
}

/* Sends packets that belong to the tunnels of 'port', or to nobody. */
static void
deliver(struct dp_packet_batch *batch, odp_port_t port,
        const struct eoip_pop *pop, odp_execute_cb execute, void *aux)
{
    if (dp_packet_batch_is_empty(batch)) {
        return;
    } else if (port != ODPP_NONE) {
        execute_u32(execute, aux, OVS_ACTION_ATTR_TUNNEL_POP, odp_to_u32(port),
                    batch);
    } else {
        execute_u32(execute, aux, OVS_ACTION_ATTR_OUTPUT,
                    odp_to_u32(pop->local), batch);
    }
    dp_packet_batch_reset(batch);
}

/* Sends each packet to whom it belongs, and those that follow each other and
 * belong to one together. */
static void
sort_out(struct dp_packet_batch *batch, const struct eoip_pop *pop,
         odp_execute_cb execute, void *aux)
{
    odp_port_t run_port = ODPP_NONE;
    struct dp_packet_batch run;
    struct dp_packet *packet;

    dp_packet_batch_init(&run);
    DP_PACKET_BATCH_FOR_EACH (i, packet, batch) {
        odp_port_t port;

        packet = reassemble(packet);
        if (!packet) {
            continue;
        }
        port = u32_to_odp(eoip_find_port(dp_packet_l3(packet),
                                         l3_bytes(packet),
                                         dp_packet_l4(packet),
                                         dp_packet_l4_size(packet)));
        if (port != run_port) {
            deliver(&run, run_port, pop, execute, aux);
            run_port = port;
        }
        dp_packet_batch_add(&run, packet);
    }
    deliver(&run, run_port, pop, execute, aux);
    dp_packet_batch_destroy(&run);
}

/* Almost all packets are frames of eoip, and pay nothing for the others: they
 * are popped at once, and what that finds not to be eoip is sorted out. */
static void
pop_shared(struct dp_packet_batch *batch, const struct eoip_pop *pop,
           bool should_steal, odp_execute_cb execute, void *aux)
{
    struct dp_packet_batch mine, aside, *outer = set_aside;
    odp_port_t eoip = u32_to_odp(eoip_own_port());

    if (!should_steal) {
        dp_packet_batch_clone(&mine, batch);
        dp_packet_batch_reset_cutlen(batch);
        batch = &mine;
    }
    dp_packet_batch_apply_cutlen(batch);
    if (eoip == ODPP_NONE) {
        sort_out(batch, pop, execute, aux);
    } else {
        dp_packet_batch_init(&aside);
        set_aside = &aside;
        execute_u32(execute, aux, OVS_ACTION_ATTR_TUNNEL_POP,
                    odp_to_u32(eoip), batch);
        set_aside = NULL;
        sort_out(&aside, pop, execute, aux);
        dp_packet_batch_destroy(&aside);
        set_aside = outer;
    }
    if (!should_steal) {
        dp_packet_batch_destroy(&mine);
    }
}

static void
underlay_mtu(const struct netdev *tunnel, int mtu)
{
    eoip_tunnel_set_underlay_mtu(netdev_eoip_cast(tunnel)->tunnel, mtu);
}

static bool
inherits_df(const struct netdev *tunnel)
{
    return eoip_tunnel_inherits_df(netdev_eoip_cast(tunnel)->tunnel);
}

static void
port_added(const struct netdev *tunnel, odp_port_t port)
{
    if (!is_in_kernel(tunnel)) {
        eoip_port_add(netdev_get_type(tunnel), odp_to_u32(port));
    }
}

static void
port_deleted(const struct netdev *tunnel, odp_port_t port)
{
    if (!is_in_kernel(tunnel)) {
        eoip_port_delete(netdev_get_type(tunnel), odp_to_u32(port));
    }
}

/* OVS has one rule for all tunnels of IP protocol 47 at an address, for packets
 * that are not fragments; and the port in it may be one that has gone.  EoIPv6
 * is found under the same rule, and of later fragments over IPv6 a flow does
 * not say what is in them. */
static odp_port_t
port_lookup(struct flow *flow, struct flow_wildcards *wc)
{
    uint8_t nw_proto = flow->nw_proto, nw_frag = flow->nw_frag;
    bool is_ipv6 = flow->dl_type == htons(ETH_TYPE_IPV6);
    bool ours = eoip_own_port() != EOIP_NO_PORT
                && (is_ipv6 ? nw_proto == EOIP6_IPPROTO
                              || nw_proto == IPPROTO_FRAGMENT
                            : nw_proto == EOIP_IPPROTO);
    odp_port_t port;

    if (ours) {
        flow->nw_proto = IPPROTO_GRE;
        flow->nw_frag = 0;
    }
    port = tnl_port_map_lookup(flow, wc);
    flow->nw_proto = nw_proto;
    flow->nw_frag = nw_frag;
    if (port != ODPP_NONE && (ours || nw_proto == IPPROTO_GRE)) {
        port = u32_to_odp(ours ? eoip_own_port() : eoip_neighbour_port());
    }
    return port;
}

static void
begin_config(const struct smap *other_config,
             const struct smap *(*wanted)(const char *name))
{
    static char *last;
    char *error = eoip_reassembly_configure(other_config);

    wanted_options = wanted;
    if (error && (!last || strcmp(error, last))) {
        VLOG_WARN("%s", error);
    }
    free(last);
    last = error;
}

static void
complete_class(struct netdev_class *class)
{
    if (strcmp(class->type, "eoip")) {
        return;
    }
    common = *class;
    class->run = netdev_eoip_run;
    class->wait = netdev_eoip_wait;
    class->alloc = netdev_eoip_alloc;
    class->destruct = netdev_eoip_destruct;
    class->dealloc = netdev_eoip_dealloc;
    class->set_config = netdev_eoip_set_config;
    class->get_config = netdev_eoip_get_config;
    class->get_carrier = netdev_eoip_get_carrier;
    class->get_carrier_resets = netdev_eoip_get_carrier_resets;
    class->get_status = netdev_eoip_get_status;
    class->get_stats = netdev_eoip_get_stats;
    class->get_custom_stats = netdev_eoip_get_custom_stats;
    class->build_header = netdev_eoip_build_header;
    class->push_header = netdev_eoip_push_header;
    class->pop_header = netdev_eoip_pop_header;
    unixctl_command_register("eoip/show", "[-f text|json] [port]", 0, 3,
                             eoip_show, NULL);
}

void
eoip_provider_register(void)
{
    static const struct eoip_hooks hooks = {
        .complete_class = complete_class,
        .port_added = port_added,
        .port_deleted = port_deleted,
        .port_lookup = port_lookup,
        .shares_pop = eoip_is_shared,
        .pop_shared = pop_shared,
        .kept_back = kept_back,
        .limit_push = limit_push,
        .underlay_mtu = underlay_mtu,
        .inherits_df = inherits_df,
        .fragment = fragment,
        .begin_config = begin_config,
        .unclaimed_frame = unclaimed_frame,
    };

    BUILD_ASSERT(ODPP_NONE == ODP_PORT_C(EOIP_NO_PORT));
    eoip_hooks = &hooks;
}

void
eoip_print_version(void)
{
#ifdef EOIP_OVS_UNTESTED
    puts("with EoIP, untested with this release of Open vSwitch");
#else
    puts("with EoIP");
#endif
}
