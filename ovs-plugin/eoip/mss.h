// SPDX-License-Identifier: Apache-2.0
//
// Clamps the MSS of TCP connections through the tunnel, as RouterOS does
// after decapsulation.  [doc]
//
// is_plainly_no_syn() is asked of every received frame and costs a few
// instructions; the rest is for the first packets of connections.  Frames are
// hostile: nothing that they say about lengths is believed.

#ifndef EOIP_MSS_H
#define EOIP_MSS_H

#include <cstddef>
#include <cstdint>
#include <span>

#include "eoip/frame.h"

namespace eoip {

inline constexpr std::uint8_t kTcp = 6;
inline constexpr std::uint8_t kTcpSyn = 0x02;
inline constexpr std::size_t kTcpHeaderBytes = 20;

// The shortest frame with a TCP segment.
inline constexpr std::size_t kTcpFrameMin =
    14 + kIpv4HeaderBytes + kTcpHeaderBytes;

// True for most frames that are no TCP SYN, at the cost of a few instructions:
// those that are IPv4 without a VLAN tag, or too short.
[[nodiscard, gnu::always_inline]] inline bool
is_plainly_no_syn(const std::uint8_t *frame, std::size_t n)
{
    if (n < kTcpFrameMin) {
        return true;
    }
    return load_be16(frame + 12) == 0x0800
           && (frame[14 + 9] != kTcp
               || (frame[14] == 0x45
                   && !(frame[14 + kIpv4HeaderBytes + 13] & kTcpSyn)));
}

// False for any frame that is no TCP SYN, but for some behind extension
// headers of IPv6.
[[nodiscard]] bool may_be_syn(const std::uint8_t *frame, std::size_t n);

// If 'frame' is a TCP SYN that announces a larger MSS than fits an Ethernet
// frame with a payload of 'mtu' bytes, lowers it and mends the checksum.
// Returns true if it has.
bool clamp_mss(std::span<std::uint8_t> frame, std::size_t mtu);

}  // namespace eoip

#endif  // EOIP_MSS_H
