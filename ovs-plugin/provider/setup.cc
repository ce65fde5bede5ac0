// SPDX-License-Identifier: Apache-2.0

#include "setup.h"

#include <algorithm>

#include "util.h"
#include <config.h>
extern "C" {
#include "smap.h"
}

namespace eoip {
namespace {

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

}  // namespace

bool unresolved(const Endpoint &end, const std::optional<Address> &address)
{
    return (end.kind == Endpoint::Kind::host_name
            || end.kind == Endpoint::Kind::learn)
           && !address;
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

Setup resolve_all(const Config &config, eoip_resolver *resolve,
                  const Setup &old)
{
    Setup setup{config, {}, {}};
    if (keeps_remote(config, old.config)) {
        setup.remote = old.remote;
    }
    if (old.config.local == config.local) {
        setup.local = old.local;
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

}  // namespace eoip
