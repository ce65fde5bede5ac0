/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The switch, its bridges and interfaces, for "eoip check": see ovsdb.h.
 */

#include "ovsdb_client.h"

#include "openvswitch/dynamic-string.h"
#include "ovsdb-idl.h"
#include "smap.h"
#include "util.h"
#include "vswitch-idl.h"

static void
look_at_switch(const struct ovsrec_open_vswitch *row, struct eoip_switch *out)
{
    *out = (struct eoip_switch) {
        .takes_segments = smap_get_bool(&row->other_config,
                                        "userspace-tso-enable", false),
    };
    for (size_t i = 0; i < row->n_iface_types; i++) {
        out->has_eoip |= !strcmp(row->iface_types[i], "eoip");
    }
}

static char *
vlans_of(const struct ovsrec_port *port)
{
    struct ds text = DS_EMPTY_INITIALIZER;

    if (port->n_tag) {
        ds_put_format(&text, "tag %"PRId64, *port->tag);
    }
    for (size_t i = 0; i < port->n_trunks; i++) {
        ds_put_format(&text, "%s%"PRId64, i ? "," : "trunks ",
                      port->trunks[i]);
    }
    return ds_steal_cstr(&text);
}

static void
look_at_port(const struct ovsrec_bridge *bridge,
             const struct ovsrec_port *port,
             void (*each)(const struct eoip_interface *, void *aux),
             void *aux)
{
    char *vlans = vlans_of(port);

    for (size_t i = 0; i < port->n_interfaces; i++) {
        const struct ovsrec_interface *row = port->interfaces[i];
        const struct eoip_interface shown = {
            .name = row->name,
            .type = row->type,
            .bridge = bridge->name,
            .port = port->name,
            .vlans = vlans,
            .status = &row->status,
        };

        each(&shown, aux);
    }
    free(vlans);
}

char *
eoip_ovsdb_look(struct eoip_ovsdb *db, struct eoip_switch *out,
                void (*each_bridge)(const struct eoip_bridge *, void *aux),
                void (*each_interface)(const struct eoip_interface *,
                                       void *aux),
                void *aux)
{
    const struct ovsrec_open_vswitch *row;
    const struct ovsrec_bridge *bridge;

    ovsdb_idl_run(db->idl);
    row = ovsrec_open_vswitch_first(db->idl);
    if (!ovsdb_idl_is_alive(db->idl) || !row) {
        return ovsdb_connection_error(db);
    }
    look_at_switch(row, out);
    OVSREC_BRIDGE_FOR_EACH (bridge, db->idl) {
        const struct eoip_bridge shown = {
            .name = bridge->name,
            .datapath_type = bridge->datapath_type,
            .spanning_tree = bridge->rstp_enable || bridge->stp_enable,
            .controlled = bridge->n_controller
                          || (bridge->fail_mode
                              && !strcmp(bridge->fail_mode, "secure")),
        };

        each_bridge(&shown, aux);
        for (size_t i = 0; i < bridge->n_ports; i++) {
            look_at_port(bridge, bridge->ports[i], each_interface, aux);
        }
    }
    return NULL;
}
