// SPDX-License-Identifier: Apache-2.0
//
// See packet_sockets.h.

#include "packet_sockets.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>
#include <vector>

#include <sys/socket.h>

#include <linux/if_packet.h>
#include <linux/sock_diag.h>

#include "log.h"

#include "util.h"
#include <config.h>
extern "C" {
#include "openvswitch/json.h"
#include "openvswitch/shash.h"
}

namespace eoip {
namespace {

struct Socket {
    int fd;
    std::string port;
    int kernels_bytes;  // What it had when it was made.
};

std::mutex mutex;
std::vector<Socket> sockets;  // By 'mutex', as is what they are to have.
std::size_t wanted_bytes;

int get_bytes(int fd)
{
    int bytes = 0;
    socklen_t length = sizeof bytes;
    return getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, &length) ? 0 : bytes;
}

void set_bytes(const Socket &socket)
{
    const int bytes = std::max(socket.kernels_bytes, int(wanted_bytes));
    // The kernel takes twice what it is told, for what it needs itself.
    const int half = bytes / 2;
    if (get_bytes(socket.fd) != bytes
        && setsockopt(socket.fd, SOL_SOCKET, SO_RCVBUFFORCE, &half,
                      sizeof half)) {
        VLOG_WARN("%s: the receive buffer stays at %d bytes, as setting it "
                  "to %d failed (%s)",
                  socket.port.c_str(), get_bytes(socket.fd), bytes,
                  ovs_strerror(errno));
    }
}

std::uint32_t get_lost(int fd)
{
    std::array<std::uint32_t, SK_MEMINFO_VARS> info{};
    socklen_t length = sizeof info;
    return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info.data(), &length)
               ? 0
               : info[SK_MEMINFO_DROPS];
}

long long number(const shash_node *port, const char *name)
{
    const auto *buffer = static_cast<const json *>(port->data);
    return json_integer(
        static_cast<const json *>(shash_find_data(json_object(buffer), name)));
}

}  // namespace

json *receive_buffers_json()
{
    json *object = json_object_create();
    const std::lock_guard lock(mutex);
    for (const Socket &socket : sockets) {
        json *buffer = json_object_create();
        json_object_put(buffer, "bytes",
                        json_integer_create(get_bytes(socket.fd)));
        json_object_put(buffer, "lost",
                        json_integer_create(get_lost(socket.fd)));
        json_object_put(object, socket.port.c_str(), buffer);
    }
    return object;
}

std::string receive_buffers_text(const json *buffers)
{
    std::string lines;
    const shash_node **ports = shash_sort(json_object(buffers));
    for (std::size_t i = 0; i < shash_count(json_object(buffers)); i++) {
        const long long lost = number(ports[i], "lost");
        if (lost) {
            lines += std::string(ports[i]->name) + ": " + std::to_string(lost)
                     + " packets lost, as its receive buffer of "
                     + std::to_string(number(ports[i], "bytes"))
                     + " bytes was full\n";
        }
    }
    free(ports);
    return lines;
}

}  // namespace eoip

void packet_sockets_opened(const char *port, int fd)
{
    using namespace eoip;
    const int yes = 1;
    // Not known before Linux 4.20, and then it is merely slower.
    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes);
    const std::lock_guard lock(mutex);
    sockets.push_back({fd, port, get_bytes(fd)});
    set_bytes(sockets.back());
}

void packet_sockets_closed(int fd)
{
    using namespace eoip;
    const std::lock_guard lock(mutex);
    std::erase_if(sockets,
                  [fd](const Socket &socket) { return socket.fd == fd; });
}

void packet_sockets_set_buffers(size_t bytes)
{
    using namespace eoip;
    const std::lock_guard lock(mutex);
    if (wanted_bytes != bytes) {
        wanted_bytes = bytes;
        std::for_each(sockets.begin(), sockets.end(), set_bytes);
    }
}
