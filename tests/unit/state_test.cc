// SPDX-License-Identifier: Apache-2.0
//
// eoip/state.h: one word for what is known of a tunnel.

#include "eoip/state.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace eoip {

void PrintTo(State state, std::ostream *out)
{
    *out << state_name(state);
}

namespace {

constexpr Time kInterval{10000};
constexpr Time kBegin{1000};

Keepalive machine(int retries)
{
    Keepalive keepalive;
    keepalive.configure(KeepaliveConfig{kInterval,
                                        static_cast<std::uint8_t>(retries)},
                        0, kBegin);
    return keepalive;
}

void pass(Keepalive &keepalive, Time end)
{
    while (keepalive.deadline() <= end) {
        static_cast<void>(keepalive.expire(keepalive.deadline()));
    }
}

TEST(State, PeerWithoutRetries)
{
    Keepalive peer = machine(0);
    EXPECT_EQ(judge({}, peer, kBegin), State::waiting);
    pass(peer, kBegin + 1000 * kInterval);
    const Time heard = kBegin + 1000 * kInterval;
    EXPECT_EQ(judge({}, peer, heard), State::waiting);
    peer.heard(heard, heard);
    const Time end = heard + 10 * kInterval;
    EXPECT_EQ(judge({}, peer, end - Time(1)), State::up);
    EXPECT_EQ(judge({}, peer, end), State::silent);
    EXPECT_TRUE(link_is_up({}, peer));
}

// Somebody has to look when it falls silent, and not all the time.
TEST(State, SilenceHasADeadline)
{
    Keepalive peer = machine(0);
    peer.heard(kBegin + Time(5), kBegin + Time(5));
    const Time end = kBegin + Time(5) + 10 * kInterval;
    std::set<Time> deadlines;
    while (peer.deadline() < end + kInterval) {
        const Time deadline = peer.deadline();
        EXPECT_TRUE(deadlines.insert(deadline).second);
        static_cast<void>(peer.expire(deadline));
    }
    EXPECT_TRUE(deadlines.contains(end));
}

TEST(State, PeerWithRetries)
{
    Keepalive peer = machine(3);
    pass(peer, kBegin + 3 * kInterval);
    const Time down = kBegin + 3 * kInterval;
    EXPECT_EQ(judge({}, peer, down), State::waiting);
    EXPECT_FALSE(link_is_up({}, peer));
    peer.heard(down, down);
    EXPECT_EQ(judge({}, peer, down), State::up);
    EXPECT_TRUE(link_is_up({}, peer));
    pass(peer, down + 3 * kInterval);
    EXPECT_EQ(judge({}, peer, down + 3 * kInterval), State::silent);
    EXPECT_FALSE(link_is_up({}, peer));
}

TEST(State, NobodyToWatch)
{
    Keepalive peer;
    peer.heard(kBegin, kBegin);
    EXPECT_EQ(judge({}, peer, kBegin), State::unwatched);
    EXPECT_TRUE(link_is_up({}, peer));
}

// What is in the way counts before what was heard, and takes the link down.
TEST(State, Obstacles)
{
    Keepalive peer = machine(0);
    peer.heard(kBegin, kBegin);
    for (const State obstacle :
         {State::no_route, State::not_a_port, State::no_address,
          State::own_address, State::name_unresolved, State::no_datapath}) {
        const Signs signs{obstacle, true, true};
        EXPECT_EQ(judge(signs, peer, kBegin), obstacle);
        EXPECT_EQ(judge(signs, Keepalive(), kBegin), obstacle);
        EXPECT_FALSE(link_is_up(signs, peer));
    }
}

// Whom nothing was heard of may be away because the next hop is; whom something
// was heard of lately is not.
TEST(State, NextHop)
{
    const Signs signs{{}, false, true};
    Keepalive peer = machine(0);
    EXPECT_EQ(judge(signs, peer, kBegin), State::no_neighbour);
    EXPECT_TRUE(link_is_up(signs, peer));
    peer.heard(kBegin, kBegin);
    EXPECT_EQ(judge(signs, peer, kBegin), State::up);
    EXPECT_EQ(judge(signs, peer, kBegin + 10 * kInterval),
              State::no_neighbour);
    EXPECT_EQ(judge({{}, true, true}, peer, kBegin), State::learning);
}

// A keepalive that is held back goes at once when it can, and only then.
TEST(State, HeldBack)
{
    Keepalive peer = machine(0);
    EXPECT_TRUE(peer.expire(kBegin));
    peer.held_back();
    peer.can_be_sent(kBegin + Time(3));
    EXPECT_EQ(peer.deadline(), kBegin + Time(3));
    EXPECT_TRUE(peer.expire(kBegin + Time(3)));
    peer.can_be_sent(kBegin + Time(5));
    EXPECT_GT(peer.deadline(), kBegin + Time(5));
}

TEST(State, NamesDiffer)
{
    std::set<std::string> names;
    for (int i = 0; i <= static_cast<int>(State::no_datapath); i++) {
        EXPECT_TRUE(names.insert(state_name(State(i))).second);
    }
    EXPECT_EQ(names.size(), 12u);
}

}  // namespace
}  // namespace eoip
