// SPDX-License-Identifier: GPL-2.0
/*
 * What is IPv4's about EoIP: the hook through which packets come, the ICMP
 * errors that answer ours, routes and the outer header.
 *
 * The hook stands at the end of LOCAL_IN, where packets are whole and have
 * passed the firewall, and before the protocol handlers: those of protocol 47
 * know GRE and PPTP only, and keep what no tunnel of ours wants.
 */
#include <linux/icmp.h>
#include <linux/ip.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <net/ip.h>
#include <net/ip_tunnels.h>
#include <net/route.h>
#include <net/xfrm.h>

#include "compat.h"
#include "eoip.h"

/* Whether a packet that is delivered here was sent to this host alone. */
static bool eoip_ipv4_is_unicast(const struct sk_buff *skb)
{
	return skb->pkt_type == PACKET_HOST &&
	       !(skb_rtable(skb)->rt_flags &
		 (RTCF_BROADCAST | RTCF_MULTICAST));
}

/* The EoIP header at @offset, or NULL if it is none. */
static const struct eoip_hdr *eoip_ipv4_header(const struct sk_buff *skb,
					       int offset,
					       struct eoip_hdr *buffer)
{
	const struct eoip_hdr *hdr;

	hdr = skb_header_pointer(skb, offset, sizeof(*hdr), buffer);
	return hdr && hdr->magic == htonl(EOIP_MAGIC) ? hdr : NULL;
}

static struct eoip_device *eoip_ipv4_find(const struct nf_hook_state *state,
					  const struct sk_buff *skb,
					  __be32 remote, __be32 local,
					  const struct eoip_hdr *hdr)
{
	struct in6_addr remote6, local6;

	ipv6_addr_set_v4mapped(remote, &remote6);
	ipv6_addr_set_v4mapped(local, &local6);
	return eoip_tunnels_find(eoip_net_get(state->net), &remote6, &local6,
				 le16_to_cpu(hdr->tunnel_id),
				 state->in->ifindex, inet_sdif(skb));
}

/* Whether a device sends packets that a router may not fragment. */
static bool eoip_ipv4_sends_df(const struct eoip_device *device)
{
	const struct eoip_tunnel *tunnel = rcu_dereference(device->tunnel);

	return device->external ||
	       (tunnel && tunnel->params.df != EOIP_DF_NO);
}

/*
 * A router on the way says that our packet, of which it quotes the beginning,
 * was too big.  Nobody else in the kernel understands the quotation.
 *
 * Anybody can write such a thing, and what is believed of it holds for all
 * traffic to that host.  So the quoted packet must be one that we may have
 * sent: from the address that the error came to, with DF, and of a tunnel
 * that sends DF.  A tunnel with df=no, the default, believes nothing.
 */
static void eoip_ipv4_receive_icmp(struct sk_buff *skb,
				   const struct nf_hook_state *state)
{
	/* Routes of a VRF are found by its name alone. */
	int oif = netif_is_l3_master(state->in) ? state->in->ifindex : 0;
	int offset = ip_hdrlen(skb);
	struct eoip_device *device;
	struct iphdr quoted_buffer;
	const struct iphdr *quoted;
	struct icmphdr icmp_buffer;
	const struct icmphdr *icmp;
	struct eoip_hdr hdr_buffer;
	const struct eoip_hdr *hdr;
	u32 mtu;

	icmp = skb_header_pointer(skb, offset, sizeof(*icmp), &icmp_buffer);
	if (!icmp || icmp->type != ICMP_DEST_UNREACH ||
	    icmp->code != ICMP_FRAG_NEEDED || !icmp->un.frag.mtu)
		return;
	mtu = ntohs(icmp->un.frag.mtu);
	quoted = skb_header_pointer(skb, offset + sizeof(*icmp),
				    sizeof(*quoted), &quoted_buffer);
	if (!quoted || quoted->protocol != EOIP_IPPROTO || quoted->ihl != 5 ||
	    !(quoted->frag_off & htons(IP_DF)) ||
	    quoted->saddr != ip_hdr(skb)->daddr || !eoip_ipv4_is_unicast(skb))
		return;
	hdr = eoip_ipv4_header(skb, offset + sizeof(*icmp) + sizeof(*quoted),
			       &hdr_buffer);
	if (!hdr || nf_ip_checksum(skb, NF_INET_LOCAL_IN, offset,
				   IPPROTO_ICMP))
		return;
	device = eoip_ipv4_find(state, skb, quoted->daddr, quoted->saddr, hdr);
	if (!device || !eoip_ipv4_sends_df(device))
		return;

	/* ipv4_update_pmtu() wants the quoted header where skb->data is. */
	offset += sizeof(*icmp);
	if (!pskb_may_pull(skb, offset + sizeof(*quoted)))
		return;
	__skb_pull(skb, offset);
	ipv4_update_pmtu(skb, state->net, mtu, oif, EOIP_IPPROTO);
	__skb_push(skb, offset);
}

