// SPDX-License-Identifier: Apache-2.0
//
// One function per event; keepalive.h tells the states.

#include "eoip/keepalive.h"

#include <algorithm>

namespace eoip {
namespace {

constexpr Time kRetry{1000};

}  // namespace

void Keepalive::configure(const std::optional<KeepaliveConfig> &config,
                          unsigned phase, Time now)
{
    if (config == config_) {
        return;
    }
    const bool known =
        config_ && config && config_->interval == config->interval;
    config_ = config;
    if (!config) {
        silence_is_due_ = false;
        enter(State::off, now);
        return;
    }
    if (!known) {
        due_ = now + config->interval * (phase % 1000) / 1000;
        retry_ = now;
    }
    gone_ = now + patience();
    silence_is_due_ = !watches() && heard_lately(now);
    if (!watches()) {
        enter(State::unwatched, now);
    } else if (state_ == State::off || state_ == State::unwatched) {
        enter(heard_ && now - *heard_ < patience() ? State::up
                                                   : State::waiting,
              now);
    }
}

void Keepalive::heard(Time when, Time now)
{
    if (heard_ && when <= *heard_) {
        return;
    }
    heard_ = when;
    if (!watches()) {
        silence_is_due_ = heard_lately(now);
        return;
    }
    gone_ = std::max(gone_, when + patience());
    if (state_ != State::up && now < when + patience()) {
        enter(State::up, now);
    }
}

bool Keepalive::expire(Time now)
{
    if (!config_ || now < deadline()) {
        return false;
    }
    if (now - deadline() > config_->interval / 2) {
        gone_ = std::max(gone_, now + 2 * config_->interval);
    }
    if (watches() && state_ != State::down && now >= gone_) {
        enter(State::down, now);
    }
    silence_is_due_ = silence_is_due_ && now < silent_from();
    if (now < std::min(due_, retry_)) {
        return false;
    }
    if (now >= due_) {
        // From when it was due, not from now: lateness does not add up.
        due_ += ((now - due_) / config_->interval + 1) * config_->interval;
    }
    retry_ = Time::max();
    return true;
}

void Keepalive::not_sent(Time now)
{
    retry_ = now + kRetry;
}

void Keepalive::can_be_sent(Time now)
{
    if (is_held_back_) {
        is_held_back_ = false;
        retry_ = now;
    }
}

bool Keepalive::heard_lately(Time now) const
{
    return config_
           && (watches() ? state_ == State::up
                         : heard_ && now < silent_from());
}

Time Keepalive::silent_from() const
{
    return *heard_ + 10 * config_->interval;
}

Time Keepalive::deadline() const
{
    if (!config_) {
        return Time::max();
    }
    const bool can_go_down = watches() && state_ != State::down;
    return std::min({due_, retry_, can_go_down ? gone_ : Time::max(),
                     silence_is_due_ ? silent_from() : Time::max()});
}

void Keepalive::enter(State state, Time now)
{
    state_ = state;
    since_ = now;
}

Time Keepalive::patience() const
{
    return config_->interval * std::max<int>(config_->retries, 2);
}

const char *keepalive_state_name(Keepalive::State state)
{
    switch (state) {
    case Keepalive::State::off:
        return "off";
    case Keepalive::State::unwatched:
        return "unwatched";
    case Keepalive::State::waiting:
        return "waiting";
    case Keepalive::State::up:
        return "up";
    case Keepalive::State::down:
        break;
    }
    return "down";
}

}  // namespace eoip
