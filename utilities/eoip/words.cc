// SPDX-License-Identifier: Apache-2.0
//
// Parses the command line: see words.h.
//
// Tables say what there is: kVerbs, the flags of flags.h and the words of
// values.h.

#include "words.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "eoip/options.h"
#include "flags.h"
#include "lookup.h"
#include "request.h"
#include "values.h"

namespace eoip {
namespace {

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
            fail(fault_of(request_));
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
        case Verb::check:
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

}  // namespace

ParsedWords parse_words(std::span<const char *const> words)
{
    return Parser(words).result();
}

}  // namespace eoip
