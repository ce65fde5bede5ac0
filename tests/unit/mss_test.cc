// SPDX-License-Identifier: Apache-2.0
//
// eoip/mss.h: which MSS is lowered to what, that checksums stay as right as
// they were, and that hostile lengths lead nowhere.

#include "eoip/mss.h"

#include <algorithm>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace eoip {
namespace {

using Buffer = std::vector<std::uint8_t>;

constexpr std::size_t kMtu = 1458;  // As RouterOS has on a path of 1500.

void put16(Buffer &out, std::size_t value)
{
    out.push_back(static_cast<std::uint8_t>(value >> 8));
    out.push_back(static_cast<std::uint8_t>(value));
}

void append(Buffer &out, const Buffer &bytes)
{
    out.insert(out.end(), bytes.begin(), bytes.end());
}

// The Internet checksum, computed the long way.
std::uint16_t sum_of(const Buffer &bytes)
{
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < bytes.size(); i++) {
        sum += i % 2 ? bytes[i] : bytes[i] << 8;
    }
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return static_cast<std::uint16_t>(sum);
}

Buffer mss_option(std::size_t mss)
{
    return {2, 4, static_cast<std::uint8_t>(mss >> 8),
            static_cast<std::uint8_t>(mss)};
}

// A frame with a TCP segment, with what a test wants to be different.
struct Segment {
    bool ipv6 = false;
    Buffer tags = {};  // Before the Ethernet type.
    Buffer options = mss_option(1460);
    Buffer data = {};
    Buffer extensions = {};  // Of IPv6, each with its next header.
    std::uint8_t first_extension = 6;
    std::size_t ip_option_words = 0;
    std::uint16_t frag_off = 0;
    std::uint8_t flags = 0x02;
    int checksum_error = 0;

    [[nodiscard]] Buffer tcp() const
    {
        Buffer out{0x30, 0x39, 0x00, 0x50, 1, 2, 3, 4, 0, 0, 0, 0};
        Buffer padded = options;
        padded.resize((padded.size() + 3) / 4 * 4);
        out.push_back(
            static_cast<std::uint8_t>((20 + padded.size()) / 4 << 4));
        out.push_back(flags);
        append(out, {0xfa, 0xf0, 0, 0, 0, 0});
        append(out, padded);
        append(out, data);
        const std::uint16_t sum = ~(checked_sum(out));
        const int wrong = sum + checksum_error;
        out[16] = static_cast<std::uint8_t>(wrong >> 8);
        out[17] = static_cast<std::uint8_t>(wrong);
        return out;
    }

    [[nodiscard]] Buffer addresses() const
    {
        Buffer out(ipv6 ? 32 : 8, 0);
        out[0] = 10;
        out.back() = 7;
        return out;
    }

    // Over TCP and the pseudo header.
    [[nodiscard]] std::uint16_t checked_sum(const Buffer &tcp) const
    {
        Buffer all = addresses();
        put16(all, 6);
        put16(all, tcp.size());
        append(all, tcp);
        return sum_of(all);
    }

    [[nodiscard]] Buffer frame() const
    {
        Buffer out(12, 0x02);
        append(out, tags);
        put16(out, ipv6 ? 0x86dd : 0x0800);
        const Buffer segment = tcp();
        if (ipv6) {
            append(out, {0x60, 0, 0, 0});
            put16(out, extensions.size() + segment.size());
            append(out, {first_extension, 64});
        } else {
            out.push_back(static_cast<std::uint8_t>(0x45 + ip_option_words));
            out.push_back(0);
            put16(out, 20 + 4 * ip_option_words + segment.size());
            put16(out, 0x1234);
            put16(out, frag_off);
            append(out, {64, 6, 0, 0});
        }
        append(out, addresses());
        out.insert(out.end(), 4 * ip_option_words, 1);
        append(out, extensions);
        append(out, segment);
        return out;
    }

    [[nodiscard]] std::size_t tcp_offset() const
    {
        return 14 + tags.size() + (ipv6 ? 40 : 20) + 4 * ip_option_words
               + extensions.size();
    }
};

// What clamp_mss() makes of it; its checksum is right if it was before.
Buffer clamp(const Segment &segment, std::size_t mtu = kMtu)
{
    Buffer frame = segment.frame();
    const Buffer before = frame;
    const bool changed = clamp_mss(frame, mtu);

    EXPECT_EQ(changed, frame != before);
    Buffer tcp(frame.begin() + std::ptrdiff_t(segment.tcp_offset()),
               frame.end());
    if (!segment.checksum_error) {
        EXPECT_EQ(segment.checked_sum(tcp), 0xffff);
    }
    return tcp;
}

