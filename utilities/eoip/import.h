// SPDX-License-Identifier: Apache-2.0
//
// Tunnels of RouterOS: from what "/export" prints to ours.  Pure.

#ifndef EOIP_UTILITIES_IMPORT_H
#define EOIP_UTILITIES_IMPORT_H

#include <string>
#include <string_view>
#include <vector>

#include "tunnel.h"

namespace eoip {

struct ImportSide {
    std::string bridge;  // Where the tunnels are to be; empty: the kernel.
    // The router is our peer, and what is local to it is remote to us; or, if
    // true, we take its place.
    bool replace = false;
    std::string peer;  // The router's address, where the file does not say.
    bool ipsec = false;  // The bridge can have secrets.
};

struct Imported {
    std::vector<Tunnel> tunnels;
    std::vector<std::string> notes;  // What is not taken over, by lines.
    std::vector<std::string>
        errors;  // If there is any, nothing is to be made.
};

// Reads all of /interface eoip and eoipv6, and nothing else.  No secret is in
// notes and errors.
[[nodiscard]] Imported import_rsc(std::string_view text,
                                  const ImportSide &side);

}  // namespace eoip

#endif  // EOIP_UTILITIES_IMPORT_H
