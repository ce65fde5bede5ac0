// SPDX-License-Identifier: GPL-2.0
/*
 * Frames that stand for many: their segmentation (GSO), and the slots through
 * which the kernel calls it and gro.c, for EoIP (protocol 47 over IPv4) and
 * EoIPv6 (protocol 97 over IPv6).
 *
 * A TCP super-frame gets one header with the length of the whole frame and
 * travels as one packet through routing and netfilter.  A device that cannot
 * carry it has the kernel call eoip_gso_segment() through the slot of its
 * protocol, which cuts the frame and writes each piece's own length.  Packets
 * that gro.c has joined look the same, and are cut by the same function.
 *
 * No card knows EoIP, but many take it for GRE and would copy the header as it
 * is.  So super-packets are marked SKB_GSO_DODGY: then the kernel calls
 * eoip_gso_segment() before any driver sees them.  It returns NULL, "leave it
 * whole", where the device is software that says it can, such as a veth.
 *
 * Protocol 47 has one slot, and the kernel's GRE holds it.  It is taken over,
 * and what is not EoIP is passed on to GRE.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <net/gro.h>
#include <net/protocol.h>

#include "compat.h"
#include "eoip.h"

/* Who had protocol 47's slot, or NULL: the kernel's GRE. */
const struct net_offload *eoip_gre;

/* Whether the slots of 47 and 97 are ours.  Set at init, then constant. */
static bool eoip_offload_ipv4 __read_mostly;
static bool eoip_offload_ipv6 __read_mostly;

/* A card was seen that says it computes checksums of what is in tunnels. */
static bool eoip_offload_card __read_mostly;

/*
 * Segmentation.
 */

/* Return those of @features that may be left to @dev. */
static netdev_features_t eoip_gso_features(const struct net_device *dev,
					   netdev_features_t features)
{
	features &= dev->hw_enc_features & ~NETIF_F_GSO_PARTIAL;
	if (dev->dev.parent)	/* A card. */
		features &= ~NETIF_F_GSO_MASK;
	/* The pieces may come to a card that this device stands on. */
	if (READ_ONCE(eoip_offload_card))
		features &= ~NETIF_F_CSUM_MASK;
	return features;
}

/* Put the outer headers, EoIP's of @header_len last, before a cut frame. */
static void eoip_gso_finish(struct sk_buff *skb, unsigned int outer_len,
			    unsigned int header_len, __be16 protocol,
			    u16 mac_len)
{
	struct eoip_hdr *hdr;

	if (skb->ip_summed == CHECKSUM_PARTIAL) {
		skb_reset_inner_headers(skb);
		skb->encapsulation = 1;
	}
	if (header_len == EOIP_HLEN) {
		hdr = (struct eoip_hdr *)(skb->data - EOIP_HLEN);
		hdr->frame_len = htons(skb->len);
	}
	skb->mac_len = mac_len;
	skb->protocol = protocol;
	__skb_push(skb, outer_len);
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, mac_len);
	skb_set_transport_header(skb, outer_len - header_len);
}

/*
 * Cut a super-packet whose skb->data is its EoIP header.  As net_offload's
 * gso_segment: return the pieces, NULL to leave @skb whole, or an error; in
 * the latter two cases @skb is as it was.
 */
static struct sk_buff *eoip_gso_cut(struct sk_buff *skb,
				    netdev_features_t features,
				    unsigned int header_len)
{
	const __be16 protocol = skb->protocol;
	const u16 mac_header = skb->mac_header;
	const u16 mac_len = skb->mac_len;
	struct sk_buff *pieces, *piece;
	unsigned int outer_len;

	if (!skb->encapsulation ||
	    skb_inner_mac_header(skb) - skb_transport_header(skb) !=
	    header_len || !pskb_may_pull(skb, header_len))
		return ERR_PTR(-EINVAL);

	/* The frame was looked at when it came to the tunnel's device. */
	features = eoip_gso_features(skb->dev, features);
	if (skb_gso_ok(skb, features | NETIF_F_GSO_ROBUST))
		return NULL;

	/* encap_level stays: it tells IPv4 that this is the inner header. */
	skb->encapsulation = 0;
	__skb_pull(skb, header_len);
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, skb_inner_network_offset(skb));
	skb->mac_len = skb_inner_network_offset(skb);
	skb->protocol = skb->inner_protocol;
	outer_len = skb_tnl_header_len(skb);

	pieces = skb_mac_gso_segment(skb, features);
	if (IS_ERR_OR_NULL(pieces)) {
		skb_gso_error_unwind(skb, protocol, header_len, mac_header,
				     mac_len);
		return pieces;
	}
	for (piece = pieces; piece; piece = piece->next)
		eoip_gso_finish(piece, outer_len, header_len, protocol,
				mac_len);
	return pieces;
}

static struct sk_buff *eoip_gso_segment(struct sk_buff *skb,
					netdev_features_t features)
{
	if (pskb_may_pull(skb, EOIP_HLEN) &&
	    ((struct eoip_hdr *)skb->data)->magic == htonl(EOIP_MAGIC))
		return eoip_gso_cut(skb, features, EOIP_HLEN);
	if (eoip_gre && eoip_gre->callbacks.gso_segment)
		return eoip_gre->callbacks.gso_segment(skb, features);
	return ERR_PTR(-EPROTONOSUPPORT);
}

static struct sk_buff *eoip6_gso_segment(struct sk_buff *skb,
					 netdev_features_t features)
{
	return eoip_gso_cut(skb, features, EOIP6_HLEN);
}

