// SPDX-License-Identifier: Apache-2.0
//
// Looks through /run/netns and the processes: see namespaces.h.

#include "namespaces.h"

#include <cctype>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

namespace eoip {
namespace {

// -1 if the kernel has no number for it here: no device leads there.
[[nodiscard]] int id_of(Netlink &netlink, int fd)
{
    const Message message(
        nlmsg_alloc_simple(RTM_GETNSID, NLM_F_REQUEST | NLM_F_ACK));
    rtgenmsg header{};
    int id = -1;
    if (!message
        || nlmsg_append(message.get(), &header, sizeof header, NLMSG_ALIGNTO)
        || nla_put_u32(message.get(), NETNSA_FD,
                       static_cast<std::uint32_t>(fd))) {
        return id;
    }
    const Answer answer = netlink.request(message.get(), [&](nlmsghdr *reply) {
        const nlattr *attr =
            nlmsg_find_attr(reply, sizeof(rtgenmsg), NETNSA_NSID);
        id = attr ? static_cast<int>(nla_get_u32(attr)) : id;
    });
    return answer ? -1 : id;
}

// A socket of the namespace of 'fd', or -1.
[[nodiscard]] int socket_in(int fd)
{
    const int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    int made = -1;
    if (home >= 0 && setns(fd, CLONE_NEWNET) == 0) {
        made = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (setns(home, CLONE_NEWNET) != 0) {
            // All that follows would be about the wrong one.
            _exit(1);
        }
    }
    if (home >= 0) {
        close(home);
    }
    return made;
}

}  // namespace

Namespaces::~Namespaces()
{
    for (const auto &[id, one] : found_) {
        close(one.socket);
    }
}

void Namespaces::add(const std::string &path, const std::string &prefix)
{
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    const int id = id_of(netlink_, fd);
    if (id >= 0 && !found_.contains(id)) {
        if (const int made = socket_in(fd); made >= 0) {
            found_[id] = {made, prefix};
        }
    }
    close(fd);
}

void Namespaces::look()
{
    namespace fs = std::filesystem;
    std::error_code error;
    for (const auto &entry : fs::directory_iterator("/run/netns", error)) {
        add(entry.path(),
            "ip netns exec " + entry.path().filename().string() + " ");
    }
    std::map<std::string, bool> seen;
    for (const auto &entry : fs::directory_iterator("/proc", error)) {
        const std::string pid = entry.path().filename();
        const std::string path = "/proc/" + pid + "/ns/net";
        if (!std::isdigit(static_cast<unsigned char>(pid[0]))) {
            continue;
        }
        const std::string which = fs::read_symlink(path, error);
        if (!error && !std::exchange(seen[which], true)) {
            add(path, "nsenter -n -t " + pid + " ");
        }
        error.clear();
    }
}

const Namespace *Namespaces::find(int id)
{
    if (!std::exchange(looked_, true)) {
        look();
    }
    const auto found = found_.find(id);
    return found == found_.end() ? nullptr : &found->second;
}

}  // namespace eoip
