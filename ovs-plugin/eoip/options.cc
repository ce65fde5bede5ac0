// SPDX-License-Identifier: Apache-2.0
//
// Parses the options of a type=eoip interface: all of them, with defaults, and
// what concerns two at once.  Values are the matter of option_values.cc.

#include "eoip/options.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <linux/eoip.h>

#include "eoip/option_rows.h"

namespace eoip {
namespace {

// The row of an option, or null if there is none.
[[nodiscard]] const OptionInfo *find_info(std::string_view name)
{
    const auto info =
        std::ranges::find(option_table(), name, &OptionInfo::name);
    return info == option_table().end() ? nullptr : &*info;
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
    return show(option.name)
           + (is_secret(option.name) ? "" : "=" + show(option.value));
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
    if (option_known_as(option.name)) {
        return text.append("it is a property of RouterOS that no option "
                           "stands for; ovs-eoip(5) says what does");
    }
    text += "known are";
    for (const OptionInfo &info : option_table()) {
        text.append(&info == option_table().data() ? " " : ", ")
            .append(info.name);
    }
    return text;
}

// Distance between two names.

// Longer than any option by more than any distance that counts as near.
constexpr std::size_t kNameMax = 32;

#define EOIP_OPTION_FITS(NAME, ...)                                           \
    static_assert(2 * sizeof #NAME < kNameMax + 2);
EOIP_OPTIONS(EOIP_OPTION_FITS)

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
        if (!is_key) {
            continue;
        }
        Config one;
        const Fault fault =
            parse_option(*find_info(option.name), option.value, one);
        const Key &key = option.name == "out_key" ? one.out_key : one.in_key;
        if (fault.empty() && !key.flow && key.value > EOIP6_KEY_MAX) {
            errors.push_back(show(option) + " is out of range with "
                             + show(*end)
                             + ": allowed are 0 to 4095 over IPv6, or "
                               "\"flow\"");
        }
    }
}

// IPsec's policies are made for addresses.
void check_psk(const Config &config, std::vector<std::string> &errors)
{
    const std::pair<const char *, const Endpoint &> ends[] = {
        {"remote_ip", config.remote}, {"local_ip", config.local}};
    for (const auto &[name, end] : ends) {
        // An end whose own value was refused is Kind::any.
        if (!config.ipsec.psk.empty() && end.kind != Endpoint::Kind::address
            && end.kind != Endpoint::Kind::any) {
            errors.push_back(std::string("psk needs an address as ") + name
                             + ", but " + name + "="
                             + show(format_endpoint(end)));
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

ParsedOptions parse_options(std::span<const Option> options)
{
    ParsedOptions parsed;
    auto &[config, errors] = parsed;

    for (const OptionInfo &info : option_table()) {
        const Option *given = find(options, info.name);
        const Option option =
            given ? *given : Option{info.name, info.default_value};
        if (!given && option.value.empty()) {
            continue;
        }
        const Fault fault = parse_option(info, option.value, config);
        if (!fault.empty()) {
            errors.push_back(sentence(option, fault, info));
        }
    }
    for (const Option &option : options) {
        if (!find_info(option.name)) {
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
    check_psk(config, errors);
    return parsed;
}

bool is_secret(std::string_view name)
{
    constexpr std::string_view kWords[] = {"psk", "secret", "password"};
    return std::ranges::any_of(kWords, [name](std::string_view word) {
        return name.find(word) != name.npos;
    });
}

std::optional<std::string_view> option_known_as(std::string_view name)
{
    auto same = [name](std::string_view known) {
        return std::ranges::equal(name, known, [](char a, char b) {
            return a == b || (a == '_' && b == '-');
        });
    };
    static constexpr std::pair<std::string_view, std::string_view> kNames[] = {
#define EOIP_OTHER_NAME(NAME, OPTION) {NAME, OPTION},
        EOIP_OTHER_NAMES(EOIP_OTHER_NAME)
#undef EOIP_OTHER_NAME
    };
    const auto *known = std::ranges::find_if(
        kNames, same, &std::pair<std::string_view, std::string_view>::first);
    return known == std::end(kNames) ? std::nullopt
                                     : std::optional(known->second);
}

std::string_view nearest_option(std::string_view name)
{
    std::string_view nearest = option_known_as(name).value_or("");
    std::size_t nearest_distance = SIZE_MAX;

    if (!nearest.empty() || name.size() > kNameMax) {
        return nearest;
    }
    for (const OptionInfo &info : option_table()) {
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
