// SPDX-License-Identifier: Apache-2.0
//
// Guards peers over xfrm netlink, in the network namespace of ovs-vswitchd: see
// ipsec_guard.h.

// OVS's findings first: they say which of the kernel's headers it adds to.
#include <config.h>

#include "ipsec_guard.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <linux/xfrm.h>

#include <linux/eoip.h>

#include "eoip/address.h"
#include "setup.h"

#include "util.h"
extern "C" {
#include "netlink-socket.h"
#include "netlink.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/poll-loop.h"
#include "timeval.h"
}
#include "log.h"

namespace eoip {
namespace {

// Both the priority and the selector's user of our policies, by which they are
// told from others'.  Policies of IKE daemons have smaller priorities, which
// come first; to the kernel the user means nothing, but makes a selector
// another one, so that others' policies do not get into our way.
constexpr std::uint32_t kOurs = 0x656f6970;

// How long after its last port a peer stays guarded, and when to try again
// what the kernel did not take, in milliseconds.
constexpr long long kLinger = 5000;
constexpr long long kRetry = 1000;

constexpr std::uint8_t kDirections[] = {XFRM_POLICY_IN, XFRM_POLICY_OUT};

struct Guard {
    unsigned int holders = 0;
    long long until = 0;  // Without holders: when to end.
};

std::mutex mutex;  // Guards 'guards'.
std::map<Address, Guard> guards;

// Main thread.
nl_sock *events;  // Tells of changes of policies.
long long next_try = LLONG_MAX;
bool have_settled;

xfrm_selector selector_of(const Address &peer, std::uint8_t direction)
{
    xfrm_selector selector{};
    const bool is_out = direction == XFRM_POLICY_OUT;
    xfrm_address_t &end = is_out ? selector.daddr : selector.saddr;
    const std::size_t skip = peer.is_ipv4() ? 12 : 0;
    const std::size_t n_bytes = peer.bytes.size() - skip;

    std::copy_n(peer.bytes.data() + skip, n_bytes,
                reinterpret_cast<std::uint8_t *>(&end));
    (is_out ? selector.prefixlen_d : selector.prefixlen_s) =
        static_cast<std::uint8_t>(n_bytes * 8);
    selector.family = peer.is_ipv4() ? AF_INET : AF_INET6;
    selector.proto = peer.is_ipv4() ? EOIP_IPPROTO : EOIP6_IPPROTO;
    selector.user = kOurs;
    return selector;
}

template <typename Body> int transact(std::uint16_t type, const Body &body)
{
    ofpbuf request;
    ofpbuf_init(&request, 0);
    nl_msg_put_nlmsghdr(&request, sizeof body, type,
                        NLM_F_REQUEST | NLM_F_ACK);
    ofpbuf_put(&request, &body, sizeof body);
    const int error = nl_transact(NETLINK_XFRM, &request, nullptr);
    ofpbuf_uninit(&request);
    return error;
}

int remove(const xfrm_selector &selector, std::uint8_t direction)
{
    xfrm_userpolicy_id id{};
    id.sel = selector;
    id.dir = direction;
    return transact(XFRM_MSG_DELPOLICY, id);
}

void remove(const Address &peer)
{
    for (const std::uint8_t direction : kDirections) {
        const int error = remove(selector_of(peer, direction), direction);
        if (error && error != ENOENT) {
            VLOG_WARN("%s: the kernel keeps the policy that blocks what is "
                      "not encrypted (%s)", format_address(peer).c_str(),
                      ovs_strerror(error));
        }
    }
}

// Returns 0 or an errno.  One that is there already does as well.
int put(const Address &peer)
{
    for (const std::uint8_t direction : kDirections) {
        xfrm_userpolicy_info policy{};
        policy.sel = selector_of(peer, direction);
        policy.lft.soft_byte_limit = policy.lft.hard_byte_limit = XFRM_INF;
        policy.lft.soft_packet_limit = policy.lft.hard_packet_limit = XFRM_INF;
        policy.priority = kOurs;
        policy.dir = direction;
        policy.action = XFRM_POLICY_BLOCK;
        const int error = transact(XFRM_MSG_NEWPOLICY, policy);
        if (error && error != EEXIST) {
            return error;
        }
    }
    return 0;
}

// Returns 0 or an errno.
int listen()
{
    if (events) {
        return 0;
    }
    nl_sock *sock;
    int error = nl_sock_create(NETLINK_XFRM, &sock);
    if (!error) {
        error = nl_sock_join_mcgroup(sock, XFRMNLGRP_POLICY);
        if (error) {
            nl_sock_destroy(sock);
        } else {
            events = sock;
        }
    }
    return error;
}

// True if 'message' says that a policy has gone which may be one of ours.
bool is_loss(const ofpbuf &message)
{
    const nlmsghdr *header = nl_msg_nlmsghdr(&message);

    if (header->nlmsg_type == XFRM_MSG_FLUSHPOLICY) {
        return true;
    }
    const auto *id = static_cast<const xfrm_userpolicy_id *>(
        ofpbuf_at(&message, NLMSG_HDRLEN, sizeof(xfrm_userpolicy_id)));
    return header->nlmsg_type == XFRM_MSG_DELPOLICY && id
           && (id->index || id->sel.user == kOurs);
}

// Takes all that the kernel has told.  Returns true if policies of ours may
// have gone.
bool have_lost_some()
{
    std::uint64_t stub[1024];
    ofpbuf message;
    bool lost = false;
    int error = 0;

    while (events && error != EAGAIN) {
        ofpbuf_use_stub(&message, stub, sizeof stub);
        error = nl_sock_recv(events, &message, nullptr, false);
        // After ENOBUFS nobody knows what it was.
        lost |= error ? error != EAGAIN : is_loss(message);
        ofpbuf_uninit(&message);
        if (error && error != EAGAIN && error != ENOBUFS) {
            break;
        }
    }
    return lost;
}

std::vector<Address> guarded()
{
    const std::lock_guard lock(mutex);
    std::vector<Address> peers;
    for (const auto &[peer, guard] : guards) {
        peers.push_back(peer);
    }
    return peers;
}

void put_back()
{
    next_try = LLONG_MAX;
    for (const Address &peer : guarded()) {
        if (const int error = put(peer)) {
            static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);
            VLOG_ERR_RL(&rl,
                        "%s: the policy that blocks what is not encrypted was "
                        "taken away, and the kernel takes it no more (%s)",
                        format_address(peer).c_str(), ovs_strerror(error));
            next_try = time_msec() + kRetry;
        }
    }
}

// Ends the guards whose time is over.
void expire()
{
    const long long now = time_msec();
    std::vector<Address> over;
    {
        const std::lock_guard lock(mutex);
        std::erase_if(guards, [&](const auto &one) {
            const bool is_over = !one.second.holders && now >= one.second.until;
            if (is_over) {
                over.push_back(one.first);
            }
            return is_over;
        });
    }
    for (const Address &peer : over) {
        remove(peer);
    }
}

// The peer of a policy that is surely ours, or none.
std::optional<Address> peer_of(const xfrm_userpolicy_info &policy)
{
    const xfrm_selector &selector = policy.sel;
    const bool is_out = policy.dir == XFRM_POLICY_OUT;
    const auto *end = reinterpret_cast<const std::uint8_t *>(
        is_out ? &selector.daddr : &selector.saddr);
    Address peer;

    if (selector.family == AF_INET) {
        peer = Address::from_ipv4(0);
        std::copy_n(end, 4, peer.bytes.data() + 12);
    } else {
        std::copy_n(end, 16, peer.bytes.data());
    }
    const xfrm_selector ours = selector_of(peer, policy.dir);
    return policy.action == XFRM_POLICY_BLOCK && policy.priority == kOurs
                   && (is_out || policy.dir == XFRM_POLICY_IN)
                   && std::memcmp(&ours, &selector, sizeof ours) == 0
               ? std::optional(peer)
               : std::nullopt;
}

// Whether the kernel has IPsec at work: to ask it would load the module.
bool has_ipsec()
{
    std::ifstream sockets("/proc/net/netlink");
    std::string line, address;
    int protocol;

    while (std::getline(sockets, line)) {
        std::istringstream words(line);
        if (words >> address >> protocol && protocol == NETLINK_XFRM) {
            return true;
        }
    }
    return false;
}

// Removes what was left behind for peers that no port has any more.
void settle()
{
    if (!has_ipsec()) {
        return;
    }
    const std::vector<Address> needed = guarded();
    std::vector<Address> left;
    std::uint64_t stub[1024];
    ofpbuf request, reply, buffer;
    nl_dump dump;

    ofpbuf_init(&request, 0);
    nl_msg_put_nlmsghdr(&request, 0, XFRM_MSG_GETPOLICY, NLM_F_REQUEST);
    nl_dump_start(&dump, NETLINK_XFRM, &request);
    ofpbuf_uninit(&request);
    ofpbuf_use_stub(&buffer, stub, sizeof stub);
    while (nl_dump_next(&dump, &reply, &buffer)) {
        const auto *policy = static_cast<const xfrm_userpolicy_info *>(
            ofpbuf_at(&reply, NLMSG_HDRLEN, sizeof(xfrm_userpolicy_info)));
        const auto peer = policy ? peer_of(*policy) : std::nullopt;
        if (peer && std::ranges::find(needed, *peer) == needed.end()
            && std::ranges::find(left, *peer) == left.end()) {
            left.push_back(*peer);
        }
    }
    ofpbuf_uninit(&buffer);
    nl_dump_done(&dump);
    for (const Address &peer : left) {
        VLOG_INFO("%s: no port has a secret for this peer any more: what is "
                  "not encrypted may pass", format_address(peer).c_str());
        remove(peer);
    }
}

}  // namespace
}  // namespace eoip

