// SPDX-License-Identifier: Apache-2.0
//
// The values of options, as options.h declares.
//
// The table is in ovsdb-schema/, and the build makes rows of it.  The function
// parse_NAME puts a value of option NAME into Config, format_NAME writes it.

#include "eoip/options.h"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

#include <linux/eoip.h>

#include "eoip/ipsec_values.h"
#include "eoip/option_rows.h"

namespace eoip {
namespace {

constexpr Fault kNone = "";
constexpr Fault kNotANumber = "is not a number";
constexpr Fault kOutOfRange = "is out of range";

constexpr std::uint32_t kTosMask = 0xfc;  // Without the two bits of ECN.

#define EOIP_OPTION_INFO(NAME, ...) {#NAME, __VA_ARGS__},
constexpr OptionInfo kInfos[] = {EOIP_OPTIONS(EOIP_OPTION_INFO)};

// The row of an option that exists.
[[nodiscard]] constexpr const OptionInfo &info_of(std::string_view name)
{
    return *std::find_if(
        std::begin(kInfos), std::end(kInfos),
        [name](const OptionInfo &info) { return info.name == name; });
}

static_assert(info_of("key").max == EOIP_KEY_MAX);
static_assert(info_of("tos").max == kTosMask);
static_assert(info_of("dscp").max == kTosMask >> 2);
static_assert(info_of("keepalive").max == EOIP_KEEPALIVE_INTERVAL_MAX);

[[nodiscard]] bool has_hex_prefix(std::string_view text)
{
    return text.starts_with("0x") || text.starts_with("0X");
}

// Numbers, in the notations of strtoull() with base 0, but without signs,
// blanks and trailing junk.

struct Number {
    std::uint32_t value = 0;
    Fault fault = kNone;
};

[[nodiscard]] Number parse_digits(std::string_view text, int base,
                                  std::uint32_t max)
{
    Number number;
    const char *end = text.data() + text.size();
    auto [stop, error] = std::from_chars(text.data(), end, number.value, base);
    if (error == std::errc::invalid_argument || stop != end) {
        number.fault = kNotANumber;
    } else if (error != std::errc{} || number.value > max) {
        number.fault = kOutOfRange;
    }
    return number;
}

[[nodiscard]] Number parse_decimal(std::string_view text, std::uint32_t max)
{
    return parse_digits(text, 10, max);
}

[[nodiscard]] Number parse_number(std::string_view text, std::uint32_t max)
{
    int base = 10;
    if (has_hex_prefix(text)) {
        base = 16;
        text.remove_prefix(2);
    } else if (text.size() > 1 && text.front() == '0') {
        base = 8;
    }
    return parse_digits(text, base, max);
}

[[nodiscard]] Fault parse_key(std::string_view value, Key &key)
{
    if (value == "flow") {
        key = {.flow = true};
        return kNone;
    }
    const Number number = parse_number(value, info_of("key").max);
    if (number.fault.empty()) {
        key = {.value = static_cast<std::uint16_t>(number.value)};
    }
    return number.fault;
}

[[nodiscard]] Fault parse_key(std::string_view value, Config &config)
{
    const Fault fault = parse_key(value, config.in_key);
    config.out_key = config.in_key;
    return fault;
}

[[nodiscard]] Fault parse_in_key(std::string_view value, Config &config)
{
    return parse_key(value, config.in_key);
}

[[nodiscard]] Fault parse_out_key(std::string_view value, Config &config)
{
    return parse_key(value, config.out_key);
}

[[nodiscard]] Fault parse_ttl(std::string_view value, Config &config)
{
    if (value == "inherit") {
        config.ttl.reset();
        return kNone;
    }
    const Number number = parse_number(value, info_of("ttl").max);
    if (number.fault.empty()) {
        config.ttl.reset();
        if (number.value) {
            config.ttl = static_cast<std::uint8_t>(number.value);
        }
    }
    return number.fault;
}

[[nodiscard]] Fault parse_tos(std::string_view value, Config &config)
{
    if (value == "inherit") {
        config.tos.reset();
        return kNone;
    }
    const Number number = parse_number(value, info_of("tos").max);
    if (!number.fault.empty()) {
        return number.fault;
    }
    if (number.value & ~kTosMask) {
        return "sets bits of ECN";
    }
    config.tos = static_cast<std::uint8_t>(number.value);
    return kNone;
}

[[nodiscard]] Fault parse_bool(std::string_view value, bool &truth)
{
    if (value != "true" && value != "false") {
        return "is not a truth value";
    }
    truth = value == "true";
    return kNone;
}

[[nodiscard]] Fault parse_dscp(std::string_view value, Config &config)
{
    if (value == "inherit") {
        config.tos.reset();
        return kNone;
    }
    const Number number = parse_number(value, info_of("dscp").max);
    if (number.fault.empty()) {
        config.tos = static_cast<std::uint8_t>(number.value << 2);
    }
    return number.fault;
}

[[nodiscard]] Fault parse_dont_fragment(std::string_view value, Config &config)
{
    if (value != "no" && value != "inherit") {
        return "is neither";
    }
    config.inherit_df = value == "inherit";
    return kNone;
}

[[nodiscard]] Fault parse_df_default(std::string_view value, Config &config)
{
    return parse_bool(value, config.dont_fragment);
}

[[nodiscard]] Fault parse_clamp_tcp_mss(std::string_view value, Config &config)
{
    return parse_bool(value, config.clamp_tcp_mss);
}

// Takes the decimal digits at the front of 'text' away.
[[nodiscard]] std::string_view take_digits(std::string_view &text)
{
    const std::size_t n =
        std::min(text.find_first_not_of("0123456789"), text.size());
    const std::string_view digits = text.substr(0, n);
    text.remove_prefix(n);
    return digits;
}

// A time as RouterOS writes it: "10", "10s", "1m30s".
[[nodiscard]] Number parse_seconds(std::string_view text)
{
    constexpr std::pair<char, std::uint32_t> kUnits[] = {
        {'h', 3600}, {'m', 60}, {'s', 1}};
    const auto *unit = std::begin(kUnits);
    Number sum;

    do {
        const std::string_view digits = take_digits(text);
        const Number part = parse_decimal(digits, EOIP_KEEPALIVE_INTERVAL_MAX);
        if (!part.fault.empty()) {
            return part;
        }
        if (text == "ms") {
            return {0, "is finer than a second, which RouterOS is not"};
        }
        if (text.empty() && digits.size() && unit == std::begin(kUnits)) {
            text = "s";  // No unit at all.
        }
        unit = std::find_if(unit, std::end(kUnits), [&](const auto &u) {
            return text.starts_with(u.first);
        });
        if (unit == std::end(kUnits)) {
            return {0, "is not a time"};
        }
        sum.value += part.value * unit->second;
        text.remove_prefix(1);
        unit++;
    } while (!text.empty());
    if (!sum.value || sum.value > EOIP_KEEPALIVE_INTERVAL_MAX) {
        sum.fault = kOutOfRange;
    }
    return sum;
}

[[nodiscard]] Fault parse_keepalive(std::string_view value, Config &config)
{
    if (value == "none") {
        config.keepalive.reset();
        return kNone;
    }
    const std::size_t comma = value.find(',');
    const Number interval = parse_seconds(value.substr(0, comma));
    Number retries{.value = kDefaultRetries};
    if (comma != std::string_view::npos) {
        retries = parse_decimal(value.substr(comma + 1), 255);
    }
    const Fault fault =
        interval.fault.empty() ? retries.fault : interval.fault;
    if (fault.empty()) {
        config.keepalive = {std::chrono::seconds(interval.value),
                            static_cast<std::uint8_t>(retries.value)};
    }
    return fault;
}

[[nodiscard]] Fault parse_egress_pkt_mark(std::string_view value,
                                          Config &config)
{
    const Number number = parse_number(value, info_of("egress_pkt_mark").max);
    if (number.fault.empty()) {
        config.egress_pkt_mark = number.value;
    }
    return number.fault;
}

[[nodiscard]] Fault parse_remote_ip(std::string_view value, Config &config)
{
    if (value == "learn") {
        config.remote = {Endpoint::Kind::learn, {}, {}};
        return kNone;
    }
    return parse_endpoint(value, config.remote);
}

[[nodiscard]] Fault parse_learn_after(std::string_view value, Config &config)
{
    constexpr OptionInfo kInfo = info_of("learn_after");
    const Number number = parse_number(value, kInfo.max);
    if (!number.fault.empty()) {
        return number.fault;
    }
    if (number.value < kInfo.min) {
        return kOutOfRange;
    }
    config.learn_after = std::chrono::seconds(number.value);
    return kNone;
}

[[nodiscard]] Fault parse_local_ip(std::string_view value, Config &config)
{
    if (value == "learn") {
        return "is for remote_ip only";
    }
    return parse_endpoint(value, config.local);
}

// Back to text.

[[nodiscard]] std::string text_of(const Key &key)
{
    return key.flow ? "flow" : std::to_string(key.value);
}

[[nodiscard]] std::string or_inherit(const std::optional<std::uint8_t> &value,
                                     int shift = 0)
{
    return value ? std::to_string(*value >> shift) : "inherit";
}

[[nodiscard]] std::string truth(bool value)
{
    return value ? "true" : "false";
}

[[nodiscard]] std::string format_key(const Config &config)
{
    return text_of(config.in_key);
}

[[nodiscard]] std::string format_in_key(const Config &config)
{
    return text_of(config.in_key);
}

[[nodiscard]] std::string format_out_key(const Config &config)
{
    return text_of(config.out_key);
}

[[nodiscard]] std::string format_ttl(const Config &config)
{
    return or_inherit(config.ttl);
}

[[nodiscard]] std::string format_tos(const Config &config)
{
    return or_inherit(config.tos);
}

[[nodiscard]] std::string format_dscp(const Config &config)
{
    return or_inherit(config.tos, 2);
}

[[nodiscard]] std::string format_dont_fragment(const Config &config)
{
    return config.inherit_df ? "inherit" : "no";
}

[[nodiscard]] std::string format_df_default(const Config &config)
{
    return truth(config.dont_fragment);
}

[[nodiscard]] std::string format_clamp_tcp_mss(const Config &config)
{
    return truth(config.clamp_tcp_mss);
}

[[nodiscard]] std::string format_keepalive(const Config &config)
{
    return !config.keepalive
               ? "none"
               : std::to_string(config.keepalive->interval.count() / 1000)
                     + "," + std::to_string(config.keepalive->retries);
}

[[nodiscard]] std::string format_egress_pkt_mark(const Config &config)
{
    return std::to_string(config.egress_pkt_mark.value_or(0));
}

[[nodiscard]] std::string format_remote_ip(const Config &config)
{
    return format_endpoint(config.remote);
}

[[nodiscard]] std::string format_learn_after(const Config &config)
{
    return std::to_string(config.learn_after.count() / 1000);
}

[[nodiscard]] std::string format_local_ip(const Config &config)
{
    return format_endpoint(config.local);
}

// One for each row of the table, in its order.
struct Functions {
    Fault (*parse)(std::string_view value, Config &config);
    std::string (*format)(const Config &config);
};

#define EOIP_OPTION_FUNCTIONS(NAME, ...) {parse_##NAME, format_##NAME},
constexpr Functions kFunctions[] = {EOIP_OPTIONS(EOIP_OPTION_FUNCTIONS)};

}  // namespace

std::span<const OptionInfo> option_table()
{
    return kInfos;
}

Fault parse_option(const OptionInfo &info, std::string_view value,
                   Config &config)
{
    return value.empty() ? "is empty"
                         : kFunctions[&info - kInfos].parse(value, config);
}

std::string format_option(std::string_view name, const Config &config)
{
    return kFunctions[&info_of(name) - kInfos].format(config);
}

std::optional<std::string> canonical_value(std::string_view name,
                                           std::string_view value)
{
    Config config;
    if (!parse_option(info_of(name), value, config).empty()) {
        return std::nullopt;
    }
    return format_option(name, config);
}

}  // namespace eoip
