// SPDX-License-Identifier: Apache-2.0

#include "eoip/ipsec_values.h"

#include <algorithm>

namespace eoip {
namespace {

// What a daemon makes of them it says itself; here nothing passes that could
// be more than names.
[[nodiscard]] Fault parse_proposals(std::string_view value,
                                    std::string &proposals)
{
    constexpr std::size_t kMax = 1000;
    auto is_part = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    };
    bool was_part = false;

    if (value.size() > kMax) {
        return "is too long";
    }
    for (const char c : value) {
        if (!is_part(c) && !(was_part && (c == '-' || c == ','))) {
            return "is not a list of proposals";
        }
        was_part = is_part(c);
    }
    if (!was_part) {
        return "is not a list of proposals";
    }
    proposals = value;
    return "";
}

}  // namespace

Fault parse_psk(std::string_view value, Config &config)
{
    constexpr std::size_t kMax = 255;
    auto is_control = [](char c) {
        return (c >= 0 && c < ' ') || c == 0x7f;
    };
    if (value.size() > kMax) {
        return "is too long";
    }
    if (std::ranges::any_of(value, is_control)) {
        return "has control characters";
    }
    config.ipsec.psk = value;
    return "";
}

Fault parse_ike_version(std::string_view value, Config &config)
{
    if (value != "1" && value != "2") {
        return "is no version of IKE";
    }
    config.ipsec.version = value == "1" ? 1 : 2;
    return "";
}

Fault parse_ike_proposals(std::string_view value, Config &config)
{
    return parse_proposals(value, config.ipsec.ike_proposals);
}

Fault parse_esp_proposals(std::string_view value, Config &config)
{
    return parse_proposals(value, config.ipsec.esp_proposals);
}

std::string format_psk(const Config &config)
{
    return config.ipsec.psk;
}

std::string format_ike_version(const Config &config)
{
    return std::to_string(config.ipsec.version);
}

std::string format_ike_proposals(const Config &config)
{
    return config.ipsec.ike_proposals;
}

std::string format_esp_proposals(const Config &config)
{
    return config.ipsec.esp_proposals;
}

}  // namespace eoip
