// SPDX-License-Identifier: Apache-2.0
//
// What "eoip help" says.  Pure.

#ifndef EOIP_UTILITIES_HELP_H
#define EOIP_UTILITIES_HELP_H

#include <string>

namespace eoip {

// A summary of the command line.
[[nodiscard]] std::string usage();

}  // namespace eoip

#endif  // EOIP_UTILITIES_HELP_H
