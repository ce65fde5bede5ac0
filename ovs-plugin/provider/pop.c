/* SPDX-License-Identifier: Apache-2.0
 *
 * One loop over a batch.  Each packet is parsed, and its tunnel found; then it
 * is one of these:
 *
 *   a frame, which is counted, and leaves through the tunnel's port;
 *   a keepalive, which the tunnel has heard;
 *   a fragment, which waits, or completes a packet that takes its place;
 *   of OVS's own GRE or ERSPAN, whose function pops it;
 *   nobody's (PPTP, say), which goes where it would have gone without tunnels;
 *   a drop, which is counted under its name. */

#include <config.h>

#include "pop.h"

#include <netinet/ip.h>
#include <netinet/ip6.h>

#include "dp-packet.h"
#include "eoip/wire6.h"
#include "flow.h"
#include "frames.h"
#include "headers.h"
#include "match.h"
#include "odp-util.h"
#include "ovs-compat.h"
#include "owners.h"
#include "packets.h"
#include "reassemblers.h"
#include "sharing.h"
#include "timeval.h"
#include "unclaimed.h"

/* What goes with one batch. */
struct context {
    odp_port_t port;            /* Frames come out of, */
    size_t max_frame;           /* and how long they may be. */
    struct dp_packet_batch *others; /* Takes what is nobody's, or NULL. */
    size_t n_dropped;
    uint64_t generation;        /* As 'tag' of struct owner has it. */
    const struct owner *owner;  /* Of the last packet over IPv4. */

    /* Frames that follow each other and belong to one tunnel are counted at
     * once. */
    struct eoip_tunnel *tunnel;
    uint64_t packets, bytes;
};

/* 'others' may be NULL. */
static inline struct context
begin(struct dp_packet_batch *others)
{
    return (struct context) {
        .port = sharing_eoip_port(), .max_frame = eoip_max_frame(),
        .others = others, .generation = (uint64_t) match_generation() << 16,
        .owner = owners_last(),
    };
}

static void
flush_count(struct context *context)
{
    if (context->packets) {
        eoip_tunnel_count_rx(context->tunnel, context->packets,
                             context->bytes);
    }
    context->packets = context->bytes = 0;
}

static inline void
count_frame(struct context *context, struct eoip_tunnel *tunnel, size_t bytes)
{
    if (OVS_UNLIKELY(context->tunnel != tunnel)) {
        flush_count(context);
        context->tunnel = tunnel;
    }
    context->packets++;
    context->bytes += bytes;
}

/* Does what is due for a packet between the two addresses whose frame, as 'rx'
 * says, is not delivered.  Returns true if the packet counts as dropped. */
static bool
account(struct eoip_tunnel *tunnel, const struct in6_addr *remote,
        const struct in6_addr *local, struct eoip_received rx)
{
    if (rx.kind == EOIP_DROPPED) {
        count_received_drop(tunnel, rx.drop, remote, local, rx.key);
        return true;
    } else if (rx.kind == EOIP_FRAME) {
        unclaimed_frame(remote, local, rx.key);
        return true;
    } else if (tunnel) {
        eoip_tunnel_count_keepalive(tunnel);
        eoip_keepalive_heard(tunnel);
    } else {
        unclaimed_keepalive(remote, local, rx.key, MATCH_USERSPACE);
    }
    return false;
}

/* What the packet and its frame go through before the frame is delivered.
 * 'outer_hlen' bytes of headers were in front of the frame.  Returns false, and
 * counts, if the frame must be dropped. */
EOIP_INLINE bool
take_frame(struct eoip_tunnel *tunnel, struct eoip_received rx,
           char *frame, size_t outer_hlen, uint8_t tos)
{
    if (OVS_UNLIKELY(rx.trimmed)) {
        eoip_tunnel_count_trimmed(tunnel);
    }
    if (OVS_UNLIKELY(tos & IP_ECN_ECT_1)
        && !eoip_take_over_ecn(frame, rx.frame_bytes, tos)) {
        return false;
    }
    if (OVS_UNLIKELY(!eoip_is_plainly_no_syn(frame, rx.frame_bytes))) {
        eoip_tunnel_clamp_mss(tunnel, outer_hlen, frame, rx.frame_bytes);
    }
    return true;
}

