// SPDX-License-Identifier: Apache-2.0
//
// eoip(8): makes, changes, shows and watches EoIP tunnels, those of the kernel
// and those on bridges of Open vSwitch.
//
// One function for each verb.  What was asked for is in words.cc, where
// tunnels are is in kernel.cc and bridge.cc.

#include <cstdio>
#include <span>
#include <utility>
#include <vector>

#include <linux/eoip.h>
#include <unistd.h>

#include "util.h"
extern "C" {
#include "fatal-signal.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "timeval.h"
}

#include "bridge.h"
#include "check.h"
#include "checks.h"
#include "events.h"
#include "help.h"
#include "json.h"
#include "kernel.h"
#include "metrics.h"
#include "print.h"
#include "transfer.h"
#include "versions.h"
#include "words.h"

namespace eoip {
namespace {

constexpr int kFailed = 1, kUsageError = 2;

[[nodiscard]] int complain(const std::string &sentence, int status = kFailed)
{
    std::fprintf(stderr, "eoip: %s\n", sentence.c_str());
    return status;
}

void print(const std::string &text)
{
    std::fwrite(text.data(), 1, text.size(), stdout);
}

class Command {
public:
    explicit Command(const Request &request)
        : request_(request), bridges_(request)
    {
    }

    // Each returns the exit status.
    int run();

private:
    int add();
    int change();
    int del();
    int list();
    int watch();
    int stats();
    int monitor();
    int check();
    int import_tunnels();
    int export_all();
    int finish(const Transfer &transfer);
    int version();
    int help();

    std::string list_all(std::vector<Tunnel> &tunnels);
    std::string find(const std::string &name, Tunnel &tunnel);
    Backend &backend(const Tunnel &tunnel)
    {
        return tunnel.in_kernel() ? static_cast<Backend &>(kernel_)
                                  : static_cast<Backend &>(bridges_);
    }
    int finish(const char *done, const Tunnel &tunnel,
               const std::string &error);

