// SPDX-License-Identifier: Apache-2.0
//
// eoip/address.h: which texts are addresses, and how addresses are written.

#include "eoip/address.h"

#include <algorithm>
#include <random>

#include <arpa/inet.h>
#include <gtest/gtest.h>

namespace eoip {
namespace {

// What the C library makes of 'text'.
std::optional<Address> reference(const std::string &text)
{
    Address address;
    return inet_pton(AF_INET6, text.c_str(), address.bytes.data()) == 1
               ? std::optional(address)
               : std::nullopt;
}

std::string reference(const Address &address)
{
    char text[INET6_ADDRSTRLEN];
    return inet_ntop(AF_INET6, address.bytes.data(), text, sizeof text);
}

TEST(Address, Ipv6IsReadAsTheLibraryDoes)
{
    for (const char *text : {"::",
                             "::1",
                             "1::",
                             "1::8",
                             "1:2:3:4:5:6:7:8",
                             "1:2:3:4:5:6:7::",
                             "::2:3:4:5:6:7:8",
                             "2001:db8::1",
                             "2001:DB8::Ab",
                             "fe80::1",
                             "::192.0.2.1",
                             "::ffff:192.0.2.1",
                             "64:ff9b::192.0.2.33",
                             "1:2:3:4:5:6:192.0.2.1",
                             "0:0:0:0:0:0:0:0",
                             "00aa::0001",
                             "",
                             ":",
                             ":::",
                             "1",
                             "1:2:3:4:5:6:7",
                             "1:2:3:4:5:6:7:8:9",
                             "1::2::3",
                             "1:2:3:4::5:6:7:8",
                             "12345::",
                             "00001::",
                             "1:2:3:4:5:6:7:8:",
                             ":1:2:3:4:5:6:7:8",
                             "::g",
                             "::1%eth0",
                             "::1 ",
                             " ::1",
                             "::1/64",
                             "192.0.2.1::",
                             "1:192.0.2.1::",
                             "192.0.2.01::",
                             "::192.0.2.01",
                             "::1:2:3:4:5:6:7:8:9",
                             "::192.0.2",
                             "::192.0.2.256",
                             "::192.0.2.1:1",
                             "1:2:3:4:5:6:7:192.0.2.1",
                             "+1::",
                             "0x1::"}) {
        EXPECT_EQ(parse_ipv6(text), reference(std::string(text))) << text;
    }
}

TEST(Address, Ipv6IsWrittenAsTheLibraryDoes)
{
    for (const char *text :
         {"::", "::1", "1::", "1:0:2::", "1:0:0:2::3", "1::2:0:0:3",
          "1:2:3:4:5:6:7:8", "1:0:3:4:5:6:7:8", "0:2:3:4:5:6:7:0",
          "2001:db8::ab", "a:0:0:b:0:0:0:c", "1:0:0:2:0:0:3:4",
          "::2:3:4:5:6:7:8", "64:ff9b::1"}) {
        const auto address = parse_ipv6(text);
        ASSERT_TRUE(address) << text;
        EXPECT_EQ(format_address(*address), reference(*address));
    }
}

TEST(Address, WhatIsWrittenIsReadAgain)
{
    std::mt19937 rng(97);
    for (int i = 0; i < 20000; i++) {
        Address address;
        for (std::size_t at = 0; at < 16; at += 2) {
            if (rng() % 2) {
                address.bytes[at] = static_cast<std::uint8_t>(rng());
                address.bytes[at + 1] = static_cast<std::uint8_t>(rng());
            }
        }
        const std::string text = format_address(address);
        EXPECT_EQ(address.is_ipv4() ? parse_ipv4(text) : parse_ipv6(text),
                  address)
            << text;
        EXPECT_EQ(reference(text), address) << text;
    }
}

TEST(Address, Ipv4IsMapped)
{
    const Address address = Address::from_ipv4(0xc0000201);
    EXPECT_EQ(address, reference(std::string("::ffff:192.0.2.1")));
    EXPECT_EQ(address, parse_ipv4("192.0.2.1"));
    EXPECT_TRUE(address.is_ipv4());
    EXPECT_EQ(address.ipv4(), 0xc0000201);
    EXPECT_EQ(format_address(address), "192.0.2.1");
    EXPECT_EQ(format_address(Address::from_ipv4(0)), "0.0.0.0");
    EXPECT_EQ(format_address(Address::from_ipv4(0xffffffff)),
              "255.255.255.255");
    EXPECT_FALSE(parse_ipv6("::192.0.2.1")->is_ipv4());
}

TEST(Address, SomeAreNoHosts)
{
    for (const char *text : {"::", "::1", "ff02::1", "ffff::", "100::", "100::ffff:0:0:1"}) {
        EXPECT_FALSE(parse_ipv6(text)->is_host()) << text;
    }
    for (const char *text :
         {"::2", "::1:1", "::fffe:1:1", "0:0:0:0:1:ffff:1:1",
          "1::", "100:0:0:1::", "101::", "2001:db8::1", "fe80::1",
          "feff::1"}) {
        EXPECT_TRUE(parse_ipv6(text)->is_host()) << text;
    }
    for (const char *text :
         {"0.0.0.0", "0.255.255.255", "127.0.0.0", "127.255.255.255",
          "224.0.0.0", "239.255.255.255", "255.255.255.255"}) {
        EXPECT_FALSE(parse_ipv4(text)->is_host()) << text;
    }
    for (const char *text :
         {"1.0.0.0", "126.255.255.255", "128.0.0.0", "223.255.255.255",
          "240.0.0.0", "255.255.255.254"}) {
        EXPECT_TRUE(parse_ipv4(text)->is_host()) << text;
    }
    EXPECT_TRUE(parse_ipv6("fe80::1")->is_link_local());
    EXPECT_TRUE(parse_ipv6("febf::1")->is_link_local());
    EXPECT_FALSE(parse_ipv6("fec0::1")->is_link_local());
    EXPECT_FALSE(parse_ipv4("169.254.0.1")->is_link_local());
}

}  // namespace
}  // namespace eoip
