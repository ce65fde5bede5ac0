/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets that have been pushed, more than there were frames, on their way to
 * what follows the push action.  Called by the threads of the userspace
 * datapath. */

#ifndef EOIP_FRAGMENTS_H
#define EOIP_FRAGMENTS_H 1

#include "dp-packet.h"
#include "odp-execute.h"

/* Where packets go, in the order in which they are added. */
struct onward {
    void *dp;
    odp_execute_cb execute;
    const struct nlattr *actions;
    size_t actions_len;
    struct dp_packet_batch batch;   /* Those that wait for others. */
};

/* Takes over 'packet'. */
void onward_add(struct onward *, struct dp_packet *packet);

/* Executes the actions on what waits. */
void onward_flush(struct onward *);

/* Adds the fragments of 'packet', which it takes over, for an underlay with
 * this MTU. */
void fragments_add(struct onward *, struct dp_packet *packet, size_t mtu);

#endif /* fragments.h */
