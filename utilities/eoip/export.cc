// SPDX-License-Identifier: Apache-2.0
//
// See export.h.

#include "export.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <utility>
#include <vector>

#include "eoip/options.h"
#include "rsc.h"
#include "values.h"

namespace eoip {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

[[nodiscard]] std::string secret_note(const Tunnel &tunnel)
{
    const bool has_one =
        std::ranges::any_of(tunnel.options, [](const auto &option) {
            return is_secret(option.first);
        });
    return has_one ? join({"# ", kSecret, " stands for a secret of ",
                           tunnel.name, ", which is not shown: put it in.\n"})
                   : "";
}

[[nodiscard]] bool is_plain(std::string_view text, std::string_view more)
{
    return !text.empty() && std::ranges::all_of(text, [&](unsigned char c) {
        return std::isalnum(c) || more.find(static_cast<char>(c)) != more.npos;
    });
}

// One word of a shell.
[[nodiscard]] std::string shell_word(std::string_view text)
{
    if (is_plain(text, "_-.,:/+@")) {
        return std::string(text);
    }
    std::string quoted = "'";
    for (const char c : text) {
        quoted += c == '\'' ? "'\\''" : std::string(1, c);
    }
    return quoted + "'";
}

// One word of a command line in a unit of systemd.
[[nodiscard]] std::string systemd_word(std::string_view text)
{
    std::string quoted;
    for (const char c : text) {
        quoted += c == '%' || c == '$'    ? std::string(2, c)
                  : c == '"' || c == '\\' ? std::string{'\\', c}
                                          : std::string(1, c);
    }
    return is_plain(text, "_-.,:/+@") ? std::string(text)
                                      : "\"" + quoted + "\"";
}

// A value of OVSDB: what is not a plain word of it is in quotes.
[[nodiscard]] std::string ovsdb_string(std::string_view text)
{
    std::string quoted;
    for (const char c : text) {
        quoted +=
            c == '"' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
    }
    return is_plain(text, "_-.") ? std::string(text) : "\"" + quoted + "\"";
}

[[nodiscard]] std::string ovsdb_word(std::string_view text)
{
    return shell_word(ovsdb_string(text));
}

// What was asked for, with the two ends first; what holds without a word is
// left out where a link says everything.
[[nodiscard]] Pairs settings(const Tunnel &tunnel)
{
    static constexpr std::string_view kFirst[] = {"key", "remote_ip",
                                                  "local_ip"};
    using Default = std::pair<std::string_view, std::string_view>;
    static constexpr Default kDefaults[] = {{"ttl", "64"},
                                            {"tos", "0"},
                                            {"df_default", "false"},
                                            {"clamp_tcp_mss", "true"},
                                            {"keepalive", "10,0"}};
    Pairs pairs;
    for (const std::string_view option : kFirst) {
        if (tunnel.options.contains(option)) {
            pairs.emplace_back(option, tunnel.get(option));
        }
    }
    const bool ipv6 = is_ipv6(tunnel.get("remote_ip"));
    for (const auto &[option, value] : tunnel.options) {
        const bool is_default =
            std::ranges::find(kDefaults, Default(option, value))
            != std::end(kDefaults);
        const bool is_mtu_of_1500 =
            option == "mtu" && value == (ipv6 ? "1444" : "1458");
        if (std::ranges::find(kFirst, option) == std::end(kFirst)
            && !(tunnel.in_kernel() && (is_default || is_mtu_of_1500))) {
            pairs.emplace_back(option, value);
        }
    }
    return pairs;
}

// The arguments of "eoip add", each as 'quote' has it.
[[nodiscard]] std::string arguments(const Tunnel &tunnel,
                                    std::string (*quote)(std::string_view))
{
    std::string line = "add";
    const auto put = [&](std::string_view word, std::string_view value) {
        line += join({" ", word, " ", quote(value)});
    };
    if (!tunnel.in_kernel()) {
        put("bridge", tunnel.bridge);
    }
    put("name", tunnel.name);
    for (const auto &[option, value] : settings(tunnel)) {
        put(word_of(option), is_secret(option) ? kSecret : value);
    }
    return line;
}

// The same for the scripts of ifupdown, which take the quotes of a shell for
// letters, and what stands between blanks for words.
[[nodiscard]] std::string ifupdown_word(std::string_view text)
{
    std::string word;
    for (const char c : ovsdb_string(text)) {
        word += c == ' '    ? "\\u0020"
                : c == '\'' ? "\\u0027"
                : c == '*'  ? "\\u002a"
                : c == '?'  ? "\\u003f"
                : c == '['  ? "\\u005b"
                            : std::string(1, c);
    }
    return word;
}

// For ovs-vsctl, with a blank before each.
[[nodiscard]] std::string columns(const Tunnel &tunnel,
                                  std::string (*quote)(std::string_view))
{
    std::string text;
    for (const auto &[option, value] : settings(tunnel)) {
        text += join(
            {" ", option == "comment" ? "external_ids:" : "options:", option,
             "=", is_secret(option) ? kSecret : quote(value)});
    }
    return text;
}

// What of ours is a property of RouterOS, but for the two ends.
[[nodiscard]] std::string routeros_properties(const Tunnel &tunnel)
{
    std::string text;
    const auto put = [&](std::string_view property, std::string_view value) {
        text += join({" ", property, "=", rsc_value(value)});
    };
    const auto said = [&](const char *option, std::string_view value) {
        const auto found = tunnel.options.find(option);
        return found != tunnel.options.end() && found->second == value;
    };
    if (tunnel.options.contains("psk")) {
        put("allow-fast-path", "no");
    }
    if (said("clamp_tcp_mss", "false")) {
        put("clamp-tcp-mss", "no");
    }
    if (tunnel.options.contains("comment")) {
        put("comment", tunnel.get("comment"));
    }
    if (said("dont_fragment", "inherit")) {
        put("dont-fragment", "inherit");
    }
    std::string dscp = tunnel.get("dscp");
    if (const std::string tos = tunnel.get("tos"); dscp.empty()) {
        const auto value = number(tos, 252);
        dscp = value ? std::to_string(*value >> 2) : tos;
    }
    if (dscp != "0") {
        put("dscp", dscp);
    }
    if (tunnel.options.contains("psk")) {
        put("ipsec-secret", kSecret);
    }
    // RouterOS's default fits one of ours that does not watch the peer.
    const std::string keepalive = tunnel.get("keepalive");
    const std::size_t comma = keepalive.find(',');
    if (keepalive == "none" || keepalive.empty()) {
        text += " !keepalive";
    } else if (keepalive != "10,0" && keepalive != "10s,0") {
        const std::string retries =
            comma == std::string::npos ? "10" : keepalive.substr(comma + 1);
        const std::string interval = keepalive.substr(0, comma);
        put("keepalive", join({interval, interval.ends_with('s') ? "" : "s",
                               ",", retries == "0" ? "10" : retries}));
    }
    if (const std::string mtu = tunnel.get("mtu");
        !mtu.empty() && mtu != "1458" && mtu != "1444") {
        put("mtu", mtu);
    }
    return text;
}

[[nodiscard]] std::string comment_line(const Tunnel &tunnel,
                                       std::string_view text)
{
    return join({"# ", tunnel.name, ": ", text, "\n"});
}

}  // namespace

