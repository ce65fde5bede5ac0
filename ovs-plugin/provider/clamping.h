/* SPDX-License-Identifier: Apache-2.0
 *
 * Which ports of the kernel's datapath, which share one device, clamp the MSS
 * of TCP.  Main thread. */

#ifndef EOIP_CLAMPING_H
#define EOIP_CLAMPING_H 1

#include "tunnel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One of its ports, and which packets are that port's. */
struct eoip_kernel_port {
    struct eoip_match match;
    const struct eoip_tunnel *tunnel;
};

/* Main thread: tells the kernel what has changed since this was called last
 * in which of the 'n' ports at 'ports', all that there are, clamp the MSS. */
void eoip_clamping_update(const struct eoip_kernel_port *ports, size_t n,
                          const char *device);

#ifdef __cplusplus
}
#endif

#endif /* clamping.h */
