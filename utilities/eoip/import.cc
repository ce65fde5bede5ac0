// SPDX-License-Identifier: Apache-2.0
//
// From what RouterOS exports to our tunnels: see import.h.

#include "import.h"

#include <algorithm>
#include <map>
#include <set>
#include <span>

#include <net/if.h>

#include "eoip/options.h"
#include "rsc.h"
#include "values.h"

namespace eoip {
namespace {

constexpr std::size_t kNameMax = IFNAMSIZ - 1;

// What RouterOS says of one tunnel, with its lines.
struct Interface {
    unsigned line = 0;
    std::map<std::string, std::string> properties;
    std::set<std::string> unset;  // "!keepalive".
};

// Those that mean nothing where the tunnel is a port or a link of ours, so
// that there is nothing to say of them.
constexpr std::string_view kOfTheRouter[] = {"allow-fast-path",
                                             "arp",
                                             "arp-timeout",
                                             "l2mtu",
                                             "mac-address",
                                             "loop-protect-disable-time",
                                             "loop-protect-send-interval"};

// Those that are options here, beside the two addresses.
constexpr std::string_view kOptions[] = {"tunnel-id",     "keepalive",
                                         "clamp-tcp-mss", "dont-fragment",
                                         "dscp",          "comment"};

[[nodiscard]] bool contains(std::span<const std::string_view> list,
                            std::string_view name)
{
    return std::ranges::find(list, name) != list.end();
}

// "00:01:30,3" as "90s,3"; what has no ":" stays.
[[nodiscard]] std::string plain_time(const std::string &text)
{
    const std::size_t end = std::min(text.find(','), text.size());
    const std::string time = text.substr(0, end);
    if (time.find(':') == std::string::npos) {
        return text;
    }
    std::uint32_t seconds = 0;
    for (std::size_t at = 0; at <= time.size();) {
        const std::size_t stop = std::min(time.find(':', at), time.size());
        // Digits that begin with a 0 are no octal number here.
        std::size_t first = at;
        while (first + 1 < stop && time[first] == '0') {
            first++;
        }
        const auto part = number(time.substr(first, stop - first), 65535);
        if (!part) {
            return text;
        }
        seconds = seconds * 60 + *part;
        at = stop + 1;
    }
    return std::to_string(seconds) + "s" + text.substr(end);
}

class Importer {
public:
    explicit Importer(const ImportSide &side) : side_(side) {}

    void take(const RscStatement &statement);
    [[nodiscard]] Imported result();

private:
    void note(unsigned line, const std::string &text)
    {
        result_.notes.push_back("line " + std::to_string(line) + ": " + text);
    }
    void fail(unsigned line, const std::string &text)
    {
        result_.errors.push_back("line " + std::to_string(line) + ": " + text);
    }
    [[nodiscard]] Interface *find(const RscStatement &statement,
                                  std::size_t &used);
    void add(const Interface &interface);
    void set(Tunnel &tunnel, const Interface &interface,
             const std::string &property, std::string value);
    void set_ends(Tunnel &tunnel, const Interface &interface);
    [[nodiscard]] std::string name_of(const Interface &interface);
    void note_rest(const Interface &interface, const std::string &name);

