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
#include "eoip/wire6.h"
#include "fragments.h"
#include "frames.h"
#include "headers.h"
#include "ids.h"
#include "match.h"
#include "ovs-compat.h"
#include "packets.h"
#include "tunnel.h"
#include "unsent.h"

/* Lanes. */

/* What push actions say of their frames: a note, and of IPv4 the addresses in
 * the header, in other words; good while the generation is that of now. */
struct lane {
    struct push_note note;
    uint64_t pair;
    unsigned int generation;
    struct eoip_tunnel *tunnel; /* Or NULL. */
    size_t limit;               /* Longer frames go in fragments. */
    struct ids *ids;            /* Of IPv4. */
};

/* Bytes of the frames that the underlay carries in one piece. */
static inline size_t
frame_limit(const struct push_note *note, bool is_ipv6)
{
    size_t overhead = is_ipv6 ? EOIP6_OUTER_HLEN : EOIP_OUTER_HLEN;

    return !note->mtu ? EOIP_FRAME_MAX
           : note->mtu > overhead ? MIN(note->mtu - overhead, EOIP_FRAME_MAX)
           : 0;
}

static EOIP_NOINLINE void
fill_lane(struct lane *lane, const struct push_note *note, uint64_t pair,
          bool is_ipv6, unsigned int generation)
{
    *lane = (struct lane) {
        .note = *note, .pair = pair, .generation = generation,
        .tunnel = match_number_find(note->tunnel),
        .limit = frame_limit(note, is_ipv6),
        .ids = is_ipv6 ? NULL : ids_find(pair),
    };
}

/* Returns the lane of 'push': 'last', the thread's last one for that family,
 * mostly, as batches come in rows. */
EOIP_INLINE const struct lane *
find_lane(struct lane *last, const struct ovs_action_push_tnl *push,
          bool is_ipv6)
{
    const char *eth = (const char *) push->header;
    unsigned int generation = match_generation();
    struct push_note note;
    uint64_t pair;

    memcpy(&note, eth + (is_ipv6 ? EOIP6_PUSH_BYTES : EOIP_PUSH_BYTES),
           sizeof note);
    memcpy(&pair, eth + ETH_HEADER_LEN + 12, sizeof pair);
    if (OVS_UNLIKELY(memcmp(&last->note, &note, sizeof note)
                     || (!is_ipv6 && last->pair != pair)
                     || last->generation != generation)) {
        fill_lane(last, &note, pair, is_ipv6, generation);
    }
    return last;
}

static __thread struct lane last_ipv4, last_ipv6;

/* Push. */

/* True if the packet of 'frame' may not be fragmented. */
static EOIP_NOINLINE bool
has_df(const struct push_note *note, const void *frame, size_t frame_bytes)
{
    bool df = note->flags & PUSH_DF;

    return note->flags & PUSH_INHERIT_DF
           ? eoip_inherited_df(frame, frame_bytes, df) : df;
}

/* As dp_packet_push_uninit(), in a few instructions where there is room, as
 * ports of the switch leave it. */
EOIP_INLINE char *
push_room(struct dp_packet *packet, size_t n_bytes)
{
    char *data = dp_packet_data(packet);

    if (OVS_UNLIKELY(!data || dp_packet_headroom(packet) < n_bytes)) {
        return dp_packet_push_uninit(packet, n_bytes);
    }
    data -= n_bytes;
    dp_packet_set_data(packet, data);
    dp_packet_set_size(packet, dp_packet_size(packet) + n_bytes);
    return data;
}

/* What push_packet() has to do, known where it is inlined. */
enum way { IPV4, IPV4_INHERIT_DF, IPV6 };

/* Puts the headers in front of the frame 'packet', with IP id 'id' if they are
 * IPv4's, and leaves the packet ready for the underlay. */
EOIP_INLINE void
push_packet(struct dp_packet *packet, const struct ovs_action_push_tnl *push,
            const struct push_note *note, enum way way, uint16_t id)
{
    size_t ip_hlen = way == IPV6 ? IPV6_HEADER_LEN : IP_HEADER_LEN;
    size_t hlen = ETH_HEADER_LEN + ip_hlen + (way == IPV6 ? EOIP6_HLEN
                                                          : EOIP_HLEN);
    size_t frame_bytes = dp_packet_size(packet);
    char *eth = push_room(packet, hlen);
    char *ip = eth + ETH_HEADER_LEN;

    memcpy(eth, push->header, hlen);
    if (way == IPV6) {
        eoip_complete_header6(ip, frame_bytes);
    } else {
        eoip_complete_header(ip, frame_bytes, id);
    }
    if (way == IPV4_INHERIT_DF) {
        bool df = has_df(note, eth + hlen, frame_bytes);

        eoip_store_be16(ip + 6, df ? IP_DF : 0);
        eoip_put_ipv4_checksum(ip);
    }
    packet->packet_type = htonl(PT_ETH);
    dp_packet_forget_offload(packet);   /* It was said of the frame. */
    dp_packet_reset_offsets(packet);
    packet->l3_ofs = ETH_HEADER_LEN;
    packet->l4_ofs = ETH_HEADER_LEN + ip_hlen;
    pkt_metadata_init(&packet->md, push->out_port);
}

