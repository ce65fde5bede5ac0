// SPDX-License-Identifier: Apache-2.0
//
// See transfer.h.

#include "transfer.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <arpa/inet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include "export.h"
#include "import.h"

namespace eoip {
namespace {

// Returns what is wrong, or "".
[[nodiscard]] std::string read_all(const std::string &file, std::string &text)
{
    const bool is_input = file == "-";
    FILE *stream = is_input ? stdin : std::fopen(file.c_str(), "r");
    char block[4096];
    while (stream && !std::ferror(stream) && !std::feof(stream)) {
        text.append(block, std::fread(block, 1, sizeof block, stream));
    }
    const int error =
        !stream || std::ferror(stream) ? (errno ? errno : EIO) : 0;
    if (stream && !is_input) {
        std::fclose(stream);
    }
    return error ? "cannot read " + file + " (" + std::strerror(error)
                       + "): give the name of a file with what /export "
                         "prints, or - for the standard input"
                 : "";
}

// The address that the kernel would send from to 'remote', or "".  Nothing is
// sent.
[[nodiscard]] std::string source_towards(const std::string &remote)
{
    sockaddr_in6 to6{}, from{};
    sockaddr_in to{};
    const bool ipv6 = inet_pton(AF_INET6, remote.c_str(), &to6.sin6_addr) == 1;
    if (!ipv6 && inet_pton(AF_INET, remote.c_str(), &to.sin_addr) != 1) {
        return {};
    }
    to6.sin6_family = AF_INET6;
    to.sin_family = AF_INET;
    to6.sin6_port = to.sin_port = htons(9);
    const int fd =
        socket(ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t size = sizeof from;
    char text[INET6_ADDRSTRLEN] = "";
    const auto *peer = ipv6 ? reinterpret_cast<sockaddr *>(&to6)
                            : reinterpret_cast<sockaddr *>(&to);
    if (fd >= 0 && connect(fd, peer, ipv6 ? sizeof to6 : sizeof to) == 0
        && getsockname(fd, reinterpret_cast<sockaddr *>(&from), &size) == 0) {
        const void *address =
            ipv6 ? static_cast<void *>(&from.sin6_addr)
                 : &reinterpret_cast<sockaddr_in *>(&from)->sin_addr;
        inet_ntop(ipv6 ? AF_INET6 : AF_INET, address, text, sizeof text);
    }
    if (fd >= 0) {
        close(fd);
    }
    return text;
}

// An index is another one after the next start.
void name_link(Tunnel &tunnel)
{
    const auto link = tunnel.options.find("link");
    char name[IFNAMSIZ];
    if (link != tunnel.options.end()
        && if_indextoname(static_cast<unsigned>(
                              std::strtoul(link->second.c_str(), nullptr, 10)),
                          name)) {
        link->second = name;
    }
}

}  // namespace

Transfer import_file(const Request &request, Backend &place)
{
    Transfer transfer;
    std::string text;
    const std::string error = read_all(request.file, text);
    if (!error.empty()) {
        transfer.errors.push_back(error);
        return transfer;
    }
    Imported imported =
        import_rsc(text, {request.bridge, request.replace, request.peer,
                          place.takes_secrets(request.bridge)});
    for (const std::string &note : imported.notes) {
        transfer.output += "# " + note + "\n";
    }
    for (const Tunnel &tunnel : imported.tunnels) {
        transfer.output += add_line(tunnel);
    }
    transfer.errors = std::move(imported.errors);
    if (transfer.errors.empty()) {
        // First what can be known before; then all of it.
        std::string fault = place.add(imported.tunnels, true);
        if (fault.empty() && !request.dry_run) {
            fault = place.add(imported.tunnels, false);
        }
        if (!fault.empty()) {
            transfer.errors.push_back(fault);
        }
    }
    for (std::string &sentence : transfer.errors) {
        sentence.insert(0, request.file + ": ");
    }
    if (!transfer.errors.empty()) {
        transfer.errors.push_back("nothing was made");
        transfer.output.clear();
    }
    return transfer;
}

Transfer export_tunnels(const Request &request,
                        std::span<const Tunnel> tunnels)
{
    Transfer transfer;
    const bool is_here = request.db.empty() || request.db.starts_with("unix:");
    for (Tunnel tunnel : tunnels) {
        name_link(tunnel);
        // Whose routes those of this machine are not, when it is elsewhere.
        const std::string source =
            is_here ? source_towards(tunnel.get("remote_ip")) : "";
        transfer.output +=
            request.format == "ovs-vsctl"    ? export_ovs_vsctl(tunnel)
            : request.format == "interfaces" ? export_interfaces(tunnel)
            : request.format == "networkd"   ? export_networkd(tunnel)
                                             : export_routeros(tunnel, source);
    }
    return transfer;
}

}  // namespace eoip
