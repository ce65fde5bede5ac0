/* SPDX-License-Identifier: Apache-2.0
 *
 * One tunnel: its configuration, the addresses that its host names stand for,
 * and its counters.  Owned by the netdev, configured by the main thread only.
 *
 * Nothing here knows OVS's netdevs or packets.  Addresses are IPv6 with IPv4
 * mapped into it, as OVS keeps them; keys and lengths are in host order. */

#ifndef EOIP_TUNNEL_H
#define EOIP_TUNNEL_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/eoip.h>

#include "eoip/drops.h"
#include "ipsec.h"
#include "keepalives.h"
#include "learning.h"
#include "setup.h"

struct eoip_tunnel;
struct smap;

#ifdef __cplusplus
extern "C" {
#endif

struct eoip_tunnel *eoip_tunnel_create(const char *name);
void eoip_tunnel_destroy(struct eoip_tunnel *);
const char *eoip_tunnel_name(const struct eoip_tunnel *);

/* Any thread: a number that no other tunnel has, or had. */
uint32_t eoip_tunnel_number(const struct eoip_tunnel *);

/* Prepares to configure the tunnel with 'options'; nothing changes yet.
 * Returns NULL if they are valid, with '*match' filled in and 'ovs_options'
 * holding what OVS's own tunnel code is to be given: all of it in full, with
 * our defaults, host names replaced by addresses.  An end whose name has no
 * address yet, or that has learned no peer, gets one of 127.0.0.0/8, which both
 * datapaths refuse as the source of a packet.
 *
 * Otherwise returns the errors as one string, which the caller must free. */
char *eoip_tunnel_prepare(struct eoip_tunnel *, const struct smap *options,
                          eoip_resolver *, struct smap *ovs_options,
                          struct eoip_match *match);

/* Finds out what packets the tunnel would take with 'options', which it is to
 * get later.  Returns false if they are not valid.  Prepares nothing. */
bool eoip_tunnel_foresee(const struct eoip_tunnel *,
                         const struct smap *options, eoip_resolver *,
                         struct eoip_match *match, bool *learns);

/* Makes what was prepared last the tunnel's configuration.  'postpone' is to
 * call 'function' with 'aux' when no thread can be reading any more what was
 * in force before. */
void eoip_tunnel_commit(struct eoip_tunnel *,
                        void (*postpone)(void (*function)(void *aux),
                                         void *aux));

/* Prepares, as eoip_tunnel_prepare() does, the configuration that is in force
 * with its host names looked up again.  Returns false if it has none or they
 * have the addresses that they had. */
bool eoip_tunnel_resolve(struct eoip_tunnel *, eoip_resolver *,
                         struct smap *ovs_options, struct eoip_match *match);

/* Any thread: true if the tunnel knows the addresses of both its ends, or
 * leaves them to the flows. */
bool eoip_tunnel_is_resolved(const struct eoip_tunnel *);

/* Any thread: true if the flows say, or its packets, who the remote end is. */
bool eoip_tunnel_has_any_remote(const struct eoip_tunnel *);

/* Any thread: true if its packets must not be in the clear. */
bool eoip_tunnel_has_psk(const struct eoip_tunnel *);

/* Any thread: the ends of the tunnel, all zeros where they are not known or up
 * to the flows, and the mark of its packets. */
void eoip_tunnel_get_ends(const struct eoip_tunnel *, struct in6_addr *remote,
                          struct in6_addr *local, uint32_t *mark);

/* Any thread: true if outer packets have the DF bit of the frame in them. */
bool eoip_tunnel_inherits_df(const struct eoip_tunnel *);

/* Any thread: lowers the MSS of the TCP SYN 'frame' of 'n_bytes', which came
 * behind 'outer_hlen' bytes of headers, if the tunnel is to do so and it
 * exceeds what fits the underlay in one piece. */
void eoip_tunnel_clamp_mss(const struct eoip_tunnel *, size_t outer_hlen,
                           void *frame, size_t n_bytes);

/* Any thread: true if the tunnel is to do so. */
bool eoip_tunnel_clamps_mss(const struct eoip_tunnel *);

/* Main thread: replaces in 'config', as OVS's own code reports it, what stands
 * for an end without an address by what the user has said of it. */
void eoip_tunnel_correct_config(const struct eoip_tunnel *,
                                struct smap *config);

/* True if the tunnel is configured with host names. */
bool eoip_tunnel_has_names(const struct eoip_tunnel *);

/* Main thread: adds to 'status' the addresses that the tunnel's host names
 * stand for, the peer that it has learned, and how its keepalives are. */
void eoip_tunnel_get_status(const struct eoip_tunnel *, struct smap *status);

struct eoip_counters {
    uint64_t drops[EOIP_N_DROPS];
    uint64_t rx_keepalives;
    uint64_t rx_trimmed;
    uint64_t tx_keepalives;
    /* Frames, in the userspace datapath. */
    uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
};

/* Any thread.  With 'tunnel' NULL counts as what no tunnel claims, which the
 * drops of reassembly are a part of when read. */
void eoip_tunnel_count_drop(struct eoip_tunnel *, enum eoip_drop);
void eoip_tunnel_count_rx(struct eoip_tunnel *, uint64_t packets,
                          uint64_t bytes);
/* 'mtu' is that of the device that the packets leave through, or 0.  The tunnel
 * clamps the MSS for it, and for 1500 until it knows one. */
void eoip_tunnel_count_tx(struct eoip_tunnel *, uint64_t packets,
                          uint64_t bytes, int mtu);
void eoip_tunnel_count_keepalive(struct eoip_tunnel *);
void eoip_tunnel_count_trimmed(struct eoip_tunnel *);
void eoip_tunnel_get_counters(const struct eoip_tunnel *,
                              struct eoip_counters *);

#ifdef __cplusplus
}

