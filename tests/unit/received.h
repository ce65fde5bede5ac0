// SPDX-License-Identifier: Apache-2.0
//
// eoip/wire.h and eoip/wire6.h as tests in C++ like to call them, and how
// GoogleTest prints what was received: one line that says all about a packet,
// for tests to compare.

#ifndef EOIP_TESTS_RECEIVED_H
#define EOIP_TESTS_RECEIVED_H

#include <ostream>

#include "eoip/drops.h"
#include "eoip/frame.h"
#include "eoip/wire6.h"

namespace eoip {

using Received = eoip_received;

inline Received receive(Bytes packet, bool checksum_verified,
                        std::size_t max_frame = EOIP_FRAME_MAX)
{
    return eoip_receive(packet.data(), packet.size(), checksum_verified,
                        max_frame);
}

inline Received receive6(Bytes packet, std::size_t max_frame = EOIP6_FRAME_MAX)
{
    return eoip_receive6(packet.data(), packet.size(), max_frame);
}

inline eoip_gre_kind classify(Bytes payload)
{
    return eoip_classify(payload.data(), payload.size());
}

inline std::uint8_t protocol6(Bytes packet)
{
    return eoip_protocol6(packet.data(), packet.size());
}

inline bool is_header6(Bytes payload)
{
    return eoip_is_header6(payload.data(), payload.size());
}

}  // namespace eoip

inline void PrintTo(const eoip_received &rx, std::ostream *out)
{
    switch (rx.kind) {
    case EOIP_FRAME:
        *out << "frame";
        break;
    case EOIP_KEEPALIVE:
        *out << "keepalive";
        break;
    case EOIP_DROPPED:
        *out << eoip_drop_name(rx.drop);
        break;
    }
    if (rx.key_known) {
        *out << " key " << rx.key;
    }
    if (rx.kind == EOIP_FRAME) {
        *out << " frame_bytes " << rx.frame_bytes;
    }
    if (rx.trimmed) {
        *out << " trimmed";
    }
}

#endif  // EOIP_TESTS_RECEIVED_H
