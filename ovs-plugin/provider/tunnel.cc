// SPDX-License-Identifier: Apache-2.0
//
// Options in, tunnel out: see tunnel.h.

#include "tunnel.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "eoip/mss.h"

#include "util.h"
#include <config.h>
extern "C" {
#include "smap.h"
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

// 'before' is what 'end' had, to be kept if its name has no answer now: a name
// server that is silent is no reason to cut a tunnel.
std::optional<Address> address_of(const Endpoint &end, eoip_resolver *resolve,
                                  const std::optional<Address> &before)
{
    if (end.kind == Endpoint::Kind::address) {
        return end.address;
    }
    if (end.kind == Endpoint::Kind::learn) {
        return before;
    }
    if (end.kind != Endpoint::Kind::host_name) {
        return {};
    }
    in6_addr found;
    return resolve(end.host_name.c_str(), &found) ? to_address(found) : before;
}

// False if no tunnel can be between these two: of which one, or both, a host
// name was looked up.
bool fit_together(const Setup &setup)
{
    auto is_ipv6 = [](const std::optional<Address> &address) {
        return address && !address->is_ipv4();
    };
    auto is_short = [](const Key &key) {
        return key.flow || key.value <= EOIP6_KEY_MAX;
    };
    const bool ipv6 = is_ipv6(setup.remote) || is_ipv6(setup.local);
    const bool keys_fit =
        is_short(setup.config.in_key) && is_short(setup.config.out_key);

    return (!setup.remote || !setup.local
            || is_ipv6(setup.remote) == is_ipv6(setup.local))
           && (!ipv6 || keys_fit);
}

// True if what the remote end of 'old' stands for holds for 'config' as well.
// A peer was learned for one key and one local end.
bool keeps_remote(const Config &config, const Config &old)
{
    return config.remote == old.remote
           && (config.remote.kind != Endpoint::Kind::learn
               || (config.in_key == old.in_key && config.local == old.local));
}

// Looks up the host names in 'config', which may be new or the one in 'old'.
Setup resolve_all(const Config &config, eoip_resolver *resolve,
                  const std::optional<Setup> &old)
{
    Setup setup{config, {}, {}};
    if (old && keeps_remote(config, old->config)) {
        setup.remote = old->remote;
    }
    if (old && old->config.local == config.local) {
        setup.local = old->local;
    }
    setup.remote = address_of(config.remote, resolve, setup.remote);
    setup.local = address_of(config.local, resolve, setup.local);
    if (!fit_together(setup)) {
        // Then the names have no address that is of use.
        if (config.remote.kind == Endpoint::Kind::host_name) {
            setup.remote.reset();
        }
        if (config.local.kind == Endpoint::Kind::host_name) {
            setup.local.reset();
        }
    }
    return setup;
}

bool unresolved(const Endpoint &end, const std::optional<Address> &address)
{
    return (end.kind == Endpoint::Kind::host_name
            || end.kind == Endpoint::Kind::learn)
           && !address;
}

void add_endpoint(smap *options, const char *name, const Endpoint &end,
                  const Address &address)
{
    if (end.kind == Endpoint::Kind::flow) {
        smap_add(options, name, "flow");
    } else if (end.kind != Endpoint::Kind::any) {
        smap_add(options, name, format_address(address).c_str());
    }
}

// Stands for an end that has no address yet: no packet can come from there,
// since the userspace datapath drops what claims to as a martian, and the
// kernel module sends nothing there.  127.0.0.0/8 has room for every tunnel
// (127.0.0.0/16 is left out, as what a host sends to itself), and where the
// other end is one of IPv6, 100::/64, which is to be discarded (RFC 6666).
Address place_holder(const Setup &setup, std::uint32_t number)
{
    constexpr std::uint32_t kFirst = 0x7f010000;
    constexpr std::uint32_t kAddresses = 0x7fffffff - kFirst;
    const auto &end = setup.remote ? setup.remote : setup.local;
    const std::uint32_t place = kFirst + number % kAddresses;
    Address address = Address::from_ipv4(place);

    if (end && !end->is_ipv4()) {
        std::fill_n(address.bytes.begin(), 12, std::uint8_t{0});
        address.bytes[0] = 1;
    }
    return address;
}

// Everything is said in full: where OVS has a default, ours may differ.
void add_ovs_options(smap *options, const Setup &setup, std::uint32_t number)
{
    const Config &config = setup.config;
    const Address nowhere = place_holder(setup, number);

    add_endpoint(options, "remote_ip", config.remote,
                 setup.remote.value_or(nowhere));
    add_endpoint(options, "local_ip", config.local,
                 setup.local.value_or(nowhere));
    for (const char *name :
         {"in_key", "out_key", "ttl", "tos", "df_default"}) {
        smap_add(options, name, format_option(name, config).c_str());
    }
    if (config.egress_pkt_mark) {
        smap_add(options, "egress_pkt_mark",
                 format_option("egress_pkt_mark", config).c_str());
    }
}

eoip_match match_of(const Setup &setup, std::uint32_t number)
{
    const Config &config = setup.config;
    const Address nowhere = place_holder(setup, number);
    eoip_match match{};

    match.remote_flow = config.remote.kind == Endpoint::Kind::flow;
    if (!match.remote_flow) {
        match.remote = to_in6(setup.remote.value_or(nowhere));
    }
    match.local_flow = config.local.kind == Endpoint::Kind::flow;
    if (!match.local_flow && config.local.kind != Endpoint::Kind::any) {
        match.local = to_in6(setup.local.value_or(nowhere));
    }
    match.key_flow = config.in_key.flow;
    match.key = match.key_flow ? 0 : config.in_key.value;
    return match;
}

}  // namespace

