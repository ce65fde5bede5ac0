/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The module's nouns.  A device is what `ip link` shows.  It sends by, and is
 * found by, its tunnel: an immutable set of parameters that a change replaces
 * whole, so the packet path sees the old one or the new one and no mixture.
 * A namespace of the underlay knows all tunnels that end in it.
 *
 *   packet in  -> gro.c (join) -> ipv4.c, ipv6.c -> tunnels.c (find) ->
 *                 receive.c, metadata.c, mss.c, mss_rules.c
 *   frame out  -> send.c -> offload.c (cut now?) -> ipv4.c, ipv6.c -> the
 *                 underlay's device -> offload.c (cut, if not whole)
 *   rtnetlink  -> attributes.c -> netlink.c -> device.c, tunnels.c, keepalive.c,
 *                 mss_rules.c
 *
 * EoIP is over IPv4, EoIPv6 over IPv6; an IPv4 address is kept as IPv6 maps
 * it, and one of IPv6 makes a tunnel one of EoIPv6.
 */
#ifndef _EOIP_H
#define _EOIP_H

#include <linux/atomic.h>
#include <linux/if_vlan.h>
#include <linux/list.h>
#include <linux/netdevice.h>
#include <linux/rhashtable-types.h>
#include <linux/timer.h>
#include <net/dst_cache.h>
#include <net/gro_cells.h>
#include <net/ip_tunnels.h>
#include <net/ipv6.h>
#include <net/netlink.h>

#include "uapi/linux/eoip.h"

struct eoip_net;
struct metadata_dst;
struct netlink_ext_ack;
struct nf_hook_state;
struct net_offload;
struct nlattr;

/* Bytes of outer IP header, EoIP header and inner Ethernet header.  [doc] */
static inline unsigned int eoip_overhead(bool ipv6)
{
	return ipv6 ? sizeof(struct ipv6hdr) + EOIP6_HLEN + ETH_HLEN :
		      sizeof(struct iphdr) + EOIP_HLEN + ETH_HLEN;
}

/* What nobody drops, where functions tell the reason to drop. */
#define EOIP_NO_DROP	EOIP_N_KMOD_DROPS

/* What a user sets; the values are those of the netlink attributes. */
struct eoip_params {
	struct in6_addr local;	/* 0: chosen by the route; any in receive. */
	struct in6_addr remote;	/* Unicast; unused in an external device. */
	u32 link;		/* ifindex in the underlay, 0 for any. */
	u32 keepalive_interval;	/* Seconds, 0 for none. */
	u16 id;
	u8 keepalive_retries;	/* 0: silence leaves the carrier alone. */
	u8 ttl;			/* 0: as the frame's. */
	u8 tos;			/* 1: as the frame's. */
	u8 df;			/* enum eoip_df. */
	bool clamp_mss;
	bool external;
};

static inline bool eoip_params_are_ipv6(const struct eoip_params *params)
{
	return !params->external && !ipv6_addr_v4mapped(&params->remote);
}

/* What a packet is looked up by. */
struct eoip_key {
	const struct eoip_net *underlay;
	struct in6_addr remote;
	u32 id;
};

struct eoip_tunnel {
	struct rhlist_head node;	/* In the table of tunnels.c. */
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
	struct rhashtable __rcu *mss_rules; /* NULL: there never was one. */

	unsigned long last_heard;	/* jiffies of the last valid packet. */
	bool is_heard;			/* Since the device came up. */
	unsigned long next_keepalive;	/* jiffies. */
	struct timer_list keepalive_timer;

	atomic_long_t rx_keepalives;
	atomic_long_t tx_keepalives;
	atomic_long_t drops[EOIP_N_KMOD_DROPS];
};

/* One namespace's underlay.  Changed under RTNL, read under RCU. */
struct eoip_net {
	struct eoip_device __rcu *external;
	struct list_head devices;
};

/*
 * Set the network header of the frame @skb, whose skb->data is its MAC header,
 * to what follows its VLAN tags, and have it in linear memory if it is IP's.
 * Return nonzero if what the frame says of itself is not there.
 */
