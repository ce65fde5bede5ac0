// SPDX-License-Identifier: Apache-2.0
//
// Follows a packet from rule to rule: see packet_walk.h.

#include "packet_walk.h"

#include <algorithm>
#include <tuple>

#include "iptables.h"
#include "json_values.h"

namespace eoip {
namespace {

enum class Match { no, unknown, yes };
enum class Verdict { none, accept, drop, leave, unknown };  // leave: return.

// The hooks before conntrack has looked, and before the module takes a packet.
constexpr long long kConntrackPriority = -200;
constexpr int kDepth = 16;

[[nodiscard]] Match negate(Match match)
{
    return match == Match::yes  ? Match::no
           : match == Match::no ? Match::yes
                                : Match::unknown;
}

// As users know it.
[[nodiscard]] std::string place(const Chain &chain)
{
    return chain.table.starts_with(kIptables)
               ? "\"" + chain.name + "\" of "
                     + (chain.family == "ip6" ? "ip6tables" : "iptables")
               : "\"" + chain.family + " " + chain.table + " " + chain.name
                     + "\"";
}

// One packet on its way.
class Walk {
public:
    Walk(const TunnelPacket &packet, const std::vector<Chain> &chains)
        : packet_(packet), chains_(chains)
    {
    }
    [[nodiscard]] Firewall run();

private:
    Verdict run_chain(const Chain &chain, int depth);
    Verdict run_rule(const Chain &chain, const json *rule, int depth);
    Verdict run_verdict(const Chain &chain, const json *statement,
                        Match matches, int depth);
    Verdict run_map(const Chain &chain, const json *map, Match matches,
                    int depth);
    Verdict run_target(const Chain &chain, const json *jump, Match matches,
                       bool is_goto, int depth);
    [[nodiscard]] std::string exemption(const Chain &chain) const;
    [[nodiscard]] bool may_untrack(const json *rule) const;
    [[nodiscard]] Match matches(const json *match) const;
    [[nodiscard]] Match compare(const std::vector<std::string> &values,
                                const json *right) const;
    [[nodiscard]] std::vector<std::string> values_of(const json *left,
                                                     bool &differs) const;

