// SPDX-License-Identifier: Apache-2.0
//
// Asks the kernel: see devices.h.

#include "devices.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fstream>
#include <vector>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netlink/attr.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link_message.h"
#include "namespaces.h"

namespace eoip {
namespace {

// A value that 'socket's namespace has for a device; 0 if it cannot tell.
[[nodiscard]] std::uint32_t ethtool(int socket, const std::string &device,
                                    std::uint32_t command)
{
    ethtool_value value{};
    ifreq request{};
    std::strncpy(request.ifr_name, device.c_str(), IFNAMSIZ - 1);
    value.cmd = command;
    request.ifr_data = reinterpret_cast<char *>(&value);
    return ioctl(socket, SIOCETHTOOL, &request) == 0 ? value.data : 0;
}

[[nodiscard]] std::string name_of(int socket, int ifindex)
{
    ifreq request{};
    request.ifr_ifindex = ifindex;
    return ioctl(socket, SIOCGIFNAME, &request) == 0 ? request.ifr_name : "";
}

[[nodiscard]] int sysctl(const std::string &name)
{
    int value = 0;
    std::ifstream("/proc/sys/net/" + name) >> value;
    return value;
}

// A device, and what it refers to by number.
struct Link {
    Device device;
    int master = 0;
    int far_end = 0;
    int far_namespace = -1;  // -1: this one.
    bool vnet_header = false;
};

void parse_kind(nlattr *info, Link &link)
{
    nlattr *parts[IFLA_INFO_MAX + 1];
    if (nla_parse_nested(parts, IFLA_INFO_MAX, info, nullptr) < 0
        || !parts[IFLA_INFO_KIND]) {
        return;
    }
    link.device.kind = nla_get_string(parts[IFLA_INFO_KIND]);
    if (!parts[IFLA_INFO_DATA]) {
        return;
    }
    const auto number = [&](int type) -> std::uint32_t {
        const nlattr *attr =
            nla_find(static_cast<nlattr *>(nla_data(parts[IFLA_INFO_DATA])),
                     nla_len(parts[IFLA_INFO_DATA]), type);
        return !attr                ? 0
               : nla_len(attr) == 1 ? nla_get_u8(attr)
                                    : nla_get_u32(attr);
    };
    if (link.device.kind == "bridge") {
        link.device.spanning_tree = number(IFLA_BR_STP_STATE) != 0;
    } else if (link.device.kind == "tun") {
        link.vnet_header = number(IFLA_TUN_VNET_HDR) != 0;
    }
}

void add_link(nlmsghdr *header, std::vector<Link> &links)
{
    nlattr *attrs[IFLA_MAX + 1];
    const auto *info = static_cast<ifinfomsg *>(nlmsg_data(header));
    if (header->nlmsg_type != RTM_NEWLINK
        || nlmsg_parse(header, sizeof *info, attrs, IFLA_MAX, nullptr) < 0
        || !attrs[IFLA_IFNAME]) {
        return;
    }
    const auto number = [&](int type, int otherwise) {
        return attrs[type] ? static_cast<int>(nla_get_u32(attrs[type]))
                           : otherwise;
    };
    Link link;
    link.device.name = nla_get_string(attrs[IFLA_IFNAME]);
    link.device.ifindex = info->ifi_index;
    link.device.ethernet = info->ifi_type == ARPHRD_ETHER;
    link.device.up = info->ifi_flags & IFF_UP;
    link.device.carrier = info->ifi_flags & IFF_RUNNING;
    link.device.mtu = number(IFLA_MTU, 0);
    link.master = number(IFLA_MASTER, 0);
    link.far_end = number(IFLA_LINK, 0);
    link.far_namespace = number(IFLA_LINK_NETNSID, -1);
    if (attrs[IFLA_LINKINFO]) {
        parse_kind(attrs[IFLA_LINKINFO], link);
    }
    links.push_back(std::move(link));
}

// Whether who is behind the device leaves the sums to it.
void look_behind(Link &link, int socket, Namespaces &namespaces)
{
    Device &device = link.device;
    if (device.kind == "tun" && device.ethernet) {
        // The guest has agreed to sums left out, and its frames may say so.
        device.lacks_checksums =
            link.vnet_header && ethtool(socket, device.name, ETHTOOL_GTXCSUM);
    } else if (device.kind == "veth" && link.far_end) {
        const Namespace here{socket, ""};
        const Namespace *there = link.far_namespace < 0
                                     ? &here
                                     : namespaces.find(link.far_namespace);
        const std::string name =
            there ? name_of(there->socket, link.far_end) : "";
        if (!name.empty() && ethtool(there->socket, name, ETHTOOL_GTXCSUM)) {
            device.lacks_checksums = true;
            device.checksum_command =
                there->prefix + "ethtool -K " + name + " tx off";
        }
    }
}

[[nodiscard]] int bits_of(const sockaddr *mask)
{
    if (!mask) {
        return 0;
    }
    const bool is_ipv6 = mask->sa_family == AF_INET6;
    const auto *bytes =
        is_ipv6
            ? reinterpret_cast<const sockaddr_in6 *>(mask)->sin6_addr.s6_addr
            : reinterpret_cast<const std::uint8_t *>(
                &reinterpret_cast<const sockaddr_in *>(mask)->sin_addr);
    int bits = 0;
    for (int i = 0; i < (is_ipv6 ? 16 : 4); i++) {
        bits += std::popcount(bytes[i]);
    }
    return bits;
}

void add_addresses(std::map<std::string, Device, std::less<>> &devices)
{
    ifaddrs *list = nullptr;
    if (getifaddrs(&list) != 0) {
        return;
    }
    for (const ifaddrs *one = list; one; one = one->ifa_next) {
        const int family = one->ifa_addr ? one->ifa_addr->sa_family : 0;
        const auto found = devices.find(one->ifa_name);
        char text[INET6_ADDRSTRLEN];
        if (found == devices.end()
            || (family != AF_INET && family != AF_INET6)) {
            continue;
        }
        const void *address =
            family == AF_INET
                ? static_cast<const void *>(
                    &reinterpret_cast<sockaddr_in *>(one->ifa_addr)->sin_addr)
                : &reinterpret_cast<sockaddr_in6 *>(one->ifa_addr)->sin6_addr;
        if (inet_ntop(family, address, text, sizeof text)) {
            found->second.addresses.push_back(
                {text, bits_of(one->ifa_netmask)});
        }
    }
    freeifaddrs(list);
}

// Appends an address as an attribute; returns false if it is none.
[[nodiscard]] bool put_address(nl_msg *message, int type,
                               const std::string &text)
{
    in6_addr ipv6;
    in_addr ipv4;
    if (inet_pton(AF_INET, text.c_str(), &ipv4) == 1) {
        return nla_put(message, type, sizeof ipv4, &ipv4) == 0;
    }
    return inet_pton(AF_INET6, text.c_str(), &ipv6) == 1
           && nla_put(message, type, sizeof ipv6, &ipv6) == 0;
}

[[nodiscard]] std::string address_text(const nlattr *attr)
{
    char text[INET6_ADDRSTRLEN];
    if (!attr) {
        return {};
    }
    const int family = nla_len(attr) == sizeof(in6_addr) ? AF_INET6 : AF_INET;
    return inet_ntop(family, nla_data(attr), text, sizeof text) ? text : "";
}

void parse_route(nlmsghdr *header, Route &route)
{
    nlattr *attrs[RTA_MAX + 1];
    const auto *info = static_cast<rtmsg *>(nlmsg_data(header));
    char name[IF_NAMESIZE];
    if (header->nlmsg_type != RTM_NEWROUTE
        || nlmsg_parse(header, sizeof *info, attrs, RTA_MAX, nullptr) < 0
        || (info->rtm_type != RTN_UNICAST && info->rtm_type != RTN_LOCAL)) {
        return;
    }
    route.local = info->rtm_type == RTN_LOCAL;
    if (attrs[RTA_OIF] && if_indextoname(nla_get_u32(attrs[RTA_OIF]), name)) {
        route.device = name;
    }
    route.gateway = address_text(attrs[RTA_GATEWAY]);
    route.source = address_text(attrs[RTA_PREFSRC]);
    route.destination = info->rtm_dst_len
                            ? address_text(attrs[RTA_DST]) + "/"
                                  + std::to_string(info->rtm_dst_len)
                            : "default";
    nlattr *metrics[RTAX_MAX + 1];
    if (attrs[RTA_METRICS]
        && nla_parse_nested(metrics, RTAX_MAX, attrs[RTA_METRICS], nullptr)
               >= 0
        && metrics[RTAX_MTU]) {
        route.mtu = static_cast<int>(nla_get_u32(metrics[RTAX_MTU]));
    }
}

// Whether there is an answer; RTM_F_FIB_MATCH in 'flags' asks for the entry
// that decides, instead of the path.
[[nodiscard]] bool ask(Netlink &netlink, const RouteQuestion &question,
                       unsigned flags, Route &route)
{
    const Message message(
        nlmsg_alloc_simple(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_ACK));
    rtmsg info{};
    const bool is_ipv6 = question.peer.find(':') != std::string::npos;
    info.rtm_family = is_ipv6 ? AF_INET6 : AF_INET;
    info.rtm_dst_len = is_ipv6 ? 128 : 32;
    info.rtm_src_len = question.source.empty() ? 0 : info.rtm_dst_len;
    info.rtm_flags = flags;
    return message
           && !nlmsg_append(message.get(), &info, sizeof info, NLMSG_ALIGNTO)
           && put_address(message.get(), RTA_DST, question.peer)
           && (question.source.empty()
               || put_address(message.get(), RTA_SRC, question.source))
           && (!question.ifindex
               || !nla_put_u32(message.get(), RTA_OIF,
                               static_cast<std::uint32_t>(question.ifindex)))
           && (!question.mark
               || !nla_put_u32(message.get(), RTA_MARK, question.mark))
           && !netlink.request(message.get(), [&](nlmsghdr *header) {
                  parse_route(header, route);
              });
}

}  // namespace

std::map<std::string, Device, std::less<>> list_devices(Netlink &netlink)
{
    std::vector<Link> links;
    std::map<int, std::string> names;
    std::map<std::string, Device, std::less<>> devices;
    Namespaces namespaces(netlink);
    const Message message = new_message(RTM_GETLINK, NLM_F_DUMP, 0);
    if (netlink.request(message.get(),
                        [&](nlmsghdr *header) { add_link(header, links); })) {
        return devices;
    }
    const int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const int filter = sysctl("ipv4/conf/all/rp_filter");
    for (const Link &link : links) {
        names[link.device.ifindex] = link.device.name;
    }
    for (Link &link : links) {
        Device &device = link.device;
        device.master = link.master ? names[link.master] : "";
        device.rp_filter = std::max(
            filter, sysctl("ipv4/conf/" + device.name + "/rp_filter"));
        device.gro = ethtool(any, device.name, ETHTOOL_GGRO) != 0;
        device.lro =
            (ethtool(any, device.name, ETHTOOL_GFLAGS) & ETH_FLAG_LRO) != 0;
        look_behind(link, any, namespaces);
        devices[device.name] = device;
    }
    close(any);
    add_addresses(devices);
    return devices;
}

Route look_up_route(Netlink &netlink, const RouteQuestion &question)
{
    Route route, matched;
    if (!ask(netlink, question, 0, route)) {
        return {};
    }
    if (!route.gateway.empty()
        && ask(netlink, question, RTM_F_FIB_MATCH, matched)) {
        route.destination = matched.destination;
    }
    return route;
}

}  // namespace eoip
