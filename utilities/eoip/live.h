// SPDX-License-Identifier: Apache-2.0
//
// What the switch of this host knows of its tunnels, and the database not yet or
// not at all: when they were heard, how much passes, and that a port was not
// made.

#ifndef EOIP_UTILITIES_LIVE_H
#define EOIP_UTILITIES_LIVE_H

#include <span>

#include "tunnel.h"

namespace eoip {

// Brings those on bridges up to date, if the switch answers.
void add_live(std::span<Tunnel> tunnels);

}  // namespace eoip

#endif  // EOIP_UTILITIES_LIVE_H
