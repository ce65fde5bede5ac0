// SPDX-License-Identifier: Apache-2.0
//
// Reads what the kernel says of its module and asks ovs-vswitchd by its
// control socket: see versions.h.

#include "versions.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>

#include "kernel_device.h"

#include "util.h"
#include <config.h>
extern "C" {
#include "dirs.h"
#include "jsonrpc.h"
#include "openvswitch/json.h"
#include "timeval.h"
#include "unixctl.h"
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

// The field of the module that is installed for this kernel, or nothing.
std::string modinfo(const std::string &field)
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

// Whether one is there but its kernel does not run it: the kernel tells builds
// apart by what they were built from.
void add_module(Versions &versions)
{
    const std::string loaded = first_line("/sys/module/eoip/srcversion");
    const std::string installed = modinfo("srcversion");
    const std::string version = first_line("/sys/module/eoip/version");
    const std::string other = modinfo("version");

    if (!std::ifstream("/sys/module/eoip/refcnt")) {
        versions.text += installed.empty() ? "module: not installed\n"
                                           : "module: not loaded\n";
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
    } else if (!installed.empty() && installed != loaded) {
        versions.warnings.push_back(
            "the kernel runs another module eoip than the one that is "
            "installed"
            + (other.empty() ? "" : ", which is of version " + other)
            + ": it is taken at the next boot, or by \"modprobe -r eoip\" and "
              "\"modprobe eoip\" when no tunnel uses it");
    }
}

// The reply to 'command' of the ovs-vswitchd that runs here, or "".
std::string ask_switch(const char *command, bool &running)
{
    const std::string folder = ovs_rundir();
    const std::string pid = first_line(folder + "/ovs-vswitchd.pid");
    const std::string path = folder + "/ovs-vswitchd." + pid + ".ctl";
    std::string text;
    jsonrpc *client;
    jsonrpc_msg *reply;

    running =
        !pid.empty() && unixctl_client_create(path.c_str(), &client) == 0;
    if (!running) {
        return text;
    }
    // unixctl_client_transact() is another one in each release.
    if (jsonrpc_transact_block(
            client,
            jsonrpc_create_request(command, json_array_create_empty(),
                                   nullptr),
            &reply)
        == 0) {
        if (reply->result && reply->result->type == JSON_STRING) {
            text = json_string(reply->result);
        }
        jsonrpc_msg_destroy(reply);
    }
    jsonrpc_close(client);
    return text;
}

void add_switch(Versions &versions)
{
    constexpr std::string_view kWarning = "warning: ";
    bool running;
    std::istringstream reply(ask_switch("eoip/version", running));
    std::string line;

    if (!running) {
        versions.text += "switch: not running\n";
    } else if (reply.str().empty()) {
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
