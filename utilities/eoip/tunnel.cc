// SPDX-License-Identifier: Apache-2.0
//
// What a tunnel is, in words: see tunnel.h.

#include "tunnel.h"

#include <algorithm>

#include <arpa/inet.h>

#include "eoip/drops.h"
#include "eoip/options.h"
#include "values.h"

namespace eoip {
namespace {

// Options that users know by another name.
constexpr std::pair<std::string_view, std::string_view> kWords[] = {
    {"remote_ip", "remote"},
    {"local_ip", "local"},
    {"key", "tunnel-id"},
};

// How it is protected, or "".
[[nodiscard]] std::string ipsec_of(const Tunnel &tunnel)
{
    const std::string state = tunnel.status_word("ipsec_state");
    std::string text = state == "off" ? "" : state;
    for (const auto &[before, word] :
         {std::pair(" since ", "ipsec_since"),
          std::pair(", ", "ipsec_algorithms"),
          std::pair(": ", "ipsec_reason")}) {
        const std::string value = tunnel.status_word(word);
        text += value.empty() ? "" : before + value;
    }
    return text;
}

}  // namespace

std::string Tunnel::status_word(std::string_view word) const
{
    const auto found = status.find(word);
    return found == status.end() ? "" : found->second;
}

std::string_view word_of(std::string_view option)
{
    for (const auto &[name, word] : kWords) {
        if (name == option) {
            return word;
        }
    }
    return option;
}

std::string Tunnel::get(std::string_view option) const
{
    if (const auto found = options.find(option); found != options.end()) {
        return found->second;
    }
    for (const OptionInfo &info : option_table()) {
        if (info.name == option) {
            return std::string(info.default_value);
        }
    }
    return {};
}

std::string Tunnel::id() const
{
    const std::string in =
        options.count("in_key") ? get("in_key") : get("key");
    const std::string out =
        options.count("out_key") ? get("out_key") : get("key");
    return in == out ? in : in + "/" + out;
}

std::string Tunnel::peer() const
{
    const std::string remote = get("remote_ip");
    for (const char *known : {"remote_address", "learned_peer"}) {
        if (const auto found = status.find(known); found != status.end()) {
            return join({remote, " (",
                         found->second == "none" ? "nobody yet"
                                                 : found->second.c_str(),
                         ")"});
        }
    }
    return remote;
}

std::uint64_t Tunnel::count(std::string_view counter) const
{
    const auto found =
        std::ranges::find(counters, counter, &Counter::name);
    return found == counters.end() ? 0 : found->value;
}

std::uint64_t Tunnel::drops() const
{
    std::uint64_t sum = 0;
    for (const Counter &counter : counters) {
        sum += eoip_drop_sentence(counter.name.c_str()) ? counter.value : 0;
    }
    return sum;
}

std::vector<std::pair<std::string, std::string>> fields(const Tunnel &tunnel)
{
    std::vector<std::pair<std::string, std::string>> list = {
        {"name", tunnel.name},
        {"bridge", tunnel.bridge},
        {"ifindex", tunnel.ifindex ? std::to_string(tunnel.ifindex) : ""},
        {"state", tunnel.state},
        {"reason", tunnel.reason},
        {"link-state", tunnel.link_state},
        {"ipsec", ipsec_of(tunnel)},
        {"error", tunnel.error},
        {"tunnel-id", tunnel.id()},
        {"remote", tunnel.peer()},
    };
    for (const auto &[option, value] : tunnel.options) {
        if (option != "key" && option != "remote_ip") {
            list.emplace_back(word_of(option),
                              is_secret(option) ? kSecret : value);
        }
    }
    std::erase_if(list,
                  [](const auto &field) { return field.second.empty(); });
    return list;
}

bool is_ipv4(const std::string &text)
{
    in_addr address;
    return inet_pton(AF_INET, text.c_str(), &address) == 1;
}

bool is_ipv6(const std::string &text)
{
    in6_addr address;
    return inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

}  // namespace eoip
