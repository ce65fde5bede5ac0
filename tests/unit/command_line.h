// SPDX-License-Identifier: Apache-2.0
//
// Command lines of eoip as its tests have them: words with blanks between.

#ifndef EOIP_TESTS_COMMAND_LINE_H
#define EOIP_TESTS_COMMAND_LINE_H

#include <algorithm>
#include <initializer_list>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "words.h"

namespace eoip {

[[nodiscard]] inline ParsedWords parse(const std::string &line)
{
    std::vector<std::string> words;
    std::vector<const char *> pointers;
    for (std::size_t at = 0; at < line.size();) {
        const std::size_t end = std::min(line.find(' ', at), line.size());
        words.push_back(line.substr(at, end - at));
        at = end + 1;
    }
    for (const std::string &word : words) {
        pointers.push_back(word.c_str());
    }
    return parse_words(pointers);
}

[[nodiscard]] inline Request accept(const std::string &line)
{
    const ParsedWords parsed = parse(line);
    EXPECT_EQ(parsed.error, "") << line;
    return parsed.request;
}

[[nodiscard]] inline std::string refuse(const std::string &line)
{
    const ParsedWords parsed = parse(line);
    EXPECT_NE(parsed.error, "") << line;
    EXPECT_EQ(parsed.error.find('\n'), std::string::npos) << line;
    EXPECT_FALSE(parsed.error.ends_with('.')) << line;
    return parsed.error;
}

inline void expect_refused(const std::string &line,
                           std::initializer_list<const char *> pieces)
{
    const std::string error = refuse(line);
    for (const char *piece : pieces) {
        EXPECT_NE(error.find(piece), std::string::npos)
            << line << ": no \"" << piece << "\" in: " << error;
    }
}

}  // namespace eoip

#endif  // EOIP_TESTS_COMMAND_LINE_H
