// SPDX-License-Identifier: Apache-2.0
//
// Options in, tunnel out: see tunnel.h.

#include "tunnel.h"

#include <atomic>
#include <ctime>
#include <utility>
#include <vector>

#include "eoip/mss.h"
#include "reassemblers.h"
#include "state_report.h"

#include "util.h"
#include <config.h>
extern "C" {
#include "smap.h"
#include "timeval.h"
}
#include "log.h"

namespace eoip {

namespace {

Counters unclaimed;

// Of tunnels that were made.
std::atomic<std::uint32_t> next_number;

Counters &counters_of(eoip_tunnel *tunnel)
{
    return tunnel ? tunnel->counters : unclaimed;
}

const Counters &counters_of(const eoip_tunnel *tunnel)
{
    return tunnel ? tunnel->counters : unclaimed;
}

// Adds the moment 'when', of time_msec(), as the time of day.
void add_time(smap *status, const char *name, Time when)
{
    const long long ms = time_wall_msec() - (time_msec() - when.count());

    smap_add(status, name, format_time(ms / 1000).c_str());
}

ParsedOptions parse(const smap *options)
{
    std::vector<Option> given;
    const smap_node **nodes = smap_sort(options);
    for (std::size_t i = 0; i < smap_count(options); i++) {
        given.push_back({nodes[i]->key, nodes[i]->value});
    }
    free(nodes);
    return parse_options(given);
}

}  // namespace

std::string format_time(std::time_t seconds)
{
    char text[sizeof "2000-01-01T00:00:00Z"];
    std::tm tm;

    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &tm));
    return text;
}

std::optional<Setup> foresee(const eoip_tunnel &tunnel, const smap *options,
                             eoip_resolver *resolve)
{
    const auto parsed = parse(options);
    return parsed.errors.empty()
               ? std::optional(resolve_all(parsed.config, resolve,
                                           tunnel.setup()))
               : std::nullopt;
}

void prepare(eoip_tunnel &tunnel, Setup setup, smap *ovs_options,
             eoip_match *match)
{
    add_ovs_options(ovs_options, setup, tunnel.number);
    *match = match_of(setup, tunnel.number);
    tunnel.prepared = std::make_unique<Setup>(std::move(setup));
}

}  // namespace eoip

eoip_tunnel::eoip_tunnel(const char *name_)
    : name(name_), number(1 + eoip::next_number.fetch_add(1))
{
}

eoip_tunnel::~eoip_tunnel()
{
    delete in_force.load();
}

bool eoip_can_be_remote(const in6_addr *address)
{
    const eoip::Address end = eoip::to_address(*address);
    return end.is_host() && !end.is_link_local();
}

eoip_tunnel *eoip_tunnel_create(const char *name)
{
    return new eoip_tunnel(name);
}

void eoip_tunnel_destroy(eoip_tunnel *tunnel)
{
    eoip::keepalive_forget();
    delete tunnel;
}

const char *eoip_tunnel_name(const eoip_tunnel *tunnel)
{
    return tunnel->name.c_str();
}

uint32_t eoip_tunnel_number(const eoip_tunnel *tunnel)
{
    return tunnel->number;
}

char *eoip_tunnel_prepare(eoip_tunnel *tunnel, const smap *options,
                          eoip_resolver *resolve, smap *ovs_options,
                          eoip_match *match)
{
    const auto parsed = eoip::parse(options);
    if (parsed.errors.empty()) {
        eoip::prepare(*tunnel,
                      eoip::resolve_all(parsed.config, resolve, tunnel->setup()),
                      ovs_options, match);
        return nullptr;
    }

    std::string all = tunnel->name + ": ";
    for (const auto &error : parsed.errors) {
        all += (&error == &parsed.errors.front() ? "" : "; ") + error;
    }
    return xstrdup(all.c_str());
}

bool eoip_tunnel_foresee(const eoip_tunnel *tunnel, const smap *options,
                         eoip_resolver *resolve, eoip_match *match,
                         bool *learns)
{
    const auto setup = eoip::foresee(*tunnel, options, resolve);
    if (!setup) {
        return false;
    }
    *match = eoip::match_of(*setup, tunnel->number);
    *learns = setup->learns();
    return true;
}

