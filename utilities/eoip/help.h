// SPDX-License-Identifier: Apache-2.0
//
// What "eoip help" says.  Pure.

#ifndef EOIP_UTILITIES_HELP_H
#define EOIP_UTILITIES_HELP_H

#include <string>
#include <string_view>

namespace eoip {

// A summary of the command line.
[[nodiscard]] std::string usage();

// What the summary says of one command, option or word, and what an option of
// a port may be; "" if there is no such word.
[[nodiscard]] std::string help_on(std::string_view word);

}  // namespace eoip

#endif  // EOIP_UTILITIES_HELP_H
