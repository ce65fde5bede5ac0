/* SPDX-License-Identifier: Apache-2.0
 *
 * What the benchmarks see of Open vSwitch: a tunnel with one batch of packets
 * that can be pushed, popped and rewound.  OVS's own headers do not compile
 * as C++, so this one names none of them. */

#ifndef EOIP_TESTS_BENCH_OVS_SHIM_H
#define EOIP_TESTS_BENCH_OVS_SHIM_H 1

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { BENCH_BATCH = 32 };      /* The most packets a batch, as in the datapath. */

struct bench_tunnel;

/* Opens a tunnel netdev of 'type' and 'others' more of the same type, which
 * no packet belongs to, to push and pop 'batch_size' packets at a time.  The types are "gre", "vxlan", "geneve", "eoip" and,
 * as a control, "empty", which does nothing.  Returns NULL if this OVS does
 * not know the type.  Tunnels live until the process ends. */
struct bench_tunnel *bench_tunnel_open(const char *type, size_t others,
                                       size_t batch_size);

/* Before each push: makes every packet the inner frame again. */
void bench_tunnel_rewind_push(struct bench_tunnel *);
void bench_tunnel_push(struct bench_tunnel *);

/* Before each pop: makes every packet the encapsulated packet again. */
void bench_tunnel_rewind_pop(struct bench_tunnel *);
void bench_tunnel_pop(struct bench_tunnel *);

/* True if all packets are the inner frame, that is, if the last pop was
 * right.  A benchmark that measures the drop path is worth nothing. */
bool bench_tunnel_is_popped(const struct bench_tunnel *);

/* True if all packets are the encapsulated packet. */
bool bench_tunnel_is_pushed(const struct bench_tunnel *);

#ifdef __cplusplus
}
#endif

#endif /* ovs_shim.h */
