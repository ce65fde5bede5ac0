// SPDX-License-Identifier: Apache-2.0
//
// Nanoseconds of push and pop alone, per tunnel type, on batches of 32 in
// warm caches.  `run` starts it; `instructions` is the exact counterpart.

#include <array>
#include <chrono>
#include <string>

#include <benchmark/benchmark.h>

#include "ovs_shim.h"

namespace {

using Step = void (*)(bench_tunnel *);
using Check = bool (*)(const bench_tunnel *);

// Times `step` on the batch and leaves `rewind` out.  The price of the clock
// and of the loop over the batch is in each figure; "empty" has only that.
void measure(benchmark::State &state, bench_tunnel *tunnel, Step rewind,
             Step step, Check check)
{
    using Clock = std::chrono::steady_clock;
    for (auto _ : state) {
        rewind(tunnel);
        const auto start = Clock::now();
        step(tunnel);
        const std::chrono::duration<double> spent = Clock::now() - start;
        state.SetIterationTime(spent.count());
    }
    if (!check(tunnel)) {
        state.SkipWithError("packets were dropped or damaged");
    }
    state.SetItemsProcessed(state.iterations() * BENCH_BATCH);
}

void add(const std::string &name, bench_tunnel *tunnel, Step rewind,
         Step step, Check check)
{
    benchmark::RegisterBenchmark(
        name.c_str(), [=](benchmark::State &state) {
            measure(state, tunnel, rewind, step, check);
        })->UseManualTime();
}

}  // namespace

int main(int argc, char **argv)
{
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
        return 2;
    }
    // The second "gre" is the A/A control: its distance from the first is
    // the noise of this run.
    struct Row {
        const char *name;
        const char *type;
    };
    const std::array<Row, 6> rows = {{{"empty", "empty"},
                                      {"gre", "gre"},
                                      {"vxlan", "vxlan"},
                                      {"geneve", "geneve"},
                                      {"eoip", "eoip"},
                                      {"gre2", "gre"}}};
    for (const auto &[name, type] : rows) {
        bench_tunnel *tunnel = bench_tunnel_open(type, 0);
        if (tunnel == nullptr) {
            continue;
        }
        add(std::string("push/") + name, tunnel, bench_tunnel_rewind_push,
            bench_tunnel_push, bench_tunnel_is_pushed);
        add(std::string("pop/") + name, tunnel, bench_tunnel_rewind_pop, bench_tunnel_pop,
            bench_tunnel_is_popped);
    }
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
