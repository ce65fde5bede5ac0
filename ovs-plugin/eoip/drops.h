/* SPDX-License-Identifier: Apache-2.0
 *
 * The names and sentences of the drops in <linux/eoip.h>.  C that is also
 * clean C++.  Any thread; what is returned is constant. */

#ifndef EOIP_DROPS_H
#define EOIP_DROPS_H 1

#include <stdbool.h>

#include <linux/eoip.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The counter of a drop, with its direction: "rx_drop_ecn". */
const char *eoip_drop_counter(enum eoip_drop);

/* The same without the direction: "ecn". */
const char *eoip_drop_name(enum eoip_drop);

/* True if it is received packets that are dropped. */
bool eoip_drop_is_rx(enum eoip_drop);

/* True for those of reassembly, which come before a tunnel is known. */
bool eoip_drop_is_fragment(enum eoip_drop);

/* Why packets are dropped, by their counter in either datapath, or NULL if
 * 'counter' counts something else. */
const char *eoip_drop_sentence(const char *counter);

#ifdef __cplusplus
}
#endif

#endif /* eoip/drops.h */
