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

/* What a transaction shall change; 'options' is NULL to remove the port. */
struct change {
    const char *bridge;         /* NULL: the port exists. */
    const char *name;
    const struct smap *options;
};

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

/* Each puts a change into a transaction. */

static char *
put_add(struct eoip_ovsdb *db, struct ovsdb_idl_txn *txn,
        const struct change *change)
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
    port = ovsrec_port_insert(txn);
    ovsrec_port_set_name(port, change->name);
    ovsrec_port_set_interfaces(port, &iface, 1);
    ovsrec_bridge_update_ports_addvalue(
        ovsdb_find_bridge(db, change->bridge), port);
    return NULL;
}

static char *
put_set(struct eoip_ovsdb *db, const struct change *change)
{
    const struct ovsrec_interface *iface
        = ovsdb_find_interface(db, change->name);

    if (!iface || !ovsdb_is_eoip(iface)) {
        return xasprintf("%s: the tunnel is gone meanwhile", change->name);
    }
    ovsrec_interface_verify_options(iface);
    ovsrec_interface_set_options(iface, change->options);
    return NULL;
}

static char *
put_remove(struct eoip_ovsdb *db, const struct change *change)
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
put_change(struct eoip_ovsdb *db, struct ovsdb_idl_txn *txn,
           const struct change *change)
{
    return (change->bridge ? put_add(db, txn, change)
            : change->options ? put_set(db, change)
            : put_remove(db, change));
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

/* Tries 'change' once.  Stores what ovs-vswitchd has to catch up with, and
 * whether another try makes sense. */
static char *
try_change(struct eoip_ovsdb *db, const struct change *change,
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
    ovsdb_idl_txn_add_comment(txn, "eoip: %s", change->name);
    error = put_change(db, txn, change);
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
                              change->name, ovsdb_idl_txn_get_error(txn));
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
make_change(struct eoip_ovsdb *db, const struct change *change,
            bool *committed)
{
    long long int end = ovsdb_deadline(db);
    int64_t next_cfg = 0;
    bool again;
    char *error;

    *committed = false;
    for (;;) {
        unsigned int seqno = ovsdb_idl_get_seqno(db->idl);

        error = try_change(db, change, end, &next_cfg, &again);
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

/* Makes 'change', and makes 'undo' if that did not work out.  Nobody waits for
 * the latter: what stopped the one may stop the other. */
static char *
make_or_undo(struct eoip_ovsdb *db, const struct change *change,
             const struct change *undo, char **errorp)
{
    const struct ovsrec_interface *iface;
    bool committed, undone;
    int64_t next_cfg;
    bool again;
    char *error, *undo_error;

    *errorp = NULL;
    error = make_change(db, change, &committed);
    if (!error) {
        iface = ovsdb_find_interface(db, change->name);
        *errorp = iface ? nullable_xstrdup(iface->error) : NULL;
    }
    if ((!error || !committed) && !*errorp) {
        return error;
    }
    do {
        undo_error = try_change(db, undo, ovsdb_deadline(db), &next_cfg,
                                &again);
        undone = !undo_error;
    } while (undone && again && ovsdb_block_until(db, ovsdb_deadline(db)));
    if (!undone) {
        char *both = xasprintf("%s; and it could not be undone: %s",
                               error ? error : *errorp, undo_error);
        free(error);
        free(undo_error);
        return both;
    }
    return error;
}

char *
eoip_ovsdb_add(struct eoip_ovsdb *db, const char *bridge, const char *name,
               const struct smap *options, char **errorp)
{
    struct change change = { bridge, name, options };
    struct change undo = { NULL, name, NULL };

    return make_or_undo(db, &change, &undo, errorp);
}

char *
eoip_ovsdb_set(struct eoip_ovsdb *db, const char *name,
               const struct smap *options, char **errorp)
{
    const struct ovsrec_interface *iface = ovsdb_find_interface(db, name);
    struct smap before = SMAP_INITIALIZER(&before);
    struct change change = { NULL, name, options };
    struct change undo = { NULL, name, &before };
    char *error;

    if (iface) {
        smap_clone(&before, &iface->options);
    }
    error = make_or_undo(db, &change, &undo, errorp);
    smap_destroy(&before);
    return error;
}

char *
eoip_ovsdb_remove(struct eoip_ovsdb *db, const char *name)
{
    struct change change = { NULL, name, NULL };
    bool committed;

    return make_change(db, &change, &committed);
}
