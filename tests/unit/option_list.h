// SPDX-License-Identifier: Apache-2.0
//
// Options and what they come to, for the tests of eoip/options.h.

#ifndef EOIP_TESTS_OPTION_LIST_H
#define EOIP_TESTS_OPTION_LIST_H

#include <string>
#include <utility>
#include <vector>

#include "eoip/options.h"

namespace eoip {

using Kind = Endpoint::Kind;
using Seconds = std::chrono::seconds;

[[nodiscard]] inline Endpoint address(std::uint32_t ipv4)
{
    return {Kind::address, Address::from_ipv4(ipv4), {}};
}

// 2001:db8::'last'.
[[nodiscard]] inline Endpoint address6(std::uint8_t last)
{
    Address address{{0x20, 0x01, 0x0d, 0xb8}};
    address.bytes[15] = last;
    return {Kind::address, address, {}};
}

[[nodiscard]] inline Endpoint host_name(std::string name)
{
    return {Kind::host_name, {}, std::move(name)};
}

inline const Endpoint kFlowEndpoint = {Kind::flow, {}, {}};
constexpr Key kFlowKey = {.flow = true};

[[nodiscard]] inline Config defaults()
{
    Config config;
    config.remote = kFlowEndpoint;
    config.ttl = 64;
    config.tos = 0;
    config.keepalive = KeepaliveConfig{Seconds(10), 0};
    return config;
}

// What 'change' makes of the defaults.
template <class Change> [[nodiscard]] Config with(Change change)
{
    Config config = defaults();
    change(config);
    return config;
}

using Options = std::vector<Option>;

// All errors, one a line.
[[nodiscard]] inline std::string errors(const Options &options)
{
    std::string text;
    for (const std::string &error : parse_options(options).errors) {
        text += text.empty() ? error : "\n" + error;
    }
    return text;
}

}  // namespace eoip

#endif  // EOIP_TESTS_OPTION_LIST_H
