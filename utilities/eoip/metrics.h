// SPDX-License-Identifier: Apache-2.0
//
// Tunnels in the text format of Prometheus.  Pure.

#ifndef EOIP_UTILITIES_METRICS_H
#define EOIP_UTILITIES_METRICS_H

#include <span>
#include <string>

#include "tunnel.h"

namespace eoip {

// Every metric once, with a sample for each tunnel that has it.  The labels
// "interface" and "bridge", which is empty for a link of the kernel, say which
// one; eoip_info has what else there is to say.
[[nodiscard]] std::string metrics(std::span<const Tunnel> tunnels);

}  // namespace eoip

#endif  // EOIP_UTILITIES_METRICS_H
