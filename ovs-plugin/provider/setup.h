/* SPDX-License-Identifier: Apache-2.0
 *
 * A tunnel's configuration, the addresses that its host names stand for, and
 * what Open vSwitch and the packet path are told of both.  Main thread, but for
 * reading. */

#ifndef EOIP_SETUP_H
#define EOIP_SETUP_H 1

#include <stdbool.h>
#include <stdint.h>

#include <netinet/in.h>

#include <linux/eoip.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What decides which packets belong to a tunnel.  All zeros in what does not
 * matter, so that it can be hashed and compared as bytes. */
struct eoip_match {
    struct in6_addr remote; /* 0 if 'remote_flow'. */
    struct in6_addr local;  /* 0 if any or 'local_flow'. */
    uint16_t key;           /* Incoming; 0 if 'key_flow'. */
    uint8_t remote_flow;
    uint8_t local_flow;
    uint8_t key_flow;
    uint8_t anybody;        /* Not of packets: whom the tunnel may learn. */
    uint8_t pad[2];
};

/* Looks up the address of host 'name' without blocking and stores it in
 * '*address'.  Returns false if there is none, now or ever. */
typedef bool eoip_resolver(const char *name, struct in6_addr *address);

/* True for what one other host can have, and routes can lead to. */
bool eoip_can_be_remote(const struct in6_addr *address);

#ifdef __cplusplus
}

#include <bit>
#include <cstdint>
#include <optional>

#include "eoip/options.h"

struct smap;

namespace eoip {

// As the C side has addresses.
[[nodiscard]] inline in6_addr to_in6(const Address &address)
{
    return std::bit_cast<in6_addr>(address);
}
[[nodiscard]] inline Address to_address(const in6_addr &in6)
{
    return std::bit_cast<Address>(in6);
}

// A configuration and what its host names stand for.  The addresses are empty
// where there is none: not yet, or because the end is "any" or "flow".  Never
// changed once it is in force.
struct Setup {
    Config config;
    std::optional<Address> remote;
    std::optional<Address> local;

    bool operator==(const Setup &) const = default;
    [[nodiscard]] bool resolved() const;
    [[nodiscard]] bool has_names() const;
    [[nodiscard]] bool learns() const
    {
        return config.remote.kind == Endpoint::Kind::learn;
    }
    // True if the flows say who the remote end is.
    [[nodiscard]] bool any_remote() const
    {
        return config.remote.kind == Endpoint::Kind::flow;
    }
    // True if the flows say that or the keys: nobody is there to watch.
    [[nodiscard]] bool flow_based() const
    {
        return any_remote() || config.in_key.flow || config.out_key.flow;
    }
};

// True if 'end' is a host name or a peer to be learned, and has no address
// yet.
[[nodiscard]] bool unresolved(const Endpoint &end,
                              const std::optional<Address> &address);

// Looks up the host names in 'config', which may be new or the one in 'old'.
[[nodiscard]] Setup resolve_all(const Config &config, eoip_resolver *resolve,
                                const Setup &old);

// Adds the options of OVS's own tunnels that say the same for the tunnel
// 'number'.  All is said in full: where OVS has a default, ours may differ.
void add_ovs_options(smap *options, const Setup &setup, std::uint32_t number);

// Which packets are for the tunnel 'number'.
[[nodiscard]] eoip_match match_of(const Setup &setup, std::uint32_t number);

}  // namespace eoip

#endif /* __cplusplus */

#endif /* setup.h */
