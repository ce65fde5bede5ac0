// SPDX-License-Identifier: Apache-2.0
//
// "eoip check" of the way to the peer; for the rest see check_test.cc.

#include <gtest/gtest.h>

#include "made_up_host.h"

namespace eoip {
namespace {

TEST(Check, FindsTheAddressOnAPort)
{
    Facts facts = healthy();
    on_eth0(facts);
    EXPECT_EQ(found(facts),
              "e1: the way to 192.0.2.2 leads through eth0, which is a port "
              "of br-phy: its address must be on br-phy\n"
              "    ip address del 192.0.2.1/24 dev eth0\n"
              "    ip address add 192.0.2.1/24 dev br-phy\n"
              "    ip link set br-phy up\n");
    facts.routes["br0/e1"].gateway = "192.0.2.254";
    facts.routes["br0/e1"].destination = "default";
    EXPECT_NE(found(facts).find(
                  "    ip route replace default via 192.0.2.254 dev br-phy\n"),
              std::string::npos);
    // Of another host, it is known from the database.
    facts.host = false;
    facts.devices.clear();
    facts.routes.clear();
    EXPECT_EQ(found(facts), "nothing wrong found\n");
    facts.ovs.ports[2].status["tunnel_egress_iface"] = "eth0";
    EXPECT_EQ(found(facts),
              "e1: the way to 192.0.2.2 leads through eth0, which is a port "
              "of br-phy: its address must be on br-phy\n");
}

TEST(Check, BelievesTheSwitchOfItsOwnRoutes)
{
    Facts facts = healthy();
    on_eth0(facts);
    facts.switch_routes["br0/e1"] = "br-phy";
    EXPECT_EQ(found(facts), "nothing wrong found\n");
    facts.switch_routes["br0/e1"] = "";
    EXPECT_EQ(found(facts), "e1: there is no route to 192.0.2.2\n");
}

TEST(Check, FindsTheAddressOnAPortOfALinuxBridge)
{
    Facts facts = healthy_link();
    facts.devices["eth0"].master = "br2";
    facts.devices["br2"] = facts.devices["br1"];
    facts.devices["br2"].name = "br2";
    EXPECT_EQ(found(facts),
              "e1: the way to 192.0.2.2 leads through eth0, which is a port "
              "of br2: its address must be on br2\n"
              "    ip address del 192.0.2.1/24 dev eth0\n"
              "    ip address add 192.0.2.1/24 dev br2\n"
              "    ip link set br2 up\n");
}

TEST(Check, FindsAnUnderlayThatIsNoBridge)
{
    Facts facts = healthy();
    on_eth0(facts);
    facts.ovs.ports.erase(facts.ovs.ports.begin() + 3);
    const std::string first =
        "e1: the way to 192.0.2.2 leads through eth0, which is no bridge of "
        "the userspace datapath: no frame can leave there";
    EXPECT_EQ(found(facts),
              first
                  + "\n"
                    "    ovs-vsctl add-br br-eth0 -- set bridge br-eth0 "
                    "datapath_type=netdev -- add-port br-eth0 eth0\n"
                    "    ip address del 192.0.2.1/24 dev eth0\n"
                    "    ip address add 192.0.2.1/24 dev br-eth0\n"
                    "    ip link set br-eth0 up\n");
    // What carries no Ethernet is no port, as wg0 or ppp0.
    facts.devices["eth0"].ethernet = false;
    EXPECT_EQ(found(facts),
              first
                  + "; a tunnel of the kernel goes through any device\n"
                    "    eoip del e1 bridge br0\n"
                    "    eoip add name e1 tunnel-id 5 remote 192.0.2.2\n"
                    "    ip link set e1 up\n"
                    "    ovs-vsctl add-port br0 e1\n");
    // One that the kernel forwards is none of the switch's, either.
    facts = healthy();
    facts.ovs.bridges[0].datapath = "system";
    EXPECT_TRUE(found(facts).starts_with(
        "e1: the way to 192.0.2.2 leads through br-phy, which is no bridge "))
        << found(facts);
}

TEST(Check, FindsATunnelOverItself)
{
    const std::string end =
        ": its packets come back into it; give the underlay a device or "
        "bridge of its own\n";
    Facts facts = healthy();
    facts.routes["br0/e1"].device = "br0";
    EXPECT_EQ(found(facts), "e1: the way to 192.0.2.2 leads through br0, and "
                            "the tunnel is a port of that bridge"
                                + end);
    facts = healthy_link();
    facts.routes["/e1"].device = "br1";
    EXPECT_EQ(found(facts), "e1: the way to 192.0.2.2 leads through br1, and "
                            "the tunnel is a port of that bridge"
                                + end);
    facts.routes["/e1"].device = "e1";
    EXPECT_EQ(found(facts), "e1: the way to 192.0.2.2 leads through e1, the "
                            "tunnel itself"
                                + end);
}

TEST(Check, FindsAddressesOfTheWrongHost)
{
    Facts facts = healthy();
    facts.routes["br0/e1"].local = true;
    EXPECT_EQ(found(facts),
              "e1: its remote 192.0.2.2 is an address of this host\n"
              "    eoip change name e1 remote ADDRESS\n");
    facts = healthy();
    facts.tunnels[0].options["local_ip"] = "203.0.113.9";
    EXPECT_EQ(found(facts),
              "e1: its local address 203.0.113.9 is none of this host's\n"
              "    eoip change name e1 local any\n");
    facts.tunnels[0].options["local_ip"] = "192.0.2.1";
    EXPECT_EQ(found(facts), "nothing wrong found\n");
}

TEST(Check, FindsStrictFiltering)
{
    Facts facts = healthy_link();
    facts.arrivals["/e1"] = "eth1";
    facts.devices["eth1"].rp_filter = 2;
    EXPECT_EQ(found(facts), "nothing wrong found\n");
    facts.devices["eth1"].rp_filter = 1;
    EXPECT_EQ(found(facts),
              "e1: what 192.0.2.2 sends to eth1 is dropped there, as the way "
              "back leads through another device and rp_filter is strict\n"
              "    sysctl net.ipv4.conf.eth1.rp_filter=2\n");
    facts.devices["eth1.7"] = facts.devices["eth1"];
    facts.devices["eth1.7"].name = facts.arrivals["/e1"] = "eth1.7";
    EXPECT_TRUE(
        found(facts).ends_with("sysctl net.ipv4.conf.eth1/7.rp_filter=2\n"))
        << found(facts);
}

TEST(Check, FindsAFirewall)
{
    Facts facts = healthy_link();
    facts.firewalls["/e1"] = {"a rule", "nft ..."};
    EXPECT_EQ(found(facts),
              "e1: the firewall drops its packets: a rule\n    nft ...\n");
}

TEST(Check, FindsFramesThatDoNotFitThePath)
{
    Facts facts = healthy();
    facts.tunnels[0].options["df_default"] = "true";
    EXPECT_EQ(found(facts),
              "e1: frames of 1500 bytes are packets of 1542, which may not be "
              "cut (df_default true), and the path to 192.0.2.2 takes 1500: "
              "allow fragments, or give the hosts an MTU of 1458\n"
              "    eoip change name e1 df_default false\n");
    facts.devices["eth1"].mtu = 1458;
    EXPECT_EQ(found(facts), "nothing wrong found\n");
    facts.routes["br0/e1"].mtu = 1499;
    EXPECT_NE(found(facts).find("takes 1499: "), std::string::npos);
    facts = healthy_link();
    facts.tunnels[0].options["dont_fragment"] = "inherit";
    facts.devices["e1"].mtu = facts.devices["eth1"].mtu =
        facts.devices["br1"].mtu = 1459;
    EXPECT_EQ(found(facts),
              "e1: frames of 1459 bytes are packets of 1501, which may not be "
              "cut (dont_fragment inherit), and the path to 192.0.2.2 takes "
              "1500: allow fragments, or give the hosts an MTU of 1458\n"
              "    eoip change name e1 dont_fragment no\n");
}

TEST(Check, FindsAPathThatIsNarrowerThanTheSwitchKnows)
{
    Facts facts = healthy();
    facts.tunnels[0].options["remote_ip"] = "2001:db8::2";
    EXPECT_EQ(found(facts), "nothing wrong found\n");
    facts.routes["br0/e1"].mtu = 1400;
    EXPECT_EQ(found(facts),
              "e1: the path to 2001:db8::2 takes packets of 1400 bytes, and "
              "the switch cuts them to the 1500 of br-phy\n"
              "    ovs-vsctl set interface br-phy mtu_request=1400\n");
    // Routers cut IPv4.
    facts.tunnels[0].options["remote_ip"] = "192.0.2.2";
    EXPECT_EQ(found(facts), "nothing wrong found\n");
}

TEST(Check, FindsThatFragmentsAreLost)
{
    Facts facts = healthy();
    facts.lost_fragments["192.0.2.2"] = 1542;
    EXPECT_EQ(found(facts),
              "e1: 192.0.2.2 answers a short ping, and none of 1542 bytes in "
              "fragments, as long frames need them: let fragments pass on the "
              "way, or give the hosts an MTU of 1458\n");
    facts.devices["eth1"].mtu = 1458;
    EXPECT_EQ(found(facts), "nothing wrong found\n");
}

TEST(Check, FindsALinkThatIsTooShortForItsBridge)
{
    Facts facts = healthy_link();
    facts.devices["e1"].mtu = 1458;
    EXPECT_EQ(found(facts),
              "e1: has an MTU of 1458, and eth1 of the same bridge br1 one of "
              "1500: the bridge drops longer frames without a count\n"
              "    ip link set e1 mtu 1500\n");
    facts.devices["eth1"].mtu = 1458;
    EXPECT_EQ(found(facts),
              "e1: has an MTU of 1458, and its bridge br1 one of 1500: the "
              "bridge drops longer frames without a count\n"
              "    ip link set e1 mtu 1500\n");
    facts.devices["br1"].mtu = 1458;
    EXPECT_EQ(found(facts), "nothing wrong found\n");
}

}  // namespace
}  // namespace eoip
