// SPDX-License-Identifier: Apache-2.0
//
// Tunnels as text: see print.h.

#include "print.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <vector>

#include "eoip/age.h"
#include "eoip/drops.h"
#include "values.h"

namespace eoip {
namespace {

using Row = std::vector<std::string>;

// A number with a letter for thousands, three digits of it.
[[nodiscard]] std::string human(double number)
{
    constexpr std::string_view kLetters = "kMGTPE";
    std::size_t thousands = 0;
    while (number >= 999.5 && thousands < kLetters.size()) {
        number /= 1000;
        thousands++;
    }
    char text[32];
    std::snprintf(text, sizeof text, thousands && number < 99.95 ? "%.1f"
                                                                 : "%.0f",
                  number);
    return text + (thousands ? std::string(1, kLetters[thousands - 1]) : "");
}

[[nodiscard]] const Tunnel *same_in(std::span<const Tunnel> tunnels,
                                    const Tunnel &tunnel)
{
    for (const Tunnel &one : tunnels) {
        if (one.name == tunnel.name && one.bridge == tunnel.bridge) {
            return &one;
        }
    }
    return nullptr;
}

// What the counter counts, or in a second, as table() has it.
[[nodiscard]] std::string traffic(const Tunnel &tunnel, const char *counter,
                                  std::span<const Tunnel> before,
                                  double seconds)
{
    const std::uint64_t now = tunnel.count(counter);
    if (seconds <= 0) {
        return human(static_cast<double>(now));
    }
    const Tunnel *old = same_in(before, tunnel);
    return !old || old->count(counter) > now
               ? "-"
               : human(static_cast<double>(now - old->count(counter)) / seconds);
}

// An end of the word's colour: what works, what may yet, what does not.
[[nodiscard]] std::string_view colour_of(std::string_view state)
{
    return state == "up"                                     ? "\033[32m"
           : state == "unwatched" || state == "off"          ? ""
           : state == "waiting" || state == "learning" ? "\033[33m"
                                                             : "\033[31m";
}

[[nodiscard]] std::vector<Row> rows_of(std::span<const Tunnel> tunnels,
                                       std::span<const Tunnel> before,
                                       double seconds)
{
    const bool rates = seconds > 0;
    std::vector<Row> rows = {{"NAME", "WHERE", "REMOTE", "ID", "STATE",
                              "HEARD", rates ? "RX/s" : "RX",
                              rates ? "TX/s" : "TX", "DROPS", "COMMENT"}};
    for (const Tunnel &tunnel : tunnels) {
        rows.push_back({tunnel.name,
                        tunnel.in_kernel() ? "kernel" : tunnel.bridge,
                        tunnel.peer(), tunnel.id(), tunnel.state,
                        tunnel.heard_s ? age_text(*tunnel.heard_s) : "-",
                        traffic(tunnel, "rx_bytes", before, seconds),
                        traffic(tunnel, "tx_bytes", before, seconds),
                        human(static_cast<double>(tunnel.drops())),
                        tunnel.get("comment")});
    }
    return rows;
}

// The number that the older tool prints for an option.
[[nodiscard]] std::string number_or(const Tunnel &tunnel, const char *option,
                                    const char *inherit)
{
    const std::string value = tunnel.get(option);
    return value.empty() ? "0" : value == "inherit" ? inherit : value;
}

}  // namespace

std::string table(std::span<const Tunnel> tunnels, bool colour,
                  std::span<const Tunnel> before, double seconds)
{
    constexpr std::size_t kState = 4;
    if (tunnels.empty()) {
        return {};
    }
    const std::vector<Row> rows = rows_of(tunnels, before, seconds);
    std::vector<std::size_t> widths(rows[0].size());
    for (const Row &row : rows) {
        for (std::size_t i = 0; i < row.size(); i++) {
            widths[i] = std::max(widths[i], row[i].size());
        }
    }
    std::string text;
    for (const Row &row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); i++) {
            const std::string_view in =
                colour && i == kState && &row != &rows[0] ? colour_of(row[i])
                                                          : "";
            line += join({in, row[i], in.empty() ? "" : "\033[0m"});
            line.append(widths[i] - row[i].size() + 2, ' ');
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    return text;
}

std::string legacy_line(const Tunnel &tunnel)
{
    const std::string remote = tunnel.get("remote_ip");
    const std::string local = tunnel.get("local_ip");
    const std::string link = tunnel.get("link");
    const std::string keepalive = tunnel.get("keepalive");
    const bool ipv6 = is_ipv6(remote);
    std::string text = std::to_string(tunnel.ifindex) + ": " + tunnel.name
                       + "@" + (link.empty() ? "0" : link) + ": link/"
                       + (ipv6 ? "eoipv6 " : "eoip ");
    text += local.empty() ? (ipv6 ? "::" : "0.0.0.0") : local;
    text += " remote " + remote + " tunnel-id " + tunnel.id() + " ttl "
            + number_or(tunnel, "ttl", "0") + " tos "
            + number_or(tunnel, "tos", "1") + " keepalive "
            + (keepalive.empty() ? "none" : keepalive) + "\n";
    return text;
}

std::string details(const Tunnel &tunnel)
{
    std::string text;
    for (const auto &[field, value] : fields(tunnel)) {
        text += field + ": " + value + "\n";
    }
    return text;
}

std::string everything(const Tunnel &tunnel)
{
    const std::string counted = counters(tunnel);
    return details(tunnel) + "heard: "
           + (tunnel.heard_s ? age_text(*tunnel.heard_s) + " ago" : "never") + "\n"
           + counted.substr(counted.find('\n') + 1);
}

std::string counters(const Tunnel &tunnel)
{
    std::string text = tunnel.name + "\n";
    for (const Counter &counter : tunnel.counters) {
        const char *sentence = eoip_drop_sentence(counter.name.c_str());
        if (sentence && !counter.value) {
            continue;
        }
        text += "  " + counter.name + ": " + std::to_string(counter.value);
        text += sentence ? std::string(" (") + sentence + ")\n" : "\n";
    }
    return text;
}

std::string difference(const Tunnel &before, const Tunnel &now)
{
    std::map<std::string, std::array<std::string, 2>> values;
    for (const auto &[field, value] : fields(before)) {
        values[field][0] = value;
    }
    for (const auto &[field, value] : fields(now)) {
        values[field][1] = value;
    }
    std::string text;
    for (const auto &[field, pair] : values) {
        if (pair[0] != pair[1]) {
            const auto shown = [](const std::string &value) {
                return value.empty() ? "none" : value;
            };
            text += (text.empty() ? "" : ", ") + field + " " + shown(pair[0])
                    + " -> " + shown(pair[1]);
        }
    }
    return text;
}

}  // namespace eoip
