// SPDX-License-Identifier: Apache-2.0
//
// Tunnels as text: see print.h.

#include "print.h"

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "eoip/drops.h"

namespace eoip {
namespace {

constexpr std::size_t kColumns = 9;
using Row = std::array<std::string, kColumns>;

[[nodiscard]] std::string or_any(const std::string &address)
{
    return address.empty() ? "any" : address;
}

[[nodiscard]] Row row_of(const Tunnel &tunnel)
{
    const std::string keepalive = tunnel.get("keepalive");
    return {tunnel.name,
            tunnel.in_kernel() ? "kernel" : tunnel.bridge,
            tunnel.get("remote_ip"),
            or_any(tunnel.get("local_ip")),
            tunnel.id(),
            tunnel.get("ttl"),
            tunnel.get("tos"),
            keepalive.empty() ? "none" : keepalive,
            tunnel.state};
}

// The number that the older tool prints for an option.
[[nodiscard]] std::string number_or(const Tunnel &tunnel, const char *option,
                                    const char *inherit)
{
    const std::string value = tunnel.get(option);
    return value.empty() ? "0" : value == "inherit" ? inherit : value;
}

}  // namespace

std::string table(std::span<const Tunnel> tunnels)
{
    std::vector<Row> rows = {{"NAME", "WHERE", "REMOTE", "LOCAL", "ID", "TTL",
                              "TOS", "KEEPALIVE", "STATE"}};
    std::array<std::size_t, kColumns> widths{};
    std::string text;
    if (tunnels.empty()) {
        return text;
    }
    for (const Tunnel &tunnel : tunnels) {
        rows.push_back(row_of(tunnel));
    }
    for (const Row &row : rows) {
        for (std::size_t i = 0; i < kColumns; i++) {
            widths[i] = std::max(widths[i], row[i].size());
        }
    }
    for (const Row &row : rows) {
        for (std::size_t i = 0; i + 1 < kColumns; i++) {
            text += row[i];
            text.append(widths[i] - row[i].size() + 2, ' ');
        }
        text += row.back() + "\n";
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
