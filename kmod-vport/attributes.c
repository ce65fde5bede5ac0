// SPDX-License-Identifier: GPL-2.0
/*
 * The attributes of a link of ours: what each may be, in itself and
 * beside others of the same message, and what it means.
 */
#include <linux/etherdevice.h>
#include <linux/if_link.h>
#include <net/ip.h>
#include <net/netlink.h>

#include "compat.h"
#include "eoip.h"

static const struct nla_policy
eoip_mss_rule_policy[IFLA_EOIP_CLAMP_MSS + 1] = {
	[IFLA_EOIP_ID]			= { .type = NLA_U32 },
	[IFLA_EOIP_LOCAL]		= NLA_POLICY_MIN_LEN(sizeof(__be32)),
	[IFLA_EOIP_REMOTE]		= NLA_POLICY_MIN_LEN(sizeof(__be32)),
	[IFLA_EOIP_CLAMP_MSS]		= { .type = NLA_U8 },
};

const struct nla_policy eoip_policy[IFLA_EOIP_MAX + 1] = {
	/* All attributes have exactly the length of their type. */
	[0]				= { .strict_start_type = 1 },
	[IFLA_EOIP_LINK]		= { .type = NLA_U32 },
	[IFLA_EOIP_ID]			= { .type = NLA_U32 },
	[IFLA_EOIP_LOCAL]		= NLA_POLICY_MIN_LEN(sizeof(__be32)),
	[IFLA_EOIP_REMOTE]		= NLA_POLICY_MIN_LEN(sizeof(__be32)),
	[IFLA_EOIP_TTL]			= { .type = NLA_U8 },
	[IFLA_EOIP_TOS]			= { .type = NLA_U8 },
	[IFLA_EOIP_DF]			= { .type = NLA_U8 },
	[IFLA_EOIP_COLLECT_METADATA]	= { .type = NLA_FLAG },
	[IFLA_EOIP_KEEPALIVE_INTERVAL]	= { .type = NLA_U32 },
	[IFLA_EOIP_KEEPALIVE_RETRIES]	= { .type = NLA_U8 },
	[IFLA_EOIP_TTL_INHERIT]		= { .type = NLA_U8 },
	[IFLA_EOIP_CLAMP_MSS]		= { .type = NLA_U8 },
	[IFLA_EOIP_MSS_RULE]		=
		NLA_POLICY_NESTED(eoip_mss_rule_policy),
};

/* Whether an attribute is an address of one family or the other. */
static bool eoip_is_address(const struct nlattr *attr)
{
	return nla_len(attr) == sizeof(__be32) ||
	       nla_len(attr) == sizeof(struct in6_addr);
}

/* As eoip_params keeps it: "any" is the same in both families. */
struct in6_addr eoip_get_address(const struct nlattr *attr)
{
	struct in6_addr address = { };

	if (nla_len(attr) == sizeof(struct in6_addr))
		address = nla_get_in6_addr(attr);
	else if (nla_get_in_addr(attr))
		ipv6_addr_set_v4mapped(nla_get_in_addr(attr), &address);
	return address;
}

static bool eoip_is_unicast(const struct in6_addr *address)
{
	__be32 ipv4 = address->s6_addr32[3];

	if (ipv6_addr_v4mapped(address))
		return !ipv4_is_zeronet(ipv4) && !ipv4_is_multicast(ipv4) &&
		       !ipv4_is_lbcast(ipv4);
	return ipv6_addr_type(address) & IPV6_ADDR_UNICAST;
}

static int eoip_validate_addresses(struct nlattr *data[],
				   struct netlink_ext_ack *extack)
{
	struct nlattr *local = data[IFLA_EOIP_LOCAL];
	struct nlattr *remote = data[IFLA_EOIP_REMOTE];
	struct in6_addr address;

