// SPDX-License-Identifier: Apache-2.0
//
// See request.h.

#include "request.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

#include <linux/eoip.h>
#include <net/if.h>

#include "values.h"

namespace eoip {
namespace {

constexpr std::size_t kNameMax = IFNAMSIZ - 1;

[[nodiscard]] std::string address_fault(const Request &request)
{
    const auto get = [&](const char *option) {
        const auto found = request.options.find(option);
        return found == request.options.end() ? "" : found->second;
    };
    const std::string local = get("local_ip"), remote = get("remote_ip");
    const std::string id = get("key");
    const bool local6 = is_ipv6(local), remote6 = is_ipv6(remote);
    if ((local6 && is_ipv4(remote)) || (remote6 && is_ipv4(local))) {
        return join({"local/remote address family mismatch: local ", local,
                     ", remote ", remote,
                     ": give two of IPv4 or two of IPv6"});
    }
    if ((local6 || remote6) && !id.empty() && id != "flow"
        && number(id, EOIP_KEY_MAX) > std::uint32_t{EOIP6_KEY_MAX}) {
        return join({"tunnel-id must be 0..4095 for eoipv6: ", id,
                     " is too large: choose a smaller one on both ends, or "
                     "give IPv4 addresses"});
    }
    return {};
}

// Of flags and words that are for other commands.
[[nodiscard]] std::string flag_fault(const Request &request)
{
    const Verb verb = request.verb;
    const bool changes = verb == Verb::add || verb == Verb::change
                         || verb == Verb::del || verb == Verb::import_;
    if (request.legacy
        && (verb != Verb::list || request.json || !request.name.empty())) {
        return "option --legacy is for \"list\" alone, without a name and "
               "without --json";
    }
    if (request.watch
        && (verb != Verb::list || request.json || request.legacy
            || !request.name.empty())) {
        return "option --watch is for \"list\" alone, without a name, --json "
               "and --legacy";
    }
    if (request.dry_run && !changes) {
        return "option --dry-run is for add, change, del and import, which "
               "change something";
    }
    if (request.prometheus && (verb != Verb::stats || request.json)) {
        return "option --prometheus is for \"stats\" alone, without --json";
    }
    if (verb != Verb::import_ && (request.replace || !request.peer.empty())) {
        return "options --peer and --replace are for \"import\"";
    }
    if (request.json && (changes || verb == Verb::export_)) {
        return "option --json is for list, show, stats, monitor and check, "
               "which print something";
    }
    if (verb != Verb::add && verb != Verb::change
        && !request.options.empty()) {
        return join({"option ", word_of(request.options.begin()->first),
                     " is for add and change, which set something"});
    }
    return {};
}

[[nodiscard]] std::string verb_fault(const Request &request)
{
    switch (request.verb) {
    case Verb::add:
        if (!request.options.contains("key")) {
            return "tunnel-id is mandatory parameter: give tunnel-id N with "
                   "the number that the other end has, 0 to 65535";
        }
        // Of ports that others have made, names may be longer.
        if (request.name.size() > kNameMax) {
            return join({"interface name too long: ", request.name,
                         ": at most 15 characters are allowed"});
        }
        break;
    case Verb::change:
        if (request.name.empty()) {
            return "name is mandatory for set/change: say which tunnel with "
                   "name IF; \"eoip list\" shows them";
        } else if (request.options.empty()) {
            return "change needs something to change: give at least one "
                   "option beside the name, such as ttl 64";
        }
        break;
    case Verb::del:
        if (request.name.empty()) {
            return "del needs the name of a tunnel: \"eoip list\" shows them";
        }
        break;
    case Verb::import_:
        if (request.file.empty()) {
            return "import needs the name of a file with what /export of "
                   "RouterOS prints, or - for the standard input";
        } else if (request.replace && !request.peer.empty()) {
            return "options --peer and --replace exclude each other: with "
                   "--replace the other ends are in the file";
        } else if (!request.name.empty()) {
            return "import takes the names from the file";
        } else if (!request.peer.empty()) {
            std::string peer = request.peer;
            return parse_value({"--peer", "remote_ip", {}, {}}, peer);
        }
        break;
    case Verb::export_:
        if (request.format.empty()) {
            return "export needs a format: routeros, ovs-vsctl, interfaces or "
                   "networkd";
        }
        break;
    default:
        break;
    }
    return {};
}

}  // namespace

std::string fault_of(const Request &request)
{
    for (const auto fault : {verb_fault, flag_fault, address_fault}) {
        if (std::string sentence = fault(request); !sentence.empty()) {
            return sentence;
        }
    }
    return request.verb == Verb::add && request.bridge.empty()
               ? check_kernel_options(request.options)
               : "";
}

std::string check_kernel_options(const Options &options)
{
    static constexpr std::string_view kKnown[] = {
        "key",     "link",      "local_ip",   "remote_ip",     "ttl",
        "tos",     "keepalive", "df_default", "dont_fragment", "clamp_tcp_mss",
        "comment", "dscp",      "mtu"};
    if (options.contains("df_default") && options.contains("dont_fragment")) {
        return "df_default and dont_fragment are one setting in a link of the "
               "kernel: give one of them, or bridge BR";
    }
    if (options.contains("tos") && options.contains("dscp")) {
        return "tos and dscp say the same thing twice: give one of them";
    }
    for (const auto &[option, value] : options) {
        if (option == "psk") {
            return "ipsec-secret is for tunnels on a bridge of the kernel's "
                   "datapath: nobody would hold the secret of a link; give "
                   "bridge BR, or see docs/ipsec.md for what to do by hand";
        }
        if (std::find(std::begin(kKnown), std::end(kKnown), option)
            == std::end(kKnown)) {
            return join({"option ", option,
                         " is for tunnels on a bridge: "
                         "leave it out, or give bridge BR"});
        }
        if (option == "key" && value == "flow") {
            return "invalid tunnel-id value: flow: only tunnels on a bridge "
                   "take it from flows; give a number, or bridge BR";
        }
        if ((option == "local_ip" || option == "remote_ip") && !value.empty()
            && !is_ipv4(value) && !is_ipv6(value)) {
            return join({"invalid ip address: ", value, ": ", word_of(option),
                         " takes an IPv4 or IPv6 address, such as "
                         "192.0.2.1 or 2001:db8::1"});
        }
    }
    return {};
}

}  // namespace eoip
