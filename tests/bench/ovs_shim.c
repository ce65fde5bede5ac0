/* SPDX-License-Identifier: Apache-2.0
 *
 * The benchmarks' only file that includes OVS internals.  It does what the
 * datapath does for the actions tunnel_push and tunnel_pop: for OVS's tunnels
 * by netdev_push_header() and netdev_pop_header(), for eoip by our hooks, each
 * with what dp_execute_cb() does around them but for looking the port up, which
 * only OVS's tunnels need.  Packets are set up as the datapath has them before. */

#include <config.h>

#include "ovs_shim.h"

#include "csum.h"
#include "dp-packet.h"
#include "dpif.h"
#include "eoip-hooks.h"
#include "flow.h"
#include "netdev.h"
#include "netdev-provider.h"
#include "odp-netlink.h"
#include "odp-util.h"
#include "ovs-compat.h"
#include "packets.h"
#include "smap.h"
#include "sset.h"
#include "util.h"

/* Registers the type "eoip".  Weak, so that the benchmarks also link with an
 * OVS without our provider: then only its own tunnels run. */
void eoip_provider_register(void) __attribute__((weak));

enum {
    FRAME_SIZE = 64,
    HEADROOM = 128,             /* As netdev-linux and netdev-afxdp leave. */
    TUNNEL_ID = 100,
    IN_PORT = 1,
    TUNNEL_PORT = 2,
};

struct bench_tunnel {
    struct netdev *netdev;
    struct ovs_action_push_tnl header;
    struct dp_packet *packets[BENCH_BATCH];
    struct dp_packet_batch batch;
    size_t batch_size;
    struct ofpbuf push;         /* The action, and one behind it. */
    struct ofpbuf pop;
    char *frames[BENCH_BATCH];  /* Where each packet's inner frame starts. */
    uint8_t frame[FRAME_SIZE];  /* What each inner frame holds. */
};

static const struct eth_addr local_mac = ETH_ADDR_C(02, 00, 00, 00, 00, 01);
static const struct eth_addr remote_mac = ETH_ADDR_C(02, 00, 00, 00, 00, 02);

/* The type "empty" neither pushes nor pops: what netdev_push_header() and
 * netdev_pop_header() cost by themselves, whatever the tunnel. */

static struct netdev *
empty_alloc(void)
{
    return xzalloc(sizeof(struct netdev));
}

static int
empty_construct(struct netdev *netdev OVS_UNUSED)
{
    return 0;
}

static void
empty_destruct(struct netdev *netdev OVS_UNUSED)
{
}

static void
empty_dealloc(struct netdev *netdev)
{
    free(netdev);
}

static int
empty_set_config(struct netdev *netdev OVS_UNUSED,
                 const struct smap *options OVS_UNUSED,
                 char **error OVS_UNUSED)
{
    return 0;
}

static int
empty_build_header(const struct netdev *netdev OVS_UNUSED,
                   struct ovs_action_push_tnl *data,
                   const struct netdev_tnl_build_header_params *params
                   OVS_UNUSED)
{
    data->header_len = 0;
    return 0;
}

static void
empty_push_header(const struct netdev *netdev OVS_UNUSED,
                  struct dp_packet *packet OVS_UNUSED,
                  const struct ovs_action_push_tnl *data OVS_UNUSED)
{
}

static struct dp_packet *
empty_pop_header(struct dp_packet *packet)
{
    return packet;
}

static const struct netdev_class empty_class = {
    .type = "empty",
    .alloc = empty_alloc,
    .construct = empty_construct,
    .destruct = empty_destruct,
    .dealloc = empty_dealloc,
    .set_config = empty_set_config,
    .build_header = empty_build_header,
    .push_header = empty_push_header,
    .pop_header = empty_pop_header,
};

/* Brings OVS as far up as tunnels need. */
static void
initialize(void)
{
    static bool initialized;
    struct sset types = SSET_INITIALIZER(&types);

    if (initialized) {
        return;
    }
    initialized = true;

    if (eoip_provider_register) {
        eoip_provider_register();   /* First, as in ovs-vswitchd. */
    }
    /* The initializers themselves are private; these calls imply them.  A
     * tunnel looks its route up when it is configured. */
    dp_enumerate_types(&types);
    sset_clear(&types);
    netdev_enumerate_types(&types);
    sset_destroy(&types);

    netdev_register_provider(&empty_class);
}

