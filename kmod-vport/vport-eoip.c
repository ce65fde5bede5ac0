// SPDX-License-Identifier: GPL-2.0
/*
 * The Open vSwitch vport type "eoip", for the openvswitch.ko that the kernel
 * came with: a port of this type is an external device of eoip.ko's.
 *
 * Second choice: a device that userspace makes and adds as an ordinary port
 * needs nothing of what OVS keeps to itself, and this does.  Hence nothing is
 * believed here that was not compared at build time (vport-abi.h), the symbols'
 * versions bind the module to the kernel that was compared with, and what can
 * be looked at again at run time is.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <net/net_namespace.h>
#include <net/rtnetlink.h>

#include "eoip.h"
#include "vport-abi.h"
#include "vport-kernel.h"

/* As OVS's userspace calls it: 100 + the IP protocol, far above OVS's own. */
#define VPORT_TYPE_EOIP 147

MODULE_DESCRIPTION("EoIP port for Open vSwitch");
MODULE_LICENSE("GPL");
MODULE_ALIAS("vport-type-147");

#ifdef VPORT_REFUSED

static int __init vport_eoip_init(void)
{
	pr_err("made for a kernel whose Open vSwitch it does not know: %s\n",
	       VPORT_REFUSED);
	return -EOPNOTSUPP;
}
module_init(vport_eoip_init);

#else

static struct vport_ops vport_eoip_ops;

/* Whether OVS means by these structures what we do. */
static bool vport_is_sane(const struct vport *vport,
			  const struct vport_parms *parms)
{
	return parms->type == VPORT_TYPE_EOIP && !vport->dev &&
	       vport->dp == parms->dp && vport->port_no == parms->port_no &&
	       vport->ops == &vport_eoip_ops;
}

/*
 * The namespace of a datapath, or NULL if what is there is no namespace.  The
 * caller's may be another one.  OVS's lock, which is held whenever a port is
 * made, keeps the datapath and hence its namespace.
 */
static struct net *vport_net(const struct datapath *dp)
{
	const possible_net_t *place = (const void *)dp + VPORT_DATAPATH_NET;
	struct net *found = NULL;
	struct net *net;

	rcu_read_lock();
	for_each_net_rcu(net)
		if (net == read_pnet(place))
			found = net;
	rcu_read_unlock();
	return found;
}

/* The device that is there by this name, or a new one; and its reference. */
static struct net_device *vport_device(struct net *net, const char *name,
				       bool *made)
{
	struct net_device *dev = __dev_get_by_name(net, name);
	int err;

	*made = !dev;
	if (!dev)
		dev = eoip_dev_create_external(net, name, NET_NAME_USER);
	else if (!eoip_dev_is_external(dev))
		dev = ERR_PTR(-EEXIST);
	if (IS_ERR(dev))
		return dev;

	err = dev_change_flags(dev, dev->flags | IFF_UP, NULL);
	if (err) {
		if (*made)
			rtnl_delete_link(dev, 0, NULL);
		return ERR_PTR(err);
	}
	dev_hold(dev);
	return dev;
}

/* Hands @vport over to OVS, which frees it if it fails. */
static struct vport *vport_link(struct vport *vport, struct net *net,
				const char *name)
{
	struct net_device *dev;
	bool made;

	rtnl_lock();
	dev = vport_device(net, name, &made);
	rtnl_unlock();
	if (IS_ERR(dev)) {
		ovs_vport_free(vport);
		return ERR_CAST(dev);
	}

	vport = ovs_netdev_link(vport, name);

	rtnl_lock();
	if (IS_ERR(vport) && made && dev->reg_state == NETREG_REGISTERED)
		rtnl_delete_link(dev, 0, NULL);
	dev_put(dev);
	rtnl_unlock();
	return vport;
}

static struct vport *vport_eoip_create(const struct vport_parms *parms)
{
	struct net *net = NULL;
	struct vport *vport;

	vport = ovs_vport_alloc(0, &vport_eoip_ops, parms);
	if (IS_ERR(vport))
		return vport;

	if (vport_is_sane(vport, parms))
		net = vport_net(parms->dp);
	if (!net) {
		pr_err_once("no port is made: openvswitch.ko is not the one that this module was built for\n");
		ovs_vport_free(vport);
		return ERR_PTR(-EOPNOTSUPP);
	}
	return vport_link(vport, net, parms->name);
}

static struct vport_ops vport_eoip_ops = {
	.type = VPORT_TYPE_EOIP,
	.create = vport_eoip_create,
	.destroy = ovs_netdev_tunnel_destroy,
	.send = dev_queue_xmit,
	.owner = THIS_MODULE,
};

static int __init vport_eoip_init(void)
{
	return __ovs_vport_ops_register(&vport_eoip_ops);
}

static void __exit vport_eoip_exit(void)
{
	ovs_vport_ops_unregister(&vport_eoip_ops);
}

module_init(vport_eoip_init);
module_exit(vport_eoip_exit);

#endif