std::string add_line(const Tunnel &tunnel)
{
    return "eoip " + arguments(tunnel, shell_word) + "\n";
}

std::string export_routeros(const Tunnel &tunnel, const std::string &source)
{
    const std::string remote = tunnel.get("remote_ip");
    const std::string local = tunnel.get("local_ip");
    const std::string id = tunnel.id();
    if (remote == "flow" || local == "flow" || !number(id, UINT16_MAX)) {
        return comment_line(tunnel, "a router has tunnels with two ends and "
                                    "one tunnel-id; this one is none");
    }
    const std::string us = local.empty() ? source : local;
    std::string text = secret_note(tunnel);
    if (us.empty()) {
        text += comment_line(
            tunnel, "which address this machine has towards the router is not "
                    "known: put it in as remote-address");
    }
    const bool ipv6 = is_ipv6(remote) || is_ipv6(us);
    text += join({"/interface ", ipv6 ? "eoipv6" : "eoip", " add",
                  routeros_properties(tunnel)});
    // A router whose address is learned says none, and takes what fits.
    if (remote != "learn") {
        text += " local-address=" + rsc_value(remote);
    }
    text += " name=" + rsc_value(tunnel.name)
            + " remote-address=" + rsc_value(us.empty() ? "ADDRESS" : us)
            + " tunnel-id=" + id + "\n";
    return text;
}

std::string export_ovs_vsctl(const Tunnel &tunnel)
{
    if (tunnel.in_kernel()) {
        return comment_line(tunnel, "a link of the kernel is not in Open "
                                    "vSwitch: \"eoip export interfaces\" and "
                                    "\"networkd\" have it");
    }
    const std::string name = shell_word(tunnel.name);
    return secret_note(tunnel) + "ovs-vsctl --may-exist add-port "
           + shell_word(tunnel.bridge) + " " + name + " -- set interface "
           + name + " type=eoip" + columns(tunnel, ovsdb_word) + "\n";
}

std::string export_interfaces(const Tunnel &tunnel)
{
    const std::string name = tunnel.name;
    std::string text = secret_note(tunnel) + "auto " + name + "\niface " + name
                       + " inet manual\n";
    if (tunnel.in_kernel()) {
        return text + "    pre-up " + add_line(tunnel) + "    up ip link set "
               + shell_word(name) + " up\n    post-down eoip del "
               + shell_word(name) + "\n";
    }
    // The scripts of Open vSwitch take each column as a word of ovs-vsctl.
    return text + "    ovs_bridge " + tunnel.bridge
           + "\n    ovs_type OVSTunnel\n    ovs_tunnel_type eoip\n"
             "    ovs_tunnel_options"
           + columns(tunnel, ifupdown_word) + "\n";
}

std::string export_networkd(const Tunnel &tunnel)
{
    if (!tunnel.in_kernel()) {
        return comment_line(tunnel,
                            "a port of bridge " + tunnel.bridge
                                + " is in the database of Open vSwitch, and "
                                  "there again when the machine starts");
    }
    const std::string name = tunnel.name;
    return secret_note(tunnel) + "# /etc/systemd/system/eoip-" + name
           + ".service, for \"systemctl enable\"\n"
             "[Unit]\n"
             "Before=network.target systemd-networkd.service\n"
             "After=network-pre.target\n\n"
             "[Service]\n"
             "Type=oneshot\n"
             "RemainAfterExit=yes\n"
             "ExecStart=/usr/sbin/eoip "
           + arguments(tunnel, systemd_word) + "\nExecStop=/usr/sbin/eoip del "
           + systemd_word(name)
           + "\n\n[Install]\nWantedBy=multi-user.target\n\n"
             "# /etc/systemd/network/eoip-"
           + name
           + ".network, with the addresses or the bridge that it is to "
             "have\n[Match]\nName="
           + name + "\n\n[Network]\n";
}

}  // namespace eoip
