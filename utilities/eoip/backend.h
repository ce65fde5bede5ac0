// SPDX-License-Identifier: Apache-2.0
//
// What the command eoip needs of a place where tunnels are: the kernel, or a
// bridge of Open vSwitch.
//
// Every function returns "", or in one sentence what went wrong and what to
// do about it; then nothing has changed.

#ifndef EOIP_UTILITIES_BACKEND_H
#define EOIP_UTILITIES_BACKEND_H

#include <span>
#include <string>
#include <vector>

#include "tunnel.h"

namespace eoip {

class Backend {
public:
    Backend() = default;
    Backend(const Backend &) = delete;
    Backend &operator=(const Backend &) = delete;
    virtual ~Backend() = default;

    // Adds all tunnels to 'tunnels'.
    [[nodiscard]] virtual std::string list(std::vector<Tunnel> &tunnels) = 0;

    // Makes all 'tunnels', or none.  One without a name gets one, which is
    // filled in.
    [[nodiscard]] virtual std::string add(std::span<Tunnel> tunnels,
                                          bool dry_run) = 0;

    // Changes what 'changes' names in a tunnel that list() has shown.
    [[nodiscard]] virtual std::string
    change(const Tunnel &tunnel, const Options &changes, bool dry_run) = 0;

    // Removes a tunnel that list() has shown.
    [[nodiscard]] virtual std::string remove(const Tunnel &tunnel,
                                             bool dry_run) = 0;

    // True if a tunnel on 'bridge' can have a secret.
    [[nodiscard]] virtual bool takes_secrets(const std::string &bridge) = 0;

    // Lets the next poll_block() of OVS return once list() may have other
    // tunnels to show than it had the last time.
    [[nodiscard]] virtual std::string wait() = 0;
};

}  // namespace eoip

#endif  // EOIP_UTILITIES_BACKEND_H
