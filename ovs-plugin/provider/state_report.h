// SPDX-License-Identifier: Apache-2.0
//
// What is said of a tunnel's state: one word, and the reason where there is
// one.

#ifndef EOIP_STATE_REPORT_H
#define EOIP_STATE_REPORT_H

#include <string>

#include "eoip/state.h"
#include "path.h"
#include "setup.h"

struct eoip_tunnel;

namespace eoip {

struct StateReport {
    State state;
    std::string reason;  // What is wrong, as a sentence; or empty.
    std::string device;  // Where the route leads, if that is known; or empty.
};

// What is known of a tunnel, but for what its keepalives have found.
[[nodiscard]] Signs signs_of(const Setup &setup, const eoip_path &path);

[[nodiscard]] StateReport state_report(const eoip_tunnel *tunnel);

// The same, of a tunnel that has this state and path.
[[nodiscard]] StateReport state_report(const eoip_tunnel *tunnel, State state,
                                       const eoip_path &path);

}  // namespace eoip

#endif  // EOIP_STATE_REPORT_H
