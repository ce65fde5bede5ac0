// SPDX-License-Identifier: Apache-2.0
//
// eoip/keepalive.h: time replayed as a table of events.

#include "eoip/keepalive.h"

#include <ostream>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace eoip {

void PrintTo(Keepalive::State state, std::ostream *out)
{
    *out << keepalive_state_name(state);
}

namespace {

using State = Keepalive::State;

constexpr Time s(double seconds)
{
    return Time(static_cast<Time::rep>(seconds * 1000));
}

KeepaliveConfig settings(int interval, std::uint8_t retries)
{
    return {std::chrono::seconds(interval), retries};
}

// The machine, driven as the provider drives it: expire() at each deadline,
// or at the next multiple of 'granule' behind it.
class Peer {
public:
    Keepalive machine;
    std::vector<Time> sent;

    explicit Peer(std::optional<KeepaliveConfig> config, unsigned phase = 0,
                  Time start = s(1000))
        : now_(start)
    {
        machine.configure(config, phase, now_);
    }

    // Time passes until 'seconds' from now.
    void pass(double seconds)
    {
        const Time end = now_ + s(seconds);
        while (machine.deadline() <= end) {
            now_ = std::max(now_, machine.deadline());
            if (machine.expire(now_)) {
                sent.push_back(now_);
            }
        }
        now_ = end;
    }

    // Time passes without us: the process was stopped, or the machine slept.
    void sleep(double seconds) { now_ += s(seconds); }

