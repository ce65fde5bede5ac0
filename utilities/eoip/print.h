// SPDX-License-Identifier: Apache-2.0
//
// Tunnels as text for people.  Pure: returns what main.cc prints.

#ifndef EOIP_UTILITIES_PRINT_H
#define EOIP_UTILITIES_PRINT_H

#include <span>
#include <string>

#include "tunnel.h"

namespace eoip {

// One line each under a heading; nothing without tunnels.  With 'before', the
// same tunnels 'seconds' ago, it says what passes in a second in place of what
// has passed.  With 'colour' states are in the colours of a terminal.
[[nodiscard]] std::string table(std::span<const Tunnel> tunnels, bool colour,
                                std::span<const Tunnel> before = {},
                                double seconds = 0);

// A line of the older tool named eoip, to the letter, for a link.
[[nodiscard]] std::string legacy_line(const Tunnel &tunnel);

// What one tunnel is, a line for each field.
[[nodiscard]] std::string details(const Tunnel &tunnel);

// Everything about it: when it was heard, and what has passed and was dropped
// as well.
[[nodiscard]] std::string everything(const Tunnel &tunnel);

// The counters, with a sentence for each reason of drops that occurred.
[[nodiscard]] std::string counters(const Tunnel &tunnel);

// What is other in 'now' than in 'before', in one line; "" if nothing is.
[[nodiscard]] std::string difference(const Tunnel &before, const Tunnel &now);

}  // namespace eoip

#endif  // EOIP_UTILITIES_PRINT_H
