// SPDX-License-Identifier: Apache-2.0
//
// Whether the rules of nftables or iptables drop a tunnel's packets, for "eoip
// check".
//
// The kernel's conntrack does not know EoIP (EoIPv6 is none of its affair) and
// calls its packets invalid, so that the usual "ct state invalid drop" ends
// every tunnel of the kernel that no rule before it exempts.  What is said is
// sure: a rule that cannot be judged from outside, such as one with a set or a
// mark, makes all uncertain that it could let through.

#ifndef EOIP_UTILITIES_FIREWALL_H
#define EOIP_UTILITIES_FIREWALL_H

#include <string>
#include <vector>

#include "json_values.h"
#include "packet_walk.h"

namespace eoip {

class Ruleset {
public:
    // That of this network namespace, of nftables and iptables; empty if it
    // cannot be read.
    [[nodiscard]] static Ruleset load();

    [[nodiscard]] Firewall judge(const TunnelPacket &packet) const;

private:
    void add(const std::string &text);

    std::vector<Json> lists_;
};

}  // namespace eoip

#endif  // EOIP_UTILITIES_FIREWALL_H
