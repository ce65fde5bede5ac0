/* SPDX-License-Identifier: Apache-2.0
 *
 * The netdev class "eoip": see netdev-eoip.h.
 *
 * Netdevs are configured by the main thread.  Headers are built by any thread,
 * pushed and popped by the threads of the datapath. */

#include <config.h>

#include "netdev-eoip.h"

#include <errno.h>

#include "eoip-hooks.h"
#include "headers.h"
#include "ipsec_ports.h"
#include "keepalive_frame.h"
#include "link_log.h"
#include "odp-util.h"
#include "netdev-vport.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovs-compat.h"
#include "ovs-rcu.h"
#include "packet_sockets.h"
#include "pop.h"
#include "push.h"
#include "route.h"
#include "seq.h"
#include "settings.h"
#include "sharing.h"
#include "text.h"
#include "timeval.h"
#include "tnl-ports.h"
#include "unclaimed.h"
#include "unsent.h"
#include "userspace-tso.h"

VLOG_DEFINE_THIS_MODULE(eoip);
struct vlog_module *const eoip_log = &this_module;

struct netdev_class eoip_common;

/* How often, in milliseconds, flows may be translated again because a next hop
 * has not answered: then OVS asks it again. */
#define NEIGHBOR_INTERVAL 1000
static long long int next_neighbor;

struct netdev_eoip *
netdev_eoip_cast(const struct netdev *netdev)
{
    return CONTAINER_OF(netdev_vport_cast(netdev), struct netdev_eoip, vport);
}

struct eoip_tunnel *
netdev_eoip_tunnel(const struct netdev *netdev)
{
    return netdev_eoip_cast(netdev)->tunnel;
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
    match_set(&dev->node, NULL, netdev, NULL);
    match_set(&dev->learner, NULL, netdev, NULL);
    match_number_remove(&dev->number);
    ipsec_forget(dev);
    if (dev->tunnel) {
        eoip_keepalive_stop(dev->tunnel);
    }
    eoip_config_ports_changed();
    eoip_common.destruct(netdev);
}

static void
netdev_eoip_free(struct netdev_eoip *dev)
{
    eoip_tunnel_destroy(dev->tunnel);
    free(dev->refused);
    free(dev);
}

static void
netdev_eoip_dealloc(struct netdev *netdev)
{
    /* The datapath's threads may still be counting. */
    ovsrcu_postpone(netdev_eoip_free, netdev_eoip_cast(netdev));
}

/* Keepalives. */

static bool
keepalive_poll(void *netdev_, struct eoip_port *port)
{
    struct netdev *netdev = netdev_;
    struct netdev_vport *vport = netdev_vport_cast(netdev);

    /* Not to wait: others hold it while they wait for the lock that is held
     * while a netdev, and with it its keepalives, are taken down. */
    if (ovs_mutex_trylock(&vport->mutex)) {
        return false;
    }
    port->in_kernel = match_is_in_kernel(netdev);
    if (port->in_kernel) {
        port->rx_packets = vport->stats.rx_packets;
    } else {
        struct eoip_counters counters;

        eoip_tunnel_get_counters(netdev_eoip_tunnel(netdev), &counters);
        port->rx_packets = counters.rx_packets;
    }
    ovs_mutex_unlock(&vport->mutex);
    return true;
}

static struct eoip_tunnel *
find_in_kernel(const struct in6_addr *remote, const struct in6_addr *local,
               uint16_t key)
{
    return match_packet(remote, local, key, MATCH_KERNEL);
}

const struct eoip_keepalive_calls eoip_keepalive_calls = {
    .poll = keepalive_poll,
    .send = keepalive_frame_send,
    .find = find_in_kernel,
    .unclaimed = unclaimed_keepalive_of_host,
};

/* Of a netdev of any type, which may not be configured. */
static void
set_port(const struct netdev *netdev, const struct ofport_dpif *ofport)
{
    if (eoip_is_type(netdev) && netdev_eoip_tunnel(netdev)) {
        eoip_keepalive_set_port(netdev_eoip_tunnel(netdev), ofport);
        eoip_path_outdate();
    }
}

/* Of tunnels of any type: see struct eoip_hooks. */
static void
port_added(const struct netdev *netdev, odp_port_t port,
           const struct ofport_dpif *ofport)
{
    sharing_port_added(netdev, port);
    set_port(netdev, ofport);
}

static void
port_deleted(const struct netdev *netdev, odp_port_t port)
{
    sharing_port_deleted(netdev, port);
    set_port(netdev, NULL);
}

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

/* Run. */

/* OVS knows of no reason to translate flows again when the MTU of an underlay
 * changes, which flows hold: this tells it of one. */
static void
revalidate(void)
{
    struct netdev **vports;
    bool told = false;
    size_t n;

    vports = netdev_get_vports(&n);
    for (size_t i = 0; i < n; i++) {
        if (!told && eoip_is_type(vports[i])
            && netdev_eoip_cast(vports[i])->node
            && !match_is_in_kernel(vports[i])) {
            netdev_change_seq_changed(vports[i]);
            told = true;
        }
        netdev_close(vports[i]);
    }
    free(vports);
}