/* As push_packet(), for packets that do not come in rows. */
static EOIP_NOINLINE void
push_one(struct dp_packet *packet, const struct ovs_action_push_tnl *push,
         const struct push_note *note, bool is_ipv6, uint16_t id)
{
    if (is_ipv6) {
        push_packet(packet, push, note, IPV6, 0);
    } else if (note->flags & PUSH_INHERIT_DF) {
        push_packet(packet, push, note, IPV4_INHERIT_DF, id);
    } else {
        push_packet(packet, push, note, IPV4, id);
    }
}

/* Of a batch, from its start on. */
struct pushed {
    size_t frames, bytes;
};

/* Pushes the frames of 'batch' as long as they fit the underlay and leave
 * nothing to be done. */
EOIP_INLINE struct pushed
push_plain(struct dp_packet_batch *batch,
           const struct ovs_action_push_tnl *push, const struct lane *lane,
           enum way way, uint32_t id)
{
    size_t n = dp_packet_batch_size(batch), limit = lane->limit;
    struct pushed pushed = { 0, 0 };

    for (; pushed.frames < n; pushed.frames++) {
        struct dp_packet *packet = batch->packets[pushed.frames];
        size_t bytes = dp_packet_size(packet);

        if (OVS_UNLIKELY(bytes > limit || ovs_packet_has_work(packet))) {
            break;
        }
        pushed.bytes += bytes;
        push_packet(packet, push, &lane->note, way, id++);
    }
    return pushed;
}

static EOIP_NOINLINE struct pushed
push_inheriting_df(struct dp_packet_batch *batch,
                   const struct ovs_action_push_tnl *push,
                   const struct lane *lane, uint32_t id)
{
    return push_plain(batch, push, lane, IPV4_INHERIT_DF, id);
}

/* A batch whose frames are sent one by one. */
struct sending {
    const struct ovs_action_push_tnl *push;
    struct lane lane;
    bool is_ipv6;
    uint32_t next_id;           /* Of the 'n_ids' IP ids that are taken. */
    size_t n_ids;
    struct pushed sent;         /* So far. */
    struct onward onward;
};

static uint16_t
next_id(struct sending *sending)
{
    if (!sending->n_ids) {
        sending->next_id = ids_take(sending->lane.ids, 1);
        sending->n_ids = 1;
    }
    sending->n_ids--;
    return sending->next_id++;
}

/* Why a frame of 'frame_bytes' cannot be sent; EOIP_N_DROPS if it can be, in
 * fragments if it is longer than the underlay carries in one piece. */
static enum eoip_drop
frame_drop(const struct sending *sending, const void *frame,
           size_t frame_bytes)
{
    const struct push_note *note = &sending->lane.note;

    return frame_bytes <= sending->lane.limit ? EOIP_N_DROPS
           : frame_bytes > EOIP_FRAME_MAX ? EOIP_DROP_FRAME_TOO_LONG
           : has_df(note, frame, frame_bytes)
             || note->mtu < headers_mtu_min(sending->is_ipv6)
             ? EOIP_DROP_EXCEEDS_MTU
           : EOIP_N_DROPS;
}

/* Sends one frame, in fragments if need be, or drops it. */
static void
send_frame(struct dp_packet *packet, struct sending *sending)
{
    const struct push_note *note = &sending->lane.note;
    size_t bytes = dp_packet_size(packet);
    enum eoip_drop why
        = ovs_packet_complete(packet)
          ? frame_drop(sending, dp_packet_data(packet), bytes)
          : EOIP_DROP_OFFLOAD;

    if (why != EOIP_N_DROPS) {
        count_unsent(sending->push, sending->lane.tunnel, why, 1);
        dp_packet_delete(packet);
        return;
    }
    sending->sent.frames++;
    sending->sent.bytes += bytes;
    push_one(packet, sending->push, note, sending->is_ipv6,
             sending->is_ipv6 ? 0 : next_id(sending));
    if (bytes > sending->lane.limit) {
        fragments_add(&sending->onward, packet, note->mtu);
    } else {
        onward_add(&sending->onward, packet);
    }
}

/* Sends one frame, or the segments that it stands for: EoIP's header has the
 * length of each. */
static void
send_packet(struct dp_packet *packet, struct sending *sending)
{
    struct dp_packet_batch *segments = NULL;
    size_t n;

    if (ovs_packet_is_super(packet)) {
        segments = ovs_packet_segment(packet, &n);
    }
    if (!segments) {
        send_frame(packet, sending);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct dp_packet *segment;

        DP_PACKET_BATCH_FOR_EACH (j, segment, &segments[i]) {
            send_frame(segment, sending);
        }
        dp_packet_batch_destroy(&segments[i]);
    }
    free(segments);
}

/* Sends a batch of which the first 'sending->sent.frames' frames have been pushed,
 * and the next one needs more than that. */