    const TunnelPacket &packet_;
    const std::vector<Chain> &chains_;
    const Chain *dropped_in_ = nullptr;
    bool by_state_ = false;  // A rule that looks at conntrack's state did.
    bool saw_state_ = false;
};

// What the packet has where 'left' looks, in all ways to write it; none if
// that is not known.  'differs' if it cannot be what any rule asks for.
std::vector<std::string> Walk::values_of(const json *left, bool &differs) const
{
    const json *payload = member(left, "payload");
    const std::string meta = text(member(left, "meta"), "key");
    const std::string protocol = text(payload, "protocol");
    const std::string field = text(payload, "field");
    const std::vector<std::string> number =
        packet_.ipv6 ? std::vector<std::string>{"97", "etherip"}
                     : std::vector<std::string>{"47", "gre"};
    const auto known = [](const std::string &value) {
        return value.empty() ? std::vector<std::string>{}
                             : std::vector<std::string>{value};
    };
    if (text(member(left, "ct"), "key") == "state") {
        // Protocol 97 is tracked like any other that is not known.
        return known(packet_.ipv6 ? "" : "invalid");
    }
    if (meta == "l4proto") {
        return number;
    }
    if (meta == "nfproto") {
        return {packet_.ipv6 ? "ipv6" : "ipv4"};
    }
    for (const char *direction : {"iif", "oif"}) {
        if (meta == direction || meta == std::string(direction) + "name") {
            return known((direction[0] == 'o') == packet_.outgoing
                             ? packet_.device
                             : "");
        }
    }
    if (protocol == "ip" || protocol == "ip6") {
        differs = (protocol == "ip6") != packet_.ipv6;
        return field == "protocol" || field == "nexthdr" ? number
               : field == "saddr"
                   ? known(packet_.outgoing ? packet_.local : packet_.peer)
               : field == "daddr"
                   ? known(packet_.outgoing ? packet_.peer : packet_.local)
                   : std::vector<std::string>{};
    }
    for (const char *other : {"tcp", "udp", "icmp", "icmpv6", "igmp", "sctp",
                              "esp", "ah", "udplite", "dccp", "th"}) {
        differs |= protocol == other;
    }
    return {};
}

Match Walk::compare(const std::vector<std::string> &values,
                    const json *right) const
{
    if (const json *set = member(right, "set"); set || is_array(right)) {
        Match found = Match::no;
        for (const json *one : elements(set ? set : right)) {
            found = std::max(found, compare(values, one));
        }
        return found;
    }
    const std::string wanted = text(right);
    if (wanted.empty() || wanted.starts_with('@')) {
        return Match::unknown;
    }
    for (const std::string &value : values) {
        if (value == wanted
            || (wanted.ends_with('*')
                && value.starts_with(wanted.substr(0, wanted.size() - 1)))) {
            return Match::yes;
        }
    }
    return Match::no;
}

Match Walk::matches(const json *match) const
{
    bool differs = false;
    const std::vector<std::string> values =
        values_of(member(match, "left"), differs);
    const std::string op = text(match, "op");
    if (differs) {
        return Match::no;
    }
    if (values.empty() || (op != "==" && op != "in" && op != "!=")) {
        return Match::unknown;
    }
    const Match found = compare(values, member(match, "right"));
    return op == "!=" ? negate(found) : found;
}

Verdict Walk::run_target(const Chain &chain, const json *jump, Match matches,
                         bool is_goto, int depth)
{
    const std::string target = text(jump, "target");
    if (matches != Match::yes || depth > kDepth) {
        return Verdict::unknown;
    }
    for (const Chain &other : chains_) {
        if (std::tie(other.family, other.table, other.name)
            == std::tie(chain.family, chain.table, target)) {
            const Verdict verdict = run_chain(other, depth + 1);
            return verdict != Verdict::none && verdict != Verdict::leave
                       ? verdict
                   : is_goto ? Verdict::leave
                             : Verdict::none;
        }
    }
    return Verdict::unknown;
}

// A verdict map: which element it is, only conntrack's state tells.
Verdict Walk::run_map(const Chain &chain, const json *map, Match matches,
                      int depth)
{
    bool differs = false;
    const std::vector<std::string> values =
        values_of(member(map, "key"), differs);
    const json *set = member(member(map, "data"), "set");
    if (differs) {
        return Verdict::none;
    }
    if (values.empty() || !set) {
        return Verdict::unknown;
    }
    for (const json *pair : elements(set)) {
        const auto parts = elements(pair);
        if (parts.size() != 2) {
            return Verdict::unknown;
        }
        const Match found = compare(values, parts[0]);
        if (found != Match::no) {
            return run_verdict(chain, parts[1], std::min(found, matches),
                               depth);
        }
    }
    return Verdict::none;
}

// A statement that is none of the verdicts changes nothing.
Verdict Walk::run_verdict(const Chain &chain, const json *statement,
                          Match matches, int depth)
{
    const auto is = [statement](const char *name) {
        return has(statement, name);
    };
    if (is("drop") || is("reject")) {
        if (matches != Match::yes) {
            return Verdict::none;  // Perhaps, and that is not said.
        }
        dropped_in_ = &chain;
        by_state_ = saw_state_;
        return Verdict::drop;
    }
    if (is("jump") || is("goto")) {
        return run_target(chain,
                          member(statement, is("jump") ? "jump" : "goto"),
                          matches, is("goto"), depth);
    }
    for (const char *other : {"accept", "return", "queue", "xt"}) {
        if (is(other)) {
            return matches != Match::yes || is("queue") || is("xt")
                       ? Verdict::unknown
                   : is("accept") ? Verdict::accept
                                  : Verdict::leave;
        }
    }
    return is("vmap")
               ? run_map(chain, member(statement, "vmap"), matches, depth)
               : Verdict::none;
}

Verdict Walk::run_rule(const Chain &chain, const json *rule, int depth)
{
    Match so_far = Match::yes;
    saw_state_ = false;
    for (const json *statement : elements(member(rule, "expr"))) {
        if (const json *match = member(statement, "match")) {
            so_far = std::min(so_far, matches(match));
        } else if (has(statement, "limit")) {
            so_far = std::min(so_far, Match::unknown);
        }
        const json *map = member(statement, "vmap");
        for (const json *place : {member(member(statement, "match"), "left"),
                                  member(map, "key")}) {
            saw_state_ |= text(member(place, "ct"), "key") == "state";
        }
        if (so_far == Match::no) {
            return Verdict::none;
        }
        const Verdict verdict = run_verdict(chain, statement, so_far, depth);
        if (verdict != Verdict::none) {
            return verdict;
        }
    }
    return Verdict::none;
}

Verdict Walk::run_chain(const Chain &chain, int depth)
{
    for (const json *rule : chain.rules) {
        const Verdict verdict = run_rule(chain, rule, depth);
        if (verdict != Verdict::none) {
            return verdict;
        }
    }
    return Verdict::none;
}

// Whether a rule may keep the packet from conntrack, and so from a state.
bool Walk::may_untrack(const json *rule) const
{
    for (const json *statement : elements(member(rule, "expr"))) {
        const json *match = member(statement, "match");
        if (match && matches(match) == Match::no) {
            return false;
        }
        // Whom it jumps to is not followed.
        for (const char *name : {"notrack", "jump", "goto", "vmap", "xt"}) {
            if (has(statement, name)) {
                return true;
            }
        }
    }
    return false;
}

// The command that lets the packet pass the chain.
std::string Walk::exemption(const Chain &chain) const
{
    if (chain.table.starts_with(kIptables)) {
        return (packet_.ipv6 ? "ip6tables -t " : "iptables -t ")
               + chain.table.substr(kIptables.size()) + " -I " + chain.name
               + (packet_.outgoing ? " -d " : " -s ") + packet_.peer + " -p "
               + (packet_.ipv6 ? "97" : "47") + " -j ACCEPT";
    }
    return "nft insert rule " + chain.family + " " + chain.table + " "
           + chain.name + (packet_.ipv6 ? " ip6 " : " ip ")
           + (packet_.outgoing ? "daddr " : "saddr ") + packet_.peer
           + " meta l4proto " + (packet_.ipv6 ? "97" : "47") + " accept";
}

Firewall Walk::run()
{
    std::vector<const Chain *> bases;
    const std::string first = packet_.outgoing ? "output" : "prerouting";
    const std::string second = packet_.outgoing ? "postrouting" : "input";
    for (const Chain &chain : chains_) {
        if (chain.hook != first && chain.hook != second) {
            continue;
        }
        if (chain.hook == second || chain.priority > kConntrackPriority) {
            bases.push_back(&chain);
        } else if (std::ranges::any_of(chain.rules, [&](const json *rule) {
                       return may_untrack(rule);
                   })) {
            return {};
        }
    }
    std::ranges::stable_sort(bases, [&](const Chain *a, const Chain *b) {
        return std::make_pair(a->hook == second, a->priority)
               < std::make_pair(b->hook == second, b->priority);
    });
    for (const Chain *base : bases) {
        const Verdict verdict = run_chain(*base, 0);
        const bool is_open =
            verdict == Verdict::none || verdict == Verdict::leave;
        if (verdict != Verdict::drop && !(is_open && base->drops)) {
            continue;
        }
        const Chain &where = verdict == Verdict::drop ? *dropped_in_ : *base;
        return {
            verdict != Verdict::drop
                ? "chain " + place(where) + " has no rule that accepts them"
            : by_state_ ? "\"ct state invalid drop\" in chain " + place(where)
                              + ", as conntrack does not know EoIP"
                        : "a rule in chain " + place(where),
            exemption(*base)};
    }
    return {};
}

}  // namespace

Firewall walk(const TunnelPacket &packet, const std::vector<Chain> &chains)
{
    return Walk(packet, chains).run();
}

}  // namespace eoip
