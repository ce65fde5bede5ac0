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
#include "openvswitch/flow.h"
#include "packets.h"
#include "util.h"

struct dp_packet_batch;
struct dpif;
struct flow;
struct flow_wildcards;
struct netdev_class;
struct smap;

/* Name of the datapath port that all eoip tunnels of a datapath share. */
#define EOIP_DPIF_PORT "eoip_sys"

/* What the tunnel pop action holds where several tunnels share IP protocol 47,
 * and for EoIPv6: 'tunnel' is one of them, and packets that belong to none of
 * them go out of 'local', where they would have gone without tunnels. */
struct eoip_pop {
    odp_port_t tunnel;
    odp_port_t local;
};

struct eoip_hooks {
    /* Makes 'class', which so far is what all tunnels have in common, the
     * class of type "eoip". */
    void (*complete_class)(struct netdev_class *class);

    /* There is one tunnel more, or less, at 'port' of a datapath.  Main
     * thread. */
    void (*port_added)(const struct netdev *tunnel, odp_port_t port);
    void (*port_deleted)(const struct netdev *tunnel, odp_port_t port);

    /* As tnl_port_map_lookup(), which it calls. */
    odp_port_t (*port_lookup)(struct flow *flow, struct flow_wildcards *wc);

    /* True if packets of IP protocol 47 have to be told apart, and there may be
     * EoIPv6. */
    bool (*shares_pop)(void);

    /* The pop action with a struct eoip_pop.  'execute' with 'aux' executes
     * others. */
    void (*pop_shared)(struct dp_packet_batch *, const struct eoip_pop *,
                       bool should_steal, odp_execute_cb execute, void *aux);

    /* How many of the packets that the last pop in this thread took out of
     * the batch were not dropped. */
    size_t (*kept_back)(void);

    /* The packets of 'tunnel' leave through a device with this MTU. */
    void (*underlay_mtu)(const struct netdev *tunnel, int mtu);

    /* True if the packets of 'tunnel' take the DF bit of their frames.  Called
     * by any thread. */
    bool (*inherits_df)(const struct netdev *tunnel);

    /* Drops from 'batch' the frames that no EoIP packet can carry, or that
     * 'push' may not. */
    void (*limit_push)(struct dp_packet_batch *batch,
                       const struct ovs_action_push_tnl *push);

    /* Sends the packets that limit_push() found too long for the underlay on
     * their way in fragments. */
    void (*fragment)(struct dp_packet_batch *,
                     const struct ovs_action_push_tnl *push,
                     odp_execute_cb execute, void *aux);

    /* A packet has come out of a tunnel of a datapath, and no port takes it.
     * Called by any thread. */
    void (*unclaimed_frame)(const struct flow *flow, const struct dpif *);

    /* All interfaces are going to be configured: takes over the settings in
     * other_config of table Open_vSwitch, and whom to ask, until it comes
     * again, for the options that an interface will have then.  That returns
     * NULL for a name that it does not know. */
    void (*begin_config)(const struct smap *other_config,
                         const struct smap *(*wanted)(const char *name));
};

/* Set once, before netdev_initialize(), by eoip_provider_register(). */
extern const struct eoip_hooks *eoip_hooks;

/* Called by ovs-vswitchd's main() before any netdev class is registered. */
void eoip_provider_register(void);

/* Prints what ovs-vswitchd --version says of EoIP. */
void eoip_print_version(void);

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

