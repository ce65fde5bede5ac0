// SPDX-License-Identifier: Apache-2.0
//
// What "eoip check" knows: the tunnels, the switch as its database has it, and
// the devices and routes of this host.
//
// Plain data, gathered by check.cc and judged by the checks, which look at
// nothing else: so a test can make up a host.

#ifndef EOIP_UTILITIES_FACTS_H
#define EOIP_UTILITIES_FACTS_H

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tunnel.h"

namespace eoip {

struct HostAddress {
    std::string text;
    int prefix_bits = 0;
};

// A network device of this host.
struct Device {
    std::string name;
    int ifindex = 0;
    std::string kind;    // As "ip -d link" says: "veth"; "": a card.
    std::string master;  // The device that it is a port of, or "".
    bool ethernet = false;
    bool up = false;
    bool carrier = false;
    int mtu = 0;
    int rp_filter = 0;           // Of IPv4, with what holds for all devices.
    bool spanning_tree = false;  // Of a Linux bridge.
    bool gro = false;
    bool lro = false;
    // What is behind the device leaves checksums to it: a guest, or the other
    // end of a veth; then also what to run to end that, "" if it is the
    // guest's affair.
    bool lacks_checksums = false;
    std::string checksum_command;
    std::vector<HostAddress> addresses;
};

// Where the kernel sends a packet to the peer of a tunnel.
struct Route {
    std::string device;       // Empty: there is no route.
    std::string gateway;      // Empty: the peer is a neighbour.
    std::string destination;  // What the gateway is for: "default".
    std::string source;
    int mtu = 0;         // Of the path, as far as the kernel knows.
    bool local = false;  // The peer is this host.
};

// An interface of the switch.
struct Port {
    std::string name;
    std::string type;  // "" and "system" are devices of the host.
    std::string bridge;
    std::string bond;   // The port that it is a part of; mostly its own name.
    std::string vlans;  // Its tag and trunks as text; "" are all.
    std::map<std::string, std::string, std::less<>> status;

    [[nodiscard]] bool is_device() const
    {
        return type.empty() || type == "system";
    }
};

struct Bridge {
    std::string name;
    std::string datapath;  // "system" or "netdev", or another in tests.
    bool spanning_tree = false;
    // Rules of OpenFlow decide what is flooded: by a controller or fail_mode.
    bool controlled = false;
};

// What its database says of Open vSwitch.
struct Switch {
    bool present = false;
    bool stopped = false;         // Its ovs-vswitchd does not run.
    bool has_eoip = false;        // The switch that runs knows the type.
    bool takes_segments = false;  // Longer frames: userspace-tso-enable.
    std::vector<Bridge> bridges;
    std::vector<Port> ports;
};

// How the firewall lets a tunnel's packets in.
struct Firewall {
    // The rule that drops what conntrack calls invalid, in words of nft or
    // iptables; empty if there is none that surely does.
    std::string rule;
    std::string command;
};

struct Facts {
    std::vector<Tunnel> tunnels;  // To be checked.
    std::vector<Tunnel> others;   // Of the same host, and not asked for.
    Switch ovs;
    bool host = false;      // The rest is known: the switch is on this host.
    bool packaged = false;  // The package with our ovs-vswitchd is installed.
    bool module = false;    // The kernel has a module eoip.
    std::map<std::string, Device, std::less<>> devices;
    std::map<std::string, Route> routes;  // By key_of().
    // The device that the switch itself takes, "" without a route; by
    // key_of().
    std::map<std::string, std::string> switch_routes;
    std::map<std::string, Firewall> firewalls;  // By key_of().
    // Where the peer's packets come in, if the way back leads elsewhere; by
    // key_of().
    std::map<std::string, std::string> arrivals;
    // Peers that answer in one piece, and not what is as long as this, in
    // fragments.
    std::map<std::string, int> lost_fragments;
    std::vector<std::string> warnings;  // Of versions.h.

    [[nodiscard]] const Device *device(std::string_view name) const;
    [[nodiscard]] const Bridge *bridge(std::string_view name) const;
    // The interface of the switch that has this name.
    [[nodiscard]] const Port *port(std::string_view name) const;
    [[nodiscard]] const Route *route(const Tunnel &tunnel) const;
};

// Two tunnels, one in the kernel and one on a bridge, may have one name.
[[nodiscard]] std::string key_of(const Tunnel &tunnel);

// The peer's address, given, resolved or learned; "" if there is none.
[[nodiscard]] std::string peer_of(const Facts &facts, const Tunnel &tunnel);

// The address that packets are sent from, as the user chose it; "" if he did
// not, or it is not known.
[[nodiscard]] std::string local_of(const Facts &facts, const Tunnel &tunnel);

// A word of the status column of the tunnel's interface, or "".
[[nodiscard]] std::string status_of(const Facts &facts, const Tunnel &tunnel,
                                    std::string_view word);

// Whether the kernel routes, filters and cuts the tunnel's packets.
[[nodiscard]] bool kernel_sends(const Facts &facts, const Tunnel &tunnel);

// Whether ovs-vswitchd itself does.
[[nodiscard]] bool switch_sends(const Facts &facts, const Tunnel &tunnel);

}  // namespace eoip

#endif  // EOIP_UTILITIES_FACTS_H