bool ipsec_guard_is_held(const in6_addr *peer)
{
    const std::lock_guard lock(eoip::mutex);
    const auto found = eoip::guards.find(eoip::to_address(*peer));
    return found != eoip::guards.end() && found->second.holders;
}

char *ipsec_guard_hold(const in6_addr *peer_)
{
    const eoip::Address peer = eoip::to_address(*peer_);
    int error = 0;

    // Who goes, in another thread, at most ends a hold in the meantime.
    if (!ipsec_guard_is_held(peer_)) {
        error = eoip::listen();
        error = error ? error : eoip::put(peer);
    }
    const std::lock_guard lock(eoip::mutex);
    if (!error) {
        eoip::guards[peer].holders++;
        return nullptr;
    }
    if (!eoip::guards.contains(peer)) {
        eoip::remove(peer);  // Of two, one may be there.
    }
    return xasprintf("the kernel does not take the IPsec policy that blocks "
                     "what is not encrypted (%s)",
                     error == EPROTONOSUPPORT
                         ? "it has no IPsec, or lacks its module xfrm_user"
                         : ovs_strerror(error));
}

void ipsec_guard_release(const in6_addr *peer, bool at_once)
{
    const std::lock_guard lock(eoip::mutex);
    const auto found = eoip::guards.find(eoip::to_address(*peer));
    ovs_assert(found != eoip::guards.end() && found->second.holders);
    if (!--found->second.holders) {
        found->second.until = at_once ? 0 : time_msec() + eoip::kLinger;
    }
}

void ipsec_guard_run(bool configured)
{
    if (configured && !eoip::have_settled) {
        eoip::have_settled = true;
        eoip::settle();
    }
    eoip::expire();
    if (eoip::have_lost_some() || time_msec() >= eoip::next_try) {
        eoip::put_back();
    }
}

void ipsec_guard_wait()
{
    const std::lock_guard lock(eoip::mutex);
    for (const auto &[peer, guard] : eoip::guards) {
        if (!guard.holders) {
            poll_timer_wait_until(guard.until);
        }
    }
    if (eoip::events) {
        nl_sock_wait(eoip::events, POLLIN);
    }
    if (eoip::next_try != LLONG_MAX) {
        poll_timer_wait_until(eoip::next_try);
    }
}
