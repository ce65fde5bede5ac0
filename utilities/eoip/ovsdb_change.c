/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of the eoip ports of a database of Open vSwitch: see ovsdb.h.
 *
 * Every change goes the same way: a function puts it into a transaction, which
 * is made anew when another client was faster; then we wait until ovs-vswitchd
 * says that it has caught up (cur_cfg reaches our next_cfg).
 */

#include "ovsdb_client.h"

#include "ovsdb-idl.h"
#include "smap.h"
#include "util.h"
#include "vswitch-idl.h"

#define COMMENT "comment"       /* In external_ids. */

/* The port that has the interface 'name', and the bridge that has the port. */
static const struct ovsrec_port *
find_port(const struct eoip_ovsdb *db, const char *name,
          const struct ovsrec_bridge **bridgep)
{
    OVSREC_BRIDGE_FOR_EACH (*bridgep, db->idl) {
        for (size_t i = 0; i < (*bridgep)->n_ports; i++) {
            const struct ovsrec_port *port = (*bridgep)->ports[i];

            for (size_t j = 0; j < port->n_interfaces; j++) {
                if (!strcmp(port->interfaces[j]->name, name)) {
                    return port;
                }
            }
        }
    }
    return NULL;
}

/* Touches only what differs, so that what somebody else changes at the same
 * time stays. */
static void
set_options(const struct ovsrec_interface *iface, const struct smap *options)
{
    struct smap_node *node;

    SMAP_FOR_EACH (node, options) {
        const char *old = smap_get(&iface->options, node->key);

        if (!old || strcmp(old, node->value)) {
            ovsrec_interface_update_options_setkey(iface, node->key,
                                                   node->value);
        }
    }
    SMAP_FOR_EACH (node, &iface->options) {
        if (!smap_get(options, node->key)) {
            ovsrec_interface_update_options_delkey(iface, node->key);
        }
    }
}

static void
set_comment(const struct ovsrec_interface *iface, const char *comment)
{
    if (!strcmp(smap_get_def(&iface->external_ids, COMMENT, ""), comment)) {
        return;
    }
    if (comment[0]) {
        ovsrec_interface_update_external_ids_setkey(iface, COMMENT, comment);
    } else {
        ovsrec_interface_update_external_ids_delkey(iface, COMMENT);
    }
}

/* Each puts a change into a transaction. */

static char *
put_add(struct eoip_ovsdb *db, struct ovsdb_idl_txn *txn,
        const struct eoip_change *change)
{
    struct ovsrec_interface *iface;
    struct ovsrec_port *port;
    char *error;

    error = eoip_ovsdb_check_free(db, change->bridge, change->name);
    if (error) {
        return error;
    }
    iface = ovsrec_interface_insert(txn);
    ovsrec_interface_set_name(iface, change->name);
    ovsrec_interface_set_type(iface, "eoip");
    ovsrec_interface_set_options(iface, change->options);
    set_comment(iface, change->comment);
    port = ovsrec_port_insert(txn);
    ovsrec_port_set_name(port, change->name);
    ovsrec_port_set_interfaces(port, &iface, 1);
    ovsrec_bridge_update_ports_addvalue(
        ovsdb_find_bridge(db, change->bridge), port);
    return NULL;
}

static char *
put_set(struct eoip_ovsdb *db, const struct eoip_change *change)
{
    const struct ovsrec_interface *iface
        = ovsdb_find_interface(db, change->name);

    if (!iface || !ovsdb_is_eoip(iface)) {
        return xasprintf("%s: the tunnel is gone meanwhile", change->name);
    }
    set_options(iface, change->options);
    set_comment(iface, change->comment);
    return NULL;
}

