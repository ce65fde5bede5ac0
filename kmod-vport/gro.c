// SPDX-License-Identifier: GPL-2.0
/*
 * Packets of a tunnel that come one behind the other are joined (GRO) where a
 * card's driver hands them over, so that they pass routing and netfilter once.
 * Called through the slots of offload.c, which also says how a joined packet
 * looks and is cut again; in softirq, under RCU.
 *
 * Only TCP of one tunnel is joined, and only where it ends in a tunnel here.
 */
#include <linux/etherdevice.h>
#include <linux/if_macvlan.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <net/addrconf.h>
#include <net/gro.h>
#include <net/protocol.h>
#include <net/route.h>

#include "compat.h"
#include "eoip.h"

/* Return the tunnel id of the header @hdr, or -1 if it is not EoIP's. */
static inline int eoip_header_id(const void *hdr, bool ipv6)
{
	const struct eoip_hdr *eoip = hdr;

	if (ipv6)
		return eoip6_header_id(hdr);
	return eoip->magic == htonl(EOIP_MAGIC) ?
	       le16_to_cpu(eoip->tunnel_id) : -1;
}

/* Where a packet goes, as far as joining needs to know. */
struct eoip_gro_packet {
	struct in6_addr remote;
	struct in6_addr local;
	u16 id;
	bool ipv6;
};

/* Whether a packet that @dev receives, or @lower for it, ends in a tunnel. */
static bool eoip_gro_ends_at(const struct eoip_gro_packet *packet,
			     const struct net_device *dev,
			     const struct net_device *lower)
{
	struct net *net = dev_net(dev);
	const struct eoip_tunnel *tunnel;
	struct eoip_device *device;

	device = eoip_tunnels_find(eoip_net_get(net), &packet->remote,
				   &packet->local, packet->id, dev->ifindex,
				   lower->ifindex);
	if (!device)
		return false;
	/* A tunnel from one address to another need not ask whose it is. */
	tunnel = rcu_dereference(device->tunnel);
	if (tunnel && !ipv6_addr_any(&tunnel->params.local))
		return true;
	if (packet->ipv6)
		return IS_ENABLED(CONFIG_IPV6) &&
		       ipv6_chk_addr(net, &packet->local, NULL, 0);
	return inet_addr_type_dev_table(net, dev,
					packet->local.s6_addr32[3]) ==
	       RTN_LOCAL;
}

/* The VLAN device that will receive @skb, or NULL.  @data is behind the MAC. */
static struct net_device *eoip_gro_vlan(const struct sk_buff *skb,
					const void *data)
{
	const struct vlan_hdr *tag = data;

	if (skb_vlan_tag_present(skb))
		return __vlan_find_dev_deep_rcu(skb->dev, skb->vlan_proto,
						skb_vlan_tag_get_id(skb));
	if (eth_type_vlan(skb->protocol))
		return __vlan_find_dev_deep_rcu(skb->dev, skb->protocol,
						ntohs(tag->h_vlan_TCI) &
						VLAN_VID_MASK);
	return NULL;
}

/* Fill in @packet from what is before its EoIP header @hdr. */
static bool eoip_gro_parse(const void *hdr, int id, bool ipv6,
			   struct eoip_gro_packet *packet)
{
	/* IPv4 options do not come here, IPv6 extension headers do. */
	const struct iphdr *iph = hdr - sizeof(*iph);
	const struct ipv6hdr *ip6h = hdr - sizeof(*ip6h);

	packet->id = id;
	packet->ipv6 = ipv6;
	if (ipv6) {
		packet->remote = ip6h->saddr;
		packet->local = ip6h->daddr;
		return ip6h->version == 6 && ip6h->nexthdr == EOIP6_IPPROTO;
	}
	ipv6_addr_set_v4mapped(iph->saddr, &packet->remote);
	ipv6_addr_set_v4mapped(iph->daddr, &packet->local);
	return true;
}

/*
 * Whether a packet will end here in a tunnel: others are left as they are,
 * for a program may read them.  Joining comes before VLAN, bond, bridge, VRF
 * and macvlan devices have their turn, so these are looked for.
 */
static bool eoip_gro_is_ours(const struct sk_buff *skb, const void *hdr,
			     int id, bool ipv6)
{
	struct net_device *dev, *upper;
	struct eoip_gro_packet packet;
	struct list_head *iter;

	if (!eoip_gro_parse(hdr, id, ipv6, &packet))
		return false;
	dev = eoip_gro_vlan(skb, hdr - skb_gro_offset(skb)) ?: skb->dev;
	for (; dev; dev = netdev_master_upper_dev_get_rcu(dev)) {
		if (eoip_gro_ends_at(&packet, dev, skb->dev))
			return true;
		if (!netif_is_macvlan_port(dev))
			continue;
		netdev_for_each_upper_dev_rcu(dev, upper, iter)
			if (netif_is_macvlan(upper) &&
			    ether_addr_equal(upper->dev_addr,
					     eth_hdr(skb)->h_dest) &&
			    eoip_gro_ends_at(&packet, upper, upper))
				return true;
	}
	return false;
}

/* Bytes of a frame that eoip_gro_is_tcp() looks at. */
#define EOIP_GRO_LOOK	(ETH_HLEN + VLAN_HLEN + \
			 offsetofend(struct iphdr, protocol))

