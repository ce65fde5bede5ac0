/* SPDX-License-Identifier: Apache-2.0
 *
 * libFuzzer target for the packet path with OVS's own packets: pop, reassembly,
 * push and fragments, called as the userspace datapath calls them.  The input
 * is a sequence of commands, each a byte with its arguments behind it:
 *
 *     even  Receives a packet: length (2), and as many bytes from its IP header
 *           on.  Bits of the command: mend its lengths and checksum; it is from
 *           the tunnel's peer; its checksum is verified already; it is padded;
 *           it is also for others (not stolen); it waits for the next one, to
 *           be of the same batch.
 *     odd   Sends a frame and receives what comes of it: length (2), MTU of the
 *           underlay (2).  Bits: over IPv6; DF; DF is that of the frame; the
 *           frame has DF; without headroom; fragments arrive in reverse.
 *
 * Numbers are big-endian.  An input that ends early reads as zeros.
 *
 * Packets lie in blocks of just their size, so that ASan sees each byte too
 * far.  Each packet comes out once, waits for the rest of it, or is counted
 * under a name: the books are checked after every batch. */

#include <config.h>

#include <stdlib.h>

#include "csum.h"
#include "dp-packet.h"
#include "dpif.h"
#include "eoip/wire6.h"
#include "flow.h"
#include "headers.h"
#include "netdev.h"
#include "odp-netlink.h"
#include "odp-util.h"
#include "packets.h"
#include "packets_books.h"
#include "reassemblers.h"
#include "timeval.h"

enum {
    /* OVS counts the bytes of a packet's block in 16 bits. */
    PACKET_MAX = UINT16_MAX - 135,
    PIECES_MAX = 2048,          /* Of one frame, on the smallest underlay. */
};

/* What a command's bits say of a packet that is received. */
#define MEND 0x02
#define FROM_PEER 0x04
#define VERIFIED 0x08
#define PADDED 0x10
#define FOR_OTHERS 0x20
#define WAITS 0x40

/* And of a frame that is sent. */
#define OVER_IPV6 0x02
#define DF 0x04
#define INHERIT_DF 0x08
#define FRAME_DF 0x10
#define NO_HEADROOM 0x20
#define REVERSED 0x40

static const struct eth_addr macs[2] = {
    ETH_ADDR_C(02, 00, 00, 00, 00, 01), ETH_ADDR_C(02, 00, 00, 00, 00, 02),
};

/* The peer and this end: 192.0.2.1 and 198.51.100.2, 2001:db8::1 and ::2. */
static const ovs_be32 ipv4[2] = {
    CONSTANT_HTONL(0xc0000201), CONSTANT_HTONL(0xc6336402),
};
static const struct in6_addr ipv6[2] = {
    { .s6_addr = { 0x20, 1, 0xd, 0xb8, [15] = 1 } },
    { .s6_addr = { 0x20, 1, 0xd, 0xb8, [15] = 2 } },
};

/* The frame that was sent last, and how often it has come back. */
static const uint8_t *expected;
static size_t expected_bytes;
static size_t n_came_back;

/* Fragments on their way. */
static struct dp_packet *pieces[PIECES_MAX];
static size_t n_pieces;

int
LLVMFuzzerInitialize(int *argc OVS_UNUSED, char ***argv OVS_UNUSED)
{
    books_open();
    return 0;
}

/* A frame has come out of pop: the header is still before it. */
static void
take_frame(struct dp_packet *packet)
{
    const struct flow_tnl *tnl = &packet->md.tunnel;
    const uint8_t *frame = dp_packet_data(packet);
    size_t n = dp_packet_size(packet);

    REQUIRE(n >= EOIP_FRAME_MIN && n <= EOIP_FRAME_MAX);
    REQUIRE(frame + n <= (uint8_t *) dp_packet_end(packet));
    REQUIRE(tnl->flags == FLOW_TNL_F_KEY);
    if (tnl->ip_dst) {
        REQUIRE(!memcmp(frame - 8, "\x20\x01\x64\x00", 4));
        REQUIRE((frame[-4] << 8 | frame[-3]) == n);
        REQUIRE(tnl->tun_id == htonll(frame[-2] | frame[-1] << 8));
    } else if (ipv6_addr_is_set(&tnl->ipv6_dst)) {
        const uint8_t *ip = frame - EOIP6_OUTER_HLEN;

        REQUIRE((ip[4] << 8 | ip[5]) == n + EOIP6_HLEN);
        REQUIRE(!memcmp(&tnl->ipv6_src, ip + 8, 16));
        REQUIRE(!memcmp(&tnl->ipv6_dst, ip + 24, 16));
        REQUIRE(ntohll(tnl->tun_id) <= EOIP6_KEY_MAX);
    }
    if (expected) {
        REQUIRE(n == expected_bytes && !memcmp(frame, expected, n));
        n_came_back++;
    }
    books.frames++;
}

