// SPDX-License-Identifier: GPL-2.0
/*
 * EoIP: MikroTik's Ethernet over IP as a kind of link, point-to-point or
 * external (for Open vSwitch and routes).  Here the parts are started in
 * order, and ended in reverse.
 */
#include <linux/module.h>
#include <net/rtnetlink.h>

#include "eoip.h"

static int __init eoip_init(void)
{
	int err;

	err = eoip_tunnels_init();
	if (err)
		return err;

	err = eoip_ipv6_init();
	if (err)
		goto exit_tunnels;

	err = eoip_offload_init();
	if (err)
		goto exit_ipv6;

	err = rtnl_link_register(&eoip_link_ops);
	if (err)
		goto exit_offload;

	err = rtnl_link_register(&eoip_link_ops_ipv6);
	if (err)
		goto exit_links;
	return 0;

exit_links:
	rtnl_link_unregister(&eoip_link_ops);
exit_offload:
	eoip_offload_exit();
exit_ipv6:
	eoip_ipv6_exit();
exit_tunnels:
	eoip_tunnels_exit();
	return err;
}

/*
 * The devices go first, and with the last one of each namespace its hook; then
 * the handlers that look tunnels up without a device of ours.  Each step waits
 * for those who are still in it, so that the table goes when nobody reads it.
 */
static void __exit eoip_exit(void)
{
	rtnl_link_unregister(&eoip_link_ops_ipv6);
	rtnl_link_unregister(&eoip_link_ops);
	eoip_offload_exit();
	eoip_ipv6_exit();
	eoip_tunnels_exit();
	eoip_metadata_exit();
	rcu_barrier();
}

module_init(eoip_init);
module_exit(eoip_exit);

MODULE_DESCRIPTION("Ethernet over IP as MikroTik routers speak it");
MODULE_AUTHOR("The authors of EoIP for Open vSwitch");
MODULE_LICENSE("GPL");
MODULE_VERSION(EOIP_VERSION);
MODULE_ALIAS_RTNL_LINK("eoip");
MODULE_ALIAS_RTNL_LINK("eoipv6");
MODULE_ALIAS_NETDEV("eoip0");
