/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "path.h"

#include "eoip-hooks.h"
#include "netdev-eoip.h"
#include "netdev-vport.h"
#include "ofproto/ofproto-provider.h"
#include "openvswitch/poll-loop.h"
#include "ovs-atomic.h"
#include "ovs-compat.h"
#include "packets.h"
#include "route.h"
#include "sset.h"
#include "timeval.h"

/* The least time, in milliseconds, between two looks: each takes microseconds a
 * tunnel, and routes may change often.  And how often the kernel is asked in any
 * case: OVS does not hear of its rules for routes, and of its neighbours. */
#define PATH_INTERVAL 200
#define KERNEL_INTERVAL 5000

static atomic_bool outdated = false;
static long long int next_look;
static long long int next_kernel_look = LLONG_MAX;

/* Stores in '*type' what kind of port 'device' is in a bridge of a datapath in
 * userspace, and the bridge's name in 'bridge'.  Returns false if it is in
 * none.  The caller must free '*type'. */
static bool
find_port(const char *device, char bridge[IFNAMSIZ], char **type)
{
    struct sset types = SSET_INITIALIZER(&types);
    const char *dp_type, *name;
    bool found = false;

    ofproto_enumerate_types(&types);
    sset_find_and_delete(&types, "system");
    SSET_FOR_EACH (dp_type, &types) {
        struct sset names = SSET_INITIALIZER(&names);

        ofproto_enumerate_names(dp_type, &names);
        SSET_FOR_EACH (name, &names) {
            struct ofproto *ofproto = ofproto_lookup(name);
            struct ofproto_port port;

            if (!found && ofproto
                && !ofproto_port_query_by_name(ofproto, device, &port)) {
                ovs_strlcpy(bridge, name, IFNAMSIZ);
                *type = xstrdup(port.type);
                ofproto_port_destroy(&port);
                found = true;
            }
        }
        sset_destroy(&names);
    }
    sset_destroy(&types);
    return found;
}

/* What was found of a device last; tunnels have one in common, mostly. */
struct device {
    char name[IFNAMSIZ];
    char bridge[IFNAMSIZ];      /* That it is a port of, or "". */
    bool is_underlay;           /* Only from the host's side of a bridge do
                                 * packets enter the switch. */
};

static void
find_device(struct device *device, const char *name)
{
    char *type = NULL;

    if (!strcmp(device->name, name)) {
        return;
    }
    memset(device, 0, sizeof *device);
    ovs_strlcpy(device->name, name, sizeof device->name);
    if (find_port(name, device->bridge, &type)) {
        device->is_underlay
            = strstr(type, "internal") || !strcmp(type, "tap");
        free(type);
    }
}

static void
look_in_userspace(const struct in6_addr *remote, const struct in6_addr *local,
                  uint32_t mark, struct device *last, struct eoip_path *path)
{
    path->obstacle = route_look(remote, local, mark, path->device);
    if (path->obstacle == EOIP_PATH_OPEN) {
        find_device(last, path->device);
        ovs_strlcpy_arrays(path->bridge, last->bridge);
        if (!last->is_underlay) {
            path->obstacle = EOIP_PATH_NOT_A_PORT;
        }
    }
}

/* Without a datapath nobody knows whose routes count. */
static bool
is_in_datapath(const struct netdev_eoip *dev)
{
    return dev->node && netdev_get_dpif_type(&dev->vport.up);
}

static void
look(struct netdev_eoip *dev, struct device *last)
{
    struct eoip_path path = {
        .obstacle = EOIP_PATH_OPEN,
        .in_kernel = match_is_in_kernel(&dev->vport.up),
    };
    struct in6_addr remote, local;
    uint32_t mark;

    /* What is up to the flows, or not known, is all zeros. */
    eoip_tunnel_get_ends(dev->tunnel, &remote, &local, &mark);
    if (path.in_kernel) {
        eoip_kernel_path(EOIP_DPIF_PORT, &remote, &local, mark, &path);
    } else if (ipv6_addr_is_set(&remote)) {
        look_in_userspace(&remote, &local, mark, last, &path);
    }
    eoip_keepalive_set_path(dev->tunnel, &path);
}

static void
look_at_all(bool only_kernel)
{
    struct device last = { .name = "" };
    struct netdev **vports;
    size_t n;

    next_kernel_look = LLONG_MAX;
    vports = netdev_get_vports(&n);
    for (size_t i = 0; i < n; i++) {
        struct netdev_eoip *dev = eoip_is_type(vports[i])
            ? netdev_eoip_cast(vports[i]) : NULL;

        if (dev && is_in_datapath(dev)) {
            bool in_kernel = match_is_in_kernel(vports[i]);

            if (in_kernel) {
                next_kernel_look = time_msec() + KERNEL_INTERVAL;
            }
            if (in_kernel || !only_kernel) {
                look(dev, &last);
            }
        }
        netdev_close(vports[i]);
    }
    free(vports);
}

static bool
is_outdated(void)
{
    bool is;

    atomic_read_relaxed(&outdated, &is);
    return is;
}

void
eoip_path_refresh(void)
{
    if (is_outdated()) {
        atomic_store_relaxed(&outdated, false);
        next_look = time_msec() + PATH_INTERVAL;
        look_at_all(false);
    }
}

void
eoip_path_run(void)
{
    if (time_msec() >= next_look) {
        eoip_path_refresh();
    }
    if (time_msec() >= next_kernel_look) {
        look_at_all(true);
    }
}

void
eoip_path_wait(void)
{
    if (is_outdated()) {
        poll_timer_wait_until(next_look);
    }
    if (next_kernel_look != LLONG_MAX) {
        poll_timer_wait_until(next_kernel_look);
    }
}

void
eoip_path_outdate(void)
{
    atomic_store_relaxed(&outdated, true);
}
