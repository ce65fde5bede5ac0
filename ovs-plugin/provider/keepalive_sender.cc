// SPDX-License-Identifier: Apache-2.0

#include "keepalive_sender.h"

#include "eoip/drops.h"
#include "tunnel.h"

#include "util.h"
#include <config.h>
extern "C" {
#include "openvswitch/poll-loop.h"
}

namespace eoip {

namespace {

constexpr int kNotPushed = -1;  // What was sent did not come as far as that.

}  // namespace

KeepaliveSender::KeepaliveSender(Done *done, KeepaliveSocket::Heard *heard)
    : done_(done), raw4_(AF_INET, done, heard), raw6_(AF_INET6, done, heard)
{
}

// What becomes of it is known at once.
void KeepaliveSender::send_in_userspace(eoip_tunnel *tunnel,
                                        const ofport_dpif *port,
                                        void (*push)(const ofport_dpif *))
{
    std::atomic<int> &pushed = tunnel->keepalive.pushed;

    pushed = kNotPushed;
    push(port);
    const int why = pushed;
    if (why == EOIP_N_DROPS) {
        done_(tunnel, "", false);
    } else if (why == kNotPushed) {
        done_(tunnel, "the bridge lets nothing out of the port", false);
    } else {
        const auto drop = static_cast<eoip_drop>(why);
        done_(tunnel, eoip_drop_sentence(eoip_drop_counter(drop)),
              drop == EOIP_DROP_NO_NEIGHBOR);
    }
}

void KeepaliveSender::send(eoip_tunnel *tunnel, const ofport_dpif *port,
                           void (*push)(const ofport_dpif *))
{
    const Setup &setup = tunnel->setup();

    if (port) {
        send_in_userspace(tunnel, port, push);
    } else {
        (setup.remote->is_ipv4() ? raw4_ : raw6_).send(tunnel, setup);
    }
}

void KeepaliveSender::flush()
{
    raw4_.flush();
    raw6_.flush();
}

void KeepaliveSender::receive(bool always)
{
    for (KeepaliveSocket *socket : {&raw4_, &raw6_}) {
        if (always) {
            socket->open();
        }
        socket->receive();
    }
}

void KeepaliveSender::wait(bool always) const
{
    for (const KeepaliveSocket *socket : {&raw4_, &raw6_}) {
        if (socket->fd() >= 0) {
            poll_fd_wait(socket->fd(), POLLIN);
        } else if (always && socket->retry_at() != Time::max()) {
            poll_timer_wait_until(socket->retry_at().count());
        }
    }
}

}  // namespace eoip
