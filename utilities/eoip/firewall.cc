// SPDX-License-Identifier: Apache-2.0
//
// Reads the rules: see firewall.h.

#include "firewall.h"

#include <cstdio>
#include <memory>

#include "iptables.h"

namespace eoip {
namespace {

// A chain, or a rule of one that is there; others are none of the family.
void add_entry(const json *entry, std::string_view own,
               std::vector<Chain> &chains)
{
    const json *shown = member(entry, "chain"), *rule = member(entry, "rule");
    const std::string family = text(shown ? shown : rule, "family");
    if (family != "inet" && family != own) {
        return;
    }
    if (shown) {
        chains.push_back({family,
                          text(shown, "table"),
                          text(shown, "name"),
                          text(shown, "hook"),
                          integer(member(shown, "prio")).value_or(0),
                          text(shown, "policy") == "drop",
                          {}});
        return;
    }
    for (Chain &chain : chains) {
        if (chain.family == family && chain.table == text(rule, "table")
            && chain.name == text(rule, "chain")) {
            chain.rules.push_back(rule);
        }
    }
}

[[nodiscard]] std::string output_of(const std::string &command)
{
    std::string text;
    char buffer[4096];
    const std::unique_ptr<FILE, int (*)(FILE *)> pipe(
        popen(("PATH=$PATH:/usr/sbin:/sbin; " + command + " 2>/dev/null")
                  .c_str(),
              "r"),
        pclose);
    while (pipe) {
        const std::size_t n = std::fread(buffer, 1, sizeof buffer, pipe.get());
        if (!n) {
            break;
        }
        text.append(buffer, n);
    }
    return text;
}

}  // namespace

void Ruleset::add(const std::string &text)
{
    if (!text.empty()) {
        lists_.push_back(parse_json(text));
    }
}

Ruleset Ruleset::load()
{
    Ruleset rules;
    // First, as nft shows rules of iptables in part, too.
    rules.add(iptables_as_nft(output_of("iptables-save"), false));
    rules.add(iptables_as_nft(output_of("ip6tables-save"), true));
    rules.add(output_of("nft -j list ruleset"));
    return rules;
}

Firewall Ruleset::judge(const TunnelPacket &packet) const
{
    std::vector<Chain> chains;
    for (const auto &list : lists_) {
        for (const json *entry : elements(member(list.get(), "nftables"))) {
            add_entry(entry, packet.ipv6 ? "ip6" : "ip", chains);
        }
    }
    return walk(packet, chains);
}

}  // namespace eoip
