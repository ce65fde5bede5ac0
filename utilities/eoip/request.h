// SPDX-License-Identifier: Apache-2.0
//
// What is wrong with a command line as a whole.  Pure.

#ifndef EOIP_UTILITIES_REQUEST_H
#define EOIP_UTILITIES_REQUEST_H

#include <string>

#include "words.h"

namespace eoip {

// What is missing in 'request', or does not fit the rest of it; or "".
[[nodiscard]] std::string fault_of(const Request &request);

// What is wrong with 'options' for a link of the kernel, or "".
[[nodiscard]] std::string check_kernel_options(const Options &options);

}  // namespace eoip

#endif  // EOIP_UTILITIES_REQUEST_H
