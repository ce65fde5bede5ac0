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
#include <charconv>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <sys/random.h>

#include "eoip/reassembly.h"

#include "util.h"
#include <config.h>
extern "C" {
#include "smap.h"
}

namespace eoip {

namespace {

constexpr std::size_t kShards = 16;

std::atomic<std::size_t> max_frame{kDefaultMaxFrame};

struct Limit {
    const char *name;  // In other_config.
    std::size_t fallback;
    std::size_t min;
    std::size_t max;
};

constexpr ReassemblyLimits kDefaults{};
constexpr Limit kPackets{"eoip-reassembly-packets", kDefaults.packets, kShards,
                         1 << 20};
// Each reassembler has room for a packet of 65535 bytes.
constexpr Limit kBytes{"eoip-reassembly-bytes", kDefaults.bytes, kShards << 18,
                       std::size_t{1} << 32};
constexpr Limit kFragments{"eoip-reassembly-fragments", kDefaults.fragments, 2,
                           8191};
// OVS counts the bytes of a packet's block in 16 bits: this leaves 535 of them
// for the headers around the frame, and for those of the next tunnel.
constexpr Limit kFrame{"eoip-max-frame", kDefaults.frame, 1518, 65000};
constexpr Limit kTimeout{"eoip-reassembly-timeout",
                         std::size_t(kDefaults.timeout.count()), 100, 60000};

// A part of 'limits' for each of the reassemblers.
ReassemblyLimits share_of(ReassemblyLimits limits)
{
    limits.packets /= kShards;
    limits.bytes /= kShards;
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
    Reassembler reassembler{share_of(kDefaults), seed()};
};

std::array<Shard, kShards> &shards()
{
    static std::array<Shard, kShards> all;
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
    key ^= ipv6 ? eoip_load_be32(ip + EOIP_IPV6_HLEN + 4) : eoip_load_be16(ip + 4);
    key = (key ^ seed()) * 0x9e3779b97f4a7c15;
    return shards()[key >> 60];
}
static_assert(kShards == 16, "shard_of() takes four bits");

std::size_t read(const smap *config, const Limit &limit, std::string &errors)
{
    const char *text = smap_get(config, limit.name);
    if (!text) {
        return limit.fallback;
    }
    std::size_t value = 0;
    const char *end = text + strlen(text);
    const auto [stop, error] = std::from_chars(text, end, value);
    if (error == std::errc{} && stop == end && value >= limit.min
        && value <= limit.max) {
        return value;
    }
    errors += (errors.empty() ? "other_config:" : "; other_config:")
              + std::string(limit.name) + "=" + text
              + " is not valid: allowed are " + std::to_string(limit.min)
              + " to " + std::to_string(limit.max) + ", taken is "
              + std::to_string(limit.fallback);
    return limit.fallback;
}

}  // namespace

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

char *eoip_reassembly_configure(const smap *other_config)
{
    std::string errors;
    eoip::ReassemblyLimits limits;

    limits.packets = eoip::read(other_config, eoip::kPackets, errors);
    limits.bytes = eoip::read(other_config, eoip::kBytes, errors);
    limits.fragments = eoip::read(other_config, eoip::kFragments, errors);
    limits.frame = eoip::read(other_config, eoip::kFrame, errors);
    limits.timeout =
        eoip::Time(eoip::read(other_config, eoip::kTimeout, errors));
    for (eoip::Shard &shard : eoip::shards()) {
        const std::lock_guard lock(shard.mutex);
        shard.reassembler.set_limits(eoip::share_of(limits));
    }
    eoip::max_frame = limits.frame;
    return errors.empty() ? nullptr : xstrdup(errors.c_str());
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
