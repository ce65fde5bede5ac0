/* SPDX-License-Identifier: Apache-2.0
 *
 * What other_config of table Open_vSwitch says of EoIP; eoip.xml documents
 * it.  Main thread. */

#ifndef EOIP_SETTINGS_H
#define EOIP_SETTINGS_H 1

#include <stddef.h>

struct smap;

#ifdef __cplusplus
extern "C" {
#endif

/* Takes over the settings in 'other_config'.  Returns NULL, or what is wrong
 * with them as one string that the caller must free; where a value is wrong the
 * default holds. */
char *settings_configure(const struct smap *other_config);

/* Bytes that receive buffers are to have at least where there is a tunnel. */
size_t settings_receive_buffer(void);

#ifdef __cplusplus
}
#endif

#endif /* settings.h */
