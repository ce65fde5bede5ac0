// SPDX-License-Identifier: Apache-2.0
//
// The list of drops in <linux/eoip.h>: what shows counters relies on it.

#include <cstring>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "eoip/drops.h"

namespace {

struct Drop {
    eoip_drop number;
    const char *symbol;
    const char *name;
    const char *sentence;
};

constexpr Drop kDrops[] = {
#define DROP(SYMBOL, NAME, SENTENCE)                                          \
    {EOIP_DROP_##SYMBOL, #SYMBOL, NAME, SENTENCE},
    EOIP_DROPS(DROP)
#undef DROP
};

TEST(Drops, ListAndEnumAgree)
{
    ASSERT_EQ(std::size(kDrops), static_cast<std::size_t>(EOIP_N_DROPS));
    int expected = 0;
    for (const Drop &drop : kDrops) {
        EXPECT_EQ(drop.number, expected++) << drop.symbol;
    }
}

TEST(Drops, NamesAreTheSymbolsInLowerCase)
{
    for (const Drop &drop : kDrops) {
        std::string lower(drop.symbol);
        for (char &c : lower) {
            c = c == '_' ? c : static_cast<char>(c | 0x20);
        }
        EXPECT_EQ(lower, drop.name);
    }
}

TEST(Drops, NamesAndSentencesAreUnique)
{
    std::set<std::string> seen;
    for (const Drop &drop : kDrops) {
        EXPECT_TRUE(seen.insert(drop.name).second) << drop.name;
        EXPECT_TRUE(seen.insert(drop.sentence).second) << drop.sentence;
    }
}

TEST(Drops, AreListedWithTheirDirection)
{
#define RX(SYMBOL, NAME, SENTENCE)                                            \
    EXPECT_TRUE(eoip_drop_is_rx(EOIP_DROP_##SYMBOL)) << NAME;                 \
    EXPECT_STREQ(eoip_drop_counter(EOIP_DROP_##SYMBOL), "rx_drop_" NAME);     \
    EXPECT_STREQ(eoip_drop_name(EOIP_DROP_##SYMBOL), NAME);
#define TX(SYMBOL, NAME, SENTENCE)                                            \
    EXPECT_FALSE(eoip_drop_is_rx(EOIP_DROP_##SYMBOL)) << NAME;                \
    EXPECT_STREQ(eoip_drop_counter(EOIP_DROP_##SYMBOL), "tx_drop_" NAME);     \
    EXPECT_STREQ(eoip_drop_name(EOIP_DROP_##SYMBOL), NAME);
    EOIP_DROPS_BY_DIRECTION(RX, TX)
#undef RX
#undef TX
}

TEST(Drops, OfFragmentsAreToldApart)
{
    int n = 0;
#define IS_ONE(SYMBOL, NAME, SENTENCE)                                        \
    EXPECT_TRUE(eoip_drop_is_fragment(EOIP_DROP_##SYMBOL)) << NAME;           \
    n++;
    EOIP_FRAGMENT_DROPS(IS_ONE)
#undef IS_ONE
    for (const Drop &drop : kDrops) {
        n -= eoip_drop_is_fragment(drop.number);
    }
    EXPECT_EQ(n, 0);
}

TEST(Drops, OfBothDatapathsHaveTheirSentence)
{
    for (const Drop &drop : kDrops) {
        EXPECT_STREQ(eoip_drop_sentence(eoip_drop_counter(drop.number)),
                     drop.sentence);
    }
#define RX(SYMBOL, NAME, SENTENCE)                                            \
    EXPECT_STREQ(eoip_drop_sentence("rx_drop_" NAME), SENTENCE);
#define TX(SYMBOL, NAME, SENTENCE)                                            \
    EXPECT_STREQ(eoip_drop_sentence("tx_drop_" NAME), SENTENCE);
    EOIP_KMOD_RX_DROPS(RX)
    EOIP_KMOD_TX_DROPS(TX)
#undef RX
#undef TX
    EXPECT_EQ(eoip_drop_sentence("tx_drop_ecn"), nullptr);
    EXPECT_EQ(eoip_drop_sentence("rx_trimmed"), nullptr);
    EXPECT_EQ(eoip_drop_sentence("no_memory"), nullptr);
}

TEST(Drops, SentencesFitALineWithoutAFullStop)
{
    for (const Drop &drop : kDrops) {
        const std::string sentence = drop.sentence;
        EXPECT_GE(sentence.size(), 20u) << drop.name;
        EXPECT_LE(sentence.size(), 79u) << drop.name;
        EXPECT_NE(sentence.back(), '.') << drop.name;
    }
}

}  // namespace
