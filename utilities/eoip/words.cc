// SPDX-License-Identifier: Apache-2.0
//
// Parses the command line: see words.h.
//
// Tables say what there is: kVerbs, the flags of flags.h and the words of
// values.h.

#include "words.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <optional>
#include <vector>

#include <linux/eoip.h>
#include <net/if.h>

#include "eoip/options.h"
#include "flags.h"
#include "lookup.h"
#include "values.h"

namespace eoip {
namespace {

constexpr std::size_t kNameMax = IFNAMSIZ - 1;

struct VerbName {
    std::string_view name;
    Verb verb;
    bool whole = false;  // Never shortened: "c" is change, as of old.
};

struct Format {
    std::string_view name;
};

constexpr VerbName kVerbs[] = {
    {"add", Verb::add},         {"new", Verb::add},
    {"change", Verb::change},   {"set", Verb::change},
    {"list", Verb::list},       {"show", Verb::list},
    {"del", Verb::del},         {"delete", Verb::del},
    {"remove", Verb::del},      {"monitor", Verb::monitor},
    {"stats", Verb::stats},     {"check", Verb::check, true},
    {"import", Verb::import_},  {"export", Verb::export_},
    {"version", Verb::version}, {"help", Verb::help},
};

// The word that 'text' is: one of the table, which may be shortened; or, by
// its full name, an option that has none there, in our words or in RouterOS's.
// Without an option it is none, and 'error' says why.
[[nodiscard]] Word find_word(std::string_view text, std::string &error)
{
    const auto meaning = [](const Word &word) { return word.option; };
    if (const Word *word =
            find(word_table(), text, "option", meaning, error)) {
        return *word;
    }
    const auto table = option_table();
    const auto other = option_known_as(text);
    const std::string_view option = other.value_or(text);
    if (std::ranges::find(table, option, &OptionInfo::name) != table.end()) {
        error.clear();
        return {text, option, {}, {}};
    }
    if (other) {
        error = join({"option ", text,
                      ": nothing here stands for this property of RouterOS: "
                      "leave it out; ovs-eoip(5) says what does"});
    }
    return {};
}

// The parser.

class Parser {
public:
    explicit Parser(std::span<const char *const> words)
    {
        take_flags(words);
        if (error_.empty() && !asked_) {
            parse();
        }
        if (error_.empty() && !asked_) {
            check();
        }
    }
    [[nodiscard]] ParsedWords result() const { return {request_, error_}; }

private:
    void fail(std::string sentence)
    {
        if (error_.empty()) {
            error_ = std::move(sentence);
        }
    }
    void take_flags(std::span<const char *const> words);
    void set_flag(const Flag &flag, const std::string &value);
    void parse();
    std::size_t parse_at(std::size_t i);
    bool takes_position(std::size_t i) const;
    void take_position(const std::string &word);
    void take_format(const std::string &word);
    void parse_pair(const std::string &word, std::string value);
    void check();
    void check_list_flags();
    void check_addresses();

