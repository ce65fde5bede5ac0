// SPDX-License-Identifier: Apache-2.0
//
// What the kernel counts at the device that all eoip tunnels of the kernel
// datapath share, as `ethtool -S` shows it, and whose module it is of.

#ifndef EOIP_KERNEL_DEVICE_H
#define EOIP_KERNEL_DEVICE_H

#include <cstdint>
#include <string>
#include <vector>

namespace eoip {

struct KernelCounter {
    std::string name;
    std::uint64_t value;
};

// Empty if there is no such device in this network namespace.
[[nodiscard]] std::vector<KernelCounter>
read_kernel_counters(const char *device);

// True if the module eoip that the kernel runs is another project's; false if
// there is none, or it cannot be seen whose it is.
[[nodiscard]] bool kernel_module_is_foreign();

}  // namespace eoip

#endif  // EOIP_KERNEL_DEVICE_H
