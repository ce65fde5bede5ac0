/* SPDX-License-Identifier: Apache-2.0
 *
 * What is said of tunnels: status and statistics for OVSDB and OpenFlow, and
 * ovs-appctl eoip/show and eoip/version. */

#include <config.h>

#include "netdev-eoip.h"

#include "eoip-hooks.h"
#include "netdev-vport.h"
#include "show.h"
#include "smap.h"
#include "unixctl.h"
#include "versions.h"

int
eoip_get_config(const struct netdev *netdev, struct smap *config)
{
    const struct netdev_eoip *dev = netdev_eoip_cast(netdev);
    int error = eoip_common.get_config(netdev, config);

    if (!error && dev->tunnel) {
        eoip_tunnel_correct_config(dev->tunnel, config);
    }
    return error;
}

int
eoip_get_status(const struct netdev *netdev, struct smap *status)
{
    const struct netdev_eoip *dev = netdev_eoip_cast(netdev);

    if (dev->tunnel) {
        eoip_tunnel_get_status(dev->tunnel, status);
    }
    return eoip_common.get_status(netdev, status);
}

int
eoip_get_stats(const struct netdev *netdev, struct netdev_stats *stats)
{
    const struct netdev_eoip *dev = netdev_eoip_cast(netdev);
    int error = eoip_common.get_stats(netdev, stats);

    if (!error && match_is_in_kernel(netdev)) {
        /* Known of the device only that all tunnels share. */
        stats->rx_dropped = stats->tx_dropped = UINT64_MAX;
    } else if (!error && dev->tunnel) {
        struct eoip_counters counters;

        eoip_tunnel_get_counters(dev->tunnel, &counters);
        stats->rx_packets = counters.rx_packets;
        stats->rx_bytes = counters.rx_bytes;
        stats->tx_packets = counters.tx_packets;
        stats->tx_bytes = counters.tx_bytes;
        stats->rx_dropped = stats->tx_dropped = 0;
        for (int i = 0; i < EOIP_N_DROPS; i++) {
            *(eoip_drop_is_rx(i) ? &stats->rx_dropped : &stats->tx_dropped)
                += counters.drops[i];
        }
    }
    return error;
}

static void
add_custom(struct netdev_custom_stats *custom, uint64_t value,
           const char *name)
{
    struct netdev_custom_counter *counter = &custom->counters[custom->size++];

    counter->value = value;
    ovs_strlcpy(counter->name, name, sizeof counter->name);
}

int
eoip_get_custom_stats(const struct netdev *netdev,
                      struct netdev_custom_stats *custom)
{
    const struct netdev_eoip *dev = netdev_eoip_cast(netdev);
    struct eoip_counters counters;

    custom->size = 0;
    custom->counters = NULL;
    if (!dev->tunnel || match_is_in_kernel(netdev)) {
        return 0;
    }
    /* Without those of keepalives: what changes costs a write to the database
     * for each port, whose statistics stand still otherwise. */
    custom->counters = xcalloc(EOIP_N_DROPS + 1, sizeof *custom->counters);
    eoip_tunnel_get_counters(dev->tunnel, &counters);
    add_custom(custom, counters.rx_trimmed, "rx_trimmed");
    for (int i = 0; i < EOIP_N_DROPS; i++) {
        if (!eoip_drop_is_fragment(i)) {
            add_custom(custom, counters.drops[i], eoip_drop_counter(i));
        }
    }
    return 0;
}

static bool
describe(struct netdev_eoip *dev, struct eoip_shown *shown)
{
    struct netdev_stats stats;

    if (!dev->node || eoip_get_stats(&dev->vport.up, &stats)) {
        return false;   /* The datapath's own port, or not configured. */
    }
    *shown = (struct eoip_shown) {
        .tunnel = dev->tunnel,
        .name = netdev_get_name(&dev->vport.up),
        .in_kernel = match_is_in_kernel(&dev->vport.up),
        .rx_packets = stats.rx_packets,
        .rx_bytes = stats.rx_bytes,
        .tx_packets = stats.tx_packets,
        .tx_bytes = stats.tx_bytes,
    };
    return true;
}

static int
compare_shown(const void *a_, const void *b_)
{
    const struct eoip_shown *a = a_;
    const struct eoip_shown *b = b_;

    return strcmp(a->name, b->name);
}

/* Parses the arguments of eoip/show.  Returns NULL and stores whether JSON is
 * asked for and the port, or NULL for all of them; or returns an error, which
 * the caller must free. */
static char *
parse_show(int argc, const char *argv[], bool *json, const char **port)
{
    *json = false;
    *port = NULL;
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];

        if (!strcmp(arg, "-f") || !strcmp(arg, "--format")) {
            const char *format = i + 1 < argc ? argv[++i] : "";

            if (strcmp(format, "json") && strcmp(format, "text")) {
                return xasprintf("%s %s: the format is \"text\" or \"json\"",
                                 arg, format);
            }
            *json = !strcmp(format, "json");
        } else if (arg[0] == '-') {
            return xasprintf("unknown option %s: there is only "
                             "-f (or --format) text|json", arg);
        } else if (*port) {
            return xasprintf("%s: only one port can be named", arg);
        } else {
            *port = arg;
        }
    }
    return NULL;
}

static void
eoip_show(struct unixctl_conn *conn, int argc, const char *argv[],
          void *aux OVS_UNUSED)
{
    struct eoip_shown *shown;
    struct netdev **vports;
    size_t n_vports, n = 0;
    const char *port;
    char *reply;
    bool json;

    reply = parse_show(argc, argv, &json, &port);
    if (reply) {
        unixctl_command_reply_error(conn, reply);
        free(reply);
        return;
    }

    eoip_path_refresh();
    vports = netdev_get_vports(&n_vports);
    shown = xcalloc(n_vports + 1, sizeof *shown);
    for (size_t i = 0; i < n_vports; i++) {
        if (eoip_is_type(vports[i])
            && (!port || !strcmp(port, netdev_get_name(vports[i])))) {
            n += describe(netdev_eoip_cast(vports[i]), &shown[n]);
        }
    }
    if (port && !n) {
        reply = xasprintf("%s: there is no eoip interface of this name", port);
        unixctl_command_reply_error(conn, reply);
    } else {
        qsort(shown, n, sizeof *shown, compare_shown);
        reply = eoip_show_format(shown, n, !port, json);
        unixctl_command_reply(conn, reply);
    }
    free(reply);
    free(shown);
    for (size_t i = 0; i < n_vports; i++) {
        netdev_close(vports[i]);
    }
    free(vports);
}

static void
eoip_version(struct unixctl_conn *conn, int argc OVS_UNUSED,
             const char *argv[] OVS_UNUSED, void *aux OVS_UNUSED)
{
    char *reply = eoip_version_format();

    unixctl_command_reply(conn, reply);
    free(reply);
}

void
eoip_report_init(void)
{
    eoip_version_log(false);
    unixctl_command_register("eoip/version", "", 0, 0, eoip_version, NULL);
    unixctl_command_register("eoip/show", "[-f text|json] [port]", 0, 3,
                             eoip_show, NULL);
}
