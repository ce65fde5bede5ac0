// SPDX-License-Identifier: Apache-2.0
//
// Tunnels that are links of the kernel: a back end that speaks rtnetlink, to
// our module and to the one of that name that another project has.

#ifndef EOIP_UTILITIES_KERNEL_H
#define EOIP_UTILITIES_KERNEL_H

#include "backend.h"
#include "nl_socket.h"

namespace eoip {

class Kernel : public Backend {
public:
    std::string list(std::vector<Tunnel> &tunnels) override;
    std::string add(std::span<Tunnel> tunnels, bool dry_run) override;
    std::string change(const Tunnel &tunnel, const Options &changes,
                       bool dry_run) override;
    std::string remove(const Tunnel &tunnel, bool dry_run) override;
    bool takes_secrets(const std::string &) override { return false; }
    std::string wait() override;

private:
    std::string add_one(Tunnel &tunnel, bool dry_run);
    std::string make(Tunnel &tunnel);
    std::string send(nl_msg *message, const std::string &name);
    std::string send_options(nl_msg *message, const char *kind,
                             const Options &options, const std::string &name,
                             std::vector<Tunnel> &after);

    Netlink netlink_;
    Netlink events_;  // For wait().
    bool watching_ = false;
};

}  // namespace eoip

#endif  // EOIP_UTILITIES_KERNEL_H
