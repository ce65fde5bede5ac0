// SPDX-License-Identifier: Apache-2.0
//
// eoip/reassembly.h with fragments of IPv6: what differs from those of IPv4,
// which reassembly_test.cc is about.

#include "eoip/reassembly.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "packet6.h"
#include "reassembly.h"

namespace eoip {
namespace {

using test::Buffer;
using test::Buffers;
using test::Checked;
using test::FragmentFields;
using test::Ipv6Fields;
using test::kStart;
using test::kTimeout;
using test::Packet6;

constexpr Ipv6Fields kIp = {.traffic_class = 0xb8, .hop_limit = 61};

Buffer cut(const Ipv6Fields &ip, FragmentFields fragment,
           const Buffer &payload, std::size_t begin, std::size_t end)
{
    fragment.offset_bytes = static_cast<std::uint16_t>(begin);
    fragment.more = end < payload.size();
    return Packet6()
        .ipv6(ip)
        .fragment(fragment)
        .frame(Buffer(payload.begin() + static_cast<std::ptrdiff_t>(begin),
                      payload.begin() + static_cast<std::ptrdiff_t>(end)))
        .bytes();
}

Buffer cut(const Buffer &payload, std::size_t begin, std::size_t end)
{
    return cut(kIp, {}, payload, begin, end);
}

Buffer whole(const Buffer &payload)
{
    return Packet6().ipv6(kIp).frame(payload).bytes();
}

TEST(Reassembly6, GivesBackThePacketInAnyOrder)
{
    const Buffer payload = test::sample_frame(1516);
    Buffers fragments = {cut(payload, 0, 400), cut(payload, 400, 800),
                         cut(payload, 800, 1200), cut(payload, 1200, 1516)};
    std::sort(fragments.begin(), fragments.end());
    do {
        Checked reassembler;
        EXPECT_EQ(reassembler.add_all(fragments), Buffers{whole(payload)});
        EXPECT_EQ(reassembler.counters(), "packets=1 fragments=4");
        EXPECT_TRUE(reassembler.empty());
    } while (std::next_permutation(fragments.begin(), fragments.end()));
}

TEST(Reassembly6, TakesTheLargestPacket)
{
    const Buffer payload = test::sample_frame(65535);
    Buffers fragments;
    for (std::size_t at = 0; at < payload.size(); at += 1448) {
        fragments.push_back(
            cut(payload, at, std::min(at + 1448, payload.size())));
    }
    Checked reassembler({.frame = EOIP6_FRAME_MAX});
    EXPECT_EQ(reassembler.add_all(fragments), Buffers{whole(payload)});
}

TEST(Reassembly6, EndsPacketsThatAreTooBigAtOnce)
{
    for (const std::size_t extra : {0, 1}) {
        const Buffer payload =
            test::sample_frame(EOIP6_HLEN + kDefaultMaxFrame + extra);
        Checked reassembler;
        EXPECT_EQ(reassembler.add(cut(payload, 1448, payload.size())),
                  Buffer{});
        EXPECT_EQ(reassembler.fragments(), extra ? 0 : 1);
        EXPECT_EQ(reassembler.counters(), extra ? "frame_too_big=1" : "");
        EXPECT_EQ(reassembler.add(cut(payload, 0, 1448)),
                  extra ? Buffer{} : whole(payload));
    }
}

TEST(Reassembly6, KeepsPacketsApart)
{
    const Buffer payload = test::sample_frame(64);
    Ipv6Fields other_source = kIp, other_target = kIp;
    other_source.src = 3;
    other_target.dst = 4;
    const auto pieces = [&](const Ipv6Fields &ip, const FragmentFields &f) {
        return Buffers{cut(ip, f, payload, 0, 32),
                       cut(ip, f, payload, 32, 64)};
    };
    const Buffers parts[] = {pieces(kIp, {}),
                             pieces(kIp, {.id = 0x12345679}),
                             pieces(kIp, {.id = 0x02345678}),
                             pieces(other_source, {}),
                             pieces(other_target, {}),
                             pieces(kIp, {.next_header = 47})};
    Checked reassembler;
    for (const Buffers &part : parts) {
        EXPECT_TRUE(reassembler.add(part[0]).empty());
    }
    EXPECT_EQ(reassembler.packets(), std::size(parts));
    for (const Buffers &part : parts) {
        EXPECT_FALSE(reassembler.add(part[1]).empty());
    }
    EXPECT_TRUE(reassembler.empty());
}

// Of IPv4 there is nothing to be confused with.
TEST(Reassembly6, IsBesideIpv4)
{
    const Buffer payload = test::sample_frame(64);
    const test::Ipv4Fields ip4 = {.id = 0x5678, .protocol = 97};
    Checked reassembler;
    EXPECT_TRUE(reassembler.add(test::cut(ip4, payload, 0, 32)).empty());
    EXPECT_TRUE(reassembler.add(cut(payload, 0, 32)).empty());
    EXPECT_EQ(reassembler.add(test::cut(ip4, payload, 32, 64)),
              test::whole(ip4, payload));
    EXPECT_EQ(reassembler.add(cut(payload, 32, 64)), whole(payload));
}

// RFC 6946: the header of a fragment, but the whole packet.
TEST(Reassembly6, UnwrapsAPacketInOnePiece)
{
    const Buffer payload = test::sample_frame(64);
    Checked reassembler;
    EXPECT_TRUE(reassembler.add(cut(payload, 0, 32)).empty());
    EXPECT_EQ(reassembler.add(cut(payload, 0, 64)), whole(payload));
    EXPECT_EQ(reassembler.add(cut(payload, 32, 64)), whole(payload));
    EXPECT_EQ(reassembler.counters(), "packets=2 fragments=3");
}

TEST(Reassembly6, IgnoresReservedBitsAndPadding)
{
    const Buffer payload = test::sample_frame(35);
    Buffers fragments = {cut(kIp, {.reserved = 3}, payload, 0, 8),
                         cut(kIp, {.reserved = 3}, payload, 32, 35),
                         cut(payload, 8, 32)};
    for (Buffer &fragment : fragments) {
        fragment.resize(100, 0xee);
    }
    EXPECT_EQ(Checked().add_all(fragments), Buffers{whole(payload)});
}

TEST(Reassembly6, TakesTheHeaderOfTheFirstAndAnyCongestion)
{
    const Buffer payload = test::sample_frame(64);
    const Ipv6Fields marked = {.traffic_class = 0x03, .hop_limit = 2};
    for (const std::uint8_t traffic_class : {0x21, 0x22, 0x23}) {
        const Ipv6Fields capable = {.traffic_class = traffic_class,
                                    .hop_limit = 1};
        Ipv6Fields expected = capable;
        expected.traffic_class = 0x23;
        EXPECT_EQ(Checked().add_all({cut(marked, {}, payload, 32, 64),
                                     cut(capable, {}, payload, 0, 32)}),
                  Buffers{Packet6().ipv6(expected).frame(payload).bytes()});
    }

    Checked reassembler;
    reassembler.add_all(
        {cut(payload, 0, 32), cut(marked, {}, payload, 32, 64)});
    EXPECT_EQ(reassembler.counters(), "fragment_ecn=2");
}

// RFC 5722.
TEST(Reassembly6, AnyOverlapEndsThePacket)
{
    const Buffer payload = test::sample_frame(96);
    Checked reassembler;
    EXPECT_TRUE(reassembler.add(cut(payload, 0, 40)).empty());
    EXPECT_TRUE(reassembler.add(cut(payload, 32, 64)).empty());
    EXPECT_TRUE(reassembler.add(cut(payload, 40, 96)).empty());
    EXPECT_EQ(reassembler.counters(), "fragment_overlap=3");
    reassembler.expire(kStart + kTimeout);
    EXPECT_TRUE(reassembler.empty());
}

TEST(Reassembly6, NamesWhatIsMalformed)
{
    const Buffer payload = test::sample_frame(64);
    const auto counted = [](const Buffer &packet) {
        Checked reassembler;
        EXPECT_TRUE(reassembler.add(packet).empty());
        EXPECT_TRUE(reassembler.empty());
        return reassembler.counters();
    };
    EXPECT_EQ(counted(cut(payload, 0, 31)), "fragment_malformed=1");
    EXPECT_EQ(counted(Packet6().fragment({.more = true}).bytes()),
              "fragment_malformed=1");
    EXPECT_EQ(
        counted(Packet6().fragment({.offset_bytes = 65528}).frame(8).bytes()),
        "fragment_malformed=1");
    EXPECT_EQ(
        counted(Packet6().ipv6({.next_header = 0}).frame(payload).bytes()),
        "ip_options=1");

    const Buffer fragment = cut(payload, 0, 32);
    for (std::size_t n = 1; n < fragment.size(); n++) {
        EXPECT_EQ(counted({fragment.begin(),
                           fragment.begin() + static_cast<std::ptrdiff_t>(n)}),
                  "ip_header=1")
            << n;
    }
    for (std::uint16_t n = 0; n < 8; n++) {
        EXPECT_EQ(counted(Packet6()
                              .ipv6({.payload_bytes = n})
                              .fragment({.more = true})
                              .frame(32)
                              .bytes()),
                  "ip_header=1");
    }
}

}  // namespace
}  // namespace eoip
