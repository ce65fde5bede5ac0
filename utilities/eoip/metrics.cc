// SPDX-License-Identifier: Apache-2.0
//
// See metrics.h.

#include "metrics.h"

#include <algorithm>
#include <ctime>
#include <optional>
#include <utility>
#include <vector>

#include "eoip/drops.h"
#include "values.h"

namespace eoip {
namespace {

// What is counted beside the drops.
constexpr std::pair<std::string_view, std::string_view> kCounters[] = {
    {"rx_packets", "Frames that were received."},
    {"rx_bytes", "Bytes of the frames that were received."},
    {"rx_dropped", "Packets that came and were dropped."},
    {"rx_errors", "Packets that came and were not valid."},
    {"rx_keepalives", "Keepalives that were received."},
    {"rx_trimmed", "Frames behind which the packet had more bytes."},
    {"tx_packets", "Frames that were sent."},
    {"tx_bytes", "Bytes of the frames that were sent."},
    {"tx_dropped", "Frames that were to be sent and were dropped."},
    {"tx_errors", "Frames that could not be sent."},
    {"tx_keepalives", "Keepalives that were sent."},
};

[[nodiscard]] std::string label(std::string_view name, std::string_view value)
{
    std::string text = join({name, "=\""});
    for (const char c : value) {
        text += c == '\n'               ? "\\n"
                : c == '"' || c == '\\' ? std::string{'\\', c}
                                        : std::string(1, c);
    }
    return text + "\"";
}

[[nodiscard]] std::string sample(std::string_view metric, const Tunnel &tunnel,
                                 std::string_view more_labels,
                                 const std::string &value)
{
    return join({metric, "{", label("interface", tunnel.name), ",",
                 label("bridge", tunnel.bridge),
                 more_labels.empty() ? "" : ",", more_labels, "} ", value,
                 "\n"});
}

// A metric with its samples; nothing without any.
[[nodiscard]] std::string family(std::string_view metric,
                                 std::string_view type, std::string_view help,
                                 const std::string &samples)
{
    return samples.empty() ? ""
                           : join({"# HELP ", metric, " ", help, "\n# TYPE ",
                                   metric, " ", type, "\n", samples});
}

[[nodiscard]] std::string counter_help(const std::string &name)
{
    if (const char *sentence = eoip_drop_sentence(name.c_str())) {
        return join({name.starts_with("rx") ? "Packets that came"
                                            : "Frames that were to be sent",
                     " and were dropped: ", sentence, "."});
    }
    const auto *known = std::ranges::find(
        kCounters, name,
        &std::pair<std::string_view, std::string_view>::first);
    return known == std::end(kCounters)
               ? "What Open vSwitch or the kernel counts as " + name + "."
               : std::string(known->second);
}

// A time of day as OVS has it in a status, in seconds since 1970.
[[nodiscard]] std::optional<std::time_t> seconds_of(const std::string &text)
{
    std::tm time{};
    const char *end = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &time);
    return end && !*end ? std::optional(timegm(&time)) : std::nullopt;
}

[[nodiscard]] std::string info(const Tunnel &tunnel)
{
    std::string labels =
        join({label("kind", tunnel.in_kernel() ? "kernel" : "bridge"), ",",
              label("remote", tunnel.get("remote_ip")), ",",
              label("local", tunnel.get("local_ip")), ",",
              label("key", tunnel.id()), ",",
              label("comment", tunnel.get("comment"))});
    return sample("eoip_info", tunnel, labels, "1");
}

[[nodiscard]] std::string heard(const Tunnel &tunnel)
{
    const auto seconds =
        tunnel.heard_s
            ? std::optional(std::time(nullptr)
                            - static_cast<std::time_t>(*tunnel.heard_s))
            : seconds_of(tunnel.status_word("keepalive_last_heard"));
    return seconds ? sample("eoip_last_heard_timestamp_seconds", tunnel, "",
                            std::to_string(*seconds))
                   : "";
}

[[nodiscard]] std::string state(const Tunnel &tunnel)
{
    const std::string word =
        tunnel.state.empty() ? tunnel.status_word("state") : tunnel.state;
    return word.empty()
               ? ""
               : sample("eoip_state", tunnel, label("state", word), "1");
}

[[nodiscard]] std::string ipsec(const Tunnel &tunnel)
{
    const std::string word = tunnel.status_word("ipsec_state");
    return word.empty() ? ""
                        : sample("eoip_ipsec_state", tunnel,
                                 label("state", word), "1");
}

[[nodiscard]] std::string up(const Tunnel &tunnel)
{
    return sample("eoip_up", tunnel, "", tunnel.link_state == "up" ? "1" : "0");
}

[[nodiscard]] std::string counter(const std::string &name,
                                  std::span<const Tunnel> tunnels)
{
    const std::string metric = "eoip_" + name + "_total";
    std::string samples;
    for (const Tunnel &tunnel : tunnels) {
        const auto own =
            std::ranges::find(tunnel.counters, name, &Counter::name);
        if (own != tunnel.counters.end()) {
            samples += sample(metric, tunnel, "", std::to_string(own->value));
        }
    }
    return family(metric, "counter", counter_help(name), samples);
}

}  // namespace

std::string metrics(std::span<const Tunnel> tunnels)
{
    const auto each = [&](std::string (*one)(const Tunnel &)) {
        std::string samples;
        for (const Tunnel &tunnel : tunnels) {
            samples += one(tunnel);
        }
        return samples;
    };
    std::string text =
        family("eoip_up", "gauge", "Whether the tunnel's link is up.",
               each(up))
        + family("eoip_info", "gauge",
                 "What the tunnel is; the value is always 1.", each(info))
        + family("eoip_state", "gauge",
                 "How the tunnel is, in the word of its status; the value is "
                 "always 1.",
                 each(state))
        + family("eoip_ipsec_state", "gauge",
                 "How the tunnel's IPsec is, in the word of its status; the "
                 "value is always 1.",
                 each(ipsec))
        + family("eoip_last_heard_timestamp_seconds", "gauge",
                 "When the other end was heard last, in seconds since 1970.",
                 each(heard));
    std::vector<std::string> names;
    for (const Tunnel &tunnel : tunnels) {
        for (const Counter &one : tunnel.counters) {
            if (std::ranges::find(names, one.name) == names.end()) {
                names.push_back(one.name);
            }
        }
    }
    std::ranges::sort(names);
    for (const std::string &name : names) {
        text += counter(name, tunnels);
    }
    return text;
}

}  // namespace eoip
