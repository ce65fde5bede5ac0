// SPDX-License-Identifier: GPL-2.0
/*
 * The tunnels of all namespaces: found by each packet, published and
 * withdrawn under RTNL.  While a namespace has a device, it has the hook
 * through which packets of EoIP come in.
 *
 * There is one table, which lives as long as the module, because a namespace
 * that ends receives packets to the last: its devices are taken down after
 * ours, and the protocol handlers look tunnels up in every namespace, also in
 * one that never had a tunnel.  At the end of a namespace nothing is freed
 * here; its tunnels leave the table with their devices.
 *
 * Everything that changes relies on the one RTNL of all namespaces.  A device
 * may live in another namespace than its underlay, so a lock of either one
 * would not do for: eoip_net.devices and the hook that follows it,
 * eoip_net.external, and the step from eoip_tunnel_check() to
 * eoip_tunnel_set().  Kernels that have a lock for each namespace as well
 * still hold the global one around rtnl_link_ops, ndo_init and ndo_uninit.
 */
#include <linux/hash.h>
#include <linux/jhash.h>
#include <linux/module.h>
#include <linux/netfilter_ipv4.h>
#include <linux/rhashtable.h>
#include <linux/rtnetlink.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "eoip.h"

static unsigned int eoip_net_id __read_mostly;
static struct rhltable eoip_tunnels;

/* Only who may make tunnels can make two of one hash. */
static u32 eoip_key_hash(const void *data, u32 len, u32 seed)
{
	const struct eoip_key *key = data;

	return jhash_3words(ipv6_addr_hash(&key->remote), key->id,
			    hash32_ptr(key->underlay), seed);
}

/* Nonzero if they differ. */
static int eoip_key_compare(struct rhashtable_compare_arg *arg,
			    const void *object)
{
	const struct eoip_tunnel *tunnel = object;
	const struct eoip_key *key = arg->key;

	return key->id != tunnel->key.id ||
	       key->underlay != tunnel->key.underlay ||
	       !ipv6_addr_equal(&key->remote, &tunnel->key.remote);
}

static const struct rhashtable_params eoip_tunnels_params = {
	.head_offset = offsetof(struct eoip_tunnel, node),
	.key_offset = offsetof(struct eoip_tunnel, key),
	.key_len = sizeof(struct eoip_key),
	.hashfn = eoip_key_hash,
	.obj_cmpfn = eoip_key_compare,
	.automatic_shrinking = true,
};

static const struct nf_hook_ops eoip_hook = {
	.hook = eoip_ipv4_receive,
	.pf = NFPROTO_IPV4,
	.hooknum = NF_INET_LOCAL_IN,
	.priority = NF_IP_PRI_CONNTRACK_CONFIRM - 1,
};

struct eoip_net *eoip_net_get(const struct net *net)
{
	return net_generic(net, eoip_net_id);
}

/* How well a tunnel's filters fit a packet: -1 is not at all. */
static int eoip_tunnel_score(const struct eoip_params *params,
			     const struct in6_addr *local, int ifindex,
			     int slave_ifindex)
{
	bool any_local = ipv6_addr_any(&params->local);

	if (!any_local && !ipv6_addr_equal(&params->local, local))
		return -1;
	if (params->link && params->link != ifindex &&
	    params->link != slave_ifindex)
		return -1;
	return 2 * !any_local + !!params->link;
}

/*
 * The device for a packet from @remote to @local with tunnel @id that came in
 * by @ifindex, or NULL.  What comes in by a VRF's slave has the VRF there and
 * the slave in @slave_ifindex, which is 0 otherwise; a link may name either.
 * Under RCU.
 */
struct eoip_device *eoip_tunnels_find(struct eoip_net *en,
				      const struct in6_addr *remote,
				      const struct in6_addr *local, u16 id,
				      int ifindex, int slave_ifindex)
{
	const struct eoip_key key = {
		.underlay = en, .remote = *remote, .id = id,
	};
	struct eoip_tunnel *tunnel, *best = NULL;
	struct rhlist_head *pos, *list;
	int score, best_score = -1;

	list = rhltable_lookup(&eoip_tunnels, &key, eoip_tunnels_params);
	rhl_for_each_entry_rcu(tunnel, pos, list, node) {
		score = eoip_tunnel_score(&tunnel->params, local, ifindex,
					  slave_ifindex);
		if (score > best_score) {
			best = tunnel;
			best_score = score;
		}
	}
	return best ? best->device : rcu_dereference(en->external);
}

/* Whether another device of the namespace has the same place. */
static bool eoip_tunnel_is_taken(struct eoip_net *en,
				 const struct eoip_device *device,
				 const struct eoip_params *params)
{
	const struct eoip_key key = {
		.underlay = en, .remote = params->remote, .id = params->id,
	};
	struct rhlist_head *pos, *list;
	struct eoip_tunnel *tunnel;
	bool taken = false;

	rcu_read_lock();
	list = rhltable_lookup(&eoip_tunnels, &key, eoip_tunnels_params);
	rhl_for_each_entry_rcu(tunnel, pos, list, node) {
		if (tunnel->device != device &&
		    ipv6_addr_equal(&tunnel->params.local, &params->local) &&
		    tunnel->params.link == params->link)
			taken = true;
	}
	rcu_read_unlock();
	return taken;
}

static void eoip_tunnel_free(struct eoip_tunnel *tunnel)
{
	dst_cache_destroy(&tunnel->dst_cache);
	kfree(tunnel);
}

static void eoip_tunnel_free_rcu(struct rcu_head *rcu)
{
	eoip_tunnel_free(container_of(rcu, struct eoip_tunnel, rcu));
}

