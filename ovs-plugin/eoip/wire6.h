// SPDX-License-Identifier: Apache-2.0
//
// EoIPv6 on the wire: packet in, frame out, and the reverse.
//
// As wire.h, which is for EoIP over IPv4: inline, and nothing but arguments.

#ifndef EOIP_WIRE6_H
#define EOIP_WIRE6_H

#include <array>

#include "eoip/wire.h"

namespace eoip {

inline constexpr std::size_t kIpv6HeaderBytes = 40;
inline constexpr std::size_t kHeaderBytes6 = EOIP6_HLEN;
inline constexpr std::size_t kFrameOffset6 = kIpv6HeaderBytes + kHeaderBytes6;

// The extension header that makes a packet a fragment.
inline constexpr std::size_t kFragmentHeaderBytes = 8;
inline constexpr std::uint8_t kFragmentHeader = 44;

// True for the numbers of IPv6's extension headers, fragments aside.
[[nodiscard]] inline bool is_ipv6_extension(std::uint8_t next_header)
{
    constexpr std::array<std::uint8_t, 7> kNumbers = {0,   43,  51, 60,
                                                      135, 139, 140};
    for (const std::uint8_t number : kNumbers) {
        if (number == next_header) {
            return true;
        }
    }
    return false;
}

// The protocol behind the extension headers, as far as there are no more than
// a handful; fragments have kFragmentHeader.  'packet' begins at its IPv6
// header, which is there.
[[nodiscard]] inline std::uint8_t protocol6(Bytes packet)
{
    constexpr std::uint8_t kAuthentication =
        51;  // Counts its length in words.
    std::uint8_t kind = packet[6];
    std::size_t at = kIpv6HeaderBytes;

    for (int i = 0; i < 8 && is_ipv6_extension(kind); i++) {
        if (packet.size() < at + 8) {
            break;
        }
        const std::size_t unit = kind == kAuthentication ? 4 : 8;
        kind = packet[at];
        at += 8 + unit * packet[at + 1];
    }
    return kind;
}

// Tells EoIPv6 by the first two bytes of an IP payload from EtherIP, which has
// the same protocol number, and from GRE.  What ends before is EoIPv6's, so
// that it is counted.
[[nodiscard]] inline bool is_header6(Bytes payload)
{
    return payload.size() < kHeaderBytes6
           || (load_be16(payload.data()) & EOIP6_MAGIC_MASK) == EOIP6_MAGIC;
}

// The tunnel id in such a header.
[[nodiscard]] inline std::uint16_t key6(const std::uint8_t *header)
{
    return static_cast<std::uint16_t>(header[0] >> 4 << 8 | header[1]);
}

// As is_martian_source(); of IPv6 loopback, multicast, IPv4 in disguise, and
// 100::/64, which is to be discarded (RFC 6666).
[[nodiscard]] inline bool is_martian_source6(const std::uint8_t *source)
{
    constexpr std::uint8_t kDiscard[8] = {1};
    constexpr std::uint8_t kZeros[10] = {};
    if (source[0] == 0xff
        || std::memcmp(source, kDiscard, sizeof kDiscard) == 0) {
        return true;
    }
    if (std::memcmp(source, kZeros, sizeof kZeros) != 0) {
        return false;
    }
    return load_be16(source + 10) == 0xffff
           || (load_be16(source + 10) == 0 && load_be32(source + 12) <= 1);
}

[[nodiscard]] inline bool is_martian6(const std::uint8_t *ip)
{
    return is_martian_source6(ip + 8) || std::memcmp(ip + 8, ip + 24, 16) == 0;
}

// Looks at one outer packet.  'packet' begins at the IPv6 header and may run
// on into Ethernet padding: only IPv6's payload length bounds the payload, and
// it is the only length that there is, so that nothing is ever trimmed.
//
// Rules [peer]: nothing behind EoIPv6's two bytes is a keepalive, 1 to 13
// bytes are a drop.  Nothing is required of traffic class, flow label and hop
// limit.  Where extension headers stand before EoIPv6, whose sender has no use
// for them, the packet is dropped, as one with options is over IPv4.
[[nodiscard]] inline Received receive6(Bytes packet,
                                       std::size_t max_frame = EOIP6_FRAME_MAX)
{
    using Kind = Received::Kind;
    auto drop = [](eoip_drop why) {
        return Received{Kind::drop, false, false, why, 0, 0};
    };

    if (packet.size() < kIpv6HeaderBytes || packet[0] >> 4 != 6) {
        return drop(EOIP_DROP_IP_HEADER);
    }
    const std::size_t payload_bytes = load_be16(&packet[4]);
    if (payload_bytes > packet.size() - kIpv6HeaderBytes) {
        return drop(EOIP_DROP_IP_HEADER);
    }
    if (packet[6] == kFragmentHeader) {
        return drop(EOIP_DROP_FRAGMENT);
    }
    if (packet[6] != EOIP6_IPPROTO) {
        return drop(is_ipv6_extension(packet[6]) ? EOIP_DROP_IP_OPTIONS
                                                 : EOIP_DROP_NOT_EOIP);
    }
    if (payload_bytes < kHeaderBytes6) {
        return drop(EOIP_DROP_TRUNCATED);
    }
    if (!is_header6(packet.subspan(kIpv6HeaderBytes))) {
        return drop(EOIP_DROP_NOT_EOIP);
    }

    const std::uint16_t key = key6(&packet[kIpv6HeaderBytes]);
    const auto frame_bytes =
        static_cast<std::uint16_t>(payload_bytes - kHeaderBytes6);
    if (is_martian6(packet.data())) {
        return {Kind::drop, true, false, EOIP_DROP_MARTIAN, key, frame_bytes};
    }
    if (frame_bytes < EOIP_FRAME_MIN || frame_bytes > max_frame) {
        return no_frame(frame_bytes, false, key);
    }
    return {Kind::frame, true, false, {}, key, frame_bytes};
}

// Writes the header of all frames and keepalives of tunnel 'key', at most
// EOIP6_KEY_MAX, to the kHeaderBytes6 at 'out'.
inline void put_header6(std::uint8_t *out, std::uint16_t key)
{
    store_be16(out, static_cast<std::uint16_t>(key >> 8 << 12 | EOIP6_MAGIC
                                               | (key & 0xff)));
}

// Completes a prepared outer header of kFrameOffset6 bytes for one frame of at
// most EOIP6_FRAME_MAX: its payload length and its flow label, which is 0.
inline void complete_header6(std::uint8_t *ip, std::uint16_t frame_bytes)
{
    ip[1] &= 0xf0;
    store_be16(ip + 2, 0);
    store_be16(ip + 4,
               static_cast<std::uint16_t>(frame_bytes + kHeaderBytes6));
}

// As fragment_bytes().
[[nodiscard]] inline std::size_t fragment_bytes6(std::size_t mtu)
{
    constexpr std::size_t kHeaders = kIpv6HeaderBytes + kFragmentHeaderBytes;
    return mtu < kHeaders ? 0 : (mtu - kHeaders) / 8 * 8;
}

// As make_fragment(), with room for the fragment header behind the IPv6
// header, which has to be EoIPv6's.  'id' is one for all fragments of a
// packet, and another for every packet.
inline void make_fragment6(std::uint8_t *header, std::size_t offset,
                           std::size_t bytes, bool more, std::uint32_t id)
{
    std::uint8_t *fragment = header + kIpv6HeaderBytes;

    store_be16(header + 4,
               static_cast<std::uint16_t>(kFragmentHeaderBytes + bytes));
    fragment[0] = header[6];
    fragment[1] = 0;
    store_be16(fragment + 2, static_cast<std::uint16_t>(offset | more));
    store_be16(fragment + 4, static_cast<std::uint16_t>(id >> 16));
    store_be16(fragment + 6, static_cast<std::uint16_t>(id));
    header[6] = kFragmentHeader;
}

}  // namespace eoip

#endif  // EOIP_WIRE6_H
