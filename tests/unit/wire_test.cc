// SPDX-License-Identifier: Apache-2.0
//
// eoip/wire.h: what is received; and the vectors, of EoIPv6 as well.  For what
// is sent see send_test.cc.

#include "eoip/wire.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

#include "eoip/wire6.h"
#include "packet.h"
#include "received.h"
#include "vectors.h"

namespace eoip {
namespace {

using test::Buffer;
using test::Packet;

constexpr std::uint16_t kKeys[] = {0, 1, 255, 256, 1234, 65535};

// One line that says all about a received packet; tests compare these.
std::string received(const Buffer &packet, bool checksum_verified = false)
{
    return testing::PrintToString(receive(packet, checksum_verified));
}

// Vectors.

TEST(Vectors, AreReceivedAsTheySay)
{
    const auto vectors = test::all_vectors();
    ASSERT_GE(vectors.size(), 60u);
    for (const test::Vector &vector : vectors) {
        std::string expected = vector.expect;
        if (vector.key) {
            expected += " key " + std::to_string(*vector.key);
        }
        if (vector.expect == "frame") {
            expected += " frame_bytes " + std::to_string(vector.frame_bytes);
        }
        expected += vector.trimmed ? " trimmed" : "";
        EXPECT_EQ(vector.packet.at(0) >> 4 == 6
                      ? testing::PrintToString(receive6(vector.packet))
                      : received(vector.packet),
                  expected)
            << vector.name;
    }
}

TEST(Vectors, HaveUniqueNames)
{
    std::set<std::string> names;
    for (const test::Vector &vector : test::all_vectors()) {
        EXPECT_TRUE(names.insert(vector.name).second) << vector.name;
    }
}

// Of a single packet: reassembly_test.cc shows the drops of fragments.
TEST(Vectors, ShowEveryDropOfReceiving)
{
    std::set<std::string> shown;
    for (const test::Vector &vector : test::all_vectors()) {
        shown.insert(vector.expect);
    }
#define IS_SHOWN(SYMBOL, NAME, SENTENCE)                                      \
    EXPECT_TRUE(shown.contains(NAME)) << NAME;
    EOIP_RX_DROPS(IS_SHOWN)
#undef IS_SHOWN
}

// Sources that no host has.

TEST(Receive, DropsMartians)
{
    auto from = [](std::uint32_t src) {
        return receive(Packet().ipv4({.src = src}).eoip(7).frame(60).bytes(),
                       false);
    };
    for (const std::uint32_t src :
         {0x00000000u, 0x00000001u, 0x00ffffffu, 0x7f000001u, 0x7fffffffu,
          0xe0000001u, 0xefffffffu, 0xffffffffu, 0xc6336402u}) {
        const Received rx = from(src);
        EXPECT_EQ(rx.kind, EOIP_DROPPED) << src;
        EXPECT_EQ(rx.drop, EOIP_DROP_MARTIAN) << src;
        EXPECT_EQ(rx.key, 7) << src;
    }
    for (const std::uint32_t src :
         {0x01000000u, 0x7effffffu, 0x80000000u, 0xdfffffffu, 0xf0000000u,
          0xfffffffeu, 0xc6336401u}) {
        EXPECT_EQ(from(src).kind, EOIP_FRAME) << src;
    }
}

// The longest frame.

TEST(Receive, DropsFramesThatAreTooBig)
{
    auto kind = [](std::size_t n_bytes, std::size_t max) {
        const Received rx =
            receive(Packet().eoip(7).frame(n_bytes).bytes(), false, max);
        return rx.kind == EOIP_FRAME ? EOIP_N_DROPS : rx.drop;
    };
    EXPECT_EQ(kind(1518, 1518), EOIP_N_DROPS);
    EXPECT_EQ(kind(1519, 1518), EOIP_DROP_FRAME_TOO_BIG);
    EXPECT_EQ(kind(65507, 1518), EOIP_DROP_FRAME_TOO_BIG);
    EXPECT_EQ(kind(13, 1518), EOIP_DROP_FRAME_TOO_SHORT);
    // Of what is cut off nothing is delivered.
    const Received rx =
        receive(Packet().eoip(7, {.frame_bytes = 60}).frame(2000).bytes(),
                false, 1518);
    EXPECT_EQ(rx.kind, EOIP_FRAME);
    EXPECT_TRUE(rx.trimmed);
}

// Keys.

TEST(Receive, ReadsTheKeyLittleEndian)
{
    for (const std::uint16_t key : kKeys) {
        EXPECT_EQ(received(Packet().eoip(key).frame(60).bytes()),
                  "frame key " + std::to_string(key) + " frame_bytes 60");
    }
    const Buffer packet = Packet().eoip(1234).frame(60).bytes();
    EXPECT_EQ(packet[26], 0xd2);  // [cap]
    EXPECT_EQ(packet[27], 0x04);
}

// Lengths.

TEST(Receive, AcceptsTheSmallestAndTheLargestFrame)
{
    EXPECT_EQ(received(Packet().eoip(7).frame(14).bytes()),
              "frame key 7 frame_bytes 14");
    EXPECT_EQ(received(Packet().eoip(7).frame(EOIP_FRAME_MAX).bytes()),
              "frame key 7 frame_bytes 65507");
}

TEST(Receive, DropsFramesOf1To13)
{
    for (std::uint16_t n = 1; n < EOIP_FRAME_MIN; n++) {
        EXPECT_EQ(received(Packet().eoip(7).frame(n).bytes()),
                  "frame_too_short key 7")
            << n;
        EXPECT_EQ(
            received(Packet().eoip(7, {.frame_bytes = n}).frame(60).bytes()),
            "frame_too_short key 7 trimmed")
            << n;
    }
}

TEST(Receive, TrimsToTheLengthField)
{
    const auto packet = Packet().eoip(7, {.frame_bytes = 42}).frame(60);
    EXPECT_EQ(received(packet.bytes()), "frame key 7 frame_bytes 42 trimmed");
}

TEST(Receive, DropsWhatIsShorterThanTheLengthField)
{
    constexpr std::uint16_t kLengths[] = {61, 62, 1000, 65507, 65508, 65535};
    for (const std::uint16_t n : kLengths) {
        const auto packet = Packet().eoip(7, {.frame_bytes = n}).frame(60);
        EXPECT_EQ(received(packet.bytes()), "length_beyond_packet key 7") << n;
    }
}

TEST(Receive, DoesNotFillAFrameFromEthernetPadding)
{
    const auto packet = Packet().eoip(7, {.frame_bytes = 18}).frame(14);
    EXPECT_EQ(received(Packet(packet).pad_to(46).bytes()),
              "length_beyond_packet key 7");
}

TEST(Receive, IgnoresEthernetPadding)
{
    EXPECT_EQ(received(Packet().eoip(7).frame(14).pad_to(46).bytes()),
              "frame key 7 frame_bytes 14");
    EXPECT_EQ(received(Packet().eoip(7).pad_to(46).bytes()),
              "keepalive key 7");
}

TEST(Receive, TakesAKeepaliveForOne)
{
    for (const std::uint16_t key : kKeys) {
        EXPECT_EQ(received(Packet().eoip(key).bytes()),
                  "keepalive key " + std::to_string(key));
    }
    EXPECT_EQ(received(Packet().eoip(7, {.frame_bytes = 0}).frame(8).bytes()),
              "keepalive key 7 trimmed");
}

// Truncation: each prefix is copied to a block of its own size, so that a
// sanitizer sees a read behind it.

TEST(Receive, DropsAPacketCutAtAnyByte)
{
    const Buffer whole = Packet().eoip(7).frame(60).bytes();
    for (std::size_t n = 0; n < whole.size(); n++) {
        const Buffer cut(whole.begin(),
                         whole.begin() + static_cast<std::ptrdiff_t>(n));
        EXPECT_EQ(received(cut), "ip_header") << n;
    }
}

TEST(Receive, NamesWhatIsMissingWhenIpItselfEndsEarly)
{
    const Buffer whole = Packet().eoip(7).frame(60).bytes();
    for (std::size_t n = 20; n < whole.size(); n++) {
        const Buffer payload(whole.begin() + 20,
                             whole.begin() + static_cast<std::ptrdiff_t>(n));
        EXPECT_EQ(received(Packet().frame(payload).bytes()),
                  n < 28 ? "truncated" : "length_beyond_packet key 7")
            << n;
    }
}

// The outer IPv4 header.

TEST(Receive, RequiresNothingOfTosTtlAndId)
{
    for (int i = 0; i < 256; i++) {
        const auto byte = static_cast<std::uint8_t>(i);
        const auto word = static_cast<std::uint16_t>(i * 0x0101);
        for (const bool df : {false, true}) {
            EXPECT_EQ(received(Packet()
                                   .ipv4({.tos = byte,
                                          .id = word,
                                          .dont_fragment = df,
                                          .ttl = byte})
                                   .eoip(7)
                                   .frame(60)
                                   .bytes()),
                      "frame key 7 frame_bytes 60");
        }
    }
}

TEST(Receive, DropsFragments)
{
    const auto fragment = [](bool more, std::uint16_t offset) {
        return Packet()
            .ipv4({.more_fragments = more, .offset_bytes = offset})
            .eoip(7)
            .frame(60)
            .bytes();
    };
    EXPECT_EQ(received(fragment(true, 0)), "fragment");
    EXPECT_EQ(received(fragment(true, 1480)), "fragment");
    EXPECT_EQ(received(fragment(false, 1480)), "fragment");
    EXPECT_EQ(received(fragment(false, 8)), "fragment");
    EXPECT_EQ(received(fragment(false, 65528)), "fragment");
}

TEST(Receive, DropsIpOptions)
{
    for (std::size_t n = 4; n <= 40; n += 4) {
        EXPECT_EQ(
            received(
                Packet().ipv4({.option_bytes = n}).eoip(7).frame(60).bytes()),
            "ip_options");
    }
}

TEST(Receive, DropsOtherVersionsAndHeaderLengths)
{
    Buffer packet = Packet().eoip(7).frame(60).bytes();
    for (int first = 0; first < 256; first++) {
        packet[0] = static_cast<std::uint8_t>(first);
        const char *expected = first == 0x45 ? "frame key 7 frame_bytes 60"
                               : first > 0x45 && first <= 0x4f ? "ip_options"
                                                               : "ip_header";
        EXPECT_EQ(received(packet, true), expected) << first;
    }
}

TEST(Receive, DropsAnyWrongChecksum)
{
    for (int error = 1; error <= 0xffff; error++) {
        const auto packet = Packet().ipv4(
            {.checksum_error = static_cast<std::uint16_t>(error)});
        ASSERT_EQ(received(Packet(packet).eoip(7).frame(60).bytes()),
                  "ip_checksum")
            << error;
    }
}

TEST(Receive, LeavesAVerifiedChecksumAlone)
{
    const auto packet = Packet().ipv4({.checksum_error = 1}).eoip(7).frame(60);
    EXPECT_EQ(received(packet.bytes(), true), "frame key 7 frame_bytes 60");
}

// What else has IP protocol 47.

TEST(Receive, KnowsOtherProtocols)
{
    constexpr std::uint32_t kMagics[] = {
        0x00006558,  // GRE, Ethernet
        0x20006558,  // GRE, Ethernet, with a key
        0x00000800,  // GRE, IPv4
        0x100088be,  // ERSPAN version 2
        0x100022eb,  // ERSPAN version 3
        0x3001880b,  // PPTP
        0x20006400,  // Our protocol number in GRE version 0
    };
    for (const std::uint32_t magic : kMagics) {
        EXPECT_EQ(
            received(Packet().eoip(7, {.magic = magic}).frame(60).bytes()),
            "not_eoip")
            << std::hex << magic;
    }
    for (int bit = 0; bit < 32; bit++) {
        const std::uint32_t magic = EOIP_MAGIC ^ 1u << bit;
        EXPECT_EQ(
            received(Packet().eoip(7, {.magic = magic}).frame(60).bytes()),
            "not_eoip")
            << bit;
    }
}

TEST(Classify, TellsApartWhatSharesProtocol47)
{
    const struct {
        Buffer payload;
        eoip_gre_kind kind;
    } cases[] = {
        {{0x20, 0x01, 0x64, 0x00, 0, 42, 100, 0}, EOIP_GRE_IS_EOIP},
        {{0x30, 0x01, 0x88, 0x0b, 0, 0, 0, 1}, EOIP_GRE_IS_NEITHER},  // PPTP.
        {{0x20, 0x00, 0x65, 0x58, 0, 0, 0, 1}, EOIP_GRE_IS_GRE},  // Keyed.
        {{0x00, 0x00, 0x08, 0x00, 0x45, 0, 0, 20}, EOIP_GRE_IS_GRE},
        {{0x20, 0x00, 0x64, 0x00, 0, 42, 100, 0}, EOIP_GRE_IS_GRE},  // Version 0.
        {{0x10, 0x00, 0x88, 0xbe, 0, 0, 0, 1}, EOIP_GRE_IS_ERSPAN},
        {{0x10, 0x00, 0x22, 0xeb, 0, 0, 0, 1}, EOIP_GRE_IS_ERSPAN},
        {{0x10, 0x01, 0x88, 0xbe, 0, 0, 0, 1}, EOIP_GRE_IS_NEITHER},  // Version 1.
        {{0x10, 0x02, 0x88, 0xbe, 0, 0, 0, 1}, EOIP_GRE_IS_NEITHER},
        {{0x10, 0x04, 0x88, 0xbe, 0, 0, 0, 1}, EOIP_GRE_IS_NEITHER},
        {{0x10, 0x08, 0x88, 0xbe, 0, 0, 0, 1}, EOIP_GRE_IS_ERSPAN},
    };
    for (const auto &[payload, kind] : cases) {
        EXPECT_EQ(classify(payload), kind) << testing::PrintToString(payload);
        EXPECT_EQ(classify(Bytes(payload).first(4)), kind);
    }
}

TEST(Classify, LeavesToEoipWhatMayBeItsTruncatedHeader)
{
    const Buffer magic{0x20, 0x01, 0x64, 0x00};
    for (std::size_t n = 0; n <= magic.size(); n++) {
        EXPECT_EQ(classify(Bytes(magic).first(n)), EOIP_GRE_IS_EOIP) << n;
    }
    EXPECT_EQ(classify(Buffer{0x20, 0x00}), EOIP_GRE_IS_NEITHER);
    EXPECT_EQ(classify(Buffer{0x88}), EOIP_GRE_IS_NEITHER);
}

}  // namespace
}  // namespace eoip
