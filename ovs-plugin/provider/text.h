/* SPDX-License-Identifier: Apache-2.0
 *
 * The text form of push actions, in which dpctl shows and takes them:
 *
 *     eoip(id=1234,mtu=1500,inherit_df,tunnel=3,drop=no_route)
 *
 * "mtu" is that of the underlay; "tunnel" the number of the tunnel that counts
 * the frames.  With "drop" the frames are dropped and counted under that
 * name.  See struct eoip_hooks. */

#ifndef EOIP_TEXT_H
#define EOIP_TEXT_H 1

#include "eoip-hooks.h"

void text_format_push(const struct ovs_action_push_tnl *, struct ds *);
bool text_parse_push(const char *s, int *n, struct ovs_action_push_tnl *,
                     uint32_t *header_len);

#endif /* text.h */
