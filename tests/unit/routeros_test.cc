// SPDX-License-Identifier: Apache-2.0
//
// What RouterOS exports, in the styles of quoting that it is seen in, and what
// is exported for RouterOS and for the next start of this machine.

#include <string>

#include <gtest/gtest.h>

#include "export.h"
#include "import.h"
#include "rsc.h"

namespace eoip {
namespace {

const Options kBranch = {
    {"key", "1234"}, {"remote_ip", "192.0.2.2"}, {"local_ip", "192.0.2.1"}};

// The tunnels of 'text', which has nothing to complain of.
[[nodiscard]] Imported read(const std::string &text,
                            const ImportSide &side = {})
{
    Imported imported = import_rsc(text, side);
    EXPECT_TRUE(imported.errors.empty())
        << text << "\n"
        << (imported.errors.empty() ? "" : imported.errors[0]);
    return imported;
}

// The sentences that 'text' is refused with, a line each.
[[nodiscard]] std::string refuse(const std::string &text,
                                 const ImportSide &side = {})
{
    std::string sentences;
    for (const std::string &error : import_rsc(text, side).errors) {
        sentences += error + "\n";
    }
    EXPECT_NE(sentences, "") << text;
    return sentences;
}

void expect_refused(const std::string &text,
                    std::initializer_list<const char *> pieces,
                    const ImportSide &side = {})
{
    const std::string sentences = refuse(text, side);
    for (const char *piece : pieces) {
        EXPECT_NE(sentences.find(piece), std::string::npos)
            << text << ": no \"" << piece << "\" in: " << sentences;
    }
}

[[nodiscard]] Options options_of(const std::string &properties)
{
    const Imported imported = read(
        "/interface eoip add name=e1 tunnel-id=1234 local-address=192.0.2.2 "
        "remote-address=192.0.2.1 "
        + properties);
    return imported.tunnels.size() == 1 ? imported.tunnels[0].options
                                        : Options{};
}

[[nodiscard]] std::string comment_of(const std::string &value)
{
    Options options = options_of("comment=" + value);
    return options["comment"];
}

TEST(RouterImport, ReadsTheSameInEveryStyle)
{
    const char *const kStyles[] = {
        // As /export prints it.
        "# nov/27/2026 10:00:00 by RouterOS 7.16\n# software id = AB-12\n#\n"
        "/interface bridge\nadd name=bridge1\n"
        "/interface eoip\n"
        "add local-address=192.0.2.2 mac-address=\\\n"
        "    02:11:22:33:44:55 name=eoip1 remote-address=192.0.2.1 \\\n"
        "    tunnel-id=1234\n/ip address\nadd address=10.0.0.1/24\n",
        // "terse".
        "/interface eoip add local-address=192.0.2.2 name=eoip1 "
        "remote-address=192.0.2.1 tunnel-id=1234\n",
        // As RouterOS 7 writes paths, without an end of the last line.
        "/interface/eoip/add local-address=192.0.2.2 name=eoip1 "
        "remote-address=192.0.2.1 tunnel-id=1234",
        // Of a file that was on a computer with Windows.
        "\xef\xbb\xbf/interface eoip\r\nadd name=\\\r\n    eoip1 "
        "local-address=192.0.2.2 remote-address=\\\r\n    192.0.2.1 "
        "tunnel-id=1234\r\n",
        // Menus in steps, quotes where none are needed, blanks, ";".
        "  /interface\n\teoip  add   name=\"eoip1\" tunnel-id=\"1234\" "
        "local-address=\"192.0.2.2\" remote-address=192.0.2.1 ; /ip dns\n",
        // "verbose": the defaults as well.
        "/interface eoip\nadd allow-fast-path=yes arp=enabled "
        "arp-timeout=auto !keepalive clamp-tcp-mss=yes disabled=no "
        "dont-fragment=no dscp=0 keepalive=10s,10 l2mtu=65535 "
        "local-address=192.0.2.2 loop-protect=default "
        "loop-protect-disable-time=5m loop-protect-send-interval=5s "
        "mac-address=02:11:22:33:44:55 mtu=auto name=eoip1 "
        "remote-address=192.0.2.1 tunnel-id=1234\n",
        // A word of the name that is broken, and a later "set".
        "/interface eoip\nadd name=\"eo\\\n    ip1\" tunnel-id=1\\\n    234 "
        "local-address=192.0.2.9 remote-address=192.0.2.1\n"
        "set [ find name=eoip1 ] local-address=192.0.2.2\n",
    };
    for (const std::string text : kStyles) {
        const Imported imported = read(text);
        ASSERT_EQ(imported.tunnels.size(), 1u) << text;
        Options options = imported.tunnels[0].options;
        if (text.find("verbose") == std::string::npos
            && options.contains("dscp")) {
            EXPECT_EQ(options["keepalive"], "10,10");
            EXPECT_EQ(options["clamp_tcp_mss"], "true");
            for (const char *option :
                 {"keepalive", "clamp_tcp_mss", "dscp", "dont_fragment"}) {
                options.erase(option);
            }
        }
        EXPECT_EQ(imported.tunnels[0].name, "eoip1") << text;
        EXPECT_EQ(options, kBranch) << text;
        EXPECT_TRUE(imported.notes.empty()) << imported.notes[0];
    }
}

TEST(RouterImport, TakesQuotesAndEscapes)
{
    EXPECT_EQ(comment_of("plain"), "plain");
    EXPECT_EQ(comment_of("\"a b; c # d\""), "a b; c # d");
    EXPECT_EQ(comment_of("\"say \\\"hi\\\" \\\\ \\$5 \\?\""),
              "say \"hi\" \\ $5 ?");
    EXPECT_EQ(comment_of("\"Z\\C3\\BCrich\""), "Z\xc3\xbcrich");
    EXPECT_EQ(comment_of("\"Z\xc3\xbcrich\""), "Z\xc3\xbcrich");
    EXPECT_EQ(comment_of("a\\_b\\20c"), "a b c") << "without quotes";
    EXPECT_EQ(comment_of("\"long\\\r\n    \\_line\""), "long line");
    EXPECT_EQ(comment_of("\"a=b\""), "a=b");
    EXPECT_EQ(comment_of("a=b"), "a=b");
    EXPECT_EQ(comment_of("\"[x] {y}\""), "[x] {y}");
    expect_refused("/interface eoip add comment=\"a\\qb\"",
                   {"line 1: there is no such escape"});
    expect_refused("/interface eoip\nadd name=e1 comment=\"abc\n\n",
                   {"line 2: the quote that begins here does not end"});
    expect_refused("\n\n/x y=[find z", {"line 3: the bracket"});
}

TEST(RouterImport, TakesWhatIsAnOptionHere)
{
    Options expected = kBranch;
    const auto with = [](std::initializer_list<Options::value_type> more) {
        Options options = kBranch;
        options.insert(more.begin(), more.end());
        return options;
    };
    EXPECT_EQ(options_of(""), kBranch);
    EXPECT_EQ(options_of("keepalive=10s,3"), with({{"keepalive", "10,3"}}));
    EXPECT_EQ(options_of("keepalive=1m30s,3"), with({{"keepalive", "90,3"}}));
    EXPECT_EQ(options_of("keepalive=00:00:08,3"),
              with({{"keepalive", "8,3"}}));
    EXPECT_EQ(options_of("keepalive=01:00:00,3"),
              with({{"keepalive", "3600,3"}}));
    EXPECT_EQ(options_of("!keepalive"), with({{"keepalive", "none"}}));
    EXPECT_EQ(options_of("dscp=46"), with({{"dscp", "46"}}));
    EXPECT_EQ(options_of("dscp=inherit"), with({{"dscp", "inherit"}}));
    EXPECT_EQ(options_of("dont-fragment=inherit"),
              with({{"dont_fragment", "inherit"}}));
    EXPECT_EQ(options_of("clamp-tcp-mss=no"),
              with({{"clamp_tcp_mss", "false"}}));
    EXPECT_EQ(options_of("mtu=1500"), with({{"mtu", "1500"}}));
    EXPECT_EQ(options_of("mtu=auto"), kBranch);
    const Imported port = read("/interface eoip add name=e1 mtu=1500 "
                               "tunnel-id=1234 local-address=192.0.2.2 "
                               "remote-address=192.0.2.1",
                               {"br0", false, ""});
    EXPECT_EQ(port.tunnels[0].bridge, "br0");
    EXPECT_EQ(port.tunnels[0].options, kBranch);
    EXPECT_TRUE(port.notes.empty());
    EXPECT_EQ(read("/interface eoipv6 add name=v6 tunnel-id=7 "
                   "local-address=2001:DB8::2 remote-address=2001:db8::1")
                  .tunnels[0]
                  .options,
              (Options{{"key", "7"},
                       {"remote_ip", "2001:db8::2"},
                       {"local_ip", "2001:db8::1"}}));
}

TEST(RouterImport, KnowsBothSides)
{
    const std::string both = "/interface eoip add name=e1 tunnel-id=1 "
                             "local-address=192.0.2.2 "
                             "remote-address=192.0.2.1";
    EXPECT_EQ(read(both).tunnels[0].options["remote_ip"], "192.0.2.2");
    Tunnel replaced = read(both, {"", true, ""}).tunnels[0];
    EXPECT_EQ(replaced.options["remote_ip"], "192.0.2.1");
    EXPECT_EQ(replaced.options["local_ip"], "192.0.2.2");

    const std::string one =
        "/interface eoip add name=e1 tunnel-id=1 remote-address=192.0.2.1 "
        "local-address=0.0.0.0";
    expect_refused(one, {"line 1: e1: it has no local-address",
                         "--peer=ADDRESS", "--peer=learn"});
    Tunnel tunnel = read(one, {"", false, "198.51.100.7"}).tunnels[0];
    EXPECT_EQ(tunnel.options["remote_ip"], "198.51.100.7");
    EXPECT_EQ(tunnel.options["local_ip"], "192.0.2.1");
    tunnel = read(one, {"br0", false, "learn"}).tunnels[0];
    EXPECT_EQ(tunnel.options["remote_ip"], "learn");
    tunnel = read(one, {"", true, ""}).tunnels[0];
    EXPECT_EQ(tunnel.options["remote_ip"], "192.0.2.1");
    EXPECT_FALSE(tunnel.options.contains("local_ip"));
    // What the file says comes first.
    tunnel = read(both, {"", false, "198.51.100.7"}).tunnels[0];
    EXPECT_EQ(tunnel.options["remote_ip"], "192.0.2.2");
}

// RouterOS: disabled, ipsec-secret, allow-fast-path, loop-protect
TEST(RouterImport, NamesWhatItLeavesOut)
{
    const Imported imported =
        read("/interface eoip\n"
             "add disabled=yes name=off tunnel-id=1 remote-address=192.0.2.1\n"
             "add name=e1 tunnel-id=2 local-address=192.0.2.2 \\\n"
             "    ipsec-secret=\"hunter\\_2\" allow-fast-path=no vrf=main \\\n"
             "    loop-protect=on comment=\"\\FCber\"\n"
             "add name=\"To Lyon, 2nd floor\" tunnel-id=3 "
             "local-address=192.0.2.2\n");
    ASSERT_EQ(imported.tunnels.size(), 2u);
    std::string notes;
    for (const std::string &note : imported.notes) {
        notes += note + "\n";
    }
    EXPECT_EQ(
        notes,
        "line 2: off is disabled, and left out\n"
        "line 3: e1: its comment is not in UTF-8, which is what is known "
        "here: see the \"?\"\n"
        "line 3: e1 has an ipsec-secret, which is not shown: set IPsec up on "
        "this machine before, and see that the router has "
        "allow-fast-path=no\n"
        "line 3: e1: loop-protect is left out: the bridge's RSTP is for "
        "that\n"
        "line 3: e1: vrf is not known, and left out\n"
        "line 6: \"To Lyon, 2nd floor\" is called To-Lyon,-2nd-fl here\n");
    EXPECT_EQ(imported.tunnels[0].get("comment"), "?ber");
    EXPECT_FALSE(imported.tunnels[0].options.contains("psk"));
    EXPECT_EQ(imported.tunnels[1].name, "To-Lyon,-2nd-fl");
}

// RouterOS: ipsec-secret
TEST(RouterImport, TakesSecretsWhereTheyCanBe)
{
    const std::string text =
        "/interface eoip add name=e1 tunnel-id=2 local-address=192.0.2.2 "
        "ipsec-secret=\"hunter\\_2\"";
    const Imported imported =
        import_rsc(text, {"br0", false, "", true});
    ASSERT_EQ(imported.tunnels.size(), 1u);
    EXPECT_EQ(imported.tunnels[0].get("psk"), "hunter 2");
    EXPECT_EQ(imported.notes,
              std::vector<std::string>(
                  {"line 1: e1 has an ipsec-secret, which is not shown, and "
                   "becomes options:psk: see that the router has "
                   "allow-fast-path=no"}));
    const Imported none = import_rsc(
        "/interface eoip add name=e1 tunnel-id=2 local-address=192.0.2.2 "
        "ipsec-secret=\"\"",
        {"br0", false, "", true});
    EXPECT_FALSE(none.tunnels[0].options.contains("psk"));
    EXPECT_TRUE(none.notes.empty());
}

TEST(RouterImport, RefusesWhatItWouldGetWrong)
{
    const std::string ends =
        " local-address=192.0.2.2 remote-address=192.0.2.1";
    expect_refused("", {"there is no tunnel in it"});
    expect_refused("/interface gre add name=g1", {"there is no tunnel in it"});
    expect_refused("/interface eoip add name=e1" + ends,
                   {"line 1: e1: it has no tunnel-id"});
    expect_refused("/interface eoip add tunnel-id=1" + ends,
                   {"line 1: the tunnel has no name"});
    expect_refused("/interface eoip add name=e1 tunnel-id=70000" + ends,
                   {"line 1: e1: invalid tunnel-id value: 70000", "65535"});
    expect_refused("/interface eoip add name=e1 tunnel-id=1 "
                   "local-address=192.0.2.300",
                   {"line 1: e1: 192.0.2.300 is neither an IPv4 nor an "
                    "IPv6 address"});
    expect_refused("/interface eoip add name=e1 tunnel-id=1 dscp=64" + ends,
                   {"invalid dscp value: 64", "0 to 63"});
    expect_refused("/interface eoip add name=e1 tunnel-id=1 "
                   "keepalive=99:00:00,3"
                       + ends,
                   {"invalid keepalive value"});
    expect_refused("/interface eoip add name=$x tunnel-id=1" + ends,
                   {"name depends on a variable or a command"});
    expect_refused("/interface eoip add name=e1 tunnel-id=[:rndnum]" + ends,
                   {"tunnel-id depends on a variable or a command"});
    expect_refused("/interface eoip add name=e1 tunnel-id=1 frob" + ends,
                   {"\"frob\" is not understood"});
    expect_refused("/interface eoip\nremove [ find ]\n",
                   {"line 2: \"remove\" is not understood"});
    expect_refused("/interface eoip\nset [ find ] mtu=1500\n",
                   {"line 2: \"set\" is understood only with the name"});
    expect_refused(":foreach i in={1;2} do={ /interface eoip add name=$i }",
                   {"this is a script"});
    // Every fault is named, with its line.
    expect_refused("/interface eoip\nadd name=e1 tunnel-id=1x" + ends
                       + "\nadd name=e1 tunnel-id=2" + ends,
                   {"line 2: e1: invalid tunnel-id", "line 3: two tunnels "
                                                     "would be called e1"});
    EXPECT_EQ(refuse("/interface eoip add name=e1 ipsec-secret=hunter2")
                  .find("hunter2"),
              std::string::npos);
}

TEST(RouterExport, ComesBackAsItWent)
{
    const char *const kLines[] = {
        "/interface eoip add local-address=192.0.2.2 name=eoip1 "
        "remote-address=192.0.2.1 tunnel-id=1234\n",
        "/interface eoip add clamp-tcp-mss=no comment=\"To \\\"Z\\C3\\BCrich"
        "\\\", \\$5\\?\" dont-fragment=inherit dscp=46 keepalive=20s,3 "
        "mtu=1500 local-address=192.0.2.2 name=e1 remote-address=192.0.2.1 "
        "tunnel-id=0\n",
        "/interface eoip add dscp=inherit !keepalive local-address=192.0.2.2 "
        "name=e1 remote-address=192.0.2.1 tunnel-id=65535\n",
        "/interface eoipv6 add local-address=2001:db8::2 name=v6 "
        "remote-address=2001:db8::1 tunnel-id=4095\n",
    };
    for (const std::string line : kLines) {
        const Imported imported = read(line);
        ASSERT_EQ(imported.tunnels.size(), 1u);
        EXPECT_EQ(export_routeros(imported.tunnels[0], ""), line);
    }
}

TEST(RouterExport, SaysWhatItCannotKnow)
{
    Tunnel tunnel;
    tunnel.name = "e1";
    tunnel.bridge = "br0";
    tunnel.options = {{"key", "5"}, {"remote_ip", "192.0.2.2"}, {"tos", "8"}};
    EXPECT_EQ(export_routeros(tunnel, "192.0.2.1"),
              "/interface eoip add dscp=2 local-address=192.0.2.2 name=e1 "
              "remote-address=192.0.2.1 tunnel-id=5\n");
    EXPECT_EQ(export_routeros(tunnel, ""),
              "# e1: which address this machine has towards the router is not "
              "known: put it in as remote-address\n"
              "/interface eoip add dscp=2 local-address=192.0.2.2 name=e1 "
              "remote-address=ADDRESS tunnel-id=5\n");
    tunnel.options = {{"key", "5"},
                      {"remote_ip", "learn"},
                      {"local_ip", "192.0.2.1"},
                      {"keepalive", "20,0"}};
    EXPECT_EQ(export_routeros(tunnel, ""),
              "/interface eoip add keepalive=20s,10 name=e1 "
              "remote-address=192.0.2.1 tunnel-id=5\n");
    for (const Options &options :
         {Options{{"key", "5"}},
          Options{{"key", "flow"}, {"remote_ip", "192.0.2.2"}},
          Options{{"in_key", "5"},
                  {"out_key", "6"},
                  {"remote_ip", "192.0.2.2"}}}) {
        tunnel.options = options;
        EXPECT_EQ(export_routeros(tunnel, "192.0.2.1"),
                  "# e1: a router has tunnels with two ends and one "
                  "tunnel-id; this one is none\n");
    }
}

[[nodiscard]] Tunnel link_of_kernel()
{
    Tunnel tunnel;
    tunnel.name = "eoip0";
    tunnel.options = {
        {"key", "1234"},         {"remote_ip", "192.0.2.2"},
        {"ttl", "64"},           {"tos", "184"},
        {"df_default", "false"}, {"clamp_tcp_mss", "true"},
        {"keepalive", "10,0"},   {"mtu", "1458"},
        {"link", "eth0"},        {"comment", "To Lyon's 5% \"A\""}};
    return tunnel;
}

TEST(Export, OfALinkOfTheKernel)
{
    const Tunnel link = link_of_kernel();
    const std::string line =
        "add name eoip0 tunnel-id 1234 remote 192.0.2.2 comment "
        "'To Lyon'\\''s 5% \"A\"' link eth0 tos 184\n";
    EXPECT_EQ(add_line(link), "eoip " + line);
    EXPECT_EQ(export_interfaces(link),
              "auto eoip0\niface eoip0 inet manual\n    pre-up eoip " + line
                  + "    up ip link set eoip0 up\n"
                    "    post-down eoip del eoip0\n");
    const std::string unit = export_networkd(link);
    EXPECT_NE(unit.find("\nExecStart=/usr/sbin/eoip add name eoip0 tunnel-id "
                        "1234 remote 192.0.2.2 comment \"To Lyon's 5%% "
                        "\\\"A\\\"\" link eth0 tos 184\n"
                        "ExecStop=/usr/sbin/eoip del eoip0\n"),
              std::string::npos)
        << unit;
    EXPECT_NE(unit.find("\n[Match]\nName=eoip0\n"), std::string::npos);
    EXPECT_TRUE(export_ovs_vsctl(link).starts_with(
        "# eoip0: a link of the kernel is not in Open vSwitch"));
}

TEST(Export, OfAPortOfABridge)
{
    Tunnel port;
    port.name = "e1";
    port.bridge = "br0";
    port.options = {{"key", "5"},
                    {"remote_ip", "2001:db8::2"},
                    {"keepalive", "10s,3"},
                    {"comment", "It's \"A\""},
                    {"psk", "hunter2"}};
    const std::string secret = "# SECRET stands for a secret of e1, which is "
                               "not shown: put it in.\n";
    EXPECT_EQ(export_ovs_vsctl(port),
              secret
                  + "ovs-vsctl --may-exist add-port br0 e1 -- set interface "
                    "e1 type=eoip options:key=5 "
                    "options:remote_ip='\"2001:db8::2\"' "
                    "external_ids:comment='\"It'\\''s \\\"A\\\"\"' "
                    "options:keepalive='\"10s,3\"' options:psk=SECRET\n");
    EXPECT_EQ(export_interfaces(port),
              secret
                  + "auto e1\niface e1 inet manual\n    ovs_bridge br0\n"
                    "    ovs_type OVSTunnel\n    ovs_tunnel_type eoip\n"
                    "    ovs_tunnel_options options:key=5 "
                    "options:remote_ip=\"2001:db8::2\" "
                    "external_ids:comment=\"It\\u0027s\\u0020\\\"A\\\"\" "
                    "options:keepalive=\"10s,3\" options:psk=SECRET\n");
    EXPECT_EQ(export_networkd(port),
              "# e1: a port of bridge br0 is in the database of Open vSwitch, "
              "and there again when the machine starts\n");
    EXPECT_EQ(add_line(port),
              "eoip add bridge br0 name e1 tunnel-id 5 remote 2001:db8::2 "
              "comment 'It'\\''s \"A\"' keepalive 10s,3 psk SECRET\n");
    port.options["keepalive"] = "none";
    EXPECT_EQ(export_routeros(port, "2001:db8::1"),
              secret
                  + "/interface eoipv6 add allow-fast-path=no "
                    "comment=\"It's \\\"A\\\"\" ipsec-secret=SECRET "
                    "!keepalive local-address=2001:db8::2 name=e1 "
                    "remote-address=2001:db8::1 tunnel-id=5\n");
}

}  // namespace
}  // namespace eoip
