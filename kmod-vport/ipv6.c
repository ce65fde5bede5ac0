// SPDX-License-Identifier: GPL-2.0
/*
 * What is IPv6's about EoIPv6: the handler of its protocol number, which
 * nobody else has, the ICMPv6 errors that answer ours, routes and the outer
 * header.
 */
#include <linux/icmpv6.h>
#include <linux/ipv6.h>
#include <net/addrconf.h>
#include <net/icmp.h>
#include <net/ip6_route.h>
#include <net/ip6_tunnel.h>
#include <net/ipv6.h>
#include <net/protocol.h>
#include <net/xfrm.h>

#include "compat.h"
#include "eoip.h"

/* The id of the header at @offset, or -1 if it is no header of EoIPv6. */
static int eoip_ipv6_id(const struct sk_buff *skb, int offset)
{
	const __be16 *header;
	__be16 buffer;

	header = skb_header_pointer(skb, offset, sizeof(buffer), &buffer);
	return header ? eoip6_header_id(header) : -1;
}

static struct eoip_device *eoip_ipv6_find(const struct sk_buff *skb,
					  const struct in6_addr *remote,
					  const struct in6_addr *local, u16 id)
{
	return eoip_tunnels_find(eoip_net_get(dev_net(skb->dev)), remote,
				 local, id, skb->dev->ifindex,
				 inet6_sdif(skb));
}

/*
 * Whether there are extension headers before the one of EoIPv6.  A packet that
 * was put together has lost its fragment header; one that says it is a
 * fragment and is whole still has it.
 */
static bool eoip_ipv6_has_extensions(const struct sk_buff *skb)
{
	unsigned int len = sizeof(struct ipv6hdr);

	if (ipv6_hdr(skb)->nexthdr == NEXTHDR_FRAGMENT)
		len += sizeof(struct frag_hdr);
	return skb_network_header_len(skb) != len;
}

/* What is wrong with a packet before its length is looked at. */
static int eoip_ipv6_check(struct sk_buff *skb)
{
	if (eoip_ipv6_has_extensions(skb))
		return EOIP_KMOD_DROP_IP_OPTIONS;
	if (!xfrm6_policy_check(NULL, XFRM_POLICY_IN, skb))
		return EOIP_KMOD_DROP_IPSEC_POLICY;
	return EOIP_NO_DROP;
}

/* As inet6_protocol.handler: skb->data is behind the IPv6 headers. */
static int eoip_ipv6_receive(struct sk_buff *skb)
{
	const struct ipv6hdr *ip6h = ipv6_hdr(skb);
	struct eoip_device *device = NULL;
	struct eoip_packet packet;
	int id;

	id = eoip_ipv6_id(skb, 0);
	if (id >= 0 && skb->pkt_type == PACKET_HOST &&
	    !ipv6_addr_is_multicast(&ip6h->daddr))
		device = eoip_ipv6_find(skb, &ip6h->saddr, &ip6h->daddr, id);
	if (!device) {
		icmpv6_send(skb, ICMPV6_DEST_UNREACH, ICMPV6_PORT_UNREACH, 0);
		kfree_skb(skb);
		return 0;
	}

	packet = (struct eoip_packet){
		.id = id,
		.header_len = EOIP6_HLEN,
		.frame_len = skb->len - EOIP6_HLEN,
		.ipv6 = true,
	};
	if (!eoip_receive(skb, device, &packet, eoip_ipv6_check(skb)))
		consume_skb(skb);
	return 0;
}

/*
 * As inet6_protocol.err_handler: skb->data is the packet that we sent, if it
 * is as the error says.  We may have if it is from the address that the error
 * came to.  Tunnels that fragment need to know the path's MTU as well as
 * others, for no router does it for them; below 1280 the kernel does not go.
 */
static int eoip_ipv6_error(struct sk_buff *skb, struct inet6_skb_parm *opt,
			   u8 type, u8 code, int offset, __be32 info)
{
	const struct ipv6hdr *ip6h = (const struct ipv6hdr *)skb->data;
	int id = eoip_ipv6_id(skb, offset);

	if (id < 0 || !ipv6_addr_equal(&ip6h->saddr, &ipv6_hdr(skb)->daddr) ||
	    !eoip_ipv6_find(skb, &ip6h->daddr, &ip6h->saddr, id))
		return -ENOENT;
	if (type == ICMPV6_PKT_TOOBIG)
		ip6_update_pmtu(skb, dev_net(skb->dev), info,
				skb->dev->ifindex, 0,
				sock_net_uid(dev_net(skb->dev), NULL));
	return 0;
}

