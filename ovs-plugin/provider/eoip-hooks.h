/* SPDX-License-Identifier: Apache-2.0
 *
 * What the seam patches in ovs-plugin/patches/ call.
 *
 * OVS links its library into every tool, and only ovs-vswitchd has the
 * provider.  So the library reaches it through 'eoip_hooks', which stays NULL
 * in the tools; what needs no state is inline here. */

#ifndef EOIP_HOOKS_H
#define EOIP_HOOKS_H 1

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include <linux/eoip.h>
#include "netdev.h"
#include "netlink.h"
#include "odp-execute.h"
#include "odp-netlink.h"
#include "openvswitch/dynamic-string.h"
#include "packets.h"
#include "util.h"

struct dp_packet_batch;
struct netdev_class;
struct smap;

/* Name of the datapath port that all eoip tunnels of a datapath share. */
#define EOIP_DPIF_PORT "eoip_sys"

/* What the tunnel pop action holds where several tunnels share IP protocol 47:
 * 'tunnel' is one of them, and packets that belong to none of them go out of
 * 'local', where they would have gone without tunnels. */
struct eoip_pop {
    odp_port_t tunnel;
    odp_port_t local;
};

struct eoip_hooks {
    /* Makes 'class', which so far is what all tunnels have in common, the
     * class of type "eoip". */
    void (*complete_class)(struct netdev_class *class);

    /* The tunnels of 'type' of IP protocol 47 are at 'port' from now on, or
     * nowhere if it is ODPP_NONE. */
    void (*port_changed)(const char *type, odp_port_t port);

    /* True if packets of IP protocol 47 have to be told apart. */
    bool (*shares_pop)(void);

    /* The pop action with a struct eoip_pop.  'execute' with 'aux' executes
     * others. */
    void (*pop_shared)(struct dp_packet_batch *, const struct eoip_pop *,
                       bool should_steal, odp_execute_cb execute, void *aux);

    /* How many of the packets that the last pop in this thread took out of
     * the batch were not dropped. */
    size_t (*kept_back)(void);

    /* Drops from 'batch' the frames that no EoIP packet can carry, or that
     * 'push' may not. */
    void (*limit_push)(struct dp_packet_batch *batch,
                       const struct ovs_action_push_tnl *push);

    /* Sends the packets that limit_push() found too long for the underlay on
     * their way in fragments. */
    void (*fragment)(struct dp_packet_batch *,
                     const struct ovs_action_push_tnl *push,
                     odp_execute_cb execute, void *aux);

    /* Takes over the settings in other_config of table Open_vSwitch. */
    void (*set_other_config)(const struct smap *other_config);
};

/* Set once, before netdev_initialize(), by eoip_provider_register(). */
extern const struct eoip_hooks *eoip_hooks;

/* Called by ovs-vswitchd's main() before any netdev class is registered. */
void eoip_provider_register(void);

/* Replaces '*errp', which says that 'netdev' could not be added to 'bridge'
 * because of 'error', by a sentence that says what to do, if 'netdev' is of
 * type "eoip" and the datapath, of 'dp_type', is a kernel without EoIP. */
void eoip_explain_error(const struct netdev *netdev, const char *bridge,
                        const char *dp_type, int error, char **errp);

static inline void
eoip_complete_class(struct netdev_class *class)
{
    if (eoip_hooks) {
        eoip_hooks->complete_class(class);
    }
}

static inline bool
eoip_is_type(const struct netdev *netdev)
{
    return !strcmp(netdev_get_type(netdev), "eoip");
}

/* True for the name of the datapath port. */
static inline bool
eoip_is_port(const char *dpif_port)
{
    return !strcmp(dpif_port, EOIP_DPIF_PORT);
}

static inline void
eoip_set_other_config(const struct smap *other_config)
{
    eoip_hooks->set_other_config(other_config);
}

/* What to report where a tunnel could be made neither as a device, because of
 * 'rtnl_error', nor as a vport of a type of its own, because of
 * 'vport_error'.  A kernel that does not know the type is the usual one, and
 * then the device's error is the reason. */
static inline int
eoip_port_add_error(const struct netdev *netdev, int rtnl_error,
                    int vport_error)
{
    return vport_error == EAFNOSUPPORT && eoip_is_type(netdev)
           ? rtnl_error : vport_error;
}

/* Pop. */

static inline void
eoip_port_changed(const char *type, odp_port_t port)
{
    if (eoip_hooks) {
        eoip_hooks->port_changed(type, port);
    }
}

/* Puts the action that pops packets of 'nw_proto' and returns true, if they
 * have to be told apart. */
static inline bool
eoip_put_pop(struct ofpbuf *actions, uint8_t nw_proto, odp_port_t tunnel,
             odp_port_t local)
{
    if (!eoip_hooks || nw_proto != EOIP_IPPROTO || !eoip_hooks->shares_pop()) {
        return false;
    }
    struct eoip_pop pop = { tunnel, local };
    nl_msg_put_unspec(actions, OVS_ACTION_ATTR_TUNNEL_POP, &pop, sizeof pop);
    return true;
}

static inline bool
eoip_pop_is_shared(const struct nlattr *a)
{
    return nl_attr_get_size(a) == sizeof(struct eoip_pop);
}