/* Bytes from the IP header on, padding included. */
static size_t
l3_bytes(const struct dp_packet *packet)
{
    return (char *) dp_packet_tail(packet) - (char *) dp_packet_l3(packet);
}

static bool
is_over_ipv6(const struct dp_packet *packet)
{
    const uint8_t *ip = dp_packet_l3(packet);

    return ip && l3_bytes(packet) >= EOIP_IPV4_HLEN && ip[0] >> 4 == 6;
}

/* Leaves of 'packet' its frame, which came by 'port' from another end with this
 * TOS and TTL; returns the metadata of its tunnel, for the addresses to be
 * added.  As pkt_metadata_init_tnl() and dp_packet_reset_packet() do it, but
 * without what nobody reads of a packet that no connection is known of. */
EOIP_INLINE struct flow_tnl *
uncover(struct dp_packet *packet, char *frame, size_t frame_bytes,
        uint16_t key, uint8_t tos, uint8_t ttl, odp_port_t port)
{
    odp_port_t underlay = packet->md.in_port.odp_port;
    struct flow_tnl *tnl = &packet->md.tunnel;

    pkt_metadata_init(&packet->md, port);
    packet->md.orig_in_port = underlay;
    /* In two parts, for which compilers need no loop. */
    memset(tnl, 0, offsetof(struct flow_tnl, tun_id));
    memset(&tnl->tun_id, 0, offsetof(struct flow_tnl, metadata.opts)
                            - offsetof(struct flow_tnl, tun_id));
    tnl->tun_id = htonll(key);
    tnl->flags = FLOW_TNL_F_KEY;
    tnl->ip_tos = tos;
    tnl->ip_ttl = ttl;

    packet->packet_type = htonl(PT_ETH);
    dp_packet_set_data(packet, frame);
    dp_packet_set_size(packet, frame_bytes);
    dp_packet_reset_offsets(packet);
    dp_packet_reset_offload(packet);
    return tnl;
}

/* Frees 'packet', which was not delivered. */
static struct dp_packet *
discard(struct dp_packet *packet, bool is_drop, struct context *context)
{
    context->n_dropped += is_drop;
    dp_packet_delete(packet);
    return NULL;
}

static struct dp_packet *
pop_ipv6(struct dp_packet *packet, struct eoip_received rx,
         struct context *context)
{
    char *ip = dp_packet_l3(packet);
    const struct ovs_16aligned_ip6_hdr *nh = (const void *) ip;
    char *frame = ip + EOIP6_OUTER_HLEN;
    struct eoip_tunnel *tunnel;
    struct in6_addr src, dst;
    struct flow_tnl *tnl;
    uint8_t tos;

    memcpy(&src, &nh->ip6_src, sizeof src);
    memcpy(&dst, &nh->ip6_dst, sizeof dst);
    tos = ntohl(get_16aligned_be32(&nh->ip6_flow)) >> 20;
    tunnel = match_packet(&src, &dst, rx.key, MATCH_USERSPACE);
    if (owners_is_self(tunnel, &src, &dst)) {
        rx.kind = EOIP_DROPPED;
        rx.drop = EOIP_DROP_MARTIAN;
    }
    if (rx.kind != EOIP_FRAME || !tunnel) {
        return discard(packet, account(tunnel, &src, &dst, rx), context);
    }
    if (!take_frame(tunnel, rx, frame, EOIP6_OUTER_HLEN, tos)) {
        count_received_drop(tunnel, EOIP_DROP_ECN, &src, &dst, rx.key);
        return discard(packet, true, context);
    }
    count_frame(context, tunnel, rx.frame_bytes);
    tnl = uncover(packet, frame, rx.frame_bytes, rx.key, tos, nh->ip6_hlim,
                  context->port);
    tnl->ipv6_src = src;
    tnl->ipv6_dst = dst;
    return packet;
}

static EOIP_NOINLINE struct dp_packet *
discard_ipv4(struct dp_packet *packet, enum eoip_kind kind,
             enum eoip_drop why, uint16_t key, struct context *context)
{
    const struct ip_header *nh = dp_packet_l3(packet);
    struct eoip_received rx = { .kind = kind, .drop = why, .key = key };
    struct in6_addr src, dst;

