// SPDX-License-Identifier: Apache-2.0
//
// The packet path's way from C into the core, and to whom packets belong.
// Called by netdev-eoip.c for every packet; may not allocate, lock or log.

#include "eoip-provider.h"

#include <array>
#include <atomic>
#include <span>
#include <string_view>

#include <sys/random.h>

#include "eoip/frame.h"
#include "eoip/mss.h"
#include "eoip/reassembly.h"
#include "eoip/wire6.h"

namespace {

static_assert(EOIP_OUTER_HLEN == eoip::kFrameOffset);
static_assert(EOIP6_OUTER_HLEN == eoip::kFrameOffset6);

using Kind = eoip::Received::Kind;
static_assert(EOIP_FRAME == int(Kind::frame)
              && EOIP_KEEPALIVE == int(Kind::keepalive)
              && EOIP_DROPPED == int(Kind::drop));

// IP ids have to differ among the packets that a router may fragment on the
// way (RFC 6864).  Each thread counts on its own from a place of its own, and
// 0 means that it has not begun; RouterOS does not send 0 either.  [cap]
std::atomic<std::uint16_t> next_start{1};
constinit thread_local std::uint16_t last_id = 0;

std::uint16_t next_ip_id()
{
    if (++last_id <= 1) [[unlikely]] {  // The first packet, or wrapped.
        // A step that is odd, and near to the golden section of all ids, puts
        // the threads far apart.
        last_id = next_start.fetch_add(40503, std::memory_order_relaxed) | 2;
    }
    return last_id;
}

// As the IP ids, but one row for all threads: fragments are rare, and their
// ids have 32 bits.  What it begins with nobody needs to know.
std::uint32_t next_fragment_id()
{
    static std::atomic<std::uint32_t> next = [] {
        std::uint32_t random = 0;
        return getrandom(&random, sizeof random, 0) < 0 ? 0 : random;
    }();
    return next.fetch_add(1, std::memory_order_relaxed);
}

std::atomic<std::size_t> max_frame{eoip::kDefaultMaxFrame};

enum Port { kEoip, kGre, kIp6Gre, kErspan, kIp6Erspan, kPorts };

constexpr std::array<std::string_view, kPorts> kTypes{"eoip", "gre", "ip6gre",
                                                      "erspan", "ip6erspan"};

std::array<std::atomic<std::uint32_t>, kPorts> ports{
    EOIP_NO_PORT, EOIP_NO_PORT, EOIP_NO_PORT, EOIP_NO_PORT, EOIP_NO_PORT};

// How many tunnels are there.  Written by the main thread alone.
std::array<unsigned, kPorts> n_tunnels{};

std::uint32_t port_of(Port port)
{
    return ports[port].load(std::memory_order_relaxed);
}

// Which ports want a packet, the likeliest first.  Alone, OVS's ports of
// either address family take packets of the other one too, and gre's take
// erspan's.
std::span<const Port> candidates(eoip::GreKind kind, bool is_ipv6)
{
    static constexpr std::array kOwn{kEoip};
    static constexpr std::array kForGre4{kGre, kIp6Gre, kErspan, kIp6Erspan};
    static constexpr std::array kForGre6{kIp6Gre, kGre, kIp6Erspan, kErspan};
    static constexpr std::array kForErspan4{kErspan, kIp6Erspan, kGre,
                                            kIp6Gre};
    static constexpr std::array kForErspan6{kIp6Erspan, kErspan, kIp6Gre,
                                            kGre};
    switch (kind) {
    case eoip::GreKind::eoip:
        if (!is_ipv6) {
            return kOwn;
        }
        break;
    case eoip::GreKind::erspan:
        return is_ipv6 ? kForErspan6 : kForErspan4;
    case eoip::GreKind::gre:
        break;
    }
    return is_ipv6 ? kForGre6 : kForGre4;
}

[[gnu::noinline]] void note_syn(eoip_received *received,
                                const std::uint8_t *frame)
{
    if (eoip::may_be_syn(frame, received->frame_bytes)) {
        received->flags |= EOIP_TCP_SYN;
    }
}

// Inlined, as receive() is and for its reason.
[[gnu::always_inline]] inline void take(eoip_received *received,
                                        const eoip::Received &rx,
                                        const std::uint8_t *frame)
{
    received->kind = static_cast<std::uint8_t>(rx.kind);
    received->flags = static_cast<std::uint8_t>(
        (rx.key_known ? EOIP_KEY_KNOWN : 0) | (rx.trimmed ? EOIP_TRIMMED : 0));
    received->drop = static_cast<std::uint8_t>(rx.drop);
    received->key = rx.key;
    received->frame_bytes = rx.frame_bytes;

    if (rx.kind == Kind::frame
        && !eoip::is_plainly_no_syn(frame, rx.frame_bytes)) [[unlikely]] {
        note_syn(received, frame);  // Last, so that nothing has to be saved.
    }
}

}  // namespace

