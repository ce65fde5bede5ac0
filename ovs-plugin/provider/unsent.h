/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames that were to be pushed and are dropped.  Any thread, but where said. */

#ifndef EOIP_UNSENT_H
#define EOIP_UNSENT_H 1

#include <stdbool.h>
#include <stddef.h>

#include "odp-netlink.h"
#include "tunnel.h"

/* Counts 'n' frames as dropped that were to get these headers, and logs it.
 * 'tunnel' may be NULL. */
void count_unsent(const struct ovs_action_push_tnl *, struct eoip_tunnel *,
                  enum eoip_drop reason, size_t n);

/* Main thread: true if frames were dropped since it was asked last because a
 * next hop has not answered. */
bool unsent_missed_neighbor(void);

#endif /* unsent.h */
