// SPDX-License-Identifier: Apache-2.0
//
// eoip/frame.h: the DF bit that packets inherit, and the ECN mark that frames
// take over.

#include "eoip/frame.h"

#include <vector>

#include <gtest/gtest.h>

namespace eoip {
namespace {

using Buffer = std::vector<std::uint8_t>;

Buffer frame(const Buffer &tags_and_type, std::size_t ip_bytes)
{
    Buffer out(12, 2);
    out.insert(out.end(), tags_and_type.begin(), tags_and_type.end());
    out.resize(out.size() + ip_bytes);
    return out;
}

Buffer ipv4(std::uint8_t tos, std::uint16_t frag_off, const Buffer &tags = {})
{
    Buffer type = tags;
    type.insert(type.end(), {0x08, 0x00});
    Buffer out = frame(type, 28);
    std::uint8_t *ip = &out[12 + type.size()];
    ip[0] = 0x45;
    ip[1] = tos;
    eoip_store_be16(ip + 6, frag_off);
    ip[8] = 64;
    eoip_put_ipv4_checksum(ip);
    return out;
}

Buffer ipv6(std::uint8_t tos)
{
    Buffer out = frame({0x86, 0xdd}, 48);
    out[14] = static_cast<std::uint8_t>(0x60 | tos >> 4);
    out[15] = static_cast<std::uint8_t>(tos << 4 | 0x5);
    return out;
}

TEST(InheritedDf, IsThatOfIpv4)
{
    for (const bool otherwise : {false, true}) {
        for (const Buffer &tags : {Buffer{}, Buffer{0x81, 0, 0, 5},
                                   Buffer{0x88, 0xa8, 0, 5, 0x81, 0, 0, 6}}) {
            EXPECT_TRUE(inherited_df(ipv4(0, 0x4000, tags), otherwise));
            EXPECT_FALSE(inherited_df(ipv4(0, 0x0000, tags), otherwise));
            EXPECT_FALSE(inherited_df(ipv4(0, 0x2000, tags), otherwise));
        }
    }
}

TEST(InheritedDf, OthersHaveNone)
{
    Buffer version5 = ipv4(0, 0x4000);
    version5[14] = 0x55;
    const Buffer arp = frame({0x08, 0x06}, 28);
    for (const Buffer &other : {ipv6(0), arp, version5, Buffer(14, 8)}) {
        EXPECT_TRUE(inherited_df(other, true));
        EXPECT_FALSE(inherited_df(other, false));
    }
    const Buffer whole = ipv4(0, 0x4000, {0x81, 0, 0, 5});
    for (std::size_t n = 0; n < 18 + 20; n++) {
        const Buffer part(whole.begin(), whole.begin() + std::ptrdiff_t(n));
        EXPECT_FALSE(inherited_df(part, false)) << n;
    }
}

// To the byte: what is behind is not read.
TEST(IpOf, NeedsAWholeHeader)
{
    for (const Buffer &tags : {Buffer{}, Buffer{0x81, 0, 0, 5}}) {
        const std::size_t ethernet = 14 + tags.size();
        Buffer packet = ipv4(2, 0x4000, tags);
        packet.resize(ethernet + 20);
        EXPECT_EQ(ip_of(Bytes(packet)).size(), 20u);
        EXPECT_TRUE(inherited_df(packet, false));
        packet.resize(ethernet + 19);
        packet.shrink_to_fit();
        EXPECT_TRUE(ip_of(Bytes(packet)).empty());
    }
    Buffer packet = ipv6(2);
    packet.resize(14 + 40);
    EXPECT_EQ(ip_of(Bytes(packet)).size(), 40u);
    packet.resize(14 + 39);
    EXPECT_TRUE(ip_of(Bytes(packet)).empty());
    const Buffer before = packet;
    take_over_ect1(packet);
    EXPECT_EQ(packet, before);
}

// RFC 6040, figure 4, the column of an outer ECT(1).
TEST(Ect1, ReplacesEct0Only)
{
    for (const std::uint8_t dscp : {0x00, 0xb8, 0xfc}) {
        for (const auto &[inner, expected] :
             {std::pair<int, int>{0, 0}, {1, 1}, {2, 1}, {3, 3}}) {
            Buffer v4 = ipv4(static_cast<std::uint8_t>(dscp | inner), 0);
            take_over_ect1(v4);
            EXPECT_EQ(v4, ipv4(static_cast<std::uint8_t>(dscp | expected), 0));
            Buffer v6 = ipv6(static_cast<std::uint8_t>(dscp | inner));
            take_over_ect1(v6);
            EXPECT_EQ(v6, ipv6(static_cast<std::uint8_t>(dscp | expected)));
        }
    }
}

// The same, the column of an outer CE.
TEST(Ce, IsNotForFramesWithoutEcn)
{
    for (const std::uint8_t ecn : {0, 1, 2, 3}) {
        for (const std::uint8_t dscp : {0x00, 0xfc}) {
            const auto tos = static_cast<std::uint8_t>(dscp | ecn);
            EXPECT_EQ(can_carry_ce(ipv4(tos, 0)), ecn != 0);
            EXPECT_EQ(can_carry_ce(ipv4(tos, 0, {0x81, 0, 0, 5})), ecn != 0);
            EXPECT_EQ(can_carry_ce(ipv6(tos)), ecn != 0);
        }
    }
    for (const Buffer &other :
         {frame({0x08, 0x06}, 28), Buffer(14, 8), Buffer{}}) {
        EXPECT_TRUE(can_carry_ce(other));
    }
}

TEST(Ect1, AnyChecksumStaysRight)
{
    for (std::uint32_t id = 0; id < 0x10000; id++) {
        Buffer packet = ipv4(2, 0);
        eoip_store_be16(&packet[18], static_cast<std::uint16_t>(id));
        eoip_put_ipv4_checksum(&packet[14]);
        take_over_ect1(packet);
        ASSERT_TRUE(eoip_ipv4_checksum_ok(&packet[14])) << id;
    }
}

TEST(Ect1, OtherFramesStay)
{
    for (Buffer other : {frame({0x08, 0x06}, 28), Buffer(14, 8), Buffer{}}) {
        const Buffer before = other;
        take_over_ect1(other);
        EXPECT_EQ(other, before);
    }
}

}  // namespace
}  // namespace eoip
