// SPDX-License-Identifier: Apache-2.0
//
// See events.h.

#include "events.h"

#include <ctime>

#include "json.h"
#include "print.h"
#include "values.h"

namespace eoip {
namespace {

[[nodiscard]] std::string clock_text()
{
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    char text[sizeof "2000-01-01 00:00:00"];

    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S",
                  localtime_r(&now, &local));
    return text;
}

[[nodiscard]] std::string all_fields(const Tunnel &tunnel)
{
    std::string list;
    for (const auto &[field, value] : fields(tunnel)) {
        if (field != "name") {
            list += join({list.empty() ? "" : ", ", field, " ", value});
        }
    }
    return list;
}

}  // namespace

std::string events(const TunnelMap &before, const TunnelMap &now, bool as_json)
{
    std::string text;
    const auto event = [&](const char *what, const Tunnel &tunnel,
                           const std::string &more) {
        text += as_json ? json_event(what, tunnel)
                        : join({clock_text(), " ", what, " ", tunnel.name,
                                ": ", more, "\n"});
    };
    for (const auto &[key, tunnel] : before) {
        if (!now.contains(key)) {
            event("removed", tunnel, all_fields(tunnel));
        }
    }
    for (const auto &[key, tunnel] : now) {
        const auto old = before.find(key);
        if (old == before.end()) {
            event("added", tunnel, all_fields(tunnel));
        } else if (const std::string change = difference(old->second, tunnel);
                   !change.empty()) {
            event("changed", tunnel, change);
        }
    }
    return text;
}

}  // namespace eoip
