// SPDX-License-Identifier: Apache-2.0

#include "values.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>

#include "eoip/options.h"

namespace eoip {
namespace {

constexpr std::string_view kIdAllowed =
    "0 to 65535, or to 4095 with IPv6 addresses, in decimal, 0x... or octal";

// Of links of the kernel, which allow as few bytes as IPv4 does.
constexpr std::uint32_t kMtuMin = 68;
constexpr std::uint32_t kMtuMax = 65535;

// What the kernel keeps as the alias of a link.
constexpr std::size_t kCommentMax = 255;

constexpr Word kWords[] = {
    {"tunnel-id", "key", kIdAllowed, {}},
    {"tid", "key", kIdAllowed, {}},
    {"name", "name", {}, {}},
    {"bridge", "bridge", {}, {}},
    {"local", "local_ip", {}, {}},
    {"remote", "remote_ip", {}, {}},
    {"link", "link", {}, {}},
    {"ttl", "ttl",
     "1 to 255, and 0 or inherit for the ttl of the frame inside", 0},
    {"tos", "tos",
     "0 to 252 in steps of 4 (the last two bits are ECN's), and 1 or inherit "
     "for the tos of the frame inside",
     1},
    {"keepalive", "keepalive", {}, {}},
    {"df_default", "df_default", {}, {}},
    {"dont_fragment", "dont_fragment", {}, {}},
    {"clamp_tcp_mss", "clamp_tcp_mss", {}, {}},
    {"mtu", "mtu", {}, {}},
    {"comment", "comment", {}, {}},
};

[[nodiscard]] std::string parse_name(std::string &value)
{
    const bool plain =
        std::all_of(value.begin(), value.end(), [](unsigned char c) {
            return std::isgraph(c) && c != '/' && c != '%' && c != ':';
        });
    if (value.empty() || !plain || value == "." || value == "..") {
        return join({"invalid interface name: \"", value,
                     "\": allowed are characters without blanks, "
                     "\"/\", \":\" and \"%\""});
    }
    return {};
}

[[nodiscard]] std::string parse_bridge(const std::string &value)
{
    return value.empty() ? "invalid bridge name: \"\": \"ovs-vsctl list-br\" "
                           "shows the bridges"
                         : "";
}

[[nodiscard]] std::string parse_link(const std::string &value)
{
    return value.empty() ? "invalid interface name/index: \"\": link takes "
                           "the name or index of a device, or none"
                         : "";
}

[[nodiscard]] std::string parse_mtu(std::string &value)
{
    const auto mtu = number(value, kMtuMax);
    if (!mtu || *mtu < kMtuMin) {
        return join(
            {"invalid mtu value: ", value, ": allowed are 68 to 65535 bytes"});
    }
    value = std::to_string(*mtu);
    return {};
}

[[nodiscard]] std::string parse_comment(const std::string &value)
{
    const bool plain =
        std::none_of(value.begin(), value.end(),
                     [](unsigned char c) { return c < ' ' || c == 0x7f; });
    if (!plain || value.size() > kCommentMax || !is_utf8(value)) {
        return "invalid comment: allowed are up to 255 bytes of text in "
               "UTF-8, on one line";
    }
    return {};
}

// What is an address need not be one that a port of OVS can have: the back end
// decides.
[[nodiscard]] std::string parse_end(const Word &word, std::string &value)
{
    const bool is_local = word.option == "local_ip";
    if (value.empty()) {
        return join({"invalid ip address: \"\": ", word.name,
                     " takes an IPv4 or IPv6 address",
                     is_local ? ", or \"any\"" : ""});
    }
    if (is_local && (value == "any" || value == "0.0.0.0" || value == "::")) {
        value.clear();
    } else {
        value = canonical_value(word.option, value).value_or(value);
    }
    return {};
}

// An option of the core.
[[nodiscard]] std::string parse_core(const Word &word, std::string &value)
{
    // None, as RouterOS says it.
    if (value.empty() && is_secret(word.option)) {
        return {};
    }
    // RouterOS's word, and so its values.
    if (word.name == "clamp-tcp-mss") {
        value = value == "yes" ? "true" : value == "no" ? "false" : value;
    }
    const auto first = number(value.substr(0, value.find(',')), UINT32_MAX);
    if (word.inherit && first && first == word.inherit) {
        value = "inherit";
    } else if (word.option == "keepalive" && first && *first == 0) {
        value = "none";
    }
    const auto canonical = canonical_value(word.option, value);
    if (!canonical) {
        const auto table = option_table();
        const auto info = std::find_if(
            table.begin(), table.end(),
            [&](const OptionInfo &one) { return one.name == word.option; });
        return join({"invalid ", word.name, " value: ",
                     is_secret(word.option) ? kSecret : value, ": allowed are ",
                     word.allowed.empty() ? info->allowed : word.allowed});
    }
    value = *canonical;
    return {};
}

}  // namespace

std::span<const Word> word_table()
{
    return kWords;
}

std::string parse_value(const Word &word, std::string &value)
{
    return word.option == "name"      ? parse_name(value)
           : word.option == "bridge"  ? parse_bridge(value)
           : word.option == "link"    ? parse_link(value)
           : word.option == "mtu"     ? parse_mtu(value)
           : word.option == "comment" ? parse_comment(value)
           : word.option == "local_ip" || word.option == "remote_ip"
               ? parse_end(word, value)
               : parse_core(word, value);
}

std::optional<std::uint32_t> number(const std::string &text, std::uint32_t max)
{
    if (text.empty() || !std::isdigit(static_cast<unsigned char>(text[0]))) {
        return std::nullopt;
    }
    char *end = nullptr;
    errno = 0;
    const unsigned long value = std::strtoul(text.c_str(), &end, 0);
    if (errno || *end || value > max) {
        return std::nullopt;
    }
    return static_cast<std::uint32_t>(value);
}

bool is_utf8(std::string_view text)
{
    for (std::size_t i = 0; i < text.size();) {
        const auto first = static_cast<unsigned char>(text[i++]);
        if (first < 0x80) {
            continue;
        }
        const std::size_t rest = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
        std::uint32_t point = first & (0x3fu >> rest);
        if (first < 0xc2 || first > 0xf4 || i + rest > text.size()) {
            return false;
        }
        for (const std::size_t end = i + rest; i < end; i++) {
            const auto next = static_cast<unsigned char>(text[i]);
            if ((next & 0xc0) != 0x80) {
                return false;
            }
            point = point << 6 | (next & 0x3fu);
        }
        // Longer than need be, a surrogate, or beyond the last one.
        if (point < (rest == 3   ? 0x10000u
                     : rest == 2 ? 0x800u
                                 : 0x80u)
            || (point >= 0xd800 && point < 0xe000) || point > 0x10ffff) {
            return false;
        }
    }
    return true;
}

std::string join(std::initializer_list<std::string_view> parts)
{
    std::string text;
    for (const std::string_view part : parts) {
        text += part;
    }
    return text;
}

}  // namespace eoip
