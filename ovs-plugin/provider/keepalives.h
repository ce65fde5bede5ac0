/* SPDX-License-Identifier: Apache-2.0
 *
 * Keepalives.  A thread of its own sends them and watches the peers. */

#ifndef EOIP_KEEPALIVES_H
#define EOIP_KEEPALIVES_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <netinet/in.h>

#include <linux/eoip.h>

#include "path.h"

struct eoip_tunnel;
struct ofport_dpif;
struct smap;

#ifdef __cplusplus
extern "C" {
#endif

/* What the thread asks about a tunnel's netdev. */
struct eoip_port {
    uint64_t rx_packets;    /* Frames that the tunnel has received. */
    bool in_kernel;         /* A port of the kernel's datapath. */
};

/* What the thread calls: all may be called by any thread, and all but 'send' do
 * not block.  'poll' returns false if it is a bad moment; 'send' sends a
 * keepalive as frames are sent in the userspace datapath.  Of keepalives that
 * the kernel has let pass, 'find' returns the tunnel of its datapath that
 * packets from 'remote' to 'local' with 'key' belong to, or NULL, and
 * 'unclaimed' accounts for what has none. */
struct eoip_keepalive_calls {
    bool (*poll)(void *netdev, struct eoip_port *);
    void (*send)(const struct ofport_dpif *);
    struct eoip_tunnel *(*find)(const struct in6_addr *remote,
                                const struct in6_addr *local, uint16_t key);
    void (*unclaimed)(const struct in6_addr *remote,
                      const struct in6_addr *local, uint16_t key);
};

/* Main thread: takes over the tunnel's configuration.  'netdev' must stay
 * until eoip_keepalive_stop(). */
void eoip_keepalive_configure(struct eoip_tunnel *, void *netdev,
                              const struct eoip_keepalive_calls *);
void eoip_keepalive_stop(struct eoip_tunnel *);

/* Main thread: the tunnel's port in the userspace datapath is 'port' now, or
 * gone if that is NULL; and what is known of the tunnel's path, which is told
 * once the switch has taken over all that has changed.  Then what was held back
 * is sent. */
void eoip_keepalive_set_port(struct eoip_tunnel *,
                             const struct ofport_dpif *port);
void eoip_keepalive_set_path(struct eoip_tunnel *, const struct eoip_path *);

/* Any thread: what stands for a keepalive is sent; or is not, for 'why', if that
 * is not EOIP_N_DROPS.  'tunnel' may be NULL. */
void eoip_keepalive_pushed(struct eoip_tunnel *, enum eoip_drop why);

/* Any thread: the tunnel has received a keepalive. */
void eoip_keepalive_heard(struct eoip_tunnel *);

/* Any thread: false if the peer is known to be gone; and how often that has
 * changed. */
bool eoip_keepalive_link_is_up(const struct eoip_tunnel *);
long long eoip_keepalive_resets(const struct eoip_tunnel *);

/* Main thread: the next netdev whose state has changed, or NULL; and to wait
 * for one. */
void *eoip_keepalive_next_changed(void);
void eoip_keepalive_wait(void);

void eoip_keepalive_get_status(const struct eoip_tunnel *, struct smap *);

#ifdef __cplusplus
}

#include <atomic>
#include <optional>
#include <string>

#include "eoip/keepalive.h"
#include "eoip/state.h"

namespace eoip {

// What keepalives.cc keeps for a tunnel.
struct KeepaliveState {
    // What any thread may read or say.
    std::atomic<Time::rep> heard_at{0};  // Last keepalive; 0: none yet.
    std::atomic<bool> eager{false};      // The next one is urgent,
    std::atomic<bool> is_noted{false};   // and has come: see NotedTunnels.
    eoip_tunnel *next_noted = nullptr;
    std::atomic<bool> link_is_up{true};
    std::atomic<long long> resets{0};  // Times that the link changed.
    // Of the userspace datapath: what has become of the last one, an
    // eoip_drop, or EOIP_N_DROPS if it was sent.
    std::atomic<int> pushed{0};

    // Guarded by the mutex of keepalives.cc.
    Keepalive machine;
    Time queued = Time::max();  // Deadline in the queue.
    void *netdev = nullptr;     // While it is there.
    const ofport_dpif *port = nullptr;  // In the userspace datapath.
    std::uint64_t rx_packets = 0;  // When last looked at.
    eoip_path path{};
    State state = State::waiting;  // As last told to others.
    unsigned asked = 0;    // Times in a row that the next hop did not answer.
    Time asks_since = Time::max();  // The kernel asks it; max() if not.
    std::string not_sent;  // Why the last one was not sent, or empty.
};

// The state of a tunnel whose peer or keys are up to the flows.
inline constexpr const char *kFlowBased = "flow-based";

// How a tunnel, its path and its keepalives are.
struct KeepaliveReport {
    State state;
    eoip_path path;
    const char *keepalive_state;
    bool flow_based;
    Time since;  // Of 'keepalive_state'.
    std::optional<Time> heard;
    Time now;
    std::string not_sent;  // Why the last one was not sent, or empty.
};
[[nodiscard]] KeepaliveReport keepalive_report(const eoip_tunnel *tunnel);

// When no thread can hear of the tunnel any more: forgets it.
void keepalive_forget();

}  // namespace eoip

#endif /* __cplusplus */

#endif /* keepalives.h */
