// SPDX-License-Identifier: Apache-2.0
//
// Parses the options of a type=eoip interface.
//
// The table is in ovsdb-schema/, and the build makes rows of it: what a user
// may write, the default, a sentence.  The function parse_NAME puts a value
// into Config; defaults go through the same functions as values.  What
// concerns two options at once is in the cross checks below them.

#include "eoip/options.h"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

#include <linux/eoip.h>

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
[[nodiscard]] consteval const OptionInfo &info_of(std::string_view name)
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
        config.ttl = number.value ? static_cast<std::uint8_t>(number.value)
                                  : kDefaultTtl;
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
    Number retries;
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

// One function for each row of the table, in its order: 'key' stands there
// before the two that override it.
#define EOIP_OPTION_PARSER(NAME, ...) parse_##NAME,
constexpr Fault (*kParsers[])(std::string_view value, Config &config) = {
    EOIP_OPTIONS(EOIP_OPTION_PARSER)};

[[nodiscard]] bool is_known(std::string_view name)
{
    return std::any_of(
        std::begin(kInfos), std::end(kInfos),
        [name](const OptionInfo &info) { return info.name == name; });
}

// Sentences.

// 'text' fit for a log: at most kShownMax characters and an ellipsis, all of
// them printable ASCII.
[[nodiscard]] std::string show(std::string_view text)
{
    constexpr std::size_t kShownMax = 64;
    constexpr char kHex[] = "0123456789abcdef";

    std::string shown;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = byte >= ' ' && byte <= '~' && byte != '\\';
        if (shown.size() + (plain ? 1 : 4) > kShownMax) {
            return shown + "...";
        }
        if (plain) {
            shown += c;
        } else {
            shown += {'\\', 'x', kHex[byte >> 4], kHex[byte & 0xf]};
        }
    }
    return shown;
}

[[nodiscard]] std::string show(const Option &option)
{
    return show(option.name) + "=" + show(option.value);
}

[[nodiscard]] std::string sentence(const Option &option, Fault fault,
                                   const OptionInfo &info)
{
    std::string text = show(option) + " ";
    return text.append(fault).append(": allowed are ").append(info.allowed);
}

// Without the value: nobody knows whether it is a secret.
[[nodiscard]] std::string unknown_sentence(const Option &option)
{
    std::string text = "unknown option " + show(option.name) + ": ";
    const std::string_view meant = nearest_option(option.name);
    if (!meant.empty()) {
        return text.append("did you mean ").append(meant).append("?");
    }
    text += "known are";
    for (const OptionInfo &info : kInfos) {
        text.append(&info == kInfos ? " " : ", ").append(info.name);
    }
    return text;
}

// Distance between two names.

// Longer than any option by more than any distance that counts as near.
constexpr std::size_t kNameMax = 32;

static_assert(std::all_of(std::begin(kInfos), std::end(kInfos),
                          [](const OptionInfo &info) {
                              return 2 * info.name.size() < kNameMax;
                          }));

[[nodiscard]] char to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// How many insertions, deletions, replacements and swaps of neighbours turn
// 'a' into 'b', capitals aside.  Both are at most kNameMax long.
[[nodiscard]] std::size_t distance(std::string_view a, std::string_view b)
{
    std::size_t d[kNameMax + 1][kNameMax + 1];
    auto same = [&](std::size_t i, std::size_t j) {
        return to_lower(a[i - 1]) == to_lower(b[j - 1]);
    };

    for (std::size_t i = 0; i <= a.size(); i++) {
        for (std::size_t j = 0; j <= b.size(); j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1,
                                d[i - 1][j - 1] + !same(i, j)});
            if (i > 1 && j > 1 && same(i, j - 1) && same(i - 1, j)) {
                d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
            }
        }
    }
    return d[a.size()][b.size()];
}

// Cross checks.

[[nodiscard]] const Option *find(std::span<const Option> options,
                                 std::string_view name)
{
    const auto found = std::find_if(
        options.begin(), options.end(),
        [name](const Option &option) { return option.name == name; });
    return found == options.end() ? nullptr : &*found;
}

