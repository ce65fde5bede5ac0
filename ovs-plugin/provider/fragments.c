/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "fragments.h"

#include "eoip/wire6.h"
#include "headers.h"
#include "ovs-atomic.h"
#include "ovs-compat.h"
#include "packets.h"
#include "random.h"

void
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

void
onward_add(struct onward *onward, struct dp_packet *packet)
{
    if (dp_packet_batch_size(&onward->batch) >= NETDEV_MAX_BURST) {
        onward_flush(onward);
    }
    dp_packet_batch_add(&onward->batch, packet);
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

void
fragments_add(struct onward *onward, struct dp_packet *packet, size_t mtu)
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
