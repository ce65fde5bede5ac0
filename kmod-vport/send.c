// SPDX-License-Identifier: GPL-2.0
/*
 * Frame out: which way, does it fit, encapsulate, hand to the IP stack.
 * Called as ndo_start_xmit (under RCU) and by the keepalive timer.
 */
#include <linux/etherdevice.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/if_bridge.h>
#include <linux/ip.h>
#include <net/dst_metadata.h>
#include <net/icmp.h>
#include <net/inet_dscp.h>
#include <net/ip.h>
#include <net/ip_tunnels.h>
#include <net/route.h>

#include "compat.h"
#include "eoip.h"

/* Where and how a frame goes: what becomes the outer header. */
struct eoip_path {
	struct rtable *rt;	/* Owned. */
	__be32 local;
	__be32 remote;
	__be16 df;		/* htons(IP_DF) or 0. */
	u16 id;
	u8 tos;			/* ECN bits included. */
	u8 ttl;
};

static struct rtable *eoip_route(const struct eoip_device *device,
				 struct flowi4 *fl4, struct dst_cache *cache)
{
	struct rtable *rt = NULL;

	if (cache)
		rt = dst_cache_get_ip4(cache, &fl4->saddr);
	if (rt)
		return rt;
	rt = ip_route_output_key(device->net, fl4);
	if (IS_ERR(rt))
		return rt;
	if (rt->dst.dev == device->dev) {
		ip_rt_put(rt);
		return ERR_PTR(-ELOOP);
	}
	if (cache)
		dst_cache_set_ip4(cache, &rt->dst, fl4->saddr);
	return rt;
}

/*
 * The path of a frame by the device's own parameters.  The network header
 * must be parsed.  Returns the reason to drop the frame.
 */
static int eoip_path_by_device(struct eoip_path *path, struct sk_buff *skb,
			       struct eoip_device *device,
			       struct eoip_tunnel *tunnel)
{
	const struct eoip_params *params = &tunnel->params;
	bool inherit_tos = params->tos & 1;
	const struct iphdr *inner = ip_hdr(skb);
	struct flowi4 fl4;
	u8 tos;

	tos = inherit_tos ? ip_tunnel_get_dsfield(inner, skb) : params->tos;
	ip_tunnel_init_flow(&fl4, EOIP_IPPROTO, params->remote, params->local,
			    htonl(params->id), tos & INET_DSCP_MASK,
			    device->net, params->link, 0, skb_get_hash(skb),
			    0);
	path->rt = eoip_route(device, &fl4,
			      inherit_tos ? NULL : &tunnel->dst_cache);
	if (IS_ERR(path->rt))
		return EOIP_KMOD_DROP_NO_ROUTE;

	path->local = fl4.saddr;
	path->remote = params->remote;
	path->id = params->id;
	path->tos = ip_tunnel_ecn_encap(tos, inner, skb);
	path->ttl = params->ttl ?: ip_tunnel_get_ttl(inner, skb) ?:
		    ip4_dst_hoplimit(&path->rt->dst);
	path->df = params->df == EOIP_DF_SET ? htons(IP_DF) : 0;
	if (params->df == EOIP_DF_INHERIT &&
	    skb_protocol(skb, true) == htons(ETH_P_IP))
		path->df = inner->frag_off & htons(IP_DF);
	return EOIP_NO_DROP;
}

/* The path of a frame that brings its tunnel along: from OVS or a route. */
static int eoip_path_by_flow(struct eoip_path *path, struct sk_buff *skb,
			     struct eoip_device *device,
			     struct ip_tunnel_info *info)
{
	const struct ip_tunnel_key *key = &info->key;
	const struct iphdr *inner = ip_hdr(skb);
	struct flowi4 fl4;
	u8 tos;

	if (ip_tunnel_info_af(info) != AF_INET)
		return EOIP_KMOD_DROP_IPV6_UNDERLAY;
	if (be64_to_cpu(key->tun_id) > EOIP_KEY_MAX)
		return EOIP_KMOD_DROP_KEY_OUT_OF_RANGE;

	tos = key->tos == 1 ? ip_tunnel_get_dsfield(inner, skb) : key->tos;
	ip_tunnel_init_flow(&fl4, EOIP_IPPROTO, key->u.ipv4.dst,
			    key->u.ipv4.src, tunnel_id_to_key32(key->tun_id),
			    tos & INET_DSCP_MASK, device->net, 0, skb->mark,
			    skb_get_hash(skb), key->flow_flags);
	path->rt = eoip_route(device, &fl4,
			      key->tos != 1 &&
			      ip_tunnel_dst_cache_usable(skb, info) ?
			      &info->dst_cache : NULL);
	if (IS_ERR(path->rt))
		return EOIP_KMOD_DROP_NO_ROUTE;

