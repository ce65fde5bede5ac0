/* SPDX-License-Identifier: Apache-2.0
 *
 * The log module "eoip_link": links that go up and down.  Any thread. */

#ifndef EOIP_LINK_LOG_H
#define EOIP_LINK_LOG_H 1

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Has the module tell the machine's log as well, where distributions have the
 * rest of Open vSwitch say errors only; unless something else was asked for of
 * it.  Called once, when the command line has been read. */
void link_log_init(void);

void link_log(const char *port, bool is_up, const char *why);

#ifdef __cplusplus
}
#endif

#endif /* link_log.h */
