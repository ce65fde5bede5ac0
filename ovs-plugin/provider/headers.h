/* SPDX-License-Identifier: Apache-2.0
 *
 * What a flow's push action holds: the headers of its packets, made once, and a
 * note behind them. */

#ifndef EOIP_HEADERS_H
#define EOIP_HEADERS_H 1

#include "eoip-hooks.h"
#include "eoip/wire6.h"
#include "netdev.h"
#include "ovs-compat.h"

/* Bytes that are pushed: Ethernet, IPv4, EoIP; or Ethernet, IPv6, EoIPv6. */
#define EOIP_PUSH_BYTES (ETH_HEADER_LEN + EOIP_OUTER_HLEN)
#define EOIP6_PUSH_BYTES (ETH_HEADER_LEN + EOIP6_OUTER_HLEN)

/* What a push action holds behind the headers, which are as on the wire but for
 * what depends on the frame: lengths, IP id, DF bit if it is inherited. */
struct push_note {
    uint32_t tunnel;            /* Number of the tunnel; 0: not known. */
    uint16_t mtu;               /* Of the underlay; 0: any. */
    uint8_t flags;              /* PUSH_DF and so on. */
    uint8_t drop;               /* 0, or the enum eoip_drop of all frames, plus
                                 * 1; of what stands for a keepalive that can
                                 * be sent, EOIP_N_DROPS plus 1. */
};

#define PUSH_DF 1               /* Packets may not be fragmented; if the frame */
#define PUSH_INHERIT_DF 2       /* is IPv4, this says that it decides. */
#define PUSH_KEEPALIVE 4        /* What is pushed stands for a keepalive. */

/* True if the headers are those of EoIPv6. */
static inline bool
headers_are_ipv6(const struct ovs_action_push_tnl *push)
{
    const struct eth_header *eth = (const void *) push->header;

    return eth->eth_type == htons(ETH_TYPE_IPV6);
}

static inline struct push_note
headers_get_note(const struct ovs_action_push_tnl *push)
{
    const char *headers = (const char *) push->header;
    struct push_note note;

    memcpy(&note, headers + (headers_are_ipv6(push) ? EOIP6_PUSH_BYTES
                                                    : EOIP_PUSH_BYTES),
           sizeof note);
    return note;
}

/* See struct eoip_hooks. */
size_t headers_growth(const struct ovs_action_push_tnl *);

/* Puts 'note' behind the headers, and counts it to their length. */
void headers_put_note(struct ovs_action_push_tnl *, const struct push_note *);

/* The tunnel key in the headers. */
uint16_t headers_key(const struct ovs_action_push_tnl *);

/* The smallest MTU whose packets carry 8 bytes of a frame in fragments, the
 * least that a fragment has; or 1 byte in one piece, if that is more. */
size_t headers_mtu_min(bool is_ipv6);

/* .build_header of the class.  Called by any thread, for translation as for
 * tracing: changes nothing and counts nothing. */
int headers_build(const struct netdev *, struct ovs_action_push_tnl *,
                  const struct netdev_tnl_build_header_params *);

/* Where translation has found no way for the frames of 'netdev': puts an action
 * that counts them as dropped.  See struct eoip_hooks. */
void headers_put_drop(struct ofpbuf *actions, const struct netdev *,
                      const struct flow *, odp_port_t tunnel);

#endif /* headers.h */
