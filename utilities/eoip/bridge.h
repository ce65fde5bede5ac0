// SPDX-License-Identifier: Apache-2.0
//
// Tunnels that are ports of type eoip on bridges of Open vSwitch: a back end
// that speaks to OVSDB, where controllers and ovs-vsctl put theirs, too.

#ifndef EOIP_UTILITIES_BRIDGE_H
#define EOIP_UTILITIES_BRIDGE_H

#include "backend.h"
#include "facts.h"
#include "words.h"

struct eoip_ovsdb;

namespace eoip {

class Bridges : public Backend {
public:
    // Takes from 'request' where the database is; connects when it is needed.
    explicit Bridges(const Request &request);
    ~Bridges() override;

    // False if nobody said where the database is, and it is not at its usual
    // place: this host has no Open vSwitch.
    [[nodiscard]] bool present() const;

    std::string list(std::vector<Tunnel> &tunnels) override;
    std::string add(std::span<Tunnel> tunnels, bool dry_run) override;
    std::string change(const Tunnel &tunnel, const Options &changes,
                       bool dry_run) override;
    std::string remove(const Tunnel &tunnel, bool dry_run) override;
    bool takes_secrets(const std::string &bridge) override;
    std::string wait() override;

    // Everything that the database says, for "eoip check".
    [[nodiscard]] std::string look(Switch &found);

private:
    std::string open();
    std::string check_name(Tunnel &tunnel);
    std::string choose_name(Tunnel &tunnel);
    std::string change_ports(std::span<const Tunnel> ports, bool add);

    Request request_;
    std::string remote_;
    eoip_ovsdb *db_ = nullptr;
};

}  // namespace eoip

#endif  // EOIP_UTILITIES_BRIDGE_H