void eoip_tunnel_commit(eoip_tunnel *tunnel,
                        void (*postpone)(void (*function)(void *aux),
                                         void *aux))
{
    postpone(
        [](void *setup) { delete static_cast<eoip::Setup *>(setup); },
        tunnel->in_force.exchange(tunnel->prepared.release()));
    eoip::learning_commit(tunnel);
}

bool eoip_tunnel_has_any_remote(const eoip_tunnel *tunnel)
{
    return tunnel->setup().any_remote();
}

bool eoip_tunnel_has_psk(const eoip_tunnel *tunnel)
{
    return !tunnel->setup().config.ipsec.psk.empty();
}

void eoip_tunnel_get_ends(const eoip_tunnel *tunnel, in6_addr *remote,
                          in6_addr *local, uint32_t *mark)
{
    const eoip::Setup &setup = tunnel->setup();
    const eoip::Address none{};

    *remote = eoip::to_in6(setup.remote.value_or(none));
    *local = eoip::to_in6(setup.local.value_or(none));
    *mark = setup.config.egress_pkt_mark.value_or(0);
}

bool eoip_tunnel_inherits_df(const eoip_tunnel *tunnel)
{
    return tunnel->setup().config.inherit_df;
}

static void set_underlay_mtu(eoip_tunnel &tunnel, int mtu)
{
    if (tunnel.underlay_mtu.load(std::memory_order_relaxed) != mtu) {
        tunnel.underlay_mtu.store(mtu, std::memory_order_relaxed);
        VLOG_DBG("%s: the underlay's MTU is %d", tunnel.name.c_str(), mtu);
    }
}

bool eoip_tunnel_clamps_mss(const eoip_tunnel *tunnel)
{
    return tunnel->setup().config.clamp_tcp_mss;
}

void eoip_tunnel_clamp_mss(const eoip_tunnel *tunnel, size_t outer_hlen,
                           void *frame, size_t n_bytes)
{
    const int overhead = static_cast<int>(outer_hlen) + 14;
    const int mtu = tunnel->underlay_mtu.load(std::memory_order_relaxed);

    if (eoip_tunnel_clamps_mss(tunnel) && mtu > overhead) {
        eoip::clamp_mss({static_cast<std::uint8_t *>(frame), n_bytes},
                        static_cast<std::size_t>(mtu - overhead));
    }
}

bool eoip_tunnel_resolve(eoip_tunnel *tunnel, eoip_resolver *resolve,
                         smap *ovs_options, eoip_match *match)
{
    if (!eoip_tunnel_has_names(tunnel)) {
        return false;
    }
    const eoip::Setup &now = tunnel->setup();
    eoip::Setup setup = eoip::resolve_all(now.config, resolve, now);
    if (setup == now) {
        return false;
    }
    eoip::prepare(*tunnel, std::move(setup), ovs_options, match);
    return true;
}

bool eoip_tunnel_is_resolved(const eoip_tunnel *tunnel)
{
    return tunnel->setup().resolved();
}

bool eoip_tunnel_has_names(const eoip_tunnel *tunnel)
{
    return tunnel->setup().has_names();
}

void eoip_tunnel_correct_config(const eoip_tunnel *tunnel, smap *config)
{
    const eoip::Setup &setup = tunnel->setup();
    auto correct = [config](const char *name, const eoip::Endpoint &end,
                            const std::optional<eoip::Address> &address) {
        if (eoip::unresolved(end, address)) {
            smap_replace(config, name, eoip::format_endpoint(end).c_str());
        }
    };
    correct("remote_ip", setup.config.remote, setup.remote);
    correct("local_ip", setup.config.local, setup.local);
}

static void add_addresses(const eoip_tunnel *tunnel, smap *status)
{
    if (!eoip_tunnel_has_names(tunnel)) {
        return;
    }
    auto add = [&](const char *name, const eoip::Endpoint &end,
                   const std::optional<eoip::Address> &address) {
        if (end.kind == eoip::Endpoint::Kind::host_name) {
            smap_add(status, name,
                     address ? eoip::format_address(*address).c_str()
                             : "unresolved");
        }
    };
    const eoip::Setup &setup = tunnel->setup();
    add("remote_address", setup.config.remote, setup.remote);
    add("local_address", setup.config.local, setup.local);
}

