// SPDX-License-Identifier: Apache-2.0
//
// What happened to tunnels between two looks at them.

#ifndef EOIP_UTILITIES_EVENTS_H
#define EOIP_UTILITIES_EVENTS_H

#include <map>
#include <string>

#include "tunnel.h"

namespace eoip {

// Each by a key of its own.
using TunnelMap = std::map<std::string, Tunnel>;

// A line for each event, with the time of day; or in JSON.
[[nodiscard]] std::string events(const TunnelMap &before, const TunnelMap &now,
                                 bool as_json);

}  // namespace eoip

#endif  // EOIP_UTILITIES_EVENTS_H
