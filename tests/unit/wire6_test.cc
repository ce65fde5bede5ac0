// SPDX-License-Identifier: Apache-2.0
//
// eoip/wire6.h: what is received of EoIPv6, what is sent, and that both agree.
// The vectors are in wire_test.cc.

#include "eoip/wire6.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "eoip/reassembly.h"
#include "packet6.h"
#include "received.h"

namespace eoip {
namespace {

using test::Buffer;
using test::Packet6;

constexpr std::uint16_t kKeys[] = {0, 1, 255, 256, 1234, 4095};

std::string received(const Buffer &packet)
{
    return testing::PrintToString(receive6(packet));
}

std::string frame_of(std::uint16_t key, std::size_t n_bytes)
{
    return "frame key " + std::to_string(key) + " frame_bytes "
           + std::to_string(n_bytes);
}

TEST(Receive6, ReadsTheKey)
{
    for (const std::uint16_t key : kKeys) {
        EXPECT_EQ(received(Packet6().eoip6(key).frame(60).bytes()),
                  frame_of(key, 60));
        EXPECT_EQ(received(Packet6().eoip6(key).bytes()),
                  "keepalive key " + std::to_string(key));
    }
    const Buffer packet = Packet6().eoip6(1234).frame(60).bytes();
    EXPECT_EQ(packet[40], 0x43);  // [peer]
    EXPECT_EQ(packet[41], 0xd2);
}

TEST(Receive6, TakesFramesOf14AndMore)
{
    for (std::size_t n = 1; n < EOIP_FRAME_MIN; n++) {
        EXPECT_EQ(received(Packet6().eoip6(7).frame(n).bytes()),
                  "frame_too_short key 7")
            << n;
    }
    for (const std::size_t n : {14, 15, 60, 1514, EOIP6_FRAME_MAX}) {
        EXPECT_EQ(received(Packet6().eoip6(7).frame(n).bytes()),
                  frame_of(7, n));
    }
}

TEST(Receive6, IgnoresEthernetPadding)
{
    EXPECT_EQ(received(Packet6().eoip6(7).frame(14).pad_to(60).bytes()),
              frame_of(7, 14));
    EXPECT_EQ(received(Packet6().eoip6(7).pad_to(60).bytes()),
              "keepalive key 7");
    EXPECT_EQ(received(Packet6().pad_to(60).bytes()), "truncated");
}

// Each prefix is a block of its own size, so that a sanitizer sees a read
// behind it.

TEST(Receive6, DropsAPacketCutAtAnyByte)
{
    const Buffer whole = Packet6().eoip6(7).frame(60).bytes();
    for (std::size_t n = 0; n < whole.size(); n++) {
        const Buffer cut(whole.begin(),
                         whole.begin() + static_cast<std::ptrdiff_t>(n));
        EXPECT_EQ(received(cut), "ip_header") << n;
    }
}

TEST(Receive6, NamesWhatIsMissingWhenIpItselfEndsEarly)
{
    for (std::uint16_t n = 0; n <= 62; n++) {
        const auto packet =
            Packet6().ipv6({.payload_bytes = n}).eoip6(7).frame(60);
        EXPECT_EQ(received(packet.bytes()), n < 2    ? "truncated"
                                            : n == 2 ? "keepalive key 7"
                                            : n < 2 + EOIP_FRAME_MIN
                                                ? "frame_too_short key 7"
                                                : frame_of(7, n - 2u))
            << n;
    }
    for (const std::uint16_t n : {63, 64, 1500, 65535}) {
        EXPECT_EQ(received(Packet6()
                               .ipv6({.payload_bytes = n})
                               .eoip6(7)
                               .frame(60)
                               .bytes()),
                  "ip_header")
            << n;
    }
}

TEST(Receive6, RequiresNothingOfTheRestOfTheHeader)
{
    for (int i = 0; i < 256; i++) {
        const auto byte = static_cast<std::uint8_t>(i);
        EXPECT_EQ(received(Packet6()
                               .ipv6({.traffic_class = byte,
                                      .flow_label = byte * 0x1010u,
                                      .hop_limit = byte})
                               .eoip6(7)
                               .frame(60)
                               .bytes()),
                  frame_of(7, 60));
    }
}

TEST(Receive6, DropsOtherVersions)
{
    for (std::uint8_t version = 0; version < 16; version++) {
        if (version != 6) {
            EXPECT_EQ(received(Packet6()
                                   .ipv6({.version = version})
                                   .eoip6(7)
                                   .frame(60)
                                   .bytes()),
                      "ip_header");
        }
    }
}

TEST(Receive6, DropsFragmentsExtensionsAndOtherProtocols)
{
    for (int i = 0; i < 256; i++) {
        const auto next = static_cast<std::uint8_t>(i);
        const bool extension = i == 0 || i == 43 || i == 51 || i == 60
                               || i == 135 || i == 139 || i == 140;
        EXPECT_EQ(received(Packet6()
                               .ipv6({.next_header = next})
                               .eoip6(7)
                               .frame(60)
                               .bytes()),
                  i == 97     ? frame_of(7, 60)
                  : i == 44   ? "fragment"
                  : extension ? "ip_options"
                              : "not_eoip")
            << i;
    }
}

TEST(Receive6, TellsEoIPv6FromEtherIp)
{
    for (int first = 0; first < 256; first++) {
        Buffer packet = Packet6().eoip6(0).frame(60).bytes();
        packet[40] = static_cast<std::uint8_t>(first);
        EXPECT_EQ(received(packet),
                  (first & 0xf) == 3 ? frame_of(
                      static_cast<std::uint16_t>(first >> 4 << 8), 60)
                                     : "not_eoip")
            << first;
    }
    const Buffer ether_ip = {0x30, 0x00, 0xff};
    EXPECT_FALSE(is_header6(ether_ip));
    EXPECT_TRUE(is_header6({}));
    EXPECT_TRUE(is_header6({ether_ip.data(), 1}));
}

TEST(Protocol6, WhatEndsEarlyIsEoIPv6s)
{
    const std::unique_ptr<std::uint8_t[]> one(new std::uint8_t[1]{0x30});
    EXPECT_TRUE(is_header6({}));
    EXPECT_TRUE(is_header6({one.get(), 1}));
    one[0] = 0x40;
    EXPECT_TRUE(is_header6({one.get(), 1}));
}

TEST(Protocol6, IsBehindTheExtensions)
{
    const auto protocol = [](std::uint8_t next, const Buffer &payload) {
        return int(protocol6(
            Packet6().ipv6({.next_header = next}).frame(payload).bytes()));
    };
    EXPECT_EQ(protocol(97, {}), 97);
    EXPECT_EQ(protocol(44, {97, 0, 0, 0, 0, 0, 0, 0}), 44);
    EXPECT_EQ(protocol(0, {97, 0, 1, 4, 0, 0, 0, 0}), 97);
    // Two more: 16 bytes of destination options, 12 of authentication.
    Buffer chain = {60, 0, 1, 4, 0, 0, 0, 0, 51, 1};
    chain.resize(24);
    chain.insert(chain.end(), {47, 1});
    chain.resize(36);
    EXPECT_EQ(protocol(0, chain), 47);
    // Its length counts in words, not as the others': behind it is one more.
    EXPECT_EQ(protocol(51, {60, 1, 0,  0, 0, 0, 0, 0, 0, 0,
                            0,  0, 97, 0, 1, 4, 0, 0, 0, 0}),
              97);
    // Cut short, and without end.
    chain.resize(30);
    EXPECT_EQ(protocol(0, chain), 51);
    EXPECT_EQ(protocol(0, {}), 0);
    EXPECT_EQ(protocol(0, Buffer(200)), 0);
}

// Sending as the switch does it: a prepared header, completed for one frame.

Buffer send(std::uint16_t key, const Buffer &frame,
            const test::Ipv6Fields &fields)
{
    test::Ipv6Fields prepared = fields;
    prepared.payload_bytes = 1234;  // Anything.
    Buffer out = Packet6().ipv6(prepared).eoip6(0).bytes();
    eoip_put_header6(out.data() + EOIP_IPV6_HLEN, key);
    eoip_complete_header6(out.data(), static_cast<std::uint16_t>(frame.size()));
    out.insert(out.end(), frame.begin(), frame.end());
    return out;
}

TEST(Send6, IsWhatPacketsAreMadeOf)
{
    for (const std::uint16_t key : kKeys) {
        for (const std::size_t n : {14, 60, 1514, 65507}) {
            for (const std::uint8_t traffic_class : {0, 0xb8, 0xff}) {
                const test::Ipv6Fields ip = {.traffic_class = traffic_class,
                                             .hop_limit = 9};
                EXPECT_EQ(send(key, test::sample_frame(n), ip),
                          Packet6().ipv6(ip).eoip6(key).frame(n).bytes());
            }
        }
    }
}

// Fragments.

TEST(Fragment6, FillsTheMtuInUnitsOf8)
{
    EXPECT_EQ(eoip_fragment_bytes6(47), 0u);
    EXPECT_EQ(eoip_fragment_bytes6(55), 0u);
    EXPECT_EQ(eoip_fragment_bytes6(56), 8u);
    EXPECT_EQ(eoip_fragment_bytes6(1280), 1232u);
    EXPECT_EQ(eoip_fragment_bytes6(1500), 1448u);
    EXPECT_EQ(eoip_fragment_bytes6(65535), 65480u);
}

// As the switch cuts: the header, room, a part of the payload.
TEST(Fragment6, IsWhatReassemblyTakes)
{
    const auto packet = Packet6()
                            .ipv6({.traffic_class = 0xb8, .hop_limit = 61})
                            .eoip6(1234)
                            .frame(4000);
    const Buffer whole = packet.bytes(), payload = packet.payload();
    Reassembler reassembler({}, 1);
    Buffer made;

    for (const std::size_t mtu : {1280, 1500}) {
        const std::size_t step = eoip_fragment_bytes6(mtu);
        for (std::size_t at = 0; at < payload.size(); at += step) {
            const std::size_t n = std::min(step, payload.size() - at);
            const bool more = at + n < payload.size();
            const auto from =
                payload.begin() + static_cast<std::ptrdiff_t>(at);
            Buffer piece(whole.begin(), whole.begin() + 40);
            piece.resize(48, 0xaa);
            eoip_make_fragment6(piece.data(), at, n, more, 0x89abcdef);
            piece.insert(piece.end(), from,
                         from + static_cast<std::ptrdiff_t>(n));
            EXPECT_EQ(
                piece,
                Packet6()
                    .ipv6({.traffic_class = 0xb8, .hop_limit = 61})
                    .fragment({.id = 0x89abcdef,
                               .offset_bytes = static_cast<std::uint16_t>(at),
                               .more = more})
                    .frame(Buffer(from, from + static_cast<std::ptrdiff_t>(n)))
                    .bytes());
            made = reassembler.add(piece, Time(0));
            EXPECT_EQ(made.empty(), more);
        }
        EXPECT_EQ(made, whole);
    }
}

}  // namespace
}  // namespace eoip
