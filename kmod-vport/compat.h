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

#include <linux/capability.h>
#include <linux/netdevice.h>
#include <net/dst_metadata.h>
#include <net/ip_tunnels.h>
#include <net/route.h>
#include <net/rtnetlink.h>

#include "eoip.h"

/* Segmentation moved out of netdevice.h in 6.5. */
#ifdef EOIP_HAVE_GSO_H
#include <net/gso.h>
#endif

#ifdef EOIP_HAVE_LINUX_UNALIGNED_H
#include <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif

/* Since 6.10. */
#ifndef dst_rtable
#define dst_rtable(_dst) container_of(_dst, struct rtable, dst)
#endif

/* The metadata of a received frame that has a key; NULL without memory. */
static inline struct metadata_dst *eoip_compat_tun_rx_dst(struct sk_buff *skb,
							  bool ipv6,
							  __be64 key)
{
#ifdef IP_TUNNEL_DECLARE_FLAGS	/* A bitmap since 6.10. */
	IP_TUNNEL_DECLARE_FLAGS(flags) = { };

	__set_bit(IP_TUNNEL_KEY_BIT, flags);
#else
	const __be16 flags = TUNNEL_KEY;
#endif
	return ipv6 ? ipv6_tun_rx_dst(skb, flags, key, 0) :
		      ip_tun_rx_dst(skb, flags, key, 0);
}

/* Whether the caller's reference of @dst is the only one. */
static inline bool eoip_compat_dst_is_ours(struct dst_entry *dst)
{
#ifdef EOIP_HAVE_DST_RCUREF	/* Since 6.4. */
	return rcuref_read(&dst->__rcuref) == 1;
#else
	return atomic_read(&dst->__refcnt) == 1;
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

/*
 * Whether a flow asks for the frame's own DF in the outer header.  It says so
 * by a flag that EoIP has no other use for.
 */
static inline bool
eoip_compat_tun_inherits_df(const struct ip_tunnel_key *key)
{
#ifdef IP_TUNNEL_DECLARE_FLAGS
	return test_bit(IP_TUNNEL_OAM_BIT, key->tun_flags);
#else
	return key->tun_flags & TUNNEL_OAM;
#endif
}

/*
 * Of a super-packet's IPv4 headers one may keep its id in all pieces.  That was
 * the frame's until 6.18; since then it is the outer one, which needs an id for
 * each, unless this says otherwise.  The caller owns @skb's shared info.
 */
static inline void eoip_compat_gso_encapsulate(struct sk_buff *skb)
{
#ifdef EOIP_HAVE_GSO_FIXEDID_INNER
	if (skb_shinfo(skb)->gso_type & SKB_GSO_TCP_FIXEDID)
		skb_shinfo(skb)->gso_type ^= SKB_GSO_TCP_FIXEDID |
					     SKB_GSO_TCP_FIXEDID_INNER;
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

/* For .newlink; the request is one struct since 6.15. */
#ifdef EOIP_HAVE_NEWLINK_PARAMS
static inline int eoip_compat_newlink(struct net_device *dev,
				      struct rtnl_newlink_params *params,
				      struct netlink_ext_ack *extack)
{
	return eoip_newlink(rtnl_newlink_link_net(params), dev, params->tb,
			    params->data, extack);
}
#else
#define eoip_compat_newlink eoip_newlink
#endif

/* Whether the caller may change a tunnel whose underlay is @net. */
static inline bool eoip_compat_link_net_capable(const struct net_device *dev,
						const struct net *net)
{
#ifdef EOIP_HAVE_LINK_NET_CAPABLE
	return rtnl_dev_link_net_capable(dev, net);
#else
	return net_eq(net, dev_net(dev)) ||
	       ns_capable(net->user_ns, CAP_NET_ADMIN);
#endif
}

/*
 * How deep tunnels may be nested in one another, counted as the kernel does
 * for its own tunnels where it does: each counts for itself and as a device.
 */
#ifndef IP_TUNNEL_RECURSION_LIMIT
#define IP_TUNNEL_RECURSION_LIMIT 5
#endif

static inline void eoip_compat_recursion_enter(void)
{
#ifdef EOIP_HAVE_XMIT_RECURSION_INC
	dev_xmit_recursion_inc();
#endif
}

static inline void eoip_compat_recursion_leave(void)
{
#ifdef EOIP_HAVE_XMIT_RECURSION_INC
	dev_xmit_recursion_dec();
#endif
}

/* Reasons to drop that newer kernels have a word for. */
#ifdef EOIP_HAVE_REASON_ECN
#define EOIP_COMPAT_REASON_ECN SKB_DROP_REASON_IP_TUNNEL_ECN
#else
#define EOIP_COMPAT_REASON_ECN SKB_DROP_REASON_NOT_SPECIFIED
#endif
#ifdef EOIP_HAVE_REASON_TXINFO
#define EOIP_COMPAT_REASON_TXINFO SKB_DROP_REASON_TUNNEL_TXINFO
#else
#define EOIP_COMPAT_REASON_TXINFO SKB_DROP_REASON_NOT_SPECIFIED
#endif
#ifdef EOIP_HAVE_REASON_RECURSION
#define EOIP_COMPAT_REASON_RECURSION SKB_DROP_REASON_RECURSION_LIMIT
#else
#define EOIP_COMPAT_REASON_RECURSION SKB_DROP_REASON_NOT_SPECIFIED
#endif

/* Named so since 6.15 and 6.16. */
#ifndef timer_container_of
#define timer_container_of from_timer
#endif
#ifndef EOIP_HAVE_TIMER_DELETE_SYNC
#define timer_delete_sync del_timer_sync
#endif

#endif /* _EOIP_COMPAT_H */
