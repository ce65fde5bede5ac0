// SPDX-License-Identifier: GPL-2.0
/*
 * Links of kind "eoip" over rtnetlink: what a message may say, and what it
 * does.  All checks come first; a refused message changes nothing and says in
 * one sentence what was wrong.  Everything here runs under RTNL.
 */
#include <linux/etherdevice.h>
#include <linux/if_link.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <net/net_namespace.h>
#include <net/netlink.h>
#include <net/rtnetlink.h>

#include "compat.h"
#include "eoip.h"

static const struct nla_policy eoip_policy[IFLA_EOIP_MAX + 1] = {
	/* All attributes have exactly the length of their type. */
	[0]				= { .strict_start_type = 1 },
	[IFLA_EOIP_LINK]		= { .type = NLA_U32 },
	[IFLA_EOIP_ID]			= { .type = NLA_U32 },
	[IFLA_EOIP_LOCAL]		= { .type = NLA_U32 },
	[IFLA_EOIP_REMOTE]		= { .type = NLA_U32 },
	[IFLA_EOIP_TTL]			= { .type = NLA_U8 },
	[IFLA_EOIP_TOS]			= { .type = NLA_U8 },
	[IFLA_EOIP_DF]			= { .type = NLA_U8 },
	[IFLA_EOIP_COLLECT_METADATA]	= { .type = NLA_FLAG },
	[IFLA_EOIP_KEEPALIVE_INTERVAL]	= { .type = NLA_U32 },
	[IFLA_EOIP_KEEPALIVE_RETRIES]	= { .type = NLA_U8 },
};

static bool eoip_is_unicast(__be32 address)
{
	return !ipv4_is_zeronet(address) && !ipv4_is_multicast(address) &&
	       !ipv4_is_lbcast(address);
}

static int eoip_validate_addresses(struct nlattr *data[],
				   struct netlink_ext_ack *extack)
{
	struct nlattr *local = data[IFLA_EOIP_LOCAL];
	struct nlattr *remote = data[IFLA_EOIP_REMOTE];

	if (remote && !eoip_is_unicast(nla_get_in_addr(remote))) {
		NL_SET_ERR_MSG_ATTR(extack, remote,
				    "eoip: remote must be a unicast IPv4 address");
		return -EADDRNOTAVAIL;
	}
	if (local && nla_get_in_addr(local) &&
	    !eoip_is_unicast(nla_get_in_addr(local))) {
		NL_SET_ERR_MSG_ATTR(extack, local,
				    "eoip: local must be a unicast IPv4 address, or 0.0.0.0 for the route's");
		return -EADDRNOTAVAIL;
	}
	return 0;
}

static int eoip_validate_numbers(struct nlattr *data[],
				 struct netlink_ext_ack *extack)
{
	struct nlattr *id = data[IFLA_EOIP_ID];
	struct nlattr *tos = data[IFLA_EOIP_TOS];
	struct nlattr *df = data[IFLA_EOIP_DF];
	struct nlattr *interval = data[IFLA_EOIP_KEEPALIVE_INTERVAL];

	if (id && ntohl(nla_get_be32(id)) > EOIP_KEY_MAX) {
		NL_SET_ERR_MSG_ATTR(extack, id,
				    "eoip: id must be from 0 to 65535");
		return -ERANGE;
	}
	if (tos && (nla_get_u8(tos) & 3) && nla_get_u8(tos) != 1) {
		NL_SET_ERR_MSG_ATTR(extack, tos,
				    "eoip: tos must be 1 to inherit, or a multiple of 4 from 0 to 252");
		return -ERANGE;
	}
	if (df && nla_get_u8(df) > EOIP_DF_MAX) {
		NL_SET_ERR_MSG_ATTR(extack, df,
				    "eoip: df must be 0 (no), 1 (set) or 2 (inherit)");
		return -ERANGE;
	}
	if (interval &&
	    nla_get_u32(interval) > EOIP_KEEPALIVE_INTERVAL_MAX) {
		NL_SET_ERR_MSG_ATTR(extack, interval,
				    "eoip: keepalive interval must be from 0 (none) to 65535 seconds");
		return -ERANGE;
	}
	return 0;
}

/* External devices have no parameters: each frame brings its own. */
static int eoip_validate_external(struct nlattr *data[],
				  struct netlink_ext_ack *extack)
{
	int i;

	if (!data[IFLA_EOIP_COLLECT_METADATA])
		return 0;
	for (i = 1; i <= IFLA_EOIP_MAX; i++) {
		if (!data[i] || i == IFLA_EOIP_COLLECT_METADATA)
			continue;
		NL_SET_ERR_MSG_ATTR(extack, data[i],
				    "eoip: an external device takes no other attributes");
		return -EINVAL;
	}
	return 0;
}

static int eoip_validate(struct nlattr *tb[], struct nlattr *data[],
			 struct netlink_ext_ack *extack)
{
	int err;