/* Executes what the provider asks of the datapath. */
static void
execute(void *aux OVS_UNUSED, struct dp_packet_batch *batch,
        const struct nlattr *action, bool should_steal)
{
    struct dp_packet *packet;

    REQUIRE(should_steal);
    switch (nl_attr_type(action)) {
    case OVS_ACTION_ATTR_RECIRC:    /* What was popped. */
        DP_PACKET_BATCH_FOR_EACH (i, packet, batch) {
            if (packet->md.in_port.odp_port == u32_to_odp(EOIP)) {
                take_frame(packet);
            } else {
                REQUIRE(packet->md.in_port.odp_port == u32_to_odp(GRE)
                        || packet->md.in_port.odp_port == u32_to_odp(IP6GRE));
                books.passed++;
            }
        }
        break;
    case OVS_ACTION_ATTR_OUTPUT:
        if (nl_attr_get_u32(action) == WIRE) {
            DP_PACKET_BATCH_FOR_EACH (i, packet, batch) {
                REQUIRE(n_pieces < PIECES_MAX);
                pieces[n_pieces++] = packet;
            }
            return;
        }
        REQUIRE(nl_attr_get_u32(action) == LOCAL);
        books.passed += dp_packet_batch_size(batch);
        break;
    default:
        REQUIRE(false);
    }
    dp_packet_delete_batch(batch, true);
}

static void
pop(struct dp_packet_batch *batch, bool should_steal)
{
    const struct eoip_pop action = { u32_to_odp(EOIP), u32_to_odp(LOCAL) };
    uint64_t counted = books_packet_drops(), returned;

    books.received += dp_packet_batch_size(batch);
    returned = eoip_hooks->pop(batch, &action, should_steal, execute, NULL);
    counted = books_packet_drops() - counted;
    /* What the others' own functions drop they count nowhere. */
    REQUIRE(returned >= counted);
    books.passed += returned - counted;
    if (!should_steal) {
        dp_packet_delete_batch(batch, true);
    }
    dp_packet_batch_init(batch);
    books_check();
}

/* Adds 'packet' to 'batch', with what the datapath knows of it, if a rule of
 * tunnels would match it. */
static void
receive(struct dp_packet *packet, struct dp_packet_batch *batch)
{
    struct flow flow;

    pkt_metadata_init(&packet->md, LOCAL);
    flow_extract(packet, &flow);
    if (flow.dl_type == htons(ETH_TYPE_IP)
        ? flow.nw_proto == EOIP_IPPROTO
        : flow.dl_type == htons(ETH_TYPE_IPV6)
          && (flow.nw_proto == EOIP_IPPROTO || flow.nw_proto == EOIP6_IPPROTO
              || flow.nw_proto == IPPROTO_FRAGMENT)) {
        dp_packet_batch_add(batch, packet);
    } else {
        dp_packet_delete(packet);
    }
}

/* The input. */
static const uint8_t *at, *end;

static uint8_t
get8(void)
{
    return at < end ? *at++ : 0;
}

static uint16_t
get16(void)
{
    uint16_t high = get8();

    return high << 8 | get8();
}

