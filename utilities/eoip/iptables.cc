// SPDX-License-Identifier: Apache-2.0
//
// Reads the lines of iptables-save: see iptables.h.

#include "iptables.h"

#include <cctype>
#include <sstream>
#include <vector>

namespace eoip {
namespace {

[[nodiscard]] std::string quoted(std::string_view text)
{
    std::string result = "\"";
    for (const char c : text) {
        result += c == '"' || c == '\\' ? '_' : c;
    }
    return result + "\"";
}

// The words of a line, of which some stand in quotation marks.
[[nodiscard]] std::vector<std::string> words_of(const std::string &line)
{
    std::vector<std::string> words;
    bool inside = false, is_new = true;
    for (std::size_t i = 0; i < line.size(); i++) {
        if (line[i] == '"') {
            inside = !inside;
        } else if (line[i] == '\\' && i + 1 < line.size()) {
            i++;
        } else if (line[i] == ' ' && !inside) {
            is_new = true;
            continue;
        }
        if (is_new) {
            words.emplace_back();
            is_new = false;
        }
        if (line[i] != '"') {
            words.back() += line[i];
        }
    }
    return words;
}

// "INVALID,NEW" as a set of nft's words.
[[nodiscard]] std::string states(const std::string &list)
{
    std::string set, state;
    for (const char c : list + ",") {
        if (c != ',') {
            state +=
                static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
            continue;
        }
        set += (set.empty() ? "" : ", ") + quoted(state);
        state.clear();
    }
    return "{\"set\": [" + set + "]}";
}

// Whole addresses only.
[[nodiscard]] std::string address(const std::string &text)
{
    const std::size_t slash = text.find('/');
    const std::string bits = slash == text.npos ? "" : text.substr(slash);
    return bits.empty() || bits == "/32" || bits == "/128"
               ? quoted(text.substr(0, slash))
               : "{\"prefix\": null}";
}

[[nodiscard]] std::string device(std::string text)
{
    if (text.ends_with('+')) {
        text.back() = '*';
    }
    return quoted(text);
}

[[nodiscard]] std::string target(const std::string &name)
{
    for (const char *passing :
         {"LOG", "NFLOG", "ULOG", "AUDIT", "MARK", "CONNMARK", "TCPMSS", "SET",
          "CONNSECMARK", "SECMARK", "DSCP", "TOS", "TTL", "HL"}) {
        if (name == passing) {
            return "{\"counter\": null}";
        }
    }
    return name == "ACCEPT"                       ? "{\"accept\": null}"
           : name == "DROP" || name == "REJECT"   ? "{\"drop\": null}"
           : name == "RETURN"                     ? "{\"return\": null}"
           : name == "QUEUE" || name == "NFQUEUE" ? "{\"queue\": null}"
           : name == "CT" || name == "NOTRACK"
               ? "{\"notrack\": null}"
               : "{\"jump\": {\"target\": " + quoted(name) + "}}";
}

[[nodiscard]] std::string match(const std::string &left,
                                const std::string &right, bool negated)
{
    return "{\"match\": {\"op\": \"" + std::string(negated ? "!=" : "==")
           + "\", \"left\": " + left + ", \"right\": " + right + "}}";
}

[[nodiscard]] std::string meta(const char *key)
{
    return "{\"meta\": {\"key\": " + quoted(key) + "}}";
}

class Translator {
public:
    explicit Translator(bool ipv6) : family_(ipv6 ? "ip6" : "ip") {}

    void add(const std::string &line)
    {
        const std::vector<std::string> words = words_of(line);
        if (line.starts_with('*')) {
            table_ = line.substr(1);
        } else if (line.starts_with(':') && words.size() > 1) {
            add_chain(words[0].substr(1), words[1]);
        } else if (words.size() > 1 && words[0] == "-A") {
            add_rule(words);
        }
    }
    [[nodiscard]] std::string text() const
    {
        return "{\"nftables\": [" + list_ + "]}";
    }

private:
    [[nodiscard]] std::string place() const
    {
        return "\"family\": " + quoted(family_)
               + ", \"table\": " + quoted(std::string(kIptables) + table_);
    }
    void append(const std::string &object)
    {
        list_ += (list_.empty() ? "" : ", ") + object;
    }
    void add_chain(const std::string &name, const std::string &policy)
    {
        std::string hook;
        const bool is_base = policy != "-";
        for (const char c : is_base ? name : "") {
            hook +=
                static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        }
        append("{\"chain\": {" + place() + ", \"name\": " + quoted(name)
               + (is_base ? ", \"hook\": " + quoted(hook) + ", \"prio\": "
                                + (table_ == "raw"      ? "-300"
                                   : table_ == "mangle" ? "-150"
                                                        : "0")
                                + ", \"policy\": "
                                + quoted(policy == "DROP" ? "drop" : "accept")
                          : "")
               + "}}");
    }
    void add_rule(const std::vector<std::string> &words);
    [[nodiscard]] std::string part(const std::string &option,
                                   const std::string &value,
                                   bool negated) const;

    const std::string family_;
    std::string table_;
    std::string list_;
};

// What an option with its value is in nft; "" says nothing of packets.
std::string Translator::part(const std::string &option,
                             const std::string &value, bool negated) const
{
    const auto field = [this](const char *name) {
        return "{\"payload\": {\"protocol\": " + quoted(family_)
               + ", \"field\": " + quoted(name) + "}}";
    };
    if (option == "-m" || option == "--comment") {
        return "";
    }
    if (option == "-p") {
        return match(meta("l4proto"), quoted(value), negated);
    }
    if (option == "-s" || option == "-d") {
        return match(field(option == "-s" ? "saddr" : "daddr"), address(value),
                     negated);
    }
    if (option == "-i" || option == "-o") {
        return match(meta(option == "-i" ? "iifname" : "oifname"),
                     device(value), negated);
    }
    if (option == "--ctstate" || option == "--state") {
        return match("{\"ct\": {\"key\": \"state\"}}", states(value), negated);
    }
    if (option == "-j") {
        return target(value);
    }
    return option == "-g" ? "{\"goto\": {\"target\": " + quoted(value) + "}}"
                          : "{\"limit\": {}}";
}

void Translator::add_rule(const std::vector<std::string> &words)
{
    std::string expression;
    bool negated = false;
    for (std::size_t i = 2; i < words.size(); i++) {
        if (words[i] == "!") {
            negated = true;
            continue;
        }
        std::string value, option = words[i];
        while (i + 1 < words.size() && words[i + 1] != "!"
               && !words[i + 1].starts_with('-')) {
            value = value.empty() ? words[i + 1] : value;
            i++;
        }
        if (const std::string one = part(option, value, negated);
            !one.empty()) {
            expression += (expression.empty() ? "" : ", ") + one;
        }
        negated = false;
        // What is behind it belongs to the target.
        if (option == "-j" || option == "-g") {
            break;
        }
    }
    append("{\"rule\": {" + place() + ", \"chain\": " + quoted(words[1])
           + ", \"expr\": [" + expression + "]}}");
}

}  // namespace

std::string iptables_as_nft(const std::string &saved, bool ipv6)
{
    std::istringstream lines(saved);
    Translator translator(ipv6);
    std::string line;
    while (std::getline(lines, line)) {
        translator.add(line);
    }
    return translator.text();
}

}  // namespace eoip
