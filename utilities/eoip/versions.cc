// SPDX-License-Identifier: Apache-2.0
//
// Reads what the kernel says of its module and asks ovs-vswitchd by its
// control socket: see versions.h.

#include "versions.h"

#include <fstream>
#include <sstream>
#include <utility>

#include "control.h"
#include "installed_module.h"
#include "kernel_device.h"

#include "util.h"
#include <config.h>
extern "C" {
#include "timeval.h"
}

namespace eoip {
namespace {

// Empty if it cannot be read.
std::string first_line(const std::string &path)
{
    std::string line;
    std::ifstream file(path);
    std::getline(file, line);
    return line;
}

// Whether one is there but its kernel does not run it: the kernel tells builds
// apart by what they were built from.
void add_module(Versions &versions)
{
    const std::string loaded = first_line("/sys/module/eoip/srcversion");
    const std::string installed = installed_module_field("srcversion");
    const std::string version = first_line("/sys/module/eoip/version");
    const std::string other = installed_module_field("version");

    if (!std::ifstream("/sys/module/eoip/refcnt")) {
        versions.text += installed.empty() ? "module: not installed\n"
                                           : "module: not loaded\n";
        if (std::string fault = installed_module_fault(); !fault.empty()) {
            versions.warnings.push_back(std::move(fault));
        }
        return;
    }
    versions.text +=
        "module: eoip "
        + (version.empty() ? "of a version that it does not say" : version)
        + "\n";
    if (kernel_module_is_foreign()) {
        versions.warnings.push_back(
            "the kernel runs the module eoip of another project, which has "
            "fewer options and serves no bridge: the package "
            "openvswitch-eoip-dkms has ours");
    } else if (!installed.empty()
               && (installed != loaded
                   || (!version.empty() && !other.empty()
                       && version != other))) {
        versions.warnings.push_back(
            "the kernel runs another module eoip than the one that is "
            "installed"
            + (other.empty() ? "" : ", which is of version " + other)
            + ": it is taken at the next boot, or by \"modprobe -r eoip\" and "
              "\"modprobe eoip\" when no tunnel uses it");
    }
}

void add_switch(Versions &versions)
{
    constexpr std::string_view kWarning = "warning: ";
    const Reply answer = ask_switch("eoip/version");
    std::istringstream reply(answer.text);
    std::string line;

    if (!answer.running) {
        versions.text += "switch: not running\n";
    } else if (answer.text.empty()) {
        versions.text += "switch: without EoIP, or older than 0.2.0\n";
    }
    while (std::getline(reply, line)) {
        if (line.starts_with(kWarning)) {
            versions.warnings.push_back(line.substr(kWarning.size()));
        } else if (line.starts_with("switch: ")) {
            versions.text += line + "\n";
        }
    }
}

}  // namespace

Versions versions(int timeout_s)
{
    Versions found;

    time_alarm(timeout_s);
    add_module(found);
    add_switch(found);
    return found;
}

}  // namespace eoip
