// SPDX-License-Identifier: Apache-2.0
//
// That these tests run under sanitizers, which some of them count on: each of
// the faults here has to end the program.

#include <climits>
#include <memory>
#include <span>
#include <tuple>

#include <gtest/gtest.h>

namespace eoip {
namespace {

// What the optimizer must not see through.
std::size_t volatile one = 1;

class Sanitizers : public testing::Test {
protected:
    void SetUp() override
    {
#ifndef EOIP_SANITIZED
        GTEST_SKIP() << "configure found none that the C++ compiler can use";
#endif
    }
};

TEST_F(Sanitizers, SeeAReadBehindABlock)
{
    const auto block = std::make_unique<char[]>(7);
    EXPECT_DEATH(block[6 + one] = 1, "heap-buffer-overflow");
}

TEST_F(Sanitizers, SeeUndefinedBehaviour)
{
    int volatile sum = INT_MAX;
    EXPECT_DEATH(sum = sum + static_cast<int>(one), "signed integer overflow");
}

TEST_F(Sanitizers, SeeAnIndexBehindASpan)
{
    const char bytes[2] = {};
    const std::span<const char> span(bytes, one);
    EXPECT_DEATH(std::ignore = span[one], "Assertion");
}

}  // namespace
}  // namespace eoip