#include <array>
#include <atomic>
#include <ctime>
#include <memory>
#include <optional>
#include <string>

namespace eoip {

// Counted by any thread.
struct Counters {
    std::array<std::atomic<std::uint64_t>, EOIP_N_DROPS> drops{};
    std::atomic<std::uint64_t> rx_keepalives{};
    std::atomic<std::uint64_t> rx_trimmed{};
    std::atomic<std::uint64_t> tx_keepalives{};
    std::atomic<std::uint64_t> rx_packets{};
    std::atomic<std::uint64_t> rx_bytes{};
    std::atomic<std::uint64_t> tx_packets{};
    std::atomic<std::uint64_t> tx_bytes{};
};

inline void count(std::atomic<std::uint64_t> &counter, std::uint64_t n = 1)
{
    counter.fetch_add(n, std::memory_order_relaxed);
}

// As eoip_tunnel_prepare(), with addresses and all.
void prepare(eoip_tunnel &tunnel, Setup setup, smap *ovs_options,
             eoip_match *match);

// What the tunnel will be with 'options', which it is to get later; nothing if
// they are not valid.
[[nodiscard]] std::optional<Setup> foresee(const eoip_tunnel &tunnel,
                                           const smap *options,
                                           eoip_resolver *resolve);

// A time of day as status has it.
[[nodiscard]] std::string format_time(std::time_t seconds);

}  // namespace eoip

struct eoip_tunnel {
    explicit eoip_tunnel(const char *name_);
    ~eoip_tunnel();
    eoip_tunnel(const eoip_tunnel &) = delete;
    eoip_tunnel &operator=(const eoip_tunnel &) = delete;

    // What is in force.  Any thread, until it quiesces.
    [[nodiscard]] const eoip::Setup &setup() const
    {
        return *in_force.load(std::memory_order_acquire);
    }

    const std::string name;
    const std::uint32_t number;  // This tunnel's own.
    std::atomic<eoip::Setup *> in_force{new eoip::Setup};
    std::unique_ptr<eoip::Setup> prepared;  // Main thread only.
    std::atomic<int> underlay_mtu{1500};
    eoip::Counters counters;
    eoip::KeepaliveState keepalive;
    eoip::LearningState learning;
    eoip::IpsecState ipsec;  // Main thread only.
};

#endif /* __cplusplus */

#endif /* tunnel.h */
