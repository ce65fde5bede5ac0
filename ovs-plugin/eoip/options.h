// SPDX-License-Identifier: Apache-2.0
//
// The options of a type=eoip interface: what they may be, and what they mean.
//
// One table lists every option: ovsdb-schema/eoip.ovsschema.  The parser, the
// error texts and the nearest-name hint come from it.  Pure functions: names
// are not resolved here, nothing is logged, nothing outside the arguments
// changes.

#ifndef EOIP_OPTIONS_H
#define EOIP_OPTIONS_H

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eoip/endpoint.h"
#include "eoip/keepalive.h"

namespace eoip {

inline constexpr std::uint8_t kDefaultTtl = 64;  // What OVS sends for ttl=0.

// Of keepalives whose interval alone is given, as with RouterOS's own default
// and the other command eoip.
inline constexpr std::uint8_t kDefaultRetries = 10;

// A tunnel key as configured: a number, or taken from each flow.
struct Key {
    bool flow = false;
    std::uint16_t value = 0;  // Meaningless if 'flow'.

    bool operator==(const Key &) const = default;
};

// How IPsec is to protect a tunnel's packets.
struct IpsecConfig {
    std::string psk;            // The secret; empty: not at all.
    std::uint8_t version = 1;   // Of IKE.
    std::string ike_proposals;  // Empty: those of the daemon.
    std::string esp_proposals;

    bool operator==(const IpsecConfig &) const = default;
};

// Everything that the options column says, with the defaults filled in.
struct Config {
    Endpoint remote;  // Never Kind::any.
    Endpoint local;
    Key in_key;
    Key out_key;
    std::optional<std::uint8_t> ttl;  // Empty: inherit.
    std::optional<std::uint8_t> tos;  // Empty: inherit.  ECN bits 0.
    bool dont_fragment = false;       // Option df_default.
    bool inherit_df = false;          // From frames that have such a bit.
    bool clamp_tcp_mss = true;
    std::optional<KeepaliveConfig> keepalive;  // Empty: none.
    Time learn_after{30000};                   // If 'remote' is learned.
    std::optional<std::uint32_t> egress_pkt_mark;
    IpsecConfig ipsec;

    bool operator==(const Config &) const = default;
};

// One option as it stands in the options column.
struct Option {
    std::string_view name;
    std::string_view value;
};

// One row of the table.
struct OptionInfo {
    std::string_view name;
    std::string_view allowed;        // Ends the sentence "... allowed are ".
    std::string_view default_value;  // As a user would write it; may be "".
    std::string_view help;           // One sentence.
    std::uint32_t min = 0;           // Of a number, else 0.
    std::uint32_t max = 0;
};

[[nodiscard]] std::span<const OptionInfo> option_table();

// Puts the value of one option, whose row of the table is 'info', into
// 'config'.
[[nodiscard]] Fault parse_option(const OptionInfo &info,
                                 std::string_view value, Config &config);

// The value that 'config' has for an option of the table, in the one way that
// it is written in: numbers are decimal, times in seconds.
[[nodiscard]] std::string format_option(std::string_view name,
                                        const Config &config);

// 'value' in that way, or nothing if it is not valid for the option.
[[nodiscard]] std::optional<std::string>
canonical_value(std::string_view name, std::string_view value);

struct ParsedOptions {
    Config config;                    // Meaningless if 'errors' is not empty.
    std::vector<std::string> errors;  // One sentence for each fault.
};

// Parses 'options'; every fault is reported, not only the first.  Each error
// names option, value and allowed range, without the interface's name and
// without a full stop.
[[nodiscard]] ParsedOptions parse_options(std::span<const Option> options);

// Stands in our output for the value of an option that is_secret().
inline constexpr std::string_view kSecret = "SECRET";

// True if an option of this name, which need not exist, may hold what is not
// for other people's eyes.
[[nodiscard]] bool is_secret(std::string_view name);

// The option that RouterOS or the command eoip call 'name'; "" for a property
// of RouterOS that no option stands for; nothing if neither has such a name.
// Other's words may be written with "_", as ours are.
[[nodiscard]] std::optional<std::string_view>
option_known_as(std::string_view name);

// The option that others call 'name', or the one in the table whose name is
// nearest; "" if none is near enough to be what was meant.
[[nodiscard]] std::string_view nearest_option(std::string_view name);

}  // namespace eoip

#endif  // EOIP_OPTIONS_H
