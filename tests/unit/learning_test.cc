// SPDX-License-Identifier: Apache-2.0
//
// eoip/learning.h: when a learning port may take another peer.

#include "eoip/learning.h"

#include <gtest/gtest.h>

namespace eoip {
namespace {

constexpr Time kSecond{1000};

Learning with_peer()
{
    Learning learning;
    learning.configure(30 * kSecond);
    learning.set_peer(true);
    return learning;
}

void pass(Learning &learning, int seconds)
{
    for (int i = 0; i < seconds; i++) {
        learning.pass(kSecond);
    }
}

TEST(Learning, WithoutAPeerThePlaceIsFree)
{
    Learning learning;
    learning.configure(30 * kSecond);
    EXPECT_TRUE(learning.is_free());
    EXPECT_FALSE(learning.has_peer());
    pass(learning, 100);
    EXPECT_TRUE(learning.is_free());
}

TEST(Learning, APeerHasThePlaceUntilItWasSilentForLongEnough)
{
    Learning learning = with_peer();
    EXPECT_FALSE(learning.is_free());
    pass(learning, 29);
    EXPECT_FALSE(learning.is_free());
    EXPECT_EQ(learning.silent(), 29 * kSecond);
    pass(learning, 1);
    EXPECT_TRUE(learning.is_free());
}

TEST(Learning, ASignOfLifeBeginsAnew)
{
    Learning learning = with_peer();
    for (int i = 0; i < 10; i++) {
        pass(learning, 29);
        learning.heard();
        EXPECT_FALSE(learning.is_free()) << i;
    }
    pass(learning, 30);
    EXPECT_TRUE(learning.is_free());
    learning.heard();  // Late, but nobody else has taken it.
    EXPECT_FALSE(learning.is_free());
}

TEST(Learning, AtMostOneMoveInThatTime)
{
    Learning learning = with_peer();
    int moves = 0;
    for (int second = 0; second < 300; second++) {
        pass(learning, 1);
        if (learning.is_free()) {  // Somebody always wants it.
            learning.set_peer(true);
            moves++;
        }
    }
    EXPECT_EQ(moves, 10);
}

TEST(Learning, AnotherSettingCountsFromTheSameSilence)
{
    Learning learning = with_peer();
    pass(learning, 10);
    learning.configure(5 * kSecond);
    EXPECT_TRUE(learning.is_free());
    learning.configure(60 * kSecond);
    EXPECT_FALSE(learning.is_free());
    learning.set_peer(false);
    EXPECT_TRUE(learning.is_free());
}

TEST(Learning, SilenceForever)
{
    Learning learning = with_peer();
    for (int i = 0; i < 5; i++) {
        learning.pass(Time::max() / 2);
        EXPECT_TRUE(learning.is_free()) << i;
    }
}

}  // namespace
}  // namespace eoip
