// SPDX-License-Identifier: Apache-2.0
//
// Sends ICMP echo requests and waits for their answers: see ping.h.

#include "ping.h"

#include <chrono>
#include <cstring>
#include <deque>

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace eoip {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kTries = 3;
constexpr std::chrono::milliseconds kWait{333};      // For each of them.
constexpr std::uint16_t kWhole = 1, kFragments = 2;  // Sequence numbers.
constexpr int kShort = 64;                           // Bytes of ICMP.

// What ICMP and ICMPv6 have in common.
struct Echo {
    std::uint8_t type, code;
    std::uint16_t checksum;
    std::uint16_t id, sequence;
};

[[nodiscard]] std::uint16_t checksum(const std::vector<std::uint8_t> &bytes)
{
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < bytes.size(); i++) {
        sum += i % 2 ? bytes[i] : bytes[i] << 8;
    }
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return htons(static_cast<std::uint16_t>(~sum));
}

class Peer {
public:
    Peer(const PingQuestion &question, std::uint16_t id)
        : question_(question),
          ipv6_(question.peer.find(':') != std::string::npos), id_(htons(id))
    {
        fd_ = socket(ipv6_ ? AF_INET6 : AF_INET,
                     SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                     ipv6_ ? static_cast<int>(IPPROTO_ICMPV6)
                           : static_cast<int>(IPPROTO_ICMP));
        if (fd_ >= 0 && !connect()) {
            close(fd_);
            fd_ = -1;
        }
    }
    Peer(const Peer &) = delete;
    Peer &operator=(const Peer &) = delete;
    ~Peer()
    {
        if (fd_ >= 0) {
            close(fd_);
        }
    }

    [[nodiscard]] int fd() const { return fd_; }
    [[nodiscard]] const PingAnswer &answer() const { return answer_; }
    [[nodiscard]] bool is_done() const
    {
        return fd_ < 0 || (answer_.whole && answer_.fragments);
    }

    void ask()
    {
        const int header = ipv6_ ? 40 : 20;
        if (!answer_.whole) {
            send(kWhole, kShort);
        }
        if (!answer_.fragments) {
            send(kFragments, question_.bytes - header);
        }
    }

    // Takes in what has come.
    void hear()
    {
        std::uint8_t bytes[1 << 16];
        ssize_t size;
        while ((size = recv(fd_, bytes, sizeof bytes, 0)) > 0) {
            const int header = ipv6_ ? 0 : (bytes[0] & 0xf) * 4;
            Echo echo;
            if (size < header + static_cast<ssize_t>(sizeof echo)) {
                continue;
            }
            std::memcpy(&echo, bytes + header, sizeof echo);
            if (echo.type == (ipv6_ ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY)
                && echo.id == id_) {
                answer_.whole |= echo.sequence == htons(kWhole);
                answer_.fragments |= echo.sequence == htons(kFragments);
            }
        }
    }

private:
    // Addresses, and that the kernel shall cut what is too long.
    [[nodiscard]] bool connect()
    {
        const int never = ipv6_ ? IPV6_PMTUDISC_DONT : IP_PMTUDISC_DONT;
        sockaddr_storage to, from;
        return fill(question_.peer, to)
               && (question_.source.empty()
                   || (fill(question_.source, from)
                       && bind(fd_, reinterpret_cast<sockaddr *>(&from),
                               length())
                              == 0))
               && (question_.device.empty()
                   || setsockopt(
                          fd_, SOL_SOCKET, SO_BINDTODEVICE,
                          question_.device.c_str(),
                          static_cast<socklen_t>(question_.device.size()))
                          == 0)
               && (!question_.mark
                   || setsockopt(fd_, SOL_SOCKET, SO_MARK, &question_.mark,
                                 sizeof question_.mark)
                          == 0)
               && setsockopt(fd_, ipv6_ ? SOL_IPV6 : SOL_IP,
                             ipv6_ ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER,
                             &never, sizeof never)
                      == 0
               && ::connect(fd_, reinterpret_cast<sockaddr *>(&to), length())
                      == 0;
    }

    [[nodiscard]] socklen_t length() const
    {
        return ipv6_ ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    }

    [[nodiscard]] bool fill(const std::string &text,
                            sockaddr_storage &address) const
    {
        address = {};
        address.ss_family = ipv6_ ? AF_INET6 : AF_INET;
        void *place =
            ipv6_ ? static_cast<void *>(
                &reinterpret_cast<sockaddr_in6 &>(address).sin6_addr)
                  : &reinterpret_cast<sockaddr_in &>(address).sin_addr;
        return inet_pton(address.ss_family, text.c_str(), place) == 1;
    }

    void send(std::uint16_t sequence, int bytes)
    {
        std::vector<std::uint8_t> packet(static_cast<std::size_t>(bytes));
        Echo echo{};
        echo.type = ipv6_ ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
        echo.id = id_;
        echo.sequence = htons(sequence);
        std::memcpy(packet.data(), &echo, sizeof echo);
        if (!ipv6_) {
            // Of ICMPv6 the kernel does it.
            echo.checksum = checksum(packet);
            std::memcpy(packet.data(), &echo, sizeof echo);
        }
        // What cannot be sent is not answered.
        static_cast<void>(::send(fd_, packet.data(), packet.size(), 0));
    }

    const PingQuestion &question_;
    const bool ipv6_;
    const std::uint16_t id_;
    int fd_ = -1;
    PingAnswer answer_;
};

void hear_until(std::deque<Peer> &peers, Clock::time_point end)
{
    for (;;) {
        std::vector<pollfd> fds;
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
        for (const Peer &peer : peers) {
            if (!peer.is_done()) {
                fds.push_back({peer.fd(), POLLIN, 0});
            }
        }
        if (fds.empty() || left.count() <= 0) {
            return;
        }
        static_cast<void>(
            poll(fds.data(), fds.size(), static_cast<int>(left.count())));
        for (Peer &peer : peers) {
            if (!peer.is_done()) {
                peer.hear();
            }
        }
    }
}

}  // namespace

std::vector<PingAnswer> ping(std::span<const PingQuestion> questions)
{
    std::deque<Peer> peers;
    std::vector<PingAnswer> answers;
    for (const PingQuestion &question : questions) {
        peers.emplace_back(
            question, static_cast<std::uint16_t>(getpid() + peers.size()));
    }
    for (int i = 0; i < kTries; i++) {
        for (Peer &peer : peers) {
            if (!peer.is_done()) {
                peer.ask();
            }
        }
        hear_until(peers, Clock::now() + kWait);
    }
    for (const Peer &peer : peers) {
        answers.push_back(peer.answer());
    }
    return answers;
}

}  // namespace eoip
