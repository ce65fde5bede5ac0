// SPDX-License-Identifier: Apache-2.0
//
// The list of drops in <linux/eoip.h>: what shows counters relies on it.

#include <cstring>
#include <set>
#include <string>

#include <gtest/gtest.h>
#include <linux/eoip.h>

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

// They count fragments, not packets, and their names say so.
TEST(Drops, OfFragmentsBeginWithFragment)
{
#define BEGINS(SYMBOL, NAME, SENTENCE)                                        \
    EXPECT_TRUE(std::string(NAME).starts_with("fragment_")) << NAME;
    EOIP_FRAGMENT_DROPS(BEGINS)
#undef BEGINS
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
