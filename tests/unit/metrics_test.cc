// SPDX-License-Identifier: Apache-2.0
//
// Tunnels in the text format of Prometheus.

#include <string>

#include <gtest/gtest.h>

#include "eoip/drops.h"
#include "metrics.h"

namespace eoip {
namespace {

TEST(Metrics, AreThoseOfAllTunnelsTogether)
{
    Tunnel port;
    port.name = "e1";
    port.bridge = "br0";
    port.link_state = "down";
    port.options = {{"key", "5"},
                    {"remote_ip", "192.0.2.2"},
                    {"comment", "To \"Lyon\" \\ 2\nnd"}};
    port.status = {{"state", "silent"},
                   {"ipsec_state", "failed"},
                   {"keepalive_last_heard", "2026-11-29T12:00:01Z"}};
    port.counters = {{"rx_packets", 7}, {"rx_drop_ecn", 3}, {"new_one", 1}};
    Tunnel link;
    link.name = "eoip0";
    link.link_state = "up";
    link.options = {{"key", "6"},
                    {"remote_ip", "2001:db8::2"},
                    {"local_ip", "2001:db8::1"}};
    link.counters = {{"rx_packets", 18446744073709551615ull},
                     {"tx_drop_no_route", 0}};
    const Tunnel all[] = {port, link};
    EXPECT_EQ(
        metrics(all),
        "# HELP eoip_up Whether the tunnel's link is up.\n"
        "# TYPE eoip_up gauge\n"
        "eoip_up{interface=\"e1\",bridge=\"br0\"} 0\n"
        "eoip_up{interface=\"eoip0\",bridge=\"\"} 1\n"
        "# HELP eoip_info What the tunnel is; the value is always 1.\n"
        "# TYPE eoip_info gauge\n"
        "eoip_info{interface=\"e1\",bridge=\"br0\",kind=\"bridge\","
        "remote=\"192.0.2.2\",local=\"\",key=\"5\","
        "comment=\"To \\\"Lyon\\\" \\\\ 2\\nnd\"} 1\n"
        "eoip_info{interface=\"eoip0\",bridge=\"\",kind=\"kernel\","
        "remote=\"2001:db8::2\",local=\"2001:db8::1\",key=\"6\","
        "comment=\"\"} 1\n"
        "# HELP eoip_state How the tunnel is, in the word of its status; the "
        "value is always 1.\n"
        "# TYPE eoip_state gauge\n"
        "eoip_state{interface=\"e1\",bridge=\"br0\",state=\"silent\"} 1\n"
        "# HELP eoip_ipsec_state How the tunnel's IPsec is, in the word of its "
        "status; the value is always 1.\n"
        "# TYPE eoip_ipsec_state gauge\n"
        "eoip_ipsec_state{interface=\"e1\",bridge=\"br0\",state=\"failed\"} "
        "1\n"
        "# HELP eoip_last_heard_timestamp_seconds When the other end was "
        "heard last, in seconds since 1970.\n"
        "# TYPE eoip_last_heard_timestamp_seconds gauge\n"
        "eoip_last_heard_timestamp_seconds{interface=\"e1\",bridge=\"br0\"} "
        "1795953601\n"
        "# HELP eoip_new_one_total What Open vSwitch or the kernel counts as "
        "new_one.\n"
        "# TYPE eoip_new_one_total counter\n"
        "eoip_new_one_total{interface=\"e1\",bridge=\"br0\"} 1\n"
        "# HELP eoip_rx_drop_ecn_total Packets that came and were dropped: "
        "the underlay marked congestion on a frame that cannot carry it.\n"
        "# TYPE eoip_rx_drop_ecn_total counter\n"
        "eoip_rx_drop_ecn_total{interface=\"e1\",bridge=\"br0\"} 3\n"
        "# HELP eoip_rx_packets_total Frames that were received.\n"
        "# TYPE eoip_rx_packets_total counter\n"
        "eoip_rx_packets_total{interface=\"e1\",bridge=\"br0\"} 7\n"
        "eoip_rx_packets_total{interface=\"eoip0\",bridge=\"\"} "
        "18446744073709551615\n"
        "# HELP eoip_tx_drop_no_route_total Frames that were to be sent and "
        "were dropped: the underlay has no route to the remote address.\n"
        "# TYPE eoip_tx_drop_no_route_total counter\n"
        "eoip_tx_drop_no_route_total{interface=\"eoip0\",bridge=\"\"} 0\n");
}

TEST(Metrics, AreLeftOutWhereNothingIsKnown)
{
    EXPECT_EQ(metrics({}), "");
    Tunnel tunnel;
    tunnel.name = "e1";
    tunnel.status = {{"keepalive_last_heard", "yesterday"}};
    const std::string text = metrics({&tunnel, 1});
    EXPECT_EQ(text.find("eoip_state"), std::string::npos);
    EXPECT_EQ(text.find("last_heard"), std::string::npos);
}

TEST(Metrics, OfEveryDropSayWhatItIs)
{
    Tunnel tunnel;
    tunnel.name = "e1";
    for (int drop = 0; drop < EOIP_N_DROPS; drop++) {
        tunnel.counters.push_back(
            {eoip_drop_counter(static_cast<eoip_drop>(drop)), 1});
    }
    const std::string text = metrics({&tunnel, 1});
    for (const Counter &counter : tunnel.counters) {
        EXPECT_NE(text.find("# HELP eoip_" + counter.name + "_total "),
                  std::string::npos);
        EXPECT_NE(text.find(eoip_drop_sentence(counter.name.c_str())),
                  std::string::npos);
    }
    EXPECT_EQ(text.find("counts as"), std::string::npos);
}

}  // namespace
}  // namespace eoip
