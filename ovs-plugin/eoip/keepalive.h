// SPDX-License-Identifier: Apache-2.0
//
// When to send a tunnel's keepalives, and when its peer is gone.
//
// A pure state machine: 'now' and events go in, what to do and the next
// deadline come out.  No clock, no socket, no thread; the provider's
// keepalive.cc has those.
//
//   off        Sends nothing and watches nothing: keepalive=none.
//   unwatched  Sends, but never takes the link down: no retries.
//   waiting    Has not heard the peer yet, and gives it the time that a
//              silent one has.  The link is up.
//   up         Has heard the peer.
//   down       Has heard nothing for interval x retries.  The link is down.
//
// Every interval one keepalive is sent, also while down; nobody replies.
// [cap]  Anything valid that the tunnel receives is a sign of life and leads
// to "up" at once.  [peer, infer]  A peer is never called gone before two
// intervals have passed, because RouterOS leaves gaps of 1.8 of them.  [cap]
//
// Who was suspended cannot blame the peer for the silence.  A timer that comes
// late by more than half an interval tells so, and then the peer has two
// intervals more.

#ifndef EOIP_KEEPALIVE_H
#define EOIP_KEEPALIVE_H

#include <chrono>
#include <cstdint>
#include <optional>

namespace eoip {

using Time = std::chrono::milliseconds;  // Since any fixed moment.

struct KeepaliveConfig {
    Time interval{10000};
    std::uint8_t retries = 0;  // 0: the link stays up, whatever is heard.

    bool operator==(const KeepaliveConfig &) const = default;
};

class Keepalive {
public:
    enum class State { off, unwatched, waiting, up, down };

    // Begins, goes on with other settings, or ends.  Sends at once, and then
    // every interval from 'phase' on, 0 to 999 thousandths of an interval
    // from now, so that many tunnels do not send together.  With the settings
    // in force nothing changes.
    void configure(const std::optional<KeepaliveConfig> &config,
                   unsigned phase, Time now);

    // Something valid was received at 'when', which may lie back.
    void heard(Time when, Time now);

    // The deadline has passed.  Returns true if a keepalive is to be sent.
    [[nodiscard]] bool expire(Time now);

    // What expire() asked for could not be sent: once more in a second.
    void not_sent(Time now);

    // What expire() asked for is held back, until can_be_sent().
    void held_back() { is_held_back_ = true; }
    void can_be_sent(Time now);

    // True if the peer was heard within the time that it has before it is
    // called gone; where that never happens, within 10 intervals.
    [[nodiscard]] bool heard_lately(Time now) const;

    // When expire() has to be called; Time::max() for never.
    [[nodiscard]] Time deadline() const;

    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] bool link_is_up() const { return state_ != State::down; }
    [[nodiscard]] bool watches() const { return config_ && config_->retries; }
    [[nodiscard]] Time since() const { return since_; }
    [[nodiscard]] std::optional<Time> last_heard() const { return heard_; }

private:
    void enter(State state, Time now);
    [[nodiscard]] Time silent_from() const;
    [[nodiscard]] Time patience() const;

    std::optional<KeepaliveConfig> config_;
    State state_ = State::off;
    Time since_{0};              // When 'state_' began.
    Time due_{0};                // The next one in the order of intervals.
    Time retry_{0};              // One besides; Time::max() for none.
    Time gone_{0};               // When the peer is given up, if watched.
    std::optional<Time> heard_;  // Last sign of life.
    bool is_held_back_ = false;
    bool silence_is_due_ = false;  // Unwatched: at silent_from().
};

// "up" and so on.
[[nodiscard]] const char *keepalive_state_name(Keepalive::State state);

}  // namespace eoip

#endif  // EOIP_KEEPALIVE_H
