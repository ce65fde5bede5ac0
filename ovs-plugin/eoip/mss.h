// SPDX-License-Identifier: Apache-2.0
//
// Clamps the MSS of TCP connections through the tunnel, as RouterOS does
// after decapsulation.  [doc]
//
// eoip_is_plainly_no_syn() is asked of every received frame, before this.
// Frames are hostile: nothing that they say about lengths is believed.

#ifndef EOIP_MSS_H
#define EOIP_MSS_H

#include <cstddef>
#include <cstdint>
#include <span>

#include "eoip/frame.h"

namespace eoip {

// False for any frame that is no TCP SYN, but for some behind extension
// headers of IPv6.
[[nodiscard]] bool may_be_syn(const std::uint8_t *frame, std::size_t n);

// If 'frame' is a TCP SYN that announces a larger MSS than fits an Ethernet
// frame with 'mtu' bytes behind its addresses and type, VLAN tags among them,
// lowers it and mends the checksum.  Returns true if it has.
bool clamp_mss(std::span<std::uint8_t> frame, std::size_t mtu);

}  // namespace eoip

#endif  // EOIP_MSS_H
