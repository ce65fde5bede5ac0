// SPDX-License-Identifier: Apache-2.0
//
// The words of the command line that take a value, and what values they take.

#ifndef EOIP_UTILITIES_VALUES_H
#define EOIP_UTILITIES_VALUES_H

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace eoip {

// What a word is for, and what its values may be in the words of this command;
// without 'allowed' it is the core that has those words.
struct Word {
    std::string_view name;
    std::string_view option;
    std::string_view allowed;
    std::optional<std::uint32_t> inherit;  // The number that says "inherit".
};

[[nodiscard]] std::span<const Word> word_table();

// Replaces 'value' by what tunnel.h wants, or returns what is wrong with it.
[[nodiscard]] std::string parse_value(const Word &word, std::string &value);

// A number in the notations of strtoul() with base 0, without signs and
// blanks, from 0 to 'max'.
[[nodiscard]] std::optional<std::uint32_t> number(const std::string &text,
                                                  std::uint32_t max);

// True if 'text' is what the database of OVS takes as text.
[[nodiscard]] bool is_utf8(std::string_view text);

[[nodiscard]] std::string join(std::initializer_list<std::string_view> parts);

}  // namespace eoip

#endif  // EOIP_UTILITIES_VALUES_H
