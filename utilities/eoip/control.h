// SPDX-License-Identifier: Apache-2.0
//
// Questions to the ovs-vswitchd of this host, as ovs-appctl(8) asks them.

#ifndef EOIP_UTILITIES_CONTROL_H
#define EOIP_UTILITIES_CONTROL_H

#include <string>
#include <vector>

namespace eoip {

struct Reply {
    bool running = false;  // There is a switch that answers.
    bool refused = false;  // It knows no such command, or no answer to it.
    std::string text;
};

// Waits for seconds, if it must; a switch that hangs refuses.
[[nodiscard]] Reply ask_switch(const std::string &command,
                               const std::vector<std::string> &arguments = {});

}  // namespace eoip

#endif  // EOIP_UTILITIES_CONTROL_H
