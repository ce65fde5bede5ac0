// SPDX-License-Identifier: Apache-2.0
//
// Looks up in a table what a user has typed, which may be shortened.

#ifndef EOIP_UTILITIES_LOOKUP_H
#define EOIP_UTILITIES_LOOKUP_H

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "values.h"

namespace eoip {

// "a, b or c", with 'last' for "or".
[[nodiscard]] inline std::string
enumerate(const std::vector<std::string_view> &list, std::string_view last)
{
    std::string text;
    for (std::size_t i = 0; i < list.size(); i++) {
        text += i == 0                 ? ""
                : i + 1 == list.size() ? join({" ", last, " "})
                                       : ", ";
        text += list[i];
    }
    return text;
}

// What an error says of a word that is not known: not what is behind a "=",
// which may be a secret.
[[nodiscard]] inline std::string_view name_of(std::string_view word)
{
    return word.substr(0, word.find('='));
}

// The entry of 'table' that 'text' is, or is the beginning of; entries with
// one meaning do not stand in each other's way.  Otherwise nullptr, and
// 'error' says why.
template <typename Entry, typename Meaning>
[[nodiscard]] const Entry *find(std::span<const Entry> table,
                                std::string_view text, std::string_view what,
                                Meaning meaning, std::string &error)
{
    std::vector<std::string_view> near, all;
    const Entry *found = nullptr;
    bool ambiguous = false;
    for (const Entry &entry : table) {
        if (entry.name == text) {
            return &entry;
        }
        all.push_back(entry.name);
        if constexpr (requires { entry.whole; }) {
            if (entry.whole) {
                continue;
            }
        }
        if (!text.empty() && entry.name.starts_with(text)) {
            near.push_back(entry.name);
            ambiguous |= found && meaning(*found) != meaning(entry);
            found = &entry;
        }
    }
    if (!found) {
        error = join({"unknown ", what, ": ", name_of(text), ": known are ",
                      enumerate(all, "and")});
    } else if (ambiguous) {
        error = join({"ambiguous ", what, ": ", name_of(text), ": it may be ",
                      enumerate(near, "or")});
    }
    return ambiguous ? nullptr : found;
}

}  // namespace eoip

#endif  // EOIP_UTILITIES_LOOKUP_H
