/* SPDX-License-Identifier: Apache-2.0
 *
 * See packets_books.h. */

#include <config.h>

#include "packets_books.h"

#include <signal.h>

#include "dpif.h"
#include "eoip-hooks.h"
#include "fatal-signal.h"
#include "netdev-eoip.h"
#include "netdev.h"
#include "odp-util.h"
#include "reassemblers.h"
#include "smap.h"
#include "sset.h"
#include "tunnel.h"
#include "openvswitch/vlog.h"

struct netdev *netdevs[2];
struct books books;

static struct netdev *
open_tunnel(const char *name, const char *remote)
{
    struct smap options = SMAP_INITIALIZER(&options);
    struct netdev *netdev;
    char *error = NULL;

    smap_add(&options, "remote_ip", remote);
    smap_add_format(&options, "key", "%d", KEY);
    smap_add(&options, "keepalive", "none");
    smap_add(&options, "clamp_tcp_mss", "true");
    REQUIRE(!netdev_open(name, "eoip", &netdev));
    if (netdev_set_config(netdev, &options, &error)) {
        ovs_fatal(0, "%s: %s", name, error);
    }
    smap_destroy(&options);
    return netdev;
}

/* From now on the tunnels of 'type' are at 'port'. */
static void
add_port(const char *name, const char *type, uint32_t port)
{
    struct netdev *netdev;

    REQUIRE(!netdev_open(name, type, &netdev));
    eoip_hooks->port_added(netdev, u32_to_odp(port), NULL);
    netdev_close(netdev);
}

void
books_open(void)
{
    struct sset types = SSET_INITIALIZER(&types);
    struct smap settings = SMAP_INITIALIZER(&settings);

    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    /* The alarm is libFuzzer's, which takes what nobody else has taken. */
    fatal_signal_init();
    signal(SIGALRM, SIG_DFL);
    eoip_provider_register();
    dp_enumerate_types(&types);
    netdev_enumerate_types(&types);
    sset_destroy(&types);

    netdevs[0] = open_tunnel("e4", "192.0.2.1");
    netdevs[1] = open_tunnel("e6", "2001:db8::1");
    add_port("p4", "eoip", EOIP);
    add_port("g4", "gre", GRE);
    add_port("g6", "ip6gre", IP6GRE);

    /* What waits is let go of by the input, not because this process is slow. */
    smap_add(&settings, "eoip-reassembly-timeout", "60000");
    eoip_hooks->begin_config(&settings, NULL);
    smap_destroy(&settings);
}

/* What is counted as dropped, by all tunnels and for what no tunnel claims. */
struct drops {
    uint64_t rx, tx;
};

static struct drops
count_drops(void)
{
    struct drops drops = { 0, 0 };
    struct eoip_counters unclaimed;

    eoip_tunnel_get_counters(NULL, &unclaimed);
    for (int i = 0; i < EOIP_N_DROPS; i++) {
        *(eoip_drop_is_rx(i) ? &drops.rx : &drops.tx) += unclaimed.drops[i];
    }
    for (int i = 0; i < 2; i++) {
        struct netdev_stats stats;

        REQUIRE(!netdev_get_stats(netdevs[i], &stats));
        drops.rx += stats.rx_dropped;
        drops.tx += stats.tx_dropped;
    }
    return drops;
}

uint64_t
books_packet_drops(void)
{
    uint64_t n = count_drops().rx;
    struct eoip_reassembly reassembly;

    eoip_reassembly_get(&reassembly);
    for (int i = 0; i < EOIP_N_DROPS; i++) {
        n -= reassembly.drops[i];
    }
    return n;
}

static uint64_t
count_keepalives(void)
{
    struct eoip_counters counters;
    uint64_t n;

    eoip_tunnel_get_counters(NULL, &counters);
    n = counters.rx_keepalives;
    for (int i = 0; i < 2; i++) {
        eoip_tunnel_get_counters(netdev_eoip_tunnel(netdevs[i]), &counters);
        n += counters.rx_keepalives;
    }
    return n;
}

uint64_t
books_tx_drops(void)
{
    return count_drops().tx;
}

void
books_check(void)
{
    struct eoip_reassembly reassembly;
    struct drops drops = count_drops();

    eoip_reassembly_get(&reassembly);
    REQUIRE(books.received + reassembly.packets
            == books.frames + books.passed + count_keepalives() + drops.rx
               + reassembly.fragments + reassembly.duplicates
               + reassembly.unwanted + reassembly.waiting_fragments);
    REQUIRE(books.sent == books.whole + books.fragmented + drops.tx);
}