    in6_addr_set_mapped_ipv4(&src, get_16aligned_be32(&nh->ip_src));
    in6_addr_set_mapped_ipv4(&dst, get_16aligned_be32(&nh->ip_dst));
    if (context->owner->is_martian) {
        rx.kind = EOIP_DROPPED;
        rx.drop = EOIP_DROP_MARTIAN;
    }
    return discard(packet, account(context->owner->tunnel, &src, &dst, rx),
                   context);
}

/* A packet of EoIP over IPv4. */
EOIP_INLINE struct dp_packet *
pop_ipv4(struct dp_packet *packet, struct eoip_received rx,
         struct context *context)
{
    char *ip = dp_packet_l3(packet);
    const struct ip_header *nh = (const void *) ip;
    uint64_t tag = context->generation | rx.key;
    char *frame = ip + EOIP_OUTER_HLEN;
    struct eoip_tunnel *tunnel;
    struct flow_tnl *tnl;
    uint64_t ends;

    memcpy(&ends, &nh->ip_src, sizeof ends);
    if (OVS_UNLIKELY(context->owner->ends != ends
                     || context->owner->tag != tag)) {
        context->owner = owners_find(nh, rx.key, ends, tag);
    }
    tunnel = context->owner->taker;
    if (OVS_UNLIKELY(rx.kind != EOIP_FRAME || !tunnel)) {
        return discard_ipv4(packet, rx.kind, rx.drop, rx.key, context);
    }
    if (OVS_UNLIKELY(!take_frame(tunnel, rx, frame, EOIP_OUTER_HLEN,
                                 nh->ip_tos))) {
        return discard_ipv4(packet, EOIP_DROPPED, EOIP_DROP_ECN, rx.key,
                            context);
    }
    count_frame(context, tunnel, rx.frame_bytes);
    tnl = uncover(packet, frame, rx.frame_bytes, rx.key, nh->ip_tos,
                  nh->ip_ttl, context->port);
    tnl->ip_src = get_16aligned_be32(&nh->ip_src);
    tnl->ip_dst = get_16aligned_be32(&nh->ip_dst);
    return packet;
}

/* Takes the fragment 'packet'.  Returns the packet that it completes, or NULL
 * if it does not, or was dropped. */
static struct dp_packet *
reassemble(struct dp_packet *packet, bool is_ipv6)
{
    struct dp_packet *whole = NULL;
    const void *bytes;
    size_t n;

    bytes = eoip_reassemble(dp_packet_l3(packet), l3_bytes(packet),
                            time_msec(), &n);
    if (bytes) {
        whole = dp_packet_new_with_headroom(ETH_HEADER_LEN + n,
                                            EOIP_PUSH_BYTES);
        dp_packet_put(whole, dp_packet_data(packet), ETH_HEADER_LEN);
        dp_packet_put(whole, bytes, n);
        whole->md = packet->md;
        whole->l3_ofs = ETH_HEADER_LEN;
        whole->l4_ofs = ETH_HEADER_LEN
                        + (is_ipv6 ? IPV6_HEADER_LEN : IP_HEADER_LEN);
    }
    dp_packet_delete(packet);
    return whole;
}

/* True for what is, or would be, EoIP or EoIPv6. */
static bool
is_ours(struct dp_packet *packet, bool is_ipv6)
{
    const void *l4 = dp_packet_l4(packet);
    size_t n = l4 ? dp_packet_l4_size(packet) : 0;

    return is_ipv6
           ? eoip_protocol6(dp_packet_l3(packet), l3_bytes(packet))
             == EOIP6_IPPROTO && eoip_is_header6(l4, n)
           : eoip_classify(l4, n) == EOIP_GRE_IS_EOIP;
}

/* A packet that is not EoIP's: another tunnel's, or nobody's.  What is nobody's
 * is added to 'context->others', or dropped for 'reason' if that is NULL. */
static struct dp_packet *
pop_foreign(struct dp_packet *packet, enum eoip_drop reason,
            struct context *context)
{
    bool is_ipv6 = is_over_ipv6(packet);
    const void *l4 = dp_packet_l4(packet);

