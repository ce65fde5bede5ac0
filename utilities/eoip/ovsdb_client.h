/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ovsdb.c, which looks, and ovsdb_change.c have in common.
 */
#ifndef EOIP_UTILITIES_OVSDB_CLIENT_H
#define EOIP_UTILITIES_OVSDB_CLIENT_H

#include <stdbool.h>

#include "ovsdb.h"

struct ovsdb_idl;
struct ovsrec_bridge;
struct ovsrec_interface;

struct eoip_ovsdb {
    struct ovsdb_idl *idl;
    char *remote;
    int timeout_s;
};

/* When the time is over that a request has, of time_msec(). */
long long int ovsdb_deadline(const struct eoip_ovsdb *);

/* Waits for something to happen.  Returns false once it is too late. */
bool ovsdb_block_until(struct eoip_ovsdb *, long long int deadline_ms);

/* Why there is no answer, to be freed by the caller. */
char *ovsdb_connection_error(const struct eoip_ovsdb *);

bool ovsdb_is_eoip(const struct ovsrec_interface *);

/* NULL if there is none. */
const struct ovsrec_bridge *ovsdb_find_bridge(const struct eoip_ovsdb *,
                                              const char *name);
const struct ovsrec_interface *
ovsdb_find_interface(const struct eoip_ovsdb *, const char *name);

#endif /* ovsdb_client.h */
