// SPDX-License-Identifier: Apache-2.0

#include "flags.h"

#include <cctype>

namespace eoip {
namespace {

void ask_help(Request &request)
{
    request.verb = Verb::help;
}

void ask_version(Request &request)
{
    request.verb = Verb::version;
}

constexpr Flag kFlags[] = {
    {"--json", 0, &Request::json, nullptr, nullptr},
    {"--dry-run", 0, &Request::dry_run, nullptr, nullptr},
    {"--prometheus", 0, &Request::prometheus, nullptr, nullptr},
    {"--watch", 'w', &Request::watch, nullptr, nullptr},
    {"--replace", 0, &Request::replace, nullptr, nullptr},
    {"--peer", 0, nullptr, &Request::peer, nullptr},
    {"--bridge", 0, nullptr, &Request::bridge, nullptr},
    {"--legacy", 0, &Request::legacy, nullptr, nullptr},
    {"--db", 0, nullptr, &Request::db, nullptr},
    {"--private-key", 'p', nullptr, &Request::private_key, nullptr},
    {"--certificate", 'c', nullptr, &Request::certificate, nullptr},
    {"--ca-cert", 'C', nullptr, &Request::ca_cert, nullptr},
    {kTimeout, 't', nullptr, nullptr, nullptr},
    {"--help", 'h', nullptr, nullptr, ask_help},
    {"--version", 'V', nullptr, nullptr, ask_version},
};

}  // namespace

const Flag *find_flag(std::string_view word)
{
    const std::string_view name = word.substr(0, word.find('='));
    for (const Flag &flag : kFlags) {
        if (flag.name == name
            || (word.size() == 2 && flag.letter && word[1] == flag.letter)) {
            return &flag;
        }
    }
    return nullptr;
}

bool looks_like_flag(std::string_view word)
{
    return word.size() > 1 && word[0] == '-'
           && !std::isdigit(static_cast<unsigned char>(word[1]));
}

}  // namespace eoip