	if ((local && !eoip_is_address(local)) ||
	    (remote && !eoip_is_address(remote))) {
		NL_SET_ERR_MSG(extack,
			       "eoip: local and remote must be IPv4 or IPv6 addresses");
		return -EINVAL;
	}
	if (remote) {
		address = eoip_get_address(remote);
		if (!eoip_is_unicast(&address)) {
			NL_SET_ERR_MSG_ATTR(extack, remote,
					    "eoip: remote must be a unicast address");
			return -EADDRNOTAVAIL;
		}
	}
	if (local) {
		address = eoip_get_address(local);
		if (!ipv6_addr_any(&address) && !eoip_is_unicast(&address)) {
			NL_SET_ERR_MSG_ATTR(extack, local,
					    "eoip: local must be a unicast address, or zero for the route's");
			return -EADDRNOTAVAIL;
		}
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

	if (id && nla_get_u32(id) > EOIP_KEY_MAX) {
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
	if (data[IFLA_EOIP_TTL_INHERIT] &&
	    nla_get_u8(data[IFLA_EOIP_TTL_INHERIT]) > 1) {
		NL_SET_ERR_MSG_ATTR(extack, data[IFLA_EOIP_TTL_INHERIT],
				    "eoip: ttl-inherit must be 0 or 1");
		return -ERANGE;
	}
	if (data[IFLA_EOIP_CLAMP_MSS] &&
	    nla_get_u8(data[IFLA_EOIP_CLAMP_MSS]) > 1) {
		NL_SET_ERR_MSG_ATTR(extack, data[IFLA_EOIP_CLAMP_MSS],
				    "eoip: clamp-mss must be 0 or 1");
		return -ERANGE;
	}
	return 0;
}

/* Each frame of an external device brings its tunnel's parameters along. */
int eoip_validate_external(struct nlattr *data[],
			   struct netlink_ext_ack *extack)
{
	int i;

	for (i = 1; i <= IFLA_EOIP_MAX; i++) {
		if (!data[i] || i == IFLA_EOIP_COLLECT_METADATA ||
		    i == IFLA_EOIP_CLAMP_MSS || i == IFLA_EOIP_MSS_RULE)
			continue;
		NL_SET_ERR_MSG_ATTR(extack, data[i],
				    "eoip: an external device takes clamp-mss or mss-rule, and no other attribute");
		return -EINVAL;
	}
	return 0;
}

int eoip_validate(struct nlattr *tb[], struct nlattr *data[],
		  struct netlink_ext_ack *extack)
{
	int err = 0;

	if (tb[IFLA_ADDRESS] &&
	    (nla_len(tb[IFLA_ADDRESS]) != ETH_ALEN ||
	     !is_valid_ether_addr(nla_data(tb[IFLA_ADDRESS])))) {
		NL_SET_ERR_MSG_ATTR(extack, tb[IFLA_ADDRESS],
				    "eoip: address must be a unicast Ethernet address");
		return -EADDRNOTAVAIL;
	}
	if (!data)
		return 0;
	if (data[IFLA_EOIP_COLLECT_METADATA])
		err = eoip_validate_external(data, extack);
	if (!err)
		err = eoip_validate_addresses(data, extack);
	if (!err)
		err = eoip_validate_numbers(data, extack);
	return err;
}

/* Takes over what a message names; it has been validated. */
void eoip_parse(struct eoip_params *params, struct nlattr *data[])
{
	if (data[IFLA_EOIP_LINK])
		params->link = nla_get_u32(data[IFLA_EOIP_LINK]);
	if (data[IFLA_EOIP_ID])
		params->id = nla_get_u32(data[IFLA_EOIP_ID]);
	if (data[IFLA_EOIP_LOCAL])
		params->local = eoip_get_address(data[IFLA_EOIP_LOCAL]);
	if (data[IFLA_EOIP_REMOTE])
		params->remote = eoip_get_address(data[IFLA_EOIP_REMOTE]);
	if (data[IFLA_EOIP_TTL])
		params->ttl = nla_get_u8(data[IFLA_EOIP_TTL]) ?: IPDEFTTL;
	if (data[IFLA_EOIP_TTL_INHERIT])
		params->ttl = nla_get_u8(data[IFLA_EOIP_TTL_INHERIT]) ?
			      0 : params->ttl ?: IPDEFTTL;
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
	if (data[IFLA_EOIP_CLAMP_MSS])
		params->clamp_mss = nla_get_u8(data[IFLA_EOIP_CLAMP_MSS]);
}

/*
 * Whatever else a message says with a rule, it is refused.  @tb gets what the
 * rule says.
 */
int eoip_validate_mss_rule(struct nlattr *data[], struct nlattr *tb[],
			   struct netlink_ext_ack *extack)
{
	int err;

	if (data[IFLA_EOIP_CLAMP_MSS]) {
		NL_SET_ERR_MSG_ATTR(extack, data[IFLA_EOIP_CLAMP_MSS],
				    "eoip: mss-rule and clamp-mss are two changes");
		return -EINVAL;
	}
	err = nla_parse_nested(tb, IFLA_EOIP_CLAMP_MSS,
			       data[IFLA_EOIP_MSS_RULE], eoip_mss_rule_policy,
			       extack);
	if (!err)
		err = eoip_validate_addresses(tb, extack);
	if (!err)
		err = eoip_validate_numbers(tb, extack);
	return err;
}
