/* SPDX-License-Identifier: Apache-2.0
 *
 * A flow's action holds the headers of its packets, made once by
 * headers_build(), and what else there is to know, in a note behind them.
 * push_execute() puts them in front of each frame, and executes what follows
 * the action: on more packets than there were frames, where some go in
 * fragments. */

#include <config.h>

#include "push.h"

#include <netinet/ip.h>
#include <netinet/ip6.h>

#include "dp-packet.h"
#include "eoip-provider.h"
#include "eoip/wire6.h"
#include "fragments.h"
#include "headers.h"
#include "log.h"
#include "match.h"
#include "ovs-compat.h"
#include "packets.h"

/* Bytes of the frames that the underlay carries in one piece. */
static inline size_t
frame_limit(const struct push_note *note, bool is_ipv6)
{
    size_t overhead = is_ipv6 ? EOIP6_OUTER_HLEN : EOIP_OUTER_HLEN;

    return !note->mtu ? EOIP_FRAME_MAX
           : note->mtu > overhead ? MIN(note->mtu - overhead, EOIP_FRAME_MAX)
           : 0;
}

/* Drops. */

/* Set by any thread. */
static atomic_bool missed_neighbor = false;

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
                headers_key(push), eoip_drop_name(reason));
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

/* Why a frame of 'frame_bytes', which is longer than the underlay carries in
 * one piece, cannot be sent; EOIP_N_DROPS if it can be, in fragments. */
static enum eoip_drop
long_frame_drop(const struct push_note *note, bool is_ipv6, const void *frame,
                size_t frame_bytes)
{
    return frame_bytes > EOIP_FRAME_MAX ? EOIP_DROP_FRAME_TOO_LONG
           : has_df(note, frame, frame_bytes)
             || note->mtu < headers_mtu_min(is_ipv6) ? EOIP_DROP_EXCEEDS_MTU
           : EOIP_N_DROPS;
}

/* Sends a batch with frames that are too long for the underlay. */
static EOIP_NOINLINE void
push_long(struct dp_packet_batch *batch, const struct ovs_action_push_tnl *push,
          const struct push_note *note, struct eoip_tunnel *tunnel,
          struct onward *onward)
{
    bool is_ipv6 = headers_are_ipv6(push);
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
            fragments_add(onward, packet, note->mtu);
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
    struct push_note note = headers_get_note(push);
    size_t n = dp_packet_batch_size(batch);
    size_t action_len = NLA_ALIGN(a->nla_len);
    bool is_ipv6 = headers_are_ipv6(push);
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
    struct push_note note = headers_get_note(push);

    if (headers_are_ipv6(push)) {
        push_ipv6(packet, push);
    } else {
        push_ipv4(packet, push, &note,
                  take_ids((const char *) push->header + ETH_HEADER_LEN, 1));
    }
}
