// SPDX-License-Identifier: Apache-2.0
//
// What a tunnel is, in words: see tunnel.h.

#include "tunnel.h"

#include <arpa/inet.h>

#include "eoip/options.h"

namespace eoip {
namespace {

// Options that users know by another name.
constexpr std::pair<std::string_view, std::string_view> kWords[] = {
    {"remote_ip", "remote"},
    {"local_ip", "local"},
    {"key", "tunnel-id"},
};

}  // namespace

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

std::vector<std::pair<std::string, std::string>> fields(const Tunnel &tunnel)
{
    std::vector<std::pair<std::string, std::string>> list = {
        {"name", tunnel.name},
        {"bridge", tunnel.bridge},
        {"ifindex", tunnel.ifindex ? std::to_string(tunnel.ifindex) : ""},
        {"state", tunnel.state},
        {"error", tunnel.error},
        {"tunnel-id", tunnel.id()},
        {"remote", tunnel.get("remote_ip")},
    };
    for (const auto &[option, value] : tunnel.options) {
        if (option != "key" && option != "remote_ip") {
            list.emplace_back(word_of(option), value);
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