static inline int eoip_frame_parse(struct sk_buff *skb)
{
	__be16 type = skb->protocol;
	unsigned int ip_len = 0;
	int mac_len = ETH_HLEN;

	/* The tags stand behind the addresses, whatever an earlier device
	 * knew of them.
	 */
	skb->mac_len = 0;
	if (eth_type_vlan(type))
		type = __vlan_get_protocol(skb, type, &mac_len);
	if (type == htons(ETH_P_IP))
		ip_len = sizeof(struct iphdr);
	else if (type == htons(ETH_P_IPV6))
		ip_len = sizeof(struct ipv6hdr);
	if (!pskb_may_pull(skb, mac_len + ip_len))
		return -EINVAL;
	skb_set_network_header(skb, mac_len);
	return 0;
}

/* Return the id of the EoIPv6 header @hdr, or -1 if it is none. */
static inline int eoip6_header_id(const __be16 *hdr)
{
	u16 value = ntohs(*hdr);

	if ((value & EOIP6_MAGIC_MASK) != EOIP6_MAGIC)
		return -1;
	return (value >> 12) << 8 | (value & 0xff);
}

/* device.c */
void eoip_device_setup(struct net_device *dev);
bool eoip_dev_is_external(const struct net_device *dev);
void eoip_device_count_drop(struct eoip_device *device,
			    enum eoip_kmod_drop drop);
void eoip_device_drop(struct eoip_device *device, struct sk_buff *skb,
		      enum eoip_kmod_drop drop);
void eoip_device_disable_ipv6(struct net_device *dev);
int eoip_device_default_mtu(const struct eoip_device *device,
			    const struct eoip_params *params);

/* attributes.c */
extern const struct nla_policy eoip_policy[IFLA_EOIP_MAX + 1];
struct in6_addr eoip_get_address(const struct nlattr *attr);
int eoip_validate(struct nlattr *tb[], struct nlattr *data[],
		  struct netlink_ext_ack *extack);
int eoip_validate_external(struct nlattr *data[],
			   struct netlink_ext_ack *extack);
int eoip_validate_mss_rule(struct nlattr *data[], struct nlattr *tb[],
			   struct netlink_ext_ack *extack);
void eoip_parse(struct eoip_params *params, struct nlattr *data[]);

/* netlink.c */
extern struct rtnl_link_ops eoip_link_ops, eoip_link_ops_ipv6;
int eoip_newlink(struct net *underlay, struct net_device *dev,
		 struct nlattr *tb[], struct nlattr *data[],
		 struct netlink_ext_ack *extack);
struct net_device *eoip_dev_create_external(struct net *net, const char *name,
					    u8 name_assign_type);

/* tunnels.c */
int eoip_tunnels_init(void);
void eoip_tunnels_exit(void);
struct eoip_net *eoip_net_get(const struct net *net);
int eoip_net_join(struct eoip_device *device);
void eoip_net_leave(struct eoip_device *device);
int eoip_tunnel_check(struct eoip_device *device,
		      const struct eoip_params *params,
		      struct netlink_ext_ack *extack);
int eoip_tunnel_set(struct eoip_device *device,
		    const struct eoip_params *params);
void eoip_tunnel_clear(struct eoip_device *device);
struct eoip_device *eoip_tunnels_find(struct eoip_net *en,
				      const struct in6_addr *remote,
				      const struct in6_addr *local, u16 id,
				      int ifindex, int slave_ifindex);

/* What ipv4.c and ipv6.c know of a packet. */
struct eoip_packet {
	unsigned int header_len;	/* Of EoIP's header. */
	unsigned int frame_len;		/* As the header says; 0: keepalive. */
	u16 id;
	bool ipv6;
};

/* receive.c */
bool eoip_receive(struct sk_buff *skb, struct eoip_device *device,
		  const struct eoip_packet *packet, int drop);

/* metadata.c */
struct metadata_dst *eoip_metadata_get(struct sk_buff *skb,
				       const struct eoip_packet *packet);
void eoip_metadata_exit(void);

/* mss.c */
void eoip_mss_clamp(struct sk_buff *skb, struct eoip_device *device,
		    unsigned int outer, const struct eoip_packet *packet);

/* The packets that a rule is about; no padding, since it is hashed as bytes. */
struct eoip_mss_match {
	struct in6_addr remote;	/* 0: any. */
	struct in6_addr local;	/* 0: any. */
	u32 id;			/* Or EOIP_MSS_ANY_ID. */
};

