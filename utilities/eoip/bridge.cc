// SPDX-License-Identifier: Apache-2.0
//
// Ports of type eoip: see bridge.h.  Options are checked here by the same
// parser as in ovs-vswitchd, so that nearly all faults are found before
// anything changes.

#include "bridge.h"

#include <algorithm>
#include <deque>
#include <tuple>

#include <net/if.h>
#include <unistd.h>

#include "util.h"
extern "C" {
#include "dirs.h"
#include "smap.h"
#include "stream-ssl.h"
}

#include "eoip/options.h"
#include "eoip/state.h"
#include "live.h"
#include "ovsdb.h"

namespace eoip {
namespace {

// In external_ids, and a word of ours.
constexpr char kComment[] = "comment";

// The sentence of a function of ovsdb.h.
[[nodiscard]] std::string take(char *text)
{
    const std::string sentence = text ? text : "";
    free(text);
    return sentence;
}

struct Smap : smap {
    explicit Smap(const Options &options)
    {
        smap_init(this);
        for (const auto &[option, value] : options) {
            smap_add(this, option.c_str(), value.c_str());
        }
    }
    Smap(const Smap &) = delete;
    Smap &operator=(const Smap &) = delete;
    ~Smap() { smap_destroy(this); }
    void remove(const char *key) { smap_remove(this, key); }
};

[[nodiscard]] Options options_of(const smap *map)
{
    Options options;
    const smap_node **nodes = smap_sort(map);
    for (std::size_t i = 0; i < smap_count(map); i++) {
        options[nodes[i]->key] = nodes[i]->value;
    }
    free(nodes);
    return options;
}

void add_tunnel(const eoip_port *port, void *aux)
{
    Tunnel tunnel;
    tunnel.name = port->name;
    tunnel.bridge = port->bridge;
    tunnel.options = options_of(port->options);
    tunnel.status = options_of(port->status);
    if (const char *comment = smap_get(port->external_ids, kComment)) {
        tunnel.options[kComment] = comment;
    }
    tunnel.error = port->error ? port->error : "";
    tunnel.link_state = port->error        ? "error"
                        : port->link_state ? port->link_state
                                           : "off";
    // Who has no port in a datapath has no status either.
    tunnel.state = port->error ? state_name(State::no_datapath)
                               : smap_get_def(port->status, "state", "");
    tunnel.reason = smap_get_def(port->status, "reason", "");
    for (std::size_t i = 0; i < port->n_counters; i++) {
        tunnel.counters.push_back(
            {port->counter_names[i],
             static_cast<std::uint64_t>(port->counter_values[i])});
    }
    static_cast<std::vector<Tunnel> *>(aux)->push_back(std::move(tunnel));
}

void add_bridge(const eoip_bridge *row, void *aux)
{
    const std::string type = row->datapath_type;
    static_cast<Switch *>(aux)->bridges.push_back(
        {row->name, type.empty() ? "system" : type, row->spanning_tree,
         row->controlled});
}

void add_interface(const eoip_interface *row, void *aux)
{
    Port port{row->name, row->type, row->bridge, row->port, row->vlans, {}};
    const Options status = options_of(row->status);
    port.status = {status.begin(), status.end()};
    static_cast<Switch *>(aux)->ports.push_back(std::move(port));
}

// "key=..." in the core's sentences is "tunnel-id ..." to our users.
[[nodiscard]] std::string in_our_words(const std::string &sentence)
{
    const std::size_t end = sentence.find_first_of("= ");
    if (end == sentence.npos || sentence[end] != '=') {
        return sentence;
    }
    return std::string(word_of(sentence.substr(0, end))) + " "
           + sentence.substr(end + 1);
}

// Makes 'options' those of a port and its comment, and returns what is wrong
// with them.
[[nodiscard]] std::string check(Options &options)
{
    if (options.contains("link")) {
        return "option link is for links of the kernel: a tunnel on a bridge "
               "follows the routes of its underlay; leave link out, or give "
               "local ADDRESS";
    }
    if (options.contains("mtu")) {
        return "option mtu is for links of the kernel: a port of Open vSwitch "
               "has none, and frames that exceed the path go in fragments; "
               "leave mtu out";
    }
    std::erase_if(options,
                  [](const auto &option) { return option.second.empty(); });
    std::vector<Option> list;
    for (const auto &[option, value] : options) {
        if (option != kComment) {
            list.push_back({option, value});
        }
    }
    std::string sentence;
    for (const std::string &error : parse_options(list).errors) {
        sentence += (sentence.empty() ? "" : "; ") + in_our_words(error);
    }
    return sentence;
}

[[nodiscard]] std::string check_file(const char *option,
                                     const std::string &file)
{
    if (file.empty() || access(file.c_str(), R_OK) == 0) {
        return {};
    }
    return std::string("option ") + option + ": cannot read " + file + " ("
           + ovs_strerror(errno) + "): give a file in PEM format";
}

// For --db=ssl:..., as OVS's programs do.
[[nodiscard]] std::string set_up_tls(const Request &request)
{
    for (const auto &[option, file] :
         {std::pair("--private-key", request.private_key),
          std::pair("--certificate", request.certificate),
          std::pair("--ca-cert", request.ca_cert)}) {
        const std::string error = check_file(option, file);
        if (!error.empty()) {
            return error;
        }
    }
    if (!request.private_key.empty()) {
        stream_ssl_set_private_key_file(request.private_key.c_str());
    }
    if (!request.certificate.empty()) {
        stream_ssl_set_certificate_file(request.certificate.c_str());
    }
    if (!request.ca_cert.empty()) {
        stream_ssl_set_ca_cert_file(request.ca_cert.c_str(), false);
    }
    if (request.db.find("ssl:") != std::string::npos
        && (request.private_key.empty() || request.certificate.empty()
            || request.ca_cert.empty())) {
        return "option --db=ssl:...: needs --private-key=FILE, "
               "--certificate=FILE and --ca-cert=FILE, too";
    }
    return {};
}

}  // namespace

Bridges::Bridges(const Request &request)
    : request_(request),
      remote_(request.db.empty()
                  ? std::string("unix:") + ovs_rundir() + "/db.sock"
                  : request.db)
{
}

Bridges::~Bridges()
{
    eoip_ovsdb_close(db_);
}

bool Bridges::present() const
{
    constexpr std::size_t kUnix = sizeof "unix:" - 1;
    return !request_.db.empty() || access(remote_.c_str() + kUnix, F_OK) == 0;
}

std::string Bridges::open()
{
    if (db_) {
        return {};
    }
    const std::string error = set_up_tls(request_);
    return error.empty() ? take(
               eoip_ovsdb_open(remote_.c_str(), request_.timeout_s, &db_))
                         : error;
}

std::string Bridges::list(std::vector<Tunnel> &tunnels)
{
    std::string error = open();
    if (!error.empty()) {
        return error;
    }
    const auto before = static_cast<std::ptrdiff_t>(tunnels.size());
    error = take(eoip_ovsdb_list(db_, add_tunnel, &tunnels));
    // The database has no order.
    std::sort(tunnels.begin() + before, tunnels.end(),
              [](const Tunnel &a, const Tunnel &b) {
                  return std::tie(a.bridge, a.name)
                         < std::tie(b.bridge, b.name);
              });
    // Another database may be that of another switch.
    if (request_.db.empty()) {
        add_live({tunnels.begin() + before, tunnels.end()});
    }
    return error;
}

// The first of eoip0, eoip1, ... that is free, as the kernel does.
std::string Bridges::choose_name(Tunnel &tunnel)
{
    constexpr int kTries = 65536;
    std::string error;
    for (int i = 0; i < kTries; i++) {
        tunnel.name = "eoip" + std::to_string(i);
        error = take(eoip_ovsdb_check_free(db_, tunnel.bridge.c_str(),
                                           tunnel.name.c_str()));
        // A missing bridge is missing for every name.
        if (!error.starts_with(tunnel.name + ":")
            && !if_nametoindex(tunnel.name.c_str())) {
            break;
        }
    }
    return error;
}

std::string Bridges::check_name(Tunnel &tunnel)
{
    return tunnel.name.empty()
               ? choose_name(tunnel)
               : take(eoip_ovsdb_check_free(db_, tunnel.bridge.c_str(),
                                            tunnel.name.c_str()));
}

// Makes 'ports' what they are said to be, or adds them.
std::string Bridges::change_ports(std::span<const Tunnel> ports, bool add)
{
    std::deque<Smap> options;
    std::vector<eoip_change> changes;
    for (const Tunnel &port : ports) {
        const auto comment = port.options.find(kComment);
        options.emplace_back(port.options).remove(kComment);
        changes.push_back(
            {port.name.c_str(), add ? port.bridge.c_str() : nullptr,
             &options.back(),
             comment == port.options.end() ? "" : comment->second.c_str()});
    }
    return take(eoip_ovsdb_change(db_, changes.data(), changes.size()));
}

std::string Bridges::add(std::span<Tunnel> tunnels, bool dry_run)
{
    for (Tunnel &tunnel : tunnels) {
        std::string error = check(tunnel.options);
        error = error.empty() ? open() : error;
        error = error.empty() ? check_name(tunnel) : error;
        if (!error.empty()) {
            return error;
        }
    }
    return dry_run || tunnels.empty() ? "" : change_ports(tunnels, true);
}

std::string Bridges::change(const Tunnel &tunnel, const Options &changes,
                            bool dry_run)
{
    Options all = tunnel.options;
    for (const auto &[option, value] : changes) {
        all[option] = value;
    }
    // The one that holds for both directions replaces those that held for one.
    if (changes.contains("key")) {
        all.erase("in_key");
        all.erase("out_key");
    }
    // These two are one setting.
    if (changes.contains("tos") != changes.contains("dscp")) {
        all.erase(changes.contains("tos") ? "dscp" : "tos");
    }
    std::string error = check(all);
    if (!error.empty() || dry_run) {
        return error;
    }
    Tunnel changed = tunnel;
    changed.options = all;
    return change_ports({&changed, 1}, false);
}

std::string Bridges::remove(const Tunnel &tunnel, bool dry_run)
{
    const eoip_change change = {tunnel.name.c_str(), nullptr, nullptr, ""};
    return dry_run ? "" : take(eoip_ovsdb_change(db_, &change, 1));
}

std::string Bridges::look(Switch &found)
{
    eoip_switch row{};
    std::string error = open();
    if (error.empty()) {
        error = take(
            eoip_ovsdb_look(db_, &row, add_bridge, add_interface, &found));
    }
    if (error.empty()) {
        found.present = true;
        found.has_eoip = row.has_eoip;
        found.takes_segments = row.takes_segments;
    }
    std::ranges::sort(found.bridges, {}, &Bridge::name);
    std::ranges::sort(found.ports, {}, &Port::name);
    return error;
}

// Where the kernel is its datapath.
bool Bridges::takes_secrets(const std::string &bridge)
{
    Switch found;
    return look(found).empty()
           && std::ranges::any_of(found.bridges, [&](const Bridge &one) {
                  return one.name == bridge && one.datapath == "system";
              });
}

std::string Bridges::wait()
{
    eoip_ovsdb_wait(db_);
    return {};
}

}  // namespace eoip
