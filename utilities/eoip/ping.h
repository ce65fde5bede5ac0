// SPDX-License-Identifier: Apache-2.0
//
// Asks peers whether fragments reach them and come back, for "eoip check": one
// ICMP echo in one piece, and one in fragments.  Needs root; without its
// rights nobody answers.

#ifndef EOIP_UTILITIES_PING_H
#define EOIP_UTILITIES_PING_H

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace eoip {

struct PingQuestion {
    std::string peer;    // An IPv4 or IPv6 address.
    std::string source;  // Empty: the kernel chooses.
    std::string device;  // Empty: the routes decide.
    std::uint32_t mark = 0;
    int bytes = 0;  // Of the IP packet that is cut.
};

struct PingAnswer {
    bool whole = false;      // To the echo in one piece,
    bool fragments = false;  // to that in fragments.
};

// Asks all at once, three times at most, and returns their answers in order,
// as soon as all are there; after a second at the latest.
[[nodiscard]] std::vector<PingAnswer>
ping(std::span<const PingQuestion> questions);

}  // namespace eoip

#endif  // EOIP_UTILITIES_PING_H
