/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The eoip ports of a database of Open vSwitch, for bridge.cc.
 *
 * OVS's client of OVSDB does not compile as C++, so ovsdb.c and ovsdb_change.c
 * face it, and this header faces them.  A function that returns "char *"
 * returns NULL, or in one sentence what went wrong, which the caller frees.
 */
#ifndef EOIP_UTILITIES_OVSDB_H
#define EOIP_UTILITIES_OVSDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct smap;
struct eoip_ovsdb;

/* A port as the database has it; valid during the call that it is given to. */
struct eoip_port {
    const char *name;
    const char *bridge;
    const struct smap *options;
    const struct smap *external_ids;
    const struct smap *status;
    const char *error;          /* NULL if there is none. */
    const char *link_state;     /* NULL as long as OVS has not said. */
    char *const *counter_names;
    const int64_t *counter_values;
    size_t n_counters;
};

/* The switch as a whole. */
struct eoip_switch {
    bool has_eoip;              /* It knows interfaces of type eoip. */
    bool takes_segments;        /* Also frames longer than an MTU. */
};

/* A bridge; valid during the call that it is given to. */
struct eoip_bridge {
    const char *name;
    const char *datapath_type;  /* "" is the kernel's. */
    bool spanning_tree;
    bool controlled;            /* Floods what OpenFlow rules say. */
};

/* An interface of whatever type, as struct eoip_port. */
struct eoip_interface {
    const char *name;
    const char *type;
    const char *bridge;
    const char *port;           /* That of a bond has other interfaces. */
    const char *vlans;          /* Tag and trunks; "" are all. */
    const struct smap *status;
};

/* Connects to the database at 'remote', as OVS's programs call it, within
 * 'timeout_s' seconds; all that follows has that time, too. */
char *eoip_ovsdb_open(const char *remote, int timeout_s,
                      struct eoip_ovsdb **);
void eoip_ovsdb_close(struct eoip_ovsdb *);

/* Calls 'each' for every port of type eoip. */
char *eoip_ovsdb_list(struct eoip_ovsdb *,
                      void (*each)(const struct eoip_port *, void *aux),
                      void *aux);

/* Stores what the switch is, and calls 'bridge' and 'interface' for each. */
char *eoip_ovsdb_look(struct eoip_ovsdb *, struct eoip_switch *,
                      void (*bridge)(const struct eoip_bridge *, void *aux),
                      void (*interface)(const struct eoip_interface *,
                                        void *aux),
                      void *aux);

/* NULL if a port 'name' can be added to 'bridge', otherwise why not. */
char *eoip_ovsdb_check_free(struct eoip_ovsdb *, const char *bridge,
                            const char *name);

/* What shall become of a port. */
struct eoip_change {
    const char *name;
    const char *bridge;         /* Where to add it; NULL if it exists. */
    const struct smap *options; /* NULL to remove it. */
    const char *comment;        /* "" for none. */
};

/* Makes all 'changes' in one transaction, and returns once ovs-vswitchd has
 * done what they ask for.  If it refuses one of them, or does not answer, all
 * but those that remove a port are undone. */
char *eoip_ovsdb_change(struct eoip_ovsdb *, const struct eoip_change *changes,
                        size_t n);

/* Lets the next poll_block() return when the database changes. */
void eoip_ovsdb_wait(struct eoip_ovsdb *);

#ifdef __cplusplus
}
#endif

#endif /* ovsdb.h */