static inline void
eoip_begin_config(const struct smap *other_config,
                  const struct smap *(*wanted)(const char *name))
{
    eoip_hooks->begin_config(other_config, wanted);
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

/* The type that OVS's map of tunnel ports takes 'tunnel' for: it derives the IP
 * protocol from it, and knows that of gre. */
static inline const char *
eoip_map_type(const struct netdev *tunnel)
{
    return eoip_is_type(tunnel) ? "gre" : netdev_get_type(tunnel);
}

static inline const char *
eoip_port_added(const struct netdev *tunnel, odp_port_t port)
{
    eoip_hooks->port_added(tunnel, port);
    return eoip_map_type(tunnel);
}

static inline const char *
eoip_port_deleted(const struct netdev *tunnel, odp_port_t port)
{
    eoip_hooks->port_deleted(tunnel, port);
    return eoip_map_type(tunnel);
}

static inline odp_port_t
eoip_port_lookup(struct flow *flow, struct flow_wildcards *wc)
{
    return eoip_hooks->port_lookup(flow, wc);
}

/* Puts the action that pops packets of 'nw_proto', which may have to be told
 * apart. */
static inline void
eoip_put_pop(struct ofpbuf *actions, uint8_t nw_proto, odp_port_t tunnel,
             odp_port_t local)
{
    if (eoip_hooks && eoip_hooks->shares_pop()
        && (nw_proto == EOIP_IPPROTO || nw_proto == EOIP6_IPPROTO
            || nw_proto == IPPROTO_FRAGMENT)) {
        struct eoip_pop pop = { tunnel, local };

        nl_msg_put_unspec(actions, OVS_ACTION_ATTR_TUNNEL_POP, &pop,
                          sizeof pop);
    } else {
        nl_msg_put_odp_port(actions, OVS_ACTION_ATTR_TUNNEL_POP, tunnel);
    }
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

/* Executes the pop action and returns true, if it is one of ours. */
static inline bool
eoip_pop(struct dp_packet_batch *batch, const struct nlattr *a,
         bool should_steal, odp_execute_cb execute, void *aux)
{
    if (!eoip_pop_is_shared(a)) {
        return false;
    }
    eoip_hooks->pop_shared(batch, eoip_pop_get(a), should_steal, execute, aux);
    return true;
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

static inline void
eoip_unclaimed_frame(const struct flow *flow, const struct dpif *dpif)
{
    eoip_hooks->unclaimed_frame(flow, dpif);
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

/* In the flow of a frame that is to be sent: the outer DF bit is that of each
 * frame, which no flow holds.  Both datapaths read it; the kernel's learns of
 * it as of a flag that EoIP has no use for. */
#define FLOW_TNL_F_EOIP_INHERIT_DF FLOW_TNL_F_OAM

static inline void
eoip_set_tunnel_flags(const struct netdev *tunnel, struct flow *flow)
{
    if (eoip_is_type(tunnel)) {
        flow->tunnel.flags &= ~FLOW_TNL_F_EOIP_INHERIT_DF;
        if (eoip_hooks->inherits_df(tunnel)) {
            flow->tunnel.flags |= FLOW_TNL_F_EOIP_INHERIT_DF;
        }
    }
}

/* IP protocol of the packets. */
static inline uint8_t
eoip_nw_proto(bool is_ipv6)
{
    return is_ipv6 ? EOIP6_IPPROTO : EOIP_IPPROTO;
}

/* True if the prepared header is that of EoIPv6. */
static inline bool
eoip_push_is_ipv6(const struct ovs_action_push_tnl *push)
{
    const struct eth_header *eth = (const void *) push->header;

    return eth->eth_type == htons(ETH_TYPE_IPV6);
}

/* Bytes between Ethernet and the frame. */
static inline size_t
eoip_push_overhead(bool is_ipv6)
{
    return is_ipv6 ? IPV6_HEADER_LEN + EOIP6_HLEN : IP_HEADER_LEN + EOIP_HLEN;
}

/* The smallest MTU whose packets carry 8 bytes of a frame in fragments, the
 * least that a fragment has; or 1 byte in one piece, if that is more. */
static inline size_t
eoip_push_mtu_min(bool is_ipv6)
{
    return is_ipv6 ? IPV6_HEADER_LEN + 8 + 8 : IP_HEADER_LEN + EOIP_HLEN + 1;
}

/* The prepared header behind Ethernet. */
static inline uint8_t *
eoip_push_ip(const struct ovs_action_push_tnl *push)
{
    return (uint8_t *) push->header + ETH_HEADER_LEN;
}

static inline uint16_t
eoip_push_key(const struct ovs_action_push_tnl *push)
{
    const uint8_t *ip = eoip_push_ip(push);
    const uint8_t *eoip = ip + (eoip_push_is_ipv6(push) ? IPV6_HEADER_LEN
                                                        : IP_HEADER_LEN);

    return eoip_push_is_ipv6(push) ? (eoip[0] & 0xf0) << 4 | eoip[1]
                                   : eoip[6] | eoip[7] << 8;
}

/* Until there is a frame, a length in the prepared header, that of EoIP or of
 * IPv6's payload, is that of the longest frame that the underlay carries in
 * one piece, or 0 for any. */
static inline uint8_t *
eoip_push_limit_at(const struct ovs_action_push_tnl *push)
{
    return eoip_push_ip(push) + (eoip_push_is_ipv6(push) ? 4
                                                         : IP_HEADER_LEN + 4);
}

static inline uint16_t
eoip_push_limit(const struct ovs_action_push_tnl *push)
{
    const uint8_t *limit = eoip_push_limit_at(push);

    return limit[0] << 8 | limit[1];
}

/* The MTU that this stands for, if it is not 0. */
static inline size_t
eoip_push_mtu(const struct ovs_action_push_tnl *push)
{
    return eoip_push_overhead(eoip_push_is_ipv6(push)) + eoip_push_limit(push);
}

static inline void
eoip_push_set_limit(struct ovs_action_push_tnl *push, uint16_t limit)
{
    memcpy(eoip_push_limit_at(push), (uint8_t []) { limit >> 8, limit & 0xff },
           2);
}

static inline void
eoip_set_push_mtu(struct ovs_action_push_tnl *push,
                  const struct netdev *tunnel, const struct netdev *underlay)
{
    int overhead, mtu;

    if (push->tnl_type != OVS_VPORT_TYPE_EOIP
        || netdev_get_mtu(underlay, &mtu)) {
        return;
    }
    overhead = eoip_push_overhead(eoip_push_is_ipv6(push));
    if (mtu > overhead) {
        /* Below eoip_push_mtu_min() a frame goes in one piece or not at all. */
        eoip_hooks->underlay_mtu(tunnel, mtu);
        eoip_push_set_limit(push, MIN(mtu - overhead, EOIP_FRAME_MAX));
    }
}

/* Writes what is behind the IP header of a push action. */
static inline void
eoip_format_header(const struct ovs_action_push_tnl *push, struct ds *ds)
{
    bool is_ipv6 = eoip_push_is_ipv6(push);
    uint16_t limit = eoip_push_limit(push);

    ds_put_format(ds, "eoip%s(id=%"PRIu16, is_ipv6 ? "6" : "",
                  eoip_push_key(push));
    if (limit) {
        ds_put_format(ds, ",mtu=%"PRIuSIZE,
                      eoip_push_overhead(is_ipv6) + limit);
    }
    ds_put_char(ds, ')');
}

/* Parses what eoip_format_header() wrote, and the parenthesis behind it, from
 * 's' + '*n' into 'push', whose Ethernet and IP headers are there.  Returns
 * true, advances '*n' and stores the length of all headers, if it is one. */
static inline bool
eoip_parse_header(const char *s, int *n, struct ovs_action_push_tnl *push,
                  uint32_t *header_len)
{
    bool is_ipv6 = eoip_push_is_ipv6(push);
    uint32_t overhead = eoip_push_overhead(is_ipv6);
    uint32_t key, mtu = overhead;
    uint8_t *ip = eoip_push_ip(push);
    int end = *n;

    if (!ovs_scan_len(s, &end, is_ipv6 ? "eoip6(id=%"SCNi32
                                       : "eoip(id=%"SCNi32, &key)
        || key > (is_ipv6 ? EOIP6_KEY_MAX : EOIP_KEY_MAX)) {
        return false;
    }
    if (ovs_scan_len(s, &end, ",mtu=%"SCNi32, &mtu)
        && (mtu < eoip_push_mtu_min(is_ipv6) || mtu > UINT16_MAX)) {
        return false;
    }
    if (!ovs_scan_len(s, &end, "))")) {
        return false;
    }
    if (is_ipv6) {
        memcpy(ip + IPV6_HEADER_LEN,
               (uint8_t []) { key >> 8 << 4 | EOIP6_MAGIC >> 8, key & 0xff },
               EOIP6_HLEN);
    } else {
        memcpy(ip + IP_HEADER_LEN,
               (uint8_t []) { EOIP_MAGIC >> 24, EOIP_MAGIC >> 16 & 0xff,
                              EOIP_MAGIC >> 8 & 0xff, EOIP_MAGIC & 0xff,
                              0, 0, key & 0xff, key >> 8 },
               EOIP_HLEN);
    }
    eoip_push_set_limit(push, mtu - overhead);
    *header_len = ETH_HEADER_LEN + overhead;
    *n = end;
    return true;
}

#endif /* eoip-hooks.h */
