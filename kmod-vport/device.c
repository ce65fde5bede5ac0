// SPDX-License-Identifier: GPL-2.0
/*
 * The net_device: what it can do, its life from register to free, and its
 * counters.  Its parameters are the tunnel's.
 */
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <net/addrconf.h>
#include <net/ip.h>
#include <net/ip_tunnels.h>
#include <net/route.h>
#include <net/rtnetlink.h>

#include "compat.h"
#include "eoip.h"

/* The first drop in the list that befalls a frame on its way out. */
#define EOIP_FIRST_TX_DROP	EOIP_KMOD_DROP_FRAME_TOO_LONG

static const char eoip_device_strings[][ETH_GSTRING_LEN] = {
	"rx_keepalives",
	"tx_keepalives",
#define EOIP_RX_STRING(SYMBOL, NAME, SENTENCE) "rx_drop_" NAME,
#define EOIP_TX_STRING(SYMBOL, NAME, SENTENCE) "tx_drop_" NAME,
	EOIP_TUNNEL_DROPS(EOIP_RX_STRING)
	EOIP_FRAME_DROPS(EOIP_RX_STRING)
	EOIP_KMOD_RX_DROPS(EOIP_RX_STRING)
	EOIP_TX_DROPS(EOIP_TX_STRING)
	EOIP_KMOD_TX_DROPS(EOIP_TX_STRING)
};

void eoip_device_count_drop(struct eoip_device *device,
			    enum eoip_kmod_drop drop)
{
	atomic_long_inc(&device->drops[drop]);
	if (drop < EOIP_FIRST_TX_DROP)
		dev_core_stats_rx_dropped_inc(device->dev);
	else
		dev_core_stats_tx_dropped_inc(device->dev);
}

/*
 * The nearest of the kernel's own reasons, for those who trace drops; what is
 * not here has none that would fit.
 */
static const enum skb_drop_reason eoip_device_reasons[EOIP_N_KMOD_DROPS] = {
	[EOIP_KMOD_DROP_IP_OPTIONS] = SKB_DROP_REASON_IP_INHDR,
	[EOIP_KMOD_DROP_LENGTH_BEYOND_PACKET] = SKB_DROP_REASON_PKT_TOO_SMALL,
	[EOIP_KMOD_DROP_FRAME_TOO_SHORT] = SKB_DROP_REASON_PKT_TOO_SMALL,
	[EOIP_KMOD_DROP_IPSEC_POLICY] = SKB_DROP_REASON_XFRM_POLICY,
	[EOIP_KMOD_DROP_ECN] = EOIP_COMPAT_REASON_ECN,
	[EOIP_KMOD_DROP_DEVICE_DOWN] = SKB_DROP_REASON_DEV_READY,
	[EOIP_KMOD_DROP_RX_NO_MEMORY] = SKB_DROP_REASON_NOMEM,
	[EOIP_KMOD_DROP_FRAME_TOO_LONG] = SKB_DROP_REASON_PKT_TOO_BIG,
	[EOIP_KMOD_DROP_EXCEEDS_MTU] = SKB_DROP_REASON_PKT_TOO_BIG,
	[EOIP_KMOD_DROP_KEY_OUT_OF_RANGE] = EOIP_COMPAT_REASON_TXINFO,
	[EOIP_KMOD_DROP_ENDPOINT_UNRESOLVED] = SKB_DROP_REASON_IP_OUTNOROUTES,
	[EOIP_KMOD_DROP_IPV6_UNDERLAY] = SKB_DROP_REASON_IPV6DISABLED,
	[EOIP_KMOD_DROP_NO_TUNNEL_INFO] = EOIP_COMPAT_REASON_TXINFO,
	[EOIP_KMOD_DROP_NO_ROUTE] = SKB_DROP_REASON_IP_OUTNOROUTES,
	[EOIP_KMOD_DROP_IPSEC_BLOCKED] = SKB_DROP_REASON_XFRM_POLICY,
	[EOIP_KMOD_DROP_RECURSION] = EOIP_COMPAT_REASON_RECURSION,
	[EOIP_KMOD_DROP_TX_MALFORMED] = SKB_DROP_REASON_HDR_TRUNC,
	[EOIP_KMOD_DROP_TX_NO_MEMORY] = SKB_DROP_REASON_NOMEM,
};

/* Counts a packet or frame of @device's as dropped, and frees it. */
void eoip_device_drop(struct eoip_device *device, struct sk_buff *skb,
		      enum eoip_kmod_drop drop)
{
	eoip_device_count_drop(device, drop);
	kfree_skb_reason(skb, eoip_device_reasons[drop]);
}

static int eoip_device_get_sset_count(struct net_device *dev, int set)
{
	return set == ETH_SS_STATS ? ARRAY_SIZE(eoip_device_strings) :
				     -EOPNOTSUPP;
}

static void eoip_device_get_strings(struct net_device *dev, u32 set, u8 *data)
{
	if (set == ETH_SS_STATS)
		memcpy(data, eoip_device_strings, sizeof(eoip_device_strings));
}

static void eoip_device_get_ethtool_stats(struct net_device *dev,
					  struct ethtool_stats *stats,
					  u64 *data)
{
	struct eoip_device *device = netdev_priv(dev);
	int i;

	*data++ = atomic_long_read(&device->rx_keepalives);
	*data++ = atomic_long_read(&device->tx_keepalives);
	for (i = 0; i < EOIP_N_KMOD_DROPS; i++)
		*data++ = atomic_long_read(&device->drops[i]);
}

