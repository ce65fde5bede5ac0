// SPDX-License-Identifier: Apache-2.0
//
// The reassemblers of this switch.  Called by pop.c for fragments, and by
// show.cc.
//
// Fragments of one packet may come to different threads, so the reassemblers
// are shared; there are several so that threads seldom meet.

#include "reassemblers.h"

#include <array>
#include <atomic>
#include <mutex>
#include <vector>

#include <sys/random.h>

namespace eoip {

namespace {

std::atomic<std::size_t> max_frame{kDefaultMaxFrame};

// A part of 'limits' for each of the reassemblers.
ReassemblyLimits share_of(ReassemblyLimits limits)
{
    limits.packets /= kReassemblers;
    limits.bytes /= kReassemblers;
    return limits;
}

std::uint64_t seed()
{
    static const std::uint64_t value = [] {
        std::uint64_t random = 0;
        // Without entropy the hash is merely one that others can guess.
        return getrandom(&random, sizeof random, 0) < 0 ? 0 : random;
    }();
    return value;
}

struct Shard {
    std::mutex mutex;
    Reassembler reassembler{share_of({}), seed()};
};

std::array<Shard, kReassemblers> &shards()
{
    static std::array<Shard, kReassemblers> all;
    return all;
}

// By what all fragments of a packet have in common; of IPv6's addresses the
// lower halves.
Shard &shard_of(const std::uint8_t *ip)
{
    const bool ipv6 = ip[0] >> 4 == 6;
    auto load = [ip](std::size_t at) {
        return std::uint64_t{eoip_load_be32(ip + at)} << 32
               | eoip_load_be32(ip + at + 4);
    };
    std::uint64_t key = ipv6 ? load(16) ^ load(32) : load(12);
    key ^= ipv6 ? eoip_load_be32(ip + EOIP_IPV6_HLEN + 4)
                : eoip_load_be16(ip + 4);
    key = (key ^ seed()) * 0x9e3779b97f4a7c15;
    return shards()[key >> 60];
}
static_assert(kReassemblers == 16, "shard_of() takes four bits");

}  // namespace

void set_reassembly_limits(const ReassemblyLimits &limits)
{
    for (Shard &shard : shards()) {
        const std::lock_guard lock(shard.mutex);
        shard.reassembler.set_limits(share_of(limits));
    }
    max_frame = limits.frame;
}

}  // namespace eoip

bool eoip_is_fragment(const void *ip, size_t n_bytes)
{
    using namespace eoip;
    const auto *packet = static_cast<const std::uint8_t *>(ip);

    if (n_bytes < EOIP_IPV4_HLEN || packet[0] >> 4 != 6) {
        return n_bytes >= EOIP_IPV4_HLEN && is_fragment(packet);
    }
    return n_bytes >= EOIP_IPV6_HLEN + EOIP_FRAGMENT_HLEN
           && is_fragment(packet) && packet[EOIP_IPV6_HLEN] == EOIP6_IPPROTO;
}

size_t eoip_max_frame()
{
    return eoip::max_frame.load(std::memory_order_relaxed);
}

const void *eoip_reassemble(const void *ip, size_t n_bytes, long long now,
                            size_t *n_whole)
{
    thread_local std::vector<std::uint8_t> whole;
    const auto *packet = static_cast<const std::uint8_t *>(ip);

    eoip::Shard &shard = eoip::shard_of(packet);
    const std::lock_guard lock(shard.mutex);
    whole = shard.reassembler.add({packet, n_bytes}, eoip::Time(now));
    *n_whole = whole.size();
    return whole.empty() ? nullptr : whole.data();
}

bool eoip_reassembly_expire(long long now)
{
    bool more = false;
    for (eoip::Shard &shard : eoip::shards()) {
        const std::lock_guard lock(shard.mutex);
        shard.reassembler.expire(eoip::Time(now));
        more |= shard.reassembler.packets() != 0;
    }
    return more;
}

void eoip_reassembly_get(eoip_reassembly *sum)
{
    *sum = {};
    for (eoip::Shard &shard : eoip::shards()) {
        const std::lock_guard lock(shard.mutex);
        const auto &counters = shard.reassembler.counters();
        sum->packets += counters.packets;
        sum->fragments += counters.fragments;
        sum->duplicates += counters.duplicates;
        sum->unwanted += counters.unwanted;
        sum->waiting_packets += shard.reassembler.packets();
        sum->waiting_fragments += shard.reassembler.fragments();
        sum->waiting_bytes += shard.reassembler.bytes();
        for (int i = 0; i < EOIP_N_DROPS; i++) {
            sum->drops[i] += counters.drops[i];
        }
    }
}
