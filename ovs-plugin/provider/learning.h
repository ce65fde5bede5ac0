/* SPDX-License-Identifier: Apache-2.0
 *
 * Learned peers: remote_ip=learn. */

#ifndef EOIP_PROVIDER_LEARNING_H
#define EOIP_PROVIDER_LEARNING_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <netinet/in.h>

struct eoip_match;
struct eoip_tunnel;
struct smap;

#ifdef __cplusplus
extern "C" {
#endif

/* True if the tunnel learns its peer, as prepared last. */
bool eoip_tunnel_learns(const struct eoip_tunnel *);

/* Any thread: a valid packet from 'remote' to 'local' came with the key of the
 * learning tunnel, but 'remote' is not its peer.  Returns true if it may
 * become that. */
bool eoip_learning_meet(struct eoip_tunnel *, const struct in6_addr *remote,
                        const struct in6_addr *local);

/* Main thread: true if eoip_learning_look() is due for some tunnel; and to
 * wait for that. */
bool eoip_learning_met(void);
void eoip_learning_wait(void);

/* Main thread: the learning tunnel has received 'rx_packets' frames so far.
 * To be called every 'passed' milliseconds, and with 0 when it is due.  If the
 * peer's place is free and somebody wants it, prepares, as
 * eoip_tunnel_prepare() does, the configuration with the new peer, and returns
 * true. */
bool eoip_learning_look(struct eoip_tunnel *, uint64_t rx_packets,
                        long long passed, struct smap *ovs_options,
                        struct eoip_match *match);

#ifdef __cplusplus
}

#include <atomic>
#include <optional>

#include "eoip/address.h"
#include "eoip/learning.h"

namespace eoip {

// What learning.cc keeps for a tunnel.
struct LearningState {
    enum class Room { empty, filling, full };

    // What any thread may read or say.
    std::atomic<bool> is_free{false};     // The place of the peer.
    std::atomic<Room> room{Room::empty};  // For one stranger.
    Address stranger;  // Of who fills the room, then of the main thread.

    // Main thread only.
    Learning machine;
    std::optional<Address> peer;
    Time since{0};                 // When it became that.
    Time heard_at{0};              // Its last keepalive, as last looked at.
    std::uint64_t rx_packets = 0;  // When last looked at.
};

// Main thread: what a learning tunnel has learned.
struct LearningReport {
    std::optional<Address> peer;
    Time since;
    Time now;
    Time silent;
    std::uint64_t not_the_peer;  // Packets of others, dropped.
};
[[nodiscard]] LearningReport learning_report(const eoip_tunnel *tunnel);

// Takes over the configuration in force.
void learning_commit(eoip_tunnel *tunnel);

}  // namespace eoip

#endif /* __cplusplus */

#endif /* learning.h */
