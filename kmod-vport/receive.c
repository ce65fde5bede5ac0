// SPDX-License-Identifier: GPL-2.0
/*
 * Packet in, frame out: parse, find the device, check, decapsulate.  What
 * belongs to no tunnel of this namespace is left for others untouched: for
 * gre.ko, pptp.ko and raw sockets.  Called by netfilter, under RCU.
 */
#include <linux/etherdevice.h>
#include <linux/icmp.h>
#include <linux/ip.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <net/dst_metadata.h>
#include <net/inet_ecn.h>
#include <net/ip.h>
#include <net/ip_tunnels.h>
#include <net/route.h>
#include <net/xfrm.h>

#include "compat.h"
#include "eoip.h"

/* The EoIP header behind an IPv4 header at @offset, or NULL if it is none. */
static const struct eoip_hdr *eoip_header(const struct sk_buff *skb,
					  int offset, struct eoip_hdr *buffer)
{
	const struct eoip_hdr *hdr;

	hdr = skb_header_pointer(skb, offset, sizeof(*hdr), buffer);
	return hdr && hdr->magic == htonl(EOIP_MAGIC) ? hdr : NULL;
}

/*
 * A router on the way says that our packet, of which it quotes the beginning,
 * was too big.  Nobody else in the kernel understands the quotation.
 */
static void eoip_receive_icmp(struct sk_buff *skb, struct eoip_net *en,
			      const struct nf_hook_state *state)
{
	int offset = ip_hdrlen(skb);
	struct eoip_hdr hdr_buffer;
	const struct eoip_hdr *hdr;
	struct icmphdr icmp_buffer;
	const struct icmphdr *icmp;
	struct iphdr quoted_buffer;
	const struct iphdr *quoted;
	u32 mtu;

	icmp = skb_header_pointer(skb, offset, sizeof(*icmp), &icmp_buffer);
	if (!icmp || icmp->type != ICMP_DEST_UNREACH ||
	    icmp->code != ICMP_FRAG_NEEDED || !icmp->un.frag.mtu)
		return;
	quoted = skb_header_pointer(skb, offset + sizeof(*icmp),
				    sizeof(*quoted), &quoted_buffer);
	if (!quoted || quoted->protocol != EOIP_IPPROTO || quoted->ihl != 5)
		return;
	hdr = eoip_header(skb, offset + sizeof(*icmp) + sizeof(*quoted),
			  &hdr_buffer);
	if (!hdr || nf_ip_checksum(skb, NF_INET_LOCAL_IN, offset,
				   IPPROTO_ICMP))
		return;
	if (!eoip_tunnels_find(en, quoted->daddr, quoted->saddr,
			       le16_to_cpu(hdr->tunnel_id),
			       state->in->ifindex, skb->skb_iif))
		return;

	/* ipv4_update_pmtu() wants the quoted header where skb->data is. */
	mtu = ntohs(icmp->un.frag.mtu);
	offset += sizeof(*icmp);
	if (!pskb_may_pull(skb, offset + sizeof(*quoted)))
		return;
	__skb_pull(skb, offset);
	ipv4_update_pmtu(skb, state->net, mtu, 0, EOIP_IPPROTO);
	__skb_push(skb, offset);
}

/*
 * The length rules: bytes behind the frame are cut off, missing ones and too
 * few are an error.  [peer]  A packet that stands for several (a neighbour's
 * segmentation offload) has the length of one of them in its header.
 */
static int eoip_receive_trim(struct sk_buff *skb, unsigned int payload,
			     unsigned int frame_len)
{
	if (frame_len < EOIP_FRAME_MIN)
		return EOIP_KMOD_DROP_FRAME_TOO_SHORT;
	if (frame_len > payload)
		return EOIP_KMOD_DROP_LENGTH_BEYOND_PACKET;
	if (frame_len == payload ||
	    (skb_shinfo(skb)->gso_type & SKB_GSO_GRE))
		return EOIP_NO_DROP;
	if (pskb_trim_rcsum(skb, skb->len - (payload - frame_len)))
		return EOIP_KMOD_DROP_RX_NO_MEMORY;
	return EOIP_NO_DROP;
}

/*
 * Takes the outer headers off: skb->data is the outer IPv4 header before, and
 * the frame's payload after, as a driver leaves it.
 */
static int eoip_receive_decapsulate(struct sk_buff *skb,
				    struct eoip_device *device)
{
	bool xnet = !net_eq(device->net, dev_net(device->dev));
	unsigned int outer;

	__skb_pull(skb, sizeof(struct iphdr));
	if (iptunnel_pull_header(skb, EOIP_HLEN, htons(ETH_P_TEB), xnet))
		return EOIP_KMOD_DROP_RX_NO_MEMORY;
	dev_sw_netstats_rx_add(device->dev, skb->len);

