// SPDX-License-Identifier: Apache-2.0
//
// Talks to ovs-vswitchd's control socket: see control.h.

#include "control.h"

#include <cerrno>
#include <fstream>

#include "util.h"
#include <config.h>
extern "C" {
#include "dirs.h"
#include "jsonrpc.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "timeval.h"
#include "unixctl.h"
}

namespace eoip {

namespace {

constexpr long long kPatience_ms = 5000;

// The reply, or null if there is none in time.  Takes over 'request'.
jsonrpc_msg *transact(jsonrpc *client, jsonrpc_msg *request)
{
    const long long end = time_msec() + kPatience_ms;
    jsonrpc_msg *reply = nullptr;

    if (jsonrpc_send(client, request) != 0) {
        return nullptr;
    }
    while (time_msec() < end) {
        jsonrpc_run(client);
        if (jsonrpc_recv(client, &reply) != EAGAIN) {
            break;
        }
        jsonrpc_wait(client);
        jsonrpc_recv_wait(client);
        poll_timer_wait_until(end);
        poll_block();
    }
    return reply;
}

}  // namespace

Reply ask_switch(const std::string &command,
                 const std::vector<std::string> &arguments)
{
    const std::string folder = ovs_rundir();
    std::string pid;
    Reply answer;
    jsonrpc *client;
    jsonrpc_msg *reply;

    std::getline(std::ifstream(folder + "/ovs-vswitchd.pid"), pid);
    const std::string path = folder + "/ovs-vswitchd." + pid + ".ctl";
    answer.running =
        !pid.empty() && unixctl_client_create(path.c_str(), &client) == 0;
    if (!answer.running) {
        return answer;
    }
    json *parameters = json_array_create_empty();
    for (const std::string &argument : arguments) {
        json_array_add(parameters, json_string_create(argument.c_str()));
    }
    answer.refused = true;
    // unixctl_client_transact() is another one in each release.
    reply = transact(client, jsonrpc_create_request(command.c_str(), parameters,
                                                    nullptr));
    if (reply) {
        if (reply->result && reply->result->type == JSON_STRING) {
            answer.text = json_string(reply->result);
            answer.refused = false;
        }
        jsonrpc_msg_destroy(reply);
    }
    jsonrpc_close(client);
    return answer;
}

}  // namespace eoip
