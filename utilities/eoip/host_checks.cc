// SPDX-License-Identifier: Apache-2.0
//
// What of the host and the switch stands in the way of all tunnels: see
// checks.h.

#include "checks.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace eoip {
namespace {

// Whether the userspace datapath reads the port as the kernel has it.
[[nodiscard]] bool is_read_by_switch(const Facts &facts, const Port &port)
{
    const Bridge *bridge = facts.bridge(port.bridge);
    return bridge && bridge->datapath == "netdev" && port.is_device();
}

[[nodiscard]] std::string as_port(const Port &port)
{
    return "is a port of " + port.bridge;
}

[[nodiscard]] bool has_tunnels_on_bridges(const Facts &facts)
{
    return !std::ranges::all_of(facts.tunnels, &Tunnel::in_kernel);
}

// Where frames of a tunnel are flooded to: a bridge, and the VLANs there.
// Empty if that is not known.
[[nodiscard]] std::pair<std::string, std::string>
flooding_of(const Facts &facts, const Tunnel &tunnel)
{
    if (const Port *port = facts.port(tunnel.name)) {
        return {port->bridge, port->vlans};
    }
    const Device *link = facts.device(tunnel.name);
    const Device *master = link ? facts.device(link->master) : nullptr;
    return {master && master->kind == "bridge" ? master->name : "", ""};
}

// Tunnels by name; those of a bond, which sends by one of them, are one.
using Ways = std::map<std::string, std::string>;

[[nodiscard]] std::string list(const Ways &ways)
{
    constexpr std::size_t kNamed = 3;
    std::string text;
    std::size_t i = 0;
    for (const auto &[port, name] : ways) {
        if (i == kNamed && ways.size() > kNamed + 1) {
            return text + " and " + std::to_string(ways.size() - kNamed)
                   + " more";
        }
        text += (i == 0 ? "" : i + 1 == ways.size() ? " and " : ", ") + name;
        i++;
    }
    return text;
}

// What breaks loops of a bridge, or "" if that is done, or not to be known.
[[nodiscard]] std::string loop_breaker(const Facts &facts,
                                       const std::string &name)
{
    const Bridge *bridge = facts.bridge(name);
    const Device *device = facts.device(name);
    if (bridge) {
        return bridge->spanning_tree || bridge->controlled
                   ? ""
                   : "ovs-vsctl set bridge " + name + " rstp_enable=true";
    }
    return !device || device->spanning_tree
               ? ""
               : "ip link set " + name + " type bridge stp_state 1";
}

}  // namespace

Findings check_versions(const Facts &facts)
{
    Findings found;
    for (const std::string &sentence : facts.warnings) {
        found.push_back({"version", "", sentence, {}});
    }
    return found;
}

Findings check_switch(const Facts &facts)
{
    if (facts.ovs.stopped && has_tunnels_on_bridges(facts)) {
        return {{"no-switch",
                 "",
                 "Open vSwitch does not run: there is a database with "
                 "tunnels, and no ovs-vswitchd that makes them",
                 {"systemctl start openvswitch-switch"}}};
    }
    if (!facts.ovs.present || facts.ovs.has_eoip
        || !(has_tunnels_on_bridges(facts) || facts.packaged)) {
        return {};
    }
    return {{"other-switch",
             "",
             "the ovs-vswitchd that runs knows no interfaces of type eoip: it "
             "is another than that of the package openvswitch-switch-eoip",
             {facts.packaged ? "update-alternatives --config ovs-vswitchd"
                             : "apt install openvswitch-switch-eoip",
              "systemctl restart openvswitch-switch"}}};
}

Findings check_module(const Facts &facts)
{
    // Why it is missing is known better there.
    for (const std::string &sentence : facts.warnings) {
        if (sentence.find("module") != sentence.npos) {
            return {};
        }
    }
    for (const Tunnel &tunnel : facts.tunnels) {
        if (facts.host && !facts.module && !tunnel.in_kernel()
            && kernel_sends(facts, tunnel)) {
            return {{"no-module",
                     "",
                     "the kernel has no module eoip, and tunnels on "
                         + tunnel.bridge
                         + ", a bridge of its datapath, need "
                           "it",
                     {"apt install openvswitch-eoip-dkms", "modprobe eoip"}}};
        }
    }
    return {};
}

