// SPDX-License-Identifier: Apache-2.0
//
// ovs-appctl eoip/version: what runs here, and what of it is older than what
// is installed.  The same is said in eoip/show and, once, in the log.  Called
// by report.c, show.cc and configure.c in the main thread; only reads files.

#include "versions.h"

#include <algorithm>
#include <fstream>

#include <unistd.h>

#include "kernel_device.h"
#include "linux/eoip.h"
#include "log.h"

namespace eoip {
namespace {

// The program of the package openvswitch-switch-eoip, and where its scripts
// say what is wrong with it.  No other program is meant by that.
constexpr std::string_view kPackaged =
    "/usr/lib/openvswitch-switch-eoip/ovs-vswitchd-eoip";
constexpr const char *kNotice = "/var/lib/openvswitch-switch-eoip/notice";

bool is_packaged()
{
    char path[256];
    const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
    // A program that was replaced has " (deleted)" behind its name.
    return length > 0 && std::string_view(path, length).starts_with(kPackaged);
}

// Empty if there is no such file, or it is empty.
std::string first_line(const char *path)
{
    std::string line;
    std::ifstream file(path);
    std::getline(file, line);
    return line;
}

std::string module_version()
{
    return first_line("/sys/module/eoip/version");
}

bool module_is_loaded()
{
    return access("/sys/module/eoip", F_OK) == 0;
}

}  // namespace

std::vector<std::string> version_warnings(bool in_kernel)
{
    static std::vector<std::string> logged;
    std::vector<std::string> found;

    if (is_packaged()) {
        found.push_back(first_line(kNotice));
    }
    if (in_kernel && kernel_module_is_foreign()) {
        found.push_back("the kernel's module eoip is another project's, whose "
                        "links serve no bridge");
    } else if (in_kernel && module_is_loaded()
               && module_version() != EOIP_VERSION) {
        found.push_back("the kernel's module eoip is of "
                        + (module_version().empty()
                               ? "a version that it does not say"
                               : "version " + module_version())
                        + ", this switch of version " EOIP_VERSION);
    }
    std::erase(found, "");
    for (const std::string &sentence : found) {
        if (std::ranges::find(logged, sentence) == logged.end()) {
            VLOG_WARN("%s", sentence.c_str());
            logged.push_back(sentence);
        }
    }
    return found;
}

}  // namespace eoip

char *eoip_version_format(void)
{
    std::string text =
        "switch: EoIP " EOIP_VERSION ", Open vSwitch " VERSION "\n";

    if (eoip::module_is_loaded()) {
        const std::string version = eoip::module_version();
        text +=
            "module: eoip "
            + (version.empty() ? "of a version that it does not say" : version)
            + "\n";
    } else {
        text += "module: not loaded\n";
    }
    for (const std::string &sentence : eoip::version_warnings(true)) {
        text += "warning: " + sentence + "\n";
    }
    return xstrdup(text.c_str());
}

void eoip_version_log(bool in_kernel)
{
    static_cast<void>(eoip::version_warnings(in_kernel));
}
