/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "headers.h"

#include "csum.h"
#include "flow.h"
#include "netdev-eoip.h"
#include "netdev-native-tnl.h"
#include "odp-util.h"
#include "ovs-compat.h"
#include "route.h"

/* Bytes of the headers that go on the wire. */
static size_t
headers_len(const struct ovs_action_push_tnl *push)
{
    return headers_are_ipv6(push) ? EOIP6_PUSH_BYTES : EOIP_PUSH_BYTES;
}

size_t
headers_growth(const struct ovs_action_push_tnl *push)
{
    bool is_keepalive = headers_get_note(push).flags & PUSH_KEEPALIVE;

    /* Of what stands for a keepalive nothing is sent. */
    return headers_len(push) - (is_keepalive ? ETH_HEADER_LEN : 0);
}

void
headers_put_note(struct ovs_action_push_tnl *push, const struct push_note *note)
{
    size_t header_len = headers_len(push);

    memcpy((char *) push->header + header_len, note, sizeof *note);
    push->header_len = header_len + sizeof *note;
}

uint16_t
headers_key(const struct ovs_action_push_tnl *push)
{
    const char *ip = (const char *) push->header + ETH_HEADER_LEN;

    return headers_are_ipv6(push) ? eoip_key6(ip + EOIP_IPV6_HLEN)
                              : eoip_key(ip + EOIP_IPV4_HLEN);
}

size_t
headers_mtu_min(bool is_ipv6)
{
    return is_ipv6 ? EOIP_IPV6_HLEN + EOIP_FRAGMENT_HLEN + 8
                   : EOIP_OUTER_HLEN + 1;
}

int
headers_build(const struct netdev *netdev,
                  struct ovs_action_push_tnl *push,
                  const struct netdev_tnl_build_header_params *params)
{
    struct eoip_tunnel *tunnel = netdev_eoip_tunnel(netdev);
    const struct flow_tnl *tnl = &params->flow->tunnel;
    uint64_t key = ntohll(tnl->tun_id);
    struct in6_addr remote = flow_tnl_dst(tnl);
    struct push_note note = {
        .tunnel = eoip_tunnel_number(tunnel),
        .mtu = MIN(route_mtu(&remote, params->s_ip, params->flow->pkt_mark),
                   UINT16_MAX),
        .flags = (eoip_tunnel_inherits_df(tunnel) ? PUSH_INHERIT_DF : 0)
                 | (tnl->flags & FLOW_TNL_F_DONT_FRAGMENT ? PUSH_DF : 0),
    };

    if (eoip_tunnel_has_psk(tunnel)) {
        note.drop = EOIP_DROP_IPSEC_BLOCKED + 1;    /* Only the kernel may. */
    } else if (!eoip_tunnel_is_resolved(tunnel)) {
        note.drop = EOIP_DROP_ENDPOINT_UNRESOLVED + 1;
    } else if (key > (params->is_ipv6 ? EOIP6_KEY_MAX : EOIP_KEY_MAX)) {
        note.drop = EOIP_DROP_KEY_OUT_OF_RANGE + 1;
        key = 0;
    }
    if (eoip_is_keepalive(params->flow)) {
        note.flags |= PUSH_KEEPALIVE;
        if (!note.drop) {
            note.drop = EOIP_N_DROPS + 1;
        }
    }
    if (params->is_ipv6) {
        eoip_put_header6(netdev_tnl_ip_build_header(push, params,
                                                    EOIP6_IPPROTO, 0), key);
    } else {
        struct ip_header *ip = (void *) ((char *) push->header
                                         + ETH_HEADER_LEN);

        eoip_put_header(netdev_tnl_ip_build_header(push, params,
                                                   EOIP_IPPROTO, 0), key, 0);
        /* Since 3.2 OVS leaves it to whoever sends the packet. */
        ip->ip_csum = 0;
        ip->ip_csum = csum(ip, sizeof *ip);
    }
    headers_put_note(push, &note);
    push->tnl_type = OVS_VPORT_TYPE_EOIP;
    return 0;
}

void
headers_put_drop(struct ofpbuf *actions, const struct netdev *netdev,
              const struct flow *flow, odp_port_t tunnel)
{
    struct netdev_tnl_build_header_params params;
    struct in6_addr remote = flow_tnl_dst(&flow->tunnel);
    struct in6_addr local = IN6_IS_ADDR_V4MAPPED(&remote)
                            ? in6_addr_mapped_ipv4(flow->tunnel.ip_src)
                            : flow->tunnel.ipv6_src;
    struct ovs_action_push_tnl push;
    struct push_note note;

    netdev_init_tnl_build_header_params(&params, flow, &local, eth_addr_zero,
                                        eth_addr_zero);
    memset(&push, 0, sizeof push);
    headers_build(netdev, &push, &params);
    note = headers_get_note(&push);
    if (!note.drop || note.drop > EOIP_N_DROPS) {
        switch (route_obstacle(&remote, &local, flow->pkt_mark)) {
        case ROUTE_NONE:
            note.drop = EOIP_DROP_NO_ROUTE + 1;
            break;
        case ROUTE_NO_NEIGHBOR:
            note.drop = EOIP_DROP_NO_NEIGHBOR + 1;
            break;
        case ROUTE_OPEN:
            note.drop = EOIP_DROP_UNDERLAY_REFUSED + 1;
            break;
        }
        headers_put_note(&push, &note);
    }
    push.tnl_port = tunnel;
    push.out_port = ODPP_NONE;
    odp_put_tnl_push_action(actions, &push);
}
