/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether the frames of a tunnel can leave the switch, as far as routes,
 * addresses and devices tell: of the userspace datapath by OVS's routing table,
 * of the kernel's by the kernel's.  Main thread. */

#ifndef EOIP_PATH_H
#define EOIP_PATH_H 1

#include <stdbool.h>
#include <stdint.h>

#include <net/if.h>
#include <netinet/in.h>

#ifdef __cplusplus
extern "C" {
#endif

enum eoip_obstacle {
    EOIP_PATH_OPEN,         /* None that is known of. */
    EOIP_PATH_NO_ROUTE,     /* No route to the remote end. */
    EOIP_PATH_NOT_A_PORT,   /* It leads to 'device', of 'bridge' if any. */
    EOIP_PATH_NO_ADDRESS,   /* The local end is not an address of this host. */
    EOIP_PATH_OWN_ADDRESS,  /* The remote end is one. */
    EOIP_PATH_NO_DEVICE,    /* The kernel has no device for the tunnels. */
    EOIP_PATH_DEVICE_OFF,   /* It is not up. */
};

struct eoip_path {
    enum eoip_obstacle obstacle;
    bool in_kernel;         /* A port of the kernel's datapath. */
    bool asks_neighbour;    /* The kernel asks the next hop for its MAC, */
    bool no_neighbour;      /* or knows that it is silent. */
    char device[IFNAMSIZ];  /* Where the route leads, or "". */
    char bridge[IFNAMSIZ];  /* Whose port that is, or "". */
};

/* What the kernel says of packets that the tunnels' device 'tunnels' sends from
 * 'local' to 'remote' with this mark; either may be all zeros for any. */
void eoip_kernel_path(const char *tunnels, const struct in6_addr *remote,
                      const struct in6_addr *local, uint32_t mark,
                      struct eoip_path *);

/* Looks at all tunnels whose path may be another one than before; and waits
 * until that is due. */
void eoip_path_run(void);
void eoip_path_wait(void);

/* Does so at once, for who is going to tell. */
void eoip_path_refresh(void);

/* Any thread: routes, addresses, devices or tunnels are others now. */
void eoip_path_outdate(void);

#ifdef __cplusplus
}
#endif

#endif /* path.h */