	if (tb[IFLA_ADDRESS] &&
	    (nla_len(tb[IFLA_ADDRESS]) != ETH_ALEN ||
	     !is_valid_ether_addr(nla_data(tb[IFLA_ADDRESS])))) {
		NL_SET_ERR_MSG_ATTR(extack, tb[IFLA_ADDRESS],
				    "eoip: address must be a unicast Ethernet address");
		return -EADDRNOTAVAIL;
	}
	if (!data)
		return 0;
	err = eoip_validate_external(data, extack);
	if (!err)
		err = eoip_validate_addresses(data, extack);
	if (!err)
		err = eoip_validate_numbers(data, extack);
	return err;
}

/* Takes over what a message names; it has been validated. */
static void eoip_parse(struct eoip_params *params, struct nlattr *data[])
{
	if (data[IFLA_EOIP_LINK])
		params->link = nla_get_u32(data[IFLA_EOIP_LINK]);
	if (data[IFLA_EOIP_ID])
		params->id = ntohl(nla_get_be32(data[IFLA_EOIP_ID]));
	if (data[IFLA_EOIP_LOCAL])
		params->local = nla_get_in_addr(data[IFLA_EOIP_LOCAL]);
	if (data[IFLA_EOIP_REMOTE])
		params->remote = nla_get_in_addr(data[IFLA_EOIP_REMOTE]);
	if (data[IFLA_EOIP_TTL])
		params->ttl = nla_get_u8(data[IFLA_EOIP_TTL]);
	if (data[IFLA_EOIP_TOS])
		params->tos = nla_get_u8(data[IFLA_EOIP_TOS]);
	if (data[IFLA_EOIP_DF])
		params->df = nla_get_u8(data[IFLA_EOIP_DF]);
	if (data[IFLA_EOIP_KEEPALIVE_INTERVAL])
		params->keepalive_interval =
			nla_get_u32(data[IFLA_EOIP_KEEPALIVE_INTERVAL]);
	if (data[IFLA_EOIP_KEEPALIVE_RETRIES])
		params->keepalive_retries =
			nla_get_u8(data[IFLA_EOIP_KEEPALIVE_RETRIES]);
}

/* What is wrong with parameters in the place where they shall hold. */
static int eoip_check(struct eoip_device *device,
		      const struct eoip_params *params,
		      struct netlink_ext_ack *extack)
{
	if (params->link && (!__dev_get_by_index(device->net, params->link) ||
			     params->link == device->dev->ifindex)) {
		NL_SET_ERR_MSG(extack,
			       "eoip: link is not another device of the underlay's namespace");
		return -ENODEV;
	}
	return eoip_tunnel_check(device, params, extack);
}

/* Registers a device whose parameters are complete. */
static int eoip_register(struct net_device *dev, struct net *underlay,
			 const struct eoip_params *params,
			 struct netlink_ext_ack *extack)
{
	struct eoip_device *device = netdev_priv(dev);
	int err;

	device->net = underlay;
	device->external = params->external;
	err = eoip_check(device, params, extack);
	if (!err)
		err = register_netdevice(dev);
	if (err)
		return err;
	err = eoip_tunnel_set(device, params);
	if (err)
		unregister_netdevice(dev);
	return err;
}

int eoip_newlink(struct net *underlay, struct net_device *dev,
		 struct nlattr *tb[], struct nlattr *data[],
		 struct netlink_ext_ack *extack)
{
	struct eoip_params params = { .ttl = IPDEFTTL };
	struct eoip_device *device = netdev_priv(dev);

	params.external = data && data[IFLA_EOIP_COLLECT_METADATA];
	if (!params.external &&
	    (!data || !data[IFLA_EOIP_ID] || !data[IFLA_EOIP_REMOTE])) {
		NL_SET_ERR_MSG(extack,
			       "eoip: id and remote are required, except in an external device");
		return -EINVAL;
	}
	if (data)
		eoip_parse(&params, data);
	if (!tb[IFLA_ADDRESS])
		eth_hw_addr_random(dev);
	if (!tb[IFLA_MTU] && !params.external) {
		device->net = underlay;
		dev->mtu = eoip_device_default_mtu(device, &params);
	}
	return eoip_register(dev, underlay, &params, extack);
}

static int eoip_changelink(struct net_device *dev, struct nlattr *tb[],
			   struct nlattr *data[],
			   struct netlink_ext_ack *extack)
{
	struct eoip_device *device = netdev_priv(dev);
	struct eoip_params params, old;
	int err;