/* Makes lengths and checksum of 'ip' right, where there are any. */
static void
mend(uint8_t *ip, size_t n)
{
    if (n >= IP_HEADER_LEN && ip[0] >> 4 == 4) {
        ip[2] = n >> 8;
        ip[3] = n;
        if (ip[0] == 0x45) {
            ovs_be16 sum;

            ip[10] = ip[11] = 0;
            sum = csum(ip, IP_HEADER_LEN);
            memcpy(&ip[10], &sum, sizeof sum);
        }
    } else if (n >= IPV6_HEADER_LEN && ip[0] >> 4 == 6) {
        ip[4] = (n - IPV6_HEADER_LEN) >> 8;
        ip[5] = n - IPV6_HEADER_LEN;
    }
}

static void
set_addresses(uint8_t *ip, size_t n)
{
    if (n >= IP_HEADER_LEN && ip[0] >> 4 == 4) {
        memcpy(&ip[12], ipv4, sizeof ipv4);
    } else if (n >= IPV6_HEADER_LEN && ip[0] >> 4 == 6) {
        memcpy(&ip[8], ipv6, sizeof ipv6);
    }
}

static void
receive_bytes(uint8_t how, struct dp_packet_batch *batch)
{
    size_t length = get16();
    size_t n = MIN(length, end - at);
    size_t padded = how & PADDED ? MAX(n, 46) : n;
    struct dp_packet *packet = dp_packet_new(ETH_HEADER_LEN + padded);
    bool is_ipv6 = n && at[0] >> 4 == 6;
    uint8_t *ip;

    dp_packet_put(packet, &macs[0], ETH_ADDR_LEN);
    dp_packet_put(packet, &macs[1], ETH_ADDR_LEN);
    dp_packet_put(packet, is_ipv6 ? "\x86\xdd" : "\x08\x00", 2);
    if (n) {
        ip = dp_packet_put(packet, at, n);
        at += n;
        if (how & FROM_PEER) {
            set_addresses(ip, n);
        }
        if (how & MEND) {
            mend(ip, n);
        }
    }
    dp_packet_put_zeros(packet, padded - n);
    if (how & VERIFIED) {
        *dp_packet_ol_flags_ptr(packet) |= DP_PACKET_OL_RX_IP_CKSUM_GOOD;
    }
    receive(packet, batch);
    if (!(how & WAITS) || dp_packet_batch_is_full(batch)) {
        pop(batch, !(how & FOR_OTHERS));
    }
}

/* Prepares the headers, as the peer would have them. */
static bool
build_header(uint8_t how, struct ovs_action_push_tnl *push)
{
    struct netdev_tnl_build_header_params params;
    struct in6_addr src = in6_addr_mapped_ipv4(ipv4[0]);
    struct flow flow;

    memset(&flow, 0, sizeof flow);
    flow.packet_type = htonl(PT_ETH);
    flow.tunnel.ip_ttl = 64;
    flow.tunnel.tun_id = htonll(KEY);
    flow.tunnel.flags = FLOW_TNL_F_KEY
                        | (how & DF ? FLOW_TNL_F_DONT_FRAGMENT : 0);
    if (how & OVER_IPV6) {
        flow.tunnel.ipv6_src = src = ipv6[0];
        flow.tunnel.ipv6_dst = ipv6[1];
    } else {
        flow.tunnel.ip_src = ipv4[0];
        flow.tunnel.ip_dst = ipv4[1];
    }
    memset(push, 0, sizeof *push);
    netdev_init_tnl_build_header_params(&params, &flow, &src, macs[0],
                                        macs[1]);
    return !netdev_build_header(netdevs[(how & OVER_IPV6) != 0], push,
                                &params);
}

/* A frame whose bytes differ from their neighbours. */
static uint8_t *
make_frame(uint8_t how, size_t n)
{
    static const uint8_t udp[] = { 0x08, 0x00, 0x45, 0, 0, 20, 1, 2 };
    uint8_t *frame = xmalloc(MAX(n, 1));

    for (size_t i = 0; i < n; i++) {
        frame[i] = i * 7 + (i >> 8) + 1;
    }
    if (n >= ETH_HEADER_LEN + IP_HEADER_LEN) {
        memcpy(frame + 12, udp, sizeof udp);
        frame[20] = how & FRAME_DF ? 0x40 : 0;
        frame[23] = 17;     /* No TCP, whose MSS may be clamped. */
    }
    return frame;
}

