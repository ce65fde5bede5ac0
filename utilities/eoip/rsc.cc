// SPDX-License-Identifier: Apache-2.0
//
// See rsc.h.

#include "rsc.h"

#include <algorithm>
#include <cctype>

namespace eoip {
namespace {

constexpr std::string_view kBlanks = " \t\r";
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// Escapes of one letter, and what they are.
constexpr std::string_view kEscapes = "\"\\nrt$?_abfv";
constexpr std::string_view kEscaped = "\"\\\n\r\t$? \a\b\f\v";
static_assert(kEscapes.size() == kEscaped.size());

constexpr std::string_view kVerbs[] = {
    "add",   "set",   "remove", "print", "enable", "disable", "move",
    "unset", "reset", "edit",   "get",   "find",   "comment", "export"};

[[nodiscard]] bool is_one_of(std::string_view set, char c)
{
    return set.find(c) != set.npos;
}

// From text to words; a line's end and ";" end a statement.
class Reader {
public:
    explicit Reader(std::string_view text) : text_(text)
    {
        if (text_.starts_with(kByteOrderMark)) {
            at_ = kByteOrderMark.size();
        }
    }

    // The words of the next statement, or none at the end or after an error.
    [[nodiscard]] std::vector<RscWord> statement()
    {
        std::vector<RscWord> words;
        while (error_.empty() && words.empty() && at_ < text_.size()) {
            skip_blanks();
            begin_ = line_;
            if (peek() == '#') {
                skip_line();
            }
            while (error_.empty() && !at_end()) {
                words.push_back(word());
                skip_blanks();
            }
            take();
        }
        return words;
    }
    [[nodiscard]] unsigned line() const { return begin_; }
    [[nodiscard]] const std::string &error() const { return error_; }

private:
    [[nodiscard]] char peek(std::size_t ahead = 0) const
    {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\n';
    }
    char take()
    {
        const char c = peek();
        line_ += c == '\n';
        at_++;
        return c;
    }
    [[nodiscard]] bool at_end() const
    {
        return at_ >= text_.size() || peek() == '\n' || peek() == ';';
    }
    void skip_line()
    {
        while (at_ < text_.size() && peek() != '\n') {
            at_++;
        }
    }
    void skip_blanks()
    {
        while (at_ < text_.size()
               && (is_one_of(kBlanks, peek()) || skip_continuation())) {
            at_ += is_one_of(kBlanks, peek()) && at_ < text_.size();
        }
    }
    // A "\" at the end of a line, and what the next line is indented by.
    bool skip_continuation()
    {
        const std::size_t end = peek(1) == '\r' ? 2 : 1;
        if (peek() != '\\' || peek(end) != '\n' || at_ + end >= text_.size()) {
            return false;
        }
        at_ += end;
        take();
        while (at_ < text_.size() && is_one_of(kBlanks, peek())) {
            at_++;
        }
        return true;
    }
    void fail(unsigned line, std::string_view what)
    {
        if (error_.empty()) {
            error_ = "line " + std::to_string(line) + ": ";
            error_ += what;
        }
    }

    // Behind a "\".
    [[nodiscard]] char escaped()
    {
        const char c = peek();
        if (const std::size_t i = kEscapes.find(c); i != kEscapes.npos) {
            at_++;
            return kEscaped[i];
        }
        const auto digit = [this](std::size_t ahead) {
            const char hex = peek(ahead);
            return !std::isxdigit(static_cast<unsigned char>(hex)) ? -1
                   : hex <= '9'                                    ? hex - '0'
                                : (hex | 0x20) - 'a' + 10;
        };
        if (digit(0) < 0 || digit(1) < 0) {
            fail(line_, "there is no such escape: behind \"\\\" one of "
                        "\"\\nrt$?_abfv or two hexadecimal digits are known");
            return 0;
        }
        const int value = digit(0) * 16 + digit(1);
        at_ += 2;
        return static_cast<char>(value);
    }

    void quoted(RscWord &word)
    {
        const unsigned begin = line_;
        at_++;
        while (error_.empty()) {
            if (at_ >= text_.size()) {
                fail(begin, "the quote that begins here does not end");
            } else if (skip_continuation()) {
                continue;
            } else if (const char c = take(); c == '"') {
                return;
            } else if (c == '\\') {
                word.value += escaped();
            } else {
                word.is_computed |= c == '$';
                word.value += c;
            }
        }
    }

