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
#include <linux/ipv6.h>
#include <net/dst_metadata.h>
#include <net/icmp.h>
#include <net/inet_dscp.h>
#include <net/ip_tunnels.h>
#include <net/route.h>

#include "compat.h"
#include "eoip.h"

/*
 * Finds path->dst.  Returns nonzero if there is no way: -EPERM where IPsec does
 * not let the packet out.
 */
int eoip_path_route(const struct eoip_device *device, struct eoip_path *path,
		    u32 hash, struct dst_cache *cache)
{
	path->dst = path->ipv6 ? eoip_ipv6_route(device, path, hash, cache) :
				 eoip_ipv4_route(device, path, hash, cache);
	if (IS_ERR(path->dst))
		return PTR_ERR(path->dst);
	if (path->dst->dev == device->dev) {
		dst_release(path->dst);
		return -ELOOP;
	}
	/* What IPsec has a policy for, and no keys yet, is led to nowhere. */
	if (path->dst->output == dst_discard_out) {
		dst_release(path->dst);
		return -EPERM;
	}
	return 0;
}

static u8 eoip_path_hop_limit(const struct eoip_path *path)
{
	return path->ipv6 ? eoip_ipv6_hop_limit(path) :
			    ip4_dst_hoplimit(path->dst);
}

/* The parts of a path that parameters determine. */
void eoip_path_init(struct eoip_path *path, const struct eoip_params *params)
{
	*path = (struct eoip_path){
		.remote = params->remote,
		.local = params->local,
		.link = params->link,
		.id = params->id,
		.tos = params->tos & INET_DSCP_MASK,
		.ttl = params->ttl,
		.df = params->df == EOIP_DF_SET,
		.ipv6 = eoip_params_are_ipv6(params),
	};
}

/* The outer DF bit that is the frame's own; only IPv4 has one. */
static void eoip_path_inherit_df(struct eoip_path *path, struct sk_buff *skb)
{
	if (skb_protocol(skb, true) == htons(ETH_P_IP))
		path->df = ip_hdr(skb)->frag_off & htons(IP_DF);
}

/* Where a frame's tunnel and the flow's fields come from, and a cache. */
static int eoip_path_by_device(struct eoip_path *path, struct sk_buff *skb,
			       struct eoip_tunnel *tunnel,
			       struct dst_cache **cache)
{
	const struct eoip_params *params = &tunnel->params;

	eoip_path_init(path, params);
	*cache = &tunnel->dst_cache;
	if (params->tos == 1) {
		path->tos = ip_tunnel_get_dsfield(ip_hdr(skb), skb);
		*cache = NULL;
	}
	if (params->df == EOIP_DF_INHERIT)
		eoip_path_inherit_df(path, skb);
	return EOIP_NO_DROP;
}

/*
 * Whether @address stands for an end whose address the switch does not know
 * yet.  Loopback and IPv6's discard prefix (RFC 6666) do, as no tunnel leads
 * there.
 */
static bool eoip_is_place_holder(const struct in6_addr *address)
{
	if (ipv6_addr_v4mapped(address))
		return ipv4_is_loopback(address->s6_addr32[3]);
	return address->s6_addr32[0] == htonl(0x01000000) &&
	       !address->s6_addr32[1];
}

/* As above, of a frame that brings its tunnel along: from OVS or a route. */
static int eoip_path_by_flow(struct eoip_path *path, struct sk_buff *skb,
			     struct ip_tunnel_info *info,
			     struct dst_cache **cache)
{
	const struct ip_tunnel_key *key = &info->key;
	u64 id = be64_to_cpu(key->tun_id);