	if (!data)
		return 0;
	old = rtnl_dereference(device->tunnel)->params;
	params = old;
	if (device->external != !!data[IFLA_EOIP_COLLECT_METADATA]) {
		NL_SET_ERR_MSG(extack,
			       "eoip: a device is external or point-to-point for life");
		return -EOPNOTSUPP;
	}
	eoip_parse(&params, data);
	err = eoip_check(device, &params, extack);
	if (!err)
		err = eoip_tunnel_set(device, &params);
	if (err)
		return err;
	if (netif_running(dev) &&
	    (params.keepalive_interval != old.keepalive_interval ||
	     params.keepalive_retries != old.keepalive_retries))
		eoip_keepalive_start(device);
	netdev_state_change(dev);
	return 0;
}

static size_t eoip_get_size(const struct net_device *dev)
{
	return nla_total_size(sizeof(u32)) +		/* LINK */
	       nla_total_size(sizeof(u32)) +		/* ID */
	       nla_total_size(sizeof(u32)) +		/* LOCAL */
	       nla_total_size(sizeof(u32)) +		/* REMOTE */
	       nla_total_size(sizeof(u8)) +		/* TTL */
	       nla_total_size(sizeof(u8)) +		/* TOS */
	       nla_total_size(sizeof(u8)) +		/* DF */
	       nla_total_size(0) +			/* COLLECT_METADATA */
	       nla_total_size(sizeof(u32)) +		/* KEEPALIVE_INTERVAL */
	       nla_total_size(sizeof(u8));		/* KEEPALIVE_RETRIES */
}

static int eoip_fill_info(struct sk_buff *skb, const struct net_device *dev)
{
	const struct eoip_device *device = netdev_priv(dev);
	const struct eoip_tunnel *tunnel = rtnl_dereference(device->tunnel);
	const struct eoip_params *params;

	if (device->external)
		return nla_put_flag(skb, IFLA_EOIP_COLLECT_METADATA);
	/* It is announced before it is complete. */
	if (!tunnel)
		return 0;
	params = &tunnel->params;
	if (nla_put_u32(skb, IFLA_EOIP_LINK, params->link) ||
	    nla_put_be32(skb, IFLA_EOIP_ID, htonl(params->id)) ||
	    nla_put_in_addr(skb, IFLA_EOIP_LOCAL, params->local) ||
	    nla_put_in_addr(skb, IFLA_EOIP_REMOTE, params->remote) ||
	    nla_put_u8(skb, IFLA_EOIP_TTL, params->ttl) ||
	    nla_put_u8(skb, IFLA_EOIP_TOS, params->tos) ||
	    nla_put_u8(skb, IFLA_EOIP_DF, params->df) ||
	    nla_put_u32(skb, IFLA_EOIP_KEEPALIVE_INTERVAL,
			params->keepalive_interval) ||
	    nla_put_u8(skb, IFLA_EOIP_KEEPALIVE_RETRIES,
		       params->keepalive_retries))
		return -EMSGSIZE;
	return 0;
}

static struct net *eoip_get_link_net(const struct net_device *dev)
{
	const struct eoip_device *device = netdev_priv(dev);

	return device->net;
}

struct rtnl_link_ops eoip_link_ops __read_mostly = {
	.kind = "eoip",
	.maxtype = IFLA_EOIP_MAX,
	.policy = eoip_policy,
	.priv_size = sizeof(struct eoip_device),
	.setup = eoip_device_setup,
	.validate = eoip_validate,
	.newlink = eoip_compat_newlink,
	.changelink = eoip_changelink,
	.get_size = eoip_get_size,
	.fill_info = eoip_fill_info,
	.get_link_net = eoip_get_link_net,
};

/*
 * An external device with the longest MTU, for the vport module.  The caller
 * holds RTNL.  Returns the device or an ERR_PTR().
 */
struct net_device *eoip_dev_create_external(struct net *net, const char *name,
					    u8 name_assign_type)
{
	const struct eoip_params params = { .external = true };
	struct nlattr *tb[IFLA_MAX + 1] = { };
	struct net_device *dev;
	LIST_HEAD(unregister);
	int err;

	dev = rtnl_create_link(net, name, name_assign_type, &eoip_link_ops,
			       tb, NULL);
	if (IS_ERR(dev))
		return dev;
	err = eoip_register(dev, net, &params, NULL);
	if (err) {
		free_netdev(dev);
		return ERR_PTR(err);
	}
	err = dev_set_mtu(dev, dev->max_mtu);
	if (!err)
		err = rtnl_configure_link(dev, NULL, 0, NULL);
	if (err) {
		unregister_netdevice_queue(dev, &unregister);
		unregister_netdevice_many(&unregister);
		return ERR_PTR(err);
	}
	return dev;
}
EXPORT_SYMBOL_GPL(eoip_dev_create_external);

bool eoip_dev_is_external(const struct net_device *dev)
{
	const struct eoip_device *device = netdev_priv(dev);

	return dev->rtnl_link_ops == &eoip_link_ops && device->external;
}
EXPORT_SYMBOL_GPL(eoip_dev_is_external);