void eoip_receive(const void *ip, size_t n_bytes, bool checksum_verified,
                  eoip_received *received)
{
    const auto *packet = static_cast<const std::uint8_t *>(ip);
    const auto rx = eoip::receive({packet, n_bytes}, checksum_verified,
                                  max_frame.load(std::memory_order_relaxed));
    take(received, rx, packet + eoip::kFrameOffset);
}

void eoip_receive6(const void *ip, size_t n_bytes, eoip_received *received)
{
    const auto *packet = static_cast<const std::uint8_t *>(ip);
    const auto rx = eoip::receive6({packet, n_bytes},
                                   max_frame.load(std::memory_order_relaxed));
    take(received, rx, packet + eoip::kFrameOffset6);
}

void eoip_set_max_frame(size_t bytes)
{
    max_frame.store(bytes, std::memory_order_relaxed);
}

size_t eoip_max_frame()
{
    return max_frame.load(std::memory_order_relaxed);
}

void eoip_put_header(void *out, uint16_t key)
{
    eoip::put_header(static_cast<std::uint8_t *>(out), key, 0);
}

void eoip_put_header6(void *out, uint16_t key)
{
    eoip::put_header6(static_cast<std::uint8_t *>(out), key);
}

void eoip_put_outer(void *ip, const void *prepared, size_t frame_bytes)
{
    auto *out = static_cast<std::uint8_t *>(ip);

    std::memcpy(out, prepared, eoip::kFrameOffset);
    eoip::complete_header(out, static_cast<std::uint16_t>(frame_bytes),
                          next_ip_id());
}

void eoip_put_outer6(void *ip, const void *prepared, size_t frame_bytes)
{
    auto *out = static_cast<std::uint8_t *>(ip);

    std::memcpy(out, prepared, eoip::kFrameOffset6);
    eoip::complete_header6(out, static_cast<std::uint16_t>(frame_bytes));
}

bool eoip_df(const void *prepared, const void *frame, size_t n_bytes)
{
    const auto *ip = static_cast<const std::uint8_t *>(prepared);
    const bool ipv6 = ip[0] >> 4 == 6;
    const std::uint16_t bits = eoip::load_be16(ip + (ipv6 ? 2 : 6));
    const bool df = bits & (ipv6 ? EOIP6_LABEL_DF : 0x4000);
    const bool inherits =
        bits & (ipv6 ? EOIP6_LABEL_INHERIT_DF : EOIP_IP_INHERIT_DF);

    return inherits ? eoip::inherited_df(
               {static_cast<const std::uint8_t *>(frame), n_bytes}, df)
                    : df;
}

void eoip_put_df(void *ip, bool df)
{
    auto *header = static_cast<std::uint8_t *>(ip);

    eoip::store_be16(header + 6, df ? 0x4000 : 0);
    eoip::put_ipv4_checksum(header);
}