static void add_learned(const eoip_tunnel *tunnel, smap *status)
{
    if (!tunnel->setup().learns()) {
        return;
    }
    const eoip::LearningReport report = eoip::learning_report(tunnel);
    smap_add(status, "learned_peer",
             report.peer ? eoip::format_address(*report.peer).c_str()
                         : "none");
    if (report.peer) {
        eoip::add_time(status, "learned_since", report.since);
    }
}

void eoip_tunnel_get_status(const eoip_tunnel *tunnel, smap *status)
{
    const eoip::StateReport report = eoip::state_report(tunnel);

    smap_add(status, "state", eoip::state_name(report.state));
    if (!report.reason.empty()) {
        smap_add(status, "reason", report.reason.c_str());
    }
    add_addresses(tunnel, status);
    add_learned(tunnel, status);
    eoip_ipsec_get_status(tunnel, status);
    eoip_keepalive_get_status(tunnel, status);
}

void eoip_keepalive_get_status(const eoip_tunnel *tunnel, smap *status)
{
    const eoip::KeepaliveReport report = eoip::keepalive_report(tunnel);

    smap_add(status, "keepalive_state", report.keepalive_state);
    eoip::add_time(status, "keepalive_since", report.since);
    if (report.heard) {
        eoip::add_time(status, "keepalive_last_heard", *report.heard);
    }
}

void eoip_tunnel_count_drop(eoip_tunnel *tunnel, eoip_drop drop)
{
    eoip::count(eoip::counters_of(tunnel).drops[drop]);
}

void eoip_tunnel_count_rx(eoip_tunnel *tunnel, uint64_t packets,
                          uint64_t bytes)
{
    eoip::Counters &counters = eoip::counters_of(tunnel);
    eoip::count(counters.rx_packets, packets);
    eoip::count(counters.rx_bytes, bytes);
}

void eoip_tunnel_count_tx(eoip_tunnel *tunnel, uint64_t packets,
                          uint64_t bytes, int mtu)
{
    eoip::Counters &counters = eoip::counters_of(tunnel);
    eoip::count(counters.tx_packets, packets);
    eoip::count(counters.tx_bytes, bytes);
    if (tunnel && mtu) {
        set_underlay_mtu(*tunnel, mtu);
    }
}

void eoip_tunnel_count_keepalive(eoip_tunnel *tunnel)
{
    eoip::count(eoip::counters_of(tunnel).rx_keepalives);
}

void eoip_tunnel_count_trimmed(eoip_tunnel *tunnel)
{
    eoip::count(eoip::counters_of(tunnel).rx_trimmed);
}

void eoip_tunnel_get_counters(const eoip_tunnel *tunnel,
                              eoip_counters *counters)
{
    const eoip::Counters &from = eoip::counters_of(tunnel);

    for (int i = 0; i < EOIP_N_DROPS; i++) {
        counters->drops[i] = from.drops[i].load(std::memory_order_relaxed);
    }
    counters->rx_keepalives =
        from.rx_keepalives.load(std::memory_order_relaxed);
    counters->rx_trimmed = from.rx_trimmed.load(std::memory_order_relaxed);
    counters->tx_keepalives =
        from.tx_keepalives.load(std::memory_order_relaxed);
    counters->rx_packets = from.rx_packets.load(std::memory_order_relaxed);
    counters->rx_bytes = from.rx_bytes.load(std::memory_order_relaxed);
    counters->tx_packets = from.tx_packets.load(std::memory_order_relaxed);
    counters->tx_bytes = from.tx_bytes.load(std::memory_order_relaxed);
    if (!tunnel) {
        eoip_reassembly reassembly;
        eoip_reassembly_get(&reassembly);
        for (int i = 0; i < EOIP_N_DROPS; i++) {
            counters->drops[i] += reassembly.drops[i];
        }
    }
}
