// SPDX-License-Identifier: Apache-2.0
//
// Asks modinfo(8), and reads what the kernel tells of its keys: see
// installed_module.h.

#include "installed_module.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string_view>

namespace eoip {
namespace {

// Each of the two refuses what has no signature by a key that the kernel
// knows; the lockdown is what Secure Boot brings.
bool kernel_wants_signatures()
{
    std::string enforced;
    std::string lockdown;

    std::getline(std::ifstream("/sys/module/module/parameters/sig_enforce"),
                 enforced);
    // The one that is in force is in brackets.
    std::getline(std::ifstream("/sys/kernel/security/lockdown"), lockdown);
    return enforced == "Y"
           || (lockdown.find('[') != std::string::npos
               && lockdown.find("[none]") == std::string::npos);
}

// False only if keys are to be seen, and none of that name: by root alone.
bool kernel_may_know_key(const std::string &name)
{
    std::ifstream keys("/proc/keys");
    std::string line;
    bool is_any = false;

    while (std::getline(keys, line)) {
        if (line.find(" asymmetri ") != std::string::npos) {
            is_any = true;
            if (line.find(" asymmetri " + name + ": ") != std::string::npos) {
                return true;
            }
        }
    }
    return !is_any;
}

}  // namespace

std::string installed_module_field(const std::string &field)
{
    char line[256] = "";
    // Users do not have it in their PATH.
    const std::string command =
        "PATH=$PATH:/usr/sbin:/sbin modinfo -F " + field + " eoip 2>/dev/null";
    const std::unique_ptr<FILE, int (*)(FILE *)> pipe(
        popen(command.c_str(), "r"), pclose);
    if (!pipe || !std::fgets(line, sizeof line, pipe.get())) {
        return {};
    }
    return std::string(line).substr(0, std::string_view(line).find('\n'));
}

std::string installed_module_fault()
{
    if (!kernel_wants_signatures()
        || installed_module_field("srcversion").empty()) {
        return {};
    }
    if (installed_module_field("sig_id").empty()) {
        return "this kernel loads only modules that are signed (Secure Boot), "
               "and the installed module eoip is not: \"apt install openssl\" "
               "and \"apt install --reinstall openvswitch-eoip-dkms\" have "
               "DKMS sign it";
    }
    const std::string signer = installed_module_field("signer");
    if (!signer.empty() && !kernel_may_know_key(signer)) {
        return "this kernel loads only modules that are signed by keys that "
               "it "
               "knows (Secure Boot), and \""
               + signer
               + "\", which has signed the installed module eoip, is none of "
                 "them: \"mokutil --import /var/lib/dkms/mok.pub\" has the "
                 "next boot ask whether it may be";
    }
    return {};
}

}  // namespace eoip
