// SPDX-License-Identifier: Apache-2.0
//
// Finds the TCP header behind Ethernet, VLAN tags, IPv4 or IPv6, and the MSS
// among its options.  Every step takes a span and gives a shorter one, or an
// empty one if there is no such thing.

#include "eoip/mss.h"

namespace eoip {
namespace {

using Part = std::span<std::uint8_t>;

constexpr std::uint8_t kTcp = EOIP_TCP;
constexpr std::uint8_t kTcpSyn = EOIP_TCP_SYN;
constexpr std::size_t kTcpHeaderBytes = EOIP_TCP_HLEN;

constexpr std::size_t kIpv6Extensions = 8;  // As many as are looked behind.

// What follows the first 'n' bytes; empty if there are fewer.
[[nodiscard]] Part skip(Part part, std::size_t n)
{
    return n <= part.size() ? part.subspan(n) : Part();
}

[[nodiscard]] Part behind_ipv4(Part ip)
{
    if (ip.size() < EOIP_IPV4_HLEN || ip[0] >> 4 != 4 || ip[9] != kTcp
        || eoip_load_be16(&ip[6]) & 0x1fff) {  // Not its beginning.
        return {};
    }
    const std::size_t header = std::size_t{4} * (ip[0] & 0xf);
    const std::size_t total = eoip_load_be16(&ip[2]);
    if (header < EOIP_IPV4_HLEN || total > ip.size() || header > total) {
        return {};
    }
    return ip.subspan(header, total - header);
}

// Bytes of the extension header at 'part', which has at least 8; 0 if TCP
// cannot follow.
[[nodiscard]] std::size_t extension_bytes(std::uint8_t kind, Part part)
{
    switch (kind) {
    case 0:   // Hop-by-hop options.
    case 43:  // Routing.
    case 60:  // Destination options.
        return 8 + std::size_t{8} * part[1];
    case 44:  // Fragment: only the first one has the TCP header.
        return eoip_load_be16(&part[2]) & 0xfff8 ? 0 : 8;
    default:
        return 0;
    }
}

[[nodiscard]] Part behind_ipv6(Part ip)
{
    if (ip.size() < EOIP_IPV6_HLEN || ip[0] >> 4 != 6) {
        return {};
    }
    const std::size_t payload = eoip_load_be16(&ip[4]);
    if (payload > ip.size() - EOIP_IPV6_HLEN) {
        return {};
    }
    std::uint8_t kind = ip[6];
    Part part = ip.subspan(EOIP_IPV6_HLEN, payload);
    for (std::size_t i = 0; i < kIpv6Extensions && kind != kTcp; i++) {
        const std::size_t n =
            part.size() < 8 ? 0 : extension_bytes(kind, part);
        if (n == 0) {
            return {};
        }
        kind = part[0];
        part = skip(part, n);
    }
    return kind == kTcp ? part : Part();
}

// The header of a TCP SYN with its options, out of an IP payload.
[[nodiscard]] Part syn_header(Part tcp)
{
    if (tcp.size() < kTcpHeaderBytes || !(tcp[13] & kTcpSyn)) {
        return {};
    }
    const std::size_t header = std::size_t{4} * (tcp[12] >> 4);
    return header < kTcpHeaderBytes || header > tcp.size() ? Part()
                                                           : tcp.first(header);
}

// Where the value of the MSS option is in 'tcp'; 0 if there is none.
[[nodiscard]] std::size_t mss_offset(Part tcp)
{
    std::size_t at = kTcpHeaderBytes;
    while (at < tcp.size() && tcp[at] != 0) {
        if (tcp[at] == 1) {
            at++;
            continue;
        }
        const std::size_t left = tcp.size() - at;
        if (left < 2 || tcp[at + 1] < 2 || tcp[at + 1] > left) {
            return 0;
        }
        if (tcp[at] == 2) {
            return tcp[at + 1] == 4 ? at + 2 : 0;
        }
        at += tcp[at + 1];
    }
    return 0;
}

// The checksum adds up 16-bit words from the header's beginning on, so a value
// at an odd offset counts with its bytes swapped.
[[nodiscard]] std::uint16_t word_at(std::size_t offset, std::uint16_t value)
{
    return offset % 2 ? __builtin_bswap16(value) : value;
}

// As RFC 1624 says, so that a wrong checksum stays wrong.
void replace(Part tcp, std::size_t offset, std::uint16_t value)
{
    std::uint32_t sum = std::uint16_t(~eoip_load_be16(&tcp[16]));
    sum += std::uint16_t(~word_at(offset, eoip_load_be16(&tcp[offset])));
    sum += word_at(offset, value);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    eoip_store_be16(&tcp[16], static_cast<std::uint16_t>(~sum));
    eoip_store_be16(&tcp[offset], value);
}

}  // namespace

bool may_be_syn(const std::uint8_t *frame, std::size_t n)
{
    if (n < EOIP_TCP_FRAME_MIN) {
        return false;
    }
    const std::size_t type_at = ethertype_offset(frame);
    const std::uint16_t type = eoip_load_be16(frame + type_at);
    const std::uint8_t *ip = frame + type_at + 2;
    std::size_t flags_at = type_at + 2 + 13;

    if (type == 0x0800) {
        if (ip[9] != kTcp) {
            return false;
        }
        flags_at += std::size_t{4} * (ip[0] & 0xf);
    } else if (type == 0x86dd) {
        if (ip[6] != kTcp) {
            // Behind extension headers, or something else.
            return ip[6] == 0 || ip[6] == 43 || ip[6] == 44 || ip[6] == 60;
        }
        flags_at += EOIP_IPV6_HLEN;
    } else {
        return false;
    }
    return flags_at < n && frame[flags_at] & kTcpSyn;
}

bool clamp_mss(std::span<std::uint8_t> frame, std::size_t mtu)
{
    if (!may_be_syn(frame.data(), frame.size())) {
        return false;
    }
    const std::size_t type_at = ethertype_offset(frame.data());
    const bool ipv4 = eoip_load_be16(&frame[type_at]) == 0x0800;
    const Part ip = frame.subspan(type_at + 2);
    const Part tcp = syn_header(ipv4 ? behind_ipv4(ip) : behind_ipv6(ip));
    const std::size_t tags = type_at - 12;
    const std::size_t headers =
        tags + (ipv4 ? EOIP_IPV4_HLEN : EOIP_IPV6_HLEN) + kTcpHeaderBytes;
    const std::size_t offset = tcp.empty() ? 0 : mss_offset(tcp);

    if (!offset || mtu <= headers
        || eoip_load_be16(&tcp[offset]) <= mtu - headers) {
        return false;
    }
    replace(tcp, offset, static_cast<std::uint16_t>(mtu - headers));
    return true;
}

}  // namespace eoip
