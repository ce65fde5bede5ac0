// SPDX-License-Identifier: Apache-2.0
//
// The checks of "eoip check": each finds one kind of fault in what is known.
//
// Pure: nothing of the system is looked at.  A check says what is certainly
// so, and nothing where the facts leave it open.

#ifndef EOIP_UTILITIES_CHECKS_H
#define EOIP_UTILITIES_CHECKS_H

#include "facts.h"
#include "findings.h"

namespace eoip {

// Everything that is wrong, what concerns all tunnels first; nothing twice.
[[nodiscard]] Findings find_faults(const Facts &facts);

// Of the host and the switch (host_checks.cc).
[[nodiscard]] Findings check_versions(const Facts &facts);
[[nodiscard]] Findings check_switch(const Facts &facts);
[[nodiscard]] Findings check_module(const Facts &facts);
[[nodiscard]] Findings check_ports(const Facts &facts);
[[nodiscard]] Findings check_offload(const Facts &facts);
[[nodiscard]] Findings check_loops(const Facts &facts);

// Of one tunnel's packets (path_checks.cc).
[[nodiscard]] Findings check_path(const Facts &facts, const Tunnel &tunnel);
[[nodiscard]] Findings check_mtu(const Facts &facts, const Tunnel &tunnel);
[[nodiscard]] Findings check_return(const Facts &facts, const Tunnel &tunnel);
[[nodiscard]] Findings check_firewall(const Facts &facts,
                                      const Tunnel &tunnel);

// Of one tunnel beside its peer and the others (tunnel_checks.cc).
[[nodiscard]] Findings check_keys(const Facts &facts, const Tunnel &tunnel);
[[nodiscard]] Findings check_keepalive(const Facts &facts,
                                       const Tunnel &tunnel);
[[nodiscard]] Findings check_ipsec(const Facts &facts, const Tunnel &tunnel);
[[nodiscard]] Findings check_state(const Facts &facts, const Tunnel &tunnel);

// The bridges that frames or packets of the tunnels go through, by name.
[[nodiscard]] std::set<std::string> bridges_of(const Facts &facts);

// The outer packet of the longest frame, in one piece, and what the path to
// the peer takes; 0 if that is not known.
[[nodiscard]] int packet_size(const Facts &facts, const Tunnel &tunnel);
[[nodiscard]] int path_size(const Facts &facts, const Tunnel &tunnel);

// Whether outer packets may not be cut, by the option that says so; or "".
[[nodiscard]] std::string whole_by(const Tunnel &tunnel);

// The device that packets to the peer leave through, or "".
[[nodiscard]] std::string egress_of(const Facts &facts, const Tunnel &tunnel);

}  // namespace eoip

#endif  // EOIP_UTILITIES_CHECKS_H
