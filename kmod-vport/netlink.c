// SPDX-License-Identifier: GPL-2.0
/*
 * Links of the kinds "eoip" and "eoipv6" over rtnetlink: what a message does.  All checks come
 * first, those of single attributes in attributes.c; a refused message changes
 * nothing and says in one sentence what was wrong.  Everything here runs under
 * RTNL.
 */
#include <linux/etherdevice.h>
#include <linux/if_link.h>
#include <linux/ipv6.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <net/net_namespace.h>
#include <net/netlink.h>
#include <net/rtnetlink.h>

#include "compat.h"
#include "eoip.h"

/* What is wrong with parameters in relation to each other. */
static int eoip_check_family(const struct net_device *dev,
			     const struct eoip_params *params,
			     struct netlink_ext_ack *extack)
{
	bool ipv6_kind = dev->rtnl_link_ops == &eoip_link_ops_ipv6;
	bool ipv6 = eoip_params_are_ipv6(params);

	if (params->external && !ipv6_kind)
		return 0;
	if (params->external) {
		NL_SET_ERR_MSG(extack,
			       "eoip: an external device is of kind eoip, for both families");
		return -EINVAL;
	}
	if (ipv6 != ipv6_kind) {
		NL_SET_ERR_MSG(extack,
			       "eoip: a link of kind eoip has an IPv4 remote, one of kind eoipv6 an IPv6 remote");
		return -EAFNOSUPPORT;
	}
	if (!ipv6_addr_any(&params->local) &&
	    ipv6_addr_v4mapped(&params->local) == ipv6) {
		NL_SET_ERR_MSG(extack,
			       "eoip: local and remote must be both of IPv4 or both of IPv6");
		return -EAFNOSUPPORT;
	}
	if (ipv6 && params->id > EOIP6_KEY_MAX) {
		NL_SET_ERR_MSG(extack,
			       "eoip: id must be from 0 to 4095 with an IPv6 remote");
		return -ERANGE;
	}
	if (ipv6 && !params->link &&
	    ipv6_addr_type(&params->remote) & IPV6_ADDR_LINKLOCAL) {
		NL_SET_ERR_MSG(extack,
			       "eoip: a link-local remote needs a link, for it is another host on each");
		return -EINVAL;
	}
	if (ipv6 && !ipv6_mod_enabled()) {
		NL_SET_ERR_MSG(extack, "eoip: this kernel has no IPv6");
		return -EAFNOSUPPORT;
	}
	return 0;
}

/* Whether @ifindex is a device of the underlay's, and not @device itself. */
static bool eoip_link_is_there(const struct eoip_device *device, u32 ifindex)
{
	const struct net_device *link = __dev_get_by_index(device->net,
							   ifindex);

	return link && link != device->dev;
}

/* What is wrong with parameters in the place where they shall hold. */
static int eoip_check(struct eoip_device *device,
		      const struct eoip_params *params,
		      struct netlink_ext_ack *extack)
{
	const struct eoip_tunnel *now = rtnl_dereference(device->tunnel);
	int err = eoip_check_family(device->dev, params, extack);

	if (err)
		return err;
	/* A link that went away since forbids no other change. */
	if (params->link && !(now && now->params.link == params->link) &&
	    !eoip_link_is_there(device, params->link)) {
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
	else if (params->external)
		eoip_device_disable_ipv6(dev);
	return err;
}

static int eoip_refuse_mss_rule(struct nlattr *data[],
				struct netlink_ext_ack *extack)
{
	NL_SET_ERR_MSG_ATTR(extack, data[IFLA_EOIP_MSS_RULE],
			    "eoip: mss-rule is for an external device that exists");
	return -EINVAL;
}

int eoip_newlink(struct net *underlay, struct net_device *dev,
		 struct nlattr *tb[], struct nlattr *data[],
		 struct netlink_ext_ack *extack)
{
	struct eoip_params params = { .ttl = IPDEFTTL, .clamp_mss = true };
	struct eoip_device *device = netdev_priv(dev);

	params.external = data && data[IFLA_EOIP_COLLECT_METADATA];
	if (data && data[IFLA_EOIP_MSS_RULE])
		return eoip_refuse_mss_rule(data, extack);
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

static int eoip_change_mss_rule(struct eoip_device *device,
				struct nlattr *data[],
				struct netlink_ext_ack *extack)
{
	struct eoip_mss_match match = { .id = EOIP_MSS_ANY_ID };
	struct nlattr *tb[IFLA_EOIP_MAX + 1] = { };
	int err;

	if (!device->external)
		return eoip_refuse_mss_rule(data, extack);
	err = eoip_validate_mss_rule(data, tb, extack);
	if (err)
		return err;
	if (tb[IFLA_EOIP_ID])
		match.id = nla_get_u32(tb[IFLA_EOIP_ID]);
	if (tb[IFLA_EOIP_LOCAL])
		match.local = eoip_get_address(tb[IFLA_EOIP_LOCAL]);
	if (tb[IFLA_EOIP_REMOTE])
		match.remote = eoip_get_address(tb[IFLA_EOIP_REMOTE]);
	if (tb[IFLA_EOIP_CLAMP_MSS])
		return eoip_mss_rules_set(device, &match,
					  nla_get_u8(tb[IFLA_EOIP_CLAMP_MSS]),
					  extack);
	eoip_mss_rules_remove(device, &match);
	return 0;
}

static int eoip_changelink(struct net_device *dev, struct nlattr *tb[],
			   struct nlattr *data[],
			   struct netlink_ext_ack *extack)
{
	struct eoip_device *device = netdev_priv(dev);
	struct eoip_params params, old;
	int err = 0;

