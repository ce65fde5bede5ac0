/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The eoip ports of a database of Open vSwitch: see ovsdb.h and
 * ovsdb_client.h.
 */

#include "ovsdb_client.h"

#include <errno.h>

#include "openvswitch/poll-loop.h"
#include "ovsdb-idl.h"
#include "smap.h"
#include "timeval.h"
#include "util.h"
#include "vswitch-idl.h"

long long int
ovsdb_deadline(const struct eoip_ovsdb *db)
{
    return time_msec() + db->timeout_s * 1000LL;
}

bool
ovsdb_block_until(struct eoip_ovsdb *db, long long int deadline_ms)
{
    ovsdb_idl_wait(db->idl);
    poll_timer_wait_until(deadline_ms);
    poll_block();
    ovsdb_idl_run(db->idl);
    return time_msec() < deadline_ms;
}

char *
ovsdb_connection_error(const struct eoip_ovsdb *db)
{
    int error = ovsdb_idl_get_last_error(db->idl);
    return xasprintf("cannot talk to the database of Open vSwitch at %s (%s):"
                     " %s, or say with --db=SERVER where its database is",
                     db->remote,
                     error ? ovs_retval_to_string(error) : "no answer",
                     error == EACCES ? "run this as root"
                                     : "start Open vSwitch");
}

static void
add_columns(struct ovsdb_idl *idl)
{
    const struct ovsdb_idl_column *columns[] = {
        &ovsrec_open_vswitch_col_bridges,
        &ovsrec_open_vswitch_col_cur_cfg,
        &ovsrec_open_vswitch_col_next_cfg,
        &ovsrec_open_vswitch_col_iface_types,
        &ovsrec_open_vswitch_col_other_config,
        &ovsrec_bridge_col_name,
        &ovsrec_bridge_col_ports,
        &ovsrec_bridge_col_datapath_type,
        &ovsrec_bridge_col_rstp_enable,
        &ovsrec_bridge_col_stp_enable,
        &ovsrec_bridge_col_fail_mode,
        &ovsrec_bridge_col_controller,
        &ovsrec_port_col_name,
        &ovsrec_port_col_interfaces,
        &ovsrec_port_col_tag,
        &ovsrec_port_col_trunks,
        &ovsrec_interface_col_name,
        &ovsrec_interface_col_type,
        &ovsrec_interface_col_options,
        &ovsrec_interface_col_external_ids,
        &ovsrec_interface_col_status,
        &ovsrec_interface_col_error,
        &ovsrec_interface_col_link_state,
        &ovsrec_interface_col_statistics,
        &ovsrec_interface_col_status,
    };

    ovsdb_idl_add_table(idl, &ovsrec_table_open_vswitch);
    ovsdb_idl_add_table(idl, &ovsrec_table_bridge);
    ovsdb_idl_add_table(idl, &ovsrec_table_port);
    ovsdb_idl_add_table(idl, &ovsrec_table_interface);
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        ovsdb_idl_add_column(idl, columns[i]);
    }
}

char *
eoip_ovsdb_open(const char *remote, int timeout_s, struct eoip_ovsdb **dbp)
{
    struct eoip_ovsdb *db = xzalloc(sizeof *db);
    long long int end;
    char *error;

    db->remote = xstrdup(remote);
    db->timeout_s = timeout_s;
    db->idl = ovsdb_idl_create(remote, &ovsrec_idl_class, false, false);
    ovsdb_idl_set_leader_only(db->idl, false);
    add_columns(db->idl);

    end = ovsdb_deadline(db);
    ovsdb_idl_run(db->idl);
    while (!ovsdb_idl_has_ever_connected(db->idl)) {
        if (!ovsdb_idl_is_alive(db->idl) || !ovsdb_block_until(db, end)) {
            error = ovsdb_connection_error(db);
            eoip_ovsdb_close(db);
            return error;
        }
    }
    *dbp = db;
    return NULL;
}

void
eoip_ovsdb_close(struct eoip_ovsdb *db)
{
    if (db) {
        ovsdb_idl_destroy(db->idl);
        free(db->remote);
        free(db);
    }
}

/* Looking. */

bool
ovsdb_is_eoip(const struct ovsrec_interface *iface)
{
    return !strcmp(iface->type, "eoip");
}

static void
list_port(const struct ovsrec_bridge *bridge, const struct ovsrec_port *port,
          void (*each)(const struct eoip_port *, void *aux), void *aux)
{
    for (size_t i = 0; i < port->n_interfaces; i++) {
        const struct ovsrec_interface *iface = port->interfaces[i];
        struct eoip_port shown = {
            .name = iface->name,
            .bridge = bridge->name,
            .options = &iface->options,
            .external_ids = &iface->external_ids,
            .status = &iface->status,
            .error = iface->error,
            .link_state = iface->link_state,
            .counter_names = iface->key_statistics,
            .counter_values = iface->value_statistics,
            .n_counters = iface->n_statistics,
        };

        if (ovsdb_is_eoip(iface)) {
            each(&shown, aux);
        }
    }
}

char *
eoip_ovsdb_list(struct eoip_ovsdb *db,
                void (*each)(const struct eoip_port *, void *aux), void *aux)
{
    const struct ovsrec_bridge *bridge;

    ovsdb_idl_run(db->idl);
    if (!ovsdb_idl_is_alive(db->idl)) {
        return ovsdb_connection_error(db);
    }
    OVSREC_BRIDGE_FOR_EACH (bridge, db->idl) {
        for (size_t i = 0; i < bridge->n_ports; i++) {
            list_port(bridge, bridge->ports[i], each, aux);
        }
    }
    return NULL;
}

const struct ovsrec_bridge *
ovsdb_find_bridge(const struct eoip_ovsdb *db, const char *name)
{
    const struct ovsrec_bridge *bridge;

    OVSREC_BRIDGE_FOR_EACH (bridge, db->idl) {
        if (!strcmp(bridge->name, name)) {
            return bridge;
        }
    }
    return NULL;
}

const struct ovsrec_interface *
ovsdb_find_interface(const struct eoip_ovsdb *db, const char *name)
{
    const struct ovsrec_interface *iface;

    OVSREC_INTERFACE_FOR_EACH (iface, db->idl) {
        if (!strcmp(iface->name, name)) {
            return iface;
        }
    }
    return NULL;
}

static bool
has_port(const struct eoip_ovsdb *db, const char *name)
{
    const struct ovsrec_port *port;

    OVSREC_PORT_FOR_EACH (port, db->idl) {
        if (!strcmp(port->name, name)) {
            return true;
        }
    }
    return false;
}

char *
eoip_ovsdb_check_free(struct eoip_ovsdb *db, const char *bridge,
                      const char *name)
{
    if (!ovsdb_find_bridge(db, bridge)) {
        return xasprintf("there is no bridge %s: make it with \"ovs-vsctl"
                         " add-br %s\", or choose one of those that"
                         " \"ovs-vsctl list-br\" shows", bridge, bridge);
    }
    if (has_port(db, name) || ovsdb_find_interface(db, name)
        || ovsdb_find_bridge(db, name)) {
        return xasprintf("%s: Open vSwitch has a port of this name: choose"
                         " another with name IF, or \"eoip change\" that one"
                         " if it is a tunnel", name);
    }
    return NULL;
}

void
eoip_ovsdb_wait(struct eoip_ovsdb *db)
{
    ovsdb_idl_wait(db->idl);
}
