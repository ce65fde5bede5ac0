// SPDX-License-Identifier: Apache-2.0
//
// See help.h.

#include "help.h"

#include <algorithm>
#include <vector>

#include "eoip/options.h"
#include "tunnel.h"
#include "values.h"

namespace eoip {
namespace {

constexpr std::string_view kUsage =
    R"(usage: eoip [OPTION]... [COMMAND]

  add, new tunnel-id ID [WORD VALUE]...   make a tunnel
  change, set name IF [WORD VALUE]...     change what is named, keep the rest
  del, delete, remove IF...               remove tunnels
  list, show [IF]                         all in a table, or all of one
  stats [IF]                              counters, with the reasons of drops
  monitor                                 say what changes, until interrupted
  import FILE                             tunnels of RouterOS's /export
  export FORMAT [IF]                      for the router at the other end,
                                          routeros, or for the next start:
                                          ovs-vsctl, interfaces, networkd
  check [IF]                              find what is wrong, and what mends it
  version                                 of the command, module and switch
  help [WORD]                             this, or what a word of it is

Without "bridge" a tunnel is a link of the kernel; with it, a port of that
bridge of Open vSwitch.  Commands and words may be shortened; WORD=VALUE is the
same as WORD VALUE, and RouterOS's words are known, such as remote-address.

  name IF           of the tunnel, at most 15 characters
  bridge BR         the bridge of Open vSwitch
  tunnel-id, tid N  0 to 65535, to 4095 with IPv6; as the other end
  remote ADDRESS    the other end, IPv4 or IPv6
  local ADDRESS     this end; "any" leaves it to the routes
  link IF           name or index of the device to go through; not on a bridge
  ttl N             0 to 255; 0 or "inherit": as the frame inside has it
  tos N             0 to 252 in steps of 4; 1 or "inherit": as the frame has it
  keepalive SECS[,RETRIES]  or none: how often to say that we are there, and
                    after how many silent intervals the tunnel is down; 10,0
  df_default true   if outer packets shall not be fragmented; false
  dont_fragment inherit   as the frame inside has it; no
  clamp_tcp_mss true   if TCP shall fit the tunnel in one piece; false
  mtu N             68 to 65535; of a link of the kernel
  comment TEXT      for people

  --json            list, show, stats, monitor, check: for programs
  -w, --watch       list: again and again, with what passes in a second
  --legacy          list: links of the kernel in the lines of the older eoip
  --prometheus      stats: in the text format of Prometheus
  --dry-run         add, change, del, import: check and show, change nothing
  --bridge=BR       as the word bridge
  --peer=ADDRESS    import: of the router, where the file does not say; learn
  --replace         import: take the router's place, not the other end's
  -t, --timeout=SECS        how long to wait for Open vSwitch (10)
  --db=SERVER               its database: unix:FILE, tcp:HOST:PORT,
                            ssl:HOST:PORT, with
  -p, --private-key=FILE    -c, --certificate=FILE    -C, --ca-cert=FILE

Exit status: 0 done, 1 refused or failed, 2 the command line is wrong.
See eoip(8).
)";

// The words that a line of the summary is about: those at its beginning,
// before values.
[[nodiscard]] std::vector<std::string_view> heads(std::string_view line)
{
    std::vector<std::string_view> words;
    for (std::size_t at = line.find_first_not_of(' '); at < line.size();) {
        const std::size_t end =
            std::min(line.find_first_of(" ,=", at), line.size());
        words.push_back(line.substr(at, end - at));
        const bool more = line.substr(end).starts_with(", ");
        at = more ? end + 2 : line.size();
    }
    return words;
}

// The entries of the summary for 'word', a line or more each.
[[nodiscard]] std::string entries(std::string_view word)
{
    constexpr std::string_view kIndent = "  ";
    std::string text;
    bool shown = false;
    for (std::string_view rest = kUsage; !rest.empty();) {
        const std::string_view line = rest.substr(0, rest.find('\n') + 1);
        rest.remove_prefix(line.size());
        const std::string_view inside =
            line.starts_with(kIndent) ? line.substr(2) : "";
        if (!inside.starts_with(' ')) {
            const auto words = heads(inside);
            shown = std::ranges::find(words, word) != words.end();
        }
        text += shown ? line : "";
    }
    return text;
}

}  // namespace

std::string usage()
{
    return std::string(kUsage);
}

std::string help_on(std::string_view word)
{
    std::string text = entries(word);
    if (text.empty()) {
        text = entries(word_of(option_known_as(word).value_or("")));
    }
    const auto table = option_table();
    const auto option = std::ranges::find(
        table, option_known_as(word).value_or(word), &OptionInfo::name);
    if (option != table.end()) {
        text += text.empty() ? join({"  ", option->name, "\n"}) : "";
        text += join({"\n", option->help, "\nAllowed on a bridge are ",
                      option->allowed, ".\n"});
    }
    return text;
}

}  // namespace eoip
