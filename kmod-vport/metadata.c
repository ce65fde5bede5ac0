// SPDX-License-Identifier: GPL-2.0
/*
 * The metadata of a frame that an external device receives: from where and
 * with which id it came.  Whoever has the frame, as OVS, reads it.
 *
 * Frames may share it, as those do that a flow of OVS or tc sends, since who
 * wants to change it makes a copy.  So each processor keeps the last one: the
 * next frame gets it too if it says the same, or, when nobody else has it any
 * more, after it was written anew.  Otherwise another one is made.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/percpu.h>
#include <net/dst_metadata.h>
#include <net/dsfield.h>
#include <net/ipv6.h>

#include "compat.h"
#include "eoip.h"

/* Each with a reference; NULL while somebody looks at it. */
static DEFINE_PER_CPU(struct metadata_dst *, eoip_metadata_last);

/* Write into @key what differs between packets. */
static void eoip_metadata_fill(struct ip_tunnel_key *key,
			       const struct sk_buff *skb,
			       const struct eoip_packet *packet)
{
	const struct ipv6hdr *ip6h = ipv6_hdr(skb);
	const struct iphdr *iph = ip_hdr(skb);

	key->tun_id = cpu_to_be64(packet->id);
	if (packet->ipv6) {
		key->u.ipv6.src = ip6h->saddr;
		key->u.ipv6.dst = ip6h->daddr;
		key->tos = ipv6_get_dsfield(ip6h);
		key->ttl = ip6h->hop_limit;
		key->label = ip6_flowlabel(ip6h);
	} else {
		key->u.ipv4.src = iph->saddr;
		key->u.ipv4.dst = iph->daddr;
		key->tos = iph->tos;
		key->ttl = iph->ttl;
	}
}

/* Make @metadata, of which the caller has a reference, that of @packet. */
static bool eoip_metadata_reuse(struct metadata_dst *metadata,
				const struct sk_buff *skb,
				const struct eoip_packet *packet)
{
	struct ip_tunnel_info *info = &metadata->u.tun_info;
	struct ip_tunnel_key key = info->key;

	if (ip_tunnel_info_af(info) != (packet->ipv6 ? AF_INET6 : AF_INET))
		return false;
	eoip_metadata_fill(&key, skb, packet);
	if (!memcmp(&key, &info->key, sizeof(key)))
		return true;
	/* Who had it has read it: giving a reference back is a release. */
	if (!eoip_compat_dst_is_ours(&metadata->dst))
		return false;
	info->key = key;
	return true;
}

/*
 * The metadata of a frame of @packet, whose outer header is @skb's network
 * header; with a reference for the caller.  NULL without memory.  With
 * softirqs off.
 */
struct metadata_dst *eoip_metadata_get(struct sk_buff *skb,
				       const struct eoip_packet *packet)
{
	struct metadata_dst *metadata, *other;

	metadata = this_cpu_xchg(eoip_metadata_last, NULL);
	if (!metadata || !eoip_metadata_reuse(metadata, skb, packet)) {
		dst_release((struct dst_entry *)metadata);
		metadata = eoip_compat_tun_rx_dst(skb, packet->ipv6,
						  cpu_to_be64(packet->id));
		if (!metadata)
			return NULL;
	}
	dst_hold(&metadata->dst);
	/* Where softirqs may be preempted, another one may have left its own. */
	other = this_cpu_xchg(eoip_metadata_last, metadata);
	dst_release((struct dst_entry *)other);
	return metadata;
}

/* When no packet can come any more. */
void eoip_metadata_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		dst_release((struct dst_entry *)
			    per_cpu(eoip_metadata_last, cpu));
}
