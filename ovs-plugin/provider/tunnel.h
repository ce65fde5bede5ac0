// SPDX-License-Identifier: Apache-2.0
//
// One tunnel: its configuration, the addresses that its host names stand for,
// and its counters.  Behind the C interface of eoip-provider.h; show.cc reads
// it as well.

#ifndef EOIP_TUNNEL_H
#define EOIP_TUNNEL_H

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "eoip-provider.h"
#include "eoip/keepalive.h"
#include "eoip/learning.h"
#include "setup.h"

namespace eoip {

// Counted by any thread.
struct Counters {
    std::array<std::atomic<std::uint64_t>, EOIP_N_DROPS> drops{};
    std::atomic<std::uint64_t> rx_keepalives{};
    std::atomic<std::uint64_t> rx_trimmed{};
    std::atomic<std::uint64_t> tx_keepalives{};
    std::atomic<std::uint64_t> rx_packets{};
    std::atomic<std::uint64_t> rx_bytes{};
    std::atomic<std::uint64_t> tx_packets{};
    std::atomic<std::uint64_t> tx_bytes{};
};

inline void count(std::atomic<std::uint64_t> &counter, std::uint64_t n = 1)
{
    counter.fetch_add(n, std::memory_order_relaxed);
}

// What keepalives.cc keeps for a tunnel.
struct KeepaliveState {
    // What any thread may read or say.
    std::atomic<Time::rep> heard_at{0};  // Last keepalive; 0: none yet.
    std::atomic<bool> eager{false};      // The next one is urgent,
    std::atomic<bool> is_noted{false};   // and has come: see note_heard().
    eoip_tunnel *next_noted = nullptr;
    std::atomic<bool> link_is_up{true};
    std::atomic<long long> resets{0};  // Times that the link changed.

    // Guarded by the mutex of keepalives.cc.
    Keepalive machine;
    Time queued = Time::max();  // Deadline in the queue.
    void *netdev = nullptr;     // While it is there.
    std::uint64_t rx_packets = 0;  // When last looked at.
    int error = 0;                 // Why it was not sent: an errno.
};

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

// The state of a tunnel whose peer or keys are up to the flows.
inline constexpr const char *kFlowBased = "flow-based";

// How a tunnel's keepalives are.
struct KeepaliveReport {
    const char *state;
    bool flow_based;
    bool link_is_up;
    Time since;
    std::optional<Time> heard;
    Time now;
    int error;  // Why the last one was not sent, an errno; or 0.
};
[[nodiscard]] KeepaliveReport keepalive_report(const eoip_tunnel *tunnel);

// Main thread: what a learning tunnel has learned.
struct LearningReport {
    std::optional<Address> peer;
    Time since;
    Time now;
    Time silent;
    std::uint64_t not_the_peer;  // Packets of others, dropped.
};
[[nodiscard]] LearningReport learning_report(const eoip_tunnel *tunnel);

// When no thread can hear of the tunnel any more: forgets it.
void keepalive_forget();

// Takes over the configuration in force.
void learning_commit(eoip_tunnel *tunnel);

// As eoip_tunnel_prepare(), with addresses and all.
void prepare(eoip_tunnel &tunnel, Setup setup, smap *ovs_options,
             eoip_match *match);

}  // namespace eoip

struct eoip_tunnel {
    explicit eoip_tunnel(const char *name_);
    ~eoip_tunnel();
    eoip_tunnel(const eoip_tunnel &) = delete;
    eoip_tunnel &operator=(const eoip_tunnel &) = delete;

    // What is in force.  Any thread, until it quiesces.
    [[nodiscard]] const eoip::Setup &setup() const
    {
        return *in_force.load(std::memory_order_acquire);
    }

    const std::string name;
    const std::uint32_t number;  // This tunnel's own.
    std::atomic<eoip::Setup *> in_force{new eoip::Setup};
    std::unique_ptr<eoip::Setup> prepared;  // Main thread only.
    std::atomic<int> underlay_mtu{1500};
    eoip::Counters counters;
    eoip::KeepaliveState keepalive;
    eoip::LearningState learning;
};

#endif  // EOIP_TUNNEL_H