    // "[ ... ]", "( ... )" or "{ ... }", which may hold others.
    void bracketed(RscWord &word)
    {
        const unsigned begin = line_;
        int depth = 0;
        word.is_computed = true;
        while (error_.empty()) {
            if (at_ >= text_.size()) {
                fail(begin, "the bracket that begins here does not end");
            } else if (peek() == '"') {
                const std::size_t from = at_;
                RscWord inside;
                quoted(inside);
                word.value += text_.substr(from, at_ - from);
            } else if (!skip_continuation()) {
                const char c = take();
                depth += is_one_of("[({", c) - is_one_of("])}", c);
                word.value += c;
                if (depth == 0) {
                    return;
                }
            }
        }
    }

    [[nodiscard]] RscWord word()
    {
        RscWord word;
        if (peek() == '!') {
            word.is_unset = true;
            at_++;
        }
        while (error_.empty() && !at_end() && !is_one_of(kBlanks, peek())) {
            if (skip_continuation()) {
                continue;
            }
            if (peek() == '"') {
                quoted(word);
            } else if (is_one_of("[({", peek())) {
                word.is_command = word.value.empty() && !word.has_value;
                bracketed(word);
            } else if (const char c = take(); c == '\\') {
                word.value += escaped();
            } else if (c == '=' && !word.has_value) {
                word.has_value = true;
                word.name.swap(word.value);
            } else {
                word.is_computed |= c == '$';
                word.value += c;
            }
        }
        if (!word.has_value) {
            word.name.swap(word.value);
        }
        if (word.is_command) {
            word.name = word.name.substr(1, word.name.size() - 2);
        }
        return word;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    unsigned line_ = 1;
    unsigned begin_ = 1;
    std::string error_;
};

// Puts the menu and the verb at the beginning of 'words' into 'statement'.
// "/" and blanks are the same there.
void take_menu(std::vector<RscWord> words, const std::string &menu,
               RscStatement &statement)
{
    std::size_t used = 0;
    if (words[0].name.starts_with(':')) {
        statement.menu = words[0].name;
        words.erase(words.begin());
        statement.words = std::move(words);
        return;
    }
    statement.menu = words[0].name.starts_with('/') ? "" : menu;
    for (; used < words.size() && statement.verb.empty(); used++) {
        const RscWord &word = words[used];
        if (word.has_value || word.is_command || word.is_unset) {
            break;
        }
        for (std::size_t at = 0; at < word.name.size();) {
            const std::size_t end =
                std::min(word.name.find('/', at), word.name.size());
            const std::string part = word.name.substr(at, end - at);
            at = end + 1;
            if (std::ranges::find(kVerbs, part) != std::end(kVerbs)) {
                statement.verb = part;
            } else if (!part.empty()) {
                statement.menu += (statement.menu.empty() ? "" : " ") + part;
            }
        }
    }
    words.erase(words.begin(),
                words.begin() + static_cast<std::ptrdiff_t>(used));
    statement.words = std::move(words);
}

}  // namespace

Rsc parse_rsc(std::string_view text)
{
    Rsc rsc;
    Reader reader(text);
    std::string menu;
    for (;;) {
        std::vector<RscWord> words = reader.statement();
        if (words.empty() || !reader.error().empty()) {
            break;
        }
        RscStatement statement;
        statement.line = reader.line();
        take_menu(std::move(words), menu, statement);
        if (statement.verb.empty() && statement.words.empty()) {
            menu = statement.menu;
        }
        rsc.statements.push_back(std::move(statement));
    }
    rsc.error = reader.error();
    return rsc;
}

std::string rsc_value(std::string_view text)
{
    constexpr char kHex[] = "0123456789ABCDEF";
    std::string quoted;
    bool plain = !text.empty();
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        plain = plain && (std::isalnum(byte) || is_one_of(".:/_,-", c));
        if (is_one_of("\"\\$?", c)) {
            quoted += {'\\', c};
        } else if (byte < ' ' || byte > '~') {
            quoted += {'\\', kHex[byte >> 4], kHex[byte & 15]};
        } else {
            quoted += c;
        }
    }
    return plain ? std::string(text) : "\"" + quoted + "\"";
}

}  // namespace eoip
