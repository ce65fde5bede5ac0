// SPDX-License-Identifier: Apache-2.0
//
// Tells the kernel which ports of its datapath clamp the MSS of TCP.
//
// They share one device, which clamps for all of them unless it has rules: one
// for each port, once there is a port with clamp_tcp_mss=false.  What the
// device was told is kept here, so that only changes are sent.  Main thread.

// OVS's findings first: they say which of the kernel's headers it adds to.
#include <config.h>

#include "clamping.h"

#include <compare>
#include <map>
#include <optional>
#include <span>

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include "util.h"
extern "C" {
#include "netlink-socket.h"
#include "netlink.h"
#include "openvswitch/ofpbuf.h"
}
#include "log.h"

namespace eoip {

namespace {

// The packets of one port; what is missing may be anything.
struct Packets {
    std::optional<std::uint16_t> key;
    std::optional<Address> remote;
    std::optional<Address> local;

    auto operator<=>(const Packets &) const = default;
};

// Whether they are clamped.
using Rules = std::map<Packets, bool>;

Packets packets_of(const eoip_match &match)
{
    Packets packets;

    if (!match.key_flow) {
        packets.key = match.key;
    }
    if (!match.remote_flow) {
        packets.remote = to_address(match.remote);
    }
    if (to_address(match.local) != Address{}) {
        packets.local = to_address(match.local);
    }
    return packets;
}

// None where all ports do what the device does by itself.
Rules rules_for(std::span<const eoip_kernel_port> ports)
{
    Rules rules;
    bool needed = false;

    for (const eoip_kernel_port &port : ports) {
        const bool clamp = eoip_tunnel_clamps_mss(port.tunnel);

        if (!eoip_tunnel_is_resolved(port.tunnel)) {
            continue;  // It has no packets.
        }
        needed |= !clamp;
        // A port with local_ip=flow gets what one for any address leaves.
        if (port.match.local_flow) {
            rules.emplace(packets_of(port.match), clamp);
        } else {
            rules[packets_of(port.match)] = clamp;
        }
    }
    return needed ? rules : Rules{};
}

void put_address(ofpbuf *request, std::uint16_t type, const Address &address)
{
    const std::size_t skip = address.is_ipv4() ? 12 : 0;

    nl_msg_put_unspec(request, type, address.bytes.data() + skip,
                      address.bytes.size() - skip);
}

void put_rule(ofpbuf *request, const Packets &packets,
              std::optional<bool> clamp)
{
    const std::size_t rule =
        nl_msg_start_nested(request, IFLA_EOIP_MSS_RULE | NLA_F_NESTED);

    if (packets.key) {
        nl_msg_put_u32(request, IFLA_EOIP_ID, *packets.key);
    }
    if (packets.local) {
        put_address(request, IFLA_EOIP_LOCAL, *packets.local);
    }
    if (packets.remote) {
        put_address(request, IFLA_EOIP_REMOTE, *packets.remote);
    }
    if (clamp) {
        nl_msg_put_u8(request, IFLA_EOIP_CLAMP_MSS, *clamp);
    }
    nl_msg_end_nested(request, rule);
}

// Makes a rule of the device, or without 'clamp' unmakes it.  Returns 0 or an
// errno.
int send_rule(unsigned int ifindex, const Packets &packets,
              std::optional<bool> clamp)
{
    ofpbuf request;
    ofpbuf_init(&request, 0);

    nl_msg_put_nlmsghdr(&request, 0, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK);
    ifinfomsg link{};
    link.ifi_index = static_cast<int>(ifindex);
    ofpbuf_put(&request, &link, sizeof link);
    const std::size_t info = nl_msg_start_nested(&request, IFLA_LINKINFO);
    nl_msg_put_string(&request, IFLA_INFO_KIND, "eoip");
    const std::size_t data = nl_msg_start_nested(&request, IFLA_INFO_DATA);
    put_rule(&request, packets, clamp);
    nl_msg_end_nested(&request, data);
    nl_msg_end_nested(&request, info);

    const int error = nl_transact(NETLINK_ROUTE, &request, nullptr);
    ofpbuf_uninit(&request);
    return error;
}

void warn(int error)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 1);
    VLOG_WARN_RL(&rl,
                 "clamp_tcp_mss=false does not reach the kernel (%s): "
                 "its module eoip may be older than this ovs-vswitchd",
                 ovs_strerror(error));
}

// Makes 'known' what 'wanted' is, as far as the kernel lets us.
void change_rules(unsigned int ifindex, const Rules &wanted, Rules *known)
{
    int error = 0;
    auto send = [&](const Packets &packets, std::optional<bool> clamp) {
        const int failed = send_rule(ifindex, packets, clamp);
        error = failed ? failed : error;
        return !failed;
    };

    std::erase_if(*known, [&](const auto &rule) {
        return !wanted.contains(rule.first) && send(rule.first, {});
    });
    for (const auto &[packets, clamp] : wanted) {
        const auto old = known->find(packets);
        if ((old == known->end() || old->second != clamp)
            && send(packets, clamp)) {
            (*known)[packets] = clamp;
        }
    }
    if (error) {
        warn(error);
    }
}

}  // namespace

}  // namespace eoip

void eoip_clamping_update(const eoip_kernel_port *ports, size_t n,
                          const char *device)
{
    static eoip::Rules known;
    static unsigned int known_device;
    const eoip::Rules wanted = eoip::rules_for({ports, n});

    if (wanted.empty() && known.empty()) {
        return;
    }
    const unsigned int ifindex = if_nametoindex(device);
    if (ifindex != known_device) {
        known.clear();  // A new device has no rules.
        known_device = ifindex;
    }
    if (ifindex) {
        eoip::change_rules(ifindex, wanted, &known);
    }
}