#define EOIP_MSS_ANY_ID		U32_MAX
#define EOIP_MSS_RULES_MAX	65536

/* mss_rules.c */
bool eoip_mss_rules_find(const struct eoip_device *device,
			 const struct in6_addr *remote,
			 const struct in6_addr *local, u16 id, bool otherwise);
int eoip_mss_rules_set(struct eoip_device *device,
		       const struct eoip_mss_match *match, bool clamp,
		       struct netlink_ext_ack *extack);
void eoip_mss_rules_remove(struct eoip_device *device,
			   const struct eoip_mss_match *match);
void eoip_mss_rules_free(struct eoip_device *device);

/* Where and how a frame goes: what becomes the outer header. */
struct eoip_path {
	struct dst_entry *dst;		/* Owned. */
	struct in6_addr local;
	struct in6_addr remote;
	u32 mark;			/* For the route. */
	u32 link;
	u16 id;
	u8 flow_flags;
	u8 tos;				/* ECN bits included. */
	u8 ttl;
	bool df;
	bool ipv6;
};

/* send.c */
netdev_tx_t eoip_send(struct sk_buff *skb, struct net_device *dev);
int eoip_send_fill_metadata(struct net_device *dev, struct sk_buff *skb);
bool eoip_send_keepalive(struct eoip_device *device,
			 struct eoip_tunnel *tunnel);
void eoip_path_init(struct eoip_path *path, const struct eoip_params *params);
int eoip_path_route(const struct eoip_device *device, struct eoip_path *path,
		    u32 hash, struct dst_cache *cache);

/* gro.c */
struct sk_buff *eoip_gro_receive(struct list_head *head, struct sk_buff *skb);
struct sk_buff *eoip6_gro_receive(struct list_head *head, struct sk_buff *skb);
int eoip_gro_complete(struct sk_buff *skb, int offset);
int eoip6_gro_complete(struct sk_buff *skb, int offset);

/* offload.c */
extern const struct net_offload *eoip_gre;
int eoip_offload_init(void);
void eoip_offload_exit(void);
struct sk_buff *eoip_offload_frames(struct sk_buff *skb, bool ipv6);

/* ipv4.c */
unsigned int eoip_ipv4_receive(void *priv, struct sk_buff *skb,
			       const struct nf_hook_state *state);
struct dst_entry *eoip_ipv4_route(const struct eoip_device *device,
				  struct eoip_path *path, u32 hash,
				  struct dst_cache *cache);
int eoip_ipv4_transmit(struct sk_buff *skb, const struct eoip_path *path,
		       bool xnet);

/* ipv6.c */
#if IS_ENABLED(CONFIG_IPV6)
int eoip_ipv6_init(void);
void eoip_ipv6_exit(void);
struct dst_entry *eoip_ipv6_route(const struct eoip_device *device,
				  struct eoip_path *path, u32 hash,
				  struct dst_cache *cache);
int eoip_ipv6_transmit(struct sk_buff *skb, const struct eoip_path *path,
		       bool xnet);
int eoip_ipv6_hop_limit(const struct eoip_path *path);
#else
static inline int eoip_ipv6_init(void)
{
	return 0;
}

static inline void eoip_ipv6_exit(void)
{
}

static inline struct dst_entry *
eoip_ipv6_route(const struct eoip_device *device, struct eoip_path *path,
		u32 hash, struct dst_cache *cache)
{
	return ERR_PTR(-EAFNOSUPPORT);
}

static inline int eoip_ipv6_transmit(struct sk_buff *skb,
				     const struct eoip_path *path, bool xnet)
{
	kfree_skb(skb);
	return -EAFNOSUPPORT;
}

static inline int eoip_ipv6_hop_limit(const struct eoip_path *path)
{
	return 0;
}
#endif

/* keepalive.c */
void eoip_keepalive_init(struct eoip_device *device);
void eoip_keepalive_start(struct eoip_device *device);
void eoip_keepalive_stop(struct eoip_device *device);
void eoip_keepalive_heard(struct eoip_device *device);

#endif /* _EOIP_H */
