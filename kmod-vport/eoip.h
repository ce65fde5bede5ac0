/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The module's nouns.  A device is what `ip link` shows.  It sends by, and is
 * found by, its tunnel: an immutable set of parameters that a change replaces
 * whole, so the packet path sees the old one or the new one and no mixture.
 * A namespace of the underlay knows all tunnels that end in it.
 *
 *   packet in  -> receive.c -> tunnels.c (find) -> gro_cells
 *   frame out  -> send.c -> segment.c -> the IP stack
 *   rtnetlink  -> netlink.c -> device.c, tunnels.c, keepalive.c
 *
 * EoIPv6 (protocol 97) differs in header, hook and route, not in devices.
 */
#ifndef _EOIP_H
#define _EOIP_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/netdevice.h>
#include <linux/rhashtable-types.h>
#include <linux/timer.h>
#include <net/dst_cache.h>
#include <net/gro_cells.h>
#include <net/ip_tunnels.h>

#include "uapi/linux/eoip.h"

struct netlink_ext_ack;
struct nf_hook_state;
struct nlattr;

/* Outer IPv4 header, EoIP header, inner Ethernet header.  [doc] */
#define EOIP_OVERHEAD	(20 + EOIP_HLEN + ETH_HLEN)

/* What nobody drops, where functions tell the reason to drop. */
#define EOIP_NO_DROP	EOIP_N_KMOD_DROPS

/* What a user sets; the values are those of the netlink attributes. */
struct eoip_params {
	u32 link;		/* ifindex in the underlay, 0 for any. */
	__be32 local;		/* 0: chosen by the route; any in receive. */
	__be32 remote;		/* Unicast; 0 in an external device. */
	u32 keepalive_interval;	/* Seconds, 0 for none. */
	u16 id;
	u8 keepalive_retries;	/* 0: silence leaves the carrier alone. */
	u8 ttl;			/* 0: as the frame's. */
	u8 tos;			/* 1: as the frame's. */
	u8 df;			/* enum eoip_df. */
	bool external;
};

/* What a packet is looked up by; no padding, since it is hashed as bytes. */
struct eoip_key {
	__be32 remote;
	u32 id;
};

struct eoip_tunnel {
	struct rhlist_head node;	/* In eoip_net.tunnels. */
	struct eoip_key key;
	struct eoip_params params;
	struct eoip_device *device;	/* Outlives its tunnels. */
	struct dst_cache dst_cache;	/* The route to the remote address. */
	struct rcu_head rcu;
};

/* Private part of the net_device. */
struct eoip_device {
	struct net_device *dev;
	struct net *net;		/* The underlay; dev may be elsewhere. */
	struct list_head list;		/* In eoip_net.devices. */
	struct eoip_tunnel __rcu *tunnel;
	struct gro_cells gro_cells;
	bool external;			/* For life. */

	unsigned long last_heard;	/* jiffies of the last valid packet. */
	unsigned long next_keepalive;	/* jiffies. */
	struct timer_list keepalive_timer;

	atomic_long_t rx_keepalives;
	atomic_long_t tx_keepalives;
	atomic_long_t drops[EOIP_N_KMOD_DROPS];
};

/* One namespace's underlay.  Changed under RTNL, read under RCU. */
struct eoip_net {
	struct rhltable tunnels;	/* Point-to-point ones, by eoip_key. */
	struct eoip_device __rcu *external;
	struct list_head devices;
};

/*
 * Finds the frame's network header behind its VLAN tags, and has it in linear
 * memory if it is IP; skb->data is the frame's MAC header.  Nonzero if what
 * the frame says of itself is not there.
 */
static inline int eoip_frame_parse(struct sk_buff *skb)
{
	/* The tags stand behind the addresses, whatever an earlier device
	 * knew of them.
	 */
	skb->mac_len = 0;
	return skb_vlan_inet_prepare(skb, false);
}

/* device.c */
void eoip_device_setup(struct net_device *dev);
bool eoip_dev_is_external(const struct net_device *dev);
void eoip_device_count_drop(struct eoip_device *device,
			    enum eoip_kmod_drop drop);
int eoip_device_default_mtu(const struct eoip_device *device,
			    const struct eoip_params *params);

/* netlink.c */
extern struct rtnl_link_ops eoip_link_ops;
int eoip_newlink(struct net *underlay, struct net_device *dev,
		 struct nlattr *tb[], struct nlattr *data[],
		 struct netlink_ext_ack *extack);
struct net_device *eoip_dev_create_external(struct net *net, const char *name,
					    u8 name_assign_type);
bool eoip_dev_is_external(const struct net_device *dev);

/* tunnels.c */
int eoip_tunnels_init(void);
void eoip_tunnels_exit(void);
struct eoip_net *eoip_net_get(const struct net *net);
int eoip_tunnel_check(struct eoip_device *device,
		      const struct eoip_params *params,
		      struct netlink_ext_ack *extack);
int eoip_tunnel_set(struct eoip_device *device,
		    const struct eoip_params *params);
void eoip_tunnel_clear(struct eoip_device *device);
int eoip_net_join(struct eoip_device *device);
void eoip_net_leave(struct eoip_device *device);
struct eoip_device *eoip_tunnels_find(struct eoip_net *en, __be32 remote,
				      __be32 local, u16 id, int ifindex,
				      int original_ifindex);

/* receive.c */
unsigned int eoip_receive(void *priv, struct sk_buff *skb,
			  const struct nf_hook_state *state);

/* send.c */
netdev_tx_t eoip_send(struct sk_buff *skb, struct net_device *dev);
int eoip_send_fill_metadata(struct net_device *dev, struct sk_buff *skb);
bool eoip_send_keepalive(struct eoip_device *device,
			 struct eoip_tunnel *tunnel);

/* segment.c */
struct sk_buff *eoip_segment(struct sk_buff *skb,
			     const struct net_device *underlay);
u16 eoip_segment_frame_len(const struct sk_buff *skb);

/* keepalive.c */
void eoip_keepalive_init(struct eoip_device *device);
void eoip_keepalive_start(struct eoip_device *device);
void eoip_keepalive_stop(struct eoip_device *device);
void eoip_keepalive_heard(struct eoip_device *device);

#endif /* _EOIP_H */
