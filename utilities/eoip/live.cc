// SPDX-License-Identifier: Apache-2.0
//
// Reads "ovs-appctl eoip/show -f json": see live.h.

#include "live.h"

#include <algorithm>
#include <map>
#include <optional>

#include "eoip/state.h"

#include "control.h"
#include "json_values.h"

namespace eoip {
namespace {

void set_counter(Tunnel &tunnel, const char *name,
                 std::optional<long long> value)
{
    if (!value) {
        return;
    }
    const auto number = static_cast<std::uint64_t>(*value);
    const auto found =
        std::ranges::find(tunnel.counters, name, &Counter::name);
    if (found == tunnel.counters.end()) {
        tunnel.counters.push_back({name, number});
    } else {
        found->value = number;
    }
}

void update(Tunnel &tunnel, const json *shown)
{
    const auto heard =
        integer(member(member(shown, "keepalive"), "heard_ago_ms"));

    // A switch of an older version has sentences there.
    if (has(shown, "link_state")) {
        tunnel.state = text(shown, "state");
        tunnel.reason = text(shown, "reason");
    }
    if (heard) {
        tunnel.heard_s = static_cast<std::uint64_t>(*heard / 1000);
    }
    for (const char *name : {"rx_packets", "rx_bytes", "tx_packets",
                             "tx_bytes", "rx_keepalives", "tx_keepalives"}) {
        set_counter(tunnel, name,
                    integer(member(member(shown, "statistics"), name)));
    }
}

}  // namespace

void add_live(std::span<Tunnel> tunnels)
{
    const bool asks = std::ranges::any_of(
        tunnels, [](const Tunnel &one) { return !one.in_kernel(); });
    const Reply reply =
        asks ? ask_switch("eoip/show", {"-f", "json"}) : Reply();
    if (!reply.running || reply.refused) {
        return;
    }
    const Json object = parse_json(reply.text);
    std::map<std::string, const json *> made;
    for (const json *shown : elements(member(object.get(), "tunnels"))) {
        made[text(shown, "name")] = shown;
    }
    for (Tunnel &tunnel : tunnels) {
        const auto found = made.find(tunnel.name);
        if (tunnel.in_kernel()) {
            continue;
        }
        if (found != made.end()) {
            update(tunnel, found->second);
        } else if (tunnel.error.empty()) {
            // As when the datapath of its bridge could not be opened.
            tunnel.state = state_name(State::no_datapath);
            tunnel.reason =
                "the switch has not made the port: its log says why";
        }
    }
}

}  // namespace eoip
