/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The only place that knows how kernels differ.
 *
 * The sources are written for the newer form of an interface; what older (or
 * still newer) kernels lack is made here.  Features are asked for, never
 * version numbers: a macro or header that exists, or a probe in Kbuild.
 */
#ifndef _EOIP_COMPAT_H
#define _EOIP_COMPAT_H

#include <linux/netdevice.h>
#include <net/dst_metadata.h>
#include <net/inet_dscp.h>
#include <net/ip_tunnels.h>
#include <net/rtnetlink.h>

/* Segmentation moved out of netdevice.h in 6.5. */
#ifdef EOIP_HAVE_GSO_H
#include <net/gso.h>
#endif

/* The metadata of a received frame that has a key; NULL without memory. */
static inline struct metadata_dst *eoip_compat_tun_rx_dst(struct sk_buff *skb,
							  __be64 key)
{
#ifdef IP_TUNNEL_DECLARE_FLAGS	/* A bitmap since 6.10. */
	IP_TUNNEL_DECLARE_FLAGS(flags) = { };

	__set_bit(IP_TUNNEL_KEY_BIT, flags);
	return ip_tun_rx_dst(skb, flags, key, 0);
#else
	return ip_tun_rx_dst(skb, TUNNEL_KEY, key, 0);
#endif
}

/* Whether a flow asks for DF in the outer header. */
static inline bool eoip_compat_tun_df(const struct ip_tunnel_key *key)
{
#ifdef IP_TUNNEL_DECLARE_FLAGS
	return test_bit(IP_TUNNEL_DONT_FRAGMENT_BIT, key->tun_flags);
#else
	return key->tun_flags & TUNNEL_DONT_FRAGMENT;
#endif
}

/* The device's transmit function needs no lock.  A feature until 6.12. */
static inline void eoip_compat_set_lltx(struct net_device *dev)
{
#ifdef NETIF_F_LLTX
	dev->features |= NETIF_F_LLTX;
#else
	dev->lltx = true;
#endif
}

/* The type of service that a route is looked up with. */
static inline void eoip_compat_set_tos(struct flowi4 *fl4, u8 tos)
{
#ifdef flowi4_dscp		/* Since 6.18. */
	fl4->flowi4_dscp = inet_dsfield_to_dscp(tos);
#else
	fl4->flowi4_tos = tos & INET_DSCP_MASK;
#endif
}

#ifdef EOIP_HAVE_XMIT_IPCB_FLAGS
#define eoip_compat_iptunnel_xmit(sk, rt, skb, src, dst, proto, tos, ttl,     \
				  df, xnet)                                   \
	iptunnel_xmit(sk, rt, skb, src, dst, proto, tos, ttl, df, xnet, 0)
#else
#define eoip_compat_iptunnel_xmit iptunnel_xmit
#endif

/*
 * Defines NAME, for .newlink, around FN(net, dev, tb, data, extack), where
 * net is the namespace that the request names for the underlay.
 */
#ifdef EOIP_HAVE_NEWLINK_PARAMS	/* Since 6.15. */
#define EOIP_COMPAT_NEWLINK(NAME, FN)                                         \
static int NAME(struct net_device *dev, struct rtnl_newlink_params *params,   \
		struct netlink_ext_ack *extack)                               \
{                                                                             \
	return FN(rtnl_newlink_link_net(params), dev, params->tb,             \
		  params->data, extack);                                      \
}
#else
#define EOIP_COMPAT_NEWLINK(NAME, FN)                                         \
static int NAME(struct net *net, struct net_device *dev,                      \
		struct nlattr *tb[], struct nlattr *data[],                   \
		struct netlink_ext_ack *extack)                               \
{                                                                             \
	return FN(net, dev, tb, data, extack);                                \
}
#endif

/* Named so since 6.15 and 6.16. */
#ifndef timer_container_of
#define timer_container_of from_timer
#endif
#ifndef EOIP_HAVE_TIMER_DELETE_SYNC
#define timer_delete_sync del_timer_sync
#endif

#endif /* _EOIP_COMPAT_H */
