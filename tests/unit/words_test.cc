// SPDX-License-Identifier: Apache-2.0
//
// The words of the command eoip that the older tool does not have.

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "command_line.h"
#include "help.h"

namespace eoip {
namespace {

TEST(Words, TakesPairsInOneWordToo)
{
    const Request request = accept(
        "add name=e1 tunnel-id=5 remote 192.0.2.2 ttl=9 comment=a=b mtu=1500");
    EXPECT_EQ(request.name, "e1");
    EXPECT_EQ(request.options, (Options{{"key", "5"},
                                        {"remote_ip", "192.0.2.2"},
                                        {"ttl", "9"},
                                        {"comment", "a=b"},
                                        {"mtu", "1500"}}));
    EXPECT_EQ(accept("show e1 bridge=br0").bridge, "br0");
    EXPECT_EQ(accept("show name=e1").name, "e1");
    expect_refused("add tid=1 ttl=", {"invalid ttl value"});
    expect_refused("add tid=1 tid=2", {"option given twice: tid"});
}

TEST(Words, TakesTheWordsOfRouterOS)
{
    EXPECT_EQ(accept("add name=eoip1 remote-address=192.0.2.2 "
                     "local-address=192.0.2.1 tunnel-id=5 keepalive=10s,3 "
                     "clamp-tcp-mss=no dont-fragment=inherit dscp=46 "
                     "comment=Lyon")
                  .options,
              (Options{{"remote_ip", "192.0.2.2"},
                       {"local_ip", "192.0.2.1"},
                       {"key", "5"},
                       {"keepalive", "10,3"},
                       {"clamp_tcp_mss", "false"},
                       {"dont_fragment", "inherit"},
                       {"dscp", "46"},
                       {"comment", "Lyon"}}));
    EXPECT_EQ(
        accept("change name e1 clamp-tcp-mss yes").options.at("clamp_tcp_mss"),
        "true");
    expect_refused("add tid 1 clamp-tcp-mss=maybe",
                   {"invalid clamp-tcp-mss value: maybe"});
    for (const char *name : {"mac-address", "arp", "allow-fast-path", "l2mtu",
                             "loop-protect", "disabled"}) {
        expect_refused(std::string("add tid=1 ") + name + "=x",
                       {name, "property of RouterOS", "leave it out"});
    }
    EXPECT_EQ(refuse("add tid=1 ipsec-secret=hunter2").find("hunter2"),
              std::string::npos);
    expect_refused("add tid 1 dscp 46 tos 184 remote 192.0.2.2",
                   {"tos and dscp say the same thing twice"});
}

TEST(Words, TakesCommentsAndAnMtu)
{
    expect_refused("add tid 1 mtu 67", {"invalid mtu value: 67", "68 to"});
    expect_refused("add tid 1 mtu 65536", {"invalid mtu value: 65536"});
    expect_refused("add tid 1 mtu auto", {"invalid mtu value: auto"});
    const auto comment = [](const std::string &text) {
        return parse("change name e1 comment=" + text).error;
    };
    EXPECT_EQ(comment(""), "");
    EXPECT_EQ(comment("Z\303\274rich\342\202\254\360\237\230\200"), "");
    EXPECT_EQ(comment(std::string(255, 'x')), "");
    for (const std::string &text :
         {std::string(256, 'x'), std::string("a\nb"), std::string("\177"),
          std::string("\374"), std::string("\303"), std::string("\300\257"),
          std::string("\355\240\200"), std::string("\360\200\200\200"),
          std::string("\364\220\200\200")}) {
        EXPECT_NE(comment(text).find("255 bytes of text in UTF-8"),
                  std::string::npos)
            << text;
    }
}

TEST(Words, TakesFilesAndFormats)
{
    Request request = accept("import name --bridge=br0 --peer 192.0.2.2");
    EXPECT_EQ(request.file, "name");
    EXPECT_EQ(request.bridge, "br0");
    EXPECT_EQ(request.peer, "192.0.2.2");
    EXPECT_EQ(accept("import - bridge br0 --dry-run").bridge, "br0");
    EXPECT_TRUE(accept("import a=b --replace").replace);
    expect_refused("import", {"import needs the name of a file"});
    expect_refused("import a z", {"unknown option: z"});
    expect_refused("import a name e1", {"takes the names from the file"});
    expect_refused("import a ttl 3", {"ttl is for add and change"});
    expect_refused("import a --json", {"--json is for list"});
    expect_refused("import a --peer=", {"--peer requires an argument"});
    expect_refused("import a --replace --peer=192.0.2.2", {"exclude"});
    expect_refused("list --peer=192.0.2.2", {"are for \"import\""});
    request = accept("export routeros e1");
    EXPECT_EQ(request.format, "routeros");
    EXPECT_EQ(request.name, "e1");
    EXPECT_EQ(accept("export o").format, "ovs-vsctl");
    EXPECT_EQ(accept("export interfaces").name, "");
    EXPECT_EQ(accept("export networkd name e1").name, "e1");
    expect_refused("export", {"export needs a format: routeros, ovs-vsctl"});
    expect_refused("export yaml", {"unknown format: yaml", "networkd"});
    expect_refused("export routeros --json", {"--json is for list"});
    EXPECT_TRUE(accept("stats e1 --prometheus").prometheus);
    expect_refused("list --prometheus", {"--prometheus is for \"stats\""});
    expect_refused("stats --prometheus --json", {"without --json"});
}

TEST(Words, ExplainsEveryWord)
{
    EXPECT_EQ(accept("help").topic, "");
    EXPECT_EQ(accept("help keepalive").topic, "keepalive");
    EXPECT_NE(help_on("delete").find("del, delete, remove IF"),
              std::string::npos);
    EXPECT_EQ(help_on("mtu"), "  mtu N             68 to 65535; of a link of "
                              "the kernel\n");
    // All the lines of it, and what a port of OVS can have.
    const std::string keepalive = help_on("keepalive");
    EXPECT_NE(keepalive.find("the tunnel is down; 10,0\n"), std::string::npos);
    EXPECT_NE(keepalive.find("Allowed on a bridge are INTERVAL"),
              std::string::npos);
    EXPECT_EQ(keepalive.find("df_default"), std::string::npos);
    EXPECT_TRUE(help_on("remote-address").starts_with("  remote ADDRESS"));
    EXPECT_TRUE(help_on("egress_pkt_mark").starts_with("  egress_pkt_mark\n"));
    EXPECT_TRUE(help_on("--json").starts_with("  --json"));
    EXPECT_EQ(help_on("frob"), "");
    EXPECT_EQ(help_on(""), "");
}

TEST(Words, RemovesSeveral)
{
    const Request request = accept("del e1 e2 bridge br0 e3");
    EXPECT_EQ(request.name, "e1");
    EXPECT_EQ(request.more_names, (std::vector<std::string>{"e2", "e3"}));
    EXPECT_EQ(request.bridge, "br0");
    expect_refused("del e1 a/b", {"invalid interface name", "a/b"});
}

}  // namespace
}  // namespace eoip
