/* SPDX-License-Identifier: Apache-2.0
 *
 * The frame that stands for a keepalive in the userspace datapath. */

#ifndef EOIP_KEEPALIVE_FRAME_H
#define EOIP_KEEPALIVE_FRAME_H 1

struct ofport_dpif;

/* Sends a frame that becomes a keepalive when it is pushed, out of the tunnel
 * port 'ofport', which need not be there any more.  What becomes of it is told
 * by eoip_keepalive_pushed() before this returns.  Called by a thread that
 * holds no lock. */
void keepalive_frame_send(const struct ofport_dpif *ofport);

#endif /* keepalive_frame.h */
