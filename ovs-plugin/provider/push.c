/* SPDX-License-Identifier: Apache-2.0
 *
 * A flow's action holds the headers of its packets, made once by
 * push_build_header(), and what else there is to know, in a note behind them.
 * push_execute() puts them in front of each frame, and executes what follows
 * the action: on more packets than there were frames, where some go in
 * fragments. */

#include <config.h>

#include "push.h"

#include <netinet/ip.h>
#include <netinet/ip6.h>

#include "csum.h"
#include "dp-packet.h"
#include "eoip-provider.h"
#include "eoip/wire6.h"
#include "flow.h"
#include "log.h"
#include "match.h"
#include "netdev-eoip.h"
#include "netdev-native-tnl.h"
#include "odp-util.h"
#include "ovs-compat.h"
#include "packets.h"
#include "route.h"

/* Set by any thread. */
static atomic_bool missed_neighbor = false;

/* Headers and note. */

bool
push_is_ipv6(const struct ovs_action_push_tnl *push)
{
    const struct eth_header *eth = (const void *) push->header;

    return eth->eth_type == htons(ETH_TYPE_IPV6);
}

size_t
push_header_len(const struct ovs_action_push_tnl *push)
{
    return push_is_ipv6(push) ? EOIP6_PUSH_BYTES : EOIP_PUSH_BYTES;
}

struct push_note
push_get_note(const struct ovs_action_push_tnl *push)
{
    struct push_note note;

    memcpy(&note, (const char *) push->header + push_header_len(push),
           sizeof note);
    return note;
}

void
push_put_note(struct ovs_action_push_tnl *push, const struct push_note *note)
{
    size_t header_len = push_header_len(push);

    memcpy((char *) push->header + header_len, note, sizeof *note);
    push->header_len = header_len + sizeof *note;
}

uint16_t
push_key(const struct ovs_action_push_tnl *push)
{
    const char *ip = (const char *) push->header + ETH_HEADER_LEN;

    return push_is_ipv6(push) ? eoip_key6(ip + EOIP_IPV6_HLEN)
                              : eoip_key(ip + EOIP_IPV4_HLEN);
}

size_t
push_mtu_min(bool is_ipv6)
{
    return is_ipv6 ? EOIP_IPV6_HLEN + EOIP_FRAGMENT_HLEN + 8
                   : EOIP_OUTER_HLEN + 1;
}

/* Bytes of the frames that the underlay carries in one piece. */
static inline size_t
frame_limit(const struct push_note *note, bool is_ipv6)
{
    size_t overhead = is_ipv6 ? EOIP6_OUTER_HLEN : EOIP_OUTER_HLEN;

    return !note->mtu ? EOIP_FRAME_MAX
           : note->mtu > overhead ? MIN(note->mtu - overhead, EOIP_FRAME_MAX)
           : 0;
}

/* Build. */

