// SPDX-License-Identifier: Apache-2.0
//
// Gathers what "eoip check" judges: see check.h.

#include "check.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <utility>

#include <unistd.h>

#include "checks.h"
#include "control.h"
#include "devices.h"
#include "firewall.h"
#include "nl_socket.h"
#include "ping.h"
#include "versions.h"

namespace eoip {
namespace {

constexpr const char *kPackaged =
    "/usr/lib/openvswitch-switch-eoip/ovs-vswitchd-eoip";

// A link-local address is of one device, which not every tunnel names.
[[nodiscard]] bool can_be_routed(const RouteQuestion &question)
{
    return !question.peer.empty()
           && (question.ifindex || !question.peer.starts_with("fe80:"));
}

[[nodiscard]] bool holds(const Facts &facts, const std::string &address)
{
    return std::ranges::any_of(facts.devices, [&](const auto &entry) {
        return std::ranges::any_of(
            entry.second.addresses,
            [&](const HostAddress &one) { return one.text == address; });
    });
}

[[nodiscard]] std::uint32_t mark_of(const Tunnel &tunnel)
{
    return static_cast<std::uint32_t>(
        std::strtoul(tunnel.get("egress_pkt_mark").c_str(), nullptr, 0));
}

// The device that packets to 'local' surely come in on, or "".
[[nodiscard]] std::string arrival_of(const Facts &facts, const Tunnel &tunnel,
                                     const std::string &local)
{
    const int link = std::atoi(tunnel.get("link").c_str());
    for (const auto &[name, device] : facts.devices) {
        const Device *master = facts.device(device.master);
        if (!device.ethernet || device.kind == "vrf" || device.kind == "dummy"
            || (master && master->kind == "vrf")) {
            continue;
        }
        if (link ? device.ifindex == link
                 : std::ranges::any_of(device.addresses,
                                       [&](const HostAddress &one) {
                                           return one.text == local;
                                       })) {
            return name;
        }
    }
    return {};
}

void look_at_routes(Netlink &netlink, const Tunnel &tunnel, Facts &facts)
{
    RouteQuestion question;
    const std::string local = local_of(facts, tunnel);
    question.peer = peer_of(facts, tunnel);
    // From an address that is not its own the kernel knows no way.
    question.source = holds(facts, local) ? local : "";
    question.ifindex = std::atoi(tunnel.get("link").c_str());
    question.mark = mark_of(tunnel);
    if (!can_be_routed(question)) {
        return;
    }
    facts.routes[key_of(tunnel)] = look_up_route(netlink, question);
    // What comes in has no mark, and is not bound to a device.
    question.ifindex = 0;
    question.mark = 0;
    const std::string arrival = arrival_of(facts, tunnel, local);
    if (!kernel_sends(facts, tunnel) || arrival.empty()
        || !can_be_routed(question)) {
        return;
    }
    const Route back = look_up_route(netlink, question);
    if (!back.device.empty() && !back.local && back.device != arrival) {
        facts.arrivals[key_of(tunnel)] = arrival;
    }
}

// Routes that the switch alone has come from "ovs-appctl ovs/route/add".
void look_at_switch_route(const Tunnel &tunnel, Facts &facts)
{
    const std::string peer = peer_of(facts, tunnel);
    const std::string mark = tunnel.get("egress_pkt_mark");
    std::vector<std::string> arguments = {peer};
    if (!mark.empty()) {
        arguments.push_back("pkt_mark=" + mark);
    }
    const Reply reply = peer.empty() || !switch_sends(facts, tunnel)
                            ? Reply{}
                            : ask_switch("ovs/route/lookup", arguments);
    if (!reply.running) {
        return;
    }
    std::istringstream words(reply.text);
    std::string name, value, device;
    while (words >> name >> value) {
        device = name == "dev" ? value : device;
    }
    facts.switch_routes[key_of(tunnel)] = device;
}

void look_at_firewall(const Ruleset &rules, const Tunnel &tunnel, Facts &facts)
{
    const Route *route = facts.route(tunnel);
    if (!route || route->device.empty() || route->local) {
        return;
    }
    const auto arrival = facts.arrivals.find(key_of(tunnel));
    TunnelPacket packet;
    packet.peer = peer_of(facts, tunnel);
    packet.ipv6 = is_ipv6(packet.peer);
    packet.local = route->source;
    packet.device =
        arrival == facts.arrivals.end() ? route->device : arrival->second;
    Firewall &found = facts.firewalls[key_of(tunnel)];
    found = rules.judge(packet);
    if (found.rule.empty()) {
        packet.outgoing = true;
        packet.device = route->device;
        found = rules.judge(packet);
    }
}

// Whether fragments come through, where frames need them.
void look_at_fragments(Facts &facts)
{
    // More than these nobody waits for.
    constexpr std::size_t kPeers = 100;
    std::vector<PingQuestion> questions;
    for (const Tunnel &tunnel : facts.tunnels) {
        const std::string peer = peer_of(facts, tunnel);
        const Device *link = nullptr;
        for (const auto &[name, device] : facts.devices) {
            if (device.ifindex == std::atoi(tunnel.get("link").c_str())) {
                link = &device;
            }
        }
        const int path = path_size(facts, tunnel);
        const int bytes = packet_size(facts, tunnel);
        if (path && bytes > path && whole_by(tunnel).empty()
            && questions.size() < kPeers && check_path(facts, tunnel).empty()
            && std::ranges::find(questions, peer, &PingQuestion::peer)
                   == questions.end()) {
            questions.push_back({peer, local_of(facts, tunnel),
                                 link ? link->name : "", mark_of(tunnel),
                                 bytes});
        }
    }
    const std::vector<PingAnswer> answers = ping(questions);
    for (std::size_t i = 0; i < answers.size(); i++) {
        if (answers[i].whole && !answers[i].fragments) {
            facts.lost_fragments[questions[i].peer] = questions[i].bytes;
        }
    }
}

void look_at_host(Facts &facts)
{
    Netlink netlink;
    const bool in_kernel =
        std::ranges::any_of(facts.tunnels, [&](const Tunnel &tunnel) {
            return kernel_sends(facts, tunnel);
        });
    facts.devices = list_devices(netlink);
    facts.packaged = access(kPackaged, X_OK) == 0;
    facts.module = access("/sys/module/eoip", F_OK) == 0;
    for (const Tunnel &tunnel : facts.tunnels) {
        look_at_routes(netlink, tunnel, facts);
        look_at_switch_route(tunnel, facts);
    }
    look_at_fragments(facts);
    if (!in_kernel) {
        return;
    }
    const Ruleset rules = Ruleset::load();
    for (const Tunnel &tunnel : facts.tunnels) {
        if (kernel_sends(facts, tunnel)) {
            look_at_firewall(rules, tunnel, facts);
        }
    }
}

}  // namespace

bool is_elsewhere(const Request &request)
{
    return !request.db.empty() && !request.db.starts_with("unix:");
}

std::string gather(const Request &request, Bridges &bridges, Facts &facts)
{
    std::string error = bridges.present() ? bridges.look(facts.ovs) : "";
    if (is_elsewhere(request)) {
        return error;
    }
    facts.host = true;
    facts.warnings = versions(request.timeout_s).warnings;
    // Of another database, another place may be that of its switch.
    facts.ovs.stopped = facts.ovs.present && request.db.empty()
                        && !ask_switch("version").running;
    look_at_host(facts);
    return error;
}

}  // namespace eoip
