// SPDX-License-Identifier: Apache-2.0
//
// When a port that learns its peer may take another one.
//
// A pure state machine: what was heard and the time that passed go in, whether
// the place is free comes out.  It is free while there is no peer, and once
// the peer has been silent for long enough.  Only time that was watched
// counts, so that nobody loses the place while the switch was suspended.

#ifndef EOIP_LEARNING_H
#define EOIP_LEARNING_H

#include <algorithm>

#include "eoip/keepalive.h"

namespace eoip {

class Learning {
public:
    // How long a peer must be silent; what was counted so far stays.
    void configure(Time after) { after_ = after; }

    // There is another peer from now on, or, if not, none any more.
    void set_peer(bool there)
    {
        has_peer_ = there;
        silent_ = Time(0);
    }

    // The peer has sent something valid.
    void heard() { silent_ = Time(0); }

    // 'time' has passed, watched, without a sign of the peer.
    void pass(Time time) { silent_ = std::min(silent_ + time, kTimeMax); }

    [[nodiscard]] bool is_free() const
    {
        return !has_peer_ || silent_ >= after_;
    }
    [[nodiscard]] bool has_peer() const { return has_peer_; }
    [[nodiscard]] Time silent() const { return silent_; }

private:
    static constexpr Time kTimeMax = std::chrono::hours(24 * 365 * 100);

    Time after_{0};
    Time silent_{0};
    bool has_peer_ = false;
};

}  // namespace eoip

#endif  // EOIP_LEARNING_H
