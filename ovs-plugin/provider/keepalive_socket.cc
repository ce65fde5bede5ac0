// SPDX-License-Identifier: Apache-2.0

#include "keepalive_socket.h"

#include <cstring>

#include <algorithm>
#include <cerrno>
#include <span>

#include <linux/filter.h>
#include <unistd.h>

#include "eoip/wire6.h"
#include "tunnel.h"

#include "log.h"
#include "util.h"
#include <config.h>
extern "C" {
#include "timeval.h"
}

namespace eoip {

namespace {

// IP_PROTOCOL of <linux/in.h>, which the C library's headers do not have.
constexpr int kIpProtocol = 52;
constexpr int kReceiveMax = 16;  // Batches in a row; then timers are due.

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

// The kernel fills in id, checksum, and the source if it is left open.
void write_packet(const Setup &setup,
                  std::array<std::uint8_t, EOIP_OUTER_HLEN> &packet)
{
    std::uint8_t *ip = packet.data();

    packet = {0x45, setup.config.tos.value_or(0)};
    eoip_store_be16(ip + 2, EOIP_OUTER_HLEN);
    eoip_store_be16(ip + 6, setup.config.dont_fragment ? 0x4000 : 0);
    ip[8] = setup.config.ttl.value_or(kDefaultTtl);
    ip[9] = EOIP_IPPROTO;
    if (setup.local) {
        std::memcpy(ip + 12, &setup.local->bytes[12], 4);
    }
    std::memcpy(ip + 16, &setup.remote->bytes[12], 4);
    eoip_put_header(ip + EOIP_IPV4_HLEN, setup.config.out_key.value, 0);
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

// True for what a host that lacks it now will lack for good.
bool is_final(int error)
{
    return error == EPERM || error == EACCES || error == EAFNOSUPPORT
           || error == EPROTONOSUPPORT;
}

}  // namespace

bool KeepaliveSocket::set(int level, int option, int value) const
{
    return setsockopt(fd_, level, option, &value, sizeof value) == 0;
}

bool KeepaliveSocket::knows(int level, int option) const
{
    int value;
    socklen_t size = sizeof value;

    return getsockopt(fd_, level, option, &value, &size) == 0;
}

bool KeepaliveSocket::set_up() const
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

int KeepaliveSocket::open()
{
    const Time now(time_msec());

    if (fd_ >= 0 || (error_ && now < retry_at_)) {
        return error_;
    }
    const int before = error_;
    fd_ = ::socket(family_, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                   is_ipv6() ? EOIP6_IPPROTO : EOIP_IPPROTO);
    if (fd_ < 0 || !set_up()) {
        error_ = errno;
        if (fd_ >= 0) {
            ::close(fd_);
            fd_ = -1;
        }
        retry_at_ = is_final(error_) ? Time::max() : now + kRetry;
        if (error_ != before) {
            VLOG_WARN("keepalives cannot be sent over %s: no raw socket: %s",
                      family_name(), ovs_strerror(error_));
        }
    } else {
        error_ = 0;
        retry_at_ = Time::max();
        if (before) {
            VLOG_INFO("keepalives can be sent over %s now", family_name());
        }
        takes_protocol_ = !is_ipv6() && knows(IPPROTO_IP, kIpProtocol);
    }
    return error_;
}

void KeepaliveSocket::write_message(const Setup &setup, Slot &slot,
                                    msghdr &message) const
{
    slot.to = {};
    slot.to.sin_family = AF_INET;
    std::memcpy(&slot.to.sin_addr, &setup.remote->bytes[12], 4);
    message.msg_name = &slot.to;
    message.msg_namelen = sizeof slot.to;
    write_packet(setup, slot.packet);
    slot.iov = {slot.packet.data(), EOIP_OUTER_HLEN};
    if (setup.local) {
        in_pktinfo info{};
        std::memcpy(&info.ipi_spec_dst, &setup.local->bytes[12], 4);
        put_control(message, IPPROTO_IP, IP_PKTINFO, info);
    }
    if (takes_protocol_) {
        put_control(message, IPPROTO_IP, kIpProtocol, int{EOIP_IPPROTO});
    }
}

void KeepaliveSocket::write_message6(const Setup &setup, Slot &slot,
                                     msghdr &message)
{
    slot.to6 = {};
    slot.to6.sin6_family = AF_INET6;
    slot.to6.sin6_addr = to_in6(*setup.remote);
    message.msg_name = &slot.to6;
    message.msg_namelen = sizeof slot.to6;
    eoip_put_header6(slot.packet.data(), setup.config.out_key.value);
    slot.iov = {slot.packet.data(), EOIP6_HLEN};
    if (setup.local) {
        in6_pktinfo info{};
        info.ipi6_addr = to_in6(*setup.local);
        put_control(message, IPPROTO_IPV6, IPV6_PKTINFO, info);
    }
    put_control(message, IPPROTO_IPV6, IPV6_TCLASS, int{setup.config.tos.value_or(0)});
    put_control(message, IPPROTO_IPV6, IPV6_HOPLIMIT, int{setup.config.ttl.value_or(kDefaultTtl)});
}

// 'error' is an errno value, or 0.
void KeepaliveSocket::tell(eoip_tunnel *tunnel, int error) const
{
    if (!error) {
        count(tunnel->counters.tx_keepalives);
    }
    const bool is_blocked =
        error == EPERM && !tunnel->setup().config.ipsec.psk.empty();
    done_(tunnel,
          is_blocked ? "IPsec lets nothing out without keys"
          : error    ? ovs_strerror(error)
                     : "",
          false);
}

void KeepaliveSocket::send(eoip_tunnel *tunnel, const Setup &setup)
{
    Slot &slot = slots_[n_];
    msghdr &message = messages_[n_].msg_hdr;

    if (const int error = open()) {
        tell(tunnel, error);
        return;
    }
    slot.tunnel = tunnel;
    message = {};
    message.msg_iov = &slot.iov;
    message.msg_iovlen = 1;
    message.msg_control = slot.control;
    if (is_ipv6()) {
        write_message6(setup, slot, message);
    } else {
        write_message(setup, slot, message);
    }
    if (const auto mark = setup.config.egress_pkt_mark) {
        put_control(message, SOL_SOCKET, SO_MARK, *mark);
    }
    if (!message.msg_controllen) {
        message.msg_control = nullptr;
    }
    if (++n_ == kBatch) {
        flush();
    }
}

void KeepaliveSocket::flush()
{
    for (std::size_t i = 0; i < n_;) {
        const int n = sendmmsg(fd_, &messages_[i],
                               static_cast<unsigned>(n_ - i), MSG_DONTWAIT);
        if (n < 0) {
            tell(slots_[i++].tunnel, errno);
        }
        for (int j = 0; j < n; j++) {
            tell(slots_[i++].tunnel, 0);
        }
    }
    n_ = 0;
}

// What came over IPv4 to 'message'.
void KeepaliveSocket::take(const msghdr &message, std::size_t bytes)
{
    const auto *ip =
        static_cast<const std::uint8_t *>(message.msg_iov->iov_base);
    const eoip_received rx =
        eoip_receive(ip, bytes, true, EOIP_FRAME_MAX);

    if (rx.kind == EOIP_KEEPALIVE) {
        heard_(to_in6(Address::from_ipv4(eoip_load_be32(ip + 12))),
               to_in6(Address::from_ipv4(eoip_load_be32(ip + 16))), rx.key);
    }
}

// What came over IPv6: only the payload, and the addresses besides.
void KeepaliveSocket::take6(msghdr &message, std::size_t bytes)
{
    const auto *payload =
        static_cast<const std::uint8_t *>(message.msg_iov->iov_base);
    const auto *from = static_cast<const sockaddr_in6 *>(message.msg_name);

    if (bytes != EOIP6_HLEN || !eoip_is_header6(payload, bytes)) {
        return;
    }
    for (cmsghdr *at = CMSG_FIRSTHDR(&message); at;
         at = CMSG_NXTHDR(&message, at)) {
        if (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_PKTINFO) {
            in6_pktinfo info;
            std::memcpy(&info, CMSG_DATA(at), sizeof info);
            heard_(from->sin6_addr, info.ipi6_addr, eoip_key6(payload));
        }
    }
}

// Returns true if there may be more.
bool KeepaliveSocket::receive_some()
{
    struct Incoming {
        std::array<std::uint8_t, 64> packet;
        sockaddr_in6 from;
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(in6_pktinfo))];
        iovec iov;
    };
    std::array<Incoming, kBatch> slots;
    std::array<mmsghdr, kBatch> messages{};

    for (std::size_t i = 0; i < kBatch; i++) {
        Incoming &slot = slots[i];
        msghdr &message = messages[i].msg_hdr;
        slot.iov = {slot.packet.data(), slot.packet.size()};
        message.msg_iov = &slot.iov;
        message.msg_iovlen = 1;
        message.msg_name = &slot.from;
        message.msg_namelen = sizeof slot.from;
        message.msg_control = slot.control;
        message.msg_controllen = sizeof slot.control;
    }
    const int n = recvmmsg(fd_, messages.data(), kBatch,
                           MSG_DONTWAIT | MSG_TRUNC, nullptr);
    for (int i = 0; i < n; i++) {
        const std::size_t bytes =
            std::min<std::size_t>(messages[i].msg_len, slots[i].packet.size());
        if (is_ipv6()) {
            take6(messages[i].msg_hdr, bytes);
        } else {
            take(messages[i].msg_hdr, bytes);
        }
    }
    return n == int(kBatch);
}

void KeepaliveSocket::receive()
{
    for (int i = 0; fd_ >= 0 && i < kReceiveMax; i++) {
        if (!receive_some()) {
            break;
        }
    }
}

}  // namespace eoip
