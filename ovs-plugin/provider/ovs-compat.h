/* SPDX-License-Identifier: Apache-2.0
 *
 * The only place that knows how releases of Open vSwitch differ.
 *
 * netdev-eoip.c is written for the newest form of an interface; what older
 * releases lack is made here.  Features are asked for, never version numbers:
 * a macro, or a probe in ovs-features. */

#ifndef OVS_COMPAT_H
#define OVS_COMPAT_H 1

#include "ovs-features.h"

#include "dp-packet.h"
#if defined OVS_HAVE_GSO || defined OVS_HAVE_GSO_BATCH
#include "dp-packet-gso.h"
#endif
#include "netdev-native-tnl.h"
#include "tnl-neigh-cache.h"

/* Batches grow since 4.0; before, they held NETDEV_MAX_BURST packets. */
#ifndef OVS_HAVE_DYNAMIC_BATCH
#define dp_packet_batch_reset dp_packet_batch_init

static inline void
dp_packet_batch_destroy(struct dp_packet_batch *batch OVS_UNUSED)
{
}
#endif

/* dp_packet_ip_checksum_valid() was another name in 3.2 to 3.5. */
#ifndef OVS_HAVE_CHECKSUM_VALID
#define dp_packet_ip_checksum_valid dp_packet_ip_checksum_good
#endif

/* Says nothing any more of checksums and segments of 'packet', which has got
 * other headers than those that it was said of.  Its hash stays. */
static inline void
dp_packet_forget_offload(struct dp_packet *packet)
{
#ifdef OVS_HAVE_PACKET_OFFLOADS
    packet->offloads = 0;
#else
    *dp_packet_ol_flags_ptr(packet) &= DP_PACKET_OL_RSS_HASH
                                       | DP_PACKET_OL_FLOW_MARK
                                       | ~DP_PACKET_OL_SUPPORTED_MASK;
#endif
#ifdef OVS_HAVE_CSUM_START
    packet->csum_start = packet->csum_offset = 0;
#endif
}

/* True if 'packet' stands for several segments of TCP. */
static inline bool
ovs_packet_is_super(const struct dp_packet *packet)
{
#ifdef OVS_HAVE_HWOL_IS_TSO
    return dp_packet_hwol_is_tso(packet);
#else
    return dp_packet_get_tso_segsz(packet);
#endif
}

/* True if 'packet', which a tunnel is going to hide, leaves something to a
 * card. */
static inline bool
ovs_packet_has_work(struct dp_packet *packet)
{
#ifdef OVS_HAVE_PACKET_OFFLOADS
    return ovs_packet_is_super(packet)
           || dp_packet_ip_checksum_partial(packet)
           || dp_packet_l4_checksum_partial(packet)
           || dp_packet_inner_ip_checksum_partial(packet)
           || dp_packet_inner_l4_checksum_partial(packet);
#elif defined OVS_HAVE_TX_IS_ANY_CSUM
    return ovs_packet_is_super(packet)
           || dp_packet_hwol_tx_is_any_csum(packet);
#else
    return ovs_packet_is_super(packet) || dp_packet_hwol_l4_mask(packet);
#endif
}

/* Does what 'packet' leaves to a card, but for segments.  Returns false if
 * something is left: those, and before 3.2 checksums. */
static inline bool
ovs_packet_complete(struct dp_packet *packet)
{
#ifdef OVS_HAVE_SEND_PREPARE
    dp_packet_ol_send_prepare(packet, 0);
#endif
    return !ovs_packet_has_work(packet);
}

/* True if packets that stand for several segments can be cut, since 3.3. */
static inline bool
ovs_can_segment(void)
{
#if defined OVS_HAVE_GSO || defined OVS_HAVE_GSO_BATCH
    return true;
#else
    return false;
#endif
}

/* Cuts 'packet', which stands for several segments, and takes it over.  Returns
 * '*n' batches of them, each to be destroyed, and all to be freed, by the
 * caller; or NULL, and leaves 'packet' to the caller, if that is not
 * possible. */
static inline struct dp_packet_batch *
ovs_packet_segment(struct dp_packet *packet, size_t *n)
{
    struct dp_packet_batch *batches = NULL;

#if defined OVS_HAVE_GSO_BATCH
    *n = 1;
    batches = xmalloc(sizeof *batches);
    dp_packet_batch_init_packet(batches, packet);
    dp_packet_gso_batch(batches);
#elif defined OVS_HAVE_GSO
    struct dp_packet_batch *last;

    if (!dp_packet_get_tso_segsz(packet)) {
        return NULL;
    }
    *n = 1 + dp_packet_gso_nr_segs(packet) / NETDEV_MAX_BURST;
    last = batches = xmalloc(*n * sizeof *batches);
    for (size_t i = 0; i < *n; i++) {
        dp_packet_batch_init(&batches[i]);
    }
#ifdef OVS_HAVE_GSO_COPIES
    if (!dp_packet_gso(packet, &last)) {
        free(batches);
        return NULL;
    }
    dp_packet_delete(packet);
#else
    dp_packet_gso(packet, &last);
#endif
#else
    *n = 0;
    (void) packet;
#endif
    return batches;
}

/* Asked for without an answer, an address becomes one that is being asked for
 * since 4.0, if that is wanted. */
#ifndef OVS_HAVE_NEIGH_PARTIAL
#define tnl_neigh_lookup(NAME, DST, MAC, INSERT_PARTIAL) \
    tnl_neigh_lookup(NAME, DST, MAC)
#endif

/* A flow label since 3.2. */
#ifndef OVS_HAVE_BUILD_HEADER_LABEL
#define netdev_tnl_ip_build_header(DATA, PARAMS, NW_PROTO, LABEL) \
    netdev_tnl_ip_build_header(DATA, PARAMS, NW_PROTO)
#endif

/* One argument more since 3.1.1. */
#ifndef OVS_HAVE_PORT_QUERY_WARN
#define dpif_port_query_by_number(DPIF, PORT_NO, PORT, WARN) \
    dpif_port_query_by_number(DPIF, PORT_NO, PORT)
#endif

/* .push_header is told of the device that a frame came from since 4.0. */
#ifdef OVS_HAVE_PUSH_HEADER_INGRESS
#define OVS_PUSH_HEADER_INGRESS const struct netdev *ingress OVS_UNUSED,
#define OVS_NO_INGRESS NULL,
#else
#define OVS_PUSH_HEADER_INGRESS
#define OVS_NO_INGRESS
#endif

#endif /* ovs-compat.h */
