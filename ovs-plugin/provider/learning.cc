// SPDX-License-Identifier: Apache-2.0
//
// Ports with remote_ip=learn: who may be the peer, and since when.
//
// Everywhere else such a port is one with a fixed remote, in 127.0.0.0/8 while
// it has none, which changes as that of a host name does.  So a packet of the
// peer costs nothing here; what comes from others, and no port claims, is
// brought to eoip_learning_meet().  There is room for one stranger at a time,
// and the main thread looks at it: nothing grows with the number of sources.

#include "tunnel.h"

#include <atomic>
#include <utility>

#include "util.h"
#include <config.h>
extern "C" {
#include "openvswitch/poll-loop.h"
#include "seq.h"
#include "smap.h"
#include "timeval.h"
}

namespace eoip {

namespace {

std::atomic<bool> met{false};  // Some tunnel has met a stranger.
std::atomic<seq *> met_seq{nullptr};

void take_heard(eoip_tunnel *tunnel, std::uint64_t rx_packets)
{
    LearningState &state = tunnel->learning;
    const Time heard(
        tunnel->keepalive.heard_at.load(std::memory_order_relaxed));

    if (rx_packets != state.rx_packets || heard != state.heard_at) {
        state.rx_packets = rx_packets;
        state.heard_at = heard;
        state.machine.heard();
    }
}

// Who wants the place, if there is somebody.
std::optional<Address> take_stranger(LearningState &state)
{
    using Room = LearningState::Room;

    if (state.room.load(std::memory_order_acquire) != Room::full) {
        return {};
    }
    const Address stranger = state.stranger;
    state.room.store(Room::empty, std::memory_order_release);
    return stranger;
}

}  // namespace

void learning_commit(eoip_tunnel *tunnel)
{
    LearningState &state = tunnel->learning;
    const Setup &setup = tunnel->setup();
    const auto peer = setup.learns() ? setup.remote : std::nullopt;

    if (!met_seq) {
        met_seq = seq_create();
    }
    state.machine.configure(setup.config.learn_after);
    if (peer != state.peer) {
        state.peer = peer;
        state.since = Time(time_msec());
        state.machine.set_peer(peer.has_value());
    }
    state.is_free = setup.learns() && state.machine.is_free();
    take_stranger(state);
}

LearningReport learning_report(const eoip_tunnel *tunnel)
{
    const LearningState &state = tunnel->learning;
    eoip_counters counters;

    eoip_tunnel_get_counters(tunnel, &counters);
    return {state.peer, state.since, Time(time_msec()), state.machine.silent(),
            counters.drops[EOIP_DROP_NOT_THE_PEER]};
}

}  // namespace eoip

using namespace eoip;

bool eoip_tunnel_learns(const eoip_tunnel *tunnel)
{
    return tunnel->prepared->learns();
}

bool eoip_learning_meet(eoip_tunnel *tunnel, const in6_addr *remote,
                        const in6_addr *local)
{
    const Address stranger = to_address(*remote);
    using Room = LearningState::Room;
    LearningState &state = tunnel->learning;
    Room empty = Room::empty;

    if (!state.is_free.load(std::memory_order_relaxed)
        || stranger == to_address(*local) || !stranger.is_host()
        || stranger.is_link_local()
        || (!stranger.is_ipv4()
            && tunnel->setup().config.out_key.value > EOIP6_KEY_MAX)) {
        return false;
    }
    if (state.room.compare_exchange_strong(empty, Room::filling)) {
        state.stranger = stranger;
        state.room.store(Room::full, std::memory_order_release);
        met = true;
        seq_change(met_seq);
    }
    return true;
}

bool eoip_learning_met()
{
    return met.exchange(false);
}

void eoip_learning_wait()
{
    if (met_seq) {
        const std::uint64_t seen = seq_read(met_seq);
        if (met) {
            poll_immediate_wake();
        } else {
            seq_wait(met_seq, seen);
        }
    }
}

bool eoip_learning_look(eoip_tunnel *tunnel, uint64_t rx_packets,
                        long long passed, smap *ovs_options, eoip_match *match)
{
    LearningState &state = tunnel->learning;

    state.machine.pass(Time(passed));
    take_heard(tunnel, rx_packets);
    const bool is_free = state.machine.is_free();
    state.is_free = is_free;
    const auto stranger = take_stranger(state);
    if (!is_free || !stranger || stranger == state.peer) {
        return false;
    }
    Setup setup = tunnel->setup();
    setup.remote = stranger;
    prepare(*tunnel, std::move(setup), ovs_options, match);
    return true;
}
