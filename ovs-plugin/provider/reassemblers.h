/* SPDX-License-Identifier: Apache-2.0
 *
 * The reassemblers of this switch.  Called by any thread; fragments only, which
 * are worth a lock that is shared with few others. */

#ifndef EOIP_REASSEMBLERS_H
#define EOIP_REASSEMBLERS_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eoip/drops.h"

#ifdef __cplusplus
extern "C" {
#endif

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

struct eoip_reassembly {
    uint64_t packets;       /* Put together. */
    uint64_t fragments;     /* That they were made of. */
    uint64_t duplicates;    /* Fragments that were there already. */
    uint64_t unwanted;      /* Of packets that are too big, but for one each. */
    uint64_t waiting_packets, waiting_fragments, waiting_bytes;
    uint64_t drops[EOIP_N_DROPS];
};
void eoip_reassembly_get(struct eoip_reassembly *);

#ifdef __cplusplus
}

#include "eoip/reassembly.h"

namespace eoip {

// How many there are, which share the limits.
inline constexpr std::size_t kReassemblers = 16;

// Any thread.
void set_reassembly_limits(const ReassemblyLimits &limits);

}  // namespace eoip

#endif /* __cplusplus */

#endif /* reassemblers.h */