static void
netdev_eoip_run(const struct netdev_class *class)
{
    struct netdev *changed;
    bool mtu_changed;

    eoip_common.run(class);
    eoip_config_run();
    /* Without a tunnel the switch is as it would be without us. */
    packet_sockets_set_buffers(sharing_eoip_port() != ODPP_NONE
                        ? settings_receive_buffer() : 0);
    if (route_changed(&mtu_changed)) {
        match_outdate();
        eoip_path_outdate();
        if (mtu_changed) {
            revalidate();
        }
    }
    eoip_path_run();
    while ((changed = eoip_keepalive_next_changed())) {
        netdev_change_seq_changed(changed);
    }
    if (time_msec() >= next_neighbor) {
        next_neighbor = time_msec() + NEIGHBOR_INTERVAL;
        if (unsent_missed_neighbor()) {
            seq_change(tnl_conf_seq);
        }
    }
}

static void
netdev_eoip_wait(const struct netdev_class *class)
{
    eoip_common.wait(class);
    eoip_keepalive_wait();
    eoip_config_wait();
    eoip_path_wait();
    route_wait();
    if (sharing_eoip_port() != ODPP_NONE) {
        poll_timer_wait_until(next_neighbor);
    }
}

void
eoip_explain_error(const struct netdev *netdev, const char *bridge,
                   const char *dp_type, int error, char **errp)
{
    if (!eoip_is_type(netdev) || strcmp(dp_type, "system")) {
        return;
    }
    if (error == EINVAL) {
        /* The link that it made is not the one that it was asked for. */
        free(*errp);
        *errp = xasprintf("%s: the kernel's module eoip is another project's, "
                          "whose links serve no bridge (\"modinfo eoip\" tells "
                          "which): replace it by that of the package "
                          "openvswitch-eoip-dkms, or set datapath_type=netdev "
                          "on bridge %s", netdev_get_name(netdev), bridge);
    } else if (error == EOPNOTSUPP) {
        free(*errp);
        *errp = xasprintf("%s: the kernel, which is the datapath of bridge "
                          "%s, has no EoIP: install the package "
                          "openvswitch-eoip-dkms (if it is, see \"eoip "
                          "check\"), or set datapath_type=netdev on the "
                          "bridge",
                          netdev_get_name(netdev), bridge);
    }
}

static int
check_ipsec(struct netdev_eoip *dev, const char *dp_type, char **errp)
{
    struct in6_addr guarded;

    *errp = ipsec_admit(dev, dp_type, false, eoip_config_wanted, &guarded);
    if (*errp) {
        VLOG_WARN("%s", *errp);
        return EINVAL;
    }
    ipsec_admitted(dev, &guarded);
    return 0;
}

int
eoip_check_port(int error, const struct netdev *netdev, const char *dp_type,
                char **errp)
{
    if (!error && eoip_is_type(netdev) && strcmp(dp_type, "system")
        && userspace_tso_enabled() && !ovs_can_segment()) {
        *errp = xasprintf("%s: other_config:userspace-tso-enable=true leaves "
                          "no TCP through tunnels of EoIP, because this "
                          "release of Open vSwitch cannot cut segments "
                          "itself: remove it and restart ovs-vswitchd, or use "
                          "Open vSwitch 3.3 or newer",
                          netdev_get_name(netdev));
        VLOG_WARN("%s", *errp);
        error = EOPNOTSUPP;
    }
    return error || !eoip_is_type(netdev) ? error
           : check_ipsec(netdev_eoip_cast(netdev), dp_type, errp);
}

static void
complete_class(struct netdev_class *class)
{
    if (strcmp(class->type, "eoip")) {
        return;
    }
    eoip_common = *class;
    class->run = netdev_eoip_run;
    class->wait = netdev_eoip_wait;
    class->alloc = netdev_eoip_alloc;
    class->destruct = netdev_eoip_destruct;
    class->dealloc = netdev_eoip_dealloc;
    class->set_config = eoip_set_config;
    class->get_config = eoip_get_config;
    class->get_carrier = netdev_eoip_get_carrier;
    class->get_carrier_resets = netdev_eoip_get_carrier_resets;
    class->get_status = eoip_get_status;
    class->get_stats = eoip_get_stats;
    class->get_custom_stats = eoip_get_custom_stats;
    class->build_header = headers_build;
    class->push_header = push_header;
    class->pop_header = pop_header;
    link_log_init();
    eoip_report_init();
    ipsec_ports_init();
}

static bool
inherits_df(const struct netdev *netdev)
{
    return eoip_tunnel_inherits_df(netdev_eoip_tunnel(netdev));
}

/* All else takes the main thread as long as some 8 packets: with one batch of 32
 * that was a quarter of its time. */
static int
batches_at_once(void)
{
    return sharing_eoip_port() != ODPP_NONE ? 8 : 1;
}

void
eoip_provider_register(void)
{
    static const struct eoip_hooks hooks = {
        .complete_class = complete_class,
        .port_added = port_added,
        .port_deleted = port_deleted,
        .port_lookup = sharing_port_lookup,
        .shares_pop = sharing_is_needed,
        .pop = pop_execute,
        .unclaimed_in_kernel = unclaimed_in_kernel,
        .push = push_execute,
        .put_drop = headers_put_drop,
        .push_header_len = headers_growth,
        .push_key = headers_key,
        .format_push = text_format_push,
        .parse_push = text_parse_push,
        .inherits_df = inherits_df,
        .begin_config = eoip_config_begin,
        .config_refused = eoip_config_refused,
        .batches_at_once = batches_at_once,
        .socket_opened = packet_sockets_opened,
        .socket_closed = packet_sockets_closed,
    };

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
