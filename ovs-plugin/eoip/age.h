// SPDX-License-Identifier: Apache-2.0
//
// How long ago something was, in the words of all that people read: the
// command eoip and eoip/show.

#ifndef EOIP_AGE_H
#define EOIP_AGE_H

#include <cstdint>
#include <string>

namespace eoip {

// "3 s", "5 min" and so on: two figures or three, and one unit.
[[nodiscard]] inline std::string age_text(std::uint64_t seconds)
{
    return seconds < 120      ? std::to_string(seconds) + " s"
           : seconds < 7200   ? std::to_string(seconds / 60) + " min"
           : seconds < 172800 ? std::to_string(seconds / 3600) + " h"
                              : std::to_string(seconds / 86400) + " d";
}

}  // namespace eoip

#endif
