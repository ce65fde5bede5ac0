// SPDX-License-Identifier: Apache-2.0
//
// What the command eoip prints of tunnels as text, whole, so that no word and
// no figure changes unseen.  JSON is compared in tests/ovs/command.at, metrics
// in metrics_test.cc, and "eoip check" in check_test.cc and check_path_test.cc.

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "print.h"

namespace eoip {
namespace {

[[nodiscard]] Tunnel link_of_kernel()
{
    Tunnel tunnel;
    tunnel.name = "eoip0";
    tunnel.ifindex = 7;
    tunnel.link_state = "up";
    tunnel.state = "unwatched";
    tunnel.options = {{"key", "1234"},
                      {"local_ip", "203.0.113.50"},
                      {"remote_ip", "198.51.100.11"},
                      {"ttl", "inherit"},
                      {"tos", "0"},
                      {"keepalive", "none"}};
    return tunnel;
}

[[nodiscard]] Tunnel port_of_bridge()
{
    Tunnel tunnel;
    tunnel.name = "e1";
    tunnel.bridge = "br0";
    tunnel.link_state = "up";
    tunnel.state = "up";
    tunnel.options = {{"remote_ip", "192.0.2.2"}, {"in_key", "5"}};
    return tunnel;
}

// A host with a tunnel of every kind.
[[nodiscard]] std::vector<Tunnel> host()
{
    Tunnel link = link_of_kernel();
    link.counters = {{"rx_packets", 0},
                     {"rx_bytes", 1000},
                     {"tx_bytes", 5000},
                     {"rx_drop_ip_options", 2},
                     {"rx_drop_frame_too_short", 0},
                     {"tx_drop_no_route", 3}};
    Tunnel up = port_of_bridge();
    up.heard_s = 119;
    up.options["comment"] = "branch, first floor";
    up.counters = {{"rx_bytes", 1234567},
                   {"tx_bytes", 999},
                   {"rx_drop_ecn", 1},
                   {"rx_drop_martian", 2}};
    Tunnel learner = port_of_bridge();
    learner.name = "e2";
    learner.state = "learning";
    learner.reason = "nobody has spoken yet";
    learner.options = {{"remote_ip", "learn"}, {"key", "6"}};
    learner.status = {{"learned_peer", "none"}};
    Tunnel silent = port_of_bridge();
    silent.name = "e3";
    silent.state = "silent";
    silent.link_state = "down";
    silent.heard_s = 200000;
    silent.options = {{"remote_ip", "site.example"}, {"key", "7"}};
    silent.status = {{"remote_address", "192.0.2.9"}};
    Tunnel refused = port_of_bridge();
    refused.name = "e4";
    refused.state = "no-datapath";
    refused.link_state = "error";
    refused.error = "e4: key=99999 is out of range";
    refused.options = {{"remote_ip", "2001:db8::2"}, {"key", "99999"}};
    Tunnel lost = port_of_bridge();
    lost.name = "e5";
    lost.bridge = "br1";
    lost.state = "no-route";
    lost.reason = "there is no route to 203.0.113.9";
    lost.link_state = "down";
    lost.options = {{"remote_ip", "203.0.113.9"}, {"key", "8"}};
    return {link, up, learner, silent, refused, lost};
}

TEST(CommandOutput, LegacyLinesAreThoseOfTheOlderTool)
{
    EXPECT_EQ(legacy_line(link_of_kernel()),
              "7: eoip0@0: link/eoip 203.0.113.50 remote 198.51.100.11 "
              "tunnel-id 1234 ttl 0 tos 0 keepalive none\n");
    Tunnel other = link_of_kernel();
    other.options = {{"key", "5"},       {"remote_ip", "2001:db8::2"},
                     {"link", "3"},      {"ttl", "64"},
                     {"tos", "inherit"}, {"keepalive", "10,3"}};
    EXPECT_EQ(legacy_line(other),
              "7: eoip0@3: link/eoipv6 :: remote 2001:db8::2 "
              "tunnel-id 5 ttl 64 tos 1 keepalive 10,3\n");
    other.options = {
        {"key", "0"}, {"remote_ip", "192.0.2.2"}, {"keepalive", "none"}};
    EXPECT_EQ(legacy_line(other), "7: eoip0@0: link/eoip 0.0.0.0 remote "
                                  "192.0.2.2 tunnel-id 0 ttl 64 tos 0 "
                                  "keepalive none\n");
}

TEST(CommandOutput, OneTableHasAllTunnels)
{
    EXPECT_EQ(table(host(), false), R"(NAME   WHERE   REMOTE                    ID     STATE        HEARD  RX    TX    DROPS  COMMENT
eoip0  kernel  198.51.100.11             1234   unwatched    -      1.0k  5.0k  5
e1     br0     192.0.2.2                 5/0    up           119 s  1.2M  999   3      branch, first floor
e2     br0     learn (nobody yet)        6      learning     -      0     0     0
e3     br0     site.example (192.0.2.9)  7      silent       2 d    0     0     0
e4     br0     2001:db8::2               99999  no-datapath  -      0     0     0
e5     br1     203.0.113.9               8      no-route     -      0     0     0
)");
    EXPECT_EQ(table({}, false), "");
}

// What passes in a second; nothing is said of what is new or has begun anew.
TEST(CommandOutput, TheTableHasRates)
{
    std::vector<Tunnel> now = host();
    now.resize(3);
    std::vector<Tunnel> before = now;
    before.pop_back();
    now[0].counters[1].value += 100000;
    now[0].counters[2].value -= 1;
    EXPECT_EQ(table(now, false, before, 2), R"(NAME   WHERE   REMOTE              ID    STATE      HEARD  RX/s   TX/s  DROPS  COMMENT
eoip0  kernel  198.51.100.11       1234  unwatched  -      50.0k  -     5
e1     br0     192.0.2.2           5/0   up         119 s  0      0     3      branch, first floor
e2     br0     learn (nobody yet)  6     learning   -      -      -     0
)");
}

// Only states have a colour, and the columns stand as without.
TEST(CommandOutput, StatesHaveColours)
{
    std::vector<Tunnel> all = host();
    all[0].state = "off";
    all[4].state = "waiting";
    all[5].state = "unwatched";
    std::string text = table(all, true);
    for (std::size_t at; (at = text.find('\033')) != text.npos;) {
        text.replace(at, 1, "ESC");
    }
    EXPECT_EQ(text, R"(NAME   WHERE   REMOTE                    ID     STATE      HEARD  RX    TX    DROPS  COMMENT
eoip0  kernel  198.51.100.11             1234   off        -      1.0k  5.0k  5
e1     br0     192.0.2.2                 5/0    ESC[32mupESC[0m         119 s  1.2M  999   3      branch, first floor
e2     br0     learn (nobody yet)        6      ESC[33mlearningESC[0m   -      0     0     0
e3     br0     site.example (192.0.2.9)  7      ESC[31msilentESC[0m     2 d    0     0     0
e4     br0     2001:db8::2               99999  ESC[33mwaitingESC[0m    -      0     0     0
e5     br1     203.0.113.9               8      unwatched  -      0     0     0
)");
}

TEST(CommandOutput, NumbersAndAgesAreForPeople)
{
    Tunnel port = port_of_bridge();
    const auto shows = [&port](std::uint64_t bytes, const char *text) {
        port.counters = {{"rx_bytes", bytes}};
        const std::string line = table({&port, 1}, false);
        return line.find(std::string("  ") + text + "  ") != std::string::npos;
    };
    EXPECT_TRUE(shows(999, "999"));
    EXPECT_TRUE(shows(1000, "1.0k"));
    EXPECT_TRUE(shows(99900, "99.9k"));
    EXPECT_TRUE(shows(100000, "100k"));
    EXPECT_TRUE(shows(999600, "1.0M"));
    EXPECT_TRUE(shows(18000000000000000000U, "18.0E"));
    const auto heard = [&port](std::uint64_t seconds) {
        port.heard_s = seconds;
        const std::string text = everything(port);
        const auto at = text.find("heard: ");
        return text.substr(at + 7, text.find('\n', at) - at - 7);
    };
    EXPECT_EQ(heard(119), "119 s ago");
    EXPECT_EQ(heard(120), "2 min ago");
    EXPECT_EQ(heard(7199), "119 min ago");
    EXPECT_EQ(heard(7200), "2 h ago");
    EXPECT_EQ(heard(172800), "2 d ago");
}

TEST(CommandOutput, EverythingIsAllThatIsKnown)
{
    std::string text;
    for (const Tunnel &tunnel : host()) {
        text += everything(tunnel) + "\n";
    }
    EXPECT_EQ(text, R"(name: eoip0
ifindex: 7
state: unwatched
link-state: up
tunnel-id: 1234
remote: 198.51.100.11
keepalive: none
local: 203.0.113.50
tos: 0
ttl: inherit
heard: never
  rx_packets: 0
  rx_bytes: 1000
  tx_bytes: 5000
  rx_drop_ip_options: 2 (the outer IP header carries options or extension headers)
  tx_drop_no_route: 3 (the underlay has no route to the remote address)

name: e1
bridge: br0
state: up
link-state: up
tunnel-id: 5/0
remote: 192.0.2.2
comment: branch, first floor
in_key: 5
heard: 119 s ago
  rx_bytes: 1234567
  tx_bytes: 999
  rx_drop_ecn: 1 (the underlay marked congestion on a frame that cannot carry it)
  rx_drop_martian: 2 (the source is no other host's: loopback, multicast, or our own)

name: e2
bridge: br0
state: learning
reason: nobody has spoken yet
link-state: up
tunnel-id: 6
remote: learn (nobody yet)
heard: never

name: e3
bridge: br0
state: silent
link-state: down
tunnel-id: 7
remote: site.example (192.0.2.9)
heard: 2 d ago

name: e4
bridge: br0
state: no-datapath
link-state: error
error: e4: key=99999 is out of range
tunnel-id: 99999
remote: 2001:db8::2
heard: never

name: e5
bridge: br1
state: no-route
reason: there is no route to 203.0.113.9
link-state: down
tunnel-id: 8
remote: 203.0.113.9
heard: never

)");
}

TEST(CommandOutput, DetailsAndDifferencesUseTheUsersWords)
{
    const Tunnel before = link_of_kernel();
    EXPECT_EQ(details(before), "name: eoip0\nifindex: 7\nstate: unwatched\n"
                               "link-state: up\n"
                               "tunnel-id: 1234\nremote: 198.51.100.11\n"
                               "keepalive: none\nlocal: 203.0.113.50\n"
                               "tos: 0\nttl: inherit\n");
    Tunnel now = before;
    EXPECT_EQ(difference(before, now), "");
    now.link_state = "down";
    now.options.erase("local_ip");
    now.options["ttl"] = "9";
    EXPECT_EQ(difference(before, now),
              "link-state up -> down, local 203.0.113.50 -> none, "
              "ttl inherit -> 9");
}

TEST(CommandOutput, CountersBeginWithTheName)
{
    EXPECT_EQ(counters(host()[1]),
              R"(e1
  rx_bytes: 1234567
  tx_bytes: 999
  rx_drop_ecn: 1 (the underlay marked congestion on a frame that cannot carry it)
  rx_drop_martian: 2 (the source is no other host's: loopback, multicast, or our own)
)");
}

}  // namespace
}  // namespace eoip