/* Whether a frame is TCP, behind one VLAN tag at most. */
static __always_inline bool eoip_gro_is_tcp(const struct ethhdr *eth)
{
	const __be16 *type = &eth->h_proto;
	const void *ip;

	if (eth_type_vlan(*type))
		type += VLAN_HLEN / sizeof(*type);
	ip = type + 1;
	switch (*type) {
	case htons(ETH_P_IP):
		return ((const struct iphdr *)ip)->protocol == IPPROTO_TCP;
	case htons(ETH_P_IPV6):
		return ((const struct ipv6hdr *)ip)->nexthdr == IPPROTO_TCP;
	default:
		return false;
	}
}

/*
 * Mark those of @head that are of another tunnel than the packet @skb, whose
 * tunnel is @id.  Return whether one is of the same.
 */
static __always_inline bool
eoip_gro_match(struct list_head *head, struct sk_buff *skb, int id, bool ipv6)
{
	const unsigned int offset = skb_gro_offset(skb);
	struct sk_buff *held;
	bool found = false;

	list_for_each_entry(held, head, list) {
		if (!NAPI_GRO_CB(held)->same_flow)
			continue;
		if (eoip_header_id(held->data + offset, ipv6) != id) {
			NAPI_GRO_CB(held)->same_flow = 0;
			continue;
		}
		found = true;
		/* The length of the whole has to fit the headers. */
		if (held->len + skb_gro_len(skb) > U16_MAX)
			NAPI_GRO_CB(skb)->flush = 1;
	}
	return found;
}

/*
 * As net_offload's gro_receive, of a packet of tunnel @id with the header
 * @hdr: @head are the packets that are held back, and the result is the one
 * of them that has to go on.
 */
static __always_inline struct sk_buff *
eoip_gro_join(struct list_head *head, struct sk_buff *skb, const void *hdr,
	      int id, bool ipv6)
{
	const unsigned int header_len = ipv6 ? EOIP6_HLEN : EOIP_HLEN;
	struct sk_buff *done = NULL;
	int flush = 1;

	if (NAPI_GRO_CB(skb)->encap_mark ||
	    skb->dev->features & NETIF_F_GRO_FRAGLIST ||
	    !eoip_gro_is_tcp(hdr + header_len))
		goto out;
	NAPI_GRO_CB(skb)->encap_mark = 1;

	if (!eoip_gro_match(head, skb, id, ipv6) &&
	    !eoip_gro_is_ours(skb, hdr, id, ipv6))
		goto out;

	skb_gro_pull(skb, header_len);
	skb_gro_postpull_rcsum(skb, hdr, header_len);
	/* The mark bounds how often this is gone through, so no count does. */
	done = eth_gro_receive(head, skb);
	flush = 0;
out:
	skb_gro_flush_final(skb, done, flush);
	return done;
}

/* What is too short for TCP goes on to GRE as well, which leaves it alone. */
struct sk_buff *eoip_gro_receive(struct list_head *head, struct sk_buff *skb)
{
	const unsigned int offset = skb_gro_offset(skb);
	const struct eoip_hdr *hdr;
	int id;

	hdr = skb_gro_header(skb, offset + EOIP_HLEN + EOIP_GRO_LOOK, offset);
	id = hdr && !NAPI_GRO_CB(skb)->is_fou ? eoip_header_id(hdr, false) : -1;
	if (id < 0 && eoip_gre && eoip_gre->callbacks.gro_receive)
		return eoip_gre->callbacks.gro_receive(head, skb);
	if (id >= 0 && ntohs(hdr->frame_len) == skb_gro_len(skb) - EOIP_HLEN)
		return eoip_gro_join(head, skb, hdr, id, false);
	NAPI_GRO_CB(skb)->flush = 1;
	return NULL;
}

struct sk_buff *eoip6_gro_receive(struct list_head *head, struct sk_buff *skb)
{
	const unsigned int offset = skb_gro_offset(skb);
	const void *hdr;
	int id;

	hdr = skb_gro_header(skb, offset + EOIP6_HLEN + EOIP_GRO_LOOK, offset);
	id = hdr ? eoip_header_id(hdr, true) : -1;
	if (id >= 0)
		return eoip_gro_join(head, skb, hdr, id, true);
	NAPI_GRO_CB(skb)->flush = 1;
	return NULL;
}

/* As net_offload's gro_complete: of a packet that others have joined. */
static int eoip_gro_finish(struct sk_buff *skb, int offset)
{
	int err;

	skb->encapsulation = 1;
	skb_shinfo(skb)->gso_type = SKB_GSO_GRE | SKB_GSO_DODGY;
	err = eth_gro_complete(skb, offset);
	skb_set_inner_mac_header(skb, offset);
	return err;
}

int eoip_gro_complete(struct sk_buff *skb, int offset)
{
	struct eoip_hdr *hdr = (struct eoip_hdr *)(skb->data + offset);

	if (eoip_header_id(hdr, false) < 0)
		return eoip_gre ?
		       eoip_gre->callbacks.gro_complete(skb, offset) : -ENOENT;
	offset += EOIP_HLEN;
	hdr->frame_len = htons(skb->len - offset);
	return eoip_gro_finish(skb, offset);
}

int eoip6_gro_complete(struct sk_buff *skb, int offset)
{
	return eoip_gro_finish(skb, offset + EOIP6_HLEN);
}
