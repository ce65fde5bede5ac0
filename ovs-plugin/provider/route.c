/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "route.h"

#include <net/if.h>

#include "connectivity.h"
#include "netdev.h"
#include "netdev-provider.h"
#include "openvswitch/shash.h"
#include "ovs-compat.h"
#include "ovs-router.h"
#include "ovs-thread.h"
#include "packets.h"
#include "seq.h"
#include "tnl-neigh-cache.h"
#include "tnl-ports.h"
#include "util.h"

/* The devices that packets leave through, by name, with the MTU that flows may
 * hold. */
struct device {
    int mtu;
};

static struct ovs_mutex mutex = OVS_MUTEX_INITIALIZER;
static struct shash devices OVS_GUARDED_BY(mutex)
    = SHASH_INITIALIZER(&devices);

/* What the main thread has seen. */
static uint64_t seen_routes, seen_devices;

/* Stores the name of the device that the route to 'remote' leads through, the
 * source address and the gateway, if there is one.  Where '*source' is an
 * address already, the route is for packets from there. */
static bool
look_up(const struct in6_addr *remote, uint32_t mark, char device[IFNAMSIZ],
        struct in6_addr *source, struct in6_addr *gateway)
{
    if (IN6_IS_ADDR_V4MAPPED(source) && !in6_addr_get_mapped_ipv4(source)) {
        *source = in6addr_any;
    }
    return ovs_router_lookup(mark, remote, device, source, gateway);
}

bool
route_is_own(const struct in6_addr *source, const struct in6_addr *local)
{
    struct in6_addr chosen = in6addr_any, any = in6addr_any, gateway;
    char here[IFNAMSIZ], there[IFNAMSIZ];

    /* To itself a host speaks from the same address. */
    return look_up(source, 0, there, &chosen, &gateway)
           && ipv6_addr_equals(&chosen, source)
           && look_up(local, 0, here, &any, &gateway)
           && !strcmp(here, there);
}

static int
mtu_of(const char *name)
{
    struct netdev *netdev = netdev_from_name(name);
    int mtu = 0;

    if (netdev && netdev_get_mtu(netdev, &mtu)) {
        mtu = 0;
    }
    netdev_close(netdev);
    return mtu;
}

int
route_mtu(const struct in6_addr *remote, const struct in6_addr *local,
          uint32_t mark)
{
    struct in6_addr source = *local, any = in6addr_any, gateway;
    struct device *device;
    char name[IFNAMSIZ];
    int mtu;

    /* Of ovs/route/add, a route may have a source that no other route says to
     * be the host's. */
    if (!look_up(remote, mark, name, &source, &gateway)
        && !look_up(remote, mark, name, &any, &gateway)) {
        return 0;
    }
    mtu = mtu_of(name);
    ovs_mutex_lock(&mutex);
    device = shash_find_data(&devices, name);
    if (!device) {
        device = xmalloc(sizeof *device);
        shash_add(&devices, name, device);
    }
    device->mtu = mtu;
    ovs_mutex_unlock(&mutex);
    return mtu;
}

enum route_obstacle
route_obstacle(const struct in6_addr *remote, const struct in6_addr *local,
               uint32_t mark)
{
    struct in6_addr source = *local, gateway;
    struct eth_addr mac;
    char name[IFNAMSIZ];
    bool is_direct;

    if (!look_up(remote, mark, name, &source, &gateway)) {
        return ROUTE_NONE;
    }
    is_direct = !ipv6_addr_is_set(&gateway)
                || (IN6_IS_ADDR_V4MAPPED(&gateway)
                    && !in6_addr_get_mapped_ipv4(&gateway));
    return tnl_neigh_lookup(name, is_direct ? remote : &gateway, &mac, false)
           ? ROUTE_NO_NEIGHBOR : ROUTE_OPEN;
}

static bool
has_address(const char *device, const struct in6_addr *address)
{
    struct in6_addr *addresses, *masks;
    struct netdev *netdev;
    bool has = false;
    int n;

    if (netdev_open(device, NULL, &netdev)) {
        return false;
    }
    if (!netdev_get_addr_list(netdev, &addresses, &masks, &n)) {
        for (int i = 0; i < n; i++) {
            has |= ipv6_addr_equals(&addresses[i], address);
        }
        free(addresses);
        free(masks);
    }
    netdev_close(netdev);
    return has;
}

/* True for an address of this host: the route of packets to it with this mark
 * leads to its device. */
static bool
is_local(const struct in6_addr *address, uint32_t mark)
{
    struct in6_addr source = in6addr_any, gateway;
    char device[IFNAMSIZ];

    return look_up(address, mark, device, &source, &gateway)
           && (ipv6_addr_equals(&source, address)
               || has_address(device, address));
}

enum eoip_obstacle
route_look(const struct in6_addr *remote, const struct in6_addr *local,
           uint32_t mark, char device[IFNAMSIZ])
{
    struct in6_addr source = *local, gateway;

    if (is_local(remote, mark)) {
        return EOIP_PATH_OWN_ADDRESS;
    } else if (look_up(remote, mark, device, &source, &gateway)) {
        return EOIP_PATH_OPEN;
    }
    return ipv6_addr_is_set(local) && !is_local(local, 0)
           ? EOIP_PATH_NO_ADDRESS : EOIP_PATH_NO_ROUTE;
}

static bool
update_mtus(void)
{
    struct shash_node *node;
    bool changed = false;

    ovs_mutex_lock(&mutex);
    SHASH_FOR_EACH_SAFE (node, &devices) {
        struct device *device = node->data;

        if (mtu_of(node->name) != device->mtu) {
            /* Who looks it up again enters it again. */
            free(device);
            shash_delete(&devices, node);
            changed = true;
        }
    }
    ovs_mutex_unlock(&mutex);
    return changed;
}

/* There is none before there is a datapath. */
static uint64_t
routes_seq(void)
{
    return tnl_conf_seq ? seq_read(tnl_conf_seq) : 0;
}

bool
route_changed(bool *mtu_changed)
{
    uint64_t routes = routes_seq();
    uint64_t changes = seq_read(connectivity_seq_get());
    bool changed = routes != seen_routes || changes != seen_devices;

    *mtu_changed = changes != seen_devices && update_mtus();
    seen_routes = routes;
    seen_devices = changes;
    return changed;
}

void
route_wait(void)
{
    if (tnl_conf_seq) {
        seq_wait(tnl_conf_seq, seen_routes);
    }
    seq_wait(connectivity_seq_get(), seen_devices);
}