static struct netdev *
open_netdev(const char *type, size_t i, const char *keepalive)
{
    struct smap options = SMAP_INITIALIZER(&options);
    struct netdev *netdev = NULL;
    char *error = NULL;
    char *name = xasprintf("%s-%"PRIuSIZE, type, i);

    if (!netdev_open(name, type, &netdev)) {
        /* Remotes differ beyond the first 65536 only; tunnel ids wrap. */
        smap_add_format(&options, "remote_ip", "192.0.%"PRIuSIZE".2",
                        2 + i / 65536);
        smap_add_format(&options, "key", "%"PRIuSIZE,
                        (TUNNEL_ID + i) % 65536);
        if (!strcmp(type, "eoip")) {
            smap_add(&options, "keepalive", keepalive);
        } else if (!strcmp(type, "vxlan")) {
            smap_add(&options, "dst_port", "4789");
        } else if (!strcmp(type, "geneve")) {
            smap_add(&options, "dst_port", "6081");
        }
        if (netdev_set_config(netdev, &options, &error)) {
            ovs_fatal(0, "%s: %s", name, error ? error : "bad options");
        }
    }
    smap_destroy(&options);
    free(error);
    free(name);
    return netdev;
}

/* The headers are those that come from the remote, as what was pushed is popped
 * again. */
static void
build_header(struct bench_tunnel *tunnel)
{
    struct netdev_tnl_build_header_params params;
    struct in6_addr local = in6_addr_mapped_ipv4(htonl(0xc0000202));
    struct flow flow;

    memset(&flow, 0, sizeof flow);
    flow.packet_type = htonl(PT_ETH);
    flow.tunnel.ip_src = htonl(0xc0000202);
    flow.tunnel.ip_dst = htonl(0xc0000201);
    flow.tunnel.ip_ttl = 64;
    flow.tunnel.tun_id = htonll(TUNNEL_ID);
    flow.tunnel.flags = FLOW_TNL_F_KEY;
    netdev_init_tnl_build_header_params(&params, &flow, &local, remote_mac,
                                        local_mac);
    if (netdev_build_header(tunnel->netdev, &tunnel->header, &params)) {
        ovs_fatal(0, "%s: no header", netdev_get_name(tunnel->netdev));
    }
}

/* Sets the metadata and offsets that every packet has when it comes to push
 * or pop; 'start' is its first byte. */
static void
rewind_packet(struct dp_packet *packet, char *start, size_t size)
{
    dp_packet_set_data(packet, start);
    dp_packet_set_size(packet, size);
    dp_packet_reset_offload(packet);
    dp_packet_reset_offsets(packet);
    dp_packet_set_rss_hash(packet, 0x12345678);
    packet->packet_type = htonl(PT_ETH);
    pkt_metadata_init(&packet->md, IN_PORT);
}

/* Newer releases of Open vSwitch leave the checksum of the header that was
 * pushed to what sends the packet, and look at it when they pop. */
static void
fill_in_checksum(struct dp_packet *packet)
{
    struct ip_header *ip = ALIGNED_CAST(
        struct ip_header *, (char *) dp_packet_data(packet) + ETH_HEADER_LEN);

    ip->ip_csum = 0;
    ip->ip_csum = csum(ip, IP_HEADER_LEN);
}

/* Puts all packets back into the batch: a dropped one would be missed. */
static void
refill(struct bench_tunnel *tunnel)
{
    dp_packet_batch_init(&tunnel->batch);
    for (size_t i = 0; i < tunnel->batch_size; i++) {
        dp_packet_batch_add(&tunnel->batch, tunnel->packets[i]);
    }
}

/* What eoip asks of the datapath: to take the frames on. */
static void
execute(void *aux OVS_UNUSED, struct dp_packet_batch *batch OVS_UNUSED,
        const struct nlattr *action OVS_UNUSED, bool should_steal OVS_UNUSED)
{
}

static bool
is_eoip(const struct bench_tunnel *tunnel)
{
    return tunnel->header.tnl_type == OVS_VPORT_TYPE_EOIP;
}

