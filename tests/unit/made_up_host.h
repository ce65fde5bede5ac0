// SPDX-License-Identifier: Apache-2.0
//
// Made-up hosts for "eoip check", and what it says of them.

#ifndef EOIP_TESTS_MADE_UP_HOST_H
#define EOIP_TESTS_MADE_UP_HOST_H

#include <string>

#include "checks.h"

namespace eoip {

// A host on the userspace datapath with nothing wrong:
//
//     eth1 -- [br0 e1]   [br-phy eth0] -- 192.0.2.2
inline Facts healthy()
{
    Facts facts;
    Tunnel tunnel;
    tunnel.name = "e1";
    tunnel.bridge = "br0";
    tunnel.link_state = "up";
    tunnel.options = {{"key", "5"}, {"remote_ip", "192.0.2.2"}};
    facts.tunnels = {tunnel};
    facts.host = true;
    facts.ovs.present = facts.ovs.has_eoip = true;
    facts.ovs.bridges = {{"br-phy", "netdev", false, false},
                         {"br0", "netdev", false, false}};
    facts.ovs.ports = {{"br-phy", "internal", "br-phy", "br-phy", "", {}},
                       {"br0", "internal", "br0", "br0", "", {}},
                       {"e1", "eoip", "br0", "e1", "", {}},
                       {"eth0", "", "br-phy", "eth0", "", {}},
                       {"eth1", "system", "br0", "eth1", "", {}}};
    for (const char *name : {"br-phy", "br0", "eth0", "eth1"}) {
        Device &device = facts.devices[name];
        device.name = name;
        device.ethernet = device.up = device.carrier = true;
        device.mtu = 1500;
    }
    facts.devices["br-phy"].addresses = {{"192.0.2.1", 24}};
    facts.routes["br0/e1"] = {"br-phy", "", "", "192.0.2.1", 0, false};
    return facts;
}

// The same host without Open vSwitch: its tunnel is a link of the kernel.
//
//     eth1 -- [br1 e1]    eth0 -- 192.0.2.2
inline Facts healthy_link()
{
    Facts facts = healthy();
    facts.ovs = {};
    facts.devices.erase("br-phy");
    facts.devices.erase("br0");
    facts.devices["eth0"].addresses = {{"192.0.2.1", 24}};
    facts.devices["eth1"].master = "br1";
    facts.devices["e1"] = facts.devices["br1"] = facts.devices["eth1"];
    facts.devices["e1"].name = "e1";
    facts.devices["br1"].name = "br1";
    facts.devices["br1"].kind = "bridge";
    facts.devices["br1"].master = "";
    facts.module = true;
    facts.tunnels[0].bridge = "";
    facts.routes["/e1"] = {"eth0", "", "", "192.0.2.1", 0, false};
    return facts;
}

inline std::string found(const Facts &facts)
{
    return findings_text(find_faults(facts));
}

inline Device &on_eth0(Facts &facts)
{
    Device &device = facts.devices["eth0"];
    device.addresses = {{"192.0.2.1", 24}, {"fe80::1", 64}};
    facts.devices["br-phy"].addresses.clear();
    facts.routes["br0/e1"] = {"eth0", "", "", "192.0.2.1", 0, false};
    return device;
}

}  // namespace eoip

#endif  // EOIP_TESTS_MADE_UP_HOST_H
