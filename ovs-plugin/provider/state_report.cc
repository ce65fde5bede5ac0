// SPDX-License-Identifier: Apache-2.0

#include "state_report.h"

#include "keepalives.h"
#include "tunnel.h"

namespace eoip {
namespace {

// The device that all tunnels of the kernel datapath share.
constexpr const char *kKernelDevice = "eoip_sys";

std::string not_a_port(const eoip_path &path, const std::string &remote)
{
    const std::string device = path.device;
    const std::string bridge = path.bridge;

    return bridge.empty()
               ? device + ", where the route to " + remote
                     + " leads, is not a bridge of the userspace datapath"
               : device + " is a port of " + bridge
                     + ": its address must be on " + bridge;
}

std::string no_datapath(const eoip_path &path)
{
    return path.obstacle == EOIP_PATH_DEVICE_OFF
               ? std::string("the device ") + kKernelDevice
                     + " is off: ip link set " + kKernelDevice + " up"
               : std::string("the kernel has no device ") + kKernelDevice
                     + " any more: restart the switch";
}

std::string reason_of(const Setup &setup, State state, const eoip_path &path)
{
    const std::string remote =
        setup.remote ? format_address(*setup.remote) : "";

    switch (state) {
    case State::no_route:
        return "there is no route to " + remote
               + (setup.local ? " from " + format_address(*setup.local) : "");
    case State::not_a_port:
        return not_a_port(path, remote);
    case State::no_address:
        return "local_ip=" + format_endpoint(setup.config.local)
               + " is not an address of this host";
    case State::own_address:
        return "remote_ip=" + format_endpoint(setup.config.remote)
               + " is an address of this host";
    case State::name_unresolved:
        return "no address is known of "
               + format_endpoint(setup.remote ? setup.config.local
                                              : setup.config.remote);
    case State::no_neighbour:
        return std::string("the next hop to ") + remote
               + " does not tell its MAC address";
    case State::no_datapath:
        return no_datapath(path);
    case State::learning:
        return "nobody has spoken yet";
    case State::up:
    case State::waiting:
    case State::silent:
    case State::unwatched:
        break;
    }
    return "";
}

bool is_unresolved_name(const Endpoint &end,
                        const std::optional<Address> &address)
{
    return end.kind == Endpoint::Kind::host_name && !address;
}

std::optional<State> obstacle_of(const Setup &setup, const eoip_path &path)
{
    if (is_unresolved_name(setup.config.remote, setup.remote)
        || is_unresolved_name(setup.config.local, setup.local)) {
        return State::name_unresolved;
    }
    switch (path.obstacle) {
    case EOIP_PATH_OPEN:
        break;
    case EOIP_PATH_NO_ROUTE:
        return State::no_route;
    case EOIP_PATH_NOT_A_PORT:
        return State::not_a_port;
    case EOIP_PATH_NO_ADDRESS:
        return State::no_address;
    case EOIP_PATH_OWN_ADDRESS:
        return State::own_address;
    case EOIP_PATH_NO_DEVICE:
    case EOIP_PATH_DEVICE_OFF:
        return State::no_datapath;
    }
    return {};
}

}  // namespace

Signs signs_of(const Setup &setup, const eoip_path &path)
{
    return {obstacle_of(setup, path), setup.learns() && !setup.remote,
            path.no_neighbour};
}

StateReport state_report(const eoip_tunnel *tunnel, State state,
                         const eoip_path &path)
{
    return {state, reason_of(tunnel->setup(), state, path),
            path.obstacle == EOIP_PATH_OPEN ? path.device : ""};
}

StateReport state_report(const eoip_tunnel *tunnel)
{
    const KeepaliveReport report = keepalive_report(tunnel);

    return state_report(tunnel, report.state, report.path);
}

}  // namespace eoip
