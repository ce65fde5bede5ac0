// SPDX-License-Identifier: Apache-2.0
//
// The network devices of this host and where it routes packets, for "eoip
// check": asked of the kernel by rtnetlink and ethtool's ioctl.  Nothing is
// changed, and no packet sent.

#ifndef EOIP_UTILITIES_DEVICES_H
#define EOIP_UTILITIES_DEVICES_H

#include <cstdint>
#include <map>
#include <string>

#include "facts.h"
#include "nl_socket.h"

namespace eoip {

// All devices by name.  What the kernel does not tell, a user without the
// rights for example, is false or empty.
[[nodiscard]] std::map<std::string, Device, std::less<>>
list_devices(Netlink &netlink);

struct RouteQuestion {
    std::string peer;    // An IPv4 or IPv6 address.
    std::string source;  // Empty: the kernel chooses.
    int ifindex = 0;     // 0: any device.
    std::uint32_t mark = 0;
};

// Without a device if there is no route.
[[nodiscard]] Route look_up_route(Netlink &netlink,
                                  const RouteQuestion &question);

}  // namespace eoip

#endif  // EOIP_UTILITIES_DEVICES_H
