/* SPDX-License-Identifier: Apache-2.0
 *
 * The text and the JSON of ovs-appctl eoip/show.  Main thread. */

#ifndef EOIP_SHOW_H
#define EOIP_SHOW_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct eoip_tunnel;

#ifdef __cplusplus
extern "C" {
#endif

/* What the netdev knows of one tunnel. */
struct eoip_shown {
    const struct eoip_tunnel *tunnel;
    const char *name;
    bool in_kernel;         /* Or in the userspace datapath. */
    uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
};

/* Returns the 'n' tunnels at 'shown' as text or JSON, to be freed by the
 * caller.  'all' adds what no tunnel claims. */
char *eoip_show_format(const struct eoip_shown *shown, size_t n, bool all,
                       bool json);

#ifdef __cplusplus
}
#endif

#endif /* show.h */
