// SPDX-License-Identifier: Apache-2.0
//
// Tunnels for programs: JSON, written by OVS's own library.

#ifndef EOIP_UTILITIES_JSON_H
#define EOIP_UTILITIES_JSON_H

#include <span>
#include <string>
#include <string_view>

#include "findings.h"
#include "tunnel.h"

namespace eoip {

// An array of tunnels, with their counters if 'counters'.
[[nodiscard]] std::string json_list(std::span<const Tunnel> tunnels,
                                    bool counters);

// One tunnel.
[[nodiscard]] std::string json_one(const Tunnel &tunnel, bool counters);

// What happened to a tunnel, in one line.
[[nodiscard]] std::string json_event(std::string_view event,
                                     const Tunnel &tunnel);

// An array of what "eoip check" found.
[[nodiscard]] std::string json_findings(std::span<const Finding> findings);

}  // namespace eoip

#endif  // EOIP_UTILITIES_JSON_H
