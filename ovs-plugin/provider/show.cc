// SPDX-License-Identifier: Apache-2.0
//
// ovs-appctl eoip/show: JSON for programs, and text for people that is written
// from it.  Called by report.c in the main thread.

#include "kernel_device.h"
#include "packet_sockets.h"
#include "reassemblers.h"
#include "show.h"
#include "state_report.h"
#include "tunnel.h"
#include "versions.h"

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eoip/age.h"
#include "util.h"
#include <config.h>
extern "C" {
#include "openvswitch/json.h"
#include "openvswitch/shash.h"
}

namespace eoip {
namespace {

// With what a name stands for, or who was learned.
std::string endpoint_text(const Endpoint &end,
                          const std::optional<Address> &address)
{
    const bool learns = end.kind == Endpoint::Kind::learn;
    const std::string text = format_endpoint(end);
    return learns || end.kind == Endpoint::Kind::host_name
               ? text + " ("
                     + (address  ? format_address(*address)
                        : learns ? "nobody yet"
                                 : "unresolved")
                     + ")"
               : text;
}

// The device that all tunnels of the kernel datapath share.
constexpr const char *kKernelDevice = "eoip_sys";

// Writing JSON.

void put(json *object, const char *name, long long value)
{
    json_object_put(object, name, json_integer_create(value));
}

void put(json *object, const char *name, const std::string &value)
{
    json_object_put_string(object, name, value.c_str());
}

void put_any(json *object, const char *name, const std::string &value)
{
    if (!value.empty()) {
        put(object, name, value);
    }
}

json *keepalive_json(const eoip_tunnel *tunnel)
{
    const auto &config = tunnel->setup().config.keepalive;
    const KeepaliveReport report = keepalive_report(tunnel);
    json *object = json_object_create();
    put(object, "state", report.keepalive_state);
    if (config && !report.flow_based) {
        put(object, "interval", config->interval.count() / 1000);
        put(object, "retries", config->retries);
        put(object, "state_age_ms", (report.now - report.since).count());
        put_any(object, "error", report.not_sent);
    }
    if (report.heard) {
        put(object, "heard_ago_ms", (report.now - *report.heard).count());
    }
    return object;
}

json *learning_json(const eoip_tunnel *tunnel)
{
    const LearningReport report = learning_report(tunnel);
    json *object = json_object_create();

    put(object, "learn_after",
        tunnel->setup().config.learn_after.count() / 1000);
    put(object, "not_the_peer", static_cast<long long>(report.not_the_peer));
    if (report.peer) {
        put(object, "peer", format_address(*report.peer));
        put(object, "peer_age_ms", (report.now - report.since).count());
        put(object, "silent_ms", report.silent.count());
    }
    return object;
}

json *ipsec_json(const eoip_tunnel *tunnel)
{
    const IpsecReport report = ipsec_report(tunnel);
    json *object = json_object_create();
    put(object, "state", report.state);
    put_any(object, "since", report.since ? format_time(*report.since) : "");
    put_any(object, "algorithms", report.algorithms);
    put_any(object, "reason", report.reason);
    return object;
}

json *key_json(const Key &key)
{
    return key.flow ? json_string_create("flow")
                    : json_integer_create(key.value);
}

// Of a tunnel, or with 'tunnel' null of what no tunnel claims, which the drops
// of fragments belong to.
void put_counters(json *object, const eoip_tunnel *tunnel)
{
    json *drops = json_object_create();
    eoip_counters counters;
    eoip_tunnel_get_counters(tunnel, &counters);

    put(object, "rx_keepalives", counters.rx_keepalives);
    put(object, "rx_trimmed", counters.rx_trimmed);
    put(object, "tx_keepalives", counters.tx_keepalives);
    for (int i = 0; i < EOIP_N_DROPS; i++) {
        if (!tunnel || !eoip_drop_is_fragment(eoip_drop(i))) {
            put(drops, eoip_drop_name(eoip_drop(i)), counters.drops[i]);
        }
    }
    json_object_put(object, "drops", drops);
}

json *reassembly_json()
{
    json *object = json_object_create();
    eoip_reassembly reassembly;
    eoip_reassembly_get(&reassembly);

    put(object, "packets", reassembly.packets);
    put(object, "fragments", reassembly.fragments);
    put(object, "duplicates", reassembly.duplicates);
    put(object, "unwanted", reassembly.unwanted);
    put(object, "waiting_packets", reassembly.waiting_packets);
    put(object, "waiting_fragments", reassembly.waiting_fragments);
    put(object, "waiting_bytes", reassembly.waiting_bytes);
    put(object, "max_frame", eoip_max_frame());
    return object;
}

json *tunnel_json(const eoip_shown &shown)
{
    const Setup &setup = shown.tunnel->setup();
    const StateReport state = state_report(shown.tunnel);
    json *object = json_object_create();
    json *statistics = json_object_create();

    put(object, "name", shown.name);
    put(object, "remote_ip", endpoint_text(setup.config.remote, setup.remote));
    put(object, "local_ip", endpoint_text(setup.config.local, setup.local));
    json_object_put(object, "in_key", key_json(setup.config.in_key));
    json_object_put(object, "out_key", key_json(setup.config.out_key));
    put(object, "state", state_name(state.state));
    put_any(object, "reason", state.reason);
    put_any(object, "egress", state.device);
    put(object, "link_state",
        eoip_keepalive_link_is_up(shown.tunnel) ? "up" : "down");
    if (!setup.config.ipsec.psk.empty()) {
        json_object_put(object, "ipsec", ipsec_json(shown.tunnel));
    }
    json_object_put(object, "keepalive", keepalive_json(shown.tunnel));
    if (setup.learns()) {
        json_object_put(object, "learning", learning_json(shown.tunnel));
    }

    put(statistics, "rx_packets", shown.rx_packets);
    put(statistics, "rx_bytes", shown.rx_bytes);
    put(statistics, "tx_packets", shown.tx_packets);
    put(statistics, "tx_bytes", shown.tx_bytes);
    if (!shown.in_kernel) {
        put_counters(statistics, shown.tunnel);
    } else {
        eoip_counters counters;
        eoip_tunnel_get_counters(shown.tunnel, &counters);
        put(statistics, "rx_keepalives", counters.rx_keepalives);
        put(statistics, "tx_keepalives", counters.tx_keepalives);
    }
    json_object_put(object, "statistics", statistics);
    return object;
}

// What is in arrays, which releases of OVS differ in how to read.
struct Arrays {
    std::vector<const json *> tunnels;
    std::vector<std::string> warnings;
};

// Puts what is in its arrays into 'arrays' as well.
json *show_json(std::span<const eoip_shown> shown, bool all, Arrays &arrays)
{
    json *object = json_object_create();
    json *tunnels = json_array_create_empty();

    for (const eoip_shown &one : shown) {
        json *tunnel = tunnel_json(one);
        json_array_add(tunnels, tunnel);
        arrays.tunnels.push_back(tunnel);
    }
    json_object_put(object, "tunnels", tunnels);
    if (all) {
        json *unclaimed = json_object_create();
        put_counters(unclaimed, nullptr);
        json_object_put(object, "unclaimed", unclaimed);
        json_object_put(object, "reassembly", reassembly_json());
        json_object_put(object, "receive_buffers", receive_buffers_json());
    }
    const bool in_kernel =
        std::any_of(shown.begin(), shown.end(),
                    [](const eoip_shown &one) { return one.in_kernel; });
    if (all) {
        json *warnings = json_array_create_empty();
        arrays.warnings = version_warnings(in_kernel);
        for (const std::string &sentence : arrays.warnings) {
            json_array_add(warnings, json_string_create(sentence.c_str()));
        }
        json_object_put(object, "warnings", warnings);
    }
    if (in_kernel) {
        json *kernel = json_object_create();
        for (const auto &[name, value] : read_kernel_counters(kKernelDevice)) {
            put(kernel, name.c_str(), static_cast<long long>(value));
        }
        json_object_put(object, kKernelDevice, kernel);
    }
    return object;
}

// Reading it again.

// A member, or null if there is none.
const json *get(const json *object, const char *name)
{
    return static_cast<const json *>(
        shash_find_data(json_object(object), name));
}

long long number(const json *object, const char *name)
{
    return get(object, name) ? json_integer(get(object, name)) : 0;
}

// Of a string or an integer.
std::string text(const json *object, const char *name)
{
    const json *member = get(object, name);
    return member->type == JSON_STRING ? json_string(member)
                                       : std::to_string(json_integer(member));
}

// A number of milliseconds.
std::string age(const json *object, const char *name)
{
    return age_text(static_cast<std::uint64_t>(number(object, name)) / 1000);
}

std::string keepalive_text(const json *keepalive)
{
    if (!get(keepalive, "interval")) {
        return text(keepalive, "state") == kFlowBased
                   ? "none, as peer or key are up to the flows"
                   : "none";
    }
    std::string line = text(keepalive, "interval") + " s x "
                       + text(keepalive, "retries") + ", "
                       + text(keepalive, "state") + " for "
                       + age(keepalive, "state_age_ms");
    line += get(keepalive, "heard_ago_ms")
                ? ", heard " + age(keepalive, "heard_ago_ms") + " ago"
                : ", never heard";
    if (get(keepalive, "error")) {
        line += ", not sent: " + text(keepalive, "error");
    }
    return line;
}

std::string learning_text(const json *learning)
{
    if (!get(learning, "peer")) {
        return "nobody yet, takes the first who speaks";
    }
    return text(learning, "peer") + " for " + age(learning, "peer_age_ms")
           + ", silent for " + age(learning, "silent_ms")
           + ", free for others after " + text(learning, "learn_after") + " s";
}

std::string ipsec_text(const json *ipsec)
{
    const auto part = [ipsec](const char *before, const char *name) {
        return get(ipsec, name) ? before + text(ipsec, name) : "";
    };
    return text(ipsec, "state") + part(" since ", "since")
           + part(", ", "algorithms") + part(": ", "reason");
}

std::string state_text(const json *tunnel)
{
    return text(tunnel, "state")
           + (get(tunnel, "reason")   ? ": " + text(tunnel, "reason")
              : get(tunnel, "egress") ? " via " + text(tunnel, "egress")
                                      : "");
}

std::string key_text(const json *tunnel)
{
    const std::string in = text(tunnel, "in_key");
    const std::string out = text(tunnel, "out_key");
    return in == out ? in : "in " + in + ", out " + out;
}

// Only what has been counted, so that what is wrong stands out.
std::string counters_text(const json *counters)
{
    const json *drops = get(counters, "drops");
    std::string lines;

    if (number(counters, "rx_keepalives")
        || number(counters, "tx_keepalives")) {
        lines += "  keepalives: received " + text(counters, "rx_keepalives")
                 + ", sent " + text(counters, "tx_keepalives") + "\n";
    }
    if (number(counters, "rx_trimmed")) {
        lines += "  received with bytes behind the frame, cut off: "
                 + text(counters, "rx_trimmed") + "\n";
    }
    for (int i = 0; i < EOIP_N_DROPS; i++) {
        const auto drop = eoip_drop(i);
        const char *name = eoip_drop_name(drop);
        if (number(drops, name)) {
            lines += std::string("  dropped when ")
                     + (eoip_drop_is_rx(drop) ? "received" : "sent") + ": "
                     + text(drops, name) + " " + name + " ("
                     + eoip_drop_sentence(eoip_drop_counter(drop)) + ")\n";
        }
    }
    return lines;
}

std::string tunnel_text(const json *tunnel)
{
    const json *statistics = get(tunnel, "statistics");
    std::string lines =
        text(tunnel, "name") + ": remote " + text(tunnel, "remote_ip")
        + ", local " + text(tunnel, "local_ip") + ", key " + key_text(tunnel)
        + ", " + state_text(tunnel) + "\n  received "
        + text(statistics, "rx_packets") + " frames, "
        + text(statistics, "rx_bytes") + " bytes; sent "
        + text(statistics, "tx_packets") + " frames, "
        + text(statistics, "tx_bytes") + " bytes\n  keepalive: "
        + keepalive_text(get(tunnel, "keepalive")) + "\n";

    if (const json *ipsec = get(tunnel, "ipsec")) {
        lines += "  ipsec: " + ipsec_text(ipsec) + "\n";
    }
    if (const json *learning = get(tunnel, "learning")) {
        lines += "  learned: " + learning_text(learning) + "\n";
    }
    if (get(statistics, "drops")) {
        lines += counters_text(statistics);
    }
    return lines;
}

// By the names that ethtool shows, in their order.
std::string kernel_text(const json *kernel)
{
    std::string lines = std::string(kKernelDevice)
                        + ", the kernel's device of these tunnels:\n";
    const shash_node **nodes = shash_sort(json_object(kernel));
    for (std::size_t i = 0; i < shash_count(json_object(kernel)); i++) {
        const char *name = nodes[i]->name;
        const char *sentence = eoip_drop_sentence(name);
        if (number(kernel, name)) {
            lines += std::string("  ") + name + ": " + text(kernel, name)
                     + (sentence ? std::string(" (") + sentence + ")" : "")
                     + "\n";
        }
    }
    free(nodes);
    return lines;
}

std::string reassembly_text(const json *reassembly)
{
    return !number(reassembly, "packets")
                   && !number(reassembly, "waiting_packets")
               ? ""
               : "reassembled " + text(reassembly, "packets")
                     + " packets from " + text(reassembly, "fragments")
                     + " fragments; " + text(reassembly, "waiting_packets")
                     + " packets wait for the rest, in "
                     + text(reassembly, "waiting_bytes") + " bytes\n";
}

std::string show_text(const json *object, const Arrays &arrays)
{
    std::string lines;

    for (const json *tunnel : arrays.tunnels) {
        lines += tunnel_text(tunnel);
    }
    if (lines.empty()) {
        lines = "no eoip tunnels\n";
    }
    if (const json *kernel = get(object, kKernelDevice)) {
        lines += kernel_text(kernel);
    }
    if (const json *reassembly = get(object, "reassembly")) {
        lines += reassembly_text(reassembly)
                 + receive_buffers_text(get(object, "receive_buffers"));
    }
    if (const json *unclaimed = get(object, "unclaimed")) {
        const std::string counted = counters_text(unclaimed);
        if (!counted.empty()) {
            lines += "packets that no tunnel is known of:\n" + counted;
        }
    }
    for (const std::string &sentence : arrays.warnings) {
        lines += "warning: " + sentence + "\n";
    }
    return lines;
}

}  // namespace
}  // namespace eoip

char *eoip_show_format(const eoip_shown *shown, size_t n, bool all,
                       bool as_json)
{
    eoip::Arrays arrays;
    json *object = eoip::show_json({shown, n}, all, arrays);
    char *text = as_json ? json_to_string(object, JSSF_PRETTY | JSSF_SORT)
                         : xstrdup(eoip::show_text(object, arrays).c_str());
    json_destroy(object);
    return text;
}
