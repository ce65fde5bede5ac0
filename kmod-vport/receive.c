// SPDX-License-Identifier: GPL-2.0
/*
 * Packet in, frame out, for both IP versions: check the lengths, take the
 * outer headers off, hand the frame to the device.  Called by ipv4.c and
 * ipv6.c, which found the device, under RCU with softirqs off.
 */
#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/dst_metadata.h>
#include <net/inet_ecn.h>
#include <net/ip_tunnels.h>

#include "compat.h"
#include "eoip.h"

/*
 * The length rules: bytes behind the frame are cut off, missing ones and too
 * few are an error.  [peer]  A packet that stands for several (offload.c) has
 * the length of the whole in its header, or that of one of them.
 */
static int eoip_receive_trim(struct sk_buff *skb,
			     const struct eoip_packet *packet)
{
	unsigned int len = packet->header_len + packet->frame_len;

	if (packet->frame_len < EOIP_FRAME_MIN)
		return EOIP_KMOD_DROP_FRAME_TOO_SHORT;
	if (len > skb->len)
		return EOIP_KMOD_DROP_LENGTH_BEYOND_PACKET;
	if (len == skb->len || (skb_shinfo(skb)->gso_type & SKB_GSO_GRE))
		return EOIP_NO_DROP;
	return pskb_trim_rcsum(skb, len) ? EOIP_KMOD_DROP_RX_NO_MEMORY :
					   EOIP_NO_DROP;
}

/* ECN from the packet at @outer to the frame; 2 is an error. */
static int eoip_receive_ecn(struct sk_buff *skb, const void *outer, bool ipv6)
{
	return ipv6 ? IP6_ECN_decapsulate(outer, skb) :
		      IP_ECN_decapsulate(outer, skb);
}

/*
 * Whether a parsed frame may be one of several that GRO makes one.  UDP's are
 * for those who want that, and say so by a feature of the device.
 */
static bool eoip_receive_may_merge(const struct sk_buff *skb,
				   const struct net_device *dev)
{
	u8 protocol;

	switch (skb_protocol(skb, true)) {
	case htons(ETH_P_IP):
		protocol = ip_hdr(skb)->protocol;
		break;
	case htons(ETH_P_IPV6):
		protocol = ipv6_hdr(skb)->nexthdr;
		break;
	default:
		return false;
	}
	return protocol == IPPROTO_TCP ||
	       dev->features & (NETIF_F_GRO_UDP_FWD | NETIF_F_GRO_FRAGLIST);
}

/*
 * Takes the outer headers off: skb->data is the EoIP header before, and the
 * frame's payload after, as a driver leaves it.
 */
static int eoip_receive_decapsulate(struct sk_buff *skb,
				    struct eoip_device *device,
				    const struct eoip_packet *packet,
				    bool *may_merge)
{
	bool xnet = !net_eq(device->net, dev_net(device->dev));
	unsigned int outer;

	if (iptunnel_pull_header(skb, packet->header_len, htons(ETH_P_TEB),
				 xnet))
		return EOIP_KMOD_DROP_RX_NO_MEMORY;

	outer = skb_network_header(skb) - skb->head;
	skb_reset_mac_header(skb);
	/* A frame that only claims to be IP is for its receiver to judge. */
	if (!eoip_frame_parse(skb)) {
		if (eoip_receive_ecn(skb, skb->head + outer, packet->ipv6) > 1)
			return EOIP_KMOD_DROP_ECN;
		eoip_mss_clamp(skb, device, outer, packet);
		*may_merge = eoip_receive_may_merge(skb, device->dev);
	}

	dev_sw_netstats_rx_add(device->dev, skb->len);
	skb->protocol = eth_type_trans(skb, device->dev);
	skb_postpull_rcsum(skb, eth_hdr(skb), ETH_HLEN);
	skb_reset_network_header(skb);
	return EOIP_NO_DROP;
}

/* A packet with a frame.  Returns the reason to drop it. */
static int eoip_receive_frame(struct sk_buff *skb, struct eoip_device *device,
			      const struct eoip_packet *packet)
{
	struct metadata_dst *metadata = NULL;
	bool may_merge = false;
	int drop;

	drop = eoip_receive_trim(skb, packet);
	if (drop != EOIP_NO_DROP)
		return drop;

	if (device->external) {
		/* Tells OVS, or a route, which tunnel the frame came from. */
		metadata = eoip_metadata_get(skb, packet);
		if (!metadata)
			return EOIP_KMOD_DROP_RX_NO_MEMORY;
	}
	drop = eoip_receive_decapsulate(skb, device, packet, &may_merge);
	if (drop != EOIP_NO_DROP) {
		dst_release((struct dst_entry *)metadata);
		return drop;
	}
	if (metadata)
		skb_dst_set(skb, &metadata->dst);
	if (may_merge)
		gro_cells_receive(&device->gro_cells, skb);
	else
		netif_rx(skb);
	return EOIP_NO_DROP;
}

/*
 * A packet of @device's, with skb->data at its EoIP header; dropped if @drop
 * is a reason to.  Returns whether @skb was taken: keepalives behind an
 * external device are not, for somebody with a raw socket may keep the books.
 */
bool eoip_receive(struct sk_buff *skb, struct eoip_device *device,
		  const struct eoip_packet *packet, int drop)
{
	if (!(device->dev->flags & IFF_UP))
		drop = EOIP_KMOD_DROP_DEVICE_DOWN;

	/* A keepalive is a header alone.  [cap] */
	if (drop == EOIP_NO_DROP && !packet->frame_len) {
		atomic_long_inc(&device->rx_keepalives);
		if (device->external)
			return false;
		eoip_keepalive_heard(device);
		consume_skb(skb);
		return true;
	}

	if (drop == EOIP_NO_DROP)
		drop = eoip_receive_frame(skb, device, packet);
	if (drop == EOIP_NO_DROP)
		eoip_keepalive_heard(device);
	else
		eoip_device_drop(device, skb, drop);
	return true;
}
