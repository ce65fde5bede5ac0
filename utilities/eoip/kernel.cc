// SPDX-License-Identifier: Apache-2.0
//
// Links of the kinds "eoip" and "eoipv6": see kernel.h.

#include "kernel.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>

#include "eoip/options.h"

#include "util.h"
extern "C" {
#include "openvswitch/poll-loop.h"
}

#include "installed_module.h"
#include "link_message.h"
#include "request.h"
#include "values.h"

namespace eoip {
namespace {

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

// A link has one setting for the two words.
void take_dscp_for_tos(Options &options)
{
    const auto dscp = options.find("dscp");
    if (dscp != options.end()) {
        std::uint32_t value = 0;
        const std::string &text = dscp->second;
        std::from_chars(text.data(), text.data() + text.size(), value);
        options["tos"] = text == "inherit" ? text : std::to_string(value << 2);
        options.erase("dscp");
    }
}

[[nodiscard]] std::string check(Options &options)
{
    const std::string error = check_kernel_options(options);
    take_dscp_for_tos(options);
    return error.empty() ? resolve_link(options) : error;
}

[[nodiscard]] bool is_link_local(const std::string &address)
{
    in6_addr ipv6;
    return inet_pton(AF_INET6, address.c_str(), &ipv6) == 1
           && IN6_IS_ADDR_LINKLOCAL(&ipv6);
}

// True if the link is of the other project's module: ours always says whether
// it clamps.
[[nodiscard]] bool is_foreign(const Tunnel &tunnel)
{
    return !tunnel.options.contains("clamp_tcp_mss");
}

// Why the other project's module cannot have a tunnel with 'options', or "".
[[nodiscard]] std::string foreign_fault(const Options &options)
{
    constexpr std::string_view kModule =
        "the loaded module eoip is another project's (\"modinfo eoip\" tells "
        "which), ";
    constexpr std::string_view kOurs =
        ": the package openvswitch-eoip-dkms has the one that does";
    for (const char *option :
         {"df_default", "dont_fragment", "clamp_tcp_mss"}) {
        if (options.contains(option)) {
            return join({kModule, "which has no ", word_of(option), kOurs});
        }
    }
    for (const char *option : {"ttl", "tos"}) {
        const auto found = options.find(option);
        if (found != options.end() && found->second == "inherit") {
            return join({kModule, "which has no ", option, " inherit", kOurs});
        }
    }
    const auto local = options.find("local_ip");
    if (local == options.end() || local->second.empty()) {
        return join({kModule,
                     "which receives nothing without local: give local "
                     "ADDRESS with this end's address"});
    }
    return {};
}

// What 'tunnel' lacks of 'asked', in one sentence, or "".
[[nodiscard]] std::string missing(const Options &asked, const Tunnel &tunnel)
{
    for (const auto &[option, value] : asked) {
        const auto text = [&](const std::string &one) {
            return one.empty() || (option == "link" && one == "0") ? "none"
                   : option == "link" || option == "mtu" || option == "comment"
                       ? one
                       : canonical_value(option, one).value_or(one);
        };
        const std::string wanted = text(value);
        const std::string got = text(tunnel.get(option));
        if (wanted != got) {
            return join({"the kernel has taken ", word_of(option), " ", got,
                         " instead of ", wanted});
        }
    }
    return {};
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
    case EOPNOTSUPP: {
        const std::string fault = installed_module_fault();
        return about
               + (fault.empty()
                      ? "this kernel has no links of kind eoip: install the "
                        "package openvswitch-eoip-dkms, which brings the "
                        "module eoip"
                      : fault)
               + "; or give bridge BR with a bridge of datapath_type=netdev, "
                 "which needs no module";
    }
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

// Asks for a link of 'kind' with 'options', and lists what is there then.
std::string Kernel::send_options(nl_msg *message, const char *kind,
                                 const Options &options,
                                 const std::string &name,
                                 std::vector<Tunnel> &after)
{
    put_options(message, kind, options);
    const std::string error = send(message, name);
    return error.empty() ? list(after) : error;
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

std::string Kernel::add(std::span<Tunnel> tunnels, bool dry_run)
{
    for (std::size_t i = 0; i < tunnels.size(); i++) {
        const std::string error = add_one(tunnels[i], dry_run);
        if (error.empty()) {
            continue;
        }
        while (!dry_run && i-- > 0) {
            const std::string left = remove(tunnels[i], false);
            if (!left.empty()) {
                return join({error, "; and ", tunnels[i].name,
                             " could not be removed: ", left});
            }
        }
        return error;
    }
    return {};
}

std::string Kernel::add_one(Tunnel &tunnel, bool dry_run)
{
    Options &options = tunnel.options;
    if (std::string error = check(options); !error.empty()) {
        return error;
    }
    if (!options.contains("remote_ip")) {
        return "remote is mandatory for a link of the kernel: give remote "
               "ADDRESS with the address of the other end";
    }
    if (const auto link = options.find("link");
        link != options.end() && link->second == "0") {
        options.erase(link);
    }
    if (is_link_local(options["remote_ip"]) && !options.contains("link")) {
        return join({"remote ", options["remote_ip"],
                     " is another host on each link: say with link IF which "
                     "device it is behind"});
    }
    // As a port of OVS has it: routers take a silent peer for gone.
    options.try_emplace("keepalive", "10,0");
    if (!tunnel.name.empty() && if_nametoindex(tunnel.name.c_str())) {
        return explain({EEXIST, ""}, tunnel.name);
    }
    return dry_run ? "" : make(tunnel);
}

std::string Kernel::make(Tunnel &tunnel)
{
    const Message message =
        new_message(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, 0);
    if (!tunnel.name.empty()) {
        ovs_assert(
            nla_put_string(message.get(), IFLA_IFNAME, tunnel.name.c_str())
            == 0);
    }
    std::vector<Tunnel> all;
    if (std::string error =
            send_options(message.get(), kind_of(tunnel.options),
                         tunnel.options, tunnel.name, all);
        !error.empty()) {
        return error;
    }
    // Where the kernel chose the name, it is the link with what we asked for,
    // which no two have alike.
    const auto made =
        std::find_if(all.begin(), all.end(), [&](const Tunnel &one) {
            const auto same = [&](const char *option) {
                return one.get(option) == tunnel.get(option);
            };
            return tunnel.name.empty()
                       ? same("key") && same("remote_ip") && same("local_ip")
                             && same("link")
                       : one.name == tunnel.name;
        });
    if (made == all.end()) {
        return "the link is gone that the kernel said it has made";
    }
    tunnel.name = made->name;
    tunnel.ifindex = made->ifindex;
    std::string fault = is_foreign(*made) ? foreign_fault(tunnel.options) : "";
    // A link that is being made gets no alias.
    if (const auto comment = tunnel.options.find("comment");
        fault.empty() && comment != tunnel.options.end()) {
        const Message alias =
            new_message(RTM_SETLINK, NLM_F_ACK, tunnel.ifindex);
        put_comment(alias.get(), comment->second);
        fault = send(alias.get(), tunnel.name);
        made->options["comment"] = comment->second;
    }
    if (fault.empty()) {
        fault = missing(tunnel.options, *made);
    }
    if (!fault.empty()) {
        remove(*made, false);
    }
    return fault;
}

std::string Kernel::change(const Tunnel &tunnel, const Options &changes,
                           bool dry_run)
{
    Options asked = changes;
    if (std::string error = check(asked); !error.empty()) {
        return error;
    }
    Options options = asked;
    if (is_foreign(tunnel)) {
        // It takes what is not named for zero.
        for (const auto &[option, value] : tunnel.options) {
            options.try_emplace(option, value);
        }
        if (std::string fault = foreign_fault(options); !fault.empty()) {
            return fault;
        }
    }
    const char *kind = kind_of(tunnel.options);
    if (options.contains("remote_ip")
        && std::string_view(kind_of(options)) != kind) {
        return join({tunnel.name,
                     ": a link goes on with IPv4 or IPv6 as it was made: "
                     "delete it, and add another"});
    }
    if (dry_run) {
        return {};
    }
    const Message message =
        new_message(RTM_NEWLINK, NLM_F_ACK, tunnel.ifindex);
    std::vector<Tunnel> all;
    if (std::string error =
            send_options(message.get(), kind, options, tunnel.name, all);
        !error.empty()) {
        return error;
    }
    const auto changed =
        std::find_if(all.begin(), all.end(), [&](const Tunnel &one) {
            return one.ifindex == tunnel.ifindex;
        });
    return changed == all.end() ? "" : missing(asked, *changed);
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