static char *
put_remove(struct eoip_ovsdb *db, const struct eoip_change *change)
{
    const struct ovsrec_bridge *bridge;
    const struct ovsrec_port *port = find_port(db, change->name, &bridge);

    if (!port) {
        return xasprintf("%s: the tunnel is gone meanwhile", change->name);
    }
    if (port->n_interfaces > 1) {
        return xasprintf("%s: the tunnel is a member of the bond %s: take it"
                         " out with ovs-vsctl first", change->name,
                         port->name);
    }
    /* What nothing refers to is removed by the database itself. */
    ovsrec_bridge_update_ports_delvalue(bridge, port);
    return NULL;
}

static char *
put_changes(struct eoip_ovsdb *db, struct ovsdb_idl_txn *txn,
            const struct eoip_change *changes, size_t n)
{
    char *error = NULL;

    for (size_t i = 0; i < n && !error; i++) {
        ovsdb_idl_txn_add_comment(txn, "eoip: %s", changes[i].name);
        error = (changes[i].bridge ? put_add(db, txn, &changes[i])
                 : changes[i].options ? put_set(db, &changes[i])
                 : put_remove(db, &changes[i]));
    }
    return error;
}

static enum ovsdb_idl_txn_status
commit(struct eoip_ovsdb *db, struct ovsdb_idl_txn *txn, long long int end)
{
    enum ovsdb_idl_txn_status status;

    while ((status = ovsdb_idl_txn_commit(txn)) == TXN_INCOMPLETE) {
        ovsdb_idl_txn_wait(txn);
        if (!ovsdb_block_until(db, end)) {
            break;
        }
    }
    return status;
}

/* Tries 'changes' once.  Stores what ovs-vswitchd has to catch up with, and
 * whether another try makes sense. */
static char *
try_changes(struct eoip_ovsdb *db, const struct eoip_change *changes, size_t n,
            long long int end, int64_t *next_cfg, bool *again)
{
    const struct ovsrec_open_vswitch *ovs = ovsrec_open_vswitch_first(db->idl);
    struct ovsdb_idl_txn *txn;
    char *error = NULL;

    *again = false;
    if (!ovs) {
        return xasprintf("the database at %s is empty: start Open vSwitch"
                         " with ovs-ctl or its service", db->remote);
    }
    txn = ovsdb_idl_txn_create(db->idl);
    error = put_changes(db, txn, changes, n);
    if (error) {
        ovsdb_idl_txn_abort(txn);
    } else {
        ovsdb_idl_txn_increment(txn, &ovs->header_,
                                &ovsrec_open_vswitch_col_next_cfg, false);
        switch (commit(db, txn, end)) {
        case TXN_SUCCESS:
            *next_cfg = ovsdb_idl_txn_get_increment_new_value(txn);
            break;
        case TXN_UNCHANGED:
            *next_cfg = 0;
            break;
        case TXN_TRY_AGAIN:
            *again = true;
            break;
        case TXN_INCOMPLETE:
            error = ovsdb_connection_error(db);
            ovsdb_idl_txn_abort(txn);
            break;
        case TXN_UNCOMMITTED:
        case TXN_ABORTED:
        case TXN_NOT_LOCKED:
        case TXN_ERROR:
        default:
            error = xasprintf("%s: the database refuses the change: %s",
                              changes[0].name, ovsdb_idl_txn_get_error(txn));
            break;
        }
    }
    ovsdb_idl_txn_destroy(txn);
    return error;
}

static char *
wait_for_vswitchd(struct eoip_ovsdb *db, int64_t next_cfg, long long int end)
{
    for (;;) {
        const struct ovsrec_open_vswitch *ovs;

        ovsdb_idl_run(db->idl);
        ovs = ovsrec_open_vswitch_first(db->idl);
        if (ovs && ovs->cur_cfg >= next_cfg) {
            return NULL;
        }
        if (!ovsdb_idl_is_alive(db->idl)) {
            return ovsdb_connection_error(db);
        }
        if (!ovsdb_block_until(db, end)) {
            return xasprintf("ovs-vswitchd has not taken the change within"
                             " %d seconds: start it, or give it more time"
                             " with --timeout=SECS", db->timeout_s);
        }
    }
}

