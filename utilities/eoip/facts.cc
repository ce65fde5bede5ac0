// SPDX-License-Identifier: Apache-2.0
//
// What "eoip check" knows: see facts.h.

#include "facts.h"

#include <algorithm>

#include <arpa/inet.h>

namespace eoip {
namespace {

template <typename Row>
[[nodiscard]] const Row *find(const std::vector<Row> &rows,
                              std::string_view name)
{
    const auto found = std::ranges::find(rows, name, &Row::name);
    return found == rows.end() ? nullptr : &*found;
}

[[nodiscard]] std::string datapath_of(const Facts &facts, const Tunnel &tunnel)
{
    const Bridge *bridge = facts.bridge(tunnel.bridge);
    return bridge ? bridge->datapath : "";
}

// The first that is an address, as the kernel writes it.
[[nodiscard]] std::string first_address(const std::vector<std::string> &list)
{
    for (const std::string &text : list) {
        for (const int family : {AF_INET, AF_INET6}) {
            in6_addr address;
            char canonical[INET6_ADDRSTRLEN];
            if (inet_pton(family, text.c_str(), &address) == 1
                && inet_ntop(family, &address, canonical, sizeof canonical)) {
                return canonical;
            }
        }
    }
    return {};
}

}  // namespace

const Device *Facts::device(std::string_view name) const
{
    const auto found = devices.find(name);
    return found == devices.end() ? nullptr : &found->second;
}

const Bridge *Facts::bridge(std::string_view name) const
{
    return find(ovs.bridges, name);
}

const Port *Facts::port(std::string_view name) const
{
    return find(ovs.ports, name);
}

const Route *Facts::route(const Tunnel &tunnel) const
{
    const auto found = routes.find(key_of(tunnel));
    return found == routes.end() ? nullptr : &found->second;
}

std::string key_of(const Tunnel &tunnel)
{
    return tunnel.bridge + "/" + tunnel.name;
}

std::string status_of(const Facts &facts, const Tunnel &tunnel,
                      std::string_view word)
{
    const Port *port = tunnel.in_kernel() ? nullptr : facts.port(tunnel.name);
    if (!port) {
        return {};
    }
    const auto found = port->status.find(word);
    return found == port->status.end() ? "" : found->second;
}

std::string peer_of(const Facts &facts, const Tunnel &tunnel)
{
    return first_address({tunnel.get("remote_ip"),
                          status_of(facts, tunnel, "remote_address"),
                          status_of(facts, tunnel, "learned_peer")});
}

std::string local_of(const Facts &facts, const Tunnel &tunnel)
{
    return first_address(
        {tunnel.get("local_ip"), status_of(facts, tunnel, "local_address")});
}

bool kernel_sends(const Facts &facts, const Tunnel &tunnel)
{
    return tunnel.in_kernel() || datapath_of(facts, tunnel) == "system";
}

bool switch_sends(const Facts &facts, const Tunnel &tunnel)
{
    return datapath_of(facts, tunnel) == "netdev";
}

}  // namespace eoip
