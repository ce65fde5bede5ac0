// SPDX-License-Identifier: GPL-2.0
/*
 * For test_offload_slots.py: takes the offload slot of a protocol over, as a
 * module of somebody else may, and goes on to call the functions that it found
 * there.
 */
#include <linux/module.h>
#include <net/protocol.h>

static int protocol = 47;
module_param(protocol, int, 0444);
MODULE_PARM_DESC(protocol, "47: of IPv4; 97: of IPv6");

static const struct net_offload *before;
static struct net_offload taker;

static const struct net_offload **taker_slot(void)
{
	return (__force const struct net_offload **)
		(protocol == 97 ? &inet6_offloads[97] : &inet_offloads[47]);
}

static int __init taker_init(void)
{
	before = READ_ONCE(*taker_slot());
	if (before)
		taker = *before;
	return cmpxchg(taker_slot(), before, &taker) == before ? 0 : -EBUSY;
}

static void __exit taker_exit(void)
{
	cmpxchg(taker_slot(), &taker, before);
	synchronize_net();
}

module_init(taker_init);
module_exit(taker_exit);

MODULE_DESCRIPTION("Takes the offload of a protocol, for a test");
MODULE_LICENSE("GPL");
