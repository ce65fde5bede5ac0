// SPDX-License-Identifier: Apache-2.0
//
// How GoogleTest prints a Received: one line that says all about a packet, for
// tests to compare.

#ifndef EOIP_TESTS_RECEIVED_H
#define EOIP_TESTS_RECEIVED_H

#include <ostream>

#include "eoip/wire.h"

namespace eoip {

inline void PrintTo(const Received &rx, std::ostream *out)
{
    constexpr const char *kDropNames[] = {
#define DROP_NAME(SYMBOL, NAME, SENTENCE) NAME,
        EOIP_DROPS(DROP_NAME)
#undef DROP_NAME
    };
    switch (rx.kind) {
    case Received::Kind::frame:
        *out << "frame";
        break;
    case Received::Kind::keepalive:
        *out << "keepalive";
        break;
    case Received::Kind::drop:
        *out << kDropNames[rx.drop];
        break;
    }
    if (rx.key_known) {
        *out << " key " << rx.key;
    }
    if (rx.kind == Received::Kind::frame) {
        *out << " frame_bytes " << rx.frame_bytes;
    }
    if (rx.trimmed) {
        *out << " trimmed";
    }
}

}  // namespace eoip

#endif  // EOIP_TESTS_RECEIVED_H