	*path = (struct eoip_path){
		.mark = skb->mark,
		.flow_flags = key->flow_flags,
		.id = id,
		.tos = key->tos,
		.ttl = key->ttl,
		.df = eoip_compat_tun_df(key),
		.ipv6 = ip_tunnel_info_af(info) == AF_INET6,
	};
	if (path->ipv6 && !ipv6_mod_enabled())
		return EOIP_KMOD_DROP_IPV6_UNDERLAY;
	if (id > (path->ipv6 ? EOIP6_KEY_MAX : EOIP_KEY_MAX))
		return EOIP_KMOD_DROP_KEY_OUT_OF_RANGE;
	if (path->ipv6) {
		path->remote = key->u.ipv6.dst;
		path->local = key->u.ipv6.src;
	} else {
		ipv6_addr_set_v4mapped(key->u.ipv4.dst, &path->remote);
		ipv6_addr_set_v4mapped(key->u.ipv4.src, &path->local);
	}
	if (eoip_is_place_holder(&path->remote) ||
	    eoip_is_place_holder(&path->local))
		return EOIP_KMOD_DROP_ENDPOINT_UNRESOLVED;
	if (eoip_compat_tun_inherits_df(key))
		eoip_path_inherit_df(path, skb);
	*cache = NULL;
	if (key->tos == 1)
		path->tos = ip_tunnel_get_dsfield(ip_hdr(skb), skb);
	else if (ip_tunnel_dst_cache_usable(skb, info))
		*cache = &info->dst_cache;
	return EOIP_NO_DROP;
}

/*
 * The whole path of a parsed frame, with a reference of its route.  Returns
 * the reason to drop the frame.
 */
static int eoip_path_find(struct eoip_path *path, struct sk_buff *skb,
			  struct eoip_device *device)
{
	struct ip_tunnel_info *info = skb_tunnel_info(skb);
	const struct iphdr *inner = ip_hdr(skb);
	struct eoip_tunnel *tunnel;
	struct dst_cache *cache;
	int drop, error;

	/* The stack's transmit path holds RCU for softirqs, OVS the plain. */
	tunnel = rcu_dereference_check(device->tunnel,
				       rcu_read_lock_bh_held());
	if (!device->external)
		drop = eoip_path_by_device(path, skb, tunnel, &cache);
	else if (info && (info->mode & IP_TUNNEL_INFO_TX))
		drop = eoip_path_by_flow(path, skb, info, &cache);
	else
		drop = EOIP_KMOD_DROP_NO_TUNNEL_INFO;
	if (drop != EOIP_NO_DROP)
		return drop;

	error = eoip_path_route(device, path, skb_get_hash(skb), cache);
	if (error)
		return error == -EPERM ? EOIP_KMOD_DROP_IPSEC_BLOCKED :
					 EOIP_KMOD_DROP_NO_ROUTE;
	path->tos = ip_tunnel_ecn_encap(path->tos, inner, skb);
	path->ttl = path->ttl ?: ip_tunnel_get_ttl(inner, skb) ?:
		    eoip_path_hop_limit(path);
	return EOIP_NO_DROP;
}

/*
 * A frame that was turned into an ICMP error for its sender comes back, as if
 * the remote end had sent it.  The flow may have left the own address open.
 */
