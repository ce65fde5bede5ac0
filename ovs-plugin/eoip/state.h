// SPDX-License-Identifier: Apache-2.0
//
// How a tunnel is, in one word, and whether its link is up.  Pure functions of
// what is known of its path and of its peer.
//
//   up               The peer was heard within interval x retries; where
//                    retries is 0, within 10 intervals.
//   waiting          Nothing was heard yet.  Link: up until the retries are
//                    over.
//   silent           The peer was heard before that.  Link: as its keepalives
//                    say, which without retries is up.
//   unwatched        Nothing is claimed: no keepalives, or the peer or the key
//                    is up to the flows.
//   no-neighbour     The next hop was asked for its MAC address and does not
//                    answer.  Link: as for waiting and silent.
//   learning         The peer is not known yet.  Link: as its keepalives say.
//
// and with the link down at once, whatever was heard:
//
//   no-route         No route leads to the peer.
//   not-a-port       The route leads to a device that is not the underlay of
//                    the switch's datapath.
//   no-address       local_ip is not an address of this host.
//   own-address      remote_ip is one.
//   name-unresolved  A host name has no address yet.
//   no-datapath      The kernel's device of the tunnels is missing or off.

#ifndef EOIP_STATE_H
#define EOIP_STATE_H

#include <optional>

#include "eoip/keepalive.h"

namespace eoip {

enum class State {
    up,
    waiting,
    silent,
    unwatched,
    no_neighbour,
    learning,
    no_route,
    not_a_port,
    no_address,
    own_address,
    name_unresolved,
    no_datapath,
};

// What is known of a tunnel.
struct Signs {
    // Why its frames cannot leave: one of those that take the link down.
    std::optional<State> obstacle;
    bool learns_nobody = false;   // Its peer is still to be learned.
    bool asks_neighbour = false;  // In vain, for some time.
};

// 'keepalive' is the tunnel's, off if nobody is to be watched.
[[nodiscard]] State judge(const Signs &signs, const Keepalive &keepalive,
                          Time now);

[[nodiscard]] bool link_is_up(const Signs &signs, const Keepalive &keepalive);

// "up", "no-route" and so on.
[[nodiscard]] const char *state_name(State state);

}  // namespace eoip

#endif  // EOIP_STATE_H
