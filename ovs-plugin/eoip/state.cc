// SPDX-License-Identifier: Apache-2.0

#include "eoip/state.h"

namespace eoip {

State judge(const Signs &signs, const Keepalive &keepalive, Time now)
{
    return signs.obstacle        ? *signs.obstacle
           : signs.learns_nobody ? State::learning
           : keepalive.state() == Keepalive::State::off ? State::unwatched
           : keepalive.heard_lately(now)                ? State::up
           : signs.asks_neighbour                       ? State::no_neighbour
           : keepalive.last_heard()                     ? State::silent
                                                        : State::waiting;
}

bool link_is_up(const Signs &signs, const Keepalive &keepalive)
{
    return !signs.obstacle && keepalive.link_is_up();
}

const char *state_name(State state)
{
    switch (state) {
    case State::up:
        return "up";
    case State::waiting:
        return "waiting";
    case State::silent:
        return "silent";
    case State::unwatched:
        return "unwatched";
    case State::no_neighbour:
        return "no-neighbour";
    case State::learning:
        return "learning";
    case State::no_route:
        return "no-route";
    case State::not_a_port:
        return "not-a-port";
    case State::no_address:
        return "no-address";
    case State::own_address:
        return "own-address";
    case State::name_unresolved:
        return "name-unresolved";
    case State::no_datapath:
        break;
    }
    return "no-datapath";
}

}  // namespace eoip