static void eoip_send_back(struct sk_buff *skb, struct net_device *dev,
			   const struct eoip_path *path)
{
	struct ip_tunnel_info *info = skb_tunnel_info(skb);

	if (info) {
		info = skb_tunnel_info_unclone(skb);
		if (!info) {
			kfree_skb(skb);
			return;
		}
		if (path->ipv6) {
			info->key.u.ipv6.src = path->remote;
			info->key.u.ipv6.dst = path->local;
		} else {
			info->key.u.ipv4.src = path->remote.s6_addr32[3];
			info->key.u.ipv4.dst = path->local.s6_addr32[3];
		}
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
	if (ipv6_mod_enabled() && skb->protocol == htons(ETH_P_IPV6))
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
	u32 overhead = eoip_overhead(path->ipv6);
	u32 mtu = dst_mtu(path->dst) - overhead;
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

	bridged = netif_is_any_bridge_port(dev);
	reply = skb_tunnel_check_pmtu(skb, path->dst, overhead, bridged);
	if (reply > 0) {
		eoip_device_count_drop(device, EOIP_KMOD_DROP_EXCEEDS_MTU);
		eoip_send_back(skb, dev, path);
		return true;
	}
	if (!bridged)
		eoip_send_too_big(skb, mtu);
	eoip_device_drop(device, skb, EOIP_KMOD_DROP_EXCEEDS_MTU);
	return true;
}

static unsigned int eoip_headroom(const struct eoip_path *path)
{
	return LL_RESERVED_SPACE(path->dst->dev) + path->dst->header_len +
	       eoip_overhead(path->ipv6) - ETH_HLEN;
}

/* Sends one packet, whose frame skb is. */
static void eoip_send_packet(struct sk_buff *skb, struct eoip_device *device,
			     const struct eoip_path *path)
{
	bool xnet = !net_eq(device->net, dev_net(device->dev));
	unsigned int len = skb->len;
	int err;

	skb_set_inner_protocol(skb, htons(ETH_P_TEB));
	if (iptunnel_handle_offloads(skb, SKB_GSO_GRE | SKB_GSO_DODGY)) {
		eoip_device_drop(device, skb, EOIP_KMOD_DROP_TX_NO_MEMORY);
		return;
	}
	eoip_compat_gso_encapsulate(skb);
	err = path->ipv6 ? eoip_ipv6_transmit(skb, path, xnet) :
			   eoip_ipv4_transmit(skb, path, xnet);
	if (net_xmit_eval(err))
		dev_core_stats_tx_dropped_inc(device->dev);
	else
		dev_sw_netstats_tx_add(device->dev, 1, len);
}

/* Cuts the frame as its path needs it.  Returns the reason to drop it. */
static int eoip_send_frames(struct sk_buff *skb, struct eoip_device *device,
			    const struct eoip_path *path)
{
	struct sk_buff *frames, *next;

	if (skb_cow_head(skb, eoip_headroom(path)))
		return EOIP_KMOD_DROP_TX_NO_MEMORY;
	ip_tunnel_adj_headroom(device->dev, eoip_headroom(path));

	frames = eoip_offload_frames(skb, path->ipv6);
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

/* As ndo_start_xmit. */
netdev_tx_t eoip_send(struct sk_buff *skb, struct net_device *dev)
{
	struct eoip_device *device = netdev_priv(dev);
	struct eoip_path path;
	int drop;

	if (unlikely(dev_recursion_level() > IP_TUNNEL_RECURSION_LIMIT))
		drop = EOIP_KMOD_DROP_RECURSION;
	else if (eoip_frame_parse(skb))
		drop = EOIP_KMOD_DROP_TX_MALFORMED;
	else if (!skb_is_gso(skb) && skb->len > EOIP_FRAME_MAX)
		drop = EOIP_KMOD_DROP_FRAME_TOO_LONG;
	else
		drop = eoip_path_find(&path, skb, device);
	if (drop != EOIP_NO_DROP)
		goto drop;

	if (!eoip_send_exceeds_pmtu(skb, device, &path)) {
		eoip_compat_recursion_enter();
		drop = eoip_send_frames(skb, device, &path);
		eoip_compat_recursion_leave();
	}
	dst_release(path.dst);
	if (drop == EOIP_NO_DROP)
		return NETDEV_TX_OK;
drop:
	eoip_device_drop(device, skb, drop);
	return NETDEV_TX_OK;
}

/* Tells OVS which source address a frame with this metadata would have. */
int eoip_send_fill_metadata(struct net_device *dev, struct sk_buff *skb)
{
	struct ip_tunnel_info *info = skb_tunnel_info_unclone(skb);
	struct eoip_path path;

	if (!info || !(info->mode & IP_TUNNEL_INFO_TX) ||
	    eoip_path_find(&path, skb, netdev_priv(dev)) != EOIP_NO_DROP)
		return -EINVAL;
	dst_release(path.dst);
	if (path.ipv6)
		info->key.u.ipv6.src = path.local;
	else
		info->key.u.ipv4.src = path.local.s6_addr32[3];
	return 0;
}

/*
 * A header with no frame behind it.  [cap]  False when there was no route or
 * no memory.  Under RCU, in softirq.
 */
bool eoip_send_keepalive(struct eoip_device *device,
			 struct eoip_tunnel *tunnel)
{
	struct eoip_path path;
	struct sk_buff *skb;

	eoip_path_init(&path, &tunnel->params);
	path.df = false;
	/* Where frames inherit their TOS they do not use the cache. */
	if (eoip_path_route(device, &path, 0, &tunnel->dst_cache))
		return false;
	path.ttl = path.ttl ?: eoip_path_hop_limit(&path);
	skb = alloc_skb(eoip_headroom(&path), GFP_ATOMIC);
	if (skb) {
		skb_reserve(skb, eoip_headroom(&path));
		if (path.ipv6)
			eoip_ipv6_transmit(skb, &path, true);
		else
			eoip_ipv4_transmit(skb, &path, true);
	}
	dst_release(path.dst);
	return skb;
}