struct bench_tunnel *
bench_tunnel_open(const char *type, size_t others, size_t batch_size)
{
    struct bench_tunnel *tunnel;
    struct netdev *netdev;

    initialize();
    netdev = open_netdev(type, 0, "none");
    if (!netdev) {
        return NULL;
    }
    for (size_t i = 1; i <= others; i++) {
        open_netdev(type, i, "none");
    }

    tunnel = xzalloc(sizeof *tunnel);
    tunnel->netdev = netdev;
    tunnel->batch_size = batch_size;
    build_header(tunnel);
    ofpbuf_init(&tunnel->push, 0);
    odp_put_tnl_push_action(&tunnel->push, &tunnel->header);
    nl_msg_put_u32(&tunnel->push, OVS_ACTION_ATTR_OUTPUT, IN_PORT);
    ofpbuf_init(&tunnel->pop, 0);
    if (is_eoip(tunnel)) {
        eoip_port_added(netdev, u32_to_odp(TUNNEL_PORT), NULL);
    }
    eoip_put_pop(&tunnel->pop, EOIP_IPPROTO, u32_to_odp(TUNNEL_PORT),
                 u32_to_odp(IN_PORT));
    memcpy(&tunnel->frame[0], &remote_mac, sizeof remote_mac);
    memcpy(&tunnel->frame[6], &local_mac, sizeof local_mac);
    memcpy(&tunnel->frame[12], "\x08\x00\x45", 3);
    for (size_t i = 0; i < BENCH_BATCH; i++) {
        struct dp_packet *packet = dp_packet_new_with_headroom(FRAME_SIZE,
                                                               HEADROOM);

        tunnel->frames[i] = dp_packet_put(packet, tunnel->frame, FRAME_SIZE);
        tunnel->packets[i] = packet;
    }
    /* One push leaves headers before all frames, which later pops read.  Not
     * through netdev_push_header(), whose calls are counted. */
    for (size_t i = 0; i < BENCH_BATCH; i++) {
        rewind_packet(tunnel->packets[i], tunnel->frames[i], FRAME_SIZE);
        netdev_get_class(netdev)->push_header(netdev, OVS_NO_INGRESS
                                              tunnel->packets[i],
                                              &tunnel->header);
        fill_in_checksum(tunnel->packets[i]);
    }
    return tunnel;
}

void
bench_tunnel_rewind_push(struct bench_tunnel *tunnel)
{
    for (size_t i = 0; i < tunnel->batch_size; i++) {
        rewind_packet(tunnel->packets[i], tunnel->frames[i], FRAME_SIZE);
    }
    refill(tunnel);
}

void
bench_tunnel_push(struct bench_tunnel *tunnel)
{
    const struct nlattr *a = tunnel->push.data;

    if (eoip_is_push(a)) {
        eoip_push(NULL, &tunnel->batch, false, a, tunnel->push.size, execute);
    } else {
        dp_packet_batch_apply_cutlen(&tunnel->batch);
        netdev_push_header(tunnel->netdev, OVS_NO_INGRESS &tunnel->batch,
                           nl_attr_get(a));
    }
}

void
bench_tunnel_rewind_pop(struct bench_tunnel *tunnel)
{
    size_t header_len = eoip_push_header_len(&tunnel->header);

    for (size_t i = 0; i < tunnel->batch_size; i++) {
        struct dp_packet *packet = tunnel->packets[i];

        rewind_packet(packet, tunnel->frames[i] - header_len,
                      header_len + FRAME_SIZE);
        packet->l3_ofs = ETH_HEADER_LEN;
        packet->l4_ofs = ETH_HEADER_LEN + IP_HEADER_LEN;
    }
    refill(tunnel);
}

void
bench_tunnel_pop(struct bench_tunnel *tunnel)
{
    const struct nlattr *a = tunnel->pop.data;
    struct dp_packet *packet;

    if (eoip_pop_is_shared(a)) {
        eoip_pop(&tunnel->batch, a, true, execute, NULL);
        return;
    }
    dp_packet_batch_apply_cutlen(&tunnel->batch);
    netdev_pop_header(tunnel->netdev, &tunnel->batch);
    DP_PACKET_BATCH_FOR_EACH (i, packet, &tunnel->batch) {
        packet->md.in_port.odp_port = nl_attr_get_odp_port(a);
    }
}

static bool
all_start_at(const struct bench_tunnel *tunnel, size_t before)
{
    if (dp_packet_batch_size(&tunnel->batch) != tunnel->batch_size) {
        return false;
    }
    for (size_t i = 0; i < tunnel->batch_size; i++) {
        const struct dp_packet *packet = tunnel->packets[i];

        if (dp_packet_data(packet) != tunnel->frames[i] - before
            || dp_packet_size(packet) != before + FRAME_SIZE
            || memcmp(tunnel->frames[i], tunnel->frame, FRAME_SIZE)) {
            return false;
        }
    }
    return true;
}

bool
bench_tunnel_is_popped(const struct bench_tunnel *tunnel)
{
    for (size_t i = 0; i < tunnel->batch_size; i++) {
        const struct flow_tnl *md = &tunnel->packets[i]->md.tunnel;

        if (eoip_push_header_len(&tunnel->header)
            && (md->tun_id != htonll(TUNNEL_ID)
                || md->ip_src != htonl(0xc0000202)
                || md->ip_dst != htonl(0xc0000201))) {
            return false;
        }
    }
    return all_start_at(tunnel, 0);
}

bool
bench_tunnel_is_pushed(const struct bench_tunnel *tunnel)
{
    return all_start_at(tunnel, eoip_push_header_len(&tunnel->header));
}
