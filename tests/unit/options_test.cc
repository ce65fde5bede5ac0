// SPDX-License-Identifier: Apache-2.0
//
// eoip/options.h: single options, which values pass, and what they come to.  For
// several together see option_list_test.cc.

#include "eoip/options.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "option_list.h"

namespace eoip {
namespace {

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
        {{"ike_version", "1"}, defaults()},
        {{"ike_version", "2"}, with([](Config &c) { c.ipsec.version = 2; })},
        {{"ike_proposals", "aes256-sha256-modp2048,3des-md5-modp1024"},
         with([](Config &c) {
             c.ipsec.ike_proposals =
                 "aes256-sha256-modp2048,3des-md5-modp1024";
         })},
        {{"esp_proposals", "aes256gcm16"},
         with([](Config &c) { c.ipsec.esp_proposals = "aes256gcm16"; })},
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

constexpr std::string_view kNoProposals = "is not a list of proposals";

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
    {"ike_version", "", "is empty"},
    {"ike_version", "0", "is no version of IKE"},
    {"ike_version", "ikev2", "is no version of IKE"},
    {"ike_proposals", "", "is empty"},
    {"ike_proposals", "aes256!", kNoProposals},
    {"ike_proposals", "aes256, aes128", kNoProposals},
    {"ike_proposals", "AES256", kNoProposals},
    {"ike_proposals", "aes256,", kNoProposals},
    {"ike_proposals", "aes256--sha1", kNoProposals},
    {"esp_proposals", "-aes256", kNoProposals},
    {"esp_proposals", "aes256 }", kNoProposals},
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

TEST(Options, NamesThatAreTooLong)
{
    const std::string label64(64, 'a');
    const std::string name254 = kName253 + "b";
    for (const std::string &name : {label64, label64 + ".example", name254}) {
        EXPECT_NE(errors({{"remote_ip", name}}).find(kNeither),
                  std::string::npos);
    }
}

TEST(Options, TosHasNoEcn)
{
    for (int tos = 0; tos < 256; tos++) {
        EXPECT_EQ(errors({{"tos", std::to_string(tos)}}).empty(), tos % 4 == 0)
            << tos;
    }
}

// The table.

TEST(OptionTable, EveryRowHasAGoodAndABadTest)
{
    const auto goods = good_options();
    for (const OptionInfo &info : option_table()) {
        if (is_secret(info.name)) {
            continue;  // Not alone, and not shown: ipsec_options_test.cc.
        }
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

}  // namespace
}  // namespace eoip