Findings check_ports(const Facts &facts)
{
    Findings found;
    const auto bridges = bridges_of(facts);
    for (const Port &port : facts.ovs.ports) {
        const Device *device = facts.device(port.name);
        if (device && port.is_device() && bridges.contains(port.bridge)
            && !device->up) {
            found.push_back({"port-down",
                             port.name,
                             as_port(port) + ", and is down",
                             {"ip link set " + port.name + " up"}});
        }
    }
    // Behind the underlay's bridge, or of a route of the kernel.
    for (const Tunnel &tunnel : facts.tunnels) {
        const std::string egress = egress_of(facts, tunnel);
        const Port *internal = facts.port(egress);
        std::vector<const Device *> cards;
        for (const auto &[name, device] : facts.devices) {
            const Port *port = facts.port(name);
            if (internal ? port && port->is_device()
                               && port->bridge == internal->bridge
                         : name == egress) {
                cards.push_back(&device);
            }
        }
        if (!cards.empty() && std::ranges::none_of(cards, &Device::carrier)
            && std::ranges::all_of(cards, &Device::up)) {
            found.push_back({"no-carrier",
                             cards[0]->name,
                             "has no carrier: its cable, or what is at the "
                             "other end of it, is off",
                             {}});
        }
    }
    return found;
}

Findings check_offload(const Facts &facts)
{
    Findings found;
    const auto bridges = bridges_of(facts);
    for (const Port &port : facts.ovs.ports) {
        const Device *device = facts.device(port.name);
        if (facts.ovs.takes_segments || !device
            || !bridges.contains(port.bridge)
            || !is_read_by_switch(facts, port)) {
            continue;
        }
        // A tap has the flag, and joins nothing.
        if ((device->gro && device->kind != "tun") || device->lro) {
            found.push_back(
                {"gro",
                 port.name,
                 as_port(port) + " and joins packets that come in ("
                     + (!device->lro   ? "GRO"
                        : !device->gro ? "LRO"
                                       : "GRO, LRO")
                     + "): the userspace datapath drops what is longer than "
                       "the MTU, and TCP stalls",
                 {"ethtool -K " + port.name + (device->gro ? " gro off" : "")
                  + (device->lro ? " lro off" : "")}});
        }
        if (device->lacks_checksums) {
            const bool is_guest = device->checksum_command.empty();
            found.push_back(
                {"checksums",
                 port.name,
                 as_port(port)
                     + ", and what is behind it leaves checksums and "
                       "segmentation to it: the userspace datapath does "
                       "neither, and TCP fails"
                     + (is_guest ? "; run this in the guest" : ""),
                 {is_guest ? "ethtool -K CARD tx off"
                           : device->checksum_command}});
        }
    }
    return found;
}

// Two ways from a bridge to one place are a loop as soon as they end in one
// bridge there.  Of VLANs that are written in two ways it is not known whether
// they are the same.
Findings check_loops(const Facts &facts)
{
    struct Group {
        Ways ways;
        bool asked = false;
    };
    std::map<std::array<std::string, 3>, Group> groups;
    Findings found;
    for (const auto *list : {&facts.tunnels, &facts.others}) {
        for (const Tunnel &tunnel : *list) {
            const auto [bridge, vlans] = flooding_of(facts, tunnel);
            const std::string peer = peer_of(facts, tunnel);
            const Port *port = facts.port(tunnel.name);
            if (!bridge.empty() && !peer.empty()) {
                Group &group = groups[{bridge, peer, vlans}];
                group.ways[port ? port->bond : tunnel.name] = tunnel.name;
                group.asked |= list == &facts.tunnels;
            }
        }
    }
    for (const auto &[place, group] : groups) {
        const auto &[bridge, peer, vlans] = place;
        const std::string command = loop_breaker(facts, bridge);
        if (group.ways.size() > 1 && group.asked && !command.empty()) {
            found.push_back({"loop",
                             bridge,
                             list(group.ways) + " lead to " + peer
                                 + ", and no spanning tree breaks the loop if "
                                   "they end in one bridge there",
                             {command}});
        }
    }
    return found;
}

}  // namespace eoip
