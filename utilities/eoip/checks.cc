// SPDX-License-Identifier: Apache-2.0
//
// The table of checks: see checks.h.

#include "checks.h"

#include <algorithm>

namespace eoip {
namespace {

constexpr Findings (*kHostChecks[])(const Facts &) = {
    check_versions, check_switch,  check_module,
    check_ports,    check_offload, check_loops,
};

constexpr Findings (*kTunnelChecks[])(const Facts &, const Tunnel &) = {
    check_return, check_firewall,  check_mtu,
    check_keys,   check_keepalive, check_ipsec,
};

}  // namespace

std::string egress_of(const Facts &facts, const Tunnel &tunnel)
{
    const auto own = facts.switch_routes.find(key_of(tunnel));
    if (own != facts.switch_routes.end()) {
        return own->second;
    }
    const Route *route = facts.route(tunnel);
    return route && !route->device.empty()
               ? route->device
               : status_of(facts, tunnel, "tunnel_egress_iface");
}

std::set<std::string> bridges_of(const Facts &facts)
{
    std::set<std::string> bridges;
    for (const Tunnel &tunnel : facts.tunnels) {
        for (const Port *port :
             {facts.port(tunnel.name), facts.port(egress_of(facts, tunnel))}) {
            if (port) {
                bridges.insert(port->bridge);
            }
        }
    }
    return bridges;
}

Findings find_faults(const Facts &facts)
{
    Findings all;
    const auto add = [&all](const Findings &some) {
        for (const Finding &finding : some) {
            if (std::ranges::find(all, finding) == all.end()) {
                all.push_back(finding);
            }
        }
    };
    for (const auto check : kHostChecks) {
        add(check(facts));
    }
    for (const Tunnel &tunnel : facts.tunnels) {
        // What is wrong with its path is also why it is as it is.
        const Findings path = check_path(facts, tunnel);
        add(path.empty() ? check_state(facts, tunnel) : path);
        for (const auto check : kTunnelChecks) {
            add(check(facts, tunnel));
        }
    }
    return all;
}

}  // namespace eoip
