// SPDX-License-Identifier: Apache-2.0
//
// See ipsec.h.

#include "ipsec.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <string_view>

#include "tunnel.h"

#include "util.h"
#include <config.h>
extern "C" {
#include "smap.h"
#include "timeval.h"
}

namespace eoip {
namespace {

// The daemon repeats itself every 10 s.
constexpr Time kSilence{30000};

constexpr const char *kNoDaemon = "no-daemon";
constexpr std::array<std::string_view, 4> kStates = {kNoDaemon, "negotiating",
                                                     "up", "failed"};
constexpr std::size_t kTextMax = 1000;

const Setup &setup_of(const eoip_tunnel *tunnel, bool prepared)
{
    return prepared ? *tunnel->prepared : tunnel->setup();
}

// Returns what is wrong with 'value' of 'name', or "".
std::string take(std::string_view name, std::string_view value,
                 IpsecReport &report)
{
    const bool is_text =
        value.size() <= kTextMax
        && std::ranges::none_of(value, [](unsigned char c) {
               return c < ' ' || c == 0x7f;
           });
    if (name == "since") {
        long long since = 0;
        const char *end = value.data() + value.size();
        const auto [stop, error] = std::from_chars(value.data(), end, since);
        if (error != std::errc{} || stop != end || since < 0
            || since > 0xffffffff) {
            return "since: allowed are seconds since 1970";
        }
        report.since = since;
    } else if (name == "algorithms" || name == "reason") {
        if (!is_text) {
            return std::string(name)
                   + ": allowed are up to 1000 bytes without control "
                     "characters";
        }
        (name == "reason" ? report.reason : report.algorithms) = value;
    } else {
        return "allowed are since=, algorithms= and reason=";
    }
    return "";
}

// Whether a tunnel that was set up like 'a' may go on with the keys of 'b'.
bool is_same(const Setup &a, const Setup &b)
{
    return a.config.ipsec == b.config.ipsec && a.remote == b.remote
           && a.local == b.local;
}

}  // namespace

IpsecReport ipsec_report(const eoip_tunnel *tunnel)
{
    const IpsecState &state = tunnel->ipsec;
    IpsecReport report;

    if (tunnel->setup().config.ipsec.psk.empty()) {
        return report;
    }
    if (!is_same(state.about, tunnel->setup())
        || Time(time_msec()) - state.told_at > kSilence) {
        report.state = kNoDaemon;
        return report;
    }
    return state.told;
}

}  // namespace eoip

bool eoip_ipsec_peer(const eoip_tunnel *tunnel, bool prepared, in6_addr *peer)
{
    const eoip::Setup &setup = eoip::setup_of(tunnel, prepared);

    *peer = eoip::to_in6(setup.remote.value_or(eoip::Address{}));
    return !setup.config.ipsec.psk.empty();
}

bool eoip_ipsec_stays(const eoip_tunnel *tunnel)
{
    return eoip::is_same(*tunnel->prepared, tunnel->setup());
}

char *eoip_ipsec_conflict(const eoip_tunnel *tunnel, bool prepared,
                          const eoip_tunnel *other, const smap *options,
                          eoip_resolver *resolve)
{
    const eoip::Setup &mine = eoip::setup_of(tunnel, prepared);
    const auto later =
        options ? eoip::foresee(*other, options, resolve) : std::nullopt;
    const eoip::Setup &theirs = later ? *later : other->setup();
    const eoip::IpsecConfig &a = mine.config.ipsec;
    const eoip::IpsecConfig &b = theirs.config.ipsec;

    if (!mine.remote || mine.remote != theirs.remote || a == b
        || (a.psk.empty() && b.psk.empty())) {
        return nullptr;
    }
    const std::string peer = eoip::format_address(*mine.remote);
    const std::string why =
        a.psk.empty() ? "interface " + other->name + " has a psk for the peer "
                            + peer + ", and this one has none"
        : b.psk.empty()
            ? "interface " + other->name + " has the same peer " + peer
                  + " and no psk"
            : "psk, ike_version or proposals differ from those of interface "
                  + other->name + ", which has the same peer " + peer;
    return xstrdup((why + ": IPsec tells peers apart and not keys, so all "
                          "tunnels to one need the same, or none").c_str());
}

char *eoip_ipsec_tell(eoip_tunnel *tunnel, const char *state,
                      const char *const *words, size_t n)
{
    const auto *known = std::ranges::find(eoip::kStates, state);
    eoip::IpsecReport report;

    if (tunnel->setup().config.ipsec.psk.empty()) {
        return xasprintf("%s: the interface has no psk", tunnel->name.c_str());
    }
    if (known == eoip::kStates.end()) {
        return xasprintf("the state is one of no-daemon, negotiating, up and "
                         "failed");
    }
    report.state = *known;
    for (size_t i = 0; i < n; i++) {
        const std::string_view word = words[i];
        const std::size_t equals = std::min(word.find('='), word.size());
        const std::string fault = eoip::take(
            word.substr(0, equals),
            word.substr(std::min(equals + 1, word.size())), report);
        if (!fault.empty()) {
            return xstrdup(fault.c_str());
        }
    }
    tunnel->ipsec.told = report;
    tunnel->ipsec.about = tunnel->setup();
    tunnel->ipsec.told_at = eoip::Time(time_msec());
    return nullptr;
}

bool eoip_ipsec_changed(eoip_tunnel *tunnel)
{
    const eoip::IpsecReport now = eoip::ipsec_report(tunnel);
    const bool has_changed = now != tunnel->ipsec.last;

    tunnel->ipsec.last = now;
    return has_changed;
}

void eoip_ipsec_get_status(const eoip_tunnel *tunnel, smap *status)
{
    const eoip::IpsecReport report = eoip::ipsec_report(tunnel);

    smap_add(status, "ipsec_state", report.state.c_str());
    if (report.since) {
        smap_add(status, "ipsec_since",
                 eoip::format_time(*report.since).c_str());
    }
    if (!report.algorithms.empty()) {
        smap_add(status, "ipsec_algorithms", report.algorithms.c_str());
    }
    if (!report.reason.empty()) {
        smap_add(status, "ipsec_reason", report.reason.c_str());
    }
}
