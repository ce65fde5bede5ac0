// SPDX-License-Identifier: Apache-2.0
//
// ovs-appctl eoip/show: the tunnels as text for people and JSON for programs.
// Called by netdev-eoip.c in the main thread.

#include "kernel_device.h"
#include "tunnel.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "util.h"
#include <config.h>
extern "C" {
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
}

namespace eoip {

namespace {

std::string endpoint_text(const Endpoint &end,
                          const std::optional<Address> &address)
{
    switch (end.kind) {
    case Endpoint::Kind::any:
        return "any";
    case Endpoint::Kind::flow:
        return "flow";
    case Endpoint::Kind::learn:
        return "learn (" + (address ? format_address(*address) : "nobody yet")
               + ")";
    case Endpoint::Kind::address:
        return format_address(end.address);
    case Endpoint::Kind::host_name:
        return end.host_name + " ("
               + (address ? format_address(*address) : "unresolved") + ")";
    }
    return {};
}

// The device that all tunnels of the kernel datapath share.
constexpr const char *kKernelDevice = "eoip_sys";

std::string state_text(const eoip_shown &shown)
{
    const Setup &setup = *shown.tunnel->setup;

    if (shown.in_kernel && kernel_device_is_off(kKernelDevice)) {
        return std::string("down, the device ") + kKernelDevice
               + " is off (ip link set " + kKernelDevice + " up)";
    }
    if (setup.config.remote.kind == Endpoint::Kind::learn && !setup.remote) {
        return "waiting for a peer to learn";
    }
    if (!eoip_keepalive_link_is_up(shown.tunnel)) {
        return "down, the peer is silent";
    }

    if (!setup.resolved()) {
        return "waiting for the address of a host name";
    }
    if (setup.config.remote.kind == Endpoint::Kind::flow) {
        return "flow-based";
    }
    if (!*shown.egress) {
        return "no route to the remote";
    }
    return std::string(shown.egress_carrier ? "up" : "down") + " via "
           + shown.egress;
}

// Why a keepalive could not be sent.
const char *keepalive_error_text(int error)
{
    switch (error) {
    case EDESTADDRREQ:
        return "the address of the peer is not known";
    case ENETUNREACH:
        return "there is no route to the peer";
    case ENODEV:
        return "the route to the peer leads to a device that the host lacks";
    default:
        return ovs_strerror(error);
    }
}

std::string seconds_text(Time time)
{
    return std::to_string(time.count() / 1000) + " s";
}

std::string keepalive_text(const eoip_tunnel *tunnel)
{
    const auto &config = tunnel->setup->config.keepalive;
    const KeepaliveReport report = keepalive_report(tunnel);

    if (report.flow_based) {
        return "none, as peer or key are up to the flows";
    }
    if (!config) {
        return "none";
    }
    std::string text = seconds_text(config->interval) + " x "
                       + std::to_string(config->retries) + ", " + report.state
                       + " for " + seconds_text(report.now - report.since);
    text +=
        report.heard
            ? ", heard " + seconds_text(report.now - *report.heard) + " ago"
            : ", never heard";
    if (report.error) {
        text +=
            std::string(", not sent: ") + keepalive_error_text(report.error);
    }
    return text;
}

json *keepalive_json(const eoip_tunnel *tunnel)
{
    const auto &config = tunnel->setup->config.keepalive;
    const KeepaliveReport report = keepalive_report(tunnel);
    json *object = json_object_create();

    auto put = [&](const char *name, long long value) {
        json_object_put(object, name, json_integer_create(value));
    };
    json_object_put_string(object, "state", report.state);
    if (config && !report.flow_based) {
        put("interval", config->interval.count() / 1000);
        put("retries", config->retries);
        put("state_age_ms", (report.now - report.since).count());
        if (report.error) {
            json_object_put_string(object, "error",
                                   keepalive_error_text(report.error));
        }
    }
    if (report.heard) {
        put("heard_ago_ms", (report.now - *report.heard).count());
    }
    return object;
}

bool learns(const eoip_tunnel *tunnel)
{
    return tunnel->setup->config.remote.kind == Endpoint::Kind::learn;
}

std::string learning_text(const eoip_tunnel *tunnel)
{
    const LearningReport report = learning_report(tunnel);
    const std::string after = seconds_text(tunnel->setup->config.learn_after);

    if (!report.peer) {
        return "nobody yet, takes the first who speaks";
    }
    return format_address(*report.peer) + " for "
           + seconds_text(report.now - report.since) + ", silent for "
           + seconds_text(report.silent) + ", free for others after " + after;
}

json *learning_json(const eoip_tunnel *tunnel)
{
    const LearningReport report = learning_report(tunnel);
    json *object = json_object_create();

    auto put = [&](const char *name, long long value) {
        json_object_put(object, name, json_integer_create(value));
    };
    put("learn_after", tunnel->setup->config.learn_after.count() / 1000);
    put("not_the_peer", static_cast<long long>(report.not_the_peer));
    if (report.peer) {
        json_object_put_string(object, "peer",
                               format_address(*report.peer).c_str());
        put("peer_age_ms", (report.now - report.since).count());
        put("silent_ms", report.silent.count());
    }
    return object;
}

json *key_json(const Key &key)
{
    return key.flow ? json_string_create("flow")
                    : json_integer_create(key.value);
}

json *drops_json(const eoip_counters &counters, bool fragments)
{
    json *drops = json_object_create();
    for (int i = 0; i < EOIP_N_DROPS; i++) {
        if (eoip_drop_is_fragment(eoip_drop(i)) && !fragments) {
            continue;
        }
        json_object_put(drops, eoip_drop_name(eoip_drop(i)),
                        json_integer_create(counters.drops[i]));
    }
    return drops;
}

void put_counters(json *object, const eoip_tunnel *tunnel)
{
    eoip_counters counters;
    eoip_tunnel_get_counters(tunnel, &counters);
    json_object_put(object, "rx_keepalives",
                    json_integer_create(counters.rx_keepalives));
    json_object_put(object, "rx_trimmed",
                    json_integer_create(counters.rx_trimmed));
    json_object_put(object, "tx_keepalives",
                    json_integer_create(counters.tx_keepalives));
    json_object_put(object, "drops", drops_json(counters, !tunnel));
}

json *reassembly_json()
{
    json *object = json_object_create();
    eoip_reassembly reassembly;
    eoip_reassembly_get(&reassembly);

    auto put = [&](const char *name, std::uint64_t value) {
        json_object_put(object, name, json_integer_create(value));
    };
    put("packets", reassembly.packets);
    put("fragments", reassembly.fragments);
    put("duplicates", reassembly.duplicates);
    put("unwanted", reassembly.unwanted);
    put("waiting_packets", reassembly.waiting_packets);
    put("waiting_fragments", reassembly.waiting_fragments);
    put("waiting_bytes", reassembly.waiting_bytes);
    put("max_frame", eoip_max_frame());
    return object;
}

json *tunnel_json(const eoip_shown &shown)
{
    const Setup &setup = *shown.tunnel->setup;
    json *object = json_object_create();
    json *statistics = json_object_create();

    json_object_put_string(object, "name", shown.name);
    json_object_put_string(
        object, "remote_ip",
        endpoint_text(setup.config.remote, setup.remote).c_str());
    json_object_put_string(
        object, "local_ip",
        endpoint_text(setup.config.local, setup.local).c_str());
    json_object_put(object, "in_key", key_json(setup.config.in_key));
    json_object_put(object, "out_key", key_json(setup.config.out_key));
    json_object_put_string(object, "state", state_text(shown).c_str());
    json_object_put(object, "keepalive", keepalive_json(shown.tunnel));
    if (learns(shown.tunnel)) {
        json_object_put(object, "learning", learning_json(shown.tunnel));
    }

    auto put = [&](const char *name, std::uint64_t value) {
        json_object_put(statistics, name, json_integer_create(value));
    };
    put("rx_packets", shown.rx_packets);
    put("rx_bytes", shown.rx_bytes);
    put("tx_packets", shown.tx_packets);
    put("tx_bytes", shown.tx_bytes);
    if (!shown.in_kernel) {
        put_counters(statistics, shown.tunnel);
    }
    json_object_put(object, "statistics", statistics);
    return object;
}

bool any_in_kernel(std::span<const eoip_shown> shown)
{
    return std::any_of(shown.begin(), shown.end(),
                       [](const eoip_shown &one) { return one.in_kernel; });
}

json *kernel_json()
{
    json *object = json_object_create();
    for (const auto &counter : read_kernel_counters(kKernelDevice)) {
        json_object_put(
            object, counter.name.c_str(),
            json_integer_create(static_cast<long long>(counter.value)));
    }
    return object;
}

char *format_json(const eoip_shown *shown, std::size_t n, bool all)
{
    json *object = json_object_create();
    json *tunnels = json_array_create_empty();

    for (std::size_t i = 0; i < n; i++) {
        json_array_add(tunnels, tunnel_json(shown[i]));
    }
    json_object_put(object, "tunnels", tunnels);
    if (all) {
        json *unclaimed = json_object_create();
        put_counters(unclaimed, nullptr);
        json_object_put(object, "unclaimed", unclaimed);
        json_object_put(object, "reassembly", reassembly_json());
    }
    if (any_in_kernel({shown, n})) {
        json_object_put(object, kKernelDevice, kernel_json());
    }

    char *text = json_to_string(object, JSSF_PRETTY | JSSF_SORT);
    json_destroy(object);
    return text;
}

// Only what has been counted, so that what is wrong stands out.
void add_counters(ds *out, const eoip_tunnel *tunnel)
{
    static constexpr const char *kSentences[] = {
#define EOIP_DROP_SENTENCE(SYMBOL, NAME, SENTENCE) SENTENCE,
        EOIP_DROPS(EOIP_DROP_SENTENCE)
#undef EOIP_DROP_SENTENCE
    };
    eoip_counters counters;
    eoip_tunnel_get_counters(tunnel, &counters);

    if (counters.rx_keepalives || counters.tx_keepalives) {
        ds_put_format(out, "  keepalives: received %llu, sent %llu\n",
                      (unsigned long long)counters.rx_keepalives,
                      (unsigned long long)counters.tx_keepalives);
    }
    if (counters.rx_trimmed) {
        ds_put_format(out,
                      "  received with bytes behind the frame, cut off: "
                      "%llu\n",
                      (unsigned long long)counters.rx_trimmed);
    }
    for (int i = 0; i < EOIP_N_DROPS; i++) {
        const auto drop = eoip_drop(i);
        if (counters.drops[i]) {
            ds_put_format(out, "  dropped when %s: %llu %s (%s)\n",
                          eoip_drop_is_rx(drop) ? "received" : "sent",
                          (unsigned long long)counters.drops[i],
                          eoip_drop_name(drop), kSentences[i]);
        }
    }
}

const char *kernel_drop_sentence(std::string_view name)
{
    static constexpr std::pair<std::string_view, const char *> kSentences[] = {
#define EOIP_RX_SENTENCE(SYMBOL, NAME, SENTENCE) {"rx_drop_" NAME, SENTENCE},
#define EOIP_TX_SENTENCE(SYMBOL, NAME, SENTENCE) {"tx_drop_" NAME, SENTENCE},
        EOIP_TUNNEL_DROPS(EOIP_RX_SENTENCE) EOIP_FRAME_DROPS(EOIP_RX_SENTENCE)
            EOIP_KMOD_RX_DROPS(EOIP_RX_SENTENCE)
                EOIP_TX_DROPS(EOIP_TX_SENTENCE)
                    EOIP_KMOD_TX_DROPS(EOIP_TX_SENTENCE)
#undef EOIP_RX_SENTENCE
#undef EOIP_TX_SENTENCE
    };
    for (const auto &[drop, sentence] : kSentences) {
        if (drop == name) {
            return sentence;
        }
    }
    return nullptr;
}

// As add_counters(), by the names that ethtool shows.
void add_kernel_counters(ds *out)
{
    ds_put_format(out, "%s, the kernel's device of these tunnels:\n",
                  kKernelDevice);
    for (const auto &counter : read_kernel_counters(kKernelDevice)) {
        if (!counter.value) {
            continue;
        }
        ds_put_format(out, "  %s: %llu", counter.name.c_str(),
                      (unsigned long long)counter.value);
        if (const char *sentence = kernel_drop_sentence(counter.name)) {
            ds_put_format(out, " (%s)", sentence);
        }
        ds_put_char(out, '\n');
    }
}

void add_reassembly(ds *out)
{
    eoip_reassembly reassembly;
    eoip_reassembly_get(&reassembly);

    if (reassembly.packets || reassembly.waiting_packets) {
        ds_put_format(out,
                      "reassembled %llu packets from %llu fragments; "
                      "%llu packets wait for the rest, in %llu bytes\n",
                      (unsigned long long)reassembly.packets,
                      (unsigned long long)reassembly.fragments,
                      (unsigned long long)reassembly.waiting_packets,
                      (unsigned long long)reassembly.waiting_bytes);
    }
}

std::string key_text(const Config &config)
{
    auto text = [](const Key &key) {
        return key.flow ? "flow" : std::to_string(key.value);
    };
    const std::string in = text(config.in_key);
    return config.in_key == config.out_key
               ? in
               : "in " + in + ", out " + text(config.out_key);
}

void add_tunnel(ds *out, const eoip_shown &shown)
{
    const Setup &setup = *shown.tunnel->setup;

    ds_put_format(out, "%s: remote %s, local %s, key %s, %s\n", shown.name,
                  endpoint_text(setup.config.remote, setup.remote).c_str(),
                  endpoint_text(setup.config.local, setup.local).c_str(),
                  key_text(setup.config).c_str(), state_text(shown).c_str());
    ds_put_format(out,
                  "  received %llu frames, %llu bytes; "
                  "sent %llu frames, %llu bytes\n",
                  (unsigned long long)shown.rx_packets,
                  (unsigned long long)shown.rx_bytes,
                  (unsigned long long)shown.tx_packets,
                  (unsigned long long)shown.tx_bytes);
    ds_put_format(out, "  keepalive: %s\n",
                  keepalive_text(shown.tunnel).c_str());
    if (learns(shown.tunnel)) {
        ds_put_format(out, "  learned: %s\n",
                      learning_text(shown.tunnel).c_str());
    }
    if (!shown.in_kernel) {
        add_counters(out, shown.tunnel);
    }
}

char *format_text(const eoip_shown *shown, std::size_t n, bool all)
{
    ds out = DS_EMPTY_INITIALIZER;
    ds unclaimed = DS_EMPTY_INITIALIZER;

    for (std::size_t i = 0; i < n; i++) {
        add_tunnel(&out, shown[i]);
    }
    if (!n) {
        ds_put_cstr(&out, "no eoip tunnels\n");
    }
    if (any_in_kernel({shown, n})) {
        add_kernel_counters(&out);
    }
    if (all) {
        add_reassembly(&out);
        add_counters(&unclaimed, nullptr);
    }
    if (unclaimed.length) {
        ds_put_format(&out, "packets that no tunnel is known of:\n%s",
                      ds_cstr(&unclaimed));
    }
    ds_destroy(&unclaimed);
    return ds_steal_cstr(&out);
}

}  // namespace

}  // namespace eoip

char *eoip_show_parse(int argc, const char *argv[], bool *json,
                      const char **port)
{
    *json = false;
    *port = nullptr;
    for (int i = 1; i < argc; i++) {
        const std::string_view arg = argv[i];
        if (arg == "-f" || arg == "--format") {
            const std::string_view format = i + 1 < argc ? argv[++i] : "";
            if (format != "json" && format != "text") {
                return xasprintf("%s %s: the format is \"text\" or \"json\"",
                                 arg.data(), format.data());
            }
            *json = format == "json";
        } else if (arg.starts_with('-')) {
            return xasprintf("unknown option %s: there is only "
                             "-f (or --format) text|json",
                             arg.data());
        } else if (*port) {
            return xasprintf("%s: only one port can be named", arg.data());
        } else {
            *port = arg.data();
        }
    }
    return nullptr;
}

char *eoip_show_format(const eoip_shown *shown, size_t n, bool all, bool json)
{
    return json ? eoip::format_json(shown, n, all)
                : eoip::format_text(shown, n, all);
}
