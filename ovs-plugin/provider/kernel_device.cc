// SPDX-License-Identifier: Apache-2.0
//
// See kernel_device.h.

#include "kernel_device.h"

#include <cstring>
#include <fstream>
#include <string_view>

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace eoip {

namespace {

// Any socket serves to ask.
class Ethtool {
public:
    explicit Ethtool(const char *device)
        : socket_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0))
    {
        std::strncpy(request_.ifr_name, device, IFNAMSIZ - 1);
    }
    Ethtool(const Ethtool &) = delete;
    Ethtool &operator=(const Ethtool &) = delete;
    ~Ethtool()
    {
        if (socket_ >= 0) {
            close(socket_);
        }
    }

    bool ask(void *command)
    {
        request_.ifr_data = static_cast<char *>(command);
        return ioctl(socket_, SIOCETHTOOL, &request_) == 0;
    }

private:
    int socket_;
    ifreq request_{};
};

std::size_t number_of_counters(Ethtool &device)
{
    ethtool_drvinfo info{};
    info.cmd = ETHTOOL_GDRVINFO;
    return device.ask(&info) ? info.n_stats : 0;
}

// A command with room behind it for what the kernel writes, aligned for both.
template <typename Command>
struct Request {
    explicit Request(std::size_t n_bytes)
        : bytes(sizeof(Command) / 8 + (n_bytes + 7) / 8 + 1)
    {
    }
    Command *operator->()
    {
        return reinterpret_cast<Command *>(bytes.data());
    }

    std::vector<std::uint64_t> bytes;
};

}  // namespace

// The kernel writes as many values as the device has, whatever is asked for:
// the number is that of the driver, and does not change.
std::vector<KernelCounter> read_kernel_counters(const char *name)
{
    Ethtool device(name);
    const std::size_t n = number_of_counters(device);
    std::vector<KernelCounter> counters;

    Request<ethtool_gstrings> strings(n * ETH_GSTRING_LEN);
    strings->cmd = ETHTOOL_GSTRINGS;
    strings->string_set = ETH_SS_STATS;
    strings->len = static_cast<__u32>(n);
    Request<ethtool_stats> stats(n * sizeof(__u64));
    stats->cmd = ETHTOOL_GSTATS;
    stats->n_stats = static_cast<__u32>(n);
    if (!n || !device.ask(strings.bytes.data())
        || !device.ask(stats.bytes.data())) {
        return counters;
    }
    for (std::size_t i = 0; i < n; i++) {
        const std::string_view text(
            reinterpret_cast<const char *>(&strings->data[i * ETH_GSTRING_LEN]),
            ETH_GSTRING_LEN);
        counters.push_back({std::string(text.substr(0, text.find('\0'))),
                            stats->data[i]});
    }
    return counters;
}

bool kernel_module_is_foreign()
{
    // Of the two only ours exports something.
    std::ifstream symbols("/proc/kallsyms");
    std::string line;
    bool is_there = false;

    if (access("/sys/module/eoip", F_OK) != 0) {
        return false;
    }
    while (std::getline(symbols, line)) {
        if (line.ends_with("\t[eoip]")) {
            is_there = true;
            if (line.find(" eoip_dev_create_external\t") != std::string::npos) {
                return false;
            }
        }
    }
    return is_there;
}

}  // namespace eoip
