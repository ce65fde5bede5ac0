// SPDX-License-Identifier: Apache-2.0
//
// Tunnels as text for people.  Pure: returns what main.cc prints.

#ifndef EOIP_UTILITIES_PRINT_H
#define EOIP_UTILITIES_PRINT_H

#include <span>
#include <string>

#include "tunnel.h"

namespace eoip {

// One line each under a heading; nothing without tunnels.
[[nodiscard]] std::string table(std::span<const Tunnel> tunnels);

// A line of the older tool named eoip, to the letter, for a link.
[[nodiscard]] std::string legacy_line(const Tunnel &tunnel);

// Everything about one tunnel, a line for each field.
[[nodiscard]] std::string details(const Tunnel &tunnel);

// The counters, with a sentence for each reason of drops that occurred.
[[nodiscard]] std::string counters(const Tunnel &tunnel);

// What is other in 'now' than in 'before', in one line; "" if nothing is.
[[nodiscard]] std::string difference(const Tunnel &before, const Tunnel &now);

}  // namespace eoip

#endif  // EOIP_UTILITIES_PRINT_H
