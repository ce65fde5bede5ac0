// SPDX-License-Identifier: Apache-2.0
//
// Tunnels as JSON: see json.h.

#include "json.h"

#include <algorithm>
#include <cstdlib>

#include "util.h"
extern "C" {
#include "openvswitch/json.h"
}

#include "eoip/options.h"

namespace eoip {
namespace {

void put(json *object, const char *name, const std::string &value)
{
    json_object_put_string(object, name, value.c_str());
}

[[nodiscard]] bool is_number(const std::string &text)
{
    return !text.empty() && text.size() < 11
           && std::all_of(text.begin(), text.end(),
                          [](char c) { return c >= '0' && c <= '9'; });
}

// A number where it is one, so that programs need not convert.
[[nodiscard]] json *value_json(const std::string &value)
{
    return is_number(value) ? json_integer_create(std::atoll(value.c_str()))
                            : json_string_create(value.c_str());
}

// Null if it has none.
[[nodiscard]] json *ipsec_json(const Tunnel &tunnel)
{
    const std::string state = tunnel.status_word("ipsec_state");
    if (state.empty() || state == "off") {
        return nullptr;
    }
    json *object = json_object_create();
    for (const char *word : {"state", "since", "algorithms", "reason"}) {
        const std::string value =
            tunnel.status_word(std::string("ipsec_") + word);
        if (!value.empty()) {
            put(object, word, value);
        }
    }
    return object;
}

[[nodiscard]] json *tunnel_json(const Tunnel &tunnel, bool counters)
{
    json *object = json_object_create();
    json *options = json_object_create();
    put(object, "name", tunnel.name);
    put(object, "kind", tunnel.in_kernel() ? "kernel" : "bridge");
    if (tunnel.in_kernel()) {
        json_object_put(object, "ifindex",
                        json_integer_create(tunnel.ifindex));
    } else {
        put(object, "bridge", tunnel.bridge);
    }
    put(object, "state", tunnel.state);
    put(object, "link_state", tunnel.link_state);
    if (!tunnel.reason.empty()) {
        put(object, "reason", tunnel.reason);
    }
    if (tunnel.heard_s) {
        json_object_put(
            object, "heard_ago_s",
            json_integer_create(static_cast<long long>(*tunnel.heard_s)));
    }
    if (!tunnel.error.empty()) {
        put(object, "error", tunnel.error);
    }
    if (json *ipsec = ipsec_json(tunnel)) {
        json_object_put(object, "ipsec", ipsec);
    }
    for (const auto &[option, value] : tunnel.options) {
        if (option == "comment") {
            put(object, "comment", value);
        } else {
            json_object_put(options, option.c_str(),
                            is_secret(option)
                                ? json_string_create(kSecret.data())
                                : value_json(value));
        }
    }
    json_object_put(object, "options", options);
    if (counters) {
        json *statistics = json_object_create();
        for (const Counter &counter : tunnel.counters) {
            json_object_put(
                statistics, counter.name.c_str(),
                json_integer_create(static_cast<long long>(counter.value)));
        }
        json_object_put(object, "statistics", statistics);
    }
    return object;
}

[[nodiscard]] std::string text_of(json *value, int flags)
{
    char *text = json_to_string(value, flags | JSSF_SORT);
    std::string result = text;
    free(text);
    json_destroy(value);
    return result + (result.ends_with('\n') ? "" : "\n");
}

}  // namespace

std::string json_list(std::span<const Tunnel> tunnels, bool counters)
{
    json *array = json_array_create_empty();
    for (const Tunnel &tunnel : tunnels) {
        json_array_add(array, tunnel_json(tunnel, counters));
    }
    return text_of(array, JSSF_PRETTY);
}

std::string json_one(const Tunnel &tunnel, bool counters)
{
    return text_of(tunnel_json(tunnel, counters), JSSF_PRETTY);
}

std::string json_event(std::string_view event, const Tunnel &tunnel)
{
    json *object = json_object_create();
    put(object, "event", std::string(event));
    json_object_put(object, "tunnel", tunnel_json(tunnel, false));
    return text_of(object, 0);
}

std::string json_findings(std::span<const Finding> findings)
{
    json *array = json_array_create_empty();
    for (const Finding &finding : findings) {
        json *object = json_object_create();
        json *commands = json_array_create_empty();
        put(object, "check", finding.check);
        put(object, "subject", finding.subject);
        put(object, "sentence", finding.sentence);
        for (const std::string &command : finding.commands) {
            json_array_add(commands, json_string_create(command.c_str()));
        }
        json_object_put(object, "commands", commands);
        json_array_add(array, object);
    }
    return text_of(array, JSSF_PRETTY);
}

}  // namespace eoip
