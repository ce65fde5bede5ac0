// SPDX-License-Identifier: Apache-2.0
//
// "eoip check" of made-up hosts, and every word that is said of them.  That
// the facts are found is tested in tests/system and tests/kmod, with the
// faults really there.

#include <gtest/gtest.h>

#include "made_up_host.h"

namespace eoip {
namespace {

TEST(Check, SaysInOneLineThatNothingIsWrong)
{
    EXPECT_EQ(found(healthy()), "nothing wrong found\n");
    EXPECT_EQ(found(healthy_link()), "nothing wrong found\n");
    EXPECT_EQ(found({}), "nothing wrong found\n");
}

TEST(Check, FindsPortsAndCardsThatAreDown)
{
    Facts facts = healthy();
    facts.devices["eth1"].up = facts.devices["eth1"].carrier = false;
    EXPECT_EQ(found(facts), "eth1: is a port of br0, and is down\n"
                            "    ip link set eth1 up\n");
    facts = healthy();
    facts.devices["eth0"].carrier = false;
    EXPECT_EQ(found(facts), "eth0: has no carrier: its cable, or what is at "
                            "the other end of it, is off\n");
    facts = healthy_link();
    facts.devices["eth0"].carrier = false;
    EXPECT_EQ(found(facts), "eth0: has no carrier: its cable, or what is at "
                            "the other end of it, is off\n");
    facts = healthy();
    facts.devices["br-phy"].up = false;
    facts.routes["br0/e1"] = {};
    EXPECT_EQ(found(facts), "br-phy: is down, and has the address in the "
                            "network of 192.0.2.2, the peer of e1\n"
                            "    ip link set br-phy up\n");
    // A bridge that no tunnel has to do with is none of our affair.
    facts = healthy();
    facts.ovs.bridges.push_back({"br1", "netdev", false, false});
    facts.ovs.ports.push_back({"eth2", "", "br1", "eth2", "", {}});
    facts.devices["eth2"] = facts.devices["eth1"];
    facts.devices["eth2"].name = "eth2";
    facts.devices["eth2"].up = false;
    EXPECT_EQ(found(facts), "nothing wrong found\n");
}

TEST(Check, FindsWhatJoinsPackets)
{
    Facts facts = healthy();
    const auto sentence = [](const std::string &what) {
        return "eth1: is a port of br0 and joins packets that come in (" + what
               + "): the userspace datapath drops what is longer than the "
                 "MTU, and TCP stalls\n    ethtool -K eth1";
    };
    facts.devices["eth1"].gro = true;
    facts.devices["eth1"].kind = "tun";
    EXPECT_EQ(found(facts), "nothing wrong found\n");
    facts.devices["eth1"].kind = "";
    EXPECT_EQ(found(facts), sentence("GRO") + " gro off\n");
    facts.devices["eth1"].lro = true;
    EXPECT_EQ(found(facts), sentence("GRO, LRO") + " gro off lro off\n");
    facts.devices["eth1"].gro = false;
    EXPECT_EQ(found(facts), sentence("LRO") + " lro off\n");
    facts.ovs.takes_segments = true;
    EXPECT_EQ(found(facts), "nothing wrong found\n");
    facts.ovs.takes_segments = false;
    facts.ovs.bridges[1].datapath = "system";
    facts.module = true;
    EXPECT_EQ(found(facts), "nothing wrong found\n");
}

TEST(Check, FindsWhatLeavesChecksumsOut)
{
    Facts facts = healthy();
    const std::string sentence =
        "eth1: is a port of br0, and what is behind it leaves checksums and "
        "segmentation to it: the userspace datapath does neither, and TCP "
        "fails";
    facts.devices["eth1"].lacks_checksums = true;
    EXPECT_EQ(found(facts), sentence
                                + "; run this in the guest\n"
                                  "    ethtool -K CARD tx off\n");
    facts.devices["eth1"].checksum_command =
        "ip netns exec blue ethtool -K eth0 tx off";
    EXPECT_EQ(found(facts),
              sentence + "\n    ip netns exec blue ethtool -K eth0 tx off\n");
}

TEST(Check, FindsAnotherSwitch)
{
    Facts facts = healthy();
    const std::string sentence =
        "the ovs-vswitchd that runs knows no interfaces of type eoip: it is "
        "another than that of the package openvswitch-switch-eoip\n";
    facts.ovs.has_eoip = false;
    EXPECT_EQ(found(facts),
              sentence
                  + "    apt install openvswitch-switch-eoip\n"
                    "    systemctl restart openvswitch-switch\n");
    facts.packaged = true;
    facts.tunnels.clear();
    EXPECT_EQ(found(facts),
              sentence
                  + "    update-alternatives --config ovs-vswitchd\n"
                    "    systemctl restart openvswitch-switch\n");
    facts.packaged = false;
    EXPECT_EQ(found(facts), "nothing wrong found\n");
    facts = healthy();
    facts.ovs.stopped = true;
    EXPECT_EQ(found(facts), "Open vSwitch does not run: there is a database "
                            "with tunnels, and no ovs-vswitchd that makes "
                            "them\n"
                            "    systemctl start openvswitch-switch\n");
}

TEST(Check, FindsThatTheModuleIsMissing)
{
    Facts facts = healthy();
    facts.ovs.bridges[1].datapath = "system";
    EXPECT_EQ(found(facts), "the kernel has no module eoip, and tunnels on "
                            "br0, a bridge of its datapath, need it\n"
                            "    apt install openvswitch-eoip-dkms\n"
                            "    modprobe eoip\n");
    facts.warnings = {"the installed module eoip is not signed"};
    EXPECT_EQ(found(facts), "the installed module eoip is not signed\n");
    facts.warnings.clear();
    facts.module = true;
    EXPECT_EQ(found(facts), "nothing wrong found\n");
}

TEST(Check, FindsLoops)
{
    Facts facts = healthy();
    Tunnel second = facts.tunnels[0];
    second.name = "e2";
    second.options["key"] = "6";
    facts.ovs.ports.push_back({"e2", "eoip", "br0", "e2", "", {}});
    facts.routes["br0/e2"] = facts.routes["br0/e1"];
    facts.tunnels.push_back(second);
    const std::string loop =
        "br0: e1 and e2 lead to 192.0.2.2, and no spanning tree breaks "
        "the loop if they end in one bridge there\n"
        "    ovs-vsctl set bridge br0 rstp_enable=true\n";
    EXPECT_EQ(found(facts), loop);
    Facts many = facts;
    for (const char *name : {"e3", "e4"}) {
        many.tunnels.push_back(second);
        many.tunnels.back().name = name;
        many.ovs.ports.push_back({name, "eoip", "br0", name, "", {}});
    }
    EXPECT_TRUE(found(many).starts_with("br0: e1, e2, e3 and e4 lead to "))
        << found(many);
    many.tunnels.push_back(second);
    many.tunnels.back().name = "e5";
    many.ovs.ports.push_back({"e5", "eoip", "br0", "e5", "", {}});
    EXPECT_TRUE(found(many).starts_with("br0: e1, e2, e3 and 2 more lead to "))
        << found(many);
    // Also with the one alone that was asked for.
    facts.others = {facts.tunnels[1]};
    facts.tunnels.pop_back();
    EXPECT_EQ(found(facts), loop);
    // In VLANs of their own, as members of a bond, under a spanning tree or
    // rules of OpenFlow there is none.
    for (const auto &mend :
         {+[](Facts &f) { f.ovs.ports[5].vlans = "tag 7"; },
          +[](Facts &f) { f.ovs.ports[5].bond = "e1"; },
          +[](Facts &f) { f.ovs.bridges[1].spanning_tree = true; },
          +[](Facts &f) { f.ovs.bridges[1].controlled = true; },
          +[](Facts &f) { f.others[0].options["remote_ip"] = "192.0.2.3"; }}) {
        Facts mended = facts;
        mend(mended);
        EXPECT_EQ(found(mended), "nothing wrong found\n");
    }
}

TEST(Check, FindsLoopsOfLinuxBridges)
{
    Facts facts = healthy_link();
    facts.tunnels.push_back(facts.tunnels[0]);
    facts.tunnels[1].name = "e2";
    facts.routes["/e2"] = facts.routes["/e1"];
    facts.devices["e2"] = facts.devices["e1"];
    facts.devices["e2"].name = "e2";
    EXPECT_EQ(found(facts),
              "br1: e1 and e2 lead to 192.0.2.2, and no spanning tree "
              "breaks the loop if they end in one bridge there\n"
              "    ip link set br1 type bridge stp_state 1\n");
    facts.devices["br1"].spanning_tree = true;
    EXPECT_EQ(found(facts), "nothing wrong found\n");
}

TEST(Check, FindsOneKeyInTwoPlaces)
{
    Facts facts = healthy();
    Facts other = healthy_link();
    facts.devices.insert(other.devices.begin(), other.devices.end());
    facts.tunnels.push_back(other.tunnels[0]);
    facts.tunnels[1].name = "eoip0";
    const std::string sentence =
        "eoip0: this link of the kernel and port e1 of bridge br0 both have "
        "remote 192.0.2.2 and tunnel-id 5: remove one of them\n"
        "    eoip del eoip0\n"
        "    eoip del e1 bridge br0\n";
    EXPECT_EQ(found(facts), sentence);
    facts.others = {facts.tunnels[1]};
    facts.tunnels.pop_back();
    EXPECT_EQ(found(facts), sentence);
    facts.others[0].options["key"] = "6";
    EXPECT_EQ(found(facts), "nothing wrong found\n");
}

TEST(Check, FindsKeepalivesOfOneSideAlone)
{
    Facts facts = healthy();
    facts.tunnels[0].options["keepalive"] = "none";
    facts.tunnels[0].counters = {{"rx_packets", 9}, {"rx_keepalives", 0}};
    EXPECT_EQ(found(facts), "nothing wrong found\n");
    facts.tunnels[0].counters[1].value = 3;
    EXPECT_EQ(found(facts),
              "e1: the peer sends keepalives and gets none: a router that "
              "waits for them takes its side down\n"
              "    eoip change name e1 keepalive 10,0\n");
    facts.tunnels[0].counters[1].value = 0;
    facts.tunnels[0].options["keepalive"] = "10,3";
    EXPECT_EQ(found(facts), "nothing wrong found\n");
    facts.ovs.ports[2].status = {{"state", "silent"},
                                 {"reason", "not heard for 40 s"}};
    EXPECT_EQ(found(facts),
              "e1: silent: not heard for 40 s\n"
              "e1: frames have come and never a keepalive: the peer sends "
              "none, so that the tunnel is down whenever it is idle\n"
              "    eoip change name e1 keepalive 10,0\n");
}

TEST(Check, SaysTheStateOfEachTunnelThatIsNotWell)
{
    Facts facts = healthy();
    auto &status = facts.ovs.ports[2].status;
    for (const char *fine : {"up", "waiting", "unwatched", "learning"}) {
        status["state"] = fine;
        EXPECT_EQ(found(facts), "nothing wrong found\n") << fine;
    }
    status["state"] = "no-neighbour";
    status["reason"] = "192.0.2.2 does not answer";
    EXPECT_EQ(found(facts), "e1: no-neighbour: 192.0.2.2 does not answer\n");
    // The check that knows what mends it comes instead.
    on_eth0(facts);
    status["state"] = "not-a-port";
    EXPECT_EQ(found(facts).find("not-a-port"), std::string::npos);
    facts = healthy();
    facts.ovs.ports[2].status = {{"keepalive_state", "down"}};
    EXPECT_EQ(found(facts), "e1: silent: the peer was not heard within the "
                            "time that keepalive gives it\n");
    facts = healthy();
    facts.tunnels[0].error = "e1: key=99999 is out of range";
    EXPECT_EQ(found(facts), "e1: key=99999 is out of range\n");
    facts = healthy_link();
    facts.tunnels[0].state = "off";
    EXPECT_EQ(found(facts), "e1: the link is set down\n"
                            "    ip link set e1 up\n");
}

TEST(Check, SaysWhyNothingIsEncrypted)
{
    Facts facts = healthy();
    auto &status = facts.ovs.ports[2].status;
    for (const char *fine : {"off", "up"}) {
        status["ipsec_state"] = fine;
        EXPECT_EQ(found(facts), "nothing wrong found\n") << fine;
    }
    status["ipsec_state"] = "no-daemon";
    EXPECT_EQ(found(facts),
              "e1: nobody negotiates keys for its psk, so that nothing passes: "
              "install the package openvswitch-eoip-ipsec, and see whether its "
              "daemon runs\n");
    status["ipsec_state"] = "negotiating";
    EXPECT_EQ(found(facts), "e1: its peer has not agreed on keys, so that "
                            "nothing passes\n");
    status["ipsec_state"] = "failed";
    status["ipsec_reason"] = "the peer has another secret";
    EXPECT_EQ(found(facts),
              "e1: its peer has not agreed on keys, so that nothing passes: "
              "the peer has another secret\n");
}

}  // namespace
}  // namespace eoip
