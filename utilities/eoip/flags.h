// SPDX-License-Identifier: Apache-2.0
//
// The words of the command line that begin with "-".

#ifndef EOIP_UTILITIES_FLAGS_H
#define EOIP_UTILITIES_FLAGS_H

#include <string>
#include <string_view>

#include "words.h"

namespace eoip {

struct Flag {
    std::string_view name;
    char letter;                      // 0: none.
    bool Request::*truth;             // One of these two,
    std::string Request::*text;       // or neither:
    void (*other)(Request &request);  // then this.
};

inline constexpr std::string_view kTimeout = "--timeout";

// The flag that 'word' is, with or without "=VALUE"; nullptr if there is none.
[[nodiscard]] const Flag *find_flag(std::string_view word);

// A negative number does not.
[[nodiscard]] bool looks_like_flag(std::string_view word);

}  // namespace eoip

#endif  // EOIP_UTILITIES_FLAGS_H
