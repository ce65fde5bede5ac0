// SPDX-License-Identifier: Apache-2.0
//
// eoip/wire.h: what is sent, in one piece and in fragments, and that what is
// received is the same again.

#include "eoip/wire.h"

#include <algorithm>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "packet.h"
#include "received.h"
#include "vectors.h"

namespace eoip {
namespace {

using test::Buffer;
using test::Packet;

constexpr std::uint16_t kKeys[] = {0, 1, 255, 256, 1234, 65535};

// Sending as the switch does it: a prepared header, completed for one frame.

struct Template {
    std::uint8_t tos = 0;
    std::uint8_t ttl = 255;
    bool dont_fragment = false;
    std::uint32_t src = 0xc0000201;
    std::uint32_t dst = 0xc6336402;
};

Buffer prepared_header(std::uint16_t key, const Template &t)
{
    return Packet()
        .ipv4({.tos = t.tos,
               .total_bytes = 0,
               .id = 0,
               .dont_fragment = t.dont_fragment,
               .ttl = t.ttl,
               .src = t.src,
               .dst = t.dst})
        .eoip(key)
        .bytes();
}

Buffer send(std::uint16_t key, const Buffer &frame, std::uint16_t ip_id,
            const Template &t = {})
{
    Buffer out = prepared_header(key, t);
    eoip_put_header(out.data() + EOIP_IPV4_HLEN, key, 0);
    eoip_complete_header(out.data(), static_cast<std::uint16_t>(frame.size()),
                    ip_id);
    out.insert(out.end(), frame.begin(), frame.end());
    return out;
}

TEST(Send, WritesTheBytesThatRouterOsWrites)
{
    // The keepalive of [cap].
    EXPECT_EQ(send(100, {}, 0x7800, {.src = 0x4e2f37c5, .dst = 0x808c72af}),
              test::all_vectors().at(0).packet);
}

TEST(Send, AgreesWithThePacketBuilder)
{
    for (const std::uint16_t key : kKeys) {
        const Buffer frame = test::sample_frame(60);
        EXPECT_EQ(
            send(key, frame, 0xbeef),
            Packet().ipv4({.id = 0xbeef}).eoip(key).frame(frame).bytes());
    }
}

// RFC 1624's corner is the sum that comes out as 0 or 0xffff: so take every
// length, with ids that reach it, and headers whose own checksum is extreme.
TEST(Send, ChecksumEqualsAFullRecomputation)
{
    std::set<std::uint16_t> seen;
    for (const std::uint32_t dst : {0xc6336402u, 0x00000001u, 0xfffffffeu}) {
        const Buffer prepared = prepared_header(7, {.dst = dst});
        const std::uint16_t start = eoip_load_be16(prepared.data() + 10);
        for (std::uint32_t total = 28; total <= 65535; total++) {
            const auto corner = static_cast<std::uint16_t>(start - total);
            for (const int delta : {-1, 0, 1, 0x1234}) {
                const auto id = static_cast<std::uint16_t>(corner + delta);
                Buffer header = prepared;
                eoip_complete_header(header.data(),
                                static_cast<std::uint16_t>(total - 28), id);
                const std::uint16_t actual = eoip_load_be16(header.data() + 10);
                seen.insert(actual);
                header[10] = header[11] = 0;
                ASSERT_EQ(actual, test::reference_checksum(header.data(), 20))
                    << "total " << total << " id " << id;
            }
        }
    }
    EXPECT_TRUE(seen.contains(0x0000));
    EXPECT_FALSE(seen.contains(0xffff));  // A header's sum is never zero.
}

TEST(Send, ChecksumIsRightForEveryIdAndPreparedHeader)
{
    for (std::uint32_t i = 0; i <= 0xffff; i++) {
        const auto word = static_cast<std::uint16_t>(i);
        const Template t = {.src = 0xc0000000u | i, .dst = ~i};
        const Buffer sent = send(7, test::sample_frame(14), word, t);
        ASSERT_TRUE(eoip_ipv4_checksum_ok(sent.data())) << i;
    }
}

// Property: what is sent is received.

TEST(RoundTrip, RandomFramesAndKeys)
{
    std::mt19937 random(20260101);
    const auto any = [&random](std::uint32_t low, std::uint32_t high) {
        return std::uniform_int_distribution<std::uint32_t>(low, high)(random);
    };
    for (int i = 0; i < 3000; i++) {
        const std::uint32_t max = i % 10 ? 1600 : EOIP_FRAME_MAX;
        const auto key = static_cast<std::uint16_t>(any(0, 65535));
        Buffer frame(any(EOIP_FRAME_MIN, max));
        std::generate(frame.begin(), frame.end(),
                      [&random] { return random() & 0xff; });
        const Template t = {.tos = static_cast<std::uint8_t>(any(0, 255)),
                            .ttl = static_cast<std::uint8_t>(any(1, 255)),
                            .dont_fragment = any(0, 1) == 1,
                            .src = any(0x01000000, 0x7effffff),
                            .dst = any(0x80000000, UINT32_MAX)};
        const auto id = static_cast<std::uint16_t>(any(0, 65535));

        const Buffer packet = send(key, frame, id, t);
        const Received rx = receive(packet, false);

        ASSERT_EQ(rx.kind, EOIP_FRAME);
        ASSERT_EQ(rx.key, key);
        ASSERT_FALSE(rx.trimmed);
        const Bytes got = Bytes(packet).subspan(EOIP_OUTER_HLEN, rx.frame_bytes);
        ASSERT_TRUE(
            std::equal(got.begin(), got.end(), frame.begin(), frame.end()));
    }
}

TEST(RoundTrip, VectorsOfWholeFramesAreSentBack)
{
    int n_sent = 0;
    for (const test::Vector &vector : test::all_vectors()) {
        const Received rx = receive(vector.packet, false);
        if (rx.kind == EOIP_DROPPED || rx.trimmed) {
            continue;
        }
        const std::uint8_t *ip = vector.packet.data();
        const Bytes frame =
            Bytes(vector.packet).subspan(EOIP_OUTER_HLEN, rx.frame_bytes);
        const Buffer sent =
            send(rx.key, Buffer(frame.begin(), frame.end()), eoip_load_be16(ip + 4),
                 {.tos = ip[1],
                  .ttl = ip[8],
                  .dont_fragment = (ip[6] & 0x40) != 0,
                  .src = eoip_load_be32(ip + 12),
                  .dst = eoip_load_be32(ip + 16)});
        EXPECT_TRUE(std::equal(sent.begin(), sent.end(), ip)) << vector.name;
        n_sent++;
    }
    EXPECT_GE(n_sent, 20);
}

TEST(Fragments, AreMultiplesOf8ThatFitTheMtu)
{
    EXPECT_EQ(eoip_fragment_bytes(0), 0u);
    EXPECT_EQ(eoip_fragment_bytes(27), 0u);
    EXPECT_EQ(eoip_fragment_bytes(28), 8u);
    EXPECT_EQ(eoip_fragment_bytes(576), 552u);
    EXPECT_EQ(eoip_fragment_bytes(1500), 1480u);
    EXPECT_EQ(eoip_fragment_bytes(65535), 65512u);
}

TEST(Fragments, HaveHeadersOfTheirOwn)
{
    const Buffer whole = test::Packet()
                             .ipv4({.tos = 0xb8, .id = 0x4711})
                             .eoip(1)
                             .frame(3000)
                             .bytes();
    const struct {
        std::size_t offset, bytes;
        bool more;
        std::uint16_t field;
    } cases[] = {{0, 1480, true, 0x2000},
                 {1480, 1480, true, 0x20b9},
                 {2960, 48, false, 0x0172}};
    for (const auto &[offset, bytes, more, field] : cases) {
        Buffer header(whole.begin(), whole.begin() + EOIP_IPV4_HLEN);
        eoip_make_fragment(header.data(), offset, bytes, more);
        EXPECT_EQ(eoip_load_be16(&header[2]), EOIP_IPV4_HLEN + bytes);
        EXPECT_EQ(eoip_load_be16(&header[6]), field);
        EXPECT_EQ(test::reference_checksum(header.data(), header.size()), 0);
        EXPECT_EQ(header[1], 0xb8);
        EXPECT_EQ(eoip_load_be16(&header[4]), 0x4711);
    }
}

}  // namespace
}  // namespace eoip
