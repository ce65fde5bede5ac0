// SPDX-License-Identifier: GPL-2.0
/*
 * Packets of a tunnel that come one behind the other are made one (GRO) where
 * a network card's driver hands them over, so that they pass routing and
 * netfilter once.  Protocol 47 has one place for that, and the kernel's GRE
 * has it: it is taken here, and what is not EoIP goes on to GRE.
 *
 * Only frames of one length are put together.  So the header that stays
 * describes each of them, and GRE's segmentation, which copies it, can take
 * them apart again.
 */
#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <net/gro.h>
#include <net/protocol.h>
#include <net/route.h>

#include "compat.h"
#include "eoip.h"

static const struct net_offload *eoip_gro_gre;
static struct net_offload eoip_gro_offload __read_mostly;

/* Whether a packet will end here in a tunnel: others are left as they are. */
static bool eoip_gro_is_ours(const struct sk_buff *skb,
			     const struct eoip_hdr *hdr)
{
	/* One with IP options does not come here. */
	const struct iphdr *iph = (const struct iphdr *)hdr - 1;
	const int ifindex = skb->dev->ifindex;
	struct net *net = dev_net(skb->dev);
	struct in6_addr remote, local;

	ipv6_addr_set_v4mapped(iph->saddr, &remote);
	ipv6_addr_set_v4mapped(iph->daddr, &local);
	return eoip_tunnels_find(eoip_net_get(net), &remote, &local,
				 le16_to_cpu(hdr->tunnel_id), ifindex,
				 ifindex) &&
	       inet_addr_type(net, iph->daddr) == RTN_LOCAL;
}

/*
 * As net_offload's: @head are the packets that are held back, and the result
 * is the one of them that has to go on.
 */
static struct sk_buff *eoip_gro_receive(struct list_head *head,
					struct sk_buff *skb)
{
	const unsigned int offset = skb_gro_offset(skb);
	const struct eoip_hdr *hdr, *other;
	struct sk_buff *held, *done = NULL;
	bool ours = false;
	int flush = 1;

	hdr = skb_gro_header(skb, offset + EOIP_HLEN, offset);
	if (!hdr || hdr->magic != htonl(EOIP_MAGIC) ||
	    NAPI_GRO_CB(skb)->is_fou)
		return eoip_gro_gre->callbacks.gro_receive(head, skb);

	if (NAPI_GRO_CB(skb)->encap_mark ||
	    ntohs(hdr->frame_len) != skb_gro_len(skb) - EOIP_HLEN)
		goto out;
	NAPI_GRO_CB(skb)->encap_mark = 1;

	list_for_each_entry(held, head, list) {
		if (!NAPI_GRO_CB(held)->same_flow)
			continue;
		other = (const struct eoip_hdr *)(held->data + offset);
		if (other->magic != hdr->magic ||
		    other->tunnel_id != hdr->tunnel_id) {
			NAPI_GRO_CB(held)->same_flow = 0;
			continue;
		}
		ours = true;
		/* Another length: it joins nothing, and what it would have
		 * joined goes on before it.
		 */
		if (other->frame_len != hdr->frame_len)
			NAPI_GRO_CB(skb)->flush = 1;
	}
	if (!ours && !eoip_gro_is_ours(skb, hdr))
		goto out;

	skb_gro_pull(skb, EOIP_HLEN);
	skb_gro_postpull_rcsum(skb, hdr, EOIP_HLEN);
	done = call_gro_receive(eth_gro_receive, head, skb);
	flush = 0;
out:
	skb_gro_flush_final(skb, done, flush);
	return done;
}

/* As net_offload's: of a packet that others have joined. */
static int eoip_gro_complete(struct sk_buff *skb, int offset)
{
	const struct eoip_hdr *hdr = (struct eoip_hdr *)(skb->data + offset);
	int err;

	if (hdr->magic != htonl(EOIP_MAGIC))
		return eoip_gro_gre->callbacks.gro_complete(skb, offset);

	skb->encapsulation = 1;
	skb_shinfo(skb)->gso_type = SKB_GSO_GRE;
	offset += EOIP_HLEN;
	err = eth_gro_complete(skb, offset);
	skb_set_inner_mac_header(skb, offset);
	return err;
}

/* Puts @new in the place of @old, which is there. */
static int eoip_gro_replace(const struct net_offload *old,
			    const struct net_offload *new)
{
	const struct net_offload **place = (__force const struct net_offload **)
		&inet_offloads[EOIP_IPPROTO];

	return cmpxchg(place, old, new) == old ? 0 : -EBUSY;
}

int __init eoip_gro_init(void)
{
	eoip_gro_gre = rcu_access_pointer(inet_offloads[EOIP_IPPROTO]);
	if (!eoip_gro_gre)
		return 0;	/* A kernel without GRE: nothing is joined. */
	eoip_gro_offload.callbacks = eoip_gro_gre->callbacks;
	eoip_gro_offload.callbacks.gro_receive = eoip_gro_receive;
	eoip_gro_offload.callbacks.gro_complete = eoip_gro_complete;
	return eoip_gro_replace(eoip_gro_gre, &eoip_gro_offload);
}

void eoip_gro_exit(void)
{
	if (!eoip_gro_gre)
		return;
	WARN_ON(eoip_gro_replace(&eoip_gro_offload, eoip_gro_gre));
	synchronize_net();
}
