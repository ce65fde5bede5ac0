/* SPDX-License-Identifier: Apache-2.0
 *
 * A netdev of type "eoip", for the C files of the provider.
 *
 * It is an OVS tunnel vport whose class netdev-eoip.c completes: OVS's own
 * functions do what all tunnels have in common; configure.c and report.c do
 * what the class does with options and statistics, push.c and pop.c with
 * packets.  Main thread, but where said. */

#ifndef NETDEV_EOIP_H
#define NETDEV_EOIP_H 1

#include <net/if.h>

#include "keepalives.h"
#include "match.h"
#include "netdev-provider.h"
#include "netdev-vport-private.h"
#include "tunnel.h"

struct netdev_eoip {
    struct netdev_vport vport;  /* First, because OVS casts to it. */
    struct eoip_tunnel *tunnel; /* Made on first use: the class must keep OVS's
                                 * own .construct, which is what makes a netdev
                                 * a vport to OVS. */
    struct match_number *number;
    struct match_node *node;    /* Whose packets, or NULL. */
    struct match_node *learner; /* The same, for what it may learn. */
    char *refused;              /* Why not what it was configured last, or
                                 * NULL, and in which round that was. */
    unsigned int refused_in;
    struct in6_addr guarded;    /* Peer whose guard it holds, or all zeros. */
};

struct netdev_eoip *netdev_eoip_cast(const struct netdev *);

/* Any thread: the tunnel of a netdev that is configured. */
struct eoip_tunnel *netdev_eoip_tunnel(const struct netdev *);

/* The functions that all tunnels of OVS have in common. */
extern struct netdev_class eoip_common;

/* What keepalives ask of a netdev: see struct eoip_keepalive_calls. */
extern const struct eoip_keepalive_calls eoip_keepalive_calls;

/* configure.c */

/* Of the class. */
int eoip_set_config(struct netdev *, const struct smap *options, char **errp);

/* See struct eoip_hooks. */
const char *eoip_config_refused(const struct netdev *);
void eoip_config_begin(const struct smap *other_config,
                       const struct smap *(*wanted)(const char *name));

/* Returns the options that 'netdev' is to be configured with before all have
 * been, or NULL if it is not.  While ports are configured. */
const struct smap *eoip_config_wanted(const struct netdev *);

/* See eoip_resolver. */
bool eoip_resolve(const char *name, struct in6_addr *address);

/* Does what is due by itself, and waits for that: host names are looked up
 * again, learned peers looked after, the kernel is told of its ports. */
void eoip_config_run(void);
void eoip_config_wait(void);

/* The ports of the kernel's datapath are others now.  Any thread. */
void eoip_config_ports_changed(void);

/* report.c */

/* Of the class. */
int eoip_get_config(const struct netdev *, struct smap *);
int eoip_get_status(const struct netdev *, struct smap *);
int eoip_get_stats(const struct netdev *, struct netdev_stats *);
int eoip_get_custom_stats(const struct netdev *, struct netdev_custom_stats *);

/* Registers ovs-appctl eoip/show and eoip/version. */
void eoip_report_init(void);

#endif /* netdev-eoip.h */