	outer = skb_network_header(skb) - skb->head;
	skb_reset_mac_header(skb);
	/* A frame that only claims to be IP is for its receiver to judge. */
	if (!eoip_frame_parse(skb) &&
	    IP_ECN_decapsulate((struct iphdr *)(skb->head + outer), skb) > 1)
		return EOIP_KMOD_DROP_ECN;

	skb->protocol = eth_type_trans(skb, device->dev);
	skb_postpull_rcsum(skb, eth_hdr(skb), ETH_HLEN);
	skb_reset_network_header(skb);
	return EOIP_NO_DROP;
}

/* A packet that is @device's.  Returns the reason to drop it. */
static int eoip_receive_packet(struct sk_buff *skb,
			       struct eoip_device *device, unsigned int payload,
			       unsigned int frame_len, u16 id)
{
	struct metadata_dst *metadata = NULL;
	int drop;

	drop = eoip_receive_trim(skb, payload, frame_len);
	if (drop != EOIP_NO_DROP)
		return drop;

	if (device->external) {
		/* Tells OVS, or a route, which tunnel the frame came from. */
		metadata = eoip_compat_tun_rx_dst(skb, cpu_to_be64(id));
		if (!metadata)
			return EOIP_KMOD_DROP_RX_NO_MEMORY;
	}
	drop = eoip_receive_decapsulate(skb, device);
	if (drop != EOIP_NO_DROP) {
		dst_release((struct dst_entry *)metadata);
		return drop;
	}
	if (metadata)
		skb_dst_set(skb, &metadata->dst);
	gro_cells_receive(&device->gro_cells, skb);
	return EOIP_NO_DROP;
}

/*
 * A keepalive is a header alone.  [cap]  A point-to-point device consumes it;
 * behind an external one somebody with a raw socket may keep the books.
 */
static unsigned int eoip_receive_keepalive(struct sk_buff *skb,
					   struct eoip_device *device)
{
	atomic_long_inc(&device->rx_keepalives);
	if (device->external)
		return NF_ACCEPT;
	eoip_keepalive_heard(device);
	consume_skb(skb);
	return NF_STOLEN;
}

/* What is wrong with a packet of @device before its length is looked at. */
static int eoip_receive_check(struct sk_buff *skb,
			      const struct eoip_device *device)
{
	if (!(device->dev->flags & IFF_UP))
		return EOIP_KMOD_DROP_DEVICE_DOWN;
	if (ip_hdrlen(skb) != sizeof(struct iphdr))
		return EOIP_KMOD_DROP_IP_OPTIONS;
	if (!xfrm4_policy_check(NULL, XFRM_POLICY_IN, skb))
		return EOIP_KMOD_DROP_IPSEC_POLICY;
	return EOIP_NO_DROP;
}

unsigned int eoip_receive(void *priv, struct sk_buff *skb,
			  const struct nf_hook_state *state)
{
	struct eoip_net *en = eoip_net_get(state->net);
	const struct iphdr *iph = ip_hdr(skb);
	struct eoip_device *device;
	const struct eoip_hdr *hdr;
	struct eoip_hdr buffer;
	unsigned int frame_len;
	int drop;
	u16 id;

	if (iph->protocol == IPPROTO_ICMP)
		eoip_receive_icmp(skb, en, state);
	if (iph->protocol != EOIP_IPPROTO)
		return NF_ACCEPT;
	hdr = eoip_header(skb, ip_hdrlen(skb), &buffer);
	if (!hdr || skb->pkt_type != PACKET_HOST ||
	    (skb_rtable(skb)->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST)))
		return NF_ACCEPT;
	id = le16_to_cpu(hdr->tunnel_id);
	frame_len = ntohs(hdr->frame_len);
	device = eoip_tunnels_find(en, iph->saddr, iph->daddr, id,
				   state->in->ifindex, skb->skb_iif);
	if (!device)
		return NF_ACCEPT;

	drop = eoip_receive_check(skb, device);
	if (drop == EOIP_NO_DROP && !frame_len)
		return eoip_receive_keepalive(skb, device);
	if (drop == EOIP_NO_DROP) {
		unsigned int payload = skb->len - sizeof(*iph) - EOIP_HLEN;

		drop = eoip_receive_packet(skb, device, payload, frame_len,
					   id);
	}
	if (drop == EOIP_NO_DROP) {
		eoip_keepalive_heard(device);
		return NF_STOLEN;
	}
	eoip_device_count_drop(device, drop);
	kfree_skb(skb);
	return NF_STOLEN;
}