bool eoip_take_over_ecn(void *frame, size_t n_bytes, uint8_t tos)
{
    const std::span bytes(static_cast<std::uint8_t *>(frame), n_bytes);

    if ((tos & 3) == 1) {
        eoip::take_over_ect1(bytes);
    }
    return (tos & 3) != 3 || eoip::can_carry_ce(bytes);
}

bool eoip_is_ours(const void *ip, size_t n_bytes, const void *l4,
                  size_t l4_bytes)
{
    const auto *header = static_cast<const std::uint8_t *>(ip);
    const eoip::Bytes payload(static_cast<const std::uint8_t *>(l4), l4_bytes);

    return header[0] >> 4 == 6
               ? eoip::protocol6({header, n_bytes}) == EOIP6_IPPROTO
                     && eoip::is_header6(payload)
               : eoip::classify(payload) == eoip::GreKind::eoip;
}

void eoip_plan_fragments(const void *ip, size_t mtu, eoip_fragments *plan)
{
    if (*static_cast<const std::uint8_t *>(ip) >> 4 == 6) {
        *plan = {eoip::kIpv6HeaderBytes, eoip::kFragmentHeaderBytes,
                 eoip::fragment_bytes6(mtu), next_fragment_id()};
    } else {
        *plan = {eoip::kIpv4HeaderBytes, 0, eoip::fragment_bytes(mtu), 0};
    }
}

void eoip_make_fragment(void *ip, const eoip_fragments *plan, size_t offset,
                        size_t bytes, bool more)
{
    auto *header = static_cast<std::uint8_t *>(ip);

    if (plan->extra_hlen) {
        eoip::make_fragment6(header, offset, bytes, more, plan->id);
    } else {
        eoip::make_fragment(header, offset, bytes, more);
    }
}

void eoip_port_add(const char *type, uint32_t port)
{
    for (std::size_t i = 0; i < kPorts; i++) {
        if (kTypes[i] == type) {
            n_tunnels[i] = port_of(Port(i)) == port ? n_tunnels[i] + 1 : 1;
            ports[i].store(port, std::memory_order_relaxed);
        }
    }
}

void eoip_port_delete(const char *type, uint32_t port)
{
    for (std::size_t i = 0; i < kPorts; i++) {
        if (kTypes[i] == type && port_of(Port(i)) == port
            && --n_tunnels[i] == 0) {
            ports[i].store(EOIP_NO_PORT, std::memory_order_relaxed);
        }
    }
}

uint32_t eoip_own_port()
{
    return port_of(kEoip);
}

uint32_t eoip_neighbour_port()
{
    for (const Port port : {kGre, kIp6Gre, kErspan, kIp6Erspan}) {
        if (port_of(port) != EOIP_NO_PORT) {
            return port_of(port);
        }
    }
    return EOIP_NO_PORT;
}

bool eoip_is_shared()
{
    int n = 0;
    for (const auto &port : ports) {
        n += port.load(std::memory_order_relaxed) != EOIP_NO_PORT;
    }
    return n > 1 || port_of(kEoip) != EOIP_NO_PORT;
}

uint32_t eoip_find_port(const void *ip, size_t n_bytes, const void *l4,
                        size_t l4_bytes)
{
    const auto *header = static_cast<const std::uint8_t *>(ip);
    const bool is_ipv6 = header[0] >> 4 == 6;

    if (eoip_is_ours(ip, n_bytes, l4, l4_bytes)) {
        return eoip_own_port();
    }
    if (is_ipv6 && eoip::protocol6({header, n_bytes}) != EOIP_IPPROTO) {
        return EOIP_NO_PORT;
    }
    const auto kind =
        eoip::classify({static_cast<const std::uint8_t *>(l4), l4_bytes});
    for (const Port port : candidates(kind, is_ipv6)) {
        if (port_of(port) != EOIP_NO_PORT) {
            return port_of(port);
        }
    }
    return EOIP_NO_PORT;
}
