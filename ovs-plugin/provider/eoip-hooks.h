/* SPDX-License-Identifier: Apache-2.0
 *
 * What the seam patches in ovs-plugin/patches/ call.
 *
 * OVS links its library into every tool, and only ovs-vswitchd has the
 * provider.  So the library reaches it through 'eoip_hooks', which stays NULL
 * in the tools; what needs no state is inline here. */

#ifndef EOIP_HOOKS_H
#define EOIP_HOOKS_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include <linux/eoip.h>
#include "openvswitch/dynamic-string.h"
#include "odp-netlink.h"
#include "util.h"

struct dp_packet_batch;
struct netdev;
struct netdev_class;

/* Name of the datapath port that all eoip tunnels of a datapath share. */
#define EOIP_DPIF_PORT "eoip_sys"

struct eoip_hooks {
    /* Makes 'class', which so far is what all tunnels have in common, the
     * class of type "eoip". */
    void (*complete_class)(struct netdev_class *class);

    /* Drops from 'batch' the frames that no EoIP packet can carry. */
    void (*limit_push)(struct dp_packet_batch *batch);
};

/* Set once, before netdev_initialize(), by eoip_provider_register(). */
extern const struct eoip_hooks *eoip_hooks;

/* Called by ovs-vswitchd's main() before any netdev class is registered. */
void eoip_provider_register(void);

/* Returns 0 if a datapath of 'dp_type' can carry 'netdev'.  Otherwise returns
 * a positive errno value and stores a sentence for the user, which the caller
 * must free, in '*errp'.  Always 0 for types other than "eoip". */
int eoip_check_datapath(const struct netdev *, const char *bridge,
                        const char *dp_type, char **errp);

static inline void
eoip_complete_class(struct netdev_class *class)
{
    if (eoip_hooks) {
        eoip_hooks->complete_class(class);
    }
}

static inline void
eoip_limit_push(struct dp_packet_batch *batch,
                const struct ovs_action_push_tnl *data)
{
    if (data->tnl_type == OVS_VPORT_TYPE_EOIP) {
        eoip_hooks->limit_push(batch);
    }
}

/* Fragments of eoip packets reach the tunnel, which counts them. */
static inline bool
eoip_takes_fragments(const char *dpif_port)
{
    return !strcmp(dpif_port, EOIP_DPIF_PORT);
}

/* Tunnel key in the EoIP header at 'l4'. */
static inline uint16_t
eoip_header_key(const void *l4)
{
    const uint8_t *id = (const uint8_t *) l4
                        + offsetof(struct eoip_hdr, tunnel_id);

    return id[0] | id[1] << 8;
}

static inline void
eoip_format_header(const void *l4, struct ds *ds)
{
    ds_put_format(ds, "eoip(id=%"PRIu16")", eoip_header_key(l4));
}

/* Parses what eoip_format_header() wrote, and the parenthesis behind it, from
 * 's' + '*n' into the EoIP header at 'l4'.  Returns true and advances '*n' if
 * it is one. */
static inline bool
eoip_parse_header(const char *s, int *n, void *l4)
{
    struct eoip_hdr eoip = { .magic = htonl(EOIP_MAGIC) };
    uint32_t key;
    int end = *n;

    if (!ovs_scan_len(s, &end, "eoip(id=%"SCNi32"))", &key)
        || key > EOIP_KEY_MAX) {
        return false;
    }
    memcpy(&eoip.tunnel_id, (uint8_t []) { key & 0xff, key >> 8 },
           sizeof eoip.tunnel_id);
    memcpy(l4, &eoip, sizeof eoip);
    *n = end;
    return true;
}

#endif /* eoip-hooks.h */
