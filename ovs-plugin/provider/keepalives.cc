// SPDX-License-Identifier: Apache-2.0
//
// The thread that sends all tunnels' keepalives and watches their peers.
// What is to be done when is in the core's Keepalive; here are the clock, the
// queue of deadlines and the socket.
//
// A raw socket for each address family serves both datapaths: the kernel
// routes what it sends, into the switch where the route leads to a bridge.
// With the kernel datapath it hears the keepalives, too; in the userspace
// datapath the tunnels take them. Frames are signs of life as well.  OVS
// counts them anyway, so the packet path pays nothing for that: when a
// deadline has passed, the thread looks whether the port's counter has moved.
//
// The queue is a balanced tree: with 65536 tunnels a step takes about 16
// comparisons.  All that is due within kRound is done in one round.

#include "tunnel.h"

#include <array>
#include <cerrno>
#include <map>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <utility>

#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "eoip/wire6.h"

#include "util.h"
#include <config.h>
extern "C" {
#include "openvswitch/poll-loop.h"
#include "ovs-thread.h"
#include "seq.h"
#include "smap.h"
#include "timeval.h"
}
#include "log.h"

namespace eoip {

namespace {

constexpr Time kRound{16};  // The least time between two rounds.
constexpr Time kBusy{10};   // When to ask a netdev again that is busy.
constexpr std::size_t kBatch = 64;
constexpr int kReceiveMax = 16;  // Batches in a row; then timers are due.

// Guards what is below it, and the second half of every KeepaliveState.
std::mutex mutex;
// Never destroyed, because the thread goes on while the process exits.
auto &queue = *new std::set<std::pair<Time, eoip_tunnel *>>;
auto &changed = *new std::set<eoip_tunnel *>;
const eoip_keepalive_calls *calls;

std::atomic<bool> somebody_learns{false};  // Or has at some time.

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

// The sockets.  Used by the thread only.

// IP_PROTOCOL of <linux/in.h>, which the C library's headers do not have.
constexpr int kIpProtocol = 52;

class Socket {
public:
    explicit Socket(int family) : family_(family) {}

    // Opened when first needed, because many switches never do.
    int open();
    [[nodiscard]] int fd() const { return fd_; }
    [[nodiscard]] bool is_ipv6() const { return family_ == AF_INET6; }
    // True if a packet can say its protocol: else IPsec policies for EoIP's do
    // not hold for headers that we write, and keepalives would go in the clear.
    [[nodiscard]] bool takes_protocol() const { return takes_protocol_; }

private:
    [[nodiscard]] bool set(int level, int option, int value) const;
    [[nodiscard]] bool set_up() const;
    [[nodiscard]] bool knows(int level, int option) const;

    const int family_;
    int fd_ = -1;
    bool takes_protocol_ = false;
    int error_ = 0;
};

Socket raw4(AF_INET);
Socket raw6(AF_INET6);

// Passes keepalives of EoIP and nothing else; the packet begins at its IP
// header.
constexpr sock_filter kOnlyKeepalives[] = {
    BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
    BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, EOIP_MAGIC, 0, 3),
    BPF_STMT(BPF_LD | BPF_H | BPF_IND, 4),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, 0xffff),
    BPF_STMT(BPF_RET | BPF_K, 0),
};

// The same of EoIPv6; the packet begins behind its IP header.
constexpr sock_filter kOnlyKeepalives6[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, EOIP6_HLEN, 0, 4),
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, EOIP6_MAGIC_MASK),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, EOIP6_MAGIC, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, 0xffff),
    BPF_STMT(BPF_RET | BPF_K, 0),
};

bool Socket::set(int level, int option, int value) const
{
    return setsockopt(fd_, level, option, &value, sizeof value) == 0;
}

bool Socket::knows(int level, int option) const
{
    int value;
    socklen_t size = sizeof value;

    return getsockopt(fd_, level, option, &value, &size) == 0;
}

bool Socket::set_up() const
{
    const std::span<const sock_filter> code =
        is_ipv6() ? std::span<const sock_filter>(kOnlyKeepalives6)
                  : std::span<const sock_filter>(kOnlyKeepalives);
    const sock_fprog filter = {static_cast<unsigned short>(code.size()),
                               const_cast<sock_filter *>(code.data())};

    if (setsockopt(fd_, SOL_SOCKET, SO_ATTACH_FILTER, &filter,
                   sizeof filter)) {
        return false;
    }
    // Of IPv6 the kernel writes the header, with flow label 0 as in frames,
    // and says whom a received packet was for.
    return is_ipv6() ? set(IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
                           && set(IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, 0)
                     : set(IPPROTO_IP, IP_HDRINCL, 1);
}

// Returns 0 or an errno value.
int Socket::open()
{
    if (fd_ >= 0 || error_) {
        return error_;
    }
    fd_ = socket(family_, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                 is_ipv6() ? EOIP6_IPPROTO : EOIP_IPPROTO);
    if (fd_ < 0 || !set_up()) {
        error_ = errno;
        if (fd_ >= 0) {
            close(fd_);
            fd_ = -1;
        }
        VLOG_WARN("keepalives cannot be sent over %s: no raw socket: %s",
                  is_ipv6() ? "IPv6" : "IPv4", ovs_strerror(error_));
    } else {
        takes_protocol_ = !is_ipv6() && knows(IPPROTO_IP, kIpProtocol);
    }
    return error_;
}

// True if the kernel has a device of this name.  Asked for every keepalive, so
// the answers are kept for a second.
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
    return known[name] = if_nametoindex(name) != 0;
}