	if (!data)
		return 0;
	/* The device may be in a container; what it sends by is not. */
	if (!eoip_compat_link_net_capable(dev, device->net)) {
		NL_SET_ERR_MSG(extack,
			       "eoip: changing a tunnel takes CAP_NET_ADMIN where its underlay is");
		return -EPERM;
	}
	old = rtnl_dereference(device->tunnel)->params;
	params = old;
	if (data[IFLA_EOIP_COLLECT_METADATA] && !device->external) {
		NL_SET_ERR_MSG(extack,
			       "eoip: a device is external or point-to-point for life");
		return -EOPNOTSUPP;
	}
	if (device->external)
		err = eoip_validate_external(data, extack);
	if (err)
		return err;
	if (data[IFLA_EOIP_MSS_RULE])
		return eoip_change_mss_rule(device, data, extack);
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
	       nla_total_size(sizeof(struct in6_addr)) +	/* LOCAL */
	       nla_total_size(sizeof(struct in6_addr)) +	/* REMOTE */
	       nla_total_size(sizeof(u8)) +		/* TTL */
	       nla_total_size(sizeof(u8)) +		/* TTL_INHERIT */
	       nla_total_size(sizeof(u8)) +		/* TOS */
	       nla_total_size(sizeof(u8)) +		/* DF */
	       nla_total_size(0) +			/* COLLECT_METADATA */
	       nla_total_size(sizeof(u32)) +		/* KEEPALIVE_INTERVAL */
	       nla_total_size(sizeof(u8)) +		/* KEEPALIVE_RETRIES */
	       nla_total_size(sizeof(u8)) +		/* CLAMP_MSS */
	       nla_total_size(sizeof(u32));		/* HEARD */
}

static int eoip_put_address(struct sk_buff *skb, int type,
			    const struct in6_addr *address,
			    const struct eoip_params *params)
{
	return eoip_params_are_ipv6(params) ?
	       nla_put_in6_addr(skb, type, address) :
	       nla_put_in_addr(skb, type, address->s6_addr32[3]);
}

static int eoip_fill_info(struct sk_buff *skb, const struct net_device *dev)
{
	const struct eoip_device *device = netdev_priv(dev);
	const struct eoip_tunnel *tunnel = rtnl_dereference(device->tunnel);
	const struct eoip_params *params;

	/* It is announced before it is complete. */
	if (!tunnel)
		return 0;
	params = &tunnel->params;
	if (nla_put_u8(skb, IFLA_EOIP_CLAMP_MSS, params->clamp_mss))
		return -EMSGSIZE;
	if (params->external)
		return nla_put_flag(skb, IFLA_EOIP_COLLECT_METADATA);
	if (nla_put_u32(skb, IFLA_EOIP_LINK, params->link) ||
	    nla_put_u32(skb, IFLA_EOIP_ID, params->id) ||
	    eoip_put_address(skb, IFLA_EOIP_LOCAL, &params->local, params) ||
	    eoip_put_address(skb, IFLA_EOIP_REMOTE, &params->remote, params) ||
	    nla_put_u8(skb, IFLA_EOIP_TTL, params->ttl) ||
	    nla_put_u8(skb, IFLA_EOIP_TTL_INHERIT, !params->ttl) ||
	    nla_put_u8(skb, IFLA_EOIP_TOS, params->tos) ||
	    nla_put_u8(skb, IFLA_EOIP_DF, params->df) ||
	    nla_put_u32(skb, IFLA_EOIP_KEEPALIVE_INTERVAL,
			params->keepalive_interval) ||
	    nla_put_u8(skb, IFLA_EOIP_KEEPALIVE_RETRIES,
		       params->keepalive_retries))
		return -EMSGSIZE;
	if (READ_ONCE(device->is_heard) &&
	    nla_put_u32(skb, IFLA_EOIP_HEARD,
			(jiffies - READ_ONCE(device->last_heard)) / HZ))
		return -EMSGSIZE;
	return 0;
}

static struct net *eoip_get_link_net(const struct net_device *dev)
{
	const struct eoip_device *device = netdev_priv(dev);

	return device->net;
}

#define EOIP_LINK_OPS(KIND) {						\
	.kind = KIND,							\
	.maxtype = IFLA_EOIP_MAX,					\
	.policy = eoip_policy,						\
	.priv_size = sizeof(struct eoip_device),			\
	.setup = eoip_device_setup,					\
	.validate = eoip_validate,					\
	.newlink = eoip_compat_newlink,					\
	.changelink = eoip_changelink,					\
	.get_size = eoip_get_size,					\
	.fill_info = eoip_fill_info,					\
	.get_link_net = eoip_get_link_net,				\
}

struct rtnl_link_ops eoip_link_ops __read_mostly = EOIP_LINK_OPS("eoip");
struct rtnl_link_ops eoip_link_ops_ipv6 __read_mostly =
	EOIP_LINK_OPS("eoipv6");

/*
 * An external device with the longest MTU, for the vport module.  The caller
 * holds RTNL.  Returns the device or an ERR_PTR().
 */
struct net_device *eoip_dev_create_external(struct net *net, const char *name,
					    u8 name_assign_type)
{
	const struct eoip_params params = {
		.external = true, .clamp_mss = true,
	};
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
