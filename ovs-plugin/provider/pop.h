/* SPDX-License-Identifier: Apache-2.0
 *
 * Packet in: from the outer packet to the frame, or to whom else it belongs.
 * Called by the threads of the userspace datapath. */

#ifndef EOIP_POP_H
#define EOIP_POP_H 1

#include "eoip-hooks.h"

/* The action tunnel_pop where eoip is one of the tunnels of IP protocol 47: see
 * struct eoip_hooks. */
size_t pop_execute(struct dp_packet_batch *, const struct eoip_pop *,
                   bool should_steal, odp_execute_cb execute, void *aux);

/* The same action without a struct eoip_pop, as .pop_header of the class. */
struct dp_packet *pop_header(struct dp_packet *);

#endif /* pop.h */