    const ImportSide &side_;
    std::vector<Interface> interfaces_;
    Imported result_;
};

// The interface that "set" is about: "set NAME" or "set [ find name=NAME ]".
// 'used' is how many words say so.
Interface *Importer::find(const RscStatement &statement, std::size_t &used)
{
    std::string name;
    if (!statement.words.empty() && !statement.words[0].has_value) {
        const RscWord &word = statement.words[0];
        used = 1;
        name = word.name;
        if (word.is_command) {
            const Rsc inside = parse_rsc("/x " + word.name);
            const bool by_name =
                inside.statements.size() == 1
                && inside.statements[0].verb == "find"
                && inside.statements[0].words.size() == 1
                && inside.statements[0].words[0].name == "name";
            name = by_name ? inside.statements[0].words[0].value : "";
        }
    }
    const auto found =
        std::ranges::find_if(interfaces_, [&](const Interface &one) {
            const auto own = one.properties.find("name");
            return !name.empty() && own != one.properties.end()
                   && own->second == name;
        });
    if (found == interfaces_.end()) {
        fail(statement.line,
             "\"set\" is understood only with the name of a tunnel that the "
             "file has before: set NAME, or set [ find name=NAME ]");
        return nullptr;
    }
    return &*found;
}

void Importer::take(const RscStatement &statement)
{
    if (statement.menu != "interface eoip"
        && statement.menu != "interface eoipv6") {
        const bool is_about_us =
            std::ranges::any_of(statement.words, [](const RscWord &word) {
                return (word.name + word.value).find("eoip")
                       != std::string::npos;
            });
        if (statement.menu.starts_with(':') && is_about_us) {
            fail(statement.line, "this is a script: only what /export prints "
                                 "is read");
        }
        return;
    }
    if (statement.verb.empty() && statement.words.empty()) {
        return;
    }
    std::size_t used = 0;
    Interface *interface = nullptr;
    if (statement.verb == "add") {
        interface = &interfaces_.emplace_back();
        interface->line = statement.line;
    } else if (statement.verb == "set") {
        interface = find(statement, used);
    } else {
        fail(statement.line, "\"" + statement.verb
                                 + "\" is not understood: only add and set, "
                                   "as /export prints them, are read");
    }
    for (; interface && used < statement.words.size(); used++) {
        const RscWord &word = statement.words[used];
        if (word.is_computed) {
            fail(statement.line,
                 word.name
                     + " depends on a variable or a command of the "
                       "router: only what /export prints is read");
        } else if (word.is_unset) {
            interface->properties.erase(word.name);
            interface->unset.insert(word.name);
        } else if (word.has_value) {
            interface->properties[word.name] = word.value;
            interface->unset.erase(word.name);
        } else {
            fail(statement.line, "\"" + word.name
                                     + "\" is not understood: expected is "
                                       "PROPERTY=VALUE");
        }
    }
}

// A name that an interface can have here.
std::string Importer::name_of(const Interface &interface)
{
    const auto own = interface.properties.find("name");
    std::string name = own == interface.properties.end() ? "" : own->second;
    if (name.empty()) {
        fail(interface.line, "the tunnel has no name: give it one, name=NAME");
        return name;
    }
    for (char &c : name) {
        const auto byte = static_cast<unsigned char>(c);
        c = byte > ' ' && byte < 0x7f && c != '/' && c != '%' && c != ':'
                ? c
                : '-';
    }
    if (name.size() > kNameMax || name == "." || name == "..") {
        name = name.substr(0, kNameMax);
        std::ranges::replace(name, '.', '-');
    }
    if (name != own->second) {
        note(interface.line,
             "\"" + own->second + "\" is called " + name + " here");
    }
    for (const Tunnel &other : result_.tunnels) {
        if (other.name == name) {
            fail(interface.line, "two tunnels would be called " + name
                                     + " here: rename one of them");
        }
    }
    return name;
}

void Importer::set(Tunnel &tunnel, const Interface &interface,
                   const std::string &property, std::string value)
{
    if (property == "comment" && !is_utf8(value)) {
        note(interface.line,
             tunnel.name
                 + ": its comment is not in UTF-8, "
                   "which is what is known here: see the \"?\"");
        for (char &c : value) {
            c = static_cast<unsigned char>(c) < 0x80 ? c : '?';
        }
    }
    if (property == "keepalive") {
        value = plain_time(value);
    }
    const std::string option(
        property == "comment" || property == "mtu"
            ? property
            : option_known_as(property).value_or(property));
    const std::string error = parse_value({property, option, {}, {}}, value);
    if (!error.empty()) {
        fail(interface.line, tunnel.name + ": " + error);
    } else if (!value.empty()) {
        tunnel.options[option] = value;
    }
}

void Importer::set_ends(Tunnel &tunnel, const Interface &interface)
{
    const auto get = [&](const char *property) {
        const auto found = interface.properties.find(property);
        const bool is_said = found != interface.properties.end()
                             && found->second != "0.0.0.0"
                             && found->second != "::";
        return is_said ? found->second : std::string();
    };
    std::string remote = get("local-address");
    std::string local = get("remote-address");
    if (side_.replace) {
        std::swap(remote, local);
    } else if (remote.empty()) {
        remote = side_.peer;
    }
    if (remote.empty()) {
        fail(interface.line,
             tunnel.name
                 + (side_.replace
                        ? ": it has no remote-address, so that the other end "
                          "is not known"
                        : ": it has no local-address, so that the router's "
                          "own address is not known: give --peer=ADDRESS, or "
                          "with a bridge --peer=learn"));
        return;
    }
    for (const std::string &end :
         {get("local-address"), get("remote-address")}) {
        if (!end.empty() && !is_ipv4(end) && !is_ipv6(end)) {
            fail(interface.line, tunnel.name + ": " + end
                                     + " is neither an IPv4 nor an IPv6 "
                                       "address");
            return;
        }
    }
    set(tunnel, interface, "remote-address", remote);
    if (!local.empty()) {
        set(tunnel, interface, "local-address", local);
    }
}

// What is not taken over, and matters.
void Importer::note_rest(const Interface &interface, const std::string &name)
{
    for (const auto &[property, value] : interface.properties) {
        if (property == "ipsec-secret" && !value.empty()) {
            note(interface.line,
                 name
                     + (side_.ipsec
                            ? " has an ipsec-secret, which is not shown, and "
                              "becomes options:psk: see"
                            : " has an ipsec-secret, which is not shown: set "
                              "IPsec up on this machine before, and see")
                     + " that the router has allow-fast-path=no");
        } else if (property == "loop-protect") {
            if (value != "off" && value != "default") {
                note(interface.line,
                     name
                         + ": loop-protect is left out: the bridge's RSTP is "
                           "for that");
            }
        } else if (property == "mtu" && !side_.bridge.empty()) {
            continue;  // A port has none, and what exceeds it goes through.
        } else if (property != "name" && property != "mtu"
                   && property != "disabled" && property != "remote-address"
                   && property != "ipsec-secret"
                   && property != "local-address"
                   && !contains(kOptions, property)
                   && !contains(kOfTheRouter, property)) {
            note(interface.line,
                 name + ": " + property + " is not known, and left out");
        }
    }
}

void Importer::add(const Interface &interface)
{
    const auto get = [&](const char *property) {
        const auto found = interface.properties.find(property);
        return found == interface.properties.end() ? "" : found->second;
    };
    Tunnel tunnel;
    tunnel.name = name_of(interface);
    if (tunnel.name.empty()) {
        return;
    }
    tunnel.bridge = side_.bridge;
    if (get("disabled") == "yes" || get("disabled") == "true") {
        note(interface.line, tunnel.name + " is disabled, and left out");
        return;
    }
    if (!interface.properties.contains("tunnel-id")) {
        fail(interface.line, tunnel.name + ": it has no tunnel-id");
    }
    for (const auto &[property, value] : interface.properties) {
        if (contains(kOptions, property)) {
            set(tunnel, interface, property, value);
        }
    }
    if (const std::string mtu = get("mtu");
        side_.bridge.empty() && !mtu.empty() && mtu != "auto") {
        set(tunnel, interface, "mtu", mtu);
    }
    if (side_.ipsec && interface.properties.contains("ipsec-secret")) {
        set(tunnel, interface, "ipsec-secret", get("ipsec-secret"));
    }
    if (interface.unset.contains("keepalive")) {
        tunnel.options["keepalive"] = "none";
    }
    set_ends(tunnel, interface);
    note_rest(interface, tunnel.name);
    result_.tunnels.push_back(std::move(tunnel));
}

Imported Importer::result()
{
    for (const Interface &interface : interfaces_) {
        add(interface);
    }
    if (interfaces_.empty() && result_.errors.empty()) {
        result_.errors.push_back(
            "there is no tunnel in it: expected are the lines of /interface "
            "eoip or eoipv6 as /export prints them");
    }
    return result_;
}

}  // namespace

Imported import_rsc(std::string_view text, const ImportSide &side)
{
    Importer importer(side);
    const Rsc rsc = parse_rsc(text);
    if (!rsc.error.empty()) {
        return {{}, {}, {rsc.error}};
    }
    for (const RscStatement &statement : rsc.statements) {
        importer.take(statement);
    }
    return importer.result();
}

}  // namespace eoip
