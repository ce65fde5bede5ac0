// SPDX-License-Identifier: Apache-2.0
//
// Parses an end of a tunnel.  Stricter than resolvers are: what one of them
// might take for another address is refused.

#include "eoip/endpoint.h"

#include <algorithm>

namespace eoip {
namespace {

constexpr Fault kNone = "";
constexpr Fault kNoHost =
    "is not a unicast address that other hosts can reach";
constexpr Fault kBadIpv4 = "is not an IPv4 address";
constexpr Fault kBadIpv6 = "is not an IPv6 address";
constexpr Fault kMapped = "is an IPv4 address written as IPv6";
constexpr Fault kLinkLocal =
    "is a link-local address, to which no route leads";
constexpr Fault kBadHostName = "is neither an address nor a host name";

constexpr std::size_t kHostNameMax = 253;
constexpr std::size_t kLabelMax = 63;

constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kHexDigits = "0123456789abcdefABCDEF";

[[nodiscard]] bool consists_of(std::string_view text, std::string_view chars)
{
    return text.find_first_not_of(chars) == std::string_view::npos;
}

// Takes the text before the first dot, and the dot, away from 'rest'.
[[nodiscard]] std::string_view next_label(std::string_view &rest)
{
    const std::size_t dot = std::min(rest.find('.'), rest.size());
    const std::string_view label = rest.substr(0, dot);
    rest.remove_prefix(std::min(dot + 1, rest.size()));
    return label;
}

// As IPv6 has them, and neither a host name nor "192.0.2.1:47".
[[nodiscard]] bool has_colons(std::string_view text)
{
    const std::string_view address = text.substr(0, text.find('%'));
    return std::count(address.begin(), address.end(), ':') >= 2
           && consists_of(address, "0123456789abcdefABCDEF:.");
}

[[nodiscard]] bool looks_like_ipv4(std::string_view text)
{
    return consists_of(text, "0123456789.");
}

[[nodiscard]] bool is_label(std::string_view label)
{
    auto is_allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
               || (c >= '0' && c <= '9') || c == '-';
    };
    return !label.empty() && label.size() <= kLabelMax && label.front() != '-'
           && label.back() != '-'
           && std::all_of(label.begin(), label.end(), is_allowed);
}

[[nodiscard]] bool is_number(std::string_view label)
{
    return consists_of(label, kDigits)
           || ((label.starts_with("0x") || label.starts_with("0X"))
               && consists_of(label.substr(2), kHexDigits));
}

// The syntax of RFC 1123.  A name that ends in a number is none: resolvers
// read "10.1" and "0x7f.1" as addresses, and only dotted quads shall be.
[[nodiscard]] bool is_host_name(std::string_view text)
{
    if (text.empty() || text.size() > kHostNameMax || text.back() == '.') {
        return false;
    }
    std::string_view label;
    while (!text.empty()) {
        label = next_label(text);
        if (!is_label(label)) {
            return false;
        }
    }
    return !is_number(label);
}

}  // namespace

Fault parse_endpoint(std::string_view value, Endpoint &endpoint)
{
    const bool colons = has_colons(value);

    if (value == "flow") {
        endpoint = {Endpoint::Kind::flow, {}, {}};
        return kNone;
    }
    if (const auto address = colons ? parse_ipv6(value) : parse_ipv4(value)) {
        if (colons && address->is_ipv4()) {
            return kMapped;
        }
        if (!address->is_host()) {
            return kNoHost;
        }
        if (address->is_link_local()) {
            return kLinkLocal;
        }
        endpoint = {Endpoint::Kind::address, *address, {}};
        return kNone;
    }
    if (colons) {
        return kBadIpv6;
    }
    if (looks_like_ipv4(value)) {
        return kBadIpv4;
    }
    if (!is_host_name(value)) {
        return kBadHostName;
    }
    endpoint = {Endpoint::Kind::host_name, {}, std::string(value)};
    return kNone;
}

std::string format_endpoint(const Endpoint &endpoint)
{
    switch (endpoint.kind) {
    case Endpoint::Kind::any:
        return "any";
    case Endpoint::Kind::flow:
        return "flow";
    case Endpoint::Kind::learn:
        return "learn";
    case Endpoint::Kind::address:
        return format_address(endpoint.address);
    case Endpoint::Kind::host_name:
        return endpoint.host_name;
    }
    return {};
}

}  // namespace eoip
