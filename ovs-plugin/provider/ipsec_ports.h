/* SPDX-License-Identifier: Apache-2.0
 *
 * Ports whose tunnels IPsec is to protect: which may be, that none is without
 * its guard, and what the daemon tells of them.  Main thread, but where
 * said. */

#ifndef EOIP_IPSEC_PORTS_H
#define EOIP_IPSEC_PORTS_H 1

#include "netdev-eoip.h"

/* Returns NULL if 'dev' may be a port of a datapath of 'dp_type' as it was
 * prepared, or else as it is in force.  Then its peer, if IPsec is to protect
 * what goes there, is guarded once more, and stored in '*guarded'; else that is
 * all zeros.
 *
 * Or returns why it may not, to be freed by the caller.  'wanted' tells which
 * options another netdev is going to have, or NULL: as eoip_config_wanted(), or
 * NULL where there is nothing to come. */
char *ipsec_admit(const struct netdev_eoip *dev, const char *dp_type,
                  bool prepared,
                  const struct smap *(*wanted)(const struct netdev *),
                  struct in6_addr *guarded);

/* What was admitted is in force now: guards no more what was before. */
void ipsec_admitted(struct netdev_eoip *dev, const struct in6_addr *guarded);

/* It is not: guards no more what was admitted. */
void ipsec_renounced(const struct in6_addr *guarded);

/* Any thread: the netdev goes. */
void ipsec_forget(struct netdev_eoip *dev);

/* Does what is due by itself, and waits for that; see ipsec_guard_run(). */
void ipsec_ports_run(bool configured);
void ipsec_ports_wait(void);

/* Registers ovs-appctl eoip/ipsec. */
void ipsec_ports_init(void);

#endif /* ipsec_ports.h */
