// SPDX-License-Identifier: Apache-2.0
//
// The thread that sends all tunnels' keepalives and watches their peers.
// What is to be done when is in the core's Keepalive, the packets are those of
// KeepaliveSocket; here are the clock and the queue of deadlines.
//
// Frames are signs of life as well.  OVS counts them anyway, so the packet
// path pays nothing for that: when a deadline has passed, the thread looks
// whether the port's counter has moved.
//
// The queue is a balanced tree: with 65536 tunnels a step takes about 16
// comparisons.  All that is due within kRound is done in one round.
//
// The mutex is held while keepalives are sent.  The packet path never takes
// it: it notes what it has heard, and the thread draws the conclusions.

#include "keepalive_socket.h"
#include "tunnel.h"

#include <cerrno>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include <net/if.h>

#include "util.h"
#include <config.h>
extern "C" {
#include "openvswitch/poll-loop.h"
#include "ovs-thread.h"
#include "seq.h"
#include "timeval.h"
}
#include "log.h"

namespace eoip {

namespace {

constexpr Time kRound{16};          // The least time between two rounds.
constexpr Time kBusy{10};           // When to ask a netdev again that is busy.
constexpr std::size_t kBatch = 64;  // Tunnels served at a time.

// Guards what is below it, and the second half of every KeepaliveState.
std::mutex mutex;
// Never destroyed, because the thread goes on while the process exits.
auto &queue = *new std::set<std::pair<Time, eoip_tunnel *>>;
auto &changed = *new std::set<eoip_tunnel *>;
const eoip_keepalive_calls *calls;

std::atomic<bool> somebody_learns{false};  // Or has at some time.
std::atomic<bool> have_changed{false};     // 'changed' is not empty.

// Tunnels whose urgent keepalive has come, linked by 'next_noted'; each is
// there once, while 'is_noted'.  Any thread adds, the mutex guards taking.
std::atomic<eoip_tunnel *> noted{nullptr};

seq *queue_seq;    // Something is due before the others.
seq *changed_seq;  // 'changed' is not empty.

Time now()
{
    return Time(time_msec());
}

void schedule(eoip_tunnel *tunnel, Time deadline)
{
    KeepaliveState &state = tunnel->keepalive;

    if (deadline == state.queued) {
        return;
    }
    auto node = queue.extract({state.queued, tunnel});
    if (deadline == Time::max()) {
        // Nothing is due.
    } else if (node) {
        node.value().first = deadline;
        queue.insert(std::move(node));
    } else {
        queue.emplace(deadline, tunnel);
    }
    state.queued = deadline;
}

// After any event: 'before' is the state that the machine had.
void settle(eoip_tunnel *tunnel, Keepalive::State before)
{
    KeepaliveState &state = tunnel->keepalive;
    const Keepalive &machine = state.machine;

    schedule(tunnel, machine.deadline());
    if (machine.state() == before) {
        return;
    }
    VLOG_DBG("%s: keepalive: %s", tunnel->name.c_str(),
             keepalive_state_name(machine.state()));
    state.eager = machine.state() == Keepalive::State::waiting
                  || machine.state() == Keepalive::State::down;
    if (state.link_is_up.exchange(machine.link_is_up())
        != machine.link_is_up()) {
        state.resets++;
        VLOG_INFO("%s: keepalive: the link is %s", tunnel->name.c_str(),
                  machine.link_is_up() ? "up" : "down");
    }
    if (changed.insert(tunnel).second) {
        have_changed = true;
        seq_change(changed_seq);
    }
}

// Tells the machine of the keepalives that the packet path has noted.
void take_heard(eoip_tunnel *tunnel)
{
    KeepaliveState &state = tunnel->keepalive;
    const Time heard(state.heard_at.load(std::memory_order_relaxed));

    if (heard != Time(0)) {
        state.machine.heard(heard, now());
    }
}

// Any thread: has the thread of this file look at the tunnel at once.
void note_heard(eoip_tunnel *tunnel)
{
    KeepaliveState &state = tunnel->keepalive;

    if (state.is_noted.exchange(true)) {
        return;
    }
    eoip_tunnel *first = noted.load();
    do {
        state.next_noted = first;
    } while (!noted.compare_exchange_weak(first, tunnel));
    seq_change(queue_seq);
}

// Does so, with the mutex held.
void take_noted()
{
    eoip_tunnel *tunnel = noted.exchange(nullptr);

    while (tunnel) {
        KeepaliveState &state = tunnel->keepalive;
        eoip_tunnel *next = state.next_noted;
        state.is_noted = false;  // Before what is read of what was heard.
        if (state.netdev) {
            const auto before = state.machine.state();
            take_heard(tunnel);
            settle(tunnel, before);
        }
        tunnel = next;
    }
}

// What became of a keepalive: 'error' is an errno value, or 0.
void done(eoip_tunnel *tunnel, int error)
{
    KeepaliveState &state = tunnel->keepalive;

    if (error && error != state.error) {
        VLOG_DBG("%s: keepalive: not sent: %s", tunnel->name.c_str(),
                 ovs_strerror(error));
    }
    state.error = error;
    if (error) {
        state.machine.not_sent(now());
        schedule(tunnel, state.machine.deadline());
    } else {
        count(tunnel->counters.tx_keepalives);
    }
}

// A keepalive that the kernel datapath lets pass.
void take_keepalive(const in6_addr &remote, const in6_addr &local,
                    std::uint16_t key)
{
    eoip_tunnel *tunnel = calls->find(&remote, &local, key);

    if (tunnel) {
        eoip_tunnel_count_keepalive(tunnel);
        eoip_keepalive_heard(tunnel);
    } else {
        calls->unclaimed(&remote, &local, key);
    }
}

KeepaliveSocket raw4(AF_INET, done, take_keepalive);
KeepaliveSocket raw6(AF_INET6, done, take_keepalive);

// False if the kernel has no device of this name.  Asked for every keepalive,
// so the answers are kept for a second.
bool is_device(const char *name)
{
    static auto &known = *new std::map<std::string, bool, std::less<>>;
    static Time until{0};

    if (now() >= until) {
        known.clear();
        until = now() + Time(1000);
    }
    const auto found = known.find(std::string_view(name));
    if (found != known.end()) {
        return found->second;
    }
    // Who cannot ask, for lack of a descriptor, hears it from the raw socket.
    return known[name] = if_nametoindex(name) != 0 || errno != ENODEV;
}

// 'egress' is where OVS's route to the peer leads.
void send_keepalive(eoip_tunnel *tunnel, const char *egress)
{
    const Setup &setup = tunnel->setup();

    if (!setup.remote) {
        done(tunnel, EDESTADDRREQ);
    } else if (!*egress) {
        done(tunnel, ENETUNREACH);
    } else if (!is_device(egress)) {
        done(tunnel, ENODEV);
    } else {
        (setup.remote->is_ipv4() ? raw4 : raw6).send(tunnel, setup);
    }
}

void flush()
{
    raw4.flush();
    raw6.flush();
}

// Deadlines.

// The deadline of 'tunnel' has passed.
void serve(eoip_tunnel *tunnel)
{
    KeepaliveState &state = tunnel->keepalive;
    const auto before = state.machine.state();
    eoip_port port;

    if (!calls->poll(state.netdev, &port)) {
        schedule(tunnel, now() + kBusy);
        return;
    }
    take_heard(tunnel);
    if (port.rx_packets != state.rx_packets) {
        state.rx_packets = port.rx_packets;
        state.machine.heard(now(), now());
    }
    if (state.machine.expire(now())) {
        send_keepalive(tunnel, port.egress);
    }
    settle(tunnel, before);
}

// Serves up to a batch of tunnels, so that nobody waits for long for the
// mutex.  Returns false if no more are due.
bool serve_some()
{
    const std::lock_guard lock(mutex);
    const Time until = now();

    take_noted();
    for (std::size_t i = 0; i < kBatch; i++) {
        if (queue.empty() || queue.begin()->first > until) {
            flush();
            return false;
        }
        serve(queue.begin()->second);
    }
    flush();
    return true;
}

Time next_deadline()
{
    const std::lock_guard lock(mutex);
    return queue.empty() ? Time::max() : queue.begin()->first;
}

void *run(void *)
{
    for (;;) {
        const std::uint64_t seen = seq_read(queue_seq);
        const Time begun = now();

        if (somebody_learns) {
            // To hear whom there is nothing to send to yet.
            raw4.open();
            raw6.open();
        }
        raw4.receive();
        raw6.receive();
        while (serve_some()) {
        }
        const Time next = next_deadline();
        if (next != Time::max()) {
            poll_timer_wait_until(std::max(next, begun + kRound).count());
        }
        for (const KeepaliveSocket *socket : {&raw4, &raw6}) {
            if (socket->fd() >= 0) {
                poll_fd_wait(socket->fd(), POLLIN);
            } else if (somebody_learns && socket->retry_at() != Time::max()) {
                poll_timer_wait_until(socket->retry_at().count());
            }
        }
        seq_wait(queue_seq, seen);
        poll_block();
    }
}

void start(const eoip_keepalive_calls *calls_)
{
    if (!calls) {
        calls = calls_;
        queue_seq = seq_create();
        changed_seq = seq_create();
        // Longer names do not fit with the thread's number behind them.
        ovs_thread_create("keepalives", run, nullptr);
    }
}

}  // namespace

void keepalive_forget()
{
    const std::lock_guard lock(mutex);
    take_noted();
}

KeepaliveReport keepalive_report(const eoip_tunnel *tunnel)
{
    const std::lock_guard lock(mutex);
    const KeepaliveState &state = tunnel->keepalive;
    const Time noted(state.heard_at.load(std::memory_order_relaxed));
    KeepaliveReport report;

    report.flow_based = tunnel->setup().flow_based();
    report.state = report.flow_based
                       ? kFlowBased
                       : keepalive_state_name(state.machine.state());
    report.link_is_up = state.machine.link_is_up();
    report.since = state.machine.since();
    report.heard = state.machine.last_heard();
    if (noted != Time(0) && (!report.heard || *report.heard < noted)) {
        report.heard = noted;
    }
    report.now = now();
    report.error = state.error;
    return report;
}

}  // namespace eoip

