// SPDX-License-Identifier: Apache-2.0
//
// eoip/options.h: several options, what is said about those that are wrong, and
// which option a wrong name means.

#include "eoip/options.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "option_list.h"

namespace eoip {
namespace {

// Options together.

TEST(Options, InKeyAndOutKeyOverrideKeyInAnyOrder)
{
    const Config expected = with([](Config &c) {
        c.in_key = {.value = 1};
        c.out_key = {.value = 2};
    });
    Options options = {{"in_key", "1"}, {"key", "flow"}, {"out_key", "2"}};
    std::sort(options.begin(), options.end(),
              [](auto &a, auto &b) { return a.name < b.name; });
    do {
        EXPECT_EQ(errors(options), "");
        EXPECT_EQ(parse_options(options).config, expected);
    } while (std::next_permutation(
        options.begin(), options.end(),
        [](auto &a, auto &b) { return a.name < b.name; }));
}

TEST(Options, AWholeTunnel)
{
    const Options options = {
        {"remote_ip", "192.0.2.1"},
        {"local_ip", "192.0.2.2"},
        {"key", "100"},
        {"ttl", "inherit"},
        {"tos", "inherit"},
        {"df_default", "true"},
        {"egress_pkt_mark", "7"},
    };
    Config expected;
    expected.remote = address(0xc0000201);
    expected.local = address(0xc0000202);
    expected.in_key = expected.out_key = {.value = 100};
    expected.dont_fragment = true;
    expected.egress_pkt_mark = 7;
    expected.keepalive = KeepaliveConfig{Seconds(10), 0};
    EXPECT_EQ(errors(options), "");
    EXPECT_EQ(parse_options(options).config, expected);
}

TEST(Options, TosAndDscpAreOne)
{
    const Option tos{"tos", "184"}, dscp{"dscp", "46"};
    for (const Options &both : {Options{tos, dscp}, Options{dscp, tos}}) {
        EXPECT_EQ(errors(both),
                  "tos=184 and dscp=46 say the same thing twice: allowed is "
                  "one of them");
    }
}

TEST(Options, LocalFlowNeedsRemoteFlow)
{
    EXPECT_EQ(errors({{"local_ip", "flow"}, {"remote_ip", "192.0.2.2"}}),
              "local_ip=flow needs remote_ip=flow, but remote_ip=192.0.2.2");
    EXPECT_EQ(errors({{"local_ip", "flow"}, {"remote_ip", "peer"}}),
              "local_ip=flow needs remote_ip=flow, but remote_ip=peer");
    EXPECT_EQ(errors({{"local_ip", "flow"}, {"remote_ip", "flow"}}), "");
    EXPECT_EQ(errors({{"local_ip", "192.0.2.2"}, {"remote_ip", "flow"}}), "");
}

TEST(Options, LearningNeedsAKey)
{
    const auto with_learn = [](Options options) {
        options.push_back({"remote_ip", "learn"});
        return errors(options);
    };
    EXPECT_EQ(with_learn({{"key", "flow"}}),
              "remote_ip=learn needs a key, but key=flow");
    EXPECT_EQ(with_learn({{"key", "7"}, {"in_key", "flow"}}),
              "remote_ip=learn needs a key, but in_key=flow");
    EXPECT_EQ(with_learn({{"out_key", "flow"}}),
              "remote_ip=learn needs a key, but out_key=flow");
    EXPECT_EQ(with_learn({{"local_ip", "flow"}}),
              "local_ip=flow needs remote_ip=flow, but remote_ip=learn");
    EXPECT_EQ(with_learn({{"key", "flow"}, {"in_key", "7"}, {"out_key", "8"}}),
              "");
    EXPECT_EQ(with_learn({{"key", "7"}, {"local_ip", "192.0.2.1"}}), "");
    EXPECT_EQ(with_learn({}), "");
}

TEST(Options, TheTwoEndsDiffer)
{
    EXPECT_EQ(errors({{"local_ip", "192.0.2.2"}, {"remote_ip", "192.0.2.2"}}),
              "local_ip=192.0.2.2 equals remote_ip: a tunnel needs two "
              "different addresses");
    EXPECT_EQ(errors({{"local_ip", "peer"}, {"remote_ip", "peer"}}), "");
}

TEST(Options, TheTwoEndsAreOfOneFamily)
{
    EXPECT_EQ(
        errors({{"remote_ip", "192.0.2.1"}, {"local_ip", "2001:db8::1"}}),
        "remote_ip=192.0.2.1 and local_ip=2001:db8::1 mix address families: "
        "both ends need IPv4 or both IPv6");
    EXPECT_EQ(
        errors({{"remote_ip", "2001:db8::1"}, {"local_ip", "192.0.2.1"}}),
        "remote_ip=2001:db8::1 and local_ip=192.0.2.1 mix address families: "
        "both ends need IPv4 or both IPv6");
    EXPECT_EQ(
        errors({{"remote_ip", "2001:db8::1"}, {"local_ip", "2001:db8::2"}}),
        "");
    EXPECT_EQ(errors({{"remote_ip", "peer"}, {"local_ip", "2001:db8::2"}}),
              "");
    EXPECT_EQ(errors({{"remote_ip", "2001:db8::1"}, {"local_ip", "peer"}}),
              "");
}

TEST(Options, KeysAreSmallerOverIpv6)
{
    for (const char *name : {"key", "in_key", "out_key"}) {
        EXPECT_EQ(errors({{"remote_ip", "2001:db8::1"}, {name, "4095"}}), "");
        EXPECT_EQ(errors({{"remote_ip", "2001:db8::1"}, {name, "flow"}}), "");
        EXPECT_EQ(errors({{"remote_ip", "2001:db8::1"}, {name, "4096"}}),
                  std::string(name)
                      + "=4096 is out of range with remote_ip=2001:db8::1: "
                        "allowed are 0 to 4095 over IPv6, or \"flow\"");
        EXPECT_EQ(errors({{"local_ip", "2001:db8::1"}, {name, "65535"}}),
                  std::string(name)
                      + "=65535 is out of range with local_ip=2001:db8::1: "
                        "allowed are 0 to 4095 over IPv6, or \"flow\"");
        EXPECT_EQ(errors({{"remote_ip", "192.0.2.1"}, {name, "4096"}}), "");
        EXPECT_EQ(errors({{"remote_ip", "flow"}, {name, "4096"}}), "");
    }
}

TEST(Options, EveryFaultIsReported)
{
    const auto parsed = parse_options(Options{{"remote_ip", "224.0.0.1"},
                                              {"key", "x"},
                                              {"ttl", "999"},
                                              {"foo", ""}});
    EXPECT_EQ(parsed.errors.size(), 4u);
}

TEST(Options, ARefusedRemoteDoesNotBlameLocal)
{
    const auto parsed = parse_options(
        Options{{"remote_ip", "224.0.0.1"}, {"local_ip", "flow"}});
    EXPECT_EQ(parsed.errors.size(), 1u);
}

TEST(Options, TwiceTheSameIsAFault)
{
    EXPECT_EQ(errors({{"key", "1"}, {"key", "2"}}),
              "key=2 is given more than once");
}

TEST(Options, SayWhatTheDesignSays)
{
    EXPECT_EQ(errors({{"key", "99999"}}),
              "key=99999 is out of range: allowed are 0 to 65535, or "
              "\"flow\"");
    EXPECT_EQ(errors({{"remot_ip", "1.2.3.4"}}),
              "unknown option remot_ip: did you mean remote_ip?");
}

// Hostile text.

TEST(Options, LongAndUnprintableTextIsShown)
{
    const std::string value("\x1b[31m\n\0\\\x7f", 9);
    EXPECT_EQ(
        errors({{"key", value}}),
        "key=\\x1b[31m\\x0a\\x00\\x5c\\x7f is not a number: allowed are 0 to "
        "65535, or \"flow\"");
    EXPECT_NE(errors({{"key", std::string_view("1\0002", 3)}}), "");
    EXPECT_TRUE(errors({{"key", " ~"}}).starts_with("key= ~ is"));
}

TEST(Options, SixtyFourCharactersAreShown)
{
    const auto begins = [](const std::string &value,
                           const std::string &shown) {
        return errors({{"key", value}}).starts_with("key=" + shown + " is");
    };
    const std::string a60(60, 'a'), a64(64, 'a');
    EXPECT_TRUE(begins(a64, a64));
    EXPECT_TRUE(begins(a64 + "a", a64 + "..."));
    EXPECT_TRUE(begins(a60 + "\n", a60 + "\\x0a"));
    EXPECT_TRUE(begins(a60 + "a\n", a60 + "a..."));
}

TEST(Options, ErrorsAreBounded)
{
    for (const std::string &text :
         {std::string(100000, 'a'), std::string(100000, '\xff')}) {
        EXPECT_LE(errors({{"key", text}}).size(), 200u);
        EXPECT_LE(errors({{"remote_ip", text}}).size(), 250u);
        EXPECT_LE(errors({{text, text}}).size(), 320u);
    }
}

// The nearest name.

TEST(NearestOption, KnowsCommonSlips)
{
    constexpr std::string_view kSlips[][2] = {
        {"remot_ip", "remote_ip"},
        {"remote-ip", "remote_ip"},
        {"remote", "remote_ip"},
        {"remoteip", "remote_ip"},
        {"rmeote_ip", "remote_ip"},
        {"Remote_IP", "remote_ip"},
        {"local", "local_ip"},
        {"lcoal_ip", "local_ip"},
        {"kye", "key"},
        {"keys", "key"},
        {"KEY", "key"},
        {"inkey", "in_key"},
        {"out-key", "out_key"},
        {"TTL", "ttl"},
        {"tso", "tos"},
        {"df_defualt", "df_default"},
        {"pkt_mark", ""},
        {"egress_mark", "egress_pkt_mark"},
        {"clamp-tcp-mss", "clamp_tcp_mss"},
        {"dont-fragment", "dont_fragment"},
        {"dcsp", "dscp"},
        {"keepalives", "keepalive"},
        {"keep-alive", "keepalive"},
        {"csum", ""},
        {"tts", "ttl"},
        {"dst_port", ""},
        {"", ""},
        // What RouterOS and the command call them.
        {"tunnel-id", "key"},
        {"tid", "key"},
        {"remote-address", "remote_ip"},
        {"local-address", "local_ip"},
        {"ipsec-secret", "psk"},
        {"ipsec_secret", "psk"},
        // No option is meant, however near one is.
        {"mtu", ""},
    };
    for (const auto &[slip, meant] : kSlips) {
        EXPECT_EQ(nearest_option(slip), meant) << slip;
    }
}

TEST(NearestOption, OfAnOptionIsItself)
{
    for (const OptionInfo &info : option_table()) {
        EXPECT_EQ(nearest_option(info.name), info.name);
    }
}

TEST(NearestOption, OfALongNameIsNone)
{
    EXPECT_EQ(nearest_option(std::string(100000, 'k')), "");
}

TEST(Options, RefusesWordsOfRouterOSWithTheRightName)
{
    EXPECT_EQ(errors({{"tunnel-id", "1"}}),
              "unknown option tunnel-id: did you mean key?");
    EXPECT_EQ(errors({{"remote-address", "192.0.2.1"}}),
              "unknown option remote-address: did you mean remote_ip?");
    for (const char *name : {"mtu", "mac-address", "mac_address", "arp"}) {
        EXPECT_EQ(errors({{name, "1"}}),
                  std::string("unknown option ") + name
                      + ": it is a property of RouterOS that no option stands "
                        "for; ovs-eoip(5) says what does");
    }
}

TEST(Options, UnknownWithoutANearNameListsAll)
{
    const std::string error = errors({{"csum", "true"}});
    EXPECT_TRUE(error.starts_with("unknown option csum: known are "));
    for (const OptionInfo &info : option_table()) {
        EXPECT_NE(error.find(info.name), std::string::npos) << info.name;
    }
}

}  // namespace
}  // namespace eoip