/* What is wrong with a packet before its length is looked at. */
static int eoip_ipv4_check(struct sk_buff *skb)
{
	if (ip_hdrlen(skb) != sizeof(struct iphdr))
		return EOIP_KMOD_DROP_IP_OPTIONS;
	if (!xfrm4_policy_check(NULL, XFRM_POLICY_IN, skb))
		return EOIP_KMOD_DROP_IPSEC_POLICY;
	return EOIP_NO_DROP;
}

/*
 * As a netfilter hook, under RCU: in softirq, but where a program lets packets
 * through (NFQUEUE), in that process.  What takes a packet is made for softirq.
 */
unsigned int eoip_ipv4_receive(void *priv, struct sk_buff *skb,
			       const struct nf_hook_state *state)
{
	const struct iphdr *iph = ip_hdr(skb);
	struct eoip_device *device;
	struct eoip_packet packet;
	const struct eoip_hdr *hdr;
	struct eoip_hdr buffer;
	int drop, offset;
	bool taken;

	if (iph->protocol == IPPROTO_ICMP) {
		eoip_ipv4_receive_icmp(skb, state);
		return NF_ACCEPT;
	}
	if (iph->protocol != EOIP_IPPROTO)
		return NF_ACCEPT;
	hdr = eoip_ipv4_header(skb, ip_hdrlen(skb), &buffer);
	if (!hdr || !eoip_ipv4_is_unicast(skb))
		return NF_ACCEPT;
	device = eoip_ipv4_find(state, skb, iph->saddr, iph->daddr, hdr);
	if (!device)
		return NF_ACCEPT;

	packet = (struct eoip_packet){
		.id = le16_to_cpu(hdr->tunnel_id),
		.header_len = EOIP_HLEN,
		.frame_len = ntohs(hdr->frame_len),
	};
	drop = eoip_ipv4_check(skb);
	offset = ip_hdrlen(skb);
	__skb_pull(skb, offset);
	local_bh_disable();
	taken = eoip_receive(skb, device, &packet, drop);
	local_bh_enable();
	if (taken)
		return NF_STOLEN;
	__skb_push(skb, offset);
	return NF_ACCEPT;
}

/*
 * The route of @path, whose local address is filled in if it has none.  From
 * @cache and into it, if that is not NULL.
 */
struct dst_entry *eoip_ipv4_route(const struct eoip_device *device,
				  struct eoip_path *path, u32 hash,
				  struct dst_cache *cache)
{
	__be32 *local = &path->local.s6_addr32[3];
	struct flowi4 fl4;
	struct rtable *rt;

	rt = cache ? dst_cache_get_ip4(cache, local) : NULL;
	if (rt)
		return &rt->dst;
	ip_tunnel_init_flow(&fl4, EOIP_IPPROTO, path->remote.s6_addr32[3],
			    *local, htonl(path->id),
			    path->tos & INET_DSCP_MASK, device->net,
			    path->link, path->mark, hash, path->flow_flags);
	rt = ip_route_output_key(device->net, &fl4);
	if (IS_ERR(rt))
		return ERR_CAST(rt);
	*local = fl4.saddr;
	if (cache)
		dst_cache_set_ip4(cache, &rt->dst, fl4.saddr);
	return &rt->dst;
}

/*
 * Puts the outer header before @skb and sends it.  Not by iptunnel_xmit(),
 * which counts the frame without its Ethernet header.
 */
static int eoip_ipv4_output(struct sk_buff *skb, const struct eoip_path *path)
{
	struct net *net = dev_net(path->dst->dev);
	struct iphdr *iph = skb_push(skb, sizeof(*iph));

	skb_reset_network_header(skb);
	memset(IPCB(skb), 0, sizeof(*IPCB(skb)));
	iph->version = 4;
	iph->ihl = sizeof(*iph) / 4;
	iph->tos = path->tos;
	iph->ttl = path->ttl;
	iph->protocol = EOIP_IPPROTO;
	iph->saddr = path->local.s6_addr32[3];
	iph->daddr = path->remote.s6_addr32[3];
	iph->frag_off = 0;
	if (path->df && !ip_mtu_locked(path->dst))
		iph->frag_off = htons(IP_DF);
	/* Every packet may be fragmented on its way, so each has an id. */
	__ip_select_ident(net, iph, skb_shinfo(skb)->gso_segs ?: 1);
	return ip_local_out(net, NULL, skb);
}

/*
 * Takes @skb, whose data is the frame's, and a reference of the route.
 * Returns as ip_local_out() does.
 */
int eoip_ipv4_transmit(struct sk_buff *skb, const struct eoip_path *path,
		       bool xnet)
{
	const u16 frame_len = skb->len;
	struct eoip_hdr *hdr = skb_push(skb, EOIP_HLEN);

	hdr->magic = htonl(EOIP_MAGIC);
	hdr->frame_len = htons(frame_len);
	hdr->tunnel_id = cpu_to_le16(path->id);
	skb_reset_transport_header(skb);

	skb_scrub_packet(skb, xnet);
	skb_clear_hash_if_not_l4(skb);
	skb_dst_set(skb, dst_clone(path->dst));
	return eoip_ipv4_output(skb, path);
}
