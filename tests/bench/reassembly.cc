// SPDX-License-Identifier: Apache-2.0
//
// Reassembly alone: fragments per second and bytes of memory with packets of
// 1, 1000 and 65536 peers in flight at once, each in two fragments as a
// 1500-byte frame is on a path of 1500.  "run" calls it.

#include <chrono>
#include <cstdint>
#include <vector>

#include <malloc.h>

#include <benchmark/benchmark.h>

#include "eoip/reassembly.h"

namespace {

using Packet = std::vector<std::uint8_t>;

constexpr std::size_t kPayloadBytes = 8 + 1514;
constexpr std::size_t kFirstBytes = 1480;

Packet fragment(std::uint32_t peer, std::size_t offset, std::size_t bytes,
                bool more)
{
    Packet packet(EOIP_IPV4_HLEN + bytes);
    packet[0] = 0x45;
    packet[8] = 64;
    packet[9] = 47;
    eoip_store_be16(&packet[4], 1);
    eoip_store_be16(&packet[12], 0x0a00 + (peer >> 16));
    eoip_store_be16(&packet[14], peer & 0xffff);
    eoip_store_be16(&packet[16], 0xc000);
    eoip_store_be16(&packet[18], 0x0201);
    eoip_make_fragment(packet.data(), offset, bytes, more);
    return packet;
}

// All first fragments, then all second ones.
void reassemble(benchmark::State &state)
{
    const auto peers = static_cast<std::uint32_t>(state.range(0));
    std::vector<Packet> fragments;
    for (const bool first : {true, false}) {
        for (std::uint32_t peer = 0; peer < peers; peer++) {
            fragments.push_back(first ? fragment(peer, 0, kFirstBytes, true)
                                      : fragment(peer, kFirstBytes,
                                                 kPayloadBytes - kFirstBytes,
                                                 false));
        }
    }

    eoip::ReassemblyLimits limits;
    limits.packets = limits.bytes = SIZE_MAX;
    eoip::Reassembler reassembler(limits, 1);
    const std::size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    std::size_t memory = 0;
    std::size_t counted = 0;
    for (auto _ : state) {
        for (std::size_t i = 0; i < fragments.size(); i++) {
            benchmark::DoNotOptimize(
                reassembler.add(fragments[i], eoip::Time(0)));
            if (i + 1 == peers && !memory) {
                memory = mallinfo2().uordblks + mallinfo2().hblkhd - before;
                counted = reassembler.bytes();
            }
        }
    }
    const auto expected =
        static_cast<std::uint64_t>(state.iterations()) * peers;
    if (reassembler.counters().packets != expected) {
        state.SkipWithError("packets were lost");
    }
    state.SetItemsProcessed(state.iterations() * fragments.size());
    state.counters["allocated_bytes"] = static_cast<double>(memory);
    state.counters["counted_bytes"] = static_cast<double>(counted);
}
BENCHMARK(reassemble)->Arg(1)->Arg(1000)->Arg(65536);

}  // namespace

BENCHMARK_MAIN();
