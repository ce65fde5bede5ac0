// SPDX-License-Identifier: Apache-2.0
//
// An IP address of either family, and its text.  Pure functions.

#ifndef EOIP_ADDRESS_H
#define EOIP_ADDRESS_H

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace eoip {

// IPv4 is kept as IPv6 maps it (::ffff:192.0.2.1), which is how Open vSwitch
// and the kernel keep the ends of tunnels.
struct Address {
    std::array<std::uint8_t, 16> bytes{};  // Network order; all zeros: none.

    // From and to host order; ipv4() only if is_ipv4().
    [[nodiscard]] static Address from_ipv4(std::uint32_t ipv4);
    [[nodiscard]] std::uint32_t ipv4() const;

    [[nodiscard]] bool is_ipv4() const;
    // True for what one other host can have.
    [[nodiscard]] bool is_host() const;
    [[nodiscard]] bool is_link_local() const;  // Of IPv6.

    auto operator<=>(const Address &) const = default;
};

// Only what is one address to everybody: four decimal numbers, or IPv6 as
// RFC 4291 writes it, without a zone.
[[nodiscard]] std::optional<Address> parse_ipv4(std::string_view text);
[[nodiscard]] std::optional<Address> parse_ipv6(std::string_view text);

// IPv6 as RFC 5952 wants it.
[[nodiscard]] std::string format_address(const Address &address);

}  // namespace eoip

#endif  // EOIP_ADDRESS_H
