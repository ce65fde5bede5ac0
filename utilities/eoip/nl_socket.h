// SPDX-License-Identifier: Apache-2.0
//
// Messages to rtnetlink and the kernel's own words in its answers.
//
// A thin layer over libnl-3 for kernel.cc: it knows nothing of tunnels.

#ifndef EOIP_UTILITIES_NL_SOCKET_H
#define EOIP_UTILITIES_NL_SOCKET_H

#include <functional>
#include <memory>
#include <string>

#include <netlink/msg.h>
#include <netlink/netlink.h>

namespace eoip {

struct FreeMessage {
    void operator()(nl_msg *message) const { nlmsg_free(message); }
};
using Message = std::unique_ptr<nl_msg, FreeMessage>;

// What the kernel said to a request.
struct Answer {
    int error = 0;     // An errno.
    std::string text;  // Of its extended acknowledgement; may be empty.

    explicit operator bool() const { return error != 0; }
};

class Netlink {
public:
    Netlink() = default;
    Netlink(const Netlink &) = delete;
    Netlink &operator=(const Netlink &) = delete;
    ~Netlink() { nl_socket_free(socket_); }

    // Connects unless that has been done.
    [[nodiscard]] Answer open();

    // Sends 'message' and waits for the acknowledgement.  What comes before
    // it, as in a dump, goes to 'each'.
    [[nodiscard]] Answer
    request(nl_msg *message,
            const std::function<void(nlmsghdr *)> &each = nullptr);

    // From now on, group's messages make fd() readable.
    [[nodiscard]] Answer join(int group);
    [[nodiscard]] int fd() const { return nl_socket_get_fd(socket_); }

    // Throws away what fd() has to read.
    void drain();

private:
    nl_sock *socket_ = nullptr;
};

}  // namespace eoip

#endif  // EOIP_UTILITIES_NL_SOCKET_H
