/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps what tunnels say to some peers, and hear from them, from passing in the
 * clear: for each such peer the kernel has two IPsec policies, for the protocol
 * of the tunnels, that block what no other policy takes.  Any policy that
 * protects comes before them.
 *
 * They stay when ovs-vswitchd ends, as flows of the kernel's datapath do, and
 * are taken over when it starts again. */

#ifndef EOIP_IPSEC_GUARD_H
#define EOIP_IPSEC_GUARD_H 1

#include <stdbool.h>

#include <netinet/in.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Main thread: guards 'peer', once more if it is guarded already.  Returns
 * NULL; or why it cannot be, to be freed by the caller, and nothing has
 * changed. */
char *ipsec_guard_hold(const struct in6_addr *peer);

/* Any thread: takes back one ipsec_guard_hold().  After the last one the peer
 * stays guarded for a while, because a datapath may have flows yet of the port
 * that has gone; but not if the main thread says that it is to be heard in the
 * clear, 'at_once'. */
void ipsec_guard_release(const struct in6_addr *peer, bool at_once);

/* Main thread: true if somebody holds it. */
bool ipsec_guard_is_held(const struct in6_addr *peer);

/* Main thread: does what is due, and waits for that.  Policies that have been
 * taken away are put back.  Once 'configured', which says that all ports have
 * been, those that were found at the start and that no port needs are
 * removed. */
void ipsec_guard_run(bool configured);
void ipsec_guard_wait(void);

#ifdef __cplusplus
}
#endif

#endif /* ipsec_guard.h */
