// SPDX-License-Identifier: Apache-2.0
//
// eoip/reassembly.h: what comes out whole, what is dropped and why.  For limits
// see reassembly_limits_test.cc.

#include "eoip/reassembly.h"

#include <algorithm>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "packet.h"
#include "reassembly.h"
#include "received.h"

namespace eoip {
namespace {

using test::Buffer;
using test::Buffers;
using test::Checked;
using test::cut;
using test::cut_for_mtu;
using test::fragment;
using test::Ipv4Fields;
using test::kCe;
using test::kNotEct;
using test::kPayloadMax;
using test::kStart;
using test::kTimeout;
using test::Packet;
using test::whole;

// Put together.

const Ipv4Fields kIp = {.tos = 0xb8, .id = 0xbeef, .ttl = 61};

TEST(Reassembly, GivesBackThePacketInAnyOrder)
{
    const Buffer payload = test::sample_frame(1500 + 14 + 8);
    Buffers fragments = cut_for_mtu(kIp, payload, 420);
    ASSERT_EQ(fragments.size(), 4u);
    std::sort(fragments.begin(), fragments.end());
    do {
        Checked reassembler;
        EXPECT_EQ(reassembler.add_all(fragments),
                  Buffers{whole(kIp, payload)});
        EXPECT_EQ(reassembler.counters(), "packets=1 fragments=4");
        EXPECT_TRUE(reassembler.empty());
    } while (std::next_permutation(fragments.begin(), fragments.end()));
}

TEST(Reassembly, ReturnsNothingBeforeTheLastMissingPiece)
{
    Checked reassembler;
    const Buffer payload = test::sample_frame(100);
    EXPECT_TRUE(reassembler.add(cut(kIp, payload, 48, 100)).empty());
    EXPECT_TRUE(reassembler.add(cut(kIp, payload, 0, 24)).empty());
    EXPECT_EQ(reassembler.packets(), 1u);
    EXPECT_EQ(reassembler.fragments(), 2u);
    EXPECT_EQ(reassembler.counters(), "");
    EXPECT_EQ(reassembler.add(cut(kIp, payload, 24, 48)), whole(kIp, payload));
}

TEST(Reassembly, TakesTheHeaderOfTheFirstFragment)
{
    const Buffer payload = test::sample_frame(64);
    const Ipv4Fields other = {.tos = 0x20, .id = kIp.id, .ttl = 3};
    const Buffer first = cut(kIp, payload, 0, 32);
    const Buffer last = cut(other, payload, 32, 64);
    for (const Buffers &order : {Buffers{first, last}, Buffers{last, first}}) {
        EXPECT_EQ(Checked().add_all(order), Buffers{whole(kIp, payload)});
    }
}

TEST(Reassembly, MakesPacketsThatAreReceived)
{
    const Buffer packet = Packet().ipv4(kIp).eoip(1234).frame(1514).bytes();
    const Buffer payload(packet.begin() + EOIP_IPV4_HLEN, packet.end());
    for (const Buffer &fragment : cut_for_mtu(kIp, payload, 1500)) {
        EXPECT_TRUE(is_fragment(fragment.data()));
        EXPECT_EQ(receive(fragment, false).drop, EOIP_DROP_FRAGMENT);
    }
    const Buffers made = Checked().add_all(cut_for_mtu(kIp, payload, 1500));
    ASSERT_EQ(made, Buffers{packet});
    EXPECT_FALSE(is_fragment(made[0].data()));
    const Received rx = receive(made[0], false);
    EXPECT_EQ(rx.kind, EOIP_FRAME);
    EXPECT_EQ(rx.key, 1234);
    EXPECT_EQ(rx.frame_bytes, 1514);
}

TEST(Reassembly, DropsMartians)
{
    for (const std::uint32_t src : {0x7f000001u, kIp.dst}) {
        Checked reassembler;
        const Ipv4Fields ip = {.src = src};
        const Buffers fragments =
            cut_for_mtu(ip, test::sample_frame(3000), 1500);
        EXPECT_EQ(reassembler.add_all(fragments), Buffers{});
        EXPECT_EQ(reassembler.counters(), "martian=3");
        EXPECT_TRUE(reassembler.empty());
    }
}

TEST(Reassembly, DontFragmentDoesNotMakeAFragment)
{
    const Buffer packet =
        Packet().ipv4({.dont_fragment = true}).eoip(7).frame(60).bytes();
    EXPECT_FALSE(is_fragment(packet.data()));
}

TEST(Reassembly, IgnoresEthernetPadding)
{
    Checked reassembler;
    const Buffer payload = test::sample_frame(32 + 3);
    Buffers fragments = {cut(kIp, payload, 32, 35), cut(kIp, payload, 0, 8),
                         cut(kIp, payload, 8, 32)};
    for (Buffer &fragment : fragments) {
        fragment.resize(60, 0xee);
    }
    EXPECT_EQ(reassembler.add_all(fragments), Buffers{whole(kIp, payload)});
}

TEST(Reassembly, TakesTheLargestFrameThatIsAllowed)
{
    const Buffer packet =
        Packet().ipv4(kIp).eoip(7).frame(EOIP_FRAME_MAX).bytes();
    const Buffer payload(packet.begin() + EOIP_IPV4_HLEN, packet.end());
    ASSERT_EQ(payload.size(), kPayloadMax);
    for (const std::size_t mtu : {576, 1280, 1500, 9000}) {
        Checked reassembler({.frame = EOIP_FRAME_MAX});
        Buffers fragments = cut_for_mtu(kIp, payload, mtu);
        EXPECT_EQ(reassembler.add_all(fragments), Buffers{packet}) << mtu;
        std::reverse(fragments.begin(), fragments.end());
        EXPECT_EQ(reassembler.add_all(fragments), Buffers{packet}) << mtu;
        EXPECT_TRUE(reassembler.empty());
    }
}

// Keys.

TEST(Reassembly, KeepsThousandsOfPeersApart)
{
    constexpr std::uint32_t kPeers = 2000;
    Checked reassembler;
    Buffers firsts, lasts, expected;
    for (std::uint32_t i = 0; i < 2 * kPeers; i++) {
        const Ipv4Fields ip = {.id = static_cast<std::uint16_t>(i % 2),
                               .src = 0x0a000000 + i / 2};
        Buffer payload = test::sample_frame(40);
        payload[5] = static_cast<std::uint8_t>(i);
        payload[35] = static_cast<std::uint8_t>(i >> 8);
        firsts.push_back(cut(ip, payload, 0, 24));
        lasts.push_back(cut(ip, payload, 24, 40));
        expected.push_back(whole(ip, payload));
    }
    EXPECT_EQ(reassembler.add_all(firsts), Buffers{});
    EXPECT_EQ(reassembler.packets(), 2 * kPeers);
    EXPECT_EQ(reassembler.add_all(lasts), expected);
    EXPECT_TRUE(reassembler.empty());
}

TEST(Reassembly, TellsPacketsApartByAddressesProtocolAndId)
{
    const Ipv4Fields ips[] = {
        {},
        {.protocol = 97},
        {.id = 0x1235},
        {.src = 0xc0000202},
        {.dst = 0xc6336403},
        {.src = 0xc6336402, .dst = 0xc0000201},  // The other way.
    };
    Checked reassembler;
    const Buffer payload = test::sample_frame(40);
    for (const Ipv4Fields &ip : ips) {
        EXPECT_EQ(reassembler.add(cut(ip, payload, 0, 24)), Buffer{});
    }
    EXPECT_EQ(reassembler.packets(), std::size(ips));
    for (const Ipv4Fields &ip : ips) {
        EXPECT_EQ(reassembler.add(cut(ip, payload, 24, 40)),
                  whole(ip, payload));
    }
}

TEST(Reassembly, BeginsAnewWithAnIdThatCameRound)
{
    Checked reassembler;
    const Buffer payload = test::sample_frame(40);
    const Buffers fragments = cut_for_mtu(kIp, payload, 48);
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(reassembler.add_all(fragments),
                  Buffers{whole(kIp, payload)});
    }
    EXPECT_EQ(reassembler.counters(), "packets=3 fragments=6");
}

// Duplicates and overlaps.

TEST(Reassembly, IgnoresExactDuplicates)
{
    Checked reassembler;
    const Buffer payload = test::sample_frame(96);
    const Buffer first = cut(kIp, payload, 0, 32);
    const Buffer middle = cut(kIp, payload, 32, 64);
    const Buffer last = cut(kIp, payload, 64, 96);
    EXPECT_EQ(reassembler.add_all({first, first, last, last, first, middle}),
              Buffers{whole(kIp, payload)});
    EXPECT_EQ(reassembler.counters(), "packets=1 fragments=3 duplicates=3");
}

struct Overlap {
    const char *name;
    std::size_t begin;
    std::size_t end;
    bool last;
    bool other_bytes = false;
};

// There already: [32, 64) and, the last, [128, 160).
constexpr Overlap kOverlaps[] = {
    {"its front", 24, 40, false},
    {"its back", 56, 72, false},
    {"its beginning", 32, 40, false},
    {"its middle", 40, 48, false},
    {"its end", 56, 64, false},
    {"all and more", 24, 72, false},
    {"all and more before", 24, 64, false},
    {"all and more behind", 32, 72, false},
    {"two pieces", 56, 136, false},
    {"everything", 0, 160, true},
    {"the same with other bytes", 32, 64, false, true},
    {"the same, but the last", 32, 64, true},
    {"the last with other bytes", 128, 160, true, true},
    {"the last, but not the last", 128, 160, false},
    {"the last, but shorter", 128, 152, true},
    {"the last, but longer", 128, 168, true},
    {"the last's front", 120, 136, false},
    {"beyond the end", 160, 168, false},
    {"across the end", 152, 168, false},
    {"far beyond the end", 800, 808, false},
    {"a second last, before", 64, 96, true},
    {"a second last, behind", 160, 192, true},
};

Buffer overlapping(const Overlap &overlap)
{
    Buffer payload = test::sample_frame(overlap.end);
    if (overlap.other_bytes) {
        payload[overlap.begin + 3] ^= 1;
    }
    payload.resize(overlap.end + !overlap.last);
    return cut(kIp, payload, overlap.begin, overlap.end);
}

TEST(Reassembly, AnyOverlapEndsThePacketUntilItsTimeout)
{
    const Buffer payload = test::sample_frame(160);
    const Buffers pieces = {cut(kIp, payload, 32, 64),
                            cut(kIp, payload, 128, 160)};
    const Buffers rest = {cut(kIp, payload, 0, 32),
                          cut(kIp, payload, 64, 128)};
    for (const Overlap &overlap : kOverlaps) {
        SCOPED_TRACE(overlap.name);
        Checked reassembler;
        EXPECT_EQ(reassembler.add_all(pieces), Buffers{});
        EXPECT_EQ(reassembler.add(overlapping(overlap)), Buffer{});
        EXPECT_EQ(reassembler.counters(), "fragment_overlap=3");
        EXPECT_EQ(reassembler.fragments(), 0u);
        EXPECT_EQ(reassembler.packets(), 1u);

        const Time before = kStart + kTimeout - Time{1};
        EXPECT_EQ(reassembler.add_all(pieces), Buffers{});
        EXPECT_EQ(reassembler.add_all(rest, before), Buffers{});
        EXPECT_EQ(reassembler.counters(), "fragment_overlap=7");

        EXPECT_EQ(reassembler.add_all(pieces, kStart + kTimeout), Buffers{});
        EXPECT_EQ(reassembler.add_all(rest, kStart + kTimeout),
                  Buffers{whole(kIp, payload)});
        EXPECT_TRUE(reassembler.empty());
    }
}

TEST(Reassembly, AnEndBeforeWhatIsThereIsAnOverlap)
{
    Checked reassembler;
    const Buffer payload = test::sample_frame(160);
    EXPECT_EQ(reassembler.add(cut(kIp, payload, 64, 128)), Buffer{});
    EXPECT_EQ(reassembler.add(overlapping({"", 0, 32, true})), Buffer{});
    EXPECT_EQ(reassembler.counters(), "fragment_overlap=2");
}

TEST(Reassembly, OneOverlapLeavesOtherPacketsAlone)
{
    Checked reassembler;
    const Ipv4Fields other = {.id = 1};
    const Buffer payload = test::sample_frame(64);
    EXPECT_EQ(reassembler.add(cut(kIp, payload, 0, 32)), Buffer{});
    EXPECT_EQ(reassembler.add(cut(other, payload, 0, 32)), Buffer{});
    EXPECT_EQ(reassembler.add(cut(kIp, payload, 8, 40)), Buffer{});
    EXPECT_EQ(reassembler.add(cut(other, payload, 32, 64)),
              whole(other, payload));
    EXPECT_EQ(reassembler.counters(),
              "packets=1 fragments=2 fragment_overlap=2");
}

// What is no fragment at all.

// The counters after 'packet', which is not kept.
std::string dropped(const Buffer &packet)
{
    Checked reassembler;
    EXPECT_EQ(reassembler.add(packet), Buffer{});
    EXPECT_TRUE(reassembler.empty());
    return reassembler.counters();
}

TEST(Reassembly, DropsMalformedFragments)
{
    const char *const expected = "fragment_malformed=1";
    EXPECT_EQ(dropped(fragment({.more_fragments = true}, 0)), expected);
    EXPECT_EQ(dropped(fragment({.offset_bytes = 8}, 0)), expected);
    for (std::size_t n = 1; n < 24; n++) {
        if (n % 8) {
            EXPECT_EQ(dropped(fragment({.more_fragments = true}, n)), expected)
                << n;
        }
    }
    EXPECT_EQ(dropped(fragment({.offset_bytes = 65512}, 4)), expected);
    EXPECT_EQ(dropped(fragment({.offset_bytes = 65520}, 1)), expected);
    EXPECT_EQ(dropped(fragment({.offset_bytes = 65528}, 8)), expected);
    EXPECT_EQ(
        dropped(fragment({.more_fragments = true, .offset_bytes = 65512}, 8)),
        expected);
    EXPECT_EQ(dropped(fragment({.offset_bytes = 8}, kPayloadMax - 7)),
              expected);
}

TEST(Reassembly, TakesAFragmentThatEndsAt65535)
{
    Checked reassembler({.frame = EOIP_FRAME_MAX});
    EXPECT_EQ(reassembler.add(fragment({.offset_bytes = 65512}, 3)), Buffer{});
    EXPECT_EQ(reassembler.fragments(), 1u);
}

TEST(Reassembly, DropsBadHeadersAsReceiveDoes)
{
    const Ipv4Fields more = {.more_fragments = true};
    const auto with = [&more](auto change) {
        Ipv4Fields ip = more;
        change(ip);
        return dropped(fragment(ip, 64));
    };
    for (std::size_t n = 4; n <= 40; n += 4) {
        EXPECT_EQ(with([n](auto &ip) { ip.option_bytes = n; }),
                  "ip_options=1");
    }
    EXPECT_EQ(with([](auto &ip) { ip.checksum_error = 1; }), "ip_checksum=1");
    EXPECT_EQ(with([](auto &ip) { ip.version = 5; }), "ip_header=1");
    EXPECT_EQ(with([](auto &ip) { ip.version = 0; }), "ip_header=1");
    EXPECT_EQ(with([](auto &ip) { ip.total_bytes = 19; }), "ip_header=1");
    EXPECT_EQ(with([](auto &ip) { ip.total_bytes = 85; }), "ip_header=1");
    EXPECT_EQ(with([](auto &ip) { ip.total_bytes = 20; }),
              "fragment_malformed=1");

    Buffer short_header = fragment(more, 64);
    short_header[0] = 0x44;
    EXPECT_EQ(dropped(short_header), "ip_header=1");
}

// Each prefix is in a block of its own size, so that a sanitizer sees a read
// behind it.
TEST(Reassembly, DropsAFragmentCutAtAnyByte)
{
    const Buffer all = fragment({.more_fragments = true}, 64);
    for (std::size_t n = 0; n < all.size(); n++) {
        const Buffer prefix(all.begin(),
                            all.begin() + static_cast<std::ptrdiff_t>(n));
        EXPECT_EQ(dropped(prefix), "ip_header=1") << n;
    }
}

// ECN, RFC 3168 section 5.3.

TEST(ReassemblyEcn, FollowsRfc3168)
{
    const Buffer payload = test::sample_frame(24);
    for (std::uint8_t i = 0; i < 64; i++) {
        const std::set<int> seen = {i & 3, i >> 2 & 3, i >> 4};
        Buffers fragments;
        for (std::size_t part = 0; part < 3; part++) {
            const auto ecn = static_cast<std::uint8_t>(i >> 2 * part & 3);
            const auto tos = static_cast<std::uint8_t>(0x48 | ecn);
            fragments.push_back(
                cut({.tos = tos}, payload, part * 8, part * 8 + 8));
        }
        const bool ce = seen.contains(kCe);
        const auto tos = static_cast<std::uint8_t>(0x48 | (ce ? kCe : i & 3));
        for (int order = 0; order < 2; order++) {
            SCOPED_TRACE(testing::Message() << "ECN " << int{i});
            Checked reassembler;
            if (ce && seen.contains(kNotEct)) {
                EXPECT_EQ(reassembler.add_all(fragments), Buffers{});
                EXPECT_EQ(reassembler.counters(), "fragment_ecn=3");
            } else {
                EXPECT_EQ(reassembler.add_all(fragments),
                          Buffers{whole({.tos = tos}, payload)});
            }
            EXPECT_TRUE(reassembler.empty());
            std::reverse(fragments.begin(), fragments.end());
        }
    }
}

}  // namespace
}  // namespace eoip
