// SPDX-License-Identifier: Apache-2.0
//
// A tunnel as the command eoip sees it, wherever it is.
//
// Plain data: the back ends fill it in, print.cc and json.cc show it.  What a
// tunnel is set to is said in one vocabulary, that of the options column of
// OVS, so that neither back end nor output has names of its own.

#ifndef EOIP_UTILITIES_TUNNEL_H
#define EOIP_UTILITIES_TUNNEL_H

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace eoip {

// Names of ovsdb-schema/eoip.ovsschema; "link", an interface index, and "mtu",
// which only links of the kernel have; and "comment".  Numbers are decimal; an
// inherited ttl or tos is "inherit".  In a change, an empty value takes the
// option away.
using Options = std::map<std::string, std::string, std::less<>>;

struct Counter {
    std::string name;
    std::uint64_t value = 0;
};

struct Tunnel {
    std::string name;
    std::string bridge;  // Empty: a link of the kernel.
    int ifindex = 0;     // 0 on a bridge.
    Options options;
    std::string link_state;  // "up", "down", "off" (by its user), "error".
    std::string state;   // A word of eoip/state.h, or "off"; may be empty.
    std::string reason;  // What is wrong, if that word does not say it.
    std::optional<std::uint64_t> heard_s;  // Seconds since it was heard.
    std::string error;  // What OVS says of it; mostly empty.
    Options status;     // What OVS reports; empty for a link of the kernel.
    std::vector<Counter> counters;

    [[nodiscard]] bool in_kernel() const { return bridge.empty(); }

    // What OVS reports under this word, or "".
    [[nodiscard]] std::string status_word(std::string_view word) const;

    // Who the other end is: with the address of a name, or who was learned.
    [[nodiscard]] std::string peer() const;

    // A counter, or the sum of those of drops.
    [[nodiscard]] std::uint64_t count(std::string_view counter) const;
    [[nodiscard]] std::uint64_t drops() const;

    // An option's value, or what holds without it.
    [[nodiscard]] std::string get(std::string_view option) const;

    // The tunnel id: one number, or two with a "/" if received and sent
    // packets differ.
    [[nodiscard]] std::string id() const;
};

// Everything but the counters as names and values, in the order to show.
[[nodiscard]] std::vector<std::pair<std::string, std::string>>
fields(const Tunnel &tunnel);

// What users call an option: "remote_ip" is "remote".
[[nodiscard]] std::string_view word_of(std::string_view option);

// True if 'text' is a complete IPv4 or IPv6 address, respectively.
[[nodiscard]] bool is_ipv4(const std::string &text);
[[nodiscard]] bool is_ipv6(const std::string &text);

}  // namespace eoip

#endif  // EOIP_UTILITIES_TUNNEL_H