void prepare(eoip_tunnel &tunnel, const Setup &setup, smap *ovs_options,
             eoip_match *match)
{
    tunnel.prepared = setup;
    add_ovs_options(ovs_options, setup, tunnel.number);
    *match = match_of(setup, tunnel.number);
}

bool Setup::resolved() const
{
    return !unresolved(config.remote, remote)
           && !unresolved(config.local, local);
}

bool Setup::has_names() const
{
    return config.remote.kind == Endpoint::Kind::host_name
           || config.local.kind == Endpoint::Kind::host_name;
}

}  // namespace eoip

eoip_tunnel::eoip_tunnel(const char *name_)
    : name(name_), number(1 + eoip::next_number.fetch_add(1))
{
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

static eoip::ParsedOptions parse(const smap *options)
{
    std::vector<eoip::Option> given;
    const smap_node **nodes = smap_sort(options);
    for (std::size_t i = 0; i < smap_count(options); i++) {
        given.push_back({nodes[i]->key, nodes[i]->value});
    }
    free(nodes);
    return eoip::parse_options(given);
}

char *eoip_tunnel_prepare(eoip_tunnel *tunnel, const smap *options,
                          eoip_resolver *resolve, smap *ovs_options,
                          eoip_match *match)
{
    const auto parsed = parse(options);
    if (parsed.errors.empty()) {
        eoip::prepare(*tunnel,
                      eoip::resolve_all(parsed.config, resolve, tunnel->setup),
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
    const auto parsed = parse(options);
    if (!parsed.errors.empty()) {
        return false;
    }
    *match = eoip::match_of(
        eoip::resolve_all(parsed.config, resolve, tunnel->setup),
        tunnel->number);
    *learns = parsed.config.remote.kind == eoip::Endpoint::Kind::learn;
    return true;
}

void eoip_tunnel_commit(eoip_tunnel *tunnel)
{
    tunnel->setup = tunnel->prepared;
    tunnel->resolved = tunnel->prepared.resolved();
    tunnel->clamp_mss = tunnel->prepared.config.clamp_tcp_mss;
    tunnel->inherit_df = tunnel->prepared.config.inherit_df;
    tunnel->any_remote =
        tunnel->prepared.config.remote.kind == eoip::Endpoint::Kind::flow;
    eoip::learning_commit(tunnel);
}

bool eoip_tunnel_has_any_remote(const eoip_tunnel *tunnel)
{
    return tunnel->any_remote.load(std::memory_order_relaxed);
}

bool eoip_tunnel_inherits_df(const eoip_tunnel *tunnel)
{
    return tunnel->inherit_df.load(std::memory_order_relaxed);
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
    return tunnel->clamp_mss.load(std::memory_order_relaxed);
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
    const eoip::Setup setup =
        eoip::resolve_all(tunnel->setup->config, resolve, tunnel->setup);
    if (setup == *tunnel->setup) {
        return false;
    }
    eoip::prepare(*tunnel, setup, ovs_options, match);
    return true;
}

bool eoip_tunnel_is_resolved(const eoip_tunnel *tunnel)
{
    return tunnel->resolved.load(std::memory_order_relaxed);
}

bool eoip_tunnel_has_names(const eoip_tunnel *tunnel)
{
    return tunnel->setup && tunnel->setup->has_names();
}

void eoip_tunnel_correct_config(const eoip_tunnel *tunnel, smap *config)
{
    if (!tunnel->setup) {
        return;
    }
    const eoip::Setup &setup = *tunnel->setup;
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
    add("remote_address", tunnel->setup->config.remote, tunnel->setup->remote);
    add("local_address", tunnel->setup->config.local, tunnel->setup->local);
}

static void add_learned(const eoip_tunnel *tunnel, smap *status)
{
    if (!tunnel->setup
        || tunnel->setup->config.remote.kind != eoip::Endpoint::Kind::learn) {
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
    add_addresses(tunnel, status);
    add_learned(tunnel, status);
    eoip_keepalive_get_status(tunnel, status);
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
