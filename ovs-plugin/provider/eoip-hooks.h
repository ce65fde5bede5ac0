/* SPDX-License-Identifier: Apache-2.0
 *
 * What the seam patches in ovs-plugin/patches/ call.
 *
 * OVS links its library into every tool, and only ovs-vswitchd has the
 * provider.  So the library reaches it through 'eoip_hooks', which stays NULL
 * in the tools; below the table is what the patches call, in the order of the
 * table. */

#ifndef EOIP_HOOKS_H
#define EOIP_HOOKS_H 1

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include <linux/eoip.h>
#include "flow.h"
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
struct ofport_dpif;
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

    /* 'tunnel' is there, or goes, at 'port' of a datapath in userspace; to the
     * OpenFlow side it is 'ofport'. */
    void (*port_added)(const struct netdev *tunnel, odp_port_t port,
                       const struct ofport_dpif *ofport);
    void (*port_deleted)(const struct netdev *tunnel, odp_port_t port);

    /* As tnl_port_map_lookup(), which it calls. */
    odp_port_t (*port_lookup)(struct flow *, struct flow_wildcards *);

    /* True if packets of IP protocol 47 have to be told apart, and there may be
     * EoIPv6. */
    bool (*shares_pop)(void);

    /* Executes the pop action with a struct eoip_pop.  Returns how many packets
     * are dropped.  'execute' with 'aux' executes other actions. */
    size_t (*pop)(struct dp_packet_batch *, const struct eoip_pop *,
                  bool should_steal, odp_execute_cb execute, void *aux);

    /* A frame has come out of a tunnel of the kernel's datapath, and no port
     * takes it.  Called by any thread. */
    void (*unclaimed_in_kernel)(const struct flow *, const struct dpif *);

    /* Executes the push action 'a', which is the first of the 'left' bytes of
     * actions, as odp_execute_actions() has them.  Returns true if the actions
     * behind it were executed as well, and the batch is empty. */
    bool (*push)(void *dp, struct dp_packet_batch *, bool steal,
                 const struct nlattr *a, unsigned int left,
                 odp_execute_cb execute);

    /* Puts a push action that counts frames of 'tunnel' with this flow, which
     * translation has found no way for, as dropped. */
    void (*put_drop)(struct ofpbuf *actions, const struct netdev *tunnel,
                     const struct flow *, odp_port_t tunnel_port);

    /* How many bytes more than the frame the packet has that a push action
     * makes of it, and the tunnel key in its headers. */
    size_t (*push_header_len)(const struct ovs_action_push_tnl *);
    uint16_t (*push_key)(const struct ovs_action_push_tnl *);

    /* Writes what is behind the IP header of a push action, and parses that and
     * the parenthesis behind it from 's' + '*n' into 'push', whose Ethernet and
     * IP headers are there.  Parsing returns true, advances '*n' and stores the
     * length of the headers and what goes with them, if it is ours. */
    void (*format_push)(const struct ovs_action_push_tnl *, struct ds *);
    bool (*parse_push)(const char *s, int *n, struct ovs_action_push_tnl *,
                       uint32_t *header_len);

    /* True if the packets of 'tunnel' take the DF bit of their frames.  Called
     * by any thread. */
    bool (*inherits_df)(const struct netdev *tunnel);

    /* All interfaces are going to be configured: takes over the settings in
     * other_config of table Open_vSwitch, and whom to ask, until it comes
     * again, for the options that an interface will have then.  That returns
     * NULL for a name that it does not know. */
    void (*begin_config)(const struct smap *other_config,
                         const struct smap *(*wanted)(const char *name));

    /* Returns why 'tunnel' goes on as it was, instead of as it was configured
     * last, or NULL if it does not.  The caller must not free the string. */
    const char *(*config_refused)(const struct netdev *tunnel);

    /* How many full batches of packets the main thread takes from a queue before
     * it looks after all else. */
    int (*batches_at_once)(void);

    /* 'port' is read by the AF_PACKET socket 'fd', or that is going to be
     * closed.  Called by any thread. */
    void (*socket_opened)(const char *port, int fd);
    void (*socket_closed)(int fd);
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

/* Returns 'error'; or, if that is 0 and 'netdev' is of type "eoip" and cannot
 * work in a datapath of 'dp_type' as it is set up, another one, and says why in
 * '*errp'. */
int eoip_check_port(int error, const struct netdev *netdev,
                    const char *dp_type, char **errp);

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

/* The type that OVS's map of tunnel ports takes 'tunnel' for: it derives the IP
 * protocol from it, and knows that of gre. */
static inline const char *
eoip_map_type(const struct netdev *tunnel)
{
    return eoip_is_type(tunnel) ? "gre" : netdev_get_type(tunnel);
}

static inline const char *
eoip_port_added(const struct netdev *tunnel, odp_port_t port,
                const struct ofport_dpif *ofport)
{
    eoip_hooks->port_added(tunnel, port, ofport);
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

/* Puts the action that pops packets of 'nw_proto' at 'tunnel'. */
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
    return a->nla_len == NLA_HDRLEN + sizeof(struct eoip_pop);
}