    Request request_;
    std::string error_;
    bool asked_ = false;  // For help or the version: all else is ignored.
    std::vector<std::string> words_;
};

void Parser::take_flags(std::span<const char *const> words)
{
    for (std::size_t i = 0; i < words.size(); i++) {
        const std::string_view word = words[i];
        if (!looks_like_flag(word)) {
            words_.emplace_back(word);
            continue;
        }
        const Flag *flag = find_flag(word);
        const std::size_t equals = word.find('=');
        if (!flag) {
            fail(join({"unknown option: ", name_of(word),
                       ": \"eoip help\" lists the options"}));
            return;
        }
        const bool takes_value = flag->text || flag->name == kTimeout;
        if (!takes_value && equals != word.npos) {
            fail(join({"option ", flag->name, " takes no value"}));
        } else if (!takes_value) {
            set_flag(*flag, "");
        } else if (equals != word.npos) {
            set_flag(*flag, std::string(word.substr(equals + 1)));
        } else if (i + 1 < words.size()) {
            set_flag(*flag, words[++i]);
        } else {
            fail(join({"option: ", flag->name, " requires an argument"}));
        }
    }
}

void Parser::set_flag(const Flag &flag, const std::string &value)
{
    if (flag.truth) {
        request_.*flag.truth = true;
    } else if (flag.text) {
        request_.*flag.text = value;
        if (value.empty()) {
            fail(join({"option: ", flag.name, " requires an argument"}));
        }
    } else if (flag.other) {
        flag.other(request_);
        asked_ = true;
    } else if (const auto seconds = number(value, 3600); seconds && *seconds) {
        request_.timeout_s = static_cast<int>(*seconds);
    } else {
        fail(join({"invalid timeout value: ", value,
                   ": allowed are 1 to 3600 seconds"}));
    }
}

void Parser::parse_pair(const std::string &word, std::string value)
{
    std::string error;
    const Word known = find_word(word, error);
    const std::string option(known.option);
    if (error.empty()) {
        error = parse_value(known, value);
    }
    std::string *place = option == "name"     ? &request_.name
                         : option == "bridge" ? &request_.bridge
                                              : nullptr;
    if (!error.empty()) {
        fail(std::move(error));
    } else if (place ? !place->empty() : request_.options.contains(option)) {
        fail(join({"option given twice: ", word, ": leave one of them out"}));
    } else if (place) {
        *place = value;
    } else {
        request_.options[option] = value;
    }
}

// True if word 'i' stands for itself, where a command takes such words: it is
// not the beginning of "name IF" or "bridge BR".
bool Parser::takes_position(std::size_t i) const
{
    const bool takes_more = [this] {
        switch (request_.verb) {
        case Verb::help:
            return request_.topic.empty();
        case Verb::import_:
            return request_.file.empty();
        case Verb::export_:
            return request_.format.empty() || request_.name.empty();
        case Verb::list:
        case Verb::stats:
            return request_.name.empty();
        default:
            return request_.verb == Verb::del;
        }
    }();
    if (!takes_more || request_.verb == Verb::help) {
        return takes_more;
    }
    std::string error;
    const std::string_view option =
        find_word(name_of(words_[i]), error).option;
    const bool has_value =
        i + 1 < words_.size() || words_[i].find('=') != std::string::npos;
    return !(has_value && (option == "name" || option == "bridge"));
}

void Parser::take_position(const std::string &word)
{
    std::string name = word;
    if (request_.verb == Verb::help) {
        request_.topic = word;
    } else if (request_.verb == Verb::import_) {
        request_.file = word;
    } else if (request_.verb == Verb::export_ && request_.format.empty()) {
        take_format(word);
    } else if (request_.name.empty()) {
        parse_pair("name", name);
    } else {
        fail(parse_value({"name", "name", {}, {}}, name));
        request_.more_names.push_back(name);
    }
}

void Parser::take_format(const std::string &word)
{
    std::vector<Format> formats(std::begin(kFormats), std::end(kFormats));
    std::string error;
    const Format *format = find(
        std::span<const Format>(formats), word, "format",
        [](const Format &one) { return one.name; }, error);
    if (format) {
        request_.format = format->name;
    } else {
        fail(error);
    }
}

// Returns where to go on.
std::size_t Parser::parse_at(std::size_t i)
{
    const std::string &word = words_[i];
    const std::size_t equals = word.find('=');
    if (takes_position(i)) {
        take_position(word);
        return i + 1;
    }
    if (equals != std::string::npos) {
        parse_pair(word.substr(0, equals), word.substr(equals + 1));
        return i + 1;
    }
    if (i + 1 < words_.size()) {
        parse_pair(word, words_[i + 1]);
        return i + 2;
    }
    std::string error;
    const Word known = find_word(word, error);
    fail(error.empty()
             ? join({"option: ", known.name, " requires an argument"})
             : error);
    return i + 1;
}

void Parser::parse()
{
    if (words_.empty()) {
        return;
    }
    std::string error;
    const VerbName *verb = find(
        std::span<const VerbName>(kVerbs), words_[0], "command",
        [](const VerbName &v) { return v.verb; }, error);
    if (!verb) {
        fail(error);
        return;
    }
    request_.verb = verb->verb;
    for (std::size_t i = 1; i < words_.size() && error_.empty();) {
        i = parse_at(i);
    }
}

void Parser::check_addresses()
{
    const auto get = [this](const char *option) {
        const auto found = request_.options.find(option);
        return found == request_.options.end() ? "" : found->second;
    };
    const std::string local = get("local_ip"), remote = get("remote_ip");
    const std::string id = get("key");
    const bool local6 = is_ipv6(local), remote6 = is_ipv6(remote);
    if ((local6 && is_ipv4(remote)) || (remote6 && is_ipv4(local))) {
        fail(join({"local/remote address family mismatch: local ", local,
                   ", remote ", remote, ": give two of IPv4 or two of IPv6"}));
    }
    if ((local6 || remote6) && !id.empty() && id != "flow"
        && number(id, EOIP_KEY_MAX) > std::uint32_t{EOIP6_KEY_MAX}) {
        fail(join({"tunnel-id must be 0..4095 for eoipv6: ", id,
                   " is too large: choose a smaller one on both ends, or "
                   "give IPv4 addresses"}));
    }
}

void Parser::check_list_flags()
{
    const Verb verb = request_.verb;
    const bool changes = verb == Verb::add || verb == Verb::change
                         || verb == Verb::del || verb == Verb::import_;
    if (request_.legacy
        && (verb != Verb::list || request_.json || !request_.name.empty())) {
        fail("option --legacy is for \"list\" alone, without a name and "
             "without --json");
    }
    if (request_.dry_run && !changes) {
        fail("option --dry-run is for add, change, del and import, which "
             "change something");
    }
    if (request_.prometheus && (verb != Verb::stats || request_.json)) {
        fail("option --prometheus is for \"stats\" alone, without --json");
    }
    if (verb != Verb::import_
        && (request_.replace || !request_.peer.empty())) {
        fail("options --peer and --replace are for \"import\"");
    }
    if (request_.json && (changes || verb == Verb::export_)) {
        fail("option --json is for list, show, stats and monitor, which print "
             "something");
    }
    if (verb != Verb::add && verb != Verb::change
        && !request_.options.empty()) {
        fail(join({"option ", word_of(request_.options.begin()->first),
                   " is for add and change, which set something"}));
    }
}

void Parser::check()
{
    const bool bare = request_.options.empty();
    switch (request_.verb) {
    case Verb::add:
        if (!request_.options.contains("key")) {
            fail("tunnel-id is mandatory parameter: give tunnel-id N with the "
                 "number that the other end has, 0 to 65535");
        }
        // Of ports that others have made, names may be longer.
        if (request_.name.size() > kNameMax) {
            fail(join({"interface name too long: ", request_.name,
                       ": at most 15 characters are allowed"}));
        }
        break;
    case Verb::change:
        if (request_.name.empty()) {
            fail("name is mandatory for set/change: say which tunnel with "
                 "name IF; \"eoip list\" shows them");
        } else if (bare) {
            fail("change needs something to change: give at least one option "
                 "beside the name, such as ttl 64");
        }
        break;
    case Verb::del:
        if (request_.name.empty()) {
            fail("del needs the name of a tunnel: \"eoip list\" shows them");
        }
        break;
    case Verb::import_:
        if (request_.file.empty()) {
            fail("import needs the name of a file with what /export of "
                 "RouterOS prints, or - for the standard input");
        } else if (request_.replace && !request_.peer.empty()) {
            fail("options --peer and --replace exclude each other: with "
                 "--replace the other ends are in the file");
        } else if (!request_.peer.empty()) {
            std::string peer = request_.peer;
            fail(parse_value({"--peer", "remote_ip", {}, {}}, peer));
        } else if (!request_.name.empty()) {
            fail("import takes the names from the file");
        }
        break;
    case Verb::export_:
        if (request_.format.empty()) {
            fail("export needs a format: routeros, ovs-vsctl, interfaces or "
                 "networkd");
        }
        break;
    default:
        break;
    }
    check_list_flags();
    check_addresses();
    if (request_.verb == Verb::add && request_.bridge.empty()
        && error_.empty()) {
        fail(check_kernel_options(request_.options));
    }
}

}  // namespace

ParsedWords parse_words(std::span<const char *const> words)
{
    return Parser(words).result();
}

std::string check_kernel_options(const Options &options)
{
    static constexpr std::string_view kKnown[] = {
        "key",     "link",      "local_ip",   "remote_ip",     "ttl",
        "tos",     "keepalive", "df_default", "dont_fragment", "clamp_tcp_mss",
        "comment", "dscp",      "mtu"};
    if (options.contains("df_default") && options.contains("dont_fragment")) {
        return "df_default and dont_fragment are one setting in a link of the "
               "kernel: give one of them, or bridge BR";
    }
    if (options.contains("tos") && options.contains("dscp")) {
        return "tos and dscp say the same thing twice: give one of them";
    }
    for (const auto &[option, value] : options) {
        if (std::find(std::begin(kKnown), std::end(kKnown), option)
            == std::end(kKnown)) {
            return join({"option ", option,
                         " is for tunnels on a bridge: "
                         "leave it out, or give bridge BR"});
        }
        if (option == "key" && value == "flow") {
            return "invalid tunnel-id value: flow: only tunnels on a bridge "
                   "take it from flows; give a number, or bridge BR";
        }
        if ((option == "local_ip" || option == "remote_ip") && !value.empty()
            && !is_ipv4(value) && !is_ipv6(value)) {
            return join({"invalid ip address: ", value, ": ", word_of(option),
                         " takes an IPv4 or IPv6 address, such as "
                         "192.0.2.1 or 2001:db8::1"});
        }
    }
    return {};
}

}  // namespace eoip