std::size_t mss_of(const Buffer &tcp, std::size_t offset = 22)
{
    return tcp[offset] << 8 | tcp[offset + 1];
}

TEST(Mss, IsLoweredToWhatFits)
{
    EXPECT_EQ(mss_of(clamp({})), 1418u);
    EXPECT_EQ(mss_of(clamp({.ipv6 = true})), 1398u);
    EXPECT_EQ(mss_of(clamp({}, 1500)), 1460u);
    EXPECT_EQ(mss_of(clamp({}, 1499)), 1459u);
    EXPECT_EQ(mss_of(clamp({.options = mss_option(65535)})), 1418u);
    EXPECT_EQ(mss_of(clamp({.flags = 0x12})), 1418u);  // SYN and ACK.
    EXPECT_EQ(mss_of(clamp({.flags = 0xc2})), 1418u);  // With ECN.
}

TEST(Mss, IsNeverRaised)
{
    for (const std::size_t mss : {0, 1, 536, 1417, 1418}) {
        EXPECT_EQ(mss_of(clamp({.options = mss_option(mss)})), mss);
    }
    EXPECT_EQ(mss_of(clamp({.options = mss_option(1419)})), 1418u);
}

TEST(Mss, BehindVlanTags)
{
    for (const Buffer &tags : {Buffer{0x81, 0, 0, 5}, Buffer{0x88, 0xa8, 0, 5},
                               Buffer{0x88, 0xa8, 0, 5, 0x81, 0, 0, 6}}) {
        EXPECT_EQ(mss_of(clamp({.tags = tags})), 1418u - tags.size());
        EXPECT_EQ(mss_of(clamp({.ipv6 = true, .tags = tags})),
                  1398u - tags.size());
    }
    const Buffer three{0x81, 0, 0, 5, 0x81, 0, 0, 6, 0x81, 0, 0, 7};
    EXPECT_EQ(mss_of(clamp({.tags = three})), 1460u);
}

TEST(Mss, AmongOtherOptions)
{
    // What Linux sends: MSS first, then the others.
    Buffer linux = mss_option(1460);
    append(linux, {4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7});
    EXPECT_EQ(mss_of(clamp({.options = linux})), 1418u);

    // At odd offsets, where the checksum sees its bytes swapped.
    for (std::size_t nops = 1; nops < 8; nops++) {
        Buffer options(nops, 1);
        append(options, mss_option(1460));
        EXPECT_EQ(mss_of(clamp({.options = options}), 22 + nops), 1418u);
    }
    Buffer behind{3, 3, 7};
    append(behind, mss_option(9000));
    EXPECT_EQ(mss_of(clamp({.options = behind}), 25), 1418u);
}

TEST(Mss, WithDataAndOptionsOfIp)
{
    EXPECT_EQ(mss_of(clamp({.data = Buffer(1000, 0xab)})), 1418u);
    EXPECT_EQ(mss_of(clamp({.data = Buffer(7, 0xab)})), 1418u);
    EXPECT_EQ(mss_of(clamp({.ip_option_words = 1})), 1418u);
    EXPECT_EQ(mss_of(clamp({.ip_option_words = 10})), 1418u);
    // The first fragment has the header; DF is no fragment.
    EXPECT_EQ(mss_of(clamp({.frag_off = 0x2000})), 1418u);
    EXPECT_EQ(mss_of(clamp({.frag_off = 0x4000})), 1418u);
    EXPECT_EQ(mss_of(clamp({.frag_off = 0x2001})), 1460u);
}