static EOIP_NOINLINE void
send_batch(struct dp_packet_batch *batch, struct sending *sending)
{
    size_t n_pushed = sending->sent.frames;
    struct dp_packet *packet;

    dp_packet_batch_init(&sending->onward.batch);
    DP_PACKET_BATCH_FOR_EACH (i, packet, batch) {
        if (i < n_pushed) {
            onward_add(&sending->onward, packet);
        } else {
            send_packet(packet, sending);
        }
    }
    dp_packet_batch_reset(batch);
    eoip_tunnel_count_tx(sending->lane.tunnel, sending->sent.frames,
                         sending->sent.bytes, sending->lane.note.mtu);
    onward_flush(&sending->onward);
    dp_packet_batch_destroy(&sending->onward.batch);
}

/* Makes keepalives of what stands for them in 'batch', or deletes it if they
 * cannot be sent.  Returns as execute_push() does. */
static EOIP_NOINLINE bool
push_keepalives(struct dp_packet_batch *batch,
                const struct ovs_action_push_tnl *push,
                const struct lane *lane, bool is_ipv6)
{
    enum eoip_drop why = lane->note.drop - 1;
    struct dp_packet *packet;

    DP_PACKET_BATCH_FOR_EACH (i, packet, batch) {
        eoip_keepalive_pushed(lane->tunnel, why);
        if (why == EOIP_N_DROPS) {
            dp_packet_set_size(packet, 0);
            push_one(packet, push, &lane->note, is_ipv6,
                     is_ipv6 ? 0 : ids_take(lane->ids, 1));
        }
    }
    if (why != EOIP_N_DROPS) {
        dp_packet_delete_batch(batch, true);
    }
    return why != EOIP_N_DROPS;
}

/* What struct eoip_hooks says of .push. */
EOIP_INLINE bool
execute_push(void *dp, struct dp_packet_batch *batch, bool steal,
             const struct nlattr *a, unsigned int left, odp_execute_cb execute,
             const struct lane *lane, bool is_ipv6)
{
    const struct ovs_action_push_tnl *push = eoip_push_get(a);
    size_t n = dp_packet_batch_size(batch);
    struct pushed pushed;
    uint32_t id = 0;

    dp_packet_batch_apply_cutlen(batch);
    if (OVS_UNLIKELY(lane->note.drop)) {
        if (lane->note.flags & PUSH_KEEPALIVE) {
            return push_keepalives(batch, push, lane, is_ipv6);
        }
        count_unsent(push, lane->tunnel, lane->note.drop - 1, n);
        dp_packet_delete_batch(batch, true);
        return true;
    }
    if (OVS_UNLIKELY(left <= NLA_ALIGN(a->nla_len))) {
        if (steal) {
            dp_packet_delete_batch(batch, true);    /* Nobody gets them. */
            return true;
        }
    }

    if (is_ipv6) {
        pushed = push_plain(batch, push, lane, IPV6, 0);
    } else {
        id = ids_take(lane->ids, n);
        pushed = OVS_UNLIKELY(lane->note.flags & PUSH_INHERIT_DF)
                 ? push_inheriting_df(batch, push, lane, id)
                 : push_plain(batch, push, lane, IPV4, id);
    }
    if (OVS_UNLIKELY(pushed.frames < n)) {
        size_t action_len = NLA_ALIGN(a->nla_len);
        struct sending sending = {
            .push = push, .lane = *lane, .is_ipv6 = is_ipv6,
            .next_id = id + pushed.frames, .n_ids = n - pushed.frames,
            .sent = pushed,
            .onward = {
                .dp = dp, .execute = execute,
                .actions = (const void *) ((const char *) a + action_len),
                .actions_len = left > action_len ? left - action_len : 0,
            },
        };

        send_batch(batch, &sending);
        return true;
    }
    eoip_tunnel_count_tx(lane->tunnel, n, pushed.bytes, lane->note.mtu);
    return false;
}

static EOIP_NOINLINE bool
execute_push_ipv6(void *dp, struct dp_packet_batch *batch, bool steal,
                  const struct nlattr *a, unsigned int left,
                  odp_execute_cb execute)
{
    return execute_push(dp, batch, steal, a, left, execute,
                        find_lane(&last_ipv6, eoip_push_get(a), true), true);
}

bool
push_execute(void *dp, struct dp_packet_batch *batch, bool steal,
             const struct nlattr *a, unsigned int left, odp_execute_cb execute)
{
    return headers_are_ipv6(eoip_push_get(a))
           ? execute_push_ipv6(dp, batch, steal, a, left, execute)
           : execute_push(dp, batch, steal, a, left, execute,
                          find_lane(&last_ipv4, eoip_push_get(a), false),
                          false);
}

void
push_header(const struct netdev *netdev OVS_UNUSED, OVS_PUSH_HEADER_INGRESS
            struct dp_packet *packet, const struct ovs_action_push_tnl *push)
{
    bool is_ipv6 = headers_are_ipv6(push);
    const struct lane *lane = find_lane(is_ipv6 ? &last_ipv6 : &last_ipv4,
                                        push, is_ipv6);

    push_one(packet, push, &lane->note, is_ipv6,
             is_ipv6 ? 0 : ids_take(lane->ids, 1));
}
