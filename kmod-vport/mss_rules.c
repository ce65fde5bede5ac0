// SPDX-License-Identifier: GPL-2.0
/*
 * Which tunnels of an external device clamp the MSS and which do not.  Ports of
 * a switch share that device, and each may want it in its own way: a rule says
 * so of one port's packets.  Made under RTNL by netlink.c, read by mss.c for
 * SYNs alone.
 */
#include <linux/rhashtable.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "eoip.h"

struct eoip_mss_rule {
	struct rhash_head node;
	struct eoip_mss_match match;
	bool clamp;
	struct rcu_head rcu;
};

static const struct rhashtable_params eoip_mss_rules_params = {
	.head_offset = offsetof(struct eoip_mss_rule, node),
	.key_offset = offsetof(struct eoip_mss_rule, match),
	.key_len = sizeof(struct eoip_mss_match),
	.automatic_shrinking = true,
};

/*
 * Whether a SYN with these addresses and this id is to be clamped: as the most
 * exact rule says, by the id first, as Open vSwitch finds its ports; as
 * @otherwise if there is none.  Under RCU.
 */
bool eoip_mss_rules_find(const struct eoip_device *device,
			 const struct in6_addr *remote,
			 const struct in6_addr *local, u16 id, bool otherwise)
{
	struct rhashtable *rules = rcu_dereference(device->mss_rules);
	const struct eoip_mss_rule *rule;
	int way;

	for (way = 0; rules && way < 8; way++) {
		const struct eoip_mss_match match = {
			.remote = way & 2 ? in6addr_any : *remote,
			.local = way & 1 ? in6addr_any : *local,
			.id = way & 4 ? EOIP_MSS_ANY_ID : id,
		};

		rule = rhashtable_lookup(rules, &match, eoip_mss_rules_params);
		if (rule)
			return READ_ONCE(rule->clamp);
	}
	return otherwise;
}

/* The device's rules, made with the first of them; NULL without memory. */
static struct rhashtable *eoip_mss_rules_get(struct eoip_device *device)
{
	struct rhashtable *rules = rtnl_dereference(device->mss_rules);

	if (rules)
		return rules;
	rules = kzalloc(sizeof(*rules), GFP_KERNEL_ACCOUNT);
	if (rules && rhashtable_init(rules, &eoip_mss_rules_params)) {
		kfree(rules);
		return NULL;
	}
	rcu_assign_pointer(device->mss_rules, rules);
	return rules;
}

static int eoip_mss_rules_add(struct rhashtable *rules,
			      const struct eoip_mss_match *match, bool clamp,
			      struct netlink_ext_ack *extack)
{
	struct eoip_mss_rule *rule;
	int err;

	if (atomic_read(&rules->nelems) >= EOIP_MSS_RULES_MAX) {
		NL_SET_ERR_MSG(extack,
			       "eoip: the device has 65536 rules of its mss already");
		return -ENOSPC;
	}
	rule = kzalloc(sizeof(*rule), GFP_KERNEL_ACCOUNT);
	if (!rule)
		return -ENOMEM;
	rule->match = *match;
	rule->clamp = clamp;
	err = rhashtable_insert_fast(rules, &rule->node,
				     eoip_mss_rules_params);
	if (err)
		kfree(rule);
	return err;
}

/* Makes or changes a rule.  An error changes nothing.  RTNL. */
int eoip_mss_rules_set(struct eoip_device *device,
		       const struct eoip_mss_match *match, bool clamp,
		       struct netlink_ext_ack *extack)
{
	struct rhashtable *rules = eoip_mss_rules_get(device);
	struct eoip_mss_rule *rule;

	if (!rules)
		return -ENOMEM;
	rule = rhashtable_lookup_fast(rules, match, eoip_mss_rules_params);
	if (!rule)
		return eoip_mss_rules_add(rules, match, clamp, extack);
	WRITE_ONCE(rule->clamp, clamp);
	return 0;
}

/* Forgets a rule, if there is one.  RTNL. */
void eoip_mss_rules_remove(struct eoip_device *device,
			   const struct eoip_mss_match *match)
{
	struct rhashtable *rules = rtnl_dereference(device->mss_rules);
	struct eoip_mss_rule *rule = NULL;

	if (rules)
		rule = rhashtable_lookup_fast(rules, match,
					      eoip_mss_rules_params);
	if (rule) {
		rhashtable_remove_fast(rules, &rule->node,
				       eoip_mss_rules_params);
		kfree_rcu(rule, rcu);
	}
}

static void eoip_mss_rules_free_one(void *rule, void *unused)
{
	kfree(rule);
}

/* When nobody reads them any more. */
void eoip_mss_rules_free(struct eoip_device *device)
{
	struct rhashtable *rules =
		rcu_dereference_protected(device->mss_rules, true);

	if (!rules)
		return;
	RCU_INIT_POINTER(device->mss_rules, NULL);
	rhashtable_free_and_destroy(rules, eoip_mss_rules_free_one, NULL);
	kfree(rules);
}
