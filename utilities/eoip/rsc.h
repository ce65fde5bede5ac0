// SPDX-License-Identifier: Apache-2.0
//
// What "/export" of RouterOS prints, statement by statement.  Pure.
//
// Read are menus, comments, lines that go on after a "\", quotes and escapes.
// Scripts are not: a value that a variable or a command would have to be asked
// for is marked as one.  Source: RouterOS's manual on scripting. [doc]

#ifndef EOIP_UTILITIES_RSC_H
#define EOIP_UTILITIES_RSC_H

#include <string>
#include <string_view>
#include <vector>

namespace eoip {

// One word of a statement: NAME=VALUE, !NAME, NAME or [ ... ].
struct RscWord {
    std::string name;   // Of "[ ... ]" what is inside.
    std::string value;  // Without quotes and escapes.
    bool has_value = false;
    bool is_unset = false;     // "!NAME".
    bool is_command = false;   // "[ ... ]".
    bool is_computed = false;  // The value is of a variable or a command.
};

struct RscStatement {
    unsigned line = 0;           // Where it begins; the first line is 1.
    std::string menu;            // "interface eoip"; of a script ":foreach".
    std::string verb;            // "add"; empty if it only chooses the menu.
    std::vector<RscWord> words;  // Behind the verb.
};

struct Rsc {
    std::vector<RscStatement> statements;
    std::string error;  // One sentence that begins with the line, or "".
};

[[nodiscard]] Rsc parse_rsc(std::string_view text);

// 'text' as a value of RouterOS, in quotes if it needs them.
[[nodiscard]] std::string rsc_value(std::string_view text);

}  // namespace eoip

#endif  // EOIP_UTILITIES_RSC_H
