// SPDX-License-Identifier: Apache-2.0
//
// Parses and writes an end of a tunnel.  Stricter than resolvers are: what one
// of them might take for another address is refused.

#include "eoip/endpoint.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <system_error>

namespace eoip {
namespace {

constexpr Fault kNone = "";
constexpr Fault kNotUnicast = "is not a unicast address";
constexpr Fault kBadAddress = "is not an IPv4 address";
constexpr Fault kBadHostName = "is neither an address nor a host name";
constexpr Fault kIpv6 =
    "is IPv6, but type=eoip has IPv4 endpoints only in this version";

constexpr std::size_t kHostNameMax = 253;
constexpr std::size_t kLabelMax = 63;

constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kHexDigits = "0123456789abcdefABCDEF";

[[nodiscard]] bool consists_of(std::string_view text, std::string_view chars)
{
    return text.find_first_not_of(chars) == std::string_view::npos;
}

[[nodiscard]] std::optional<std::uint32_t> parse_octet(std::string_view text)
{
    // "010" is 8 to some resolvers and 10 to others.
    if (text.size() > 3 || !consists_of(text, kDigits)
        || (text.size() > 1 && text.front() == '0')) {
        return std::nullopt;
    }
    std::uint32_t octet = 0;
    const char *end = text.data() + text.size();
    auto [stop, error] = std::from_chars(text.data(), end, octet);
    if (error != std::errc{} || stop != end || octet > 255) {
        return std::nullopt;
    }
    return octet;
}

// Takes the text before the first dot, and the dot, away from 'rest'.
[[nodiscard]] std::string_view next_label(std::string_view &rest)
{
    const std::size_t dot = std::min(rest.find('.'), rest.size());
    const std::string_view label = rest.substr(0, dot);
    rest.remove_prefix(std::min(dot + 1, rest.size()));
    return label;
}

[[nodiscard]] std::optional<std::uint32_t> parse_ipv4(std::string_view text)
{
    if (std::count(text.begin(), text.end(), '.') != 3) {
        return std::nullopt;
    }
    std::uint32_t ipv4 = 0;
    for (int i = 0; i < 4; i++) {
        const auto octet = parse_octet(next_label(text));
        if (!octet) {
            return std::nullopt;
        }
        ipv4 = ipv4 << 8 | *octet;
    }
    return ipv4;
}

[[nodiscard]] bool is_unicast(std::uint32_t ipv4)
{
    return ipv4 != 0 && ipv4 != UINT32_MAX && ipv4 >> 28 != 0xe;
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

bool looks_like_ipv6(std::string_view text)
{
    const std::string_view address = text.substr(0, text.find('%'));
    return std::count(address.begin(), address.end(), ':') >= 2
           && consists_of(address, "0123456789abcdefABCDEF:.");
}

Fault parse_endpoint(std::string_view value, Endpoint &endpoint)
{
    if (value == "flow") {
        endpoint = {Endpoint::Kind::flow, 0, {}};
        return kNone;
    }
    if (const auto ipv4 = parse_ipv4(value)) {
        if (!is_unicast(*ipv4)) {
            return kNotUnicast;
        }
        endpoint = {Endpoint::Kind::address, *ipv4, {}};
        return kNone;
    }
    if (looks_like_ipv6(value)) {
        return kIpv6;
    }
    if (looks_like_ipv4(value)) {
        return kBadAddress;
    }
    if (!is_host_name(value)) {
        return kBadHostName;
    }
    endpoint = {Endpoint::Kind::host_name, 0, std::string(value)};
    return kNone;
}

std::string format_ipv4(std::uint32_t ipv4)
{
    std::string text;
    for (int shift = 24; shift >= 0; shift -= 8) {
        text += std::to_string(ipv4 >> shift & 0xff);
        if (shift) {
            text += '.';
        }
    }
    return text;
}

}  // namespace eoip
