/* SPDX-License-Identifier: Apache-2.0
 *
 * What frames say of the packets around them, and the other way round.  Called
 * by any thread; frames are hostile, and may end anywhere. */

#ifndef EOIP_FRAMES_H
#define EOIP_FRAMES_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* True if 'frame' is IPv4 that may not be fragmented; 'otherwise' if it is not
 * IPv4. */
bool eoip_inherited_df(const void *frame, size_t n_bytes, bool otherwise);

/* Brings what the packet around 'frame', of this TOS, says of ECN to the frame,
 * where OVS does not do so.  Returns false if the frame must be dropped. */
bool eoip_take_over_ecn(void *frame, size_t n_bytes, uint8_t tos);

#ifdef __cplusplus
}
#endif

#endif /* frames.h */