/*
 * Sending.
 */

/* Whether the frame @skb can travel whole and be cut by eoip_gso_cut(). */
static bool eoip_offload_carries(const struct sk_buff *skb, bool ipv6)
{
	const unsigned int known = SKB_GSO_TCPV4 | SKB_GSO_TCPV6 |
		SKB_GSO_UDP_L4 | SKB_GSO_TCP_ECN | SKB_GSO_TCP_FIXEDID |
		SKB_GSO_DODGY;
	const struct skb_shared_info *info = skb_shinfo(skb);
	const unsigned int outer = ipv6 ? EOIP6_HLEN :
					  sizeof(struct iphdr) + EOIP_HLEN;

	return (ipv6 ? eoip_offload_ipv6 : eoip_offload_ipv4) &&
	       !skb->encapsulation && skb->ip_summed == CHECKSUM_PARTIAL &&
	       !(info->gso_type & ~known) &&
	       (info->gso_type &
		(SKB_GSO_TCPV4 | SKB_GSO_TCPV6 | SKB_GSO_UDP_L4)) &&
	       info->gso_size != GSO_BY_FRAGS && skb->len + outer <= U16_MAX;
}

/*
 * Make of the frame @skb, which is to go over IPv6 or not, a list of frames
 * that each become one packet.  On an error @skb is as it was.
 */
struct sk_buff *eoip_offload_frames(struct sk_buff *skb, bool ipv6)
{
	struct sk_buff *frames;

	if (!skb_is_gso(skb)) {
		/* Which card it will pass is not known here. */
		if (skb->ip_summed == CHECKSUM_PARTIAL &&
		    READ_ONCE(eoip_offload_card) && skb_checksum_help(skb))
			return ERR_PTR(-EINVAL);
		return skb;
	}
	if (eoip_offload_carries(skb, ipv6))
		return skb;

	frames = skb_gso_segment(skb, NETIF_F_SG | NETIF_F_HIGHDMA);
	if (!frames)
		return ERR_PTR(-EINVAL);
	if (!IS_ERR(frames))
		consume_skb(skb);
	return frames;
}

/*
 * Look for cards that say they compute checksums within tunnels.  They mean
 * tunnels that they know, and if one is told to, an EoIP frame leaves with a
 * wrong checksum.  A frame may pass many devices before it comes to a card, so
 * one such card in the machine is enough: from then on, checksums of frames
 * are completed before they are encapsulated.
 */
static int eoip_offload_event(struct notifier_block *block,
			      unsigned long event, void *ptr)
{
	const struct net_device *dev = netdev_notifier_info_to_dev(ptr);

	if (dev->dev.parent && dev->hw_enc_features & NETIF_F_CSUM_MASK)
		WRITE_ONCE(eoip_offload_card, true);
	return NOTIFY_DONE;
}

static struct notifier_block eoip_offload_notifier = {
	.notifier_call = eoip_offload_event,
};

/*
 * The slots.
 */

static const struct net_offload eoip_offload = {
	.callbacks = {
		.gso_segment = eoip_gso_segment,
		.gro_receive = eoip_gro_receive,
		.gro_complete = eoip_gro_complete,
	},
};

static const struct net_offload eoip6_offload = {
	.callbacks = {
		.gso_segment = eoip6_gso_segment,
		.gro_receive = eoip6_gro_receive,
		.gro_complete = eoip6_gro_complete,
	},
};

static const struct net_offload **eoip_offload_slot(bool ipv6)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (ipv6)
		return (__force const struct net_offload **)
			&inet6_offloads[EOIP6_IPPROTO];
#endif
	return (__force const struct net_offload **)
		&inet_offloads[EOIP_IPPROTO];
}

/*
 * Give a slot back.  Who has taken it over meanwhile calls us, and there is no
 * way to take our functions away from them: wait until they have gone.
 */
static void eoip_offload_leave(bool ipv6, const struct net_offload *ours,
			       const struct net_offload *before)
{
	const struct net_offload **slot = eoip_offload_slot(ipv6);

	if (READ_ONCE(*slot) != ours)
		pr_notice("waits for another module to leave the offload of protocol %u\n",
			  ipv6 ? EOIP6_IPPROTO : EOIP_IPPROTO);
	while (cmpxchg(slot, ours, before) != ours)
		schedule_timeout_idle(HZ / 10);
}

/*
 * A slot that cannot be had means that frames are cut before they are
 * encapsulated, and that nothing is joined.
 */
int __init eoip_offload_init(void)
{
	const struct net_offload **slot = eoip_offload_slot(false);
	int err;

	err = register_netdevice_notifier(&eoip_offload_notifier);
	if (err)
		return err;
	eoip_gre = READ_ONCE(*slot);
	eoip_offload_ipv4 = cmpxchg(slot, eoip_gre, &eoip_offload) == eoip_gre;
	eoip_offload_ipv6 = ipv6_mod_enabled() &&
			    !cmpxchg(eoip_offload_slot(true), NULL,
				     &eoip6_offload);
	return 0;
}

void eoip_offload_exit(void)
{
	if (eoip_offload_ipv4)
		eoip_offload_leave(false, &eoip_offload, eoip_gre);
	if (eoip_offload_ipv6)
		eoip_offload_leave(true, &eoip6_offload, NULL);
	unregister_netdevice_notifier(&eoip_offload_notifier);
	synchronize_net();
}