/* What has left goes to pop as it is: from the batch or from 'pieces'. */
static void
send_back(uint8_t how, struct dp_packet_batch *whole, size_t mtu)
{
    struct dp_packet_batch batch;
    struct dp_packet *packet;

    dp_packet_batch_init(&batch);
    DP_PACKET_BATCH_FOR_EACH (i, packet, whole) {
        REQUIRE(dp_packet_size(packet) <= ETH_HEADER_LEN + mtu);
        receive(dp_packet_clone(packet), &batch);
    }
    for (size_t i = 0; i < n_pieces; i++) {
        packet = pieces[how & REVERSED ? n_pieces - 1 - i : i];
        REQUIRE(dp_packet_size(packet) <= ETH_HEADER_LEN + mtu);
        receive(packet, &batch);
        if (dp_packet_batch_is_full(&batch)) {
            pop(&batch, true);
        }
    }
    n_pieces = 0;
    if (!dp_packet_batch_is_empty(&batch)) {
        pop(&batch, true);
    }
}

static void
send_frame(uint8_t how)
{
    size_t n = get16();
    size_t underlay = get16();
    /* The least that each family's underlay has to carry. */
    size_t mtu = MAX(underlay, how & OVER_IPV6 ? 1280 : 68);
    size_t headroom = how & NO_HEADROOM ? 0 : 128;
    uint64_t dropped;
    struct ofpbuf actions;
    struct ovs_action_push_tnl push;
    struct dp_packet_batch batch;
    struct push_note note;
    size_t sent_pieces;
    uint8_t *frame;

    if (n > PACKET_MAX && n <= EOIP_FRAME_MAX) {
        n = PACKET_MAX;
    }
    REQUIRE(build_header(how, &push));
    note = headers_get_note(&push);
    note.mtu = mtu;
    note.flags |= how & INHERIT_DF ? PUSH_INHERIT_DF : 0;
    headers_put_note(&push, &note);
    ofpbuf_init(&actions, 0);
    odp_put_tnl_push_action(&actions, &push);
    nl_msg_put_u32(&actions, OVS_ACTION_ATTR_OUTPUT, WIRE);

    frame = make_frame(how, n);
    dp_packet_batch_init_packet(
        &batch, dp_packet_clone_data_with_headroom(frame, n, headroom));
    pkt_metadata_init(&batch.packets[0]->md, LOCAL);
    books.sent++;
    dropped = books_tx_drops();
    if (!eoip_push(NULL, &batch, false, actions.data, actions.size,
                   execute)) {
        REQUIRE(dp_packet_batch_size(&batch) == 1);
        books.whole++;
    } else {
        REQUIRE(dp_packet_batch_is_empty(&batch));
        books.fragmented += n_pieces > 0;
    }
    ofpbuf_uninit(&actions);
    dropped = books_tx_drops() - dropped;
    sent_pieces = dp_packet_batch_size(&batch) + n_pieces;
    REQUIRE(dropped == (sent_pieces == 0));

    /* Nothing that waits has the id of these fragments. */
    eoip_reassembly_expire(time_msec() + 60000);
    expected = frame;
    expected_bytes = n;
    n_came_back = 0;
    send_back(how, &batch, mtu);
    /* Reassembly may have bounds for what is longer, or in more pieces. */
    if (sent_pieces && sent_pieces <= 64 && n >= EOIP_FRAME_MIN && n <= 9000) {
        REQUIRE(n_came_back == 1);
    }
    REQUIRE(n_came_back <= 1);
    expected = NULL;
    dp_packet_delete_batch(&batch, true);
    free(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct dp_packet_batch batch;

    at = data;
    end = data + n;
    dp_packet_batch_init(&batch);
    while (at < end) {
        uint8_t command = get8();

        if (command & 1) {
            send_frame(command);
        } else {
            receive_bytes(command, &batch);
        }
    }
    pop(&batch, true);
    /* Fragments that still wait are dropped under a name. */
    REQUIRE(!eoip_reassembly_expire(time_msec() + 60000));
    books_check();
    return 0;
}
