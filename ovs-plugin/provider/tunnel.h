// SPDX-License-Identifier: Apache-2.0
//
// One tunnel: its configuration, the addresses that its host names stand for,
// and its counters.  Behind the C interface of eoip-provider.h; show.cc reads
// it as well.

#ifndef EOIP_TUNNEL_H
#define EOIP_TUNNEL_H

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "eoip-provider.h"
#include "eoip/options.h"

namespace eoip {

// Counted by any thread.
struct Counters {
    std::array<std::atomic<std::uint64_t>, EOIP_N_DROPS> drops{};
    std::atomic<std::uint64_t> rx_keepalives{};
    std::atomic<std::uint64_t> rx_trimmed{};
};

// A configuration and what its host names stand for.  The addresses are in
// host order, empty where there is no address: not yet, or because the end is
// "any" or "flow".
struct Setup {
    Config config;
    std::optional<std::uint32_t> remote;
    std::optional<std::uint32_t> local;

    bool operator==(const Setup &) const = default;
    [[nodiscard]] bool resolved() const;
    [[nodiscard]] bool has_names() const;
};

}  // namespace eoip

struct eoip_tunnel {
    explicit eoip_tunnel(const char *name_);

    const std::string name;
    const std::uint32_t nowhere;       // In 0.0.0.0/8, this tunnel's own.
    std::optional<eoip::Setup> setup;  // In force.  Main thread only.
    eoip::Setup prepared;              // Main thread only.
    std::atomic<bool> resolved{true};  // Of 'setup', for the other threads.
    eoip::Counters counters;
};

#endif  // EOIP_TUNNEL_H