static const struct ethtool_ops eoip_device_ethtool_ops = {
	.get_link = ethtool_op_get_link,
	.get_sset_count = eoip_device_get_sset_count,
	.get_strings = eoip_device_get_strings,
	.get_ethtool_stats = eoip_device_get_ethtool_stats,
};

static int eoip_device_init(struct net_device *dev)
{
	struct eoip_device *device = netdev_priv(dev);
	int err;

	dev->tstats = netdev_alloc_pcpu_stats(struct pcpu_sw_netstats);
	if (!dev->tstats)
		return -ENOMEM;
	err = gro_cells_init(&device->gro_cells, dev);
	if (err)
		goto free_stats;
	err = eoip_net_join(device);
	if (err)
		goto free_cells;
	return 0;

free_cells:
	gro_cells_destroy(&device->gro_cells);
free_stats:
	free_percpu(dev->tstats);
	return err;
}

static void eoip_device_uninit(struct net_device *dev)
{
	struct eoip_device *device = netdev_priv(dev);

	eoip_tunnel_clear(device);
	eoip_net_leave(device);
}

/* After the last user of the device, or of what eoip_device_init() made. */
static void eoip_device_free(struct net_device *dev)
{
	struct eoip_device *device = netdev_priv(dev);

	eoip_mss_rules_free(device);
	gro_cells_destroy(&device->gro_cells);
	free_percpu(dev->tstats);
}

static int eoip_device_open(struct net_device *dev)
{
	eoip_keepalive_start(netdev_priv(dev));
	return 0;
}

static int eoip_device_stop(struct net_device *dev)
{
	eoip_keepalive_stop(netdev_priv(dev));
	return 0;
}

static int eoip_device_get_iflink(const struct net_device *dev)
{
	const struct eoip_device *device = netdev_priv(dev);
	const struct eoip_tunnel *tunnel;
	int link;

	rcu_read_lock();
	tunnel = rcu_dereference(device->tunnel);
	link = tunnel ? tunnel->params.link : 0;
	rcu_read_unlock();
	return link;
}

static const struct net_device_ops eoip_device_ops = {
	.ndo_init = eoip_device_init,
	.ndo_uninit = eoip_device_uninit,
	.ndo_open = eoip_device_open,
	.ndo_stop = eoip_device_stop,
	.ndo_start_xmit = eoip_send,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
	.ndo_get_stats64 = dev_get_tstats64,
	.ndo_get_iflink = eoip_device_get_iflink,
	.ndo_fill_metadata_dst = eoip_send_fill_metadata,
};

/* Whether @dev is one of ours, and external; for the vport module. */
bool eoip_dev_is_external(const struct net_device *dev)
{
	const struct eoip_device *device = netdev_priv(dev);

	return dev->netdev_ops == &eoip_device_ops && device->external;
}
EXPORT_SYMBOL_GPL(eoip_dev_is_external);

/* As rtnl_link_ops.setup: before parameters and names are known. */
void eoip_device_setup(struct net_device *dev)
{
	struct eoip_device *device = netdev_priv(dev);

	ether_setup(dev);
	dev->netdev_ops = &eoip_device_ops;
	dev->ethtool_ops = &eoip_device_ethtool_ops;
	dev->needs_free_netdev = true;
	dev->priv_destructor = eoip_device_free;

	dev->priv_flags &= ~IFF_TX_SKB_SHARING;
	dev->priv_flags |= IFF_LIVE_ADDR_CHANGE | IFF_NO_QUEUE;
	netif_keep_dst(dev);
	eoip_compat_set_lltx(dev);
	dev->features |= NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HIGHDMA |
			 NETIF_F_HW_CSUM | NETIF_F_GSO_SOFTWARE;
	dev->hw_features |= dev->features;
	dev->vlan_features |= dev->features;
	dev->min_mtu = ETH_MIN_MTU;
	dev->max_mtu = IP_MAX_MTU - eoip_overhead(false);
	dev->needed_headroom = LL_MAX_HEADER + eoip_overhead(true);
	eth_hw_addr_random(dev);

	device->dev = dev;
	eoip_keepalive_init(device);
}

/*
 * A new external device begins with net.ipv6.conf.*.disable_ipv6=1: what IPv6
 * says of itself, unasked, would not say by which tunnel.  RTNL.
 */
void eoip_device_disable_ipv6(struct net_device *dev)
{
#if IS_ENABLED(CONFIG_IPV6)
	struct inet6_dev *idev = __in6_dev_get(dev);

	if (idev)
		WRITE_ONCE(idev->cnf.disable_ipv6, 1);
#endif
}

/* The MTU whose frames fit the route of @params as it is now.  RTNL. */
int eoip_device_default_mtu(const struct eoip_device *device,
			    const struct eoip_params *params)
{
	unsigned int overhead = eoip_overhead(eoip_params_are_ipv6(params));
	int mtu = ETH_DATA_LEN - overhead;
	struct eoip_path path;

	eoip_path_init(&path, params);
	if (!eoip_path_route(device, &path, 0, NULL)) {
		mtu = clamp_t(int, dst_mtu(path.dst) - overhead, ETH_MIN_MTU,
			      device->dev->max_mtu);
		dst_release(path.dst);
	}
	return mtu;
}
