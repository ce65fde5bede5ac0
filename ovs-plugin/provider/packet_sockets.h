/* SPDX-License-Identifier: Apache-2.0
 *
 * The sockets by which ovs-vswitchd reads ports of type "system": AF_PACKET.
 * Packets wait for it in their receive buffers, and are lost when there is no
 * room.  Called by the seam, which tells of the sockets that OVS has, by
 * netdev-eoip.c, which knows how large the buffers have to be, and by
 * show.cc. */

#ifndef EOIP_PACKET_SOCKETS_H
#define EOIP_PACKET_SOCKETS_H 1

#include <stddef.h>

struct json;

#ifdef __cplusplus
extern "C" {
#endif

/* 'port' is read by the socket 'fd', or will be no more.  Any thread.  The
 * socket gets no packets any more that the switch itself sends: OVS has a
 * filter against them, but the kernel makes a copy of each for it. */
void packet_sockets_opened(const char *port, int fd);
void packet_sockets_closed(int fd);

/* Main thread: gives each port, now and later, room for 'bytes' of packets as
 * the kernel counts them, or what the kernel gave it if that is more. */
void packet_sockets_set_buffers(size_t bytes);

#ifdef __cplusplus
}

#include <string>

namespace eoip {

// By port: "bytes" of its buffer, and "lost" packets that found no room in it
// since the port is read.  To be destroyed by the caller.
[[nodiscard]] json *receive_buffers_json();

// Of the same, a line for each port that has lost packets.
[[nodiscard]] std::string receive_buffers_text(const json *buffers);

}  // namespace eoip
#endif

#endif /* packet_sockets.h */
