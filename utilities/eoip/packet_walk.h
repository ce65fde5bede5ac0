// SPDX-License-Identifier: Apache-2.0
//
// One packet's way through the chains of a firewall, for firewall.cc.

#ifndef EOIP_UTILITIES_PACKET_WALK_H
#define EOIP_UTILITIES_PACKET_WALK_H

#include <string>
#include <vector>

#include "facts.h"

struct json;

namespace eoip {

// A packet of the peer's to this host, or to the peer.
struct TunnelPacket {
    bool ipv6 = false;
    bool outgoing = false;
    std::string peer;
    std::string local;   // Empty: not known.
    std::string device;  // It comes in or goes out here.  Empty: not known.
};

struct Chain {
    std::string family, table, name;
    std::string hook;  // Empty: others jump to it.
    long long priority = 0;
    bool drops = false;  // By its policy.
    std::vector<const json *> rules;
};

// The rule that surely drops the packet; an empty one if there is none.
[[nodiscard]] Firewall walk(const TunnelPacket &packet,
                            const std::vector<Chain> &chains);

}  // namespace eoip

#endif  // EOIP_UTILITIES_PACKET_WALK_H