	path->local = fl4.saddr;
	path->remote = key->u.ipv4.dst;
	path->id = be64_to_cpu(key->tun_id);
	path->tos = ip_tunnel_ecn_encap(tos, inner, skb);
	path->ttl = key->ttl ?: ip_tunnel_get_ttl(inner, skb) ?:
		    ip4_dst_hoplimit(&path->rt->dst);
	path->df = eoip_compat_tun_df(key) ? htons(IP_DF) : 0;
	return EOIP_NO_DROP;
}

static int eoip_path(struct eoip_path *path, struct sk_buff *skb,
		     struct eoip_device *device)
{
	struct eoip_tunnel *tunnel = rcu_dereference(device->tunnel);
	struct ip_tunnel_info *info;

	if (!device->external)
		return eoip_path_by_device(path, skb, device, tunnel);
	info = skb_tunnel_info(skb);
	if (!info || !(info->mode & IP_TUNNEL_INFO_TX))
		return EOIP_KMOD_DROP_NO_TUNNEL_INFO;
	return eoip_path_by_flow(path, skb, device, info);
}

/* Turns the address of a frame that came back as an ICMP error around. */
static void eoip_send_back(struct sk_buff *skb, struct net_device *dev)
{
	struct ip_tunnel_info *info = skb_tunnel_info(skb);

	if (info) {
		info = skb_tunnel_info_unclone(skb);
		if (!info) {
			kfree_skb(skb);
			return;
		}
		swap(info->key.u.ipv4.src, info->key.u.ipv4.dst);
		info->mode &= ~IP_TUNNEL_INFO_TX;
	}
	skb->protocol = eth_type_trans(skb, dev);
	netif_rx(skb);
}

static void eoip_send_too_big(struct sk_buff *skb, u32 mtu)
{
	if (skb->protocol == htons(ETH_P_IP) &&
	    (ip_hdr(skb)->frag_off & htons(IP_DF)))
		icmp_ndo_send(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED,
			      htonl(mtu));
	if (IS_ENABLED(CONFIG_IPV6) && skb->protocol == htons(ETH_P_IPV6))
		icmpv6_ndo_send(skb, ICMPV6_PKT_TOOBIG, 0, mtu);
}

/*
 * Whether a frame whose packet must not be fragmented is too long for its
 * path.  Then its sender was told as far as possible, and skb is gone.
 */
static bool eoip_send_exceeds_pmtu(struct sk_buff *skb,
				   struct eoip_device *device,
				   const struct eoip_path *path)
{
	u32 mtu = dst_mtu(&path->rt->dst) - EOIP_OVERHEAD;
	struct net_device *dev = device->dev;
	bool bridged, fits;
	int reply;

	if (!path->df)
		return false;
	if (skb_is_gso(skb))
		fits = skb_gso_validate_network_len(skb, mtu);
	else
		fits = skb->len - skb_network_offset(skb) <= mtu;
	if (fits)
		return false;

	bridged = netif_is_any_bridge_port(dev) || (dev->flags & IFF_PROMISC);
	reply = skb_tunnel_check_pmtu(skb, &path->rt->dst, EOIP_OVERHEAD,
				      bridged);
	eoip_device_count_drop(device, EOIP_KMOD_DROP_EXCEEDS_MTU);
	if (reply > 0) {
		eoip_send_back(skb, dev);
		return true;
	}
	if (!bridged)
		eoip_send_too_big(skb, mtu);
	kfree_skb(skb);
	return true;
}

static void eoip_push_header(struct sk_buff *skb, u16 frame_len, u16 id)
{
	struct eoip_hdr *hdr = skb_push(skb, EOIP_HLEN);

	hdr->magic = htonl(EOIP_MAGIC);
	hdr->frame_len = htons(frame_len);
	hdr->tunnel_id = cpu_to_le16(id);
	skb_reset_transport_header(skb);
}

static unsigned int eoip_headroom(const struct rtable *rt)
{
	return LL_RESERVED_SPACE(rt->dst.dev) + rt->dst.header_len +
	       sizeof(struct iphdr) + EOIP_HLEN;
}

