// SPDX-License-Identifier: Apache-2.0
//
// Rules of iptables in the words of nftables, for firewall.h.  Pure.

#ifndef EOIP_UTILITIES_IPTABLES_H
#define EOIP_UTILITIES_IPTABLES_H

#include <string>
#include <string_view>

namespace eoip {

// In front of the names of tables that are iptables's.
inline constexpr std::string_view kIptables = "iptables:";

// Makes what "iptables-save" prints, or with 'ipv6' ip6tables-save, what "nft
// -j list ruleset" would print.  A match that it does not know is one that
// nobody can judge.
[[nodiscard]] std::string iptables_as_nft(const std::string &saved, bool ipv6);

}  // namespace eoip

#endif  // EOIP_UTILITIES_IPTABLES_H
