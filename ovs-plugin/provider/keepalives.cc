// SPDX-License-Identifier: Apache-2.0
//
// The thread that sends all tunnels' keepalives and watches their peers.
// What is to be done when is in the core's Keepalive, what is sent how in
// KeepaliveSender; here are the clock, the queue of deadlines, and what the rest
// of the switch is told.
//
// Frames are signs of life as well.  OVS counts them anyway, so the packet
// path pays nothing for that: when a deadline has passed, the thread looks
// whether the port's counter has moved; and every kLook at tunnels that a frame
// would take up.
//
// The queue is a balanced tree: with 65536 tunnels a step takes about 16
// comparisons.  All that is due within kRound is done in one round.
//
// Keepalives are sent without the mutex, as they take the way of frames.  The
// packet path never takes it: it notes what it has heard, and the thread draws
// the conclusions.

#include "changed_netdevs.h"
#include "keepalive_sender.h"
#include "link_log.h"
#include "noted_tunnels.h"
#include "state_report.h"
#include "tunnel.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

constexpr Time kRound{100};         // The least time between two rounds.
constexpr Time kLook{1000};         // Between two looks for a frame.
constexpr Time kBusy{10};           // When to ask a netdev again that is busy.
constexpr std::size_t kBatch = 64;  // Tunnels served at a time.
constexpr Time kAsk{1000};          // Between two questions to a next hop.
constexpr unsigned kAsked = 3;      // Of them before it is called silent.

// Guards what is below it, and the second half of every KeepaliveState.
std::mutex mutex;
// Never destroyed, because the thread goes on while the process exits.
auto &queue = *new std::set<std::pair<Time, eoip_tunnel *>>;
const eoip_keepalive_calls *calls;

std::atomic<bool> somebody_learns{false};  // Or has at some time.

NotedTunnels noted;  // Those whose urgent keepalive has come.

seq *queue_seq;  // Something is due before the others.

ChangedNetdevs *changed;  // There from start() on.

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

// The same for all tunnels, so that the thread wakes up once for all of them.
Time next_look()
{
    return (now() / kLook + 1) * kLook;
}

Signs signs_of(const eoip_tunnel *tunnel)
{
    const KeepaliveState &state = tunnel->keepalive;

    Signs signs = signs_of(tunnel->setup(), state.path);
    signs.asks_neighbour |= state.asked >= kAsked;
    return signs;
}

// After any event: 'before' is the state that the machine had.
void settle(eoip_tunnel *tunnel, Keepalive::State before)
{
    KeepaliveState &state = tunnel->keepalive;
    const Keepalive &machine = state.machine;
    const Signs signs = signs_of(tunnel);
    const State now_is = judge(signs, machine, now());
    const bool link = link_is_up(signs, machine);
    const bool eager = now_is == State::waiting || now_is == State::silent
                       || now_is == State::no_neighbour;

    state.eager = eager;
    schedule(tunnel, eager ? std::min(machine.deadline(), next_look())
                           : machine.deadline());
    if (machine.state() == before && now_is == state.state
        && link == state.link_is_up) {
        return;
    }
    VLOG_DBG("%s: %s, keepalive: %s", tunnel->name.c_str(),
             state_name(now_is), keepalive_state_name(machine.state()));
    state.state = now_is;
    if (state.link_is_up.exchange(link) != link) {
        state.resets++;
        const std::string reason =
            state_report(tunnel, now_is, state.path).reason;
        link_log(tunnel->name.c_str(), link,
                 reason.empty() ? state_name(now_is) : reason.c_str());
    }
    if (state.netdev) {
        changed->add(state.netdev);
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

// Looks at those that were noted, with the mutex held.
void take_noted()
{
    noted.take([](eoip_tunnel *tunnel) {
        KeepaliveState &state = tunnel->keepalive;

        if (state.netdev) {
            const auto before = state.machine.state();
            take_heard(tunnel);
            settle(tunnel, before);
        }
    });
}

// What became of a keepalive: 'not_sent' tells why it was not sent, or is
// empty.
void done(eoip_tunnel *tunnel, std::string_view not_sent, bool no_neighbour)
{
    const std::lock_guard lock(mutex);
    KeepaliveState &state = tunnel->keepalive;
    const auto before = state.machine.state();

    if (!state.netdev) {
        return;  // It was stopped meanwhile.
    }
    if (!not_sent.empty() && not_sent != state.not_sent) {
        VLOG_DBG("%s: keepalive: not sent: %s", tunnel->name.c_str(),
                 std::string(not_sent).c_str());
    }
    state.not_sent = not_sent;
    state.asked = no_neighbour ? state.asked + 1 : 0;
    if (!not_sent.empty()) {
        state.machine.not_sent(now());
    }
    settle(tunnel, before);
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

KeepaliveSender sender(done, take_keepalive);

// Deadlines.

// A keepalive that has to be sent.
struct Due {
    eoip_tunnel *tunnel;
    const ofport_dpif *port;  // Of the userspace datapath, or null.
};

// The deadline of 'tunnel' has passed.
void serve(eoip_tunnel *tunnel, std::vector<Due> &due)
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
        const ofport_dpif *ofport = port.in_kernel ? nullptr : state.port;
        if (signs_of(tunnel).obstacle || !tunnel->setup().remote
            || !(port.in_kernel || ofport)) {
            state.machine.held_back();
            state.not_sent.clear();
        } else {
            due.push_back({tunnel, ofport});
        }
    }
    settle(tunnel, before);
}

// Serves up to a batch of tunnels, so that nobody waits for long for the
// mutex, and sends what is due then.  Returns false if no more are due.
bool serve_some()
{
    std::vector<Due> due;
    bool more = true;
    {
        const std::lock_guard lock(mutex);
        const Time until = now();

        take_noted();
        for (std::size_t i = 0; more && i < kBatch; i++) {
            more = !queue.empty() && queue.begin()->first <= until;
            if (more) {
                serve(queue.begin()->second, due);
            }
        }
    }
    // The tunnels stay until this thread quiesces.
    for (const Due &one : due) {
        sender.send(one.tunnel, one.port, calls->send);
    }
    sender.flush();
    return more;
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

        sender.receive(somebody_learns);
        while (serve_some()) {
        }
        const Time next = next_deadline();
        if (next != Time::max()) {
            poll_timer_wait_until(std::max(next, begun + kRound).count());
        }
        sender.wait(somebody_learns);
        seq_wait(queue_seq, seen);
        poll_block();
    }
}

