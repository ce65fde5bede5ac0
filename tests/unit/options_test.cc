// SPDX-License-Identifier: Apache-2.0
//
// eoip/options.h: which options pass, what they come to, and what is said
// about those that do not.

#include "eoip/options.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace eoip {
namespace {

using Kind = Endpoint::Kind;
using Seconds = std::chrono::seconds;

Endpoint address(std::uint32_t ipv4)
{
    return {Kind::address, Address::from_ipv4(ipv4), {}};
}

// 2001:db8::'last'.
Endpoint address6(std::uint8_t last)
{
    Address address{{0x20, 0x01, 0x0d, 0xb8}};
    address.bytes[15] = last;
    return {Kind::address, address, {}};
}

Endpoint host_name(std::string name)
{
    return {Kind::host_name, {}, std::move(name)};
}

const Endpoint kFlowEndpoint = {Kind::flow, {}, {}};
constexpr Key kFlowKey = {.flow = true};

Config defaults()
{
    Config config;
    config.remote = kFlowEndpoint;
    config.ttl = 64;
    config.tos = 0;
    config.keepalive = KeepaliveConfig{Seconds(10), 0};
    return config;
}

// What 'change' makes of the defaults.
template <class Change> Config with(Change change)
{
    Config config = defaults();
    change(config);
    return config;
}

using Options = std::vector<Option>;

// All errors, one a line.
std::string errors(const Options &options)
{
    std::string text;
    for (const std::string &error : parse_options(options).errors) {
        text += text.empty() ? error : "\n" + error;
    }
    return text;
}

// The defaults.

TEST(Options, NoneMeansTheDefaults)
{
    const ParsedOptions parsed = parse_options({});
    EXPECT_EQ(parsed.errors, std::vector<std::string>());
    EXPECT_EQ(parsed.config, defaults());
}

TEST(Options, WritingADefaultChangesNothing)
{
    for (const OptionInfo &info : option_table()) {
        if (info.default_value.empty()) {
            continue;
        }
        const ParsedOptions parsed =
            parse_options(Options{{info.name, info.default_value}});
        EXPECT_TRUE(parsed.errors.empty()) << info.name;
        EXPECT_EQ(parsed.config, defaults()) << info.name;
    }
}

// Good values, one option each.

struct Good {
    Option option;
    Config config;
};

Good remote(std::string_view value, const Endpoint &endpoint)
{
    return {{"remote_ip", value},
            with([&](Config &c) { c.remote = endpoint; })};
}

Good local(std::string_view value, const Endpoint &endpoint)
{
    return {{"local_ip", value}, with([&](Config &c) { c.local = endpoint; })};
}

Good keys(Option option, Key in, Key out)
{
    return {option, with([&](Config &c) {
                c.in_key = in;
                c.out_key = out;
            })};
}

Good ttl(std::string_view value, std::optional<std::uint8_t> expected)
{
    return {{"ttl", value}, with([&](Config &c) { c.ttl = expected; })};
}

Good tos(std::string_view value, std::optional<std::uint8_t> expected)
{
    return {{"tos", value}, with([&](Config &c) { c.tos = expected; })};
}

Good df(std::string_view value, bool expected)
{
    return {{"df_default", value},
            with([&](Config &c) { c.dont_fragment = expected; })};
}

Good clamp(std::string_view value, bool expected)
{
    return {{"clamp_tcp_mss", value},
            with([&](Config &c) { c.clamp_tcp_mss = expected; })};
}

Good mark(std::string_view value, std::uint32_t expected)
{
    return {{"egress_pkt_mark", value},
            with([&](Config &c) { c.egress_pkt_mark = expected; })};
}

Good keepalive(std::string_view value, int seconds, std::uint8_t retries)
{
    return {{"keepalive", value}, with([&](Config &c) {
                c.keepalive = KeepaliveConfig{Seconds(seconds), retries};
            })};
}

const std::string kLabel63(63, 'a');
const std::string kName253 =
    kLabel63 + "." + kLabel63 + "." + kLabel63 + "." + std::string(61, 'b');

std::vector<Good> good_options()
{
    return {
        remote("flow", kFlowEndpoint),
        remote("192.0.2.1", address(0xc0000201)),
        remote("1.0.0.0", address(0x01000000)),
        remote("223.255.255.255", address(0xdfffffff)),
        remote("240.0.0.1", address(0xf0000001)),
        remote("2001:db8::1", address6(1)),
        remote("2001:DB8:0:0:0:0:0.0.0.2", address6(2)),
        remote("peer.example.com", host_name("peer.example.com")),
        remote("localhost", host_name("localhost")),
        remote("3com.com", host_name("3com.com")),
        remote("a-b.C-d", host_name("a-b.C-d")),
        remote("1.2.3.4.com", host_name("1.2.3.4.com")),
        remote("deadbeef", host_name("deadbeef")),
        remote("x0x7f", host_name("x0x7f")),
        remote(kLabel63, host_name(kLabel63)),
        remote(kName253, host_name(kName253)),
        local("198.51.100.2", address(0xc6336402)),
        local("2001:db8::2", address6(2)),
        local("flow", kFlowEndpoint),
        local("router.example", host_name("router.example")),
        remote("learn", {Kind::learn, {}, {}}),
        {{"learn_after", "2"},
         with([](Config &c) { c.learn_after = Seconds(2); })},
        {{"learn_after", "65535"},
         with([](Config &c) { c.learn_after = Seconds(65535); })},
        keys({"key", "0"}, {}, {}),
        keys({"key", "65535"}, {.value = 65535}, {.value = 65535}),
        keys({"key", "1234"}, {.value = 1234}, {.value = 1234}),
        keys({"key", "0xfFfF"}, {.value = 65535}, {.value = 65535}),
        keys({"key", "0X10"}, {.value = 16}, {.value = 16}),
        keys({"key", "010"}, {.value = 8}, {.value = 8}),
        keys({"key", "0000000000000000000017"}, {.value = 15}, {.value = 15}),
        keys({"key", "flow"}, kFlowKey, kFlowKey),
        keys({"in_key", "7"}, {.value = 7}, {}),
        keys({"in_key", "flow"}, kFlowKey, {}),
        keys({"out_key", "65535"}, {}, {.value = 65535}),
        keys({"out_key", "flow"}, {}, kFlowKey),
        ttl("1", 1),
        ttl("255", 255),
        ttl("0", std::nullopt),
        ttl("inherit", std::nullopt),
        tos("0", 0),
        tos("4", 4),
        tos("0xb8", 184),
        tos("252", 252),
        tos("inherit", std::nullopt),
        df("true", true),
        df("false", false),
        {{"dscp", "0"}, with([](Config &) {})},
        {{"dscp", "46"}, with([](Config &c) { c.tos = 184; })},
        {{"dscp", "63"}, with([](Config &c) { c.tos = 252; })},
        {{"dscp", "inherit"}, with([](Config &c) { c.tos.reset(); })},
        {{"dont_fragment", "no"}, with([](Config &) {})},
        {{"dont_fragment", "inherit"},
         with([](Config &c) { c.inherit_df = true; })},
        clamp("true", true),
        clamp("false", false),
        {{"keepalive", "none"}, with([](Config &c) { c.keepalive.reset(); })},
        keepalive("10s,10", 10, 10),
        keepalive("10,10", 10, 10),
        keepalive("10s", 10, 10),
        keepalive("1", 1, 10),
        keepalive("1m30s,1", 90, 1),
        keepalive("00010s,010", 10, 10),
        keepalive("1h1m1s", 3661, 10),
        keepalive("18h12m15s,255", 65535, 255),
        mark("0", 0),
        mark("0xffffffff", 4294967295),
        mark("4294967295", 4294967295),
    };
}

TEST(Options, GoodOnesPass)
{
    for (const auto &[option, config] : good_options()) {
        const ParsedOptions parsed = parse_options(Options{option});
        EXPECT_EQ(errors({option}), "") << option.name << "=" << option.value;
        EXPECT_EQ(parsed.config, config) << option.name << "=" << option.value;
    }
}

// Bad values: what the sentence says after "name=value ", up to the colon.

struct Bad {
    std::string_view name;
    std::string_view value;
    std::string_view fault;
};

constexpr std::string_view kBadIpv6 = "is not an IPv6 address";
constexpr std::string_view kNoHost =
    "is not a unicast address that other hosts can reach";
constexpr std::string_view kNeither = "is neither an address nor a host name";

constexpr Bad kBadOptions[] = {
    {"remote_ip", "", "is empty"},
    {"remote_ip", "0.0.0.0", kNoHost},
    {"remote_ip", "0.255.255.255", kNoHost},
    {"remote_ip", "127.0.0.1", kNoHost},
    {"remote_ip", "127.255.255.255", kNoHost},
    {"remote_ip", "255.255.255.255", kNoHost},
    {"remote_ip", "224.0.0.0", kNoHost},
    {"remote_ip", "239.255.255.255", kNoHost},
    {"remote_ip", "300.1.1.1", "is not an IPv4 address"},
    {"remote_ip", "10.0.0", "is not an IPv4 address"},
    {"remote_ip", "10", "is not an IPv4 address"},
    {"remote_ip", "1.2.3.4.5", "is not an IPv4 address"},
    {"remote_ip", "1.2.3.", "is not an IPv4 address"},
    {"remote_ip", ".1.2.3", "is not an IPv4 address"},
    {"remote_ip", "1..2.3", "is not an IPv4 address"},
    {"remote_ip", "...", "is not an IPv4 address"},
    {"remote_ip", "010.0.0.1", "is not an IPv4 address"},
    {"remote_ip", "192.0.2.01", "is not an IPv4 address"},
    {"remote_ip", "10.0.0.0001", "is not an IPv4 address"},
    {"remote_ip", "10.0.0.256", "is not an IPv4 address"},
    {"remote_ip", "10.0.0.1 ", kNeither},
    {"remote_ip", "10.0.0.1/24", kNeither},
    {"remote_ip", "192.0.2.1:47", kNeither},
    {"remote_ip", "0x7f.1", kNeither},
    {"remote_ip", "0x7f000001", kNeither},
    {"remote_ip", "0X7f", kNeither},
    {"remote_ip", "peer.1", kNeither},
    {"remote_ip", "a_b.example", kNeither},
    {"remote_ip", "-a.example", kNeither},
    {"remote_ip", "a-.example", kNeither},
    {"remote_ip", "a..example", kNeither},
    {"remote_ip", ".example", kNeither},
    {"remote_ip", "example.", kNeither},
    {"remote_ip", "b\u00fccher.example", kNeither},
    {"remote_ip", "::", kNoHost},
    {"remote_ip", "::1", kNoHost},
    {"remote_ip", "ff02::1", kNoHost},
    {"remote_ip", "2001:db8::12345", kBadIpv6},
    {"remote_ip", "2001:db8:::1", kBadIpv6},
    {"remote_ip", "2001:db8::1%eth0", kBadIpv6},
    {"remote_ip", "fe80::1",
     "is a link-local address, to which no route "
     "leads"},
    {"remote_ip", "fe80::1%eth0", kBadIpv6},
    {"remote_ip", "::ffff:192.0.2.1", "is an IPv4 address written as IPv6"},
    {"remote_ip", "[2001:db8::1]", kNeither},
    {"remote_ip", "2001:db8::1/64", kNeither},
    {"local_ip", "::", kNoHost},
    {"local_ip", "1:2:3", kBadIpv6},
    {"local_ip", "255.255.255.255", kNoHost},
    {"local_ip", "224.0.0.1", kNoHost},
    {"local_ip", "127.0.0.1", kNoHost},
    {"local_ip", "1.2.3", "is not an IPv4 address"},
    {"local_ip", "learn", "is for remote_ip only"},
    {"learn_after", "", "is empty"},
    {"learn_after", "1", "is out of range"},
    {"learn_after", "65536", "is out of range"},
    {"learn_after", "30s", "is not a number"},
    {"learn_after", "none", "is not a number"},
    {"key", "", "is empty"},
    {"key", "abc", "is not a number"},
    {"key", "-1", "is not a number"},
    {"key", "+1", "is not a number"},
    {"key", " 1", "is not a number"},
    {"key", "1 ", "is not a number"},
    {"key", "1,2", "is not a number"},
    {"key", "1.0", "is not a number"},
    {"key", "1e3", "is not a number"},
    {"key", "08", "is not a number"},
    {"key", "0x", "is not a number"},
    {"key", "0x-1", "is not a number"},
    {"key", "0x0x1", "is not a number"},
    {"key", "0b1", "is not a number"},
    {"key", "0xfg", "is not a number"},
    {"key", "Flow", "is not a number"},
    {"key", "inherit", "is not a number"},
    {"key", "65536", "is out of range"},
    {"key", "0x10000", "is out of range"},
    {"key", "0200000", "is out of range"},
    {"key", "4294967296", "is out of range"},
    {"key", "18446744073709551616", "is out of range"},
    {"in_key", "65536", "is out of range"},
    {"in_key", "x", "is not a number"},
    {"out_key", "65536", "is out of range"},
    {"out_key", "x", "is not a number"},
    {"ttl", "256", "is out of range"},
    {"ttl", "-1", "is not a number"},
    {"ttl", "flow", "is not a number"},
    {"tos", "256", "is out of range"},
    {"tos", "253", "is out of range"},
    {"tos", "1", "sets bits of ECN"},
    {"tos", "0x03", "sets bits of ECN"},
    {"tos", "af11", "is not a number"},
    {"df_default", "yes", "is not a truth value"},
    {"df_default", "TRUE", "is not a truth value"},
    {"df_default", "1", "is not a truth value"},
    {"df_default", "", "is empty"},
    {"dscp", "64", "is out of range"},
    {"dscp", "ef", "is not a number"},
    {"dont_fragment", "yes", "is neither"},
    {"dont_fragment", "true", "is neither"},
    {"clamp_tcp_mss", "yes", "is not a truth value"},
    {"clamp_tcp_mss", "1400", "is not a truth value"},
    {"keepalive", "", "is empty"},
    {"keepalive", "100ms", "is finer than a second, which RouterOS is not"},
    {"keepalive", "1s100ms", "is finer than a second, which RouterOS is not"},
    {"keepalive", "0", "is out of range"},
    {"keepalive", "0s,10", "is out of range"},
    {"keepalive", "65536", "is out of range"},
    {"keepalive", "18h12m16s", "is out of range"},
    {"keepalive", "99999999999s", "is out of range"},
    {"keepalive", "10s,256", "is out of range"},
    {"keepalive", "10s,", "is not a number"},
    {"keepalive", "10s,x", "is not a number"},
    {"keepalive", "10s,-1", "is not a number"},
    {"keepalive", "10s,10s", "is not a number"},
    {"keepalive", "10s,10,10", "is not a number"},
    {"keepalive", ",10", "is not a number"},
    {"keepalive", "s", "is not a number"},
    {"keepalive", "ten", "is not a number"},
    {"keepalive", "-10", "is not a number"},
    {"keepalive", "10 s", "is not a time"},
    {"keepalive", "1.5s", "is not a time"},
    {"keepalive", "10d", "is not a time"},
    {"keepalive", "1s1m", "is not a time"},
    {"keepalive", "1m1m", "is not a time"},
    {"keepalive", "1m30", "is not a time"},
    {"keepalive", "0x10", "is not a time"},
    {"egress_pkt_mark", "4294967296", "is out of range"},
    {"egress_pkt_mark", "x", "is not a number"},
};

std::string_view allowed(std::string_view name)
{
    for (const OptionInfo &info : option_table()) {
        if (info.name == name) {
            return info.allowed;
        }
    }
    return "";
}

TEST(Options, BadOnesNameOptionValueFaultAndRange)
{
    for (const auto &[name, value, fault] : kBadOptions) {
        const std::string error = errors({{name, value}});
        std::string expected(name);
        expected.append("=").append(value).append(" ").append(fault);
        expected.append(": allowed are ").append(allowed(name));
        if (value.starts_with("b\u00fc")) {
            EXPECT_NE(error.find("b\\xc3\\xbccher"), std::string::npos);
        } else {
            EXPECT_EQ(error, expected);
        }
    }
}

TEST(Options, SayWhatTheDesignSays)
{
    EXPECT_EQ(errors({{"key", "99999"}}),
              "key=99999 is out of range: allowed are 0 to 65535, or "
              "\"flow\"");
    EXPECT_EQ(errors({{"remot_ip", "1.2.3.4"}}),
              "unknown option remot_ip: did you mean remote_ip?");
}

TEST(Options, NamesThatAreTooLong)
{
    const std::string label64(64, 'a');
    const std::string name254 = kName253 + "b";
    for (const std::string &name : {label64, label64 + ".example", name254}) {
        EXPECT_NE(errors({{"remote_ip", name}}).find(kNeither),
                  std::string::npos);
    }
}

// The table.

TEST(OptionTable, EveryRowHasAGoodAndABadTest)
{
    const auto goods = good_options();
    for (const OptionInfo &info : option_table()) {
        EXPECT_TRUE(std::any_of(
            goods.begin(), goods.end(),
            [&](const Good &good) { return good.option.name == info.name; }))
            << info.name;
        EXPECT_TRUE(
            std::any_of(std::begin(kBadOptions), std::end(kBadOptions),
                        [&](const Bad &bad) { return bad.name == info.name; }))
            << info.name;
    }
}

TEST(OptionTable, EveryRowIsComplete)
{
    for (const OptionInfo &info : option_table()) {
        EXPECT_FALSE(info.allowed.empty()) << info.name;
        EXPECT_TRUE(info.help.ends_with('.')) << info.name;
        EXPECT_EQ(std::count_if(option_table().begin(), option_table().end(),
                                [&](const OptionInfo &other) {
                                    return other.name == info.name;
                                }),
                  1)
            << info.name;
    }
}

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

TEST(Options, TosHasNoEcn)
{
    for (int tos = 0; tos < 256; tos++) {
        EXPECT_EQ(errors({{"tos", std::to_string(tos)}}).empty(), tos % 4 == 0)
            << tos;
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
    for (const char *name : {"mtu", "mac-address", "ipsec-secret", "arp"}) {
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
