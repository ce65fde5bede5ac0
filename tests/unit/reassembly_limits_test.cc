// SPDX-License-Identifier: Apache-2.0
//
// eoip/reassembly.h: how much waits, and for how long.

#include "eoip/reassembly.h"

#include <gtest/gtest.h>

#include "packet.h"
#include "reassembly.h"

namespace eoip {
namespace {

using test::Buffer;
using test::Buffers;
using test::Checked;
using test::cut;
using test::cut_for_mtu;
using test::fragment;
using test::Ipv4Fields;
using test::kStart;
using test::kTimeout;
using test::Packet;
using test::whole;

const Ipv4Fields kIp = {.tos = 0xb8, .id = 0xbeef, .ttl = 61};

// The first half of packet 'id'.
Buffer half(std::uint16_t id, std::size_t n_bytes = 64)
{
    return fragment({.id = id, .more_fragments = true}, n_bytes);
}

// The half that makes it whole.
Buffer other_half(std::uint16_t id, std::uint16_t n_bytes = 64)
{
    return fragment({.id = id, .offset_bytes = n_bytes}, 8);
}

TEST(ReassemblyLimits, TooManyPacketsPushOutTheOldest)
{
    Checked reassembler({.packets = 3});
    EXPECT_EQ(reassembler.add_all({half(1), half(2), half(3)}), Buffers{});
    EXPECT_EQ(reassembler.counters(), "");
    EXPECT_EQ(reassembler.add(half(4)), Buffer{});
    EXPECT_EQ(reassembler.counters(), "fragment_limit_packets=1");
    for (std::uint16_t id = 2; id <= 4; id++) {
        EXPECT_FALSE(reassembler.add(other_half(id)).empty()) << id;
    }
    EXPECT_TRUE(reassembler.empty());
}

TEST(ReassemblyLimits, TheOldestIsTheOneThatBeganFirst)
{
    Checked reassembler({.packets = 2});
    EXPECT_EQ(reassembler.add_all({half(1), half(2)}), Buffers{});
    // Hearing of packet 1 again does not make it younger.
    EXPECT_EQ(reassembler.add(fragment(
                  {.id = 1, .more_fragments = true, .offset_bytes = 128}, 8)),
              Buffer{});
    EXPECT_EQ(reassembler.add(half(3)), Buffer{});
    EXPECT_EQ(reassembler.counters(), "fragment_limit_packets=2");
    EXPECT_FALSE(reassembler.add(other_half(2)).empty());
}

TEST(ReassemblyLimits, TooManyBytesPushOutTheOldest)
{
    Checked probe;
    EXPECT_EQ(probe.add(half(1, 8000)), Buffer{});
    const std::size_t each = probe.bytes();
    EXPECT_GE(each, 8000u);
    EXPECT_LE(each, 9000u);

    Checked reassembler({.bytes = 3 * each});
    EXPECT_EQ(
        reassembler.add_all({half(1, 8000), half(2, 8000), half(3, 8000)}),
        Buffers{});
    EXPECT_EQ(reassembler.counters(), "");
    EXPECT_EQ(reassembler.add(half(4, 8)), Buffer{});
    EXPECT_EQ(reassembler.counters(), "fragment_limit_bytes=1");
    EXPECT_EQ(reassembler.packets(), 3u);
    EXPECT_FALSE(reassembler.add(other_half(2, 8000)).empty());
}

TEST(ReassemblyLimits, SmallFragmentsCostMoreThanTheirBytes)
{
    Checked reassembler({.packets = 1000000, .bytes = 100000});
    for (std::uint16_t id = 0; id < 10000; id++) {
        EXPECT_EQ(reassembler.add(half(id, 8)), Buffer{});
    }
    EXPECT_LE(reassembler.packets(), 100000u / (100 + 8));
}

// Those of one packet too: each is a block of its own.
TEST(ReassemblyLimits, ManySmallFragmentsOfOnePacketCostMoreThanTheirBytes)
{
    Checked reassembler({.bytes = 8000});
    for (std::uint16_t i = 0; i < 100; i++) {
        const auto at = static_cast<std::uint16_t>(8 * i);
        EXPECT_EQ(reassembler.add(fragment(
                      {.more_fragments = true, .offset_bytes = at}, 8)),
                  Buffer{});
        EXPECT_GE(reassembler.bytes(), reassembler.fragments() * (60 + 8));
    }
    EXPECT_NE(reassembler.counters(), "");
}

TEST(ReassemblyLimits, OnePacketHasOnlySoManyFragments)
{
    const Buffer payload = test::sample_frame(5 * 8);
    Buffers fragments = cut_for_mtu(kIp, payload, 28);
    ASSERT_EQ(fragments.size(), 5u);
    Checked enough({.fragments = 5});
    EXPECT_EQ(enough.add_all(fragments), Buffers{whole(kIp, payload)});

    Checked few({.fragments = 4});
    EXPECT_EQ(few.add_all(fragments), Buffers{});
    EXPECT_EQ(few.counters(), "fragment_limit_count=5");
    EXPECT_EQ(few.add_all(fragments), Buffers{});
    EXPECT_EQ(few.counters(), "fragment_limit_count=10");
    EXPECT_EQ(few.fragments(), 0u);
}

// Nothing is collected of a packet that will not be delivered, and it is
// counted once.
TEST(ReassemblyLimits, PacketsThatAreTooBigEndAtOnce)
{
    auto payload_of = [](std::size_t frame) {
        const Buffer packet = Packet().ipv4(kIp).eoip(7).frame(frame).bytes();
        return Buffer(packet.begin() + EOIP_IPV4_HLEN, packet.end());
    };
    for (const bool backwards : {false, true}) {
        Buffers fits = cut_for_mtu(kIp, payload_of(kDefaultMaxFrame), 1500);
        Buffers more =
            cut_for_mtu(kIp, payload_of(kDefaultMaxFrame + 1), 1500);
        if (backwards) {
            std::reverse(fits.begin(), fits.end());
            std::reverse(more.begin(), more.end());
        }
        Checked reassembler;
        EXPECT_EQ(reassembler.add_all(fits).size(), 1u);
        EXPECT_EQ(reassembler.add_all(more), Buffers{});
        EXPECT_EQ(reassembler.counters(),
                  "packets=1 fragments=7 unwanted=6 frame_too_big=1");
        EXPECT_EQ(reassembler.fragments(), 0u);
        EXPECT_EQ(reassembler.add_all(more), Buffers{});
        EXPECT_EQ(reassembler.counters(),
                  "packets=1 fragments=7 unwanted=13 frame_too_big=1");
    }
}

TEST(ReassemblyLimits, DuplicatesDoNotCountAsFragments)
{
    Checked reassembler({.fragments = 2});
    EXPECT_EQ(reassembler.add_all({half(1), half(1), half(1)}), Buffers{});
    EXPECT_FALSE(reassembler.add(other_half(1)).empty());
}

TEST(ReassemblyLimits, TimeRunsFromTheFirstFragment)
{
    Checked in_time;
    EXPECT_EQ(in_time.add(half(1), kStart), Buffer{});
    EXPECT_EQ(in_time.add(half(1), kStart + kTimeout / 2), Buffer{});
    EXPECT_FALSE(
        in_time.add(other_half(1), kStart + kTimeout - Time{1}).empty());

    Checked late;
    EXPECT_EQ(late.add(half(1), kStart), Buffer{});
    EXPECT_EQ(late.add(half(1), kStart + kTimeout / 2), Buffer{});
    EXPECT_EQ(late.add(other_half(1), kStart + kTimeout), Buffer{});
    EXPECT_EQ(late.counters(), "duplicates=1 fragment_timeout=1");
    EXPECT_EQ(late.fragments(), 1u);  // The late one waits anew.
}

TEST(ReassemblyLimits, ExpireLetsGoOfAll)
{
    Checked reassembler;
    for (std::uint16_t id = 0; id < 100; id++) {
        EXPECT_EQ(reassembler.add(half(id), kStart + Time{id}), Buffer{});
    }
    reassembler.expire(kStart + kTimeout - Time{1});
    EXPECT_EQ(reassembler.packets(), 100u);
    reassembler.expire(kStart + kTimeout);
    EXPECT_EQ(reassembler.packets(), 99u);
    reassembler.expire(kStart + kTimeout + Time{49});
    EXPECT_EQ(reassembler.packets(), 50u);
    reassembler.expire(kStart + kTimeout + Time{99});
    EXPECT_TRUE(reassembler.empty());
    EXPECT_EQ(reassembler.counters(), "fragment_timeout=100");
}

TEST(ReassemblyLimits, ExpireForgetsDeadPacketsWithoutADrop)
{
    Checked reassembler;
    const Buffer payload = test::sample_frame(64);
    EXPECT_EQ(reassembler.add(cut(kIp, payload, 0, 32)), Buffer{});
    EXPECT_EQ(reassembler.add(cut(kIp, payload, 8, 40)), Buffer{});
    reassembler.expire(kStart + kTimeout);
    EXPECT_TRUE(reassembler.empty());
    EXPECT_EQ(reassembler.counters(), "fragment_overlap=2");
}

TEST(ReassemblyLimits, SmallerLimitsTakeEffectAtOnce)
{
    Checked reassembler;
    for (std::uint16_t id = 0; id < 100; id++) {
        EXPECT_EQ(reassembler.add(half(id)), Buffer{});
    }
    reassembler.set_limits({.packets = 60});
    EXPECT_EQ(reassembler.packets(), 60u);
    EXPECT_EQ(reassembler.counters(), "fragment_limit_packets=40");

    reassembler.set_limits({.bytes = reassembler.bytes() / 2});
    EXPECT_EQ(reassembler.packets(), 30u);
    EXPECT_EQ(reassembler.counters(),
              "fragment_limit_packets=40 fragment_limit_bytes=30");
    EXPECT_FALSE(reassembler.add(other_half(99)).empty());

    reassembler.set_limits({.timeout = Time{10}});
    reassembler.expire(kStart + Time{10});
    EXPECT_TRUE(reassembler.empty());
}

TEST(ReassemblyLimits, OfZeroKeepNothing)
{
    Checked no_packets({.packets = 0});
    EXPECT_EQ(no_packets.add(half(1)), Buffer{});
    EXPECT_TRUE(no_packets.empty());
    EXPECT_EQ(no_packets.counters(), "fragment_limit_packets=1");

    Checked no_bytes({.bytes = 0});
    EXPECT_EQ(no_bytes.add(half(1)), Buffer{});
    EXPECT_TRUE(no_bytes.empty());
    EXPECT_EQ(no_bytes.counters(), "fragment_limit_bytes=1");

    Checked no_fragments({.fragments = 0});
    EXPECT_EQ(no_fragments.add(half(1)), Buffer{});
    EXPECT_EQ(no_fragments.fragments(), 0u);
    EXPECT_EQ(no_fragments.counters(), "fragment_limit_count=1");
}

}  // namespace
}  // namespace eoip