// Packets on their way to a socket.
class Batch {
public:
    explicit Batch(Socket &socket) : socket_(socket) {}

    void add(eoip_tunnel *tunnel);
    void flush();

private:
    struct Slot {
        eoip_tunnel *tunnel;
        std::array<std::uint8_t, kFrameOffset> packet;
        union {
            sockaddr_in to;
            sockaddr_in6 to6;
        };
        iovec iov;
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(in6_pktinfo))
                                      + 3 * CMSG_SPACE(sizeof(int))];
    };

    static void write_packet(const KeepaliveState &state, Slot &slot);
    static void write_message(const KeepaliveState &state, Slot &slot,
                              msghdr &message);
    static void write_message6(const KeepaliveState &state, Slot &slot,
                               msghdr &message);

    Socket &socket_;
    std::array<Slot, kBatch> slots_;
    std::array<mmsghdr, kBatch> messages_;
    std::size_t n_ = 0;
};

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

// The kernel fills in id, checksum, and the source if it is left open.
void Batch::write_packet(const KeepaliveState &state, Slot &slot)
{
    std::uint8_t *ip = slot.packet.data();

    slot.packet = {0x45, state.tos};
    store_be16(ip + 2, kFrameOffset);
    store_be16(ip + 6, state.dont_fragment ? 0x4000 : 0);
    ip[8] = state.ttl;
    ip[9] = EOIP_IPPROTO;
    if (state.local != Address()) {
        std::memcpy(ip + 12, &state.local.bytes[12], 4);
    }
    std::memcpy(ip + 16, &state.remote.bytes[12], 4);
    put_header(ip + kIpv4HeaderBytes, state.key, 0);
}

// Puts another control message behind those that 'message' has.
template <class Value>
void put_control(msghdr &message, int level, int type, const Value &value)
{
    auto *at = reinterpret_cast<cmsghdr *>(
        static_cast<char *>(message.msg_control) + message.msg_controllen);

    at->cmsg_level = level;
    at->cmsg_type = type;
    at->cmsg_len = CMSG_LEN(sizeof value);
    std::memcpy(CMSG_DATA(at), &value, sizeof value);
    message.msg_controllen += CMSG_SPACE(sizeof value);
}

void Batch::write_message(const KeepaliveState &state, Slot &slot,
                          msghdr &message)
{
    slot.to = {};
    slot.to.sin_family = AF_INET;
    std::memcpy(&slot.to.sin_addr, &state.remote.bytes[12], 4);
    message.msg_name = &slot.to;
    message.msg_namelen = sizeof slot.to;
    write_packet(state, slot);
    slot.iov = {slot.packet.data(), kFrameOffset};
    if (state.local != Address()) {
        in_pktinfo info{};
        std::memcpy(&info.ipi_spec_dst, &state.local.bytes[12], 4);
        put_control(message, IPPROTO_IP, IP_PKTINFO, info);
    }
    if (raw4.takes_protocol()) {
        put_control(message, IPPROTO_IP, kIpProtocol, int{EOIP_IPPROTO});
    }
}

void Batch::write_message6(const KeepaliveState &state, Slot &slot,
                           msghdr &message)
{
    slot.to6 = {};
    slot.to6.sin6_family = AF_INET6;
    slot.to6.sin6_addr = to_in6(state.remote);
    message.msg_name = &slot.to6;
    message.msg_namelen = sizeof slot.to6;
    put_header6(slot.packet.data(), state.key);
    slot.iov = {slot.packet.data(), kHeaderBytes6};
    if (state.local != Address()) {
        in6_pktinfo info{};
        info.ipi6_addr = to_in6(state.local);
        put_control(message, IPPROTO_IPV6, IPV6_PKTINFO, info);
    }
    put_control(message, IPPROTO_IPV6, IPV6_TCLASS, int{state.tos});
    put_control(message, IPPROTO_IPV6, IPV6_HOPLIMIT, int{state.ttl});
}