TEST(Mss, BehindIpv6Extensions)
{
    const Buffer hop{6, 0, 1, 4, 0, 0, 0, 0};
    const Buffer first_fragment{6, 0, 0, 1, 1, 2, 3, 4};
    const Buffer later_fragment{6, 0, 0, 9, 1, 2, 3, 4};
    auto with = [](std::uint8_t kind, const Buffer &extensions) {
        return clamp(
            {.ipv6 = true, .extensions = extensions, .first_extension = kind});
    };
    EXPECT_EQ(mss_of(with(0, hop)), 1398u);
    EXPECT_EQ(mss_of(with(60, hop)), 1398u);
    EXPECT_EQ(mss_of(with(43, hop)), 1398u);
    EXPECT_EQ(mss_of(with(44, first_fragment)), 1398u);
    EXPECT_EQ(mss_of(with(44, later_fragment)), 1460u);
    EXPECT_EQ(mss_of(with(50, hop)), 1460u);  // ESP.
    const Buffer two{60, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4, 0, 0, 0, 0};
    EXPECT_EQ(mss_of(with(0, two)), 1398u);
    Buffer longer{6, 2, 1, 20};  // 24 bytes.
    longer.resize(24);
    EXPECT_EQ(mss_of(with(0, longer)), 1398u);
    // As many as are looked behind, and one more.
    Buffer many;
    for (int i = 0; i < 7; i++) {
        append(many, {60, 0, 1, 4, 0, 0, 0, 0});
    }
    append(many, hop);
    EXPECT_EQ(mss_of(with(60, many)), 1398u);
    many.insert(many.begin(), {60, 0, 1, 4, 0, 0, 0, 0});
    EXPECT_EQ(mss_of(with(60, many)), 1460u);
    // No SYN.
    EXPECT_EQ(mss_of(clamp({.ipv6 = true,
                            .extensions = hop,
                            .first_extension = 0,
                            .flags = 0x10})),
              1460u);
}

TEST(Mss, AWrongChecksumStaysWrong)
{
    for (const int error : {1, 77, -3}) {
        const Segment segment{.checksum_error = error};
        const Buffer tcp = clamp(segment);
        EXPECT_EQ(mss_of(tcp), 1418u);
        EXPECT_NE(segment.checked_sum(tcp), 0xffff);
    }
}

// Whatever the checksum was: its change carries never, once, or twice.  Twice
// takes an odd offset and a last byte that grows.
TEST(Mss, AnyChecksumStaysRight)
{
    for (const std::size_t nops : {0, 1}) {
        Segment segment{.options = Buffer(nops, 1)};
        append(segment.options, mss_option(1536));
        Buffer frame = segment.frame();
        const std::size_t tcp_at = segment.tcp_offset();
        const std::uint16_t zero_sum = [&] {
            Buffer tcp(frame.begin() + std::ptrdiff_t(tcp_at), frame.end());
            tcp[4] = tcp[5] = tcp[16] = tcp[17] = 0;
            return segment.checked_sum(tcp);
        }();
        for (std::uint32_t i = 0; i < 0x10000; i++) {
            const std::uint32_t sum = zero_sum + i;
            eoip_store_be16(&frame[tcp_at + 4], std::uint16_t(i));
            eoip_store_be16(&frame[tcp_at + 16],
                       std::uint16_t(~(sum + (sum >> 16))));
            eoip_store_be16(&frame[tcp_at + 22 + nops], 1536);
            ASSERT_TRUE(clamp_mss(frame, kMtu));
            ASSERT_EQ(
                segment.checked_sum(
                    {frame.begin() + std::ptrdiff_t(tcp_at), frame.end()}),
                0xffff)
                << i;
        }
    }
}

TEST(Mss, OtherSegmentsStay)
{
    EXPECT_EQ(mss_of(clamp({.flags = 0x10})), 1460u);
    EXPECT_EQ(mss_of(clamp({.flags = 0x11})), 1460u);
    EXPECT_EQ(clamp({.options = {}}).size(), 20u);
    EXPECT_EQ(mss_of(clamp({.options = {1, 1, 5, 180}})), 0x05b4u);
}

TEST(Mss, OptionsThatLie)
{
    for (const Buffer &options :
         {Buffer{2, 3, 5, 180}, Buffer{2, 0, 5, 180}, Buffer{2, 1, 5, 180},
          Buffer{2, 5, 5, 180}, Buffer{2, 5, 5, 180, 1, 1, 1, 1},
          Buffer{0, 2, 4, 5, 180}, Buffer{9, 0, 2, 4},
          Buffer{9, 1, 2, 4, 5, 180}, Buffer{1, 1, 1, 2}, Buffer{1, 1, 2, 4},
          Buffer{3, 200, 2, 4}}) {
        const Segment segment{.options = options};
        EXPECT_EQ(clamp(segment), segment.tcp());
    }
}

