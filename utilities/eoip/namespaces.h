// SPDX-License-Identifier: Apache-2.0
//
// Other network namespaces of this host, as far as they can be found: for a
// look at the far end of a veth.

#ifndef EOIP_UTILITIES_NAMESPACES_H
#define EOIP_UTILITIES_NAMESPACES_H

#include <map>
#include <string>

#include "nl_socket.h"

namespace eoip {

// A namespace to ask.
struct Namespace {
    int socket = -1;     // Any ioctl on it is about that namespace.
    std::string prefix;  // A command behind it runs there.
};

class Namespaces {
public:
    explicit Namespaces(Netlink &netlink) : netlink_(netlink) {}
    Namespaces(const Namespaces &) = delete;
    Namespaces &operator=(const Namespaces &) = delete;
    ~Namespaces();

    // The namespace that the kernel calls 'id' in this one, or nullptr: none
    // of a process that can be seen or in /run/netns, or not permitted.
    [[nodiscard]] const Namespace *find(int id);

private:
    void look();
    void add(const std::string &path, const std::string &prefix);

    Netlink &netlink_;
    std::map<int, Namespace> found_;
    bool looked_ = false;
};

}  // namespace eoip

#endif  // EOIP_UTILITIES_NAMESPACES_H
