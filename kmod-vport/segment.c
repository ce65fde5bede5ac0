// SPDX-License-Identifier: GPL-2.0
/*
 * Frames that stand for many (GSO).  The kernel's GRE segmentation copies an
 * EoIP header to each segment as it is, and the header holds the length of
 * one frame: so a frame may stay whole through routing and netfilter, down to
 * the underlay's device, if all its segments have one length.  From the others
 * the shorter last segment is cut off first.
 */
#include <linux/ip.h>
#include <linux/netdevice.h>
#include <linux/module.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip.h>

#include "compat.h"
#include "eoip.h"

static bool trust_nic_offload;
module_param(trust_nic_offload, bool, 0644);
MODULE_PARM_DESC(trust_nic_offload,
		 "Let network cards segment and checksum EoIP as if it were GRE (default: false)");

/*
 * Whether a device may see frames that stand for many, or that lack their
 * checksum.  Most devices cannot do anything about those in a tunnel, and
 * then the kernel finishes them; one that says it can expects stock GRE.
 */
static bool eoip_segment_by_underlay(const struct net_device *underlay)
{
	const netdev_features_t offloads =
		underlay->hw_enc_features & NETIF_F_CSUM_MASK;

	if (!(underlay->features & NETIF_F_GSO_GRE) && !offloads)
		return true;
	if (READ_ONCE(trust_nic_offload))
		return true;
	return !underlay->dev.parent &&
	       list_empty(&underlay->adj_list.lower);
}

/* Bytes of a GSO frame's headers, which each of its segments begins with. */
static unsigned int eoip_segment_header_len(const struct sk_buff *skb)
{
	if (skb_shinfo(skb)->gso_type & SKB_GSO_UDP_L4)
		return skb_transport_offset(skb) + sizeof(struct udphdr);
	return skb_tcp_all_headers(skb);
}

/* Bytes of the frame, or of each segment's.  To be asked before the push. */
u16 eoip_segment_frame_len(const struct sk_buff *skb)
{
	if (!skb_is_gso(skb))
		return skb->len;
	return eoip_segment_header_len(skb) + skb_shinfo(skb)->gso_size;
}

/* Whether all about the frame is as eoip_segment_split() wants it. */
static bool eoip_segment_is_splittable(const struct sk_buff *skb)
{
	const unsigned int known = SKB_GSO_TCPV4 | SKB_GSO_TCPV6 |
		SKB_GSO_UDP_L4 | SKB_GSO_TCP_ECN | SKB_GSO_TCP_FIXEDID |
		SKB_GSO_DODGY;
	const struct skb_shared_info *info = skb_shinfo(skb);

	return !skb->encapsulation && !(info->gso_type & ~known) &&
	       (info->gso_type &
		(SKB_GSO_TCPV4 | SKB_GSO_TCPV6 | SKB_GSO_UDP_L4)) &&
	       info->gso_size != GSO_BY_FRAGS &&
	       skb->len + sizeof(struct iphdr) + EOIP_HLEN <= IP_MAX_MTU;
}

/* The last segment counted as the second: its IPv4 id must follow all. */
static void eoip_segment_advance_id(struct sk_buff *skb, unsigned int by)
{
	struct iphdr *iph = ip_hdr(skb);

	if (iph->version != 4)
		return;
	iph->id = htons(ntohs(iph->id) + by);
	ip_send_check(iph);
}

/* Cuts a frame after @count segments; both parts are whole frames then. */
static struct sk_buff *eoip_segment_split(struct sk_buff *skb,
					  unsigned int count)
{
	const unsigned int size = skb_shinfo(skb)->gso_size;
	const unsigned int type = skb_shinfo(skb)->gso_type;
	struct sk_buff *head;

	if (skb_header_unclone(skb, GFP_ATOMIC))
		return ERR_PTR(-ENOMEM);
	skb_shinfo(skb)->gso_size = count * size;
	head = skb_gso_segment(skb, NETIF_F_SG | NETIF_F_HW_CSUM |
			       NETIF_F_HIGHDMA | NETIF_F_FRAGLIST);
	if (IS_ERR_OR_NULL(head) || !head->next || head->next->next) {
		skb_shinfo(skb)->gso_size = size;
		if (!IS_ERR_OR_NULL(head))
			kfree_skb_list(head);
		return ERR_PTR(-EINVAL);
	}
	consume_skb(skb);

	skb_shinfo(head)->gso_size = size;
	skb_shinfo(head)->gso_segs = count;
	skb_shinfo(head)->gso_type = type;
	if (!(type & SKB_GSO_TCP_FIXEDID))
		eoip_segment_advance_id(head->next, count - 1);
	return head;
}

/* Cuts a frame to its single segments, with checksums. */
static struct sk_buff *eoip_segment_fully(struct sk_buff *skb)
{
	struct sk_buff *head = skb_gso_segment(skb, NETIF_F_SG |
					       NETIF_F_HIGHDMA);

	if (!head)
		return ERR_PTR(-EINVAL);
	if (!IS_ERR(head))
		consume_skb(skb);
	return head;
}

/*
 * Makes of @skb a list of frames, each of which the header of one packet
 * describes right.  On an error @skb is as it was.
 */
struct sk_buff *eoip_segment(struct sk_buff *skb,
			     const struct eoip_path *path)
{
	unsigned int size = skb_shinfo(skb)->gso_size, header, payload, count;
	bool by_underlay = eoip_segment_by_underlay(path->dst->dev);

	if (!skb_is_gso(skb)) {
		if (!by_underlay && skb->ip_summed == CHECKSUM_PARTIAL &&
		    skb_checksum_help(skb))
			return ERR_PTR(-EINVAL);
		return skb;
	}
	/* No kernel knows how to segment EoIPv6. */
	if (!by_underlay || path->ipv6 || !eoip_segment_is_splittable(skb))
		return eoip_segment_fully(skb);

	if (!pskb_may_pull(skb, skb_transport_offset(skb) +
				sizeof(struct tcphdr)))
		return ERR_PTR(-EINVAL);
	header = eoip_segment_header_len(skb);
	if (header >= skb->len || !size)
		return ERR_PTR(-EINVAL);
	payload = skb->len - header;
	if (payload % size == 0)
		return skb;
	count = payload / size;
	if (count < 2)
		return eoip_segment_fully(skb);
	return eoip_segment_split(skb, count);
}