TEST(Mss, SmallTunnels)
{
    for (const std::size_t mtu : {0, 1, 39, 40, 60}) {
        EXPECT_EQ(mss_of(clamp({.ipv6 = true}, mtu)), 1460u) << mtu;
    }
    EXPECT_EQ(mss_of(clamp({}, 40)), 1460u);
    EXPECT_EQ(mss_of(clamp({}, 41)), 1u);
}

TEST(Mss, FramesThatEndEarly)
{
    const Buffer tags{0x88, 0xa8, 0, 5, 0x81, 0, 0, 6};
    const Buffer hop{6, 0, 1, 4, 0, 0, 0, 0};
    for (const Segment &segment :
         {Segment{}, Segment{.ipv6 = true}, Segment{.tags = tags},
          Segment{.ipv6 = true, .tags = tags}, Segment{.data = tags},
          Segment{.ip_option_words = 10},
          Segment{.ipv6 = true, .extensions = hop, .first_extension = 0}}) {
        const Buffer whole = segment.frame();
        for (std::size_t n = 0; n < whole.size(); n++) {
            Buffer frame(whole.begin(), whole.begin() + std::ptrdiff_t(n));
            frame.shrink_to_fit();
            const Buffer before = frame;
            EXPECT_FALSE(clamp_mss(frame, kMtu)) << n;
            EXPECT_EQ(frame, before);
        }
    }
}

TEST(Mss, HeadersOfIpThatLie)
{
    const Buffer whole = Segment{.ip_option_words = 10}.frame();
    for (std::size_t total = 0; total < whole.size() - 14; total++) {
        Buffer frame = whole;
        eoip_store_be16(&frame[16], std::uint16_t(total));
        const Buffer before = frame;
        EXPECT_FALSE(clamp_mss(frame, kMtu)) << total;
        EXPECT_EQ(frame, before);
    }
    // A header of 16 bytes, and behind them a SYN.
    Buffer frame = Segment{}.frame();
    const std::size_t tcp = 14 + 16;
    frame[14] = 0x44;
    frame[tcp + 12] = 0x60;
    frame[tcp + 13] = EOIP_TCP_SYN;
    const Buffer option = mss_option(1460);
    std::copy(option.begin(), option.end(), &frame[tcp + 20]);
    EXPECT_FALSE(clamp_mss(frame, kMtu));
}

TEST(Mss, EveryByteMayLie)
{
    std::mt19937 random(3);
    for (int i = 0; i < 50000; i++) {
        Segment segment{.ipv6 = random() % 2 == 0};
        if (random() % 3 == 0) {
            segment.tags = {0x81, 0, 0, 5};
        }
        Buffer frame = segment.frame();
        for (std::size_t n = random() % 4; n > 0; n--) {
            frame[12 + random() % (frame.size() - 12)] =
                static_cast<std::uint8_t>(random());
        }
        const Buffer before = frame;
        if (clamp_mss(frame, kMtu)) {
            ASSERT_FALSE(eoip_is_plainly_no_syn(before.data(), before.size()));
            std::size_t changed = 0;
            for (std::size_t at = 0; at < frame.size(); at++) {
                changed += frame[at] != before[at];
            }
            ASSERT_LE(changed, 4u);
        } else {
            ASSERT_EQ(frame, before);
        }
    }
}

TEST(Mss, OnlySynsAreLookedAt)
{
    auto looked_at = [](const Segment &segment) {
        const Buffer frame = segment.frame();
        const bool syn = may_be_syn(frame.data(), frame.size());
        EXPECT_FALSE(syn && eoip_is_plainly_no_syn(frame.data(), frame.size()));
        return syn;
    };
    EXPECT_TRUE(looked_at({}));
    EXPECT_TRUE(looked_at({.ipv6 = true}));
    EXPECT_TRUE(looked_at({.tags = {0x81, 0, 0, 5}}));
    EXPECT_TRUE(looked_at({.ip_option_words = 1}));
    EXPECT_FALSE(looked_at({.flags = 0x10}));
    EXPECT_FALSE(looked_at({.ipv6 = true, .flags = 0x18}));
    EXPECT_FALSE(looked_at({.tags = {0x81, 0, 0, 5}, .flags = 0x10}));
    Buffer udp = Segment{}.frame();
    udp[23] = 17;
    EXPECT_FALSE(may_be_syn(udp.data(), udp.size()));
    EXPECT_TRUE(eoip_is_plainly_no_syn(udp.data(), udp.size()));
}

}  // namespace
}  // namespace eoip