void Batch::add(eoip_tunnel *tunnel)
{
    const KeepaliveState &state = tunnel->keepalive;
    Slot &slot = slots_[n_];
    msghdr &message = messages_[n_].msg_hdr;

    if (const int error = socket_.open()) {
        done(tunnel, error);
        return;
    }
    slot.tunnel = tunnel;
    message = {};
    message.msg_iov = &slot.iov;
    message.msg_iovlen = 1;
    message.msg_control = slot.control;
    (socket_.is_ipv6() ? write_message6 : write_message)(state, slot, message);
    if (state.mark) {
        put_control(message, SOL_SOCKET, SO_MARK, *state.mark);
    }
    if (!message.msg_controllen) {
        message.msg_control = nullptr;
    }
    if (++n_ == kBatch) {
        flush();
    }
}

void Batch::flush()
{
    for (std::size_t i = 0; i < n_;) {
        const int n = sendmmsg(socket_.fd(), &messages_[i],
                               static_cast<unsigned>(n_ - i), MSG_DONTWAIT);
        if (n < 0) {
            done(slots_[i++].tunnel, errno);
        }
        for (int j = 0; j < n; j++) {
            done(slots_[i++].tunnel, 0);
        }
    }
    n_ = 0;
}

// Both batches.
struct Batches {
    // 'egress' is where OVS's route to the peer leads.
    void add(eoip_tunnel *tunnel, const char *egress);
    void flush();

    Batch ipv4{raw4};
    Batch ipv6{raw6};
};

void Batches::add(eoip_tunnel *tunnel, const char *egress)
{
    const Address &remote = tunnel->keepalive.remote;

    if (remote == Address()) {
        done(tunnel, EDESTADDRREQ);
    } else if (!*egress) {
        done(tunnel, ENETUNREACH);
    } else if (!is_device(egress)) {
        done(tunnel, ENODEV);
    } else {
        (remote.is_ipv4() ? ipv4 : ipv6).add(tunnel);
    }
}

void Batches::flush()
{
    ipv4.flush();
    ipv6.flush();
}

// Deadlines.

// The deadline of 'tunnel' has passed.
void serve(eoip_tunnel *tunnel, Batches &batches)
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
        batches.add(tunnel, port.egress);
    }
    settle(tunnel, before);
}

// Serves up to a batch of tunnels, so that nobody waits for long for the
// mutex.  Returns false if no more are due.
bool serve_some(Batches &batches)
{
    const std::lock_guard lock(mutex);
    const Time until = now();

    for (std::size_t i = 0; i < kBatch; i++) {
        if (queue.empty() || queue.begin()->first > until) {
            batches.flush();
            return false;
        }
        serve(queue.begin()->second, batches);
    }
    batches.flush();
    return true;
}

// Keepalives that the kernel datapath lets pass.

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

// What came over IPv4 to 'message'.
void take_message(const msghdr &message, std::size_t bytes)
{
    const auto *ip =
        static_cast<const std::uint8_t *>(message.msg_iov->iov_base);
    const Received rx = receive({ip, bytes}, true);

    if (rx.kind == Received::Kind::keepalive) {
        take_keepalive(to_in6(Address::from_ipv4(load_be32(ip + 12))),
                       to_in6(Address::from_ipv4(load_be32(ip + 16))), rx.key);
    }
}

// What came over IPv6: only the payload, and the addresses besides.
void take_message6(msghdr &message, std::size_t bytes)
{
    const auto *payload =
        static_cast<const std::uint8_t *>(message.msg_iov->iov_base);
    const auto *from = static_cast<const sockaddr_in6 *>(message.msg_name);

    if (bytes != kHeaderBytes6 || !is_header6({payload, bytes})) {
        return;
    }
    for (cmsghdr *at = CMSG_FIRSTHDR(&message); at;
         at = CMSG_NXTHDR(&message, at)) {
        if (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_PKTINFO) {
            in6_pktinfo info;
            std::memcpy(&info, CMSG_DATA(at), sizeof info);
            take_keepalive(from->sin6_addr, info.ipi6_addr, key6(payload));
        }
    }
}

// Returns true if there may be more.
bool receive_some(const Socket &socket)
{
    struct Slot {
        std::array<std::uint8_t, 64> packet;
        sockaddr_in6 from;
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(in6_pktinfo))];
        iovec iov;
    };
    std::array<Slot, kBatch> slots;
    std::array<mmsghdr, kBatch> messages{};

    for (std::size_t i = 0; i < kBatch; i++) {
        Slot &slot = slots[i];
        msghdr &message = messages[i].msg_hdr;
        slot.iov = {slot.packet.data(), slot.packet.size()};
        message.msg_iov = &slot.iov;
        message.msg_iovlen = 1;
        message.msg_name = &slot.from;
        message.msg_namelen = sizeof slot.from;
        message.msg_control = slot.control;
        message.msg_controllen = sizeof slot.control;
    }
    const int n = recvmmsg(socket.fd(), messages.data(), kBatch,
                           MSG_DONTWAIT | MSG_TRUNC, nullptr);
    for (int i = 0; i < n; i++) {
        const std::size_t bytes =
            std::min<std::size_t>(messages[i].msg_len, slots[i].packet.size());
        if (socket.is_ipv6()) {
            take_message6(messages[i].msg_hdr, bytes);
        } else {
            take_message(messages[i].msg_hdr, bytes);
        }
    }
    return n == int(kBatch);
}

