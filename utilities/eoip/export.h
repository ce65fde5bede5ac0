// SPDX-License-Identifier: Apache-2.0
//
// A tunnel as others want it written: the router at its other end, and what
// makes it again when this machine starts.  Pure.
//
// Where a tunnel cannot be had in a format, a comment says why.

#ifndef EOIP_UTILITIES_EXPORT_H
#define EOIP_UTILITIES_EXPORT_H

#include <string>
#include <string_view>

#include "tunnel.h"

namespace eoip {

// The arguments of "eoip" that make the tunnel, for a shell.
[[nodiscard]] std::string add_line(const Tunnel &tunnel);

// The line for the router at the other end.  'source' is the address that
// packets leave from if the tunnel has no local one; empty if nobody knows.
[[nodiscard]] std::string export_routeros(const Tunnel &tunnel,
                                          const std::string &source);

// The command that puts it into the database of Open vSwitch.
[[nodiscard]] std::string export_ovs_vsctl(const Tunnel &tunnel);

// Lines of /etc/network/interfaces.
[[nodiscard]] std::string export_interfaces(const Tunnel &tunnel);

// Files of systemd.
[[nodiscard]] std::string export_networkd(const Tunnel &tunnel);

}  // namespace eoip

#endif  // EOIP_UTILITIES_EXPORT_H
