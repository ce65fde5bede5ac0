// SPDX-License-Identifier: Apache-2.0

#include "link_message.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <arpa/inet.h>
#include <linux/eoip.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>

#include "util.h"

#include "eoip/state.h"
#include "kernel_device.h"

namespace eoip {
namespace {

[[nodiscard]] std::string address_text(const nlattr *attr)
{
    char text[INET6_ADDRSTRLEN];
    const int family = nla_len(attr) == sizeof(in6_addr) ? AF_INET6 : AF_INET;
    return inet_ntop(family, nla_data(attr), text, sizeof text) ? text : "";
}

[[nodiscard]] bool is_zero(const nlattr *attr)
{
    const auto *bytes = static_cast<const char *>(nla_data(attr));
    return std::all_of(bytes, bytes + nla_len(attr),
                       [](char byte) { return byte == 0; });
}

[[nodiscard]] std::string or_inherit(unsigned value, unsigned inherit)
{
    return value == inherit ? "inherit" : std::to_string(value);
}

[[nodiscard]] std::string keepalive_text(nlattr *const *data)
{
    const nlattr *interval = data[IFLA_EOIP_KEEPALIVE_INTERVAL];
    const nlattr *retries = data[IFLA_EOIP_KEEPALIVE_RETRIES];
    if (!interval || !nla_get_u32(interval)) {
        return "none";
    }
    return std::to_string(nla_get_u32(interval)) + ","
           + std::to_string(retries ? nla_get_u8(retries) : 0);
}

[[nodiscard]] Options options_of(nlattr *const *data)
{
    Options options;
    options["keepalive"] = keepalive_text(data);
    if (data[IFLA_EOIP_ID]) {
        options["key"] = std::to_string(nla_get_u32(data[IFLA_EOIP_ID]));
    }
    if (data[IFLA_EOIP_LOCAL] && !is_zero(data[IFLA_EOIP_LOCAL])) {
        options["local_ip"] = address_text(data[IFLA_EOIP_LOCAL]);
    }
    if (data[IFLA_EOIP_REMOTE]) {
        options["remote_ip"] = address_text(data[IFLA_EOIP_REMOTE]);
    }
    if (data[IFLA_EOIP_LINK] && nla_get_u32(data[IFLA_EOIP_LINK])) {
        options["link"] = std::to_string(nla_get_u32(data[IFLA_EOIP_LINK]));
    }
    // In the other project's module 0 is the default.
    if (data[IFLA_EOIP_TTL] && nla_get_u8(data[IFLA_EOIP_TTL])) {
        options["ttl"] = std::to_string(nla_get_u8(data[IFLA_EOIP_TTL]));
    }
    if (data[IFLA_EOIP_TTL_INHERIT]
        && nla_get_u8(data[IFLA_EOIP_TTL_INHERIT])) {
        options["ttl"] = "inherit";
    }
    if (data[IFLA_EOIP_TOS]) {
        options["tos"] = or_inherit(nla_get_u8(data[IFLA_EOIP_TOS]), 1);
    }
    if (data[IFLA_EOIP_DF]) {
        const auto df = nla_get_u8(data[IFLA_EOIP_DF]);
        options["df_default"] = df == EOIP_DF_SET ? "true" : "false";
        if (df == EOIP_DF_INHERIT) {
            options["dont_fragment"] = "inherit";
        }
    }
    if (data[IFLA_EOIP_CLAMP_MSS]) {
        options["clamp_tcp_mss"] =
            nla_get_u8(data[IFLA_EOIP_CLAMP_MSS]) ? "true" : "false";
    }
    return options;
}

// As the kernel counts them for every link, and our module's own besides.
[[nodiscard]] std::vector<Counter> counters_of(const std::string &name,
                                               const nlattr *stats)
{
    std::vector<Counter> counters;
    rtnl_link_stats64 all{};
    if (stats) {
        std::memcpy(&all, nla_data(stats),
                    std::min<std::size_t>(sizeof all, nla_len(stats)));
    }
    counters = {
        {"rx_packets", all.rx_packets}, {"rx_bytes", all.rx_bytes},
        {"tx_packets", all.tx_packets}, {"tx_bytes", all.tx_bytes},
        {"rx_errors", all.rx_errors},   {"rx_dropped", all.rx_dropped},
        {"tx_errors", all.tx_errors},   {"tx_dropped", all.tx_dropped}};
    for (auto &counter : read_kernel_counters(name.c_str())) {
        counters.push_back({std::move(counter.name), counter.value});
    }
    return counters;
}

[[nodiscard]] std::string link_state_of(const ifinfomsg *info)
{
    return !(info->ifi_flags & IFF_UP)       ? "off"
           : info->ifi_flags & IFF_RUNNING ? "up"
                                           : "down";
}

// In the words of eoip/state.h, as far as the module tells.
[[nodiscard]] std::string state_of(const Tunnel &tunnel, nlattr *const data[])
{
    constexpr std::uint64_t kUnwatched = 10;  // Intervals.
    const auto get = [data](int type) -> std::uint64_t {
        return data[type] ? nla_get_u32(data[type]) : 0;
    };
    const std::uint64_t interval = get(IFLA_EOIP_KEEPALIVE_INTERVAL);
    const std::uint64_t retries =
        data[IFLA_EOIP_KEEPALIVE_RETRIES]
            ? nla_get_u8(data[IFLA_EOIP_KEEPALIVE_RETRIES])
            : 0;
    const std::uint64_t patience =
        interval * (retries ? std::max<std::uint64_t>(retries, 2)
                            : kUnwatched);
    const bool is_ours = data[IFLA_EOIP_CLAMP_MSS];
    return tunnel.link_state == "off" ? "off"
           : !interval || (!is_ours && tunnel.link_state == "up")
               ? state_name(State::unwatched)
           : !tunnel.heard_s ? state_name(State::waiting)
           : tunnel.link_state == "down" || *tunnel.heard_s >= patience
               ? state_name(State::silent)
               : state_name(State::up);
}

// From tunnels to messages.

void put(nl_msg *message, int type, const void *value, std::size_t size)
{
    ovs_assert(nla_put(message, type, static_cast<int>(size), value) == 0);
}

template <typename T> void put(nl_msg *message, int type, T value)
{
    put(message, type, &value, sizeof value);
}

[[nodiscard]] std::uint32_t number(std::string_view text)
{
    std::uint32_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

[[nodiscard]] std::uint8_t byte(const std::string &text, std::uint8_t inherit)
{
    return text == "inherit" ? inherit
                             : static_cast<std::uint8_t>(number(text));
}

// No address at all is the same in both families.
void put_address(nl_msg *message, int type, const std::string &text)
{
    in6_addr ipv6;
    in_addr ipv4{};
    if (inet_pton(AF_INET6, text.c_str(), &ipv6) == 1) {
        put(message, type, ipv6);
    } else {
        inet_pton(AF_INET, text.c_str(), &ipv4);
        put(message, type, ipv4);
    }
}

void put_keepalive(nl_msg *message, const std::string &text)
{
    const std::size_t comma = std::min(text.find(','), text.size() - 1);
    put(message, IFLA_EOIP_KEEPALIVE_INTERVAL, number(text));
    put(message, IFLA_EOIP_KEEPALIVE_RETRIES,
        static_cast<std::uint8_t>(number(text.substr(comma + 1))));
}

void put_option(nl_msg *message, const std::string &option,
                const std::string &value)
{
    if (option == "key") {
        put(message, IFLA_EOIP_ID, number(value));
    } else if (option == "local_ip") {
        put_address(message, IFLA_EOIP_LOCAL, value);
    } else if (option == "remote_ip") {
        put_address(message, IFLA_EOIP_REMOTE, value);
    } else if (option == "link") {
        put(message, IFLA_EOIP_LINK, number(value));
    } else if (option == "ttl") {
        put(message, IFLA_EOIP_TTL, byte(value, 0));
        put(message, IFLA_EOIP_TTL_INHERIT,
            static_cast<std::uint8_t>(value == "inherit"));
    } else if (option == "tos") {
        put(message, IFLA_EOIP_TOS, byte(value, 1));
    } else if (option == "keepalive") {
        put_keepalive(message, value);
    } else if (option == "df_default") {
        put(message, IFLA_EOIP_DF,
            static_cast<std::uint8_t>(value == "true" ? EOIP_DF_SET
                                                      : EOIP_DF_NO));
    } else if (option == "dont_fragment") {
        put(message, IFLA_EOIP_DF,
            static_cast<std::uint8_t>(value == "inherit" ? EOIP_DF_INHERIT
                                                         : EOIP_DF_NO));
    } else if (option == "clamp_tcp_mss") {
        put(message, IFLA_EOIP_CLAMP_MSS,
            static_cast<std::uint8_t>(value == "true"));
    }
}

}  // namespace

const char *kind_of(const Options &options)
{
    const auto remote = options.find("remote_ip");
    return remote != options.end() && is_ipv6(remote->second) ? "eoipv6"
                                                              : "eoip";
}

void add_tunnel(nlmsghdr *header, std::vector<Tunnel> &tunnels)
{
    nlattr *link[IFLA_MAX + 1];
    nlattr *kind[IFLA_INFO_MAX + 1];
    nlattr *data[IFLA_EOIP_MAX + 1];
    if (header->nlmsg_type != RTM_NEWLINK
        || nlmsg_parse(header, sizeof(ifinfomsg), link, IFLA_MAX, nullptr) < 0
        || !link[IFLA_IFNAME] || !link[IFLA_LINKINFO]
        || nla_parse_nested(kind, IFLA_INFO_MAX, link[IFLA_LINKINFO], nullptr)
               < 0
        || !kind[IFLA_INFO_KIND]
        || (nla_strcmp(kind[IFLA_INFO_KIND], "eoip")
            && nla_strcmp(kind[IFLA_INFO_KIND], "eoipv6"))
        || !kind[IFLA_INFO_DATA]
        || nla_parse_nested(data, IFLA_EOIP_MAX, kind[IFLA_INFO_DATA], nullptr)
               < 0
        || data[IFLA_EOIP_COLLECT_METADATA]) {
        return;
    }
    const auto *info = static_cast<ifinfomsg *>(nlmsg_data(header));
    Tunnel tunnel;
    tunnel.name = nla_get_string(link[IFLA_IFNAME]);
    tunnel.ifindex = info->ifi_index;
    tunnel.options = options_of(data);
    if (link[IFLA_MTU]) {
        tunnel.options["mtu"] = std::to_string(nla_get_u32(link[IFLA_MTU]));
    }
    if (link[IFLA_IFALIAS]) {
        tunnel.options["comment"] = nla_get_string(link[IFLA_IFALIAS]);
    }
    tunnel.link_state = link_state_of(info);
    if (data[IFLA_EOIP_HEARD]) {
        tunnel.heard_s = nla_get_u32(data[IFLA_EOIP_HEARD]);
    }
    tunnel.state = state_of(tunnel, data);
    tunnel.counters = counters_of(tunnel.name, link[IFLA_STATS64]);
    tunnels.push_back(std::move(tunnel));
}

Message new_message(int type, int flags, int ifindex)
{
    Message message(nlmsg_alloc_simple(type, NLM_F_REQUEST | flags));
    ifinfomsg info{};
    info.ifi_family = AF_UNSPEC;
    info.ifi_index = ifindex;
    ovs_assert(
        message
        && nlmsg_append(message.get(), &info, sizeof info, NLMSG_ALIGNTO)
               == 0);
    return message;
}

void put_comment(nl_msg *message, const std::string &comment)
{
    put(message, IFLA_IFALIAS, comment.data(), comment.size());
}

void put_options(nl_msg *message, const char *kind, const Options &options)
{
    if (const auto mtu = options.find("mtu"); mtu != options.end()) {
        put(message, IFLA_MTU, number(mtu->second));
    }
    if (const auto comment = options.find("comment");
        comment != options.end()) {
        put_comment(message, comment->second);
    }
    nlattr *info = nla_nest_start(message, IFLA_LINKINFO);
    ovs_assert(info && nla_put_string(message, IFLA_INFO_KIND, kind) == 0);
    nlattr *data = nla_nest_start(message, IFLA_INFO_DATA);
    ovs_assert(data);
    for (const auto &[option, value] : options) {
        put_option(message, option, value);
    }
    nla_nest_end(message, data);
    nla_nest_end(message, info);
}

}  // namespace eoip