using namespace eoip;

void eoip_keepalive_configure(eoip_tunnel *tunnel, void *netdev,
                              const eoip_keepalive_calls *calls_)
{
    start(calls_);

    const std::lock_guard lock(mutex);
    const Setup &setup = tunnel->setup();
    KeepaliveState &state = tunnel->keepalive;
    const auto before = state.machine.state();

    if (setup.learns()) {
        somebody_learns = true;
    }
    state.netdev = netdev;
    // Equal for equal names, so that a restart does not move a tunnel.
    const unsigned phase = std::hash<std::string>{}(tunnel->name) % 1000;
    state.machine.configure(
        setup.flow_based() ? std::nullopt : setup.config.keepalive, phase,
        now());
    settle(tunnel, before);
    seq_change(queue_seq);
}

void eoip_keepalive_stop(eoip_tunnel *tunnel)
{
    const std::lock_guard lock(mutex);

    tunnel->keepalive.machine.configure({}, 0, now());
    schedule(tunnel, Time::max());
    changed.erase(tunnel);
    tunnel->keepalive.eager = false;
    tunnel->keepalive.netdev = nullptr;
}

void eoip_keepalive_heard(eoip_tunnel *tunnel)
{
    KeepaliveState &state = tunnel->keepalive;

    state.heard_at.store(now().count(), std::memory_order_relaxed);
    if (state.eager.load(std::memory_order_relaxed)) {
        note_heard(tunnel);
    }
}

bool eoip_keepalive_link_is_up(const eoip_tunnel *tunnel)
{
    return tunnel->keepalive.link_is_up.load(std::memory_order_relaxed);
}

long long eoip_keepalive_resets(const eoip_tunnel *tunnel)
{
    return tunnel->keepalive.resets.load(std::memory_order_relaxed);
}

void *eoip_keepalive_next_changed()
{
    if (!have_changed) {
        return nullptr;  // Without waiting for the thread.
    }
    const std::lock_guard lock(mutex);
    void *netdev = nullptr;
    if (!changed.empty()) {
        netdev = (*changed.begin())->keepalive.netdev;
        changed.erase(changed.begin());
    }
    have_changed = !changed.empty();
    return netdev;
}

void eoip_keepalive_wait()
{
    if (calls) {
        const std::uint64_t seen = seq_read(changed_seq);
        if (have_changed) {
            poll_immediate_wake();
        } else {
            seq_wait(changed_seq, seen);
        }
    }
}
