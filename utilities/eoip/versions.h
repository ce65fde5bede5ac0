// SPDX-License-Identifier: Apache-2.0
//
// What of EoIP runs on this machine, the command aside: the switch and the
// kernel's module, and what of it is older than what is installed or cannot be
// loaded.

#ifndef EOIP_UTILITIES_VERSIONS_H
#define EOIP_UTILITIES_VERSIONS_H

#include <string>
#include <vector>

namespace eoip {

struct Versions {
    std::string text;                   // Lines for people.
    std::vector<std::string> warnings;  // One sentence each.
};

// Asks the switch of this machine, waits for it at most 'timeout_s' seconds,
// and ends the program after that.
[[nodiscard]] Versions versions(int timeout_s);

}  // namespace eoip

#endif  // EOIP_UTILITIES_VERSIONS_H
