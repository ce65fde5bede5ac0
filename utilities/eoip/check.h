// SPDX-License-Identifier: Apache-2.0
//
// Gathers what "eoip check" judges.

#ifndef EOIP_UTILITIES_CHECK_H
#define EOIP_UTILITIES_CHECK_H

#include <string>
#include <vector>

#include "bridge.h"
#include "facts.h"
#include "words.h"

namespace eoip {

// Whether the switch's database that 'request' names is another host's: then
// nothing of this one is to be looked at.
[[nodiscard]] bool is_elsewhere(const Request &request);

// Fills in all of 'facts' but the tunnels, which have to be there.  Returns
// what went wrong in one sentence; 'facts' has what could be found out.
[[nodiscard]] std::string gather(const Request &request, Bridges &bridges,
                                 Facts &facts);

}  // namespace eoip

#endif  // EOIP_UTILITIES_CHECK_H
