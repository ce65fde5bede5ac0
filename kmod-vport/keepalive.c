// SPDX-License-Identifier: GPL-2.0
/*
 * Keepalives of point-to-point devices.  There is one timer, of the device:
 * each interval while the device is up it sends a keepalive and looks when
 * the peer was heard last.  Nobody replies to a keepalive; each side sends
 * its own.  [cap]
 *
 * Any valid packet of the tunnel is a sign of life.  [infer]  After interval
 * x retries without one, and never before two intervals (a RouterOS is that
 * late at times [cap]), the carrier goes; sending goes on; the next valid
 * packet brings the carrier back.  [doc]
 */
#include <linux/jiffies.h>
#include <linux/netdevice.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>

#include "compat.h"
#include "eoip.h"

static bool eoip_keepalive_is_silent(const struct eoip_device *device,
				     const struct eoip_params *params)
{
	u64 patience = max_t(u64, params->keepalive_retries, 2) *
		       params->keepalive_interval * HZ;
	unsigned long silent = jiffies - READ_ONCE(device->last_heard);

	return params->keepalive_retries && silent >= patience;
}

static void eoip_keepalive_expired(struct timer_list *timer)
{
	struct eoip_device *device = timer_container_of(device, timer,
							keepalive_timer);
	struct eoip_tunnel *tunnel;
	unsigned long interval;

	rcu_read_lock();
	tunnel = rcu_dereference(device->tunnel);
	if (!tunnel || !tunnel->params.keepalive_interval)
		goto out;
	if (eoip_send_keepalive(device, tunnel))
		atomic_long_inc(&device->tx_keepalives);
	if (eoip_keepalive_is_silent(device, &tunnel->params))
		netif_carrier_off(device->dev);

	/* From due time to due time, so that lateness does not add up; but
	 * after a sleep of the machine nothing is made up for.
	 */
	interval = tunnel->params.keepalive_interval * HZ;
	device->next_keepalive += interval;
	if (time_before_eq(device->next_keepalive, jiffies))
		device->next_keepalive = jiffies + interval;
	mod_timer(&device->keepalive_timer, device->next_keepalive);
out:
	rcu_read_unlock();
}

void eoip_keepalive_init(struct eoip_device *device)
{
	timer_setup(&device->keepalive_timer, eoip_keepalive_expired, 0);
}

/* A random time from 1 to @max jiffies. */
static unsigned long eoip_keepalive_random(unsigned long max)
{
	return 1 + (((u64)get_random_u32() * max) >> 32);
}

/*
 * The device came up, or its parameters changed: begins anew.  The first
 * keepalive goes within a second, so that the peer learns of us; the second
 * within an interval of the first, at a time by chance, and so the devices of
 * a configuration that is restored at once do not beat as one.  RTNL.
 */
void eoip_keepalive_start(struct eoip_device *device)
{
	const struct eoip_tunnel *tunnel = rtnl_dereference(device->tunnel);
	unsigned long interval, first;

	eoip_keepalive_stop(device);
	WRITE_ONCE(device->last_heard, jiffies);
	WRITE_ONCE(device->is_heard, false);
	if (!tunnel->params.keepalive_interval ||
	    !tunnel->params.keepalive_retries)
		netif_carrier_on(device->dev);
	if (!tunnel->params.keepalive_interval)
		return;
	interval = tunnel->params.keepalive_interval * HZ;
	first = jiffies + eoip_keepalive_random(HZ);
	/* The timer adds an interval to what it finds here. */
	device->next_keepalive = first + eoip_keepalive_random(interval) -
				 interval;
	mod_timer(&device->keepalive_timer, first);
}

void eoip_keepalive_stop(struct eoip_device *device)
{
	timer_delete_sync(&device->keepalive_timer);
}

/* Of each valid packet; costs a comparison when nothing has changed. */
void eoip_keepalive_heard(struct eoip_device *device)
{
	const unsigned long now = jiffies;

	if (READ_ONCE(device->last_heard) != now)
		WRITE_ONCE(device->last_heard, now);
	if (unlikely(!READ_ONCE(device->is_heard)))
		WRITE_ONCE(device->is_heard, true);
	if (unlikely(!netif_carrier_ok(device->dev)))
		netif_carrier_on(device->dev);
}
