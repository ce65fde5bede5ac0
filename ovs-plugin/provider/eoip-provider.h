/* SPDX-License-Identifier: Apache-2.0
 *
 * The C interface between netdev-eoip.c, which faces OVS, and the C++ behind
 * it: tunnel.cc (configuration and counters of one tunnel), learning.cc (its
 * peer), keepalives.cc (when, and the link) and keepalive_socket.cc (how),
 * datapath.cc and fragments.cc (packets), clamping.cc (what the kernel's
 * datapath is told) and show.cc (ovs-appctl eoip/show).
 *
 * Nothing here knows OVS's netdevs or packets.  Addresses are IPv6 with IPv4
 * mapped into it, as OVS keeps them; keys and lengths are in host order. */

#ifndef EOIP_PROVIDER_H
#define EOIP_PROVIDER_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <netinet/in.h>

#include <linux/eoip.h>

#include "eoip/drops.h"

struct smap;

#ifdef __cplusplus
extern "C" {
#endif

/* What frames say.  Called by any thread; frames are hostile, and may end
 * anywhere. */

/* True if 'frame' is IPv4 that may not be fragmented; 'otherwise' if it is not
 * IPv4. */
bool eoip_inherited_df(const void *frame, size_t n_bytes, bool otherwise);

/* Brings what the packet around 'frame', of this TOS, says of ECN to the frame,
 * where OVS does not do so.  Returns false if the frame must be dropped. */
bool eoip_take_over_ecn(void *frame, size_t n_bytes, uint8_t tos);

/* Reassembly.  Called by any thread; fragments only, which are worth a lock
 * that is shared with few others. */

/* True if the IP header at 'ip', where 'n_bytes' can be read, is that of a
 * fragment; of IPv6 only if it is of EoIPv6. */
bool eoip_is_fragment(const void *ip, size_t n_bytes);

/* Takes the fragment whose IP header is at 'ip', where 'n_bytes' can be
 * read.  'now' is in milliseconds.  Returns the whole packet, with its length
 * in '*n_whole', if it is complete now; it stays valid until the thread's next
 * call.  Returns NULL if it is not complete, or is dropped and counted. */
const void *eoip_reassemble(const void *ip, size_t n_bytes, long long now,
                            size_t *n_whole);

/* The longest frame that is received: of others the packet is dropped. */
size_t eoip_max_frame(void);

/* Lets go of what has waited for too long.  Returns true if there is more that
 * waits. */
bool eoip_reassembly_expire(long long now);

/* Takes over the limits in 'other_config', which eoip.xml documents.
 * Returns NULL, or what is wrong with them as one string that the caller must
 * free; where a value is wrong the default holds. */
char *eoip_reassembly_configure(const struct smap *other_config);

struct eoip_reassembly {
    uint64_t packets;       /* Put together. */
    uint64_t fragments;     /* That they were made of. */
    uint64_t duplicates;    /* Fragments that were there already. */
    uint64_t unwanted;      /* Of packets that are too big, but for one each. */
    uint64_t waiting_packets, waiting_fragments, waiting_bytes;
    uint64_t drops[EOIP_N_DROPS];
};
void eoip_reassembly_get(struct eoip_reassembly *);

/* Counters.  Called by any thread. */

struct eoip_counters {
    uint64_t drops[EOIP_N_DROPS];
    uint64_t rx_keepalives;
    uint64_t rx_trimmed;
    uint64_t tx_keepalives;
    /* Frames, in the userspace datapath. */
    uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
};

/* Tunnels.  Owned by the netdev; configured by the main thread only. */

struct eoip_tunnel;

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

/* Keepalives.  A thread of its own sends them and watches the peers. */

/* What the thread asks about a tunnel's netdev. */
struct eoip_port {
    uint64_t rx_packets;    /* Frames that the tunnel has received. */
    char egress[16];        /* Device that the route leads to, or "". */
};

/* What the thread calls: all may be called by any thread, and not block.
 * 'poll' returns false if it is a bad moment; 'find' returns the tunnel that
 * packets from 'remote' to 'local' with 'key' belong to, or NULL; 'unclaimed'
 * accounts for a keepalive that the kernel has let pass and no tunnel has. */
struct eoip_keepalive_calls {
    bool (*poll)(void *netdev, struct eoip_port *);
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

/* Learned peers: remote_ip=learn. */

/* True if the tunnel learns its peer, as prepared last. */
bool eoip_tunnel_learns(const struct eoip_tunnel *);

/* Any thread: a valid packet from 'remote' to 'local' came with the key of the
 * learning tunnel, but 'remote' is not its peer.  Returns true if it may
 * become that. */
bool eoip_learning_meet(struct eoip_tunnel *, const struct in6_addr *remote,
                        const struct in6_addr *local);

/* Main thread: true if eoip_learning_look() is due for some tunnel; and to
 * wait for that. */
bool eoip_learning_met(void);
void eoip_learning_wait(void);

/* Main thread: the learning tunnel has received 'rx_packets' frames so far.
 * To be called every 'passed' milliseconds, and with 0 when it is due.  If the
 * peer's place is free and somebody wants it, prepares, as
 * eoip_tunnel_prepare() does, the configuration with the new peer, and returns
 * true. */
bool eoip_learning_look(struct eoip_tunnel *, uint64_t rx_packets,
                        long long passed, struct smap *ovs_options,
                        struct eoip_match *match);

/* The kernel's datapath, whose ports share 'device'. */

/* One of its ports, and which packets are that port's. */
struct eoip_kernel_port {
    struct eoip_match match;
    const struct eoip_tunnel *tunnel;
};

/* Main thread: tells the kernel what has changed since this was called last
 * in which of the 'n' ports at 'ports', all that there are, clamp the MSS. */
void eoip_clamping_update(const struct eoip_kernel_port *ports, size_t n,
                          const char *device);

/* ovs-appctl eoip/show. */

/* What the netdev knows of one tunnel. */
struct eoip_shown {
    const struct eoip_tunnel *tunnel;
    const char *name;
    bool in_kernel;         /* Or in the userspace datapath. */
    const char *egress;     /* Device that the route leads to, or "". */
    bool egress_carrier;
    uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
};

/* Parses the 'argc' arguments of the command at 'argv'.  Returns NULL and
 * stores whether JSON is asked for and the port, or NULL for all of them;
 * or returns an error, which the caller must free. */
char *eoip_show_parse(int argc, const char *argv[], bool *json,
                      const char **port);

/* Returns the 'n' tunnels at 'shown' as text or JSON, to be freed by the
 * caller.  'all' adds what no tunnel claims. */
char *eoip_show_format(const struct eoip_shown *shown, size_t n, bool all,
                       bool json);

#ifdef __cplusplus
}
#endif

#endif /* eoip-provider.h */