void receive_all(const Socket &socket)
{
    for (int i = 0; socket.fd() >= 0 && i < kReceiveMax; i++) {
        if (!receive_some(socket)) {
            break;
        }
    }
}

Time next_deadline()
{
    const std::lock_guard lock(mutex);
    return queue.empty() ? Time::max() : queue.begin()->first;
}

void *run(void *)
{
    static Batches batches;

    for (;;) {
        const std::uint64_t seen = seq_read(queue_seq);
        const Time begun = now();

        if (somebody_learns) {
            // To hear whom there is nothing to send to yet.
            raw4.open();
            raw6.open();
        }
        receive_all(raw4);
        receive_all(raw6);
        while (serve_some(batches)) {
        }
        const Time next = next_deadline();
        if (next != Time::max()) {
            poll_timer_wait_until(std::max(next, begun + kRound).count());
        }
        for (const Socket *socket : {&raw4, &raw6}) {
            if (socket->fd() >= 0) {
                poll_fd_wait(socket->fd(), POLLIN);
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
        ovs_thread_create("eoip_keepalives", run, nullptr);
    }
}

// Reports.

// Equal for equal names, so that a restart does not move a tunnel.
unsigned phase_of(const std::string &name)
{
    std::uint32_t hash = 2166136261;
    for (const char c : name) {
        hash = (hash ^ static_cast<std::uint8_t>(c)) * 16777619;
    }
    return (hash ^ hash >> 16) % 1000;
}

}  // namespace

void add_time(smap *status, const char *name, Time when)
{
    const long long ms = time_wall_msec() - (now() - when).count();
    const time_t seconds = ms / 1000;
    char text[sizeof "2000-01-01T00:00:00Z"];
    struct tm tm;

    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &tm));
    smap_add(status, name, text);
}

KeepaliveReport keepalive_report(const eoip_tunnel *tunnel)
{
    const std::lock_guard lock(mutex);
    const KeepaliveState &state = tunnel->keepalive;
    const Time noted(state.heard_at.load(std::memory_order_relaxed));
    KeepaliveReport report;

    report.state = state.flow_based
                       ? "flow-based"
                       : keepalive_state_name(state.machine.state());
    report.flow_based = state.flow_based;
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
    const Setup &setup = *tunnel->setup;
    const Config &config = setup.config;
    KeepaliveState &state = tunnel->keepalive;
    const auto before = state.machine.state();

    if (config.remote.kind == Endpoint::Kind::learn) {
        somebody_learns = true;
    }
    state.netdev = netdev;
    state.flow_based = config.remote.kind == Endpoint::Kind::flow
                       || config.in_key.flow || config.out_key.flow;
    state.remote = setup.remote.value_or(Address());
    state.local = setup.local.value_or(Address());
    state.key = config.out_key.value;
    state.ttl = config.ttl.value_or(kDefaultTtl);
    state.tos = config.tos.value_or(0);
    state.dont_fragment = config.dont_fragment;
    state.mark = config.egress_pkt_mark;
    state.machine.configure(state.flow_based ? std::nullopt : config.keepalive,
                            phase_of(tunnel->name), now());
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
    if (!state.eager.load(std::memory_order_relaxed)) {
        return;
    }
    const std::lock_guard lock(mutex);
    if (state.netdev) {
        const auto before = state.machine.state();
        take_heard(tunnel);
        settle(tunnel, before);
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
    const std::lock_guard lock(mutex);
    if (changed.empty()) {
        return nullptr;
    }
    void *netdev = (*changed.begin())->keepalive.netdev;
    changed.erase(changed.begin());
    return netdev;
}

void eoip_keepalive_wait()
{
    if (calls) {
        const std::uint64_t seen = seq_read(changed_seq);
        const std::lock_guard lock(mutex);
        if (changed.empty()) {
            seq_wait(changed_seq, seen);
        } else {
            poll_immediate_wake();
        }
    }
}

void eoip_keepalive_get_status(const eoip_tunnel *tunnel, smap *status)
{
    const KeepaliveReport report = keepalive_report(tunnel);

    smap_add(status, "keepalive_state", report.state);
    add_time(status, "keepalive_since", report.since);
    if (report.heard) {
        add_time(status, "keepalive_last_heard", *report.heard);
    }
}
