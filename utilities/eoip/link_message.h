// SPDX-License-Identifier: Apache-2.0
//
// Tunnels in the messages of rtnetlink: links of the kinds "eoip" and "eoipv6"
// with the attributes of kmod-vport/uapi/linux/eoip.h.

#ifndef EOIP_UTILITIES_LINK_MESSAGE_H
#define EOIP_UTILITIES_LINK_MESSAGE_H

#include <string>
#include <vector>

#include "nl_socket.h"
#include "tunnel.h"

namespace eoip {

// The kind of a link with these options.
[[nodiscard]] const char *kind_of(const Options &options);

// Adds the tunnel of a message, if it is of one.  A device that takes the
// tunnel from each frame, such as that of OVS, is none.
void add_tunnel(nlmsghdr *header, std::vector<Tunnel> &tunnels);

// A request of 'type' about the link 'ifindex', or 0.
[[nodiscard]] Message new_message(int type, int flags, int ifindex);

// Of a link that exists; "" takes it away.
void put_comment(nl_msg *message, const std::string &comment);

void put_options(nl_msg *message, const char *kind, const Options &options);

}  // namespace eoip

#endif  // EOIP_UTILITIES_LINK_MESSAGE_H