    void hear() { machine.heard(now_, now_); }
    Time now() const { return now_; }
    State state() const { return machine.state(); }

private:
    Time now_;
};

TEST(Keepalive, NoneIsOffForever)
{
    Peer peer(std::nullopt);
    peer.pass(100000);
    EXPECT_EQ(peer.state(), State::off);
    EXPECT_EQ(peer.machine.deadline(), Time::max());
    EXPECT_TRUE(peer.sent.empty());
    peer.hear();
    EXPECT_EQ(peer.state(), State::off);
    EXPECT_TRUE(peer.machine.last_heard());
}

TEST(Keepalive, WithoutRetriesTheLinkStaysUp)
{
    Peer peer(settings(10, 0));
    peer.pass(100000);
    EXPECT_EQ(peer.state(), State::unwatched);
    EXPECT_TRUE(peer.machine.link_is_up());
    EXPECT_FALSE(peer.machine.last_heard());
    EXPECT_EQ(peer.sent.size(), 10001u);
}

// When the link of a silent peer goes down, to the millisecond.
TEST(Keepalive, SilenceTakesItDown)
{
    struct Case {
        int interval;
        std::uint8_t retries;
        double seconds;
    };
    for (const auto &[interval, retries, seconds] :
         {Case{10, 10, 100}, Case{10, 3, 30}, Case{10, 2, 20}, Case{10, 1, 20},
          Case{1, 1, 2}, Case{1, 255, 255}, Case{65535, 255, 65535. * 255}}) {
        Peer peer(settings(interval, retries), 500);
        peer.pass(seconds - 0.001);
        EXPECT_EQ(peer.state(), State::waiting) << interval << "," << +retries;
        peer.pass(0.001);
        EXPECT_EQ(peer.state(), State::down) << interval << "," << +retries;
        EXPECT_EQ(peer.machine.since(), peer.now());
        EXPECT_FALSE(peer.machine.link_is_up());
    }
}

TEST(Keepalive, TheFirstSignOfLifeBringsItUp)
{
    Peer peer(settings(10, 3));
    peer.pass(1000);
    EXPECT_EQ(peer.state(), State::down);
    peer.hear();
    EXPECT_EQ(peer.state(), State::up);
    EXPECT_EQ(peer.machine.since(), peer.now());
    peer.pass(29.999);
    EXPECT_EQ(peer.state(), State::up);
    peer.pass(0.001);
    EXPECT_EQ(peer.state(), State::down);
}

TEST(Keepalive, SendsOnWhileDown)
{
    Peer peer(settings(10, 2));
    peer.pass(1000);
    EXPECT_EQ(peer.state(), State::down);
    const std::size_t before = peer.sent.size();
    peer.pass(1000);
    EXPECT_EQ(peer.sent.size(), before + 100);
}

TEST(Keepalive, TheGapsOfRouterOsDoNotTakeItDown)
{
    // As captured: 10.4 s, but 17.7 s now and then.
    for (const std::uint8_t retries : {1, 2, 10}) {
        Peer peer(settings(10, retries));
        peer.hear();
        for (const double gap : {10.4, 10.4, 13.5, 11.4, 17.7, 10.4, 17.7}) {
            peer.pass(gap);
            EXPECT_EQ(peer.state(), State::up) << +retries << " " << gap;
            peer.hear();
        }
    }
}

TEST(Keepalive, SendsAtOnceAndThenAtItsPhase)
{
    for (const unsigned phase : {0u, 1u, 500u, 999u}) {
        Peer peer(settings(10, 0), phase);
        peer.pass(25);
        ASSERT_GE(peer.sent.size(), 3u);
        EXPECT_EQ(peer.sent[0], s(1000));
        const std::size_t next = phase ? 1 : 0;
        EXPECT_EQ(peer.sent[next], s(1000) + Time(10 * phase));
        EXPECT_EQ(peer.sent[next + 1] - peer.sent[next], s(10));
    }
}

TEST(Keepalive, LatenessDoesNotAddUp)
{
    Keepalive machine;
    std::mt19937 random(1);
    std::uniform_int_distribution late(0, 400);

    machine.configure(settings(1, 0), 0, s(0));
    for (int i = 0; i < 100000; i++) {
        EXPECT_EQ(machine.deadline(), Time(1000 * i));
        EXPECT_TRUE(machine.expire(machine.deadline() + Time(late(random))));
    }
}

TEST(Keepalive, WhatWasMissedIsNotMadeUpFor)
{
    Peer peer(settings(10, 0), 300);
    peer.pass(20);
    const std::size_t before = peer.sent.size();
    peer.sleep(1000);
    peer.pass(0);
    EXPECT_EQ(peer.sent.size(), before + 1);
    peer.pass(10);
    EXPECT_EQ(peer.sent.size(), before + 2);
    EXPECT_EQ((peer.sent.back() - s(1003)) % s(10), s(0));
}

TEST(Keepalive, ASuspendedProcessDoesNotBlameThePeer)
{
    for (const double asleep : {25., 300., 100000.}) {
        Peer peer(settings(10, 2));
        peer.hear();
        peer.pass(15);
        peer.sleep(asleep);
        peer.pass(19.9);
        EXPECT_EQ(peer.state(), State::up) << asleep;
        peer.pass(0.1);
        EXPECT_EQ(peer.state(), State::down) << asleep;
    }
}

// More patience than two intervals is not cut down to them.
TEST(Keepalive, ASuspensionDoesNotShortenThePatience)
{
    Peer peer(settings(10, 10));
    peer.hear();
    peer.pass(15);
    peer.sleep(25);
    peer.pass(59.999);
    EXPECT_EQ(peer.state(), State::up);
    peer.pass(0.001);
    EXPECT_EQ(peer.state(), State::down);
}

// Nor does a sign of life from before it.
TEST(Keepalive, AnOlderSignOfLifeDoesNotShortenWhatASuspensionGave)
{
    Peer peer(settings(10, 2));
    peer.hear();
    peer.sleep(3600);
    peer.pass(0);
    peer.machine.heard(peer.now() - s(5), peer.now());
    peer.pass(19.999);
    EXPECT_EQ(peer.state(), State::up);
    peer.pass(0.001);
    EXPECT_EQ(peer.state(), State::down);
}

TEST(Keepalive, HalfAnIntervalTooLateIsASuspension)
{
    for (const int late : {5000, 5001}) {
        Peer peer(settings(10, 2));
        peer.hear();
        peer.pass(15);
        peer.sleep((5000 + late) / 1000.);
        peer.pass(0);
        EXPECT_EQ(peer.state(), late > 5000 ? State::up : State::down) << late;
    }
}

TEST(Keepalive, ASuspendedProcessHearsWhatHadWaited)
{
    Peer peer(settings(10, 2));
    peer.hear();
    peer.sleep(3600);
    peer.pass(0);
    peer.hear();
    peer.pass(19.9);
    EXPECT_EQ(peer.state(), State::up);
}

TEST(Keepalive, OldSignsOfLifeDoNotBringItUp)
{
    Peer peer(settings(10, 2));
    peer.pass(100);
    EXPECT_EQ(peer.state(), State::down);
    peer.machine.heard(peer.now() - s(20), peer.now());
    EXPECT_EQ(peer.state(), State::down);
    peer.machine.heard(peer.now() - s(5), peer.now());
    EXPECT_EQ(peer.state(), State::up);
    peer.pass(14.9);
    EXPECT_EQ(peer.state(), State::up);
    peer.pass(0.1);
    EXPECT_EQ(peer.state(), State::down);
}

TEST(Keepalive, WhatCannotBeSentIsTriedAgainInASecond)
{
    Peer peer(settings(10, 0), 500);
    Keepalive &machine = peer.machine;
    EXPECT_TRUE(machine.expire(s(1000)));
    machine.not_sent(s(1000));
    EXPECT_EQ(machine.deadline(), s(1001));
    EXPECT_TRUE(machine.expire(s(1001)));
    EXPECT_EQ(machine.deadline(), s(1005));
}

TEST(Keepalive, TheSameSettingsChangeNothing)
{
    Peer peer(settings(10, 3), 700);
    peer.hear();
    peer.pass(12);
    const Time deadline = peer.machine.deadline();
    peer.machine.configure(settings(10, 3), 100, peer.now());
    EXPECT_EQ(peer.machine.deadline(), deadline);
    EXPECT_EQ(peer.state(), State::up);
}

// The switch gives settings again with every change of its database.
TEST(Keepalive, TheSameSettingsDoNotProlongTheWait)
{
    Peer peer(settings(10, 2));
    peer.pass(10);
    peer.machine.configure(settings(10, 2), 0, peer.now());
    peer.pass(9.999);
    EXPECT_EQ(peer.state(), State::waiting);
    peer.pass(0.001);
    EXPECT_EQ(peer.state(), State::down);
}

TEST(Keepalive, AnotherIntervalBeginsAtOnceAtItsOwnPhase)
{
    Peer peer(settings(10, 0));
    peer.pass(12);
    peer.sent.clear();
    peer.machine.configure(settings(5, 0), 500, peer.now());
    const Time changed = peer.now();
    peer.pass(10);
    EXPECT_EQ(peer.sent, (std::vector<Time>{changed, changed + s(2.5),
                                            changed + s(7.5)}));
    // Other retries are no reason to send.
    peer.sent.clear();
    peer.machine.configure(settings(5, 2), 0, peer.now());
    peer.pass(2.4);
    EXPECT_TRUE(peer.sent.empty());
}

TEST(Keepalive, ASignOfLifeIsOldAfterThePatienceToTheMillisecond)
{
    for (const int age : {19999, 20000}) {
        Peer peer(settings(10, 0));
        peer.hear();
        peer.pass(age / 1000.);
        peer.machine.configure(settings(10, 2), 0, peer.now());
        EXPECT_EQ(peer.state(), age < 20000 ? State::up : State::waiting);
    }
}

TEST(Keepalive, AnOldSignOfLifeToldAgainIsNone)
{
    Peer peer(settings(10, 0));
    const Time heard = peer.now();
    peer.hear();
    peer.pass(25);
    peer.machine.configure(settings(10, 2), 0, peer.now());
    peer.machine.configure(settings(10, 3), 0, peer.now());
    EXPECT_EQ(peer.state(), State::waiting);
    peer.machine.heard(heard, peer.now());
    EXPECT_EQ(peer.state(), State::waiting);
}

TEST(Keepalive, OtherSettings)
{
    Peer peer(settings(10, 0));
    peer.hear();
    peer.pass(15);
    // Heard 15 s ago: enough for three intervals, not for two of 5 s.
    peer.machine.configure(settings(10, 3), 0, peer.now());
    EXPECT_EQ(peer.state(), State::up);
    peer.machine.configure(std::nullopt, 0, peer.now());
    EXPECT_EQ(peer.state(), State::off);
    peer.machine.configure(settings(5, 2), 0, peer.now());
    EXPECT_EQ(peer.state(), State::waiting);
    peer.pass(10);
    EXPECT_EQ(peer.state(), State::down);
    // Who stops to watch has no reason left to be down.
    peer.machine.configure(settings(5, 0), 0, peer.now());
    EXPECT_EQ(peer.state(), State::unwatched);
    EXPECT_TRUE(peer.machine.link_is_up());
}

TEST(Keepalive, AnyOrderOfEventsKeepsItsPromises)
{
    std::mt19937 random(7);
    for (int round = 0; round < 200; round++) {
        const auto config = settings(1 + random() % 20, random() % 4);
        Peer peer(config, random() % 1000);
        Time heard = peer.now();
        for (int i = 0; i < 300; i++) {
            if (random() % 3 == 0) {
                peer.hear();
                heard = peer.now();
                ASSERT_TRUE(peer.machine.link_is_up());
            }
            peer.pass(static_cast<double>(random() % 20000) / 1000);
            const auto silent = peer.now() - heard;
            const auto patience =
                config.interval * std::max<int>(config.retries, 2);
            ASSERT_GT(peer.machine.deadline(), peer.now());
            ASSERT_EQ(peer.machine.link_is_up(),
                      !config.retries || silent < patience);
        }
    }
}

}  // namespace
}  // namespace eoip
