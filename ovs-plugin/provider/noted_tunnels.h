// SPDX-License-Identifier: Apache-2.0
//
// Tunnels that the packet path wants somebody to look at.

#ifndef EOIP_NOTED_TUNNELS_H
#define EOIP_NOTED_TUNNELS_H

#include <atomic>

#include "tunnel.h"

namespace eoip {

// Each is in it once, linked by what KeepaliveState has for that.
class NotedTunnels {
public:
    // Any thread.  Returns false if it is in already.
    bool add(eoip_tunnel *tunnel)
    {
        KeepaliveState &state = tunnel->keepalive;

        if (state.is_noted.exchange(true)) {
            return false;
        }
        eoip_tunnel *first = first_.load();
        do {
            state.next_noted = first;
        } while (!first_.compare_exchange_weak(first, tunnel));
        return true;
    }

    // One thread at a time: takes all out and calls 'look' for each, which
    // may be added again as soon as that begins.
    template <class Look> void take(Look look)
    {
        eoip_tunnel *tunnel = first_.exchange(nullptr);

        while (tunnel) {
            KeepaliveState &state = tunnel->keepalive;
            eoip_tunnel *next = state.next_noted;
            state.is_noted = false;  // Before 'look' reads what was heard.
            look(tunnel);
            tunnel = next;
        }
    }

private:
    std::atomic<eoip_tunnel *> first_{nullptr};
};

}  // namespace eoip

#endif  // EOIP_NOTED_TUNNELS_H