void start(const eoip_keepalive_calls *calls_)
{
    if (!calls) {
        calls = calls_;
        queue_seq = seq_create();
        changed = new ChangedNetdevs;
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

    report.now = now();
    report.state = judge(signs_of(tunnel), state.machine, report.now);
    report.path = state.path;
    report.flow_based = tunnel->setup().flow_based();
    report.keepalive_state = report.flow_based
                                 ? kFlowBased
                                 : keepalive_state_name(state.machine.state());
    report.since = state.machine.since();
    report.heard = state.machine.last_heard();
    if (noted != Time(0) && (!report.heard || *report.heard < noted)) {
        report.heard = noted;
    }
    report.not_sent = state.not_sent;
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

    state.netdev = netdev;
    // Equal for equal names, so that a restart does not move a tunnel.
    const unsigned phase = std::hash<std::string>{}(tunnel->name) % 1000;
    state.machine.configure(
        setup.flow_based() ? std::nullopt : setup.config.keepalive, phase,
        now());
    state.machine.can_be_sent(now());
    settle(tunnel, before);
    seq_change(queue_seq);
}

void eoip_keepalive_stop(eoip_tunnel *tunnel)
{
    const std::lock_guard lock(mutex);

    tunnel->keepalive.machine.configure({}, 0, now());
    schedule(tunnel, Time::max());
    tunnel->keepalive.eager = false;
    if (void *netdev = std::exchange(tunnel->keepalive.netdev, nullptr)) {
        changed->remove(netdev);
    }
}

void eoip_keepalive_set_port(eoip_tunnel *tunnel, const ofport_dpif *port)
{
    const std::lock_guard lock(mutex);

    tunnel->keepalive.port = port;
}

void eoip_keepalive_set_path(eoip_tunnel *tunnel, const eoip_path *found)
{
    const std::lock_guard lock(mutex);
    KeepaliveState &state = tunnel->keepalive;
    const auto before = state.machine.state();
    const bool asks = found->asks_neighbour || found->no_neighbour;
    eoip_path path = *found;

    // Who is silent is so until he answers: the kernel says that only from
    // when it gives up to the next packet, for which it asks once more.
    state.asks_since = asks ? std::min(state.asks_since, now()) : Time::max();
    path.no_neighbour |=
        asks && (state.path.no_neighbour
                 || now() - state.asks_since >= kAsked * kAsk);
    path.asks_neighbour = false;
    if (std::memcmp(&state.path, &path, sizeof path) != 0) {
        state.path = path;
        state.asked = 0;
    }
    if (path.in_kernel && tunnel->setup().learns()) {
        somebody_learns = true;
    }
    state.machine.can_be_sent(now());
    settle(tunnel, before);
    seq_change(queue_seq);
}

void eoip_keepalive_pushed(eoip_tunnel *tunnel, eoip_drop why)
{
    if (tunnel) {
        tunnel->keepalive.pushed = why;
        if (why == EOIP_N_DROPS) {
            count(tunnel->counters.tx_keepalives);
        }
    }
}

void eoip_keepalive_heard(eoip_tunnel *tunnel)
{
    KeepaliveState &state = tunnel->keepalive;

    state.heard_at.store(now().count(), std::memory_order_relaxed);
    if (state.eager.load(std::memory_order_relaxed) && noted.add(tunnel)) {
        seq_change(queue_seq);
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
    return changed ? changed->next() : nullptr;
}

void eoip_keepalive_wait()
{
    if (changed) {
        changed->wait();
    }
}
