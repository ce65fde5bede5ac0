/* SPDX-License-Identifier: Apache-2.0
 *
 * Packet out: from the frame to outer packets. */

#ifndef EOIP_PUSH_H
#define EOIP_PUSH_H 1

#include "eoip-hooks.h"
#include "netdev.h"
#include "ovs-compat.h"

/* The action tunnel_push.  Called by the threads of the userspace datapath; see
 * struct eoip_hooks. */
bool push_execute(void *dp, struct dp_packet_batch *, bool steal,
                  const struct nlattr *, unsigned int left,
                  odp_execute_cb execute);

/* .push_header of the class.  Nobody calls it while there is push_execute(); a
 * class has one, or it cannot push. */
void push_header(const struct netdev *, OVS_PUSH_HEADER_INGRESS
                 struct dp_packet *, const struct ovs_action_push_tnl *);

#endif /* push.h */
