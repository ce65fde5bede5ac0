// SPDX-License-Identifier: Apache-2.0
//
// The command line of eoip, with the words that users of the older tool know,
// one by one.  For what it prints see output_test.cc.

#include <string>

#include <gtest/gtest.h>

#include "command_line.h"

namespace eoip {
namespace {

TEST(CommandLine, KnowsEveryVerbAndItsAlias)
{
    EXPECT_EQ(accept("add tunnel-id 1 remote 192.0.2.2").verb, Verb::add);
    EXPECT_EQ(accept("new tunnel-id 1 remote 192.0.2.2").verb, Verb::add);
    EXPECT_EQ(accept("change name e1 ttl 1").verb, Verb::change);
    EXPECT_EQ(accept("set name e1 ttl 1").verb, Verb::change);
    EXPECT_EQ(accept("list").verb, Verb::list);
    EXPECT_EQ(accept("show").verb, Verb::list);
    EXPECT_EQ(accept("").verb, Verb::list);
    EXPECT_EQ(accept("version").verb, Verb::version);
    EXPECT_EQ(accept("check").verb, Verb::check);
    EXPECT_EQ(accept("help").verb, Verb::help);
    EXPECT_EQ(accept("del e1").verb, Verb::del);
    EXPECT_EQ(accept("delete e1").verb, Verb::del);
    EXPECT_EQ(accept("remove e1").verb, Verb::del);
    EXPECT_EQ(accept("monitor").verb, Verb::monitor);
    EXPECT_EQ(accept("import file").verb, Verb::import_);
    EXPECT_EQ(accept("export routeros").verb, Verb::export_);
    EXPECT_EQ(accept("stats").verb, Verb::stats);
}

TEST(CommandLine, TakesUniquePrefixesOfVerbs)
{
    EXPECT_EQ(accept("a tid 1 r 192.0.2.2").verb, Verb::add);
    EXPECT_EQ(accept("n tid 1 r 192.0.2.2").verb, Verb::add);
    EXPECT_EQ(accept("c n e1 ttl 1").verb, Verb::change);
    EXPECT_EQ(accept("ch n e1 ttl 1").verb, Verb::change);
    EXPECT_EQ(accept("se n e1 ttl 1").verb, Verb::change);
    EXPECT_EQ(accept("l").verb, Verb::list);
    EXPECT_EQ(accept("sh").verb, Verb::list);
    EXPECT_EQ(accept("v").verb, Verb::version);
    EXPECT_EQ(accept("h").verb, Verb::help);
    expect_refused("s", {"ambiguous command: s", "set, show or stats"});
    expect_refused("frob", {"unknown command: frob", "add, new", "and help"});
}

TEST(CommandLine, TakesUniquePrefixesOfWords)
{
    const Request request = accept(
        "add tu 1 n e1 loc 192.0.2.1 r 192.0.2.2 li 3 tt 4 to 8 k 10,3");
    EXPECT_EQ(request.name, "e1");
    EXPECT_EQ(request.options, (Options{{"key", "1"},
                                        {"local_ip", "192.0.2.1"},
                                        {"remote_ip", "192.0.2.2"},
                                        {"link", "3"},
                                        {"ttl", "4"},
                                        {"tos", "8"},
                                        {"keepalive", "10,3"}}));
    EXPECT_EQ(accept("add ti 7 r 192.0.2.2").options.at("key"), "7");
    EXPECT_EQ(accept("add tid 7 br br0").bridge, "br0");
    expect_refused("add t 1",
                   {"ambiguous option: t", "tunnel-id", "ttl", "tos"});
    expect_refused("add l 1", {"ambiguous option: l", "local or link"});
}

TEST(CommandLine, TakesNumbersOfEveryBase)
{
    for (const char *number : {"1234", "0x4d2", "0X4D2", "02322"}) {
        EXPECT_EQ(
            accept(std::string("add remote 192.0.2.2 tunnel-id ") + number)
                .options.at("key"),
            "1234");
    }
    EXPECT_EQ(accept("change name e1 ttl 0x10").options.at("ttl"), "16");
    EXPECT_EQ(accept("change name e1 tos 010").options.at("tos"), "8");
}

TEST(CommandLine, WantsATunnelId)
{
    expect_refused("add remote 192.0.2.2",
                   {"tunnel-id is mandatory parameter", "0 to 65535"});
    for (const char *number :
         {"70000", "65536", "-1", "1x", "0x", "08", "", "4294967297"}) {
        expect_refused(std::string("add remote 192.0.2.2 tunnel-id ") + number,
                       {number[0] ? "invalid tunnel-id value: "
                                  : "tunnel-id requires an argument",
                        number});
    }
    EXPECT_EQ(accept("add tid 0 r 192.0.2.2").options.at("key"), "0");
    EXPECT_EQ(accept("add tid 65535 r 192.0.2.2").options.at("key"), "65535");
}

TEST(CommandLine, SelectsEoIPv6ByTheAddress)
{
    EXPECT_EQ(accept("add tid 4095 r 2001:db8::2").options.at("remote_ip"),
              "2001:db8::2");
    expect_refused("add tid 4096 remote 2001:db8::2",
                   {"tunnel-id must be 0..4095 for eoipv6", "4096"});
    expect_refused(
        "add tid 1 local 192.0.2.1 remote 2001:db8::2",
        {"local/remote address family mismatch", "192.0.2.1", "2001:db8::2"});
    expect_refused("add tid 1 local 2001:db8::1 remote 192.0.2.2",
                   {"local/remote address family mismatch"});
}

TEST(CommandLine, SaysWhatIsWrongWithWords)
{
    expect_refused("add tid 1 remote X",
                   {"invalid ip address: X", "remote", "IPv4 or IPv6"});
    expect_refused("add tid 1 local 192.0.2.300",
                   {"invalid ip address: 192.0.2.300", "local"});
    expect_refused("add tid 1 remote",
                   {"option: remote requires an argument"});
    expect_refused("add tid 1 frob 2",
                   {"unknown option: frob", "known are tunnel-id"});
    expect_refused("add tid 1 frob", {"unknown option: frob"});
    expect_refused("add tid 1 remote 192.0.2.2 psk=x",
                   {"ipsec-secret is for tunnels on a bridge of the kernel's "
                    "datapath",
                    "docs/ipsec.md"});
    expect_refused("add --psk=x", {"unknown option: --psk: "});
    expect_refused("change tunnel-id 1",
                   {"name is mandatory for set/change", "eoip list"});
    expect_refused("add tid 1 name abcdefghijklmnop",
                   {"interface name too long: abcdefghijklmnop", "15"});
    for (const char *name : {"a/b", "a:b", "a%b", ".", ".."}) {
        expect_refused(std::string("add tid 1 name ") + name,
                       {"invalid interface name", name});
    }
    expect_refused("add tid 1 ttl 256", {"invalid ttl value: 256", "255"});
    expect_refused("add tid 1 ttl x", {"invalid ttl value: x"});
    expect_refused("add tid 1 tos 256", {"invalid tos value: 256", "252"});
    expect_refused("add tid 1 tos 3", {"invalid tos value: 3", "ECN"});
    for (const char *value : {"x", "65536", "10,256", "10,", ",3", "10,3,1"}) {
        expect_refused(std::string("add tid 1 keepalive ") + value,
                       {"invalid keepalive value: ", value, "65535", "255"});
    }
    expect_refused("change name e1 df_default 1",
                   {"invalid df_default value: 1", "\"true\" or \"false\""});
    expect_refused(
        "change name e1 dont_fragment 1",
        {"invalid dont_fragment value: 1", "\"no\" or \"inherit\""});
    expect_refused("add tid 1 r 192.0.2.2 df_default true dont_fragment no",
                   {"df_default and dont_fragment are one setting"});
    expect_refused("change name e1 clamp_tcp_mss yes",
                   {"invalid clamp_tcp_mss value: yes"});
    expect_refused("add tid 1 tid 2", {"option given twice: tid"});
    expect_refused("add tid 1 name a name b", {"option given twice: name"});
    expect_refused("change name e1", {"change needs something to change"});
    expect_refused("del", {"del needs the name"});
    expect_refused("add tid 1 egress_pkt_mark 1",
                   {"egress_pkt_mark", "bridge BR"});
    expect_refused("add tid flow remote 192.0.2.2", {"flow", "bridge BR"});
    EXPECT_EQ(accept("add tid 1 r 192.0.2.2 name abcdefghijklmno").name,
              "abcdefghijklmno");
}

TEST(CommandLine, WritesEveryValueInOneWay)
{
    const auto value = [](const std::string &word, const char *option) {
        return accept("change name e1 " + word).options.at(option);
    };
    EXPECT_EQ(value("ttl 0", "ttl"), "inherit");
    EXPECT_EQ(value("ttl inherit", "ttl"), "inherit");
    EXPECT_EQ(value("tos 0", "tos"), "0");
    EXPECT_EQ(value("tos 1", "tos"), "inherit");
    EXPECT_EQ(value("tos 252", "tos"), "252");
    EXPECT_EQ(value("keepalive none", "keepalive"), "none");
    EXPECT_EQ(value("keepalive 0", "keepalive"), "none");
    EXPECT_EQ(value("keepalive 1", "keepalive"), "1,10");
    EXPECT_EQ(value("keepalive 10s,10", "keepalive"), "10,10");
    EXPECT_EQ(value("keepalive 1m30s,3", "keepalive"), "90,3");
    EXPECT_EQ(value("remote 2001:DB8:0:0::2", "remote_ip"), "2001:db8::2");
    EXPECT_EQ(value("remote learn", "remote_ip"), "learn");
    EXPECT_EQ(value("local any", "local_ip"), "");
    EXPECT_EQ(value("local 0.0.0.0", "local_ip"), "");
    EXPECT_EQ(value("local ::", "local_ip"), "");
}

TEST(CommandLine, TakesFlagsAnywhere)
{
    const Request request =
        accept("--db=tcp:192.0.2.1:6640 show -p key -c cert e1 --ca-cert ca "
               "--json -t 0x10");
    EXPECT_EQ(request.verb, Verb::list);
    EXPECT_EQ(request.name, "e1");
    EXPECT_EQ(request.db, "tcp:192.0.2.1:6640");
    EXPECT_EQ(request.private_key, "key");
    EXPECT_EQ(request.certificate, "cert");
    EXPECT_EQ(request.ca_cert, "ca");
    EXPECT_EQ(request.timeout_s, 16);
    EXPECT_TRUE(request.json);
    EXPECT_EQ(accept("frob --help").verb, Verb::help);
    EXPECT_EQ(accept("-V").verb, Verb::version);
    EXPECT_EQ(accept("list -t 3600").timeout_s, 3600);
    EXPECT_TRUE(accept("-w").watch);
}

TEST(CommandLine, RefusesFlagsThatAreForOtherCommands)
{
    expect_refused("list --frob", {"unknown option: --frob"});
    expect_refused("list --db", {"--db requires an argument"});
    expect_refused("list --json=1", {"--json takes no value"});
    for (const char *value : {"0", "3601", "+5"}) {
        expect_refused(std::string("list -t ") + value,
                       {"invalid timeout value: ", value, "1 to 3600"});
    }
    for (const char *verb : {"list", "stats", "check", "export routeros"}) {
        expect_refused(std::string(verb) + " --dry-run",
                       {"--dry-run is for add, change, del and import"});
    }
    for (const char *line : {"stats", "list e1", "list --json"}) {
        expect_refused(std::string(line) + " --legacy",
                       {"--legacy is for \"list\""});
        expect_refused(std::string(line) + " --watch",
                       {"--watch is for \"list\""});
    }
    expect_refused("list -w --legacy", {"--watch is for \"list\""});
    expect_refused("del e1 --json", {"--json is for list"});
    expect_refused("list name e1 ttl 3", {"ttl is for add and change"});
}

TEST(CommandLine, NamesTunnelsWithAndWithoutTheWord)
{
    for (const char *verb : {"del", "show", "stats"}) {
        EXPECT_EQ(accept(std::string(verb) + " e1").name, "e1");
        EXPECT_EQ(accept(std::string(verb) + " name e1").name, "e1");
        const Request request = accept(std::string(verb) + " e1 bridge br0");
        EXPECT_EQ(request.name, "e1");
        EXPECT_EQ(request.bridge, "br0");
    }
    // A tunnel may be called as a word is.
    EXPECT_EQ(accept("del ttl").name, "ttl");
    EXPECT_EQ(accept("del name").name, "name");
    EXPECT_EQ(accept("show ttl bridge br0").name, "ttl");
    expect_refused("show e1 e2", {"unknown option: e2"});
}

}  // namespace
}  // namespace eoip
