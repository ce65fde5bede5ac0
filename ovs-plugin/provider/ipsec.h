/* SPDX-License-Identifier: Apache-2.0
 *
 * How the IPsec of a tunnel is, which a daemon beside ovs-vswitchd tells, and
 * which tunnels get along with each other.  No port is known here: see
 * ipsec_ports.h.  Main thread. */

#ifndef EOIP_IPSEC_H
#define EOIP_IPSEC_H 1

#include <stdbool.h>
#include <stddef.h>

#include "setup.h"

struct eoip_tunnel;
struct smap;

#ifdef __cplusplus
extern "C" {
#endif

/* True, with the other end in '*peer', if the tunnel has a secret: as it was
 * prepared, or else as it is in force. */
bool eoip_ipsec_peer(const struct eoip_tunnel *, bool prepared,
                     struct in6_addr *peer);

/* True if IPsec has to do what it does already, once what was prepared is in
 * force. */
bool eoip_ipsec_stays(const struct eoip_tunnel *);

/* Returns why IPsec cannot protect both the tunnel and 'other', of the same
 * datapath, to be freed by the caller; or NULL if it can.  'options' are those
 * that 'other' is going to have, or NULL if it stays as it is. */
char *eoip_ipsec_conflict(const struct eoip_tunnel *, bool prepared,
                          const struct eoip_tunnel *other,
                          const struct smap *options, eoip_resolver *);

/* Takes over the state that the daemon tells of, with 'n' words NAME=VALUE.
 * Returns what is wrong with them, to be freed by the caller, or NULL. */
char *eoip_ipsec_tell(struct eoip_tunnel *, const char *state,
                      const char *const *words, size_t n);

/* Returns true if what is to be reported is something else than when this was
 * called the last time. */
bool eoip_ipsec_changed(struct eoip_tunnel *);

/* Adds what is known to 'status'. */
void eoip_ipsec_get_status(const struct eoip_tunnel *, struct smap *status);

#ifdef __cplusplus
}

#include <optional>
#include <string>

#include "eoip/keepalive.h"

namespace eoip {

// What is told of one tunnel.
struct IpsecReport {
    std::string state = "off";        // Or "no-daemon" and so on.
    std::optional<long long> since;   // Seconds since 1970.
    std::string algorithms, reason;   // Or empty.

    bool operator==(const IpsecReport &) const = default;
};

// Of one tunnel.
struct IpsecState {
    IpsecReport told;
    Setup about;        // That it was told of.
    Time told_at{};
    IpsecReport last;   // For eoip_ipsec_changed().
};

// What is to be reported now.
[[nodiscard]] IpsecReport ipsec_report(const eoip_tunnel *tunnel);

}  // namespace eoip

#endif /* __cplusplus */

#endif /* ipsec.h */
