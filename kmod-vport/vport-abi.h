/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What openvswitch.ko keeps to itself and a vport type needs nevertheless.
 *
 * No header of the kernel declares it, and it changes.  Every declaration here
 * is compared, word for word, with the kernel that is built for; see
 * vport-abi.py, which also says where a datapath keeps its namespace.  Where
 * anything differs the vport type is not built, only its refusal.
 */
#ifndef _VPORT_ABI_H
#define _VPORT_ABI_H

#include <linux/list.h>
#include <linux/netdevice.h>
#include <linux/openvswitch.h>

struct datapath;
struct vport_portids;

/* A port.  OVS makes it; what follows these members is of no concern. */
struct vport {
	struct net_device *dev;
	netdevice_tracker dev_tracker;
	struct datapath *dp;
	struct vport_portids *upcall_portids;
	u16 port_no;
	struct hlist_node hash_node;
	struct hlist_node dp_hash_node;
	const struct vport_ops *ops;
};

/* What a port is to be.  OVS makes it. */
struct vport_parms {
	const char *name;
	enum ovs_vport_type type;
	int desired_ifindex;
	struct nlattr *options;
	struct datapath *dp;
	u16 port_no;
};

/* A type of ports.  We make it, so it has to be complete. */
struct vport_ops {
	enum ovs_vport_type type;
	struct vport *(*create)(const struct vport_parms *parms);
	void (*destroy)(struct vport *vport);
	int (*set_options)(struct vport *vport, struct nlattr *options);
	int (*get_options)(const struct vport *vport, struct sk_buff *skb);
	int (*send)(struct sk_buff *skb);
	struct module *owner;
	struct list_head list;
};

int __ovs_vport_ops_register(struct vport_ops *ops);
void ovs_vport_ops_unregister(struct vport_ops *ops);
struct vport *ovs_vport_alloc(int priv_size, const struct vport_ops *ops,
			      const struct vport_parms *parms);
void ovs_vport_free(struct vport *vport);
struct vport *ovs_netdev_link(struct vport *vport, const char *name);
void ovs_netdev_tunnel_destroy(struct vport *vport);

#endif /* _VPORT_ABI_H */