static inline const struct eoip_pop *
eoip_pop_get(const struct nlattr *a)
{
    return (const void *) (a + 1);
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

static inline size_t
eoip_pop(struct dp_packet_batch *batch, const struct nlattr *a,
         bool should_steal, odp_execute_cb execute, void *aux)
{
    return eoip_hooks->pop(batch, eoip_pop_get(a), should_steal, execute, aux);
}

static inline void
eoip_unclaimed_frame(const struct flow *flow, const struct dpif *dpif)
{
    eoip_hooks->unclaimed_in_kernel(flow, dpif);
}

static inline const struct ovs_action_push_tnl *
eoip_push_get(const struct nlattr *a)
{
    return (const void *) (a + 1);
}

/* Asked for each action of each batch: without a call. */
static inline bool
eoip_is_push(const struct nlattr *a)
{
    return a->nla_type == OVS_ACTION_ATTR_TUNNEL_PUSH && eoip_hooks
           && eoip_push_get(a)->tnl_type == OVS_VPORT_TYPE_EOIP;
}

static inline bool
eoip_push(void *dp, struct dp_packet_batch *batch, bool steal,
          const struct nlattr *a, unsigned int left, odp_execute_cb execute)
{
    return eoip_hooks->push(dp, batch, steal, a, left, execute);
}

/* Puts an action that counts frames as dropped, if the actions from 'offset' on
 * do not push the headers of 'tunnel', where that is of type "eoip". */
static inline void
eoip_put_drop(struct ofpbuf *actions, size_t offset,
              const struct netdev *tunnel, const struct flow *flow,
              odp_port_t tunnel_port, bool is_last)
{
    const struct nlattr *a = ofpbuf_at(actions, offset, NLA_HDRLEN);
    size_t start = 0;

    if (!eoip_is_type(tunnel)) {
        return;
    }
    if (a && nl_attr_type(a) == OVS_ACTION_ATTR_CLONE) {
        a = nl_attr_get(a);
    }
    if (a && nl_attr_type(a) == OVS_ACTION_ATTR_TRUNC) {
        a = nl_attr_next(a);
    }
    if (a && nl_attr_type(a) == OVS_ACTION_ATTR_TUNNEL_PUSH) {
        return;
    }
    nl_msg_reset_size(actions, offset);
    if (!is_last) {
        start = nl_msg_start_nested(actions, OVS_ACTION_ATTR_CLONE);
    }
    eoip_hooks->put_drop(actions, tunnel, flow, tunnel_port);
    if (!is_last) {
        nl_msg_end_nested(actions, start);
    }
}

/* A keepalive has no frame.  So that it is translated, routed and sent as frames
 * are, a frame stands for it, which the switch makes itself: to the address of
 * bridges, which a port takes that RSTP has blocked, from none. */
static inline bool
eoip_is_keepalive(const struct flow *flow)
{
    return flow->in_port.ofp_port == OFPP_NONE && is_stp(flow)
           && eth_addr_is_zero(flow->dl_src);
}

/* Returns the mirrors, one bit each, that do not see a frame with this flow:
 * what stands for a keepalive is no frame. */
static inline uint32_t
eoip_no_mirrors(const struct flow *flow)
{
    return eoip_is_keepalive(flow) ? UINT32_MAX : 0;
}

/* Bytes by which a push action makes a frame longer. */
static inline size_t
eoip_push_header_len(const struct ovs_action_push_tnl *push)
{
    return push->tnl_type == OVS_VPORT_TYPE_EOIP
           ? eoip_hooks->push_header_len(push) : push->header_len;
}

static inline uint16_t
eoip_push_key(const struct ovs_action_push_tnl *push)
{
    return eoip_hooks ? eoip_hooks->push_key(push) : 0;
}

static inline void
eoip_format_push(const struct ovs_action_push_tnl *push, struct ds *ds)
{
    if (eoip_hooks) {
        eoip_hooks->format_push(push, ds);
    }
}

static inline bool
eoip_parse_push(const char *s, int *n, struct ovs_action_push_tnl *push,
                uint32_t *header_len)
{
    return eoip_hooks && eoip_hooks->parse_push(s, n, push, header_len);
}

/* In the flow of a frame that is to be sent: the outer DF bit is that of each
 * frame, which no flow holds.  The kernel's datapath learns of it as of a flag
 * that EoIP has no use for. */
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

static inline void
eoip_begin_config(const struct smap *other_config,
                  const struct smap *(*wanted)(const char *name))
{
    eoip_hooks->begin_config(other_config, wanted);
}

static inline const char *
eoip_refused_config(const struct netdev *netdev)
{
    return eoip_is_type(netdev) ? eoip_hooks->config_refused(netdev) : NULL;
}

static inline int
eoip_batches_at_once(void)
{
    return eoip_hooks ? eoip_hooks->batches_at_once() : 1;
}

static inline void
eoip_socket_opened(const struct netdev *port, int fd)
{
    if (eoip_hooks) {
        eoip_hooks->socket_opened(netdev_get_name(port), fd);
    }
}

static inline void
eoip_socket_closed(int fd)
{
    if (eoip_hooks) {
        eoip_hooks->socket_closed(fd);
    }
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

#endif /* eoip-hooks.h */
