/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "ids.h"

/* One count for each pair, and one for all beyond so many of them. */
enum { N_IDS = 1 << 14, N_PROBES = 8 };

static struct ids all[N_IDS];

struct ids *
ids_find(uint64_t pair)
{
    size_t at = (pair * 0x9e3779b97f4a7c15ULL) >> 50;

    for (int i = 0; i < N_PROBES; i++, at = (at + 1) % N_IDS) {
        struct ids *ids = &all[at];
        uint64_t owner;
        uint32_t orig;

        atomic_read_relaxed(&ids->pair, &owner);
        if (owner == pair) {
            return ids;
        } else if (!owner) {
            if (atomic_compare_exchange_strong(&ids->pair, &owner, pair)) {
                /* Not at 0, which a reader may take for none. */
                atomic_add_relaxed(&ids->next, at | 1, &orig);
                return ids;
            } else if (owner == pair) {
                return ids;
            }
        }
    }
    return &all[at];
}