    const Request &request_;
    Kernel kernel_;
    Bridges bridges_;
};

// Those of the kernel first.  They are there even if there is an error.
std::string Command::list_all(std::vector<Tunnel> &tunnels)
{
    std::string error = kernel_.list(tunnels);
    if (error.empty() && bridges_.present()) {
        error = bridges_.list(tunnels);
    }
    return error;
}

// The tunnel that is meant: one of the kernel needs no Open vSwitch.
std::string Command::find(const std::string &name, Tunnel &tunnel)
{
    const auto is_meant = [&](const Tunnel &one) {
        return one.name == name
               && (request_.bridge.empty() || one.bridge == request_.bridge);
    };
    std::string error;
    const auto look = [&](Backend &place) {
        std::vector<Tunnel> tunnels;
        error = place.list(tunnels);
        for (Tunnel &one : tunnels) {
            if (is_meant(one)) {
                tunnel = std::move(one);
                return true;
            }
        }
        return !error.empty();
    };
    if (request_.bridge.empty() && look(kernel_)) {
        return error;
    }
    if ((!request_.bridge.empty() || bridges_.present()) && look(bridges_)) {
        return error;
    }
    return "there is no tunnel " + name
           + (request_.bridge.empty() ? "" : " on bridge " + request_.bridge)
           + ": \"eoip list\" shows those that exist";
}

int Command::finish(const char *done, const Tunnel &tunnel,
                    const std::string &error)
{
    if (!error.empty()) {
        return complain(error);
    }
    if (request_.dry_run) {
        print(std::string("would ") + done + " "
              + (tunnel.in_kernel() ? "a link of the kernel"
                                    : "a port of bridge " + tunnel.bridge)
              + "\n" + details(tunnel));
    }
    return 0;
}

int Command::add()
{
    Tunnel tunnel;
    tunnel.name = request_.name;
    tunnel.bridge = request_.bridge;
    tunnel.options = request_.options;
    const std::string error =
        backend(tunnel).add({&tunnel, 1}, request_.dry_run);
    // Who did not name it wants to know what it is called.
    if (error.empty() && request_.name.empty() && !request_.dry_run) {
        print(tunnel.name + "\n");
    }
    return finish("add", tunnel, error);
}

int Command::change()
{
    Tunnel tunnel;
    std::string error = find(request_.name, tunnel);
    if (error.empty()) {
        error =
            backend(tunnel).change(tunnel, request_.options, request_.dry_run);
        for (const auto &[option, value] : request_.options) {
            tunnel.options[option] = value;
        }
    }
    return finish("change", tunnel, error);
}

// All of them are there, or nothing is removed.
int Command::del()
{
    std::vector<std::string> names = request_.more_names;
    names.insert(names.begin(), request_.name);
    std::vector<Tunnel> tunnels(names.size());
    for (std::size_t i = 0; i < names.size(); i++) {
        const std::string error = find(names[i], tunnels[i]);
        if (!error.empty()) {
            return complain(error);
        }
    }
    int status = 0;
    for (const Tunnel &tunnel : tunnels) {
        if (status == 0) {
            status = finish("remove", tunnel,
                            backend(tunnel).remove(tunnel, request_.dry_run));
        }
    }
    return status;
}

int Command::list()
{
    if (!request_.name.empty()) {
        Tunnel tunnel;
        const std::string error = find(request_.name, tunnel);
        if (!error.empty()) {
            return complain(error);
        }
        print(request_.json ? json_one(tunnel, false) : everything(tunnel));
        return 0;
    }
    if (request_.watch) {
        return watch();
    }
    std::vector<Tunnel> tunnels;
    const std::string error =
        request_.legacy ? kernel_.list(tunnels) : list_all(tunnels);
    if (request_.legacy) {
        for (const Tunnel &tunnel : tunnels) {
            print(legacy_line(tunnel));
        }
    } else {
        print(request_.json ? json_list(tunnels, false)
                            : table(tunnels, isatty(STDOUT_FILENO)));
    }
    return error.empty() ? 0 : complain(error);
}

// Until interrupted, or nobody listens any more.
int Command::watch()
{
    constexpr int kInterval_ms = 2000;
    const bool terminal = isatty(STDOUT_FILENO);
    std::vector<Tunnel> before;
    for (long long begun = 0;;) {
        std::vector<Tunnel> tunnels;
        const std::string error = list_all(tunnels);
        if (!error.empty()) {
            return complain(error);
        }
        const long long now = time_msec();
        const double seconds =
            begun ? static_cast<double>(now - begun) / 1000 : 0;
        print((terminal ? "\033[H\033[J" : begun ? "\n" : "")
              + table(tunnels, terminal, before, seconds));
        if (std::fflush(stdout)) {
            return kFailed;
        }
        before = std::move(tunnels);
        begun = now;
        poll_timer_wait_until(now + kInterval_ms);
        poll_block();
    }
}

int Command::stats()
{
    std::vector<Tunnel> tunnels;
    std::string error;
    if (request_.name.empty()) {
        error = list_all(tunnels);
    } else {
        error = find(request_.name, tunnels.emplace_back());
        if (!error.empty()) {
            return complain(error);
        }
    }
    if (request_.prometheus) {
        print(metrics(tunnels));
    } else if (request_.json) {
        print(request_.name.empty() ? json_list(tunnels, false)
                                    : json_one(tunnels[0], true));
    } else {
        for (const Tunnel &tunnel : tunnels) {
            print(counters(tunnel));
        }
    }
    return error.empty() ? 0 : complain(error);
}

int Command::monitor()
{
    TunnelMap before;
    const bool with_bridges = bridges_.present();
    for (bool first = true;; first = false) {
        std::vector<Tunnel> tunnels;
        TunnelMap now;
        std::string error = kernel_.list(tunnels);
        error = error.empty() && with_bridges ? bridges_.list(tunnels) : error;
        if (!error.empty()) {
            return complain(error);
        }
        for (Tunnel &tunnel : tunnels) {
            const std::string key = tunnel.bridge + "/" + tunnel.name;
            now.emplace(key, std::move(tunnel));
        }
        if (!first) {
            print(events(before, now, request_.json));
            // Nobody listens any more.
            if (std::fflush(stdout)) {
                return kFailed;
            }
        }
        before = std::move(now);
        error = kernel_.wait();
        if (error.empty() && with_bridges) {
            error = bridges_.wait();
        }
        if (!error.empty()) {
            return complain(error);
        }
        poll_block();
    }
}

int Command::finish(const Transfer &transfer)
{
    print(transfer.output);
    for (const std::string &sentence : transfer.errors) {
        (void)complain(sentence);
    }
    return transfer.errors.empty() ? 0 : kFailed;
}

int Command::import_tunnels()
{
    Tunnel somewhere;
    somewhere.bridge = request_.bridge;
    return finish(import_file(request_, backend(somewhere)));
}

int Command::export_all()
{
    std::vector<Tunnel> tunnels;
    const std::string error =
        request_.name.empty() ? list_all(tunnels)
                              : find(request_.name, tunnels.emplace_back());
    return error.empty() ? finish(export_tunnels(request_, tunnels))
                         : complain(error);
}

int Command::check()
{
    Facts facts;
    std::string error = is_elsewhere(request_) ? bridges_.list(facts.tunnels)
                                               : list_all(facts.tunnels);
    if (!request_.name.empty()) {
        Tunnel asked;
        if (const std::string fault = find(request_.name, asked); !fault.empty()) {
            return complain(fault);
        }
        std::swap(facts.others, facts.tunnels);
        std::erase_if(facts.others, [&](const Tunnel &one) {
            return key_of(one) == key_of(asked);
        });
        facts.tunnels = {asked};
    }
    if (const std::string fault = gather(request_, bridges_, facts);
        error.empty()) {
        error = fault;
    }
    const Findings found = find_faults(facts);
    if (request_.json) {
        print(json_findings(found));
    } else if (error.empty() || !found.empty()) {
        print(findings_text(found));
    }
    if (!error.empty()) {
        return complain(error);
    }
    return found.empty() ? 0 : kFailed;
}

int Command::version()
{
    const Versions found = versions(request_.timeout_s);
    print("eoip " EOIP_VERSION "\n" + found.text);
    for (const std::string &sentence : found.warnings) {
        print("warning: " + sentence + "\n");
    }
    return 0;
}

int Command::help()
{
    const std::string text =
        request_.topic.empty() ? usage() : help_on(request_.topic);
    print(text);
    return text.empty() ? complain("there is no help on " + request_.topic
                                       + ": \"eoip help\" has all words",
                                   kUsageError)
                        : 0;
}

int Command::run()
{
    switch (request_.verb) {
    case Verb::add:
        return add();
    case Verb::change:
        return change();
    case Verb::del:
        return del();
    case Verb::list:
        return list();
    case Verb::stats:
        return stats();
    case Verb::monitor:
        return monitor();
    case Verb::version:
        return version();
    case Verb::check:
        return check();
    case Verb::import_:
        return import_tunnels();
    case Verb::export_:
        return export_all();
    case Verb::help:
        return help();
    }
    return kUsageError;
}

// What went wrong is ours to say, in one sentence: also that a connection
// ended.
void quiet_ovs(const char *program)
{
    set_program_name(program);
    fatal_ignore_sigpipe();
    vlog_set_levels(nullptr, VLF_CONSOLE, VLL_OFF);
    vlog_set_levels(nullptr, VLF_SYSLOG, VLL_OFF);
}

}  // namespace
}  // namespace eoip

int main(int argc, char *argv[])
{
    eoip::quiet_ovs("eoip");
    const auto parsed = eoip::parse_words(
        {argv + 1, static_cast<std::size_t>(argc > 0 ? argc - 1 : 0)});
    if (!parsed.error.empty()) {
        return eoip::complain(parsed.error, eoip::kUsageError);
    }
    const int status = eoip::Command(parsed.request).run();
    // A full disk or a closed pipe is no success.
    if (std::fflush(stdout) || std::ferror(stdout)) {
        return eoip::complain("cannot write the output");
    }
    return status;
}
