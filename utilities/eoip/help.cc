// SPDX-License-Identifier: Apache-2.0
//
// See help.h.

#include "help.h"

namespace eoip {
namespace {

constexpr std::string_view kUsage =
    R"(usage: eoip [OPTION]... [COMMAND]

  add tunnel-id ID [WORD VALUE]...   make a tunnel (also: new)
  change name IF [WORD VALUE]...     change what is named, keep the rest (set)
  del IF                             remove a tunnel
  list | show [IF]                   all tunnels in a table, or all of one
  stats [IF]                         counters, with the reasons of drops
  monitor                            say what changes, until interrupted
  check                        say what is not as it should be
  version, help

Without "bridge" a tunnel is a link of the kernel; with it, a port of that
bridge of Open vSwitch.  Commands and words may be shortened.

  name IF           of the tunnel, at most 15 characters
  bridge BR         the bridge of Open vSwitch
  tunnel-id N       (or tid) 0 to 65535, to 4095 with IPv6; as the other end
  remote ADDRESS    the other end, IPv4 or IPv6
  local ADDRESS     this end; "any" leaves it to the routes
  link IF           name or index of the device to go through; not on a bridge
  ttl N             0 to 255; 0 or "inherit": as the frame inside has it
  tos N             0 to 252 in steps of 4; 1 or "inherit": as the frame has it
  keepalive SECS[,RETRIES]  or none: how often to say that we are there, and
                    after how many silent intervals the tunnel is down
  df_default true   if outer packets shall not be fragmented; false
  dont_fragment inherit   as the frame inside has it; no
  clamp_tcp_mss true   if TCP shall fit the tunnel in one piece; false

  --json            list, show, stats, monitor: for programs
  --legacy          list: links of the kernel in the lines of the older eoip
  --dry-run         add, change, del: check and show, change nothing
  -t, --timeout=SECS        how long to wait for Open vSwitch (10)
  --db=SERVER               its database: unix:FILE, tcp:HOST:PORT,
                            ssl:HOST:PORT, with
  -p, --private-key=FILE    -c, --certificate=FILE    -C, --ca-cert=FILE

Exit status: 0 done, 1 refused or failed, 2 the command line is wrong.
See eoip(8).
)";

}  // namespace

std::string usage()
{
    return std::string(kUsage);
}

}  // namespace eoip
