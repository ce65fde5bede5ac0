// SPDX-License-Identifier: Apache-2.0
//
// The packet path's way from C into the core.  Called by netdev-eoip.c for
// every packet; may not allocate, lock or log.

#include "eoip-provider.h"

#include <atomic>

#include "eoip/wire.h"

namespace {

static_assert(EOIP_OUTER_HLEN == eoip::kFrameOffset);

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

}  // namespace

eoip_received eoip_receive(const void *ip, size_t n_bytes,
                           bool checksum_verified)
{
    const auto rx = eoip::receive(
        {static_cast<const std::uint8_t *>(ip), n_bytes}, checksum_verified);
    return {static_cast<std::uint8_t>(rx.kind), rx.key_known, rx.trimmed,
            static_cast<std::uint8_t>(rx.drop), rx.key,       rx.frame_bytes};
}

void eoip_put_header(void *out, uint16_t key)
{
    eoip::put_header(static_cast<std::uint8_t *>(out), key, 0);
}

void eoip_put_outer(void *ip, const void *prepared, size_t frame_bytes)
{
    auto *out = static_cast<std::uint8_t *>(ip);

    std::memcpy(out, prepared, eoip::kFrameOffset);
    eoip::complete_header(out, static_cast<std::uint16_t>(frame_bytes),
                          next_ip_id());
}

eoip_gre_kind eoip_classify(const void *l4, size_t n_bytes)
{
    using eoip::GreKind;
    static_assert(EOIP_KIND_EOIP == int(GreKind::eoip)
                  && EOIP_KIND_ERSPAN == int(GreKind::erspan)
                  && EOIP_KIND_GRE == int(GreKind::gre));
    return eoip_gre_kind(
        eoip::classify({static_cast<const std::uint8_t *>(l4), n_bytes}));
}

size_t eoip_fragment_bytes(size_t mtu)
{
    return eoip::fragment_bytes(mtu);
}

void eoip_make_fragment(void *ip, size_t offset, size_t bytes, bool more)
{
    eoip::make_fragment(static_cast<std::uint8_t *>(ip), offset, bytes, more);
}
