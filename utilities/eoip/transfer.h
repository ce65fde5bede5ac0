// SPDX-License-Identifier: Apache-2.0
//
// "eoip import" and "eoip export" at work: between the tunnels of this machine
// and what is written of tunnels elsewhere.

#ifndef EOIP_UTILITIES_TRANSFER_H
#define EOIP_UTILITIES_TRANSFER_H

#include <span>
#include <string>
#include <vector>

#include "backend.h"
#include "words.h"

namespace eoip {

struct Transfer {
    std::string output;
    std::vector<std::string> errors;  // One sentence each.
};

// Reads request.file, or the standard input if that is "-", and makes its
// tunnels in 'place': all of them, or none.
[[nodiscard]] Transfer import_file(const Request &request, Backend &place);

// Writes 'tunnels' as request.format has them.
[[nodiscard]] Transfer export_tunnels(const Request &request,
                                      std::span<const Tunnel> tunnels);

}  // namespace eoip

#endif  // EOIP_UTILITIES_TRANSFER_H
