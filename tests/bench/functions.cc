// SPDX-License-Identifier: Apache-2.0
//
// Nanoseconds of push and pop alone, per tunnel type, on batches of 32 in
// warm caches.  The script `functions` starts it and makes a table of it.

#include <array>
#include <string>

#include <benchmark/benchmark.h>

#include "ovs_shim.h"

namespace {

using Step = void (*)(bench_tunnel *);
using Check = bool (*)(const bench_tunnel *);

// The packets have to be rewound each time, and reading a clock around `step`
// costs more than a packet.  So both are measured, and "empty", which is
// rewound alike but does nothing, is what to take off.
void measure(benchmark::State &state, bench_tunnel *tunnel, Step rewind,
             Step step, Check check)
{
    for (auto _ : state) {
        rewind(tunnel);
        step(tunnel);
    }
    if (!check(tunnel)) {
        state.SkipWithError("packets were dropped or damaged");
    }
}

void add(const std::string &name, bench_tunnel *tunnel, Step rewind,
         Step step, Check check)
{
    benchmark::RegisterBenchmark(
        name.c_str(), [=](benchmark::State &state) {
            measure(state, tunnel, rewind, step, check);
        });
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
        bench_tunnel *tunnel = bench_tunnel_open(type, 0, BENCH_BATCH);
        if (tunnel == nullptr) {
            continue;
        }
        add(std::string("push/") + name, tunnel, bench_tunnel_rewind_push,
            bench_tunnel_push, bench_tunnel_is_pushed);
        add(std::string("pop/") + name, tunnel, bench_tunnel_rewind_pop,
            bench_tunnel_pop, bench_tunnel_is_popped);
    }
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
