// SPDX-License-Identifier: Apache-2.0
//
// Links of kind "eoip": see kernel.h.

#include "kernel.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>

#include <arpa/inet.h>
#include <linux/eoip.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>

#include "util.h"
extern "C" {
#include "openvswitch/poll-loop.h"
}

#include "kernel_device.h"
#include "words.h"

namespace eoip {
namespace {

constexpr const char *kKind = "eoip";

// From messages to tunnels.

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
        options["key"] =
            std::to_string(ntohl(nla_get_u32(data[IFLA_EOIP_ID])));
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
    if (data[IFLA_EOIP_TTL]) {
        options["ttl"] = or_inherit(nla_get_u8(data[IFLA_EOIP_TTL]), 0);
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

[[nodiscard]] std::string state_of(const ifinfomsg *info)
{
    if (!(info->ifi_flags & IFF_UP)) {
        return "off";
    }
    return info->ifi_flags & IFF_RUNNING ? "up" : "down";
}

// Adds the tunnel of a message, if it is of one.  A device that takes the
// tunnel from each frame, such as that of OVS, is none.
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
        || !kind[IFLA_INFO_KIND] || nla_strcmp(kind[IFLA_INFO_KIND], kKind)
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
    tunnel.state = state_of(info);
    tunnel.counters = counters_of(tunnel.name, link[IFLA_STATS64]);
    tunnels.push_back(std::move(tunnel));
}

// From tunnels to messages.

[[nodiscard]] Message new_message(int type, int flags, int ifindex)
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
        put(message, IFLA_EOIP_ID, htonl(number(value)));
    } else if (option == "local_ip") {
        put_address(message, IFLA_EOIP_LOCAL, value);
    } else if (option == "remote_ip") {
        put_address(message, IFLA_EOIP_REMOTE, value);
    } else if (option == "link") {
        put(message, IFLA_EOIP_LINK, number(value));
    } else if (option == "ttl") {
        put(message, IFLA_EOIP_TTL, byte(value, 0));
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

void put_options(nl_msg *message, const Options &options)
{
    nlattr *info = nla_nest_start(message, IFLA_LINKINFO);
    ovs_assert(info && nla_put_string(message, IFLA_INFO_KIND, kKind) == 0);
    nlattr *data = nla_nest_start(message, IFLA_INFO_DATA);
    ovs_assert(data);
    for (const auto &[option, value] : options) {
        put_option(message, option, value);
    }
    nla_nest_end(message, data);
    nla_nest_end(message, info);
}

// Checks.

// The link as an index, of a device that exists: the kernel would not ask.
[[nodiscard]] std::string resolve_link(Options &options)
{
    const auto found = options.find("link");
    if (found == options.end()) {
        return {};
    }
    std::string &link = found->second;
    char name[IFNAMSIZ];
    std::uint32_t index = 0;
    const char *end = link.data() + link.size();
    const auto [stop, fault] = std::from_chars(link.data(), end, index);
    const bool is_index = stop == end && fault == std::errc{};
    if (link == "none" || (is_index && !index)) {
        link = "0";
        return {};
    }
    if (!is_index) {
        index = if_nametoindex(link.c_str());
    } else if (!if_indextoname(index, name)) {
        index = 0;
    }
    if (!index) {
        return "invalid interface name/index: " + link
               + ": link takes a device that exists (\"ip link\" shows them), "
                 "or none";
    }
    link = std::to_string(index);
    return {};
}

[[nodiscard]] std::string check(Options &options)
{
    const std::string error = check_kernel_options(options);
    return error.empty() ? resolve_link(options) : error;
}

// One sentence of what the kernel answered to a request about link 'name'.
[[nodiscard]] std::string explain(const Answer &answer,
                                  const std::string &name)
{
    constexpr std::string_view kOurs = "eoip: ";
    const std::string about = name.empty() ? "" : name + ": ";
    if (answer.text.starts_with(kOurs)) {
        return about
               + "the kernel refuses: " + answer.text.substr(kOurs.size());
    }
    switch (answer.error) {
    case EOPNOTSUPP:
        return about
               + "this kernel has no links of kind eoip: install the package "
                 "openvswitch-eoip-dkms, which brings the module eoip, or "
                 "give bridge BR with a bridge of datapath_type=netdev, which "
                 "needs no module";
    case EPERM:
    case EACCES:
        return about + "not permitted: only root may make and change links";
    case EEXIST:
        return about
               + "a device of this name exists: choose another with name IF, "
                 "or \"eoip change\" that one if it is a tunnel";
    case ENODEV:
        return about + "there is no such link any more";
    default:
        return about + "the kernel refuses: "
               + (answer.text.empty() ? std::strerror(answer.error)
                                      : answer.text.c_str());
    }
}

}  // namespace

std::string Kernel::send(nl_msg *message, const std::string &name)
{
    const Answer answer = netlink_.request(message);
    return answer ? explain(answer, name) : "";
}

std::string Kernel::list(std::vector<Tunnel> &tunnels)
{
    if (watching_) {
        events_.drain();
    }
    const Message message = new_message(RTM_GETLINK, NLM_F_DUMP, 0);
    const Answer answer = netlink_.request(
        message.get(), [&](nlmsghdr *header) { add_tunnel(header, tunnels); });
    return answer ? explain(answer, "") : "";
}

std::string Kernel::add(Tunnel &tunnel, bool dry_run)
{
    if (std::string error = check(tunnel.options); !error.empty()) {
        return error;
    }
    if (!tunnel.options.contains("remote_ip")) {
        return "remote is mandatory for a link of the kernel: give remote "
               "ADDRESS with the address of the other end";
    }
    if (const auto link = tunnel.options.find("link");
        link != tunnel.options.end() && link->second == "0") {
        tunnel.options.erase(link);
    }
    if (!tunnel.name.empty() && if_nametoindex(tunnel.name.c_str())) {
        return explain({EEXIST, ""}, tunnel.name);
    }
    if (dry_run) {
        return {};
    }
    const Message message =
        new_message(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, 0);
    if (!tunnel.name.empty()) {
        ovs_assert(
            nla_put_string(message.get(), IFLA_IFNAME, tunnel.name.c_str())
            == 0);
    }
    put_options(message.get(), tunnel.options);
    if (std::string error = send(message.get(), tunnel.name);
        !error.empty() || !tunnel.name.empty()) {
        return error;
    }
    // The kernel chose the name: it is the link with what we asked for, which
    // no two have alike.
    std::vector<Tunnel> all;
    std::string error = list(all);
    for (const Tunnel &one : all) {
        const auto same = [&](const char *option) {
            return one.get(option) == tunnel.get(option);
        };
        if (same("key") && same("remote_ip") && same("local_ip")
            && same("link")) {
            tunnel.name = one.name;
        }
    }
    return error;
}

std::string Kernel::change(const Tunnel &tunnel, const Options &changes,
                           bool dry_run)
{
    Options options = changes;
    std::string error = check(options);
    if (!error.empty() || dry_run) {
        return error;
    }
    const Message message =
        new_message(RTM_NEWLINK, NLM_F_ACK, tunnel.ifindex);
    put_options(message.get(), options);
    return send(message.get(), tunnel.name);
}

std::string Kernel::remove(const Tunnel &tunnel, bool dry_run)
{
    if (dry_run) {
        return {};
    }
    return send(new_message(RTM_DELLINK, NLM_F_ACK, tunnel.ifindex).get(),
                tunnel.name);
}

std::string Kernel::wait()
{
    if (!watching_) {
        if (const Answer answer = events_.join(RTNLGRP_LINK)) {
            return explain(answer, "");
        }
        // What happened since the last list() went by unseen.
        watching_ = true;
        poll_immediate_wake();
    }
    poll_fd_wait(events_.fd(), POLLIN);
    return {};
}

}  // namespace eoip
