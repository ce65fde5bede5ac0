// SPDX-License-Identifier: Apache-2.0
//
// Sends keepalives by the way that the frames of their tunnel take: through the
// userspace datapath, or with the kernel's, which a raw socket leaves it to;
// and hears those that the kernel's datapath lets pass.

#ifndef EOIP_KEEPALIVE_SENDER_H
#define EOIP_KEEPALIVE_SENDER_H

#include <string_view>

#include "keepalive_socket.h"

struct ofport_dpif;

namespace eoip {

// Used by one thread only.
class KeepaliveSender {
public:
    // What became of a keepalive: why it was not sent, or empty; and whether
    // that is for lack of the next hop's MAC address.
    using Done = void(eoip_tunnel *tunnel, std::string_view not_sent,
                      bool no_neighbour);

    KeepaliveSender(Done *done, KeepaliveSocket::Heard *heard);

    // Sends a keepalive to the peer, whose address is known, no later than the
    // next flush().  'push' sends what stands for one out of 'port' of the
    // userspace datapath; the kernel's has none.
    void send(eoip_tunnel *tunnel, const ofport_dpif *port,
              void (*push)(const ofport_dpif *));
    void flush();

    // Tells of what has come to the host.  With 'always' it is heard also
    // while nothing has been sent, as there may be nobody to send to yet.
    void receive(bool always);

    // Has poll_block() wake up when there is more.
    void wait(bool always) const;

private:
    void send_in_userspace(eoip_tunnel *tunnel, const ofport_dpif *port,
                           void (*push)(const ofport_dpif *));

    Done *const done_;
    KeepaliveSocket raw4_;
    KeepaliveSocket raw6_;
};

}  // namespace eoip

#endif  // EOIP_KEEPALIVE_SENDER_H
