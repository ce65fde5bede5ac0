// SPDX-License-Identifier: Apache-2.0
//
// libFuzzer target for eoip/options.h: any text as options, "name=value" a
// line.  Its dictionary is made of the table in ovsdb-schema/.

#include "eoip/options.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

#include <linux/eoip.h>

namespace {

using eoip::Endpoint;
using eoip::Option;

constexpr std::size_t kErrorMax = 400;

void require(bool condition)
{
    if (!condition) {
        std::abort();
    }
}

std::vector<Option> split(std::string_view text)
{
    std::vector<Option> options;
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        const std::size_t equals = std::min(line.find('='), line.size());
        options.push_back({line.substr(0, equals),
                           line.substr(std::min(equals + 1, line.size()))});
    }
    return options;
}

// A configuration written as options again.

using Written = std::vector<std::pair<std::string_view, std::string>>;

std::string write(const Endpoint &endpoint)
{
    switch (endpoint.kind) {
    case Endpoint::Kind::flow:
        return "flow";
    case Endpoint::Kind::learn:
        return "learn";
    case Endpoint::Kind::address:
        return eoip::format_address(endpoint.address);
    case Endpoint::Kind::host_name:
        return endpoint.host_name;
    case Endpoint::Kind::any:
        break;
    }
    return "";
}

std::string write(const eoip::Key &key)
{
    return key.flow ? "flow" : std::to_string(key.value);
}

std::string write(const std::optional<std::uint8_t> &number)
{
    return number ? std::to_string(*number) : "inherit";
}

std::string write(const std::optional<eoip::KeepaliveConfig> &keepalive)
{
    return keepalive ? std::to_string(keepalive->interval.count() / 1000) + ","
                           + std::to_string(keepalive->retries)
                     : "none";
}

Written write(const eoip::Config &config)
{
    Written written = {
        {"remote_ip", write(config.remote)},
        {"in_key", write(config.in_key)},
        {"out_key", write(config.out_key)},
        {"ttl", write(config.ttl)},
        {"tos", write(config.tos)},
        {"df_default", config.dont_fragment ? "true" : "false"},
        {"keepalive", write(config.keepalive)},
        {"dont_fragment", config.inherit_df ? "inherit" : "no"},
        {"clamp_tcp_mss", config.clamp_tcp_mss ? "true" : "false"},
        {"learn_after", std::to_string(config.learn_after.count() / 1000)},
        {"ike_version", std::to_string(config.ipsec.version)},
    };
    for (const auto &[name, value] :
         {std::pair("psk", config.ipsec.psk),
          std::pair("ike_proposals", config.ipsec.ike_proposals),
          std::pair("esp_proposals", config.ipsec.esp_proposals)}) {
        if (!value.empty()) {
            written.emplace_back(name, value);
        }
    }
    if (config.local.kind != Endpoint::Kind::any) {
        written.emplace_back("local_ip", write(config.local));
    }
    if (config.egress_pkt_mark) {
        written.emplace_back("egress_pkt_mark",
                             std::to_string(*config.egress_pkt_mark));
    }
    return written;
}

void check_valid(const eoip::Config &config)
{
    require(config.remote.kind != Endpoint::Kind::any);
    require(config.local.kind != Endpoint::Kind::flow
            || config.remote.kind == Endpoint::Kind::flow);
    require(config.remote.kind != Endpoint::Kind::learn
            || !(config.in_key.flow || config.out_key.flow));
    require(config.ipsec.psk.empty()
            || (config.remote.kind == Endpoint::Kind::address
                && (config.local.kind == Endpoint::Kind::address
                    || config.local.kind == Endpoint::Kind::any)));
    require(config.ttl != 0);
    require(!config.tos || (*config.tos & 3) == 0);

    const bool ipv6 = is_ipv6(config.remote) || is_ipv6(config.local);
    for (const eoip::Key &key : {config.in_key, config.out_key}) {
        require(key.flow || !ipv6 || key.value <= EOIP6_KEY_MAX);
    }

    const Written written = write(config);
    std::vector<Option> options;
    for (const auto &[name, value] : written) {
        options.push_back({name, value});
    }
    const eoip::ParsedOptions again = eoip::parse_options(options);
    require(again.errors.empty());
    require(again.config == config);
}

void check_error(std::string_view error)
{
    require(!error.empty() && error.size() <= kErrorMax);
    for (const char c : error) {
        require(c >= ' ' && c <= '~');
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data,
                                      std::size_t n_bytes)
{
    const std::string_view text(reinterpret_cast<const char *>(data), n_bytes);
    const eoip::ParsedOptions parsed = eoip::parse_options(split(text));

    for (const std::string &error : parsed.errors) {
        check_error(error);
    }
    if (parsed.errors.empty()) {
        check_valid(parsed.config);
    }
    return 0;
}