static inline const struct eoip_pop *
eoip_pop_get(const struct nlattr *a)
{
    return nl_attr_get_unspec(a, sizeof(struct eoip_pop));
}

/* Parses the text form of the action at 's', as odp-util.c writes it, and puts
 * it.  Returns its length, or 0 if it is something else. */
static inline int
eoip_parse_pop(const char *s, struct ofpbuf *actions)
{
    uint32_t tunnel, local;
    int n;

    if (!ovs_scan(s, "tnl_pop(%"SCNi32",else(%"SCNi32"))%n", &tunnel, &local,
                  &n)) {
        return 0;
    }
    struct eoip_pop pop = { u32_to_odp(tunnel), u32_to_odp(local) };
    nl_msg_put_unspec(actions, OVS_ACTION_ATTR_TUNNEL_POP, &pop, sizeof pop);
    return n;
}

/* True while there are tunnels whose flows hold the underlay's MTU. */
static inline bool
eoip_depends_on_mtu(void)
{
    return eoip_hooks && eoip_hooks->shares_pop();
}

static inline size_t
eoip_kept_back(void)
{
    return eoip_hooks ? eoip_hooks->kept_back() : 0;
}

/* Push. */

static inline void
eoip_limit_push(struct dp_packet_batch *batch,
                const struct ovs_action_push_tnl *push)
{
    if (push->tnl_type == OVS_VPORT_TYPE_EOIP) {
        eoip_hooks->limit_push(batch, push);
    }
}

static inline void
eoip_fragment(struct dp_packet_batch *batch,
              const struct ovs_action_push_tnl *push, odp_execute_cb execute,
              void *aux)
{
    if (push->tnl_type == OVS_VPORT_TYPE_EOIP) {
        eoip_hooks->fragment(batch, push, execute, aux);
    }
}

/* The EoIP header in a push action. */
static inline void *
eoip_push_l4(const struct ovs_action_push_tnl *push)
{
    return (char *) push->header + ETH_HEADER_LEN + IP_HEADER_LEN;
}

/* Until there is a frame, the length in the header of a push action is that of
 * the longest one that the underlay carries in one piece, or 0 for any. */
static inline void
eoip_set_push_mtu(struct ovs_action_push_tnl *push, const struct netdev *netdev)
{
    int mtu;

    if (push->tnl_type == OVS_VPORT_TYPE_EOIP
        && !netdev_get_mtu(netdev, &mtu)
        && mtu > IP_HEADER_LEN + EOIP_HLEN) {
        int frame = MIN(mtu - IP_HEADER_LEN - EOIP_HLEN, EOIP_FRAME_MAX);
        ovs_be16 length = htons(frame);

        memcpy((char *) eoip_push_l4(push)
               + offsetof(struct eoip_hdr, frame_len), &length, sizeof length);
    }
}

/* Tunnel key in the EoIP header at 'l4'. */
static inline uint16_t
eoip_header_key(const void *l4)
{
    const uint8_t *id = (const uint8_t *) l4
                        + offsetof(struct eoip_hdr, tunnel_id);

    return id[0] | id[1] << 8;
}

static inline uint16_t
eoip_header_length(const void *l4)
{
    const uint8_t *length = (const uint8_t *) l4
                            + offsetof(struct eoip_hdr, frame_len);

    return length[0] << 8 | length[1];
}

/* Writes the EoIP header at 'l4' of a push action. */
static inline void
eoip_format_header(const void *l4, struct ds *ds)
{
    uint16_t length = eoip_header_length(l4);

    ds_put_format(ds, "eoip(id=%"PRIu16, eoip_header_key(l4));
    if (length) {
        ds_put_format(ds, ",mtu=%d", IP_HEADER_LEN + EOIP_HLEN + length);
    }
    ds_put_char(ds, ')');
}

/* Parses what eoip_format_header() wrote, and the parenthesis behind it, from
 * 's' + '*n' into the EoIP header at 'l4'.  Returns true and advances '*n' if
 * it is one. */
static inline bool
eoip_parse_header(const char *s, int *n, void *l4)
{
    uint32_t key, mtu = IP_HEADER_LEN + EOIP_HLEN;
    int end = *n;

    if (!ovs_scan_len(s, &end, "eoip(id=%"SCNi32, &key) || key > EOIP_KEY_MAX) {
        return false;
    }
    if (ovs_scan_len(s, &end, ",mtu=%"SCNi32, &mtu)
        && (mtu <= IP_HEADER_LEN + EOIP_HLEN || mtu > UINT16_MAX)) {
        return false;
    }
    if (!ovs_scan_len(s, &end, "))")) {
        return false;
    }

    struct eoip_hdr eoip = {
        .magic = htonl(EOIP_MAGIC),
        .frame_len = htons(mtu - IP_HEADER_LEN - EOIP_HLEN),
    };
    memcpy(&eoip.tunnel_id, (uint8_t []) { key & 0xff, key >> 8 },
           sizeof eoip.tunnel_id);
    memcpy(l4, &eoip, sizeof eoip);
    *n = end;
    return true;
}

#endif /* eoip-hooks.h */