/* An error after *committed became true leaves the change in the database. */
static char *
make_changes(struct eoip_ovsdb *db, const struct eoip_change *changes, size_t n,
             bool *committed)
{
    long long int end = ovsdb_deadline(db);
    int64_t next_cfg = 0;
    bool again;
    char *error;

    *committed = false;
    for (;;) {
        unsigned int seqno = ovsdb_idl_get_seqno(db->idl);

        error = try_changes(db, changes, n, end, &next_cfg, &again);
        if (error || !again) {
            break;
        }
        while (seqno == ovsdb_idl_get_seqno(db->idl)) {
            if (!ovsdb_idl_is_alive(db->idl) || !ovsdb_block_until(db, end)) {
                return ovsdb_connection_error(db);
            }
        }
    }
    if (!error) {
        *committed = true;
        error = wait_for_vswitchd(db, next_cfg, end);
    }
    return error;
}

/* What ovs-vswitchd says against the interfaces that were changed. */
static char *
refusal(const struct eoip_ovsdb *db, const struct eoip_change *changes,
        size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct ovsrec_interface *iface
            = ovsdb_find_interface(db, changes[i].name);
        const char *error = iface ? iface->error : NULL;
        size_t name_len = strlen(changes[i].name);

        if (error) {
            /* It begins with the name, as a rule. */
            return (!strncmp(error, changes[i].name, name_len)
                    && error[name_len] == ':'
                    ? xstrdup(error)
                    : xasprintf("%s: %s", changes[i].name, error));
        }
    }
    return NULL;
}

/* Makes 'undo' after 'error', and returns what is to be said.  Nobody waits
 * for ovs-vswitchd: what stopped the changes may stop this. */
static char *
take_back(struct eoip_ovsdb *db, const struct eoip_change *undo, size_t n,
          char *error)
{
    long long int end = ovsdb_deadline(db);
    char *undo_error, *both;
    int64_t next_cfg;
    bool again;

    do {
        undo_error = try_changes(db, undo, n, end, &next_cfg, &again);
    } while (!undo_error && again && ovsdb_idl_is_alive(db->idl)
             && ovsdb_block_until(db, end));
    if (!undo_error && !again) {
        return error;
    }
    if (!undo_error) {
        undo_error = ovsdb_connection_error(db);
    }
    both = xasprintf("%s; and it could not be undone: %s", error, undo_error);
    free(error);
    free(undo_error);
    return both;
}

char *
eoip_ovsdb_change(struct eoip_ovsdb *db, const struct eoip_change *changes,
                  size_t n)
{
    struct eoip_change *undo = xcalloc(n, sizeof *undo);
    struct smap *before = xcalloc(n, sizeof *before);
    char **comments = xcalloc(n, sizeof *comments);
    size_t n_undo = 0;
    bool committed;
    char *error;

    for (size_t i = 0; i < n; i++) {
        const struct ovsrec_interface *iface
            = ovsdb_find_interface(db, changes[i].name);

        smap_init(&before[i]);
        if (changes[i].bridge) {
            undo[n_undo++].name = changes[i].name;
        } else if (changes[i].options && iface) {
            smap_clone(&before[i], &iface->options);
            comments[i] = xstrdup(smap_get_def(&iface->external_ids, COMMENT,
                                               ""));
            undo[n_undo++] = (struct eoip_change) {
                changes[i].name, NULL, &before[i], comments[i]
            };
        }
    }
    error = make_changes(db, changes, n, &committed);
    if (!error) {
        error = refusal(db, changes, n);
    }
    if (error && committed && n_undo) {
        error = take_back(db, undo, n_undo, error);
    }
    for (size_t i = 0; i < n; i++) {
        smap_destroy(&before[i]);
        free(comments[i]);
    }
    free(comments);
    free(before);
    free(undo);
    return error;
}
