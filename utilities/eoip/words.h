// SPDX-License-Identifier: Apache-2.0
//
// The command line of eoip: what its words may be, and what they ask for.
//
// Pure: nothing of the system is looked at, so what is refused here (exit
// status 2) is refused everywhere.  The verbs and words are those that users
// of EoIP on Linux know.

#ifndef EOIP_UTILITIES_WORDS_H
#define EOIP_UTILITIES_WORDS_H

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tunnel.h"

namespace eoip {

enum class Verb {
    add,
    change,
    list,
    del,
    monitor,
    stats,
    check,
    import_,
    export_,
    version,
    help
};

struct Request {
    Verb verb = Verb::list;
    std::string name;                     // Empty: not given.
    std::vector<std::string> more_names;  // After the first: del.
    std::string topic;                    // Of help; empty: all of it.
    std::string bridge;                   // Empty: not given.
    Options options;                      // What was named, and nothing else.
    std::string file;                     // Of import; "-": standard input.
    std::string format;                   // Of export: a name of kFormats.
    std::string peer;                     // Of import; empty: not given.
    bool replace = false;                 // Of import.
    bool prometheus = false;              // Of stats.
    bool watch = false;                   // Of list: again and again.
    bool json = false;
    bool dry_run = false;
    bool legacy = false;
    int timeout_s = 10;  // For what others have to do, OVS that is.
    std::string db;      // Where OVSDB is; empty: at its usual place.
    std::string private_key;
    std::string certificate;
    std::string ca_cert;
};

inline constexpr std::string_view kFormats[] = {"routeros", "ovs-vsctl",
                                                "interfaces", "networkd"};

struct ParsedWords {
    Request request;    // Meaningless if 'error' is not empty.
    std::string error;  // One sentence, without a full stop.
};

// Parses the command line without the program's name.
[[nodiscard]] ParsedWords parse_words(std::span<const char *const> words);

}  // namespace eoip

#endif  // EOIP_UTILITIES_WORDS_H
