/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "keepalive_frame.h"

#include "dp-packet.h"
#include "ofproto/ofproto-dpif-xlate.h"
#include "packets.h"

void
keepalive_frame_send(const struct ofport_dpif *ofport)
{
    struct dp_packet packet;
    struct eth_header *eth;

    /* As eoip_is_keepalive() has it. */
    dp_packet_init(&packet, ETH_HEADER_LEN);
    eth = dp_packet_put_zeros(&packet, ETH_HEADER_LEN);
    eth->eth_dst = eth_addr_stp;
    xlate_send_packet(ofport, false, &packet);
    dp_packet_uninit(&packet);
}
