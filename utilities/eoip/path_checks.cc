// SPDX-License-Identifier: Apache-2.0
//
// Whether a tunnel's packets can leave, arrive, and be long enough: see
// checks.h.

#include "checks.h"

#include <algorithm>

#include <arpa/inet.h>

namespace eoip {
namespace {

// Outer IP header, EoIP's or EoIPv6's own, and the inner Ethernet header.
constexpr int kOverhead = 20 + 8 + 14;
constexpr int kOverhead6 = 40 + 2 + 14;

[[nodiscard]] bool same_network(const std::string &a, const std::string &b,
                                int bits)
{
    const int family = is_ipv6(a) ? AF_INET6 : AF_INET;
    unsigned char x[16], y[16];
    if (inet_pton(family, a.c_str(), x) != 1
        || inet_pton(family, b.c_str(), y) != 1) {
        return false;
    }
    for (int i = 0; i < bits; i++) {
        if ((x[i / 8] ^ y[i / 8]) >> (7 - i % 8) & 1) {
            return false;
        }
    }
    return true;
}

// The device that has the address, or nullptr.
[[nodiscard]] const Device *holder_of(const Facts &facts,
                                      const std::string &address)
{
    for (const auto &[name, device] : facts.devices) {
        for (const HostAddress &one : device.addresses) {
            if (one.text == address) {
                return &device;
            }
        }
    }
    return nullptr;
}

// A device that is down and would have the route to 'peer', or nullptr.
[[nodiscard]] const Device *sleeper(const Facts &facts,
                                    const std::string &peer)
{
    for (const auto &[name, device] : facts.devices) {
        for (const HostAddress &one : device.addresses) {
            if (!device.up && same_network(one.text, peer, one.prefix_bits)) {
                return &device;
            }
        }
    }
    return nullptr;
}

// What moves the addresses, and the route, from a device to a bridge.
[[nodiscard]] std::vector<std::string> move(const Device &device,
                                            const std::string &bridge,
                                            const Route *route,
                                            const std::string &peer)
{
    std::vector<std::string> commands;
    for (const HostAddress &one : device.addresses) {
        if (is_ipv6(one.text) == is_ipv6(peer)
            && !one.text.starts_with("fe80:")) {
            const std::string address =
                one.text + "/" + std::to_string(one.prefix_bits);
            commands.push_back("ip address del " + address + " dev "
                               + device.name);
            commands.push_back("ip address add " + address + " dev " + bridge);
        }
    }
    commands.push_back("ip link set " + bridge + " up");
    if (route && !route->gateway.empty() && !route->destination.empty()) {
        commands.push_back("ip route replace " + route->destination + " via "
                           + route->gateway + " dev " + bridge);
    }
    return commands;
}

// The bridge that takes what comes in on 'device', or "".
[[nodiscard]] std::string taker_of(const Facts &facts, const Tunnel &tunnel,
                                   const std::string &device)
{
    const Port *port = facts.port(device);
    const Device *own = facts.device(device);
    const Device *master = own ? facts.device(own->master) : nullptr;
    if (port && port->type != "internal"
        && (switch_sends(facts, tunnel)
            || (master && master->kind == "openvswitch"))) {
        return port->bridge;
    }
    return kernel_sends(facts, tunnel) && master && master->kind == "bridge"
               ? master->name
               : "";
}

// The bridge, of either kind, that a device or tunnel is on, or "".
[[nodiscard]] std::string bridge_around(const Facts &facts,
                                        const std::string &name)
{
    if (const Port *port = facts.port(name)) {
        return port->bridge;
    }
    const Device *device = facts.device(name);
    const Device *master = device ? facts.device(device->master) : nullptr;
    return master && master->kind == "bridge" ? master->name : "";
}

[[nodiscard]] Finding not_a_bridge(const Facts &facts, const Tunnel &tunnel,
                                   const std::string &egress,
                                   const std::string &peer)
{
    const Device *device = facts.device(egress);
    Finding found{"not-a-bridge",
                  tunnel.name,
                  "the way to " + peer + " leads through " + egress
                      + ", which is no bridge of the userspace datapath: no "
                        "frame can leave there",
                  {}};
    if (!facts.host) {
        return found;
    }
    if (device && device->ethernet && device->kind != "bridge") {
        const std::string bridge =
            facts.bridge("br-phy") ? "br-" + egress : "br-phy";
        found.commands = move(*device, bridge, facts.route(tunnel), peer);
        found.commands.insert(found.commands.begin(),
                              "ovs-vsctl add-br " + bridge + " -- set bridge "
                                  + bridge
                                  + " datapath_type=netdev -- add-port "
                                  + bridge + " " + egress);
    } else {
        found.sentence += "; a tunnel of the kernel goes through any device";
        found.commands = {
            "eoip del " + tunnel.name + " bridge " + tunnel.bridge,
            "eoip add name " + tunnel.name + " tunnel-id " + tunnel.id()
                + " remote " + peer,
            "ip link set " + tunnel.name + " up",
            "ovs-vsctl add-port " + tunnel.bridge + " " + tunnel.name};
    }
    return found;
}

// What of the path to 'peer' only this host tells.
[[nodiscard]] Findings check_addresses(const Facts &facts,
                                       const Tunnel &tunnel,
                                       const std::string &peer)
{
    const Route *route = facts.route(tunnel);
    const std::string local = local_of(facts, tunnel);
    if (!facts.host || !route) {
        return {};
    }
    if (route->local) {
        return {{"own-address",
                 tunnel.name,
                 "its remote " + peer + " is an address of this host",
                 {"eoip change name " + tunnel.name + " remote ADDRESS"}}};
    }
    if (!local.empty() && !holder_of(facts, local)) {
        return {{"no-address",
                 tunnel.name,
                 "its local address " + local + " is none of this host's",
                 {"eoip change name " + tunnel.name + " local any"}}};
    }
    if (const Device *device = sleeper(facts, peer)) {
        return {{"device-down",
                 device->name,
                 "is down, and has the address in the network of " + peer
                     + ", the peer of " + tunnel.name,
                 {"ip link set " + device->name + " up"}}};
    }
    if (egress_of(facts, tunnel).empty()) {
        return {{"no-route", tunnel.name, "there is no route to " + peer, {}}};
    }
    return {};
}

// The longest frame that the hosts behind the tunnel send, without header; 0
// if it is not known.
[[nodiscard]] int frame_size(const Facts &facts, const Tunnel &tunnel)
{
    const Device *own = facts.device(tunnel.name);
    int size = tunnel.in_kernel() && own ? own->mtu : 0;
    for (const Port &port : facts.ovs.ports) {
        const Device *device = facts.device(port.name);
        if (!tunnel.in_kernel() && port.bridge == tunnel.bridge
            && port.is_device() && device) {
            size = std::max(size, device->mtu);
        }
    }
    return size;
}

[[nodiscard]] int overhead(const Facts &facts, const Tunnel &tunnel)
{
    return is_ipv6(peer_of(facts, tunnel)) ? kOverhead6 : kOverhead;
}

// A link in a bridge whose other ports have longer frames, or that was told
// itself to have longer ones than its ports.
[[nodiscard]] Findings check_link_mtu(const Facts &facts, const Tunnel &tunnel)
{
    const Device *own = facts.device(tunnel.name);
    const std::string bridge = bridge_around(facts, tunnel.name);
    if (!tunnel.in_kernel() || !own || bridge.empty()) {
        return {};
    }
    const bool of_linux = !facts.bridge(bridge);
    const Device *itself = of_linux ? facts.device(bridge) : nullptr;
    const Device *longest = own;
    for (const auto &[name, device] : facts.devices) {
        if (bridge_around(facts, name) == bridge && name != bridge
            && device.mtu > longest->mtu) {
            longest = &device;
        }
    }
    std::string what = longest->name + " of the same bridge " + bridge;
    if (longest == own && itself && itself->mtu > own->mtu) {
        longest = itself;
        what = "its bridge " + bridge;
    }
    if (longest == own) {
        return {};
    }
    return {{"link-mtu",
             tunnel.name,
             "has an MTU of " + std::to_string(own->mtu) + ", and " + what
                 + " one of " + std::to_string(longest->mtu)
                 + ": the bridge drops longer frames"
                 + (of_linux ? " without a count" : ""),
             {"ip link set " + tunnel.name + " mtu "
              + std::to_string(longest->mtu)}}};
}

}  // namespace

Findings check_path(const Facts &facts, const Tunnel &tunnel)
{
    const std::string peer = peer_of(facts, tunnel);
    const std::string egress = egress_of(facts, tunnel);
    if (peer.empty()) {
        return {};
    }
    if (Findings found = check_addresses(facts, tunnel, peer);
        !found.empty()) {
        return found;
    }
    if (egress.empty()) {
        return {};
    }
    const std::string around = bridge_around(facts, tunnel.name);
    if (egress == tunnel.name
        || (!around.empty()
            && (egress == around
                || (facts.port(egress)
                    && facts.port(egress)->type == "internal"
                    && facts.port(egress)->bridge == around)))) {
        return {{"over-itself",
                 tunnel.name,
                 "the way to " + peer + " leads through " + egress
                     + (egress == tunnel.name
                            ? ", the tunnel itself"
                            : ", and the tunnel is a port of that bridge")
                     + ": its packets come back into it; give the underlay a "
                       "device or bridge of its own",
                 {}}};
    }
    if (const std::string bridge = taker_of(facts, tunnel, egress);
        !bridge.empty()) {
        const Device *device = facts.device(egress);
        return {{"address-on-port", tunnel.name,
                 "the way to " + peer + " leads through " + egress
                     + ", which is a port of " + bridge
                     + ": its address must be on " + bridge,
                 device ? move(*device, bridge, facts.route(tunnel), peer)
                        : std::vector<std::string>{}}};
    }
    const Port *port = facts.port(egress);
    const Bridge *bridge = port ? facts.bridge(port->bridge) : nullptr;
    if (switch_sends(facts, tunnel)
        && (!bridge || bridge->datapath != "netdev")) {
        return {not_a_bridge(facts, tunnel, egress, peer)};
    }
    return {};
}

// Strict filtering drops what comes in where the way back does not lead.
Findings check_return(const Facts &facts, const Tunnel &tunnel)
{
    const auto arrival = facts.arrivals.find(key_of(tunnel));
    if (arrival == facts.arrivals.end()) {
        return {};
    }
    const Device *device = facts.device(arrival->second);
    const std::string peer = peer_of(facts, tunnel);
    if (!device || device->rp_filter != 1 || is_ipv6(peer)) {
        return {};
    }
    // As sysctl wants it: its own dots are the others.
    std::string name = device->name;
    std::ranges::replace(name, '.', '/');
    return {{"rp-filter",
             tunnel.name,
             "what " + peer + " sends to " + device->name
                 + " is dropped there, as the way back leads through another "
                   "device and rp_filter is strict",
             {"sysctl net.ipv4.conf." + name + ".rp_filter=2"}}};
}

Findings check_firewall(const Facts &facts, const Tunnel &tunnel)
{
    const auto found = facts.firewalls.find(key_of(tunnel));
    if (found == facts.firewalls.end() || found->second.rule.empty()) {
        return {};
    }
    return {{"firewall",
             tunnel.name,
             "the firewall drops its packets: " + found->second.rule,
             {found->second.command}}};
}

int packet_size(const Facts &facts, const Tunnel &tunnel)
{
    const int frame = frame_size(facts, tunnel);
    return frame ? frame + overhead(facts, tunnel) : 0;
}

int path_size(const Facts &facts, const Tunnel &tunnel)
{
    const Route *route = facts.route(tunnel);
    const Device *device = facts.device(egress_of(facts, tunnel));
    return !route || !device ? 0
           : route->mtu      ? std::min(route->mtu, device->mtu)
                             : device->mtu;
}

std::string whole_by(const Tunnel &tunnel)
{
    return tunnel.get("dont_fragment") == "inherit" ? "dont_fragment inherit"
           : tunnel.get("df_default") == "true"     ? "df_default true"
                                                    : "";
}

Findings check_mtu(const Facts &facts, const Tunnel &tunnel)
{
    const Device *device = facts.device(egress_of(facts, tunnel));
    const std::string peer = peer_of(facts, tunnel);
    const std::string option = whole_by(tunnel);
    const int packet = packet_size(facts, tunnel);
    const int path = path_size(facts, tunnel);
    if (Findings found = check_link_mtu(facts, tunnel); !found.empty()) {
        return found;
    }
    if (!path || packet <= path) {
        return {};
    }
    const auto text = [](int bytes) { return std::to_string(bytes); };
    const std::string fit =
        "give the hosts an MTU of " + text(path - overhead(facts, tunnel));
    if (!option.empty()) {
        return {{"path-mtu",
                 tunnel.name,
                 "frames of " + text(packet - overhead(facts, tunnel))
                     + " bytes are packets of " + text(packet)
                     + ", which may not be cut (" + option
                     + "), and the path to " + peer + " takes " + text(path)
                     + ": allow fragments, or " + fit,
                 {"eoip change name " + tunnel.name
                  + (option.starts_with("df") ? " df_default false"
                                              : " dont_fragment no")}}};
    }
    // Routers cut no packets of IPv6, and the switch knows its device alone.
    if (switch_sends(facts, tunnel) && is_ipv6(peer) && path < device->mtu) {
        return {{"path-mtu",
                 tunnel.name,
                 "the path to " + peer + " takes packets of " + text(path)
                     + " bytes, and the switch cuts them to the "
                     + text(device->mtu) + " of " + device->name,
                 {"ovs-vsctl set interface " + device->name
                  + " mtu_request=" + text(path)}}};
    }
    if (const auto lost = facts.lost_fragments.find(peer);
        lost != facts.lost_fragments.end()) {
        return {{"fragments",
                 tunnel.name,
                 peer + " answers a short ping, and none of "
                     + text(lost->second)
                     + " bytes in fragments, as long frames need them: let "
                       "fragments pass on the way, or "
                     + fit,
                 {}}};
    }
    return {};
}

}  // namespace eoip
