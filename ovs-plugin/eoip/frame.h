// SPDX-License-Identifier: Apache-2.0
//
// What a frame says that concerns the packet around it: its type, its DF bit,
// its ECN bits.  Pure and inline.  Frames are hostile: nothing is read beyond
// their end.

#ifndef EOIP_FRAME_H
#define EOIP_FRAME_H

#include <cstddef>
#include <cstdint>
#include <span>

#include "eoip/wire6.h"

namespace eoip {

using Bytes = std::span<const std::uint8_t>;

inline constexpr std::size_t kVlanTags = 2;  // As many as are looked behind.

[[nodiscard]] inline bool is_vlan(std::uint16_t ethertype)
{
    return ethertype == 0x8100 || ethertype == 0x88a8;
}

// Where the Ethernet type behind the VLAN tags is; 'frame' has at least 22
// bytes.
[[nodiscard]] inline std::size_t ethertype_offset(const std::uint8_t *frame)
{
    std::size_t at = 12;
    for (std::size_t i = 0; i < kVlanTags && is_vlan(eoip_load_be16(frame + at));
         i++) {
        at += 4;
    }
    return at;
}

// The IPv4 or IPv6 header in the frame, and what is behind; else nothing.
template <class Byte>
[[nodiscard]] std::span<Byte> ip_of(std::span<Byte> frame)
{
    if (frame.size() < 14 + EOIP_IPV4_HLEN) {
        return {};
    }
    const std::size_t type_at = ethertype_offset(frame.data());
    const std::uint16_t type = eoip_load_be16(&frame[type_at]);
    const std::span<Byte> ip = frame.subspan(type_at + 2);
    const bool is_ipv4 =
        type == 0x0800 && ip.size() >= EOIP_IPV4_HLEN && ip[0] >> 4 == 4;
    const bool is_ipv6 =
        type == 0x86dd && ip.size() >= EOIP_IPV6_HLEN && ip[0] >> 4 == 6;
    return is_ipv4 || is_ipv6 ? ip : std::span<Byte>();
}

// True if the outer packet of 'frame' may not be fragmented, where it inherits
// that; what is not IPv4 has no such bit, and gets 'otherwise'.
[[nodiscard]] inline bool inherited_df(Bytes frame, bool otherwise)
{
    const Bytes ip = ip_of(frame);
    return ip.empty() || ip[0] >> 4 != 4 ? otherwise : (ip[6] & 0x40) != 0;
}

// The packet around 'frame' came with ECT(1): a frame with ECT(0) gets that,
// as RFC 6040 says.  All other marks stay.
inline void take_over_ect1(std::span<std::uint8_t> frame)
{
    const std::span<std::uint8_t> ip = ip_of(frame);
    if (ip.empty()) {
        return;
    }
    if (ip[0] >> 4 == 6) {
        if ((ip[1] & 0x30) == 0x20) {
            ip[1] ^= 0x30;
        }
    } else if ((ip[1] & 3) == 2) {
        // RFC 1624 for a word that is lower by one.
        ip[1] ^= 3;
        const std::uint32_t sum = eoip_load_be16(&ip[10]) + std::uint32_t{1};
        eoip_store_be16(&ip[10],
                   static_cast<std::uint16_t>((sum & 0xffff) + (sum >> 16)));
    }
}

// True if the packet around 'frame' may have met congestion: a frame of a
// sender that knows nothing of ECN cannot tell of it, and is to be dropped, as
// RFC 6040 says.
[[nodiscard]] inline bool can_carry_ce(Bytes frame)
{
    const Bytes ip = ip_of(frame);
    return ip.empty() || (ip[0] >> 4 == 6 ? ip[1] & 0x30 : ip[1] & 3);
}

}  // namespace eoip

#endif  // EOIP_FRAME_H