    if (l4
        && (!is_ipv6 || eoip_protocol6(dp_packet_l3(packet), l3_bytes(packet))
                        == EOIP_IPPROTO)
        && sharing_pop(&packet, eoip_classify(l4, dp_packet_l4_size(packet)),
                       is_ipv6)) {
        context->n_dropped += !packet;
        return packet;
    }
    if (context->others) {
        dp_packet_batch_add(context->others, packet);
        return NULL;
    }
    count_received_drop(NULL, reason, &in6addr_any, &in6addr_any, 0);
    return discard(packet, true, context);
}

/* A packet that is not simply one of EoIP over IPv4. */
static EOIP_NOINLINE struct dp_packet *
pop_strange(struct dp_packet *packet, struct context *context)
{
    const char *ip = dp_packet_l3(packet);
    bool is_ipv6 = is_over_ipv6(packet);
    struct eoip_received rx;

    if (ip && eoip_is_fragment(ip, l3_bytes(packet))) {
        packet = reassemble(packet, is_ipv6);
        if (!packet) {
            return NULL;
        }
    }
    ip = dp_packet_l3(packet);
    rx = is_ipv6
         ? eoip_receive6(ip, l3_bytes(packet), context->max_frame)
         : eoip_receive_of_any(ip, ip ? l3_bytes(packet) : 0,
                               dp_packet_ip_checksum_valid(packet),
                               context->max_frame);
    if (rx.key_known) {
        return is_ipv6 ? pop_ipv6(packet, rx, context)
                       : pop_ipv4(packet, rx, context);
    }

    if (!dp_packet_l4(packet) || is_ours(packet, is_ipv6)) {
        count_received_drop(NULL, rx.drop, &in6addr_any, &in6addr_any, 0);
        return discard(packet, true, context);
    }
    return pop_foreign(packet, rx.drop, context);
}

EOIP_INLINE struct dp_packet *
pop_packet(struct dp_packet *packet, struct context *context)
{
    const char *ip = dp_packet_l3(packet);
    struct eoip_received rx
        = eoip_receive_of_any(ip, ip ? l3_bytes(packet) : 0,
                              dp_packet_ip_checksum_valid(packet),
                              context->max_frame);

    return OVS_LIKELY(rx.key_known) ? pop_ipv4(packet, rx, context)
                                    : pop_strange(packet, context);
}

/* Executes an action that holds a 32-bit number on a batch, which it takes
 * over. */
static void
execute_u32(odp_execute_cb execute, void *aux, enum ovs_action_attr type,
                uint32_t value, struct dp_packet_batch *batch)
{
    struct {
        struct nlattr a;
        uint32_t value;
    } action = {
        .a = { .nla_len = sizeof action, .nla_type = type },
        .value = value,
    };

    if (!dp_packet_batch_is_empty(batch)) {
        execute(aux, batch, &action.a, true);
    }
}

size_t
pop_execute(struct dp_packet_batch *batch, const struct eoip_pop *pop,
            bool should_steal, odp_execute_cb execute, void *aux)
{
    struct dp_packet_batch mine, others;
    struct context context = begin(&others);
    size_t n, n_left = 0;

    if (!should_steal) {
        dp_packet_batch_clone(&mine, batch);
        dp_packet_batch_reset_cutlen(batch);
        batch = &mine;
    }
    dp_packet_batch_apply_cutlen(batch);
    dp_packet_batch_init(&others);
    n = dp_packet_batch_size(batch);
    for (size_t i = 0; i < n; i++) {
        struct dp_packet *packet = batch->packets[i];

        packet = OVS_LIKELY(context.port != ODPP_NONE)
                 ? pop_packet(packet, &context)
                 : pop_foreign(packet, EOIP_DROP_NOT_EOIP, &context);
        if (OVS_LIKELY(packet != NULL)) {
            batch->packets[n_left++] = packet;
        }
    }
    batch->count = n_left;
    flush_count(&context);

    execute_u32(execute, aux, OVS_ACTION_ATTR_OUTPUT,
                    odp_to_u32(pop->local), &others);
    /* To the flows of the bridges that the ports are on. */
    execute_u32(execute, aux, OVS_ACTION_ATTR_RECIRC, 0, batch);
    dp_packet_batch_destroy(&others);
    if (!should_steal) {
        dp_packet_batch_destroy(&mine);
    }
    return context.n_dropped;
}

struct dp_packet *
pop_header(struct dp_packet *packet)
{
    struct context context = begin(NULL);

    packet = pop_packet(packet, &context);
    flush_count(&context);
    return packet;
}
