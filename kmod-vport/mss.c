// SPDX-License-Identifier: GPL-2.0
/*
 * TCP's maximum segment size in SYNs that come out of a tunnel: no more than
 * fits the tunnel, so that the answers need no fragments.  RouterOS does so by
 * default.  [doc]
 */
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/tcp.h>

#include "compat.h"
#include "eoip.h"

/* Bytes of the IP and TCP headers that the size does not include. */
#define MSS_IPV4_HEADERS (sizeof(struct iphdr) + sizeof(struct tcphdr))
#define MSS_IPV6_HEADERS (sizeof(struct ipv6hdr) + sizeof(struct tcphdr))

/*
 * Where the TCP header of the parsed frame is, or -1 if the frame has none or
 * is no SYN.  @headers are the bytes between Ethernet and TCP's payload, VLAN
 * tags among them.
 */
static int eoip_mss_find_syn(const struct sk_buff *skb, unsigned int *headers)
{
	int offset = skb_network_offset(skb);
	struct tcphdr tcp_buffer;
	const struct tcphdr *tcp;
	__be16 fragment = 0;
	u8 protocol = 0;

	switch (skb_protocol(skb, true)) {
	case htons(ETH_P_IP):
		protocol = ip_hdr(skb)->protocol;
		fragment = ip_hdr(skb)->frag_off & htons(IP_OFFSET);
		offset += ip_hdrlen(skb);
		*headers = MSS_IPV4_HEADERS;
		break;
	case htons(ETH_P_IPV6):
		protocol = ipv6_hdr(skb)->nexthdr;
		offset = ipv6_skip_exthdr(skb, offset + sizeof(struct ipv6hdr),
					  &protocol, &fragment);
		fragment &= htons(IP6_OFFSET);
		*headers = MSS_IPV6_HEADERS;
		break;
	}
	if (protocol != IPPROTO_TCP || fragment || offset < 0)
		return -1;
	*headers += skb_network_offset(skb) - ETH_HLEN;
	tcp = skb_header_pointer(skb, offset, sizeof(*tcp), &tcp_buffer);
	return tcp && tcp->syn ? offset : -1;
}

/* The path back to where a packet with the header @outer came from. */
static void eoip_mss_path(struct eoip_path *path, const void *outer,
			  const struct eoip_packet *packet)
{
	const struct ipv6hdr *ip6h = outer;
	const struct iphdr *iph = outer;

	*path = (struct eoip_path){ .id = packet->id, .ipv6 = packet->ipv6 };
	if (packet->ipv6) {
		path->remote = ip6h->saddr;
		path->local = ip6h->daddr;
	} else {
		ipv6_addr_set_v4mapped(iph->saddr, &path->remote);
		ipv6_addr_set_v4mapped(iph->daddr, &path->local);
	}
}

/*
 * The MTU of the tunnel that a SYN came out of, or 0 if that is to be left
 * alone.  A device has one; tunnels of an external device have what the route
 * back can take.
 */
static unsigned int eoip_mss_mtu(struct eoip_device *device, const void *outer,
				 const struct eoip_packet *packet, bool clamp)
{
	struct eoip_path path;
	unsigned int mtu;

	if (!device->external)
		return READ_ONCE(device->dev->mtu);
	eoip_mss_path(&path, outer, packet);
	if (!eoip_mss_rules_find(device, &path.remote, &path.local, path.id,
				 clamp) ||
	    eoip_path_route(device, &path, 0, NULL))
		return 0;
	mtu = dst_mtu(path.dst) - eoip_overhead(path.ipv6);
	dst_release(path.dst);
	return mtu;
}

/* Lowers the size in the option at @option of the TCP header @tcp. */
static void eoip_mss_lower(struct sk_buff *skb, struct tcphdr *tcp, u8 *option,
			   u16 mss)
{
	__be16 old = get_unaligned((__be16 *)(option + 2));
	__be16 new = htons(mss);

	if (ntohs(old) <= mss)
		return;
	put_unaligned(new, (__be16 *)(option + 2));
	/* The checksum is one of 16-bit words from the header's beginning. */
	if ((option - (u8 *)tcp) & 1) {
		old = (__force __be16)swab16((__force u16)old);
		new = (__force __be16)swab16((__force u16)new);
	}
	inet_proto_csum_replace2(&tcp->check, skb, old, new, false);
}

/*
 * Lowers the maximum segment size of a parsed frame, if it is a SYN of a
 * tunnel that clamps; @outer is the outer IP header's offset from skb->head.
 */
void eoip_mss_clamp(struct sk_buff *skb, struct eoip_device *device,
		    unsigned int outer, const struct eoip_packet *packet)
{
	const struct eoip_tunnel *tunnel = rcu_dereference(device->tunnel);
	unsigned int headers, mtu, len;
	struct tcphdr *tcp;
	u8 *option, *end;
	int offset;

	if (!tunnel || (!tunnel->params.clamp_mss &&
			!rcu_access_pointer(device->mss_rules)))
		return;
	offset = eoip_mss_find_syn(skb, &headers);
	if (offset < 0)
		return;
	mtu = eoip_mss_mtu(device, skb->head + outer, packet,
			   tunnel->params.clamp_mss);
	if (mtu <= headers || skb_ensure_writable(skb, offset + sizeof(*tcp)))
		return;
	len = __tcp_hdrlen((struct tcphdr *)(skb->data + offset));
	if (len < sizeof(*tcp) || skb_ensure_writable(skb, offset + len))
		return;

	tcp = (struct tcphdr *)(skb->data + offset);
	end = (u8 *)tcp + len;
	for (option = (u8 *)(tcp + 1); end - option >= TCPOLEN_MSS;) {
		if (option[0] == TCPOPT_EOL)
			break;
		if (option[0] == TCPOPT_NOP) {
			option++;
			continue;
		}
		if (option[1] < 2 || option[1] > end - option)
			break;
		if (option[0] == TCPOPT_MSS && option[1] == TCPOLEN_MSS)
			eoip_mss_lower(skb, tcp, option, mtu - headers);
		option += option[1];
	}
}
