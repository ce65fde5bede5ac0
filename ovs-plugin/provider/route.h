/* SPDX-License-Identifier: Apache-2.0
 *
 * What OVS's routing table of the userspace datapath says of the underlay.
 * Called by any thread but where said. */

#ifndef EOIP_ROUTE_H
#define EOIP_ROUTE_H 1

#include <stdbool.h>
#include <stdint.h>

#include <netinet/in.h>

#include "path.h"

/* True if 'source' is an address of the device that has 'local'. */
bool route_is_own(const struct in6_addr *source, const struct in6_addr *local);

/* Returns the MTU of the device that packets from 'local', or from anywhere if
 * that is not set, to 'remote' with this mark leave through, or 0 if there is
 * no such device. */
int route_mtu(const struct in6_addr *remote, const struct in6_addr *local,
              uint32_t mark);

/* What keeps such packets from leaving, if they do not. */
enum route_obstacle {
    ROUTE_NONE,                 /* No route, or to no port. */
    ROUTE_NO_NEIGHBOR,          /* The next hop's MAC is not known. */
    ROUTE_OPEN,                 /* Nothing, up to the underlay's bridge. */
};
enum route_obstacle route_obstacle(const struct in6_addr *remote,
                                   const struct in6_addr *local,
                                   uint32_t mark);

/* Main thread: what routes and addresses say of the path of such packets; stores
 * the device that they leave through, if they do. */
enum eoip_obstacle route_look(const struct in6_addr *remote,
                              const struct in6_addr *local, uint32_t mark,
                              char device[IFNAMSIZ]);

/* Main thread: true if some route, address or MTU may be another one than when
 * this was called last; '*mtu_changed' if an MTU that route_mtu() returned is.
 * And to wait for that. */
bool route_changed(bool *mtu_changed);
void route_wait(void);

#endif /* route.h */