static struct eoip_tunnel *eoip_tunnel_alloc(struct eoip_device *device,
					     const struct eoip_params *params)
{
	struct eoip_tunnel *tunnel = kzalloc(sizeof(*tunnel),
					     GFP_KERNEL_ACCOUNT);

	if (!tunnel)
		return NULL;
	if (dst_cache_init(&tunnel->dst_cache, GFP_KERNEL_ACCOUNT)) {
		kfree(tunnel);
		return NULL;
	}
	tunnel->key.underlay = eoip_net_get(device->net);
	tunnel->key.remote = params->remote;
	tunnel->key.id = params->id;
	tunnel->params = *params;
	tunnel->device = device;
	return tunnel;
}

static void eoip_tunnel_withdraw(struct eoip_tunnel *tunnel)
{
	if (!tunnel->params.external)
		rhltable_remove(&eoip_tunnels, &tunnel->node,
				eoip_tunnels_params);
	call_rcu(&tunnel->rcu, eoip_tunnel_free_rcu);
}

static int eoip_tunnel_publish(struct eoip_net *en,
			       struct eoip_tunnel *tunnel)
{
	if (tunnel->params.external) {
		rcu_assign_pointer(en->external, tunnel->device);
		return 0;
	}
	return rhltable_insert(&eoip_tunnels, &tunnel->node,
			       eoip_tunnels_params);
}

/* What keeps @device from having @params in its underlay.  RTNL. */
int eoip_tunnel_check(struct eoip_device *device,
		      const struct eoip_params *params,
		      struct netlink_ext_ack *extack)
{
	struct eoip_net *en = eoip_net_get(device->net);
	const struct eoip_device *external = rtnl_dereference(en->external);

	if (params->external && external && external != device) {
		NL_SET_ERR_MSG(extack,
			       "eoip: the namespace has an external device already");
		return -EEXIST;
	}
	if (!params->external && eoip_tunnel_is_taken(en, device, params)) {
		NL_SET_ERR_MSG(extack,
			       "eoip: another device has the same remote, id, local and link");
		return -EEXIST;
	}
	return 0;
}

/*
 * Makes @params, which were checked, those of @device.  Packets on their way
 * meet the old ones or the new ones.  An error changes nothing.  RTNL.
 */
int eoip_tunnel_set(struct eoip_device *device,
		    const struct eoip_params *params)
{
	struct eoip_tunnel *old = rtnl_dereference(device->tunnel);
	struct eoip_net *en = eoip_net_get(device->net);
	struct eoip_tunnel *tunnel;
	int err;

	tunnel = eoip_tunnel_alloc(device, params);
	if (!tunnel)
		return -ENOMEM;
	rcu_assign_pointer(device->tunnel, tunnel);
	err = eoip_tunnel_publish(en, tunnel);
	if (err) {
		rcu_assign_pointer(device->tunnel, old);
		call_rcu(&tunnel->rcu, eoip_tunnel_free_rcu);
		return err;
	}
	if (old)
		eoip_tunnel_withdraw(old);
	return 0;
}

/* Takes @device out of its underlay: no packet finds it after.  RTNL. */
void eoip_tunnel_clear(struct eoip_device *device)
{
	struct eoip_tunnel *tunnel = rtnl_dereference(device->tunnel);
	struct eoip_net *en = eoip_net_get(device->net);

	if (!tunnel)
		return;
	if (tunnel->params.external)
		RCU_INIT_POINTER(en->external, NULL);
	RCU_INIT_POINTER(device->tunnel, NULL);
	eoip_tunnel_withdraw(tunnel);
}

static int __net_init eoip_net_init(struct net *net)
{
	struct eoip_net *en = eoip_net_get(net);

	INIT_LIST_HEAD(&en->devices);
	return 0;
}

/*
 * An underlay that ends takes its devices along, wherever they live: as a
 * pernet device, before the routes that they send by are gone.
 */
static void __net_exit eoip_net_exit_batch(struct list_head *nets)
{
	struct eoip_device *device;
	struct eoip_net *en;
	struct net *net;
	LIST_HEAD(list);

	rtnl_lock();
	list_for_each_entry(net, nets, exit_list) {
		en = eoip_net_get(net);
		list_for_each_entry(device, &en->devices, list)
			unregister_netdevice_queue(device->dev, &list);
	}
	unregister_netdevice_many(&list);
	rtnl_unlock();
}

static struct pernet_operations eoip_net_ops = {
	.init = eoip_net_init,
	.exit_batch = eoip_net_exit_batch,
	.id = &eoip_net_id,
	.size = sizeof(struct eoip_net),
};

/* The device joins its underlay's list; the first one brings the hook. */
int eoip_net_join(struct eoip_device *device)
{
	struct eoip_net *en = eoip_net_get(device->net);
	int err = 0;

	if (list_empty(&en->devices))
		err = nf_register_net_hook(device->net, &eoip_hook);
	if (!err)
		list_add_tail(&device->list, &en->devices);
	return err;
}

void eoip_net_leave(struct eoip_device *device)
{
	struct eoip_net *en = eoip_net_get(device->net);

	list_del(&device->list);
	if (list_empty(&en->devices))
		nf_unregister_net_hook(device->net, &eoip_hook);
}

int eoip_tunnels_init(void)
{
	int err = rhltable_init(&eoip_tunnels, &eoip_tunnels_params);

	if (err)
		return err;
	err = register_pernet_device(&eoip_net_ops);
	if (err)
		rhltable_destroy(&eoip_tunnels);
	return err;
}

/* When no packet and no device can come any more. */
void eoip_tunnels_exit(void)
{
	unregister_pernet_device(&eoip_net_ops);
	rhltable_destroy(&eoip_tunnels);
}
