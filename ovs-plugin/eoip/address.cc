// SPDX-License-Identifier: Apache-2.0
//
// Parses and writes addresses.  Stricter than resolvers are: what one of them
// might take for another address is refused.

#include "eoip/address.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "eoip/wire6.h"

namespace eoip {
namespace {

constexpr std::size_t kGroups = 8;  // Of 16 bits, in an IPv6 address.
constexpr std::size_t kMapped = 12;
constexpr std::array<std::uint8_t, kMapped> kMappedPrefix = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// A number of digits only, which has at most 'digits' of them.
[[nodiscard]] std::optional<std::uint16_t>
parse_part(std::string_view text, std::size_t digits, int base)
{
    std::uint16_t value = 0;
    const char *end = text.data() + text.size();
    auto [stop, error] = std::from_chars(text.data(), end, value, base);
    if (text.size() > digits || error != std::errc{} || stop != end) {
        return std::nullopt;
    }
    return value;
}

// Takes the text before the first 'separator', and that, away from 'rest'.
[[nodiscard]] std::string_view take_part(std::string_view &rest,
                                         char separator)
{
    const std::size_t at = std::min(rest.find(separator), rest.size());
    const std::string_view part = rest.substr(0, at);
    rest.remove_prefix(std::min(at + 1, rest.size()));
    return part;
}

// Groups of an IPv6 address in a row.
struct Groups {
    std::array<std::uint16_t, kGroups> values{};
    std::size_t n = 0;

    // False if there is no room.
    [[nodiscard]] bool add(std::uint16_t value)
    {
        if (n == kGroups) {
            return false;
        }
        values[n++] = value;
        return true;
    }
};

// The text on one side of "::", which may be empty; the last two groups may be
// written as IPv4 if 'last'.
[[nodiscard]] std::optional<Groups> parse_groups(std::string_view text,
                                                 bool last)
{
    Groups groups;

    if (text.ends_with(':')) {
        return std::nullopt;
    }
    while (!text.empty()) {
        const std::string_view part = take_part(text, ':');
        if (const auto value = parse_part(part, 4, 16)) {
            if (!groups.add(*value)) {
                return std::nullopt;
            }
            continue;
        }
        const auto ipv4 = parse_ipv4(part);
        if (!ipv4 || !last || !text.empty()
            || !groups.add(static_cast<std::uint16_t>(ipv4->ipv4() >> 16))
            || !groups.add(static_cast<std::uint16_t>(ipv4->ipv4()))) {
            return std::nullopt;
        }
    }
    return groups;
}

void put_group(Address &address, std::size_t at, std::uint16_t value)
{
    address.bytes[2 * at] = static_cast<std::uint8_t>(value >> 8);
    address.bytes[2 * at + 1] = static_cast<std::uint8_t>(value);
}

[[nodiscard]] std::uint16_t group(const Address &address, std::size_t at)
{
    return static_cast<std::uint16_t>(address.bytes[2 * at] << 8
                                      | address.bytes[2 * at + 1]);
}

// How many groups are 0 from 'at' on.
[[nodiscard]] std::size_t zeros(const Address &address, std::size_t at)
{
    std::size_t n = 0;
    while (at + n < kGroups && group(address, at + n) == 0) {
        n++;
    }
    return n;
}

[[nodiscard]] std::string format_ipv4(std::uint32_t ipv4)
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

}  // namespace

Address Address::from_ipv4(std::uint32_t ipv4)
{
    Address address;
    std::copy(kMappedPrefix.begin(), kMappedPrefix.end(),
              address.bytes.begin());
    put_group(address, 6, static_cast<std::uint16_t>(ipv4 >> 16));
    put_group(address, 7, static_cast<std::uint16_t>(ipv4));
    return address;
}

std::uint32_t Address::ipv4() const
{
    return std::uint32_t{group(*this, 6)} << 16 | group(*this, 7);
}

bool Address::is_ipv4() const
{
    return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(),
                      bytes.begin());
}

bool Address::is_host() const
{
    return is_ipv4() ? !eoip_is_martian_source(&bytes[kMapped])
                     : !eoip_is_martian_source6(bytes.data());
}

bool Address::is_link_local() const
{
    return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}

std::optional<Address> parse_ipv4(std::string_view text)
{
    std::uint32_t ipv4 = 0;

    if (std::count(text.begin(), text.end(), '.') != 3) {
        return std::nullopt;
    }
    for (int i = 0; i < 4; i++) {
        const std::string_view part = take_part(text, '.');
        const auto octet = parse_part(part, 3, 10);
        // "010" is 8 to some resolvers and 10 to others.
        if (!octet || *octet > 255
            || (part.size() > 1 && part.front() == '0')) {
            return std::nullopt;
        }
        ipv4 = ipv4 << 8 | *octet;
    }
    return Address::from_ipv4(ipv4);
}

std::optional<Address> parse_ipv6(std::string_view text)
{
    const std::size_t gap = text.find("::");
    const bool has_gap = gap != std::string_view::npos;
    const auto head = parse_groups(text.substr(0, gap), !has_gap);
    const auto tail = parse_groups(
        has_gap ? text.substr(gap + 2) : std::string_view(), true);

    if (!head || !tail
        || (has_gap ? head->n + tail->n >= kGroups : head->n != kGroups)) {
        return std::nullopt;
    }
    Address address;
    for (std::size_t i = 0; i < head->n; i++) {
        put_group(address, i, head->values[i]);
    }
    for (std::size_t i = 0; i < tail->n; i++) {
        put_group(address, kGroups - tail->n + i, tail->values[i]);
    }
    return address;
}

std::string format_address(const Address &address)
{
    if (address.is_ipv4()) {
        return format_ipv4(address.ipv4());
    }

    std::size_t gap = 0, gap_groups = 1;  // One group is no gap.
    for (std::size_t i = 0; i < kGroups; i++) {
        if (zeros(address, i) > gap_groups) {
            gap = i;
            gap_groups = zeros(address, i);
        }
    }
    std::string text;
    for (std::size_t i = 0; i < kGroups; i++) {
        if (gap_groups > 1 && i == gap) {
            text += "::";
            i += gap_groups - 1;
            continue;
        }
        char digits[4];
        const auto end =
            std::to_chars(digits, std::end(digits), group(address, i), 16).ptr;
        text += text.empty() || text.ends_with(':') ? "" : ":";
        text.append(digits, end);
    }
    return text;
}

}  // namespace eoip