// Adds what is wrong with the two ends together.  An end whose own value was
// refused is Kind::any in 'config'.
void check_endpoints(const Option &remote, const Option &local,
                     const Config &config, std::vector<std::string> &errors)
{
    using Kind = Endpoint::Kind;
    const Kind remote_kind = config.remote.kind;
    const Kind local_kind = config.local.kind;

    if (local_kind == Kind::flow && remote_kind != Kind::flow
        && remote_kind != Kind::any) {
        errors.push_back("local_ip=flow needs remote_ip=flow, but "
                         + show(remote));
    }
    if (local_kind == Kind::address && config.local == config.remote) {
        errors.push_back(show(local)
                         + " equals remote_ip: a tunnel needs two different"
                           " addresses");
    }
    if ((is_ipv4(config.remote) && is_ipv6(config.local))
        || (is_ipv6(config.remote) && is_ipv4(config.local))) {
        errors.push_back(show(remote) + " and " + show(local)
                         + " mix address families: both ends need IPv4 or "
                           "both IPv6");
    }
}

// The header of EoIPv6 has room for smaller keys.  [peer]
void check_keys(std::span<const Option> options, const Config &config,
                std::vector<std::string> &errors)
{
    const Option *end = is_ipv6(config.remote) ? find(options, "remote_ip")
                                               : find(options, "local_ip");
    if (!is_ipv6(config.remote) && !is_ipv6(config.local)) {
        return;
    }
    for (const Option &option : options) {
        const bool is_key = option.name == "key" || option.name == "in_key"
                            || option.name == "out_key";
        Key key;
        if (is_key && parse_key(option.value, key).empty() && !key.flow
            && key.value > EOIP6_KEY_MAX) {
            errors.push_back(show(option) + " is out of range with "
                             + show(*end)
                             + ": allowed are 0 to 4095 over IPv6, or "
                               "\"flow\"");
        }
    }
}

// A peer is learned by its key, and sent to with one.
void check_learning(std::span<const Option> options, const Config &config,
                    std::vector<std::string> &errors)
{
    if (config.remote.kind == Endpoint::Kind::learn
        && (config.in_key.flow || config.out_key.flow)) {
        const Option *key =
            find(options, config.in_key.flow ? "in_key" : "out_key");
        errors.push_back("remote_ip=learn needs a key, but "
                         + show(key ? *key : *find(options, "key")));
    }
}

}  // namespace

std::span<const OptionInfo> option_table()
{
    return kInfos;
}

ParsedOptions parse_options(std::span<const Option> options)
{
    ParsedOptions parsed;
    auto &[config, errors] = parsed;

    for (std::size_t i = 0; i < std::size(kInfos); i++) {
        const OptionInfo &info = kInfos[i];
        const Option *given = find(options, info.name);
        const Option option =
            given ? *given : Option{info.name, info.default_value};
        if (!given && option.value.empty()) {
            continue;
        }
        const Fault fault = option.value.empty()
                                ? Fault("is empty")
                                : kParsers[i](option.value, config);
        if (!fault.empty()) {
            errors.push_back(sentence(option, fault, info));
        }
    }
    for (const Option &option : options) {
        if (!is_known(option.name)) {
            errors.push_back(unknown_sentence(option));
        } else if (find(options, option.name) != &option) {
            errors.push_back(show(option) + " is given more than once");
        }
    }

    const Option *tos = find(options, "tos");
    const Option *dscp = find(options, "dscp");
    if (tos && dscp) {
        errors.push_back(
            show(*tos) + " and " + show(*dscp)
            + " say the same thing twice: allowed is one of them");
    }
    const Option *remote = find(options, "remote_ip");
    const Option *local = find(options, "local_ip");
    if (remote && local) {
        check_endpoints(*remote, *local, config, errors);
    }
    check_learning(options, config, errors);
    check_keys(options, config, errors);
    return parsed;
}

std::string_view nearest_option(std::string_view name)
{
    std::string_view nearest;
    std::size_t nearest_distance = SIZE_MAX;

    if (name.size() > kNameMax) {
        return nearest;
    }
    for (const OptionInfo &info : kInfos) {
        const std::size_t d = distance(name, info.name);
        // A third of the name may be wrong.
        if (d <= (info.name.size() + 2) / 3 && d < nearest_distance) {
            nearest = info.name;
            nearest_distance = d;
        }
    }
    return nearest;
}

}  // namespace eoip