/*
 * Whether packets may leave from the local address of @path.  IPv4's routing
 * asks that itself.
 */
static bool eoip_ipv6_may_send_from(const struct eoip_device *device,
				    const struct eoip_path *path)
{
	return ipv6_addr_any(&path->local) ||
	       path->flow_flags & FLOWI_FLAG_ANYSRC ||
	       ipv6_chk_addr(device->net, &path->local, NULL, 0);
}

/*
 * As eoip_ipv4_route().  Routes in a cache are looked up anew when the host
 * gets or loses an address.
 */
struct dst_entry *eoip_ipv6_route(const struct eoip_device *device,
				  struct eoip_path *path, u32 hash,
				  struct dst_cache *cache)
{
	struct flowi6 fl6 = {
		.flowi6_oif = path->link,
		.flowi6_mark = path->mark,
		.flowi6_proto = EOIP6_IPPROTO,
		.flowlabel = ip6_make_flowinfo(path->tos & INET_DSCP_MASK, 0),
		.daddr = path->remote,
		.saddr = path->local,
		.mp_hash = hash,
	};
	struct dst_entry *dst;

	dst = cache ? dst_cache_get_ip6(cache, &path->local) : NULL;
	if (dst)
		return dst;
	/* With ipv6.disable=1 there are no addresses and no table of routes. */
	if (!ipv6_mod_enabled())
		return ERR_PTR(-EAFNOSUPPORT);
	if (!eoip_ipv6_may_send_from(device, path))
		return ERR_PTR(-EADDRNOTAVAIL);
	dst = ip6_dst_lookup_flow(device->net, NULL, &fl6, NULL);
	if (IS_ERR(dst))
		return dst;
	path->local = fl6.saddr;
	if (cache)
		dst_cache_set_ip6(cache, dst, &fl6.saddr);
	return dst;
}

/* As eoip_ipv4_transmit(). */
int eoip_ipv6_transmit(struct sk_buff *skb, const struct eoip_path *path,
		       bool xnet)
{
	struct ipv6hdr *ip6h;
	__be16 *header;

	header = skb_push(skb, EOIP6_HLEN);
	*header = htons((path->id >> 8) << 12 | EOIP6_MAGIC |
			(path->id & 0xff));
	skb_reset_transport_header(skb);

	skb_scrub_packet(skb, xnet);
	skb_clear_hash_if_not_l4(skb);
	skb_dst_set(skb, dst_clone(path->dst));
	/* DF is not IPv6's; without this, only sockets' packets are
	 * fragmented.
	 */
	skb->ignore_df = !path->df;

	skb_push(skb, sizeof(*ip6h));
	skb_reset_network_header(skb);
	ip6h = ipv6_hdr(skb);
	ip6_flow_hdr(ip6h, path->tos, 0);
	ip6h->payload_len = htons(skb->len - sizeof(*ip6h));
	ip6h->nexthdr = EOIP6_IPPROTO;
	ip6h->hop_limit = path->ttl;
	ip6h->saddr = path->local;
	ip6h->daddr = path->remote;
	memset(IP6CB(skb), 0, sizeof(*IP6CB(skb)));
	return ip6_local_out(dev_net(path->dst->dev), NULL, skb);
}

int eoip_ipv6_hop_limit(const struct eoip_path *path)
{
	return ip6_dst_hoplimit(path->dst);
}

static const struct inet6_protocol eoip_ipv6_protocol = {
	.handler = eoip_ipv6_receive,
	.err_handler = eoip_ipv6_error,
	.flags = INET6_PROTO_FINAL | INET6_PROTO_NOPOLICY,
};

int eoip_ipv6_init(void)
{
	return inet6_add_protocol(&eoip_ipv6_protocol, EOIP6_IPPROTO);
}

void eoip_ipv6_exit(void)
{
	inet6_del_protocol(&eoip_ipv6_protocol, EOIP6_IPPROTO);
}
