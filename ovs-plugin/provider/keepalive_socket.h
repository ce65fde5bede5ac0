// SPDX-License-Identifier: Apache-2.0
//
// A raw socket of one address family, which sends the keepalives of all its
// tunnels of the kernel's datapath, and hears those of their peers.

#ifndef EOIP_KEEPALIVE_SOCKET_H
#define EOIP_KEEPALIVE_SOCKET_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <netinet/in.h>
#include <sys/socket.h>

#include "eoip/keepalive.h"
#include "eoip/wire.h"
#include "setup.h"

struct eoip_tunnel;

namespace eoip {

// Used by one thread only.
class KeepaliveSocket {
public:
    // What became of a keepalive, as KeepaliveSender::Done has it.
    using Done = void(eoip_tunnel *tunnel, std::string_view not_sent,
                      bool no_neighbour);
    // A keepalive of tunnel id 'key' came from 'remote' to 'local'.
    using Heard = void(const in6_addr &remote, const in6_addr &local,
                       std::uint16_t key);

    KeepaliveSocket(int family, Done *done, Heard *heard)
        : family_(family), done_(done), heard_(heard)
    {
    }
    KeepaliveSocket(const KeepaliveSocket &) = delete;
    KeepaliveSocket &operator=(const KeepaliveSocket &) = delete;

    // Done when first needed, because many switches never do.  Returns 0 or an
    // errno value.  What may be over soon, as a lack of descriptors or memory,
    // is tried again, but not more than once in kRetry.
    int open();

    // When that would be; Time::max() if there is nothing to wait for.
    [[nodiscard]] Time retry_at() const { return retry_at_; }

    // -1 while it is not open.
    [[nodiscard]] int fd() const { return fd_; }

    // Sends a keepalive as 'setup' says, whose remote end is known, with others:
    // no later than the next flush().
    void send(eoip_tunnel *tunnel, const Setup &setup);
    void flush();

    // Tells of what has come, but not of so much that deadlines would pass.
    void receive();

private:
    static constexpr std::size_t kBatch = 64;
    static constexpr Time kRetry{1000};

    struct Slot {
        eoip_tunnel *tunnel;
        std::array<std::uint8_t, EOIP_OUTER_HLEN> packet;
        union {
            sockaddr_in to;
            sockaddr_in6 to6;
        };
        iovec iov;
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(in6_pktinfo))
                                      + 3 * CMSG_SPACE(sizeof(int))];
    };

    [[nodiscard]] bool is_ipv6() const { return family_ == AF_INET6; }
    [[nodiscard]] const char *family_name() const
    {
        return is_ipv6() ? "IPv6" : "IPv4";
    }
    [[nodiscard]] bool set(int level, int option, int value) const;
    [[nodiscard]] bool knows(int level, int option) const;
    [[nodiscard]] bool set_up() const;
    void write_message(const Setup &setup, Slot &slot,
                       msghdr &message) const;
    static void write_message6(const Setup &setup, Slot &slot,
                               msghdr &message);
    void tell(eoip_tunnel *tunnel, int error) const;
    bool receive_some();
    void take(const msghdr &message, std::size_t bytes);
    void take6(msghdr &message, std::size_t bytes);

    const int family_;
    Done *const done_;
    Heard *const heard_;
    int fd_ = -1;
    int error_ = 0;  // Why it is not open.
    Time retry_at_ = Time::max();
    // True if a packet can say its protocol: else IPsec policies for EoIP's do
    // not hold for headers that we write, and keepalives would go in the
    // clear.
    bool takes_protocol_ = false;

    // On their way.
    std::array<Slot, kBatch> slots_;
    std::array<mmsghdr, kBatch> messages_;
    std::size_t n_ = 0;
};

}  // namespace eoip

#endif  // EOIP_KEEPALIVE_SOCKET_H
