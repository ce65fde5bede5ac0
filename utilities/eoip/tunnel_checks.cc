// SPDX-License-Identifier: Apache-2.0
//
// What a tunnel, its peer and other tunnels do to each other: see checks.h.

#include "checks.h"

#include <algorithm>
#include <optional>

namespace eoip {
namespace {

[[nodiscard]] std::optional<std::uint64_t> count(const Tunnel &tunnel,
                                                 std::string_view name)
{
    for (const Counter &counter : tunnel.counters) {
        if (counter.name == name) {
            return counter.value;
        }
    }
    return {};
}

// The id of packets that it receives.
[[nodiscard]] std::string key_in(const Tunnel &tunnel)
{
    return tunnel.options.contains("in_key") ? tunnel.get("in_key")
                                             : tunnel.get("key");
}

[[nodiscard]] bool sends_keepalives(const Tunnel &tunnel)
{
    const std::string keepalive = tunnel.get("keepalive");
    return !keepalive.empty() && keepalive != "none";
}

// The state in one word, of those that the switch has if it says one; of an
// older one as far as it tells.
[[nodiscard]] std::string state_of(const Facts &facts, const Tunnel &tunnel)
{
    const std::string state = status_of(facts, tunnel, "state");
    const std::string keepalive = status_of(facts, tunnel, "keepalive_state");
    return !tunnel.state.empty() ? tunnel.state
           : !state.empty()      ? state
           : keepalive == "down" ? "silent"
                                 : "";
}

// What goes for both is said in one place, with the tunnel of the kernel.
[[nodiscard]] bool collide(const Facts &facts, const Tunnel &link,
                           const Tunnel &port)
{
    if (!link.in_kernel() || port.in_kernel()) {
        return false;
    }
    const std::string peer = peer_of(facts, link), key = key_in(link);
    const std::string a = local_of(facts, link), b = local_of(facts, port);
    return !peer.empty() && peer == peer_of(facts, port) && !key.empty()
           && key != "flow" && key == key_in(port)
           && (a.empty() || b.empty() || a == b);
}

}  // namespace

// The kernel and the switch each refuse two of the same, but do not know of
// the other's.
Findings check_keys(const Facts &facts, const Tunnel &tunnel)
{
    Findings found;
    for (const auto *list : {&facts.tunnels, &facts.others}) {
        for (const Tunnel &other : *list) {
            const bool is_link = collide(facts, tunnel, other);
            if (!is_link && !collide(facts, other, tunnel)) {
                continue;
            }
            const Tunnel &link = is_link ? tunnel : other;
            const Tunnel &port = is_link ? other : tunnel;
            found.push_back(
                {"same-key",
                 link.name,
                 "this link of the kernel and port " + port.name
                     + " of bridge " + port.bridge + " both have remote "
                     + peer_of(facts, port) + " and tunnel-id " + key_in(port)
                     + ": remove one of them",
                 {"eoip del " + link.name,
                  "eoip del " + port.name + " bridge " + port.bridge}});
        }
    }
    return found;
}

Findings check_keepalive(const Facts &facts, const Tunnel &tunnel)
{
    const auto keepalives = count(tunnel, "rx_keepalives");
    const auto frames = count(tunnel, "rx_packets");
    const std::vector<std::string> command = {"eoip change name " + tunnel.name
                                              + " keepalive 10,0"};
    if (!keepalives || peer_of(facts, tunnel).empty()) {
        return {};
    }
    if (!sends_keepalives(tunnel) && *keepalives) {
        return {{"keepalive", tunnel.name,
                 "the peer sends keepalives and gets none: a router that "
                 "waits for them takes its side down",
                 command}};
    }
    if (sends_keepalives(tunnel) && state_of(facts, tunnel) == "silent"
        && !*keepalives && frames.value_or(0)) {
        return {{"keepalive", tunnel.name,
                 "frames have come and never a keepalive: the peer sends "
                 "none, so that the tunnel is down whenever it is idle",
                 command}};
    }
    return {};
}

Findings check_ipsec(const Facts &facts, const Tunnel &tunnel)
{
    const std::string state = status_of(facts, tunnel, "ipsec_state");
    const std::string reason = status_of(facts, tunnel, "ipsec_reason");
    if (state == "no-daemon") {
        return {{"ipsec",
                 tunnel.name,
                 "nobody negotiates keys for its psk, so that nothing passes: "
                 "install the package openvswitch-eoip-ipsec, and see whether "
                 "its daemon runs",
                 {}}};
    }
    if (state == "negotiating" || state == "failed") {
        return {{"ipsec",
                 tunnel.name,
                 "its peer has not agreed on keys, so that nothing passes"
                     + (reason.empty() ? "" : ": " + reason),
                 {}}};
    }
    return {};
}

Findings check_state(const Facts &facts, const Tunnel &tunnel)
{
    const std::string state = state_of(facts, tunnel);
    std::string reason = tunnel.state.empty()
                             ? status_of(facts, tunnel, "reason")
                             : tunnel.reason;
    if (!tunnel.error.empty()) {
        const std::string about = tunnel.name + ": ";
        return {{"refused",
                 tunnel.name,
                 tunnel.error.starts_with(about)
                     ? tunnel.error.substr(about.size())
                     : tunnel.error,
                 {}}};
    }
    for (const char *fine : {"", "up", "waiting", "unwatched", "learning"}) {
        if (state == fine) {
            return {};
        }
    }
    if (reason.empty() && state == "silent") {
        reason = "the peer was not heard within the time that keepalive gives "
                 "it";
    } else if (reason.empty() && state == "off") {
        return {{"off",
                 tunnel.name,
                 "the link is set down",
                 {"ip link set " + tunnel.name + " up"}}};
    }
    return {{state,
             tunnel.name,
             state + (reason.empty() ? "" : ": ") + reason,
             {}}};
}

}  // namespace eoip