int
push_build_header(const struct netdev *netdev,
                  struct ovs_action_push_tnl *push,
                  const struct netdev_tnl_build_header_params *params)
{
    struct eoip_tunnel *tunnel = netdev_eoip_tunnel(netdev);
    const struct flow_tnl *tnl = &params->flow->tunnel;
    uint64_t key = ntohll(tnl->tun_id);
    struct in6_addr remote = flow_tnl_dst(tnl);
    struct push_note note = {
        .tunnel = eoip_tunnel_number(tunnel),
        .mtu = MIN(route_mtu(&remote, params->flow->pkt_mark), UINT16_MAX),
        .flags = (eoip_tunnel_inherits_df(tunnel) ? PUSH_INHERIT_DF : 0)
                 | (tnl->flags & FLOW_TNL_F_DONT_FRAGMENT ? PUSH_DF : 0),
    };

    if (!eoip_tunnel_is_resolved(tunnel)) {
        note.drop = EOIP_DROP_ENDPOINT_UNRESOLVED + 1;
    } else if (key > (params->is_ipv6 ? EOIP6_KEY_MAX : EOIP_KEY_MAX)) {
        note.drop = EOIP_DROP_KEY_OUT_OF_RANGE + 1;
        key = 0;
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
    push_put_note(push, &note);
    push->tnl_type = OVS_VPORT_TYPE_EOIP;
    return 0;
}

void
push_put_drop(struct ofpbuf *actions, const struct netdev *netdev,
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
    push_build_header(netdev, &push, &params);
    note = push_get_note(&push);
    if (!note.drop) {
        switch (route_obstacle(&remote, flow->pkt_mark)) {
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
        push_put_note(&push, &note);
    }
    push.tnl_port = tunnel;
    push.out_port = ODPP_NONE;
    odp_put_tnl_push_action(actions, &push);
}

/* Drops. */

/* Counts 'n' frames as dropped that were to get these headers. */
static EOIP_NOINLINE void
count_drop(const struct ovs_action_push_tnl *push, struct eoip_tunnel *tunnel,
           enum eoip_drop reason, size_t n)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(600, 20);

    for (size_t i = 0; i < n; i++) {
        eoip_tunnel_count_drop(tunnel, reason);
    }
    if (reason == EOIP_DROP_NO_NEIGHBOR) {
        atomic_store_relaxed(&missed_neighbor, true);
    }
    VLOG_DBG_RL(&rl, "%s: %"PRIuSIZE" dropped that were to be sent, "
                "key %"PRIu16": %s",
                tunnel ? eoip_tunnel_name(tunnel) : "no tunnel", n,
                push_key(push), eoip_drop_name(reason));
}

bool
push_missed_neighbor(void)
{
    bool missed;

    atomic_read_relaxed(&missed_neighbor, &missed);
    if (missed) {
        atomic_store_relaxed(&missed_neighbor, false);
    }
    return missed;
}

/* IP ids.  Where a router may fragment packets they have to differ among those
 * from one address to another (RFC 6864), whichever thread sends them, so there
 * is one count for each such pair; and one for all beyond N_IDS of them. */

enum { N_IDS = 1 << 14, N_PROBES = 8 };

static struct {
    atomic_uint64_t pair;       /* Source and destination; 0: free. */
    atomic_uint32_t next;
} ids[N_IDS];

/* Returns the first of 'n' ids for packets with the prepared header at 'ip'. */
static uint32_t
take_ids(const char *ip, size_t n)
{
    uint32_t first;
    uint64_t pair;
    size_t at;

    memcpy(&pair, ip + 12, sizeof pair);
    at = (pair * 0x9e3779b97f4a7c15ULL) >> 50;
    for (int i = 0; i < N_PROBES; i++, at = (at + 1) % N_IDS) {
        uint64_t owner;

        atomic_read_relaxed(&ids[at].pair, &owner);
        if (OVS_LIKELY(owner == pair)) {
            break;
        } else if (!owner) {
            if (atomic_compare_exchange_strong(&ids[at].pair, &owner, pair)) {
                /* Not at 0, which a reader may take for none. */
                atomic_add_relaxed(&ids[at].next, at | 1, &first);
                break;
            } else if (owner == pair) {
                break;
            }
        }
    }
    atomic_add_relaxed(&ids[at].next, (uint32_t) n, &first);
    return first;
}

/* Ids of fragments over IPv6: they are rare, and have 32 bits. */
static uint32_t
take_fragment_id(void)
{
    static atomic_uint32_t next;
    uint32_t id;

    atomic_add_relaxed(&next, 1, &id);
    return id ? id : random_uint32();
}

/* Push. */

/* Finds the tunnel with this number; batches come in rows. */
static inline struct eoip_tunnel *
find_tunnel(uint32_t number)
{
    static __thread struct {
        uint32_t number;
        unsigned int generation;
        struct eoip_tunnel *tunnel;
    } last;
    unsigned int generation = match_generation();

    if (OVS_UNLIKELY(last.number != number
                     || last.generation != generation)) {
        last.number = number;
        last.generation = generation;
        last.tunnel = match_number_find(number);
    }
    return last.tunnel;
}

/* True if the packet of 'frame' may not be fragmented. */
static bool
has_df(const struct push_note *note, const void *frame, size_t frame_bytes)
{
    bool df = note->flags & PUSH_DF;

    return note->flags & PUSH_INHERIT_DF
           ? eoip_inherited_df(frame, frame_bytes, df) : df;
}

/* Leaves 'packet' ready for the underlay. */
static inline void
finish(struct dp_packet *packet, const struct ovs_action_push_tnl *push,
       size_t ip_hlen)
{
    packet->packet_type = htonl(PT_ETH);
    dp_packet_forget_offload(packet);   /* It was said of the frame. */
    dp_packet_reset_offsets(packet);
    packet->l3_ofs = ETH_HEADER_LEN;
    packet->l4_ofs = ETH_HEADER_LEN + ip_hlen;
    pkt_metadata_init(&packet->md, push->out_port);
}

static inline void
push_ipv4(struct dp_packet *packet, const struct ovs_action_push_tnl *push,
          const struct push_note *note, uint16_t id)
{
    size_t frame_bytes = dp_packet_size(packet);
    char *eth = dp_packet_push_uninit(packet, EOIP_PUSH_BYTES);
    char *ip = eth + ETH_HEADER_LEN;

    memcpy(eth, push->header, EOIP_PUSH_BYTES);
    eoip_complete_header(ip, frame_bytes, id);
    if (OVS_UNLIKELY(note->flags & PUSH_INHERIT_DF)) {
        bool df = has_df(note, eth + EOIP_PUSH_BYTES, frame_bytes);

        eoip_store_be16(ip + 6, df ? IP_DF : 0);
        eoip_put_ipv4_checksum(ip);
    }
    finish(packet, push, IP_HEADER_LEN);
}

static void
push_ipv6(struct dp_packet *packet, const struct ovs_action_push_tnl *push)
{
    size_t frame_bytes = dp_packet_size(packet);
    char *eth = dp_packet_push_uninit(packet, EOIP6_PUSH_BYTES);

    memcpy(eth, push->header, EOIP6_PUSH_BYTES);
    eoip_complete_header6(eth + ETH_HEADER_LEN, frame_bytes);
    finish(packet, push, IPV6_HEADER_LEN);
}

/* Packets on their way to what follows a push action. */
struct onward {
    void *dp;
    odp_execute_cb execute;
    const struct nlattr *actions;
    size_t actions_len;
    struct dp_packet_batch batch;
};

static void
onward_flush(struct onward *onward)
{
    if (onward->actions_len) {
        odp_execute_actions(onward->dp, &onward->batch, true, onward->actions,
                            onward->actions_len, onward->execute);
    } else {
        dp_packet_delete_batch(&onward->batch, true);
    }
    dp_packet_batch_reset(&onward->batch);
}

static void
onward_add(struct onward *onward, struct dp_packet *packet)
{
    if (dp_packet_batch_size(&onward->batch) >= NETDEV_MAX_BURST) {
        onward_flush(onward);
    }
    dp_packet_batch_add(&onward->batch, packet);
}

/* Adds the fragments of 'packet', and frees it. */
static void
fragment(struct dp_packet *packet, size_t mtu, struct onward *onward)
{
    const char *headers = dp_packet_data(packet);
    bool is_ipv6 = (uint8_t) headers[ETH_HEADER_LEN] >> 4 == 6;
    size_t ip_hlen = is_ipv6 ? IPV6_HEADER_LEN : IP_HEADER_LEN;
    size_t extra_hlen = is_ipv6 ? EOIP_FRAGMENT_HLEN : 0;
    size_t step = is_ipv6 ? eoip_fragment_bytes6(mtu)
                          : eoip_fragment_bytes(mtu);
    uint32_t id = is_ipv6 ? take_fragment_id() : 0;
    size_t hlen = ETH_HEADER_LEN + ip_hlen;
    size_t payload = dp_packet_size(packet) - hlen;

    for (size_t offset = 0; offset < payload; offset += step) {
        size_t bytes = MIN(step, payload - offset);
        bool more = offset + bytes < payload;
        struct dp_packet *piece
            = dp_packet_new_with_headroom(hlen + extra_hlen + bytes,
                                          EOIP6_PUSH_BYTES);
        char *ip = (char *) dp_packet_put(piece, headers, hlen)
                   + ETH_HEADER_LEN;

        dp_packet_put_zeros(piece, extra_hlen);
        dp_packet_put(piece, headers + hlen + offset, bytes);
        piece->md = packet->md;
        if (is_ipv6) {
            eoip_make_fragment6(ip, offset, bytes, more, id);
        } else {
            eoip_make_fragment(ip, offset, bytes, more);
        }
        onward_add(onward, piece);
    }
    dp_packet_delete(packet);
}

/* Why a frame of 'frame_bytes', which is longer than the underlay carries in
 * one piece, cannot be sent; EOIP_N_DROPS if it can be, in fragments. */
static enum eoip_drop
long_frame_drop(const struct push_note *note, bool is_ipv6, const void *frame,
                size_t frame_bytes)
{
    return frame_bytes > EOIP_FRAME_MAX ? EOIP_DROP_FRAME_TOO_LONG
           : has_df(note, frame, frame_bytes)
             || note->mtu < push_mtu_min(is_ipv6) ? EOIP_DROP_EXCEEDS_MTU
           : EOIP_N_DROPS;
}

/* Sends a batch with frames that are too long for the underlay. */
static EOIP_NOINLINE void
push_long(struct dp_packet_batch *batch, const struct ovs_action_push_tnl *push,
          const struct push_note *note, struct eoip_tunnel *tunnel,
          struct onward *onward)
{
    bool is_ipv6 = push_is_ipv6(push);
    size_t limit = frame_limit(note, is_ipv6);
    uint64_t n_sent = 0, n_bytes = 0;
    struct dp_packet *packet;

    dp_packet_batch_init(&onward->batch);
    DP_PACKET_BATCH_FOR_EACH (i, packet, batch) {
        size_t bytes = dp_packet_size(packet);
        bool is_long = bytes > limit;

        if (is_long) {
            enum eoip_drop why = long_frame_drop(
                note, is_ipv6, dp_packet_data(packet), bytes);

            if (why != EOIP_N_DROPS) {
                count_drop(push, tunnel, why, 1);
                dp_packet_delete(packet);
                continue;
            }
        }
        n_sent++;
        n_bytes += bytes;
        if (is_ipv6) {
            push_ipv6(packet, push);
        } else {
            push_ipv4(packet, push, note,
                      take_ids((const char *) push->header + ETH_HEADER_LEN,
                               1));
        }
        if (is_long) {
            fragment(packet, note->mtu, onward);
        } else {
            onward_add(onward, packet);
        }
    }
    dp_packet_batch_reset(batch);
    eoip_tunnel_count_tx(tunnel, n_sent, n_bytes);
    onward_flush(onward);
    dp_packet_batch_destroy(&onward->batch);
}

/* Drops from 'batch' what leaves work to a card that nobody does here. */
static EOIP_NOINLINE void
drop_incomplete(struct dp_packet_batch *batch,
                const struct ovs_action_push_tnl *push,
                struct eoip_tunnel *tunnel)
{
    size_t i, n = dp_packet_batch_size(batch);
    struct dp_packet *packet;

    DP_PACKET_BATCH_REFILL_FOR_EACH (i, n, packet, batch) {
        if (ovs_packet_complete(packet)) {
            dp_packet_batch_add(batch, packet);
        } else {
            count_drop(push, tunnel, EOIP_DROP_OFFLOAD, 1);
            dp_packet_delete(packet);
        }
    }
}

bool
push_execute(void *dp, struct dp_packet_batch *batch, bool steal,
             const struct nlattr *a, unsigned int left, odp_execute_cb execute)
{
    const struct ovs_action_push_tnl *push = nl_attr_get(a);
    struct push_note note = push_get_note(push);
    size_t n = dp_packet_batch_size(batch);
    size_t action_len = NLA_ALIGN(a->nla_len);
    bool is_ipv6 = push_is_ipv6(push);
    struct eoip_tunnel *tunnel = find_tunnel(note.tunnel);
    size_t longest = 0, n_bytes = 0;
    bool complete = true;
    struct dp_packet *packet;
    uint32_t id;

    dp_packet_batch_apply_cutlen(batch);
    if (OVS_UNLIKELY(note.drop)) {
        count_drop(push, tunnel, note.drop - 1, n);
        dp_packet_delete_batch(batch, true);
        return true;
    }
    if (OVS_UNLIKELY(left <= action_len && steal)) {
        dp_packet_delete_batch(batch, true);    /* Nobody would get them. */
        return true;
    }
    if (tunnel && note.mtu) {
        eoip_tunnel_set_underlay_mtu(tunnel, note.mtu);
    }

    DP_PACKET_BATCH_FOR_EACH (i, packet, batch) {
        size_t bytes = dp_packet_size(packet);

        n_bytes += bytes;
        longest = MAX(longest, bytes);
        complete &= ovs_packet_complete(packet);
    }
    if (OVS_UNLIKELY(!complete)) {
        drop_incomplete(batch, push, tunnel);
        return push_execute(dp, batch, steal, a, left, execute);
    }
    if (OVS_UNLIKELY(longest > frame_limit(&note, is_ipv6))) {
        struct onward onward = {
            .dp = dp, .execute = execute,
            .actions = (const void *) ((const char *) a + action_len),
            .actions_len = left > action_len ? left - action_len : 0,
        };

        push_long(batch, push, &note, tunnel, &onward);
        return true;
    }

    eoip_tunnel_count_tx(tunnel, n, n_bytes);
    if (OVS_UNLIKELY(is_ipv6)) {
        DP_PACKET_BATCH_FOR_EACH (i, packet, batch) {
            push_ipv6(packet, push);
        }
        return false;
    }
    id = take_ids((const char *) push->header + ETH_HEADER_LEN, n);
    DP_PACKET_BATCH_FOR_EACH (i, packet, batch) {
        push_ipv4(packet, push, &note, id++);
    }
    return false;
}

void
push_header(const struct netdev *netdev OVS_UNUSED, OVS_PUSH_HEADER_INGRESS
            struct dp_packet *packet, const struct ovs_action_push_tnl *push)
{
    struct push_note note = push_get_note(push);

    if (push_is_ipv6(push)) {
        push_ipv6(packet, push);
    } else {
        push_ipv4(packet, push, &note,
                  take_ids((const char *) push->header + ETH_HEADER_LEN, 1));
    }
}