/* Sends one packet, whose frame skb is; takes a reference of the route. */
static void eoip_send_packet(struct sk_buff *skb, struct eoip_device *device,
			     const struct eoip_path *path)
{
	bool xnet = !net_eq(device->net, dev_net(device->dev));
	u16 frame_len = eoip_segment_frame_len(skb);

	skb_set_inner_protocol(skb, htons(ETH_P_TEB));
	if (iptunnel_handle_offloads(skb, SKB_GSO_GRE)) {
		eoip_device_count_drop(device, EOIP_KMOD_DROP_TX_NO_MEMORY);
		kfree_skb(skb);
		return;
	}
	eoip_push_header(skb, frame_len, path->id);
	dst_hold(&path->rt->dst);
	eoip_compat_iptunnel_xmit(NULL, path->rt, skb, path->local,
				  path->remote, EOIP_IPPROTO, path->tos,
				  path->ttl, path->df, xnet);
}

/* What a frame may be, and how it is cut.  Returns the reason to drop it. */
static int eoip_send_frames(struct sk_buff *skb, struct eoip_device *device,
			    const struct eoip_path *path)
{
	struct sk_buff *frames, *next;

	if (skb_cow_head(skb, eoip_headroom(path->rt)))
		return EOIP_KMOD_DROP_TX_NO_MEMORY;
	ip_tunnel_adj_headroom(device->dev, eoip_headroom(path->rt));

	frames = eoip_segment(skb, path->rt->dst.dev);
	if (IS_ERR(frames))
		return PTR_ERR(frames) == -ENOMEM ?
		       EOIP_KMOD_DROP_TX_NO_MEMORY :
		       EOIP_KMOD_DROP_TX_MALFORMED;
	skb_list_walk_safe(frames, skb, next) {
		skb_mark_not_on_list(skb);
		eoip_send_packet(skb, device, path);
	}
	return EOIP_NO_DROP;
}

netdev_tx_t eoip_send(struct sk_buff *skb, struct net_device *dev)
{
	struct eoip_device *device = netdev_priv(dev);
	struct eoip_path path;
	int drop;

	if (eoip_frame_parse(skb))
		drop = EOIP_KMOD_DROP_TX_MALFORMED;
	else if (!skb_is_gso(skb) && skb->len > EOIP_FRAME_MAX)
		drop = EOIP_KMOD_DROP_FRAME_TOO_LONG;
	else
		drop = eoip_path(&path, skb, device);
	if (drop != EOIP_NO_DROP)
		goto drop;

	if (!eoip_send_exceeds_pmtu(skb, device, &path))
		drop = eoip_send_frames(skb, device, &path);
	ip_rt_put(path.rt);
	if (drop == EOIP_NO_DROP)
		return NETDEV_TX_OK;
drop:
	eoip_device_count_drop(device, drop);
	kfree_skb(skb);
	return NETDEV_TX_OK;
}

/* Tells OVS which source address a frame with this metadata would have. */
int eoip_send_fill_metadata(struct net_device *dev, struct sk_buff *skb)
{
	struct ip_tunnel_info *info = skb_tunnel_info_unclone(skb);
	struct eoip_device *device = netdev_priv(dev);
	struct eoip_path path;

	if (!info || ip_tunnel_info_af(info) != AF_INET ||
	    eoip_path_by_flow(&path, skb, device, info) != EOIP_NO_DROP)
		return -EINVAL;
	ip_rt_put(path.rt);
	info->key.u.ipv4.src = path.local;
	return 0;
}

/*
 * A header with no frame behind it.  [cap]  False when there was no route or
 * no memory.  Under RCU, in softirq.
 */
bool eoip_send_keepalive(struct eoip_device *device,
			 struct eoip_tunnel *tunnel)
{
	const struct eoip_params *params = &tunnel->params;
	struct flowi4 fl4;
	struct sk_buff *skb;
	struct rtable *rt;

	ip_tunnel_init_flow(&fl4, EOIP_IPPROTO, params->remote, params->local,
			    htonl(params->id), params->tos & INET_DSCP_MASK,
			    device->net, params->link, 0, 0, 0);
	rt = eoip_route(device, &fl4, NULL);
	if (IS_ERR(rt))
		return false;
	skb = alloc_skb(eoip_headroom(rt), GFP_ATOMIC);
	if (!skb) {
		ip_rt_put(rt);
		return false;
	}
	skb_reserve(skb, eoip_headroom(rt));
	skb->protocol = htons(ETH_P_IP);
	eoip_push_header(skb, 0, params->id);
	/* Without a device, no frame is counted. */
	eoip_compat_iptunnel_xmit(NULL, rt, skb, fl4.saddr, params->remote,
				  EOIP_IPPROTO, params->tos & INET_DSCP_MASK,
				  params->ttl ?: ip4_dst_hoplimit(&rt->dst),
				  0, true);
	return true;
}
