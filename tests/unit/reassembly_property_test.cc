// SPDX-License-Identifier: Apache-2.0
//
// eoip/reassembly.h under random traffic: honest peers get their packets,
// hostile ones what a simple model says, and the limits hold.  A failure names
// the seed of its traffic.

#include "eoip/reassembly.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <tuple>

#include <gtest/gtest.h>

#include "packet.h"
#include "reassembly.h"

namespace eoip {
namespace {

using test::Buffer;
using test::Buffers;
using test::Checked;
using test::cut;
using test::Ipv4Fields;
using test::kCe;
using test::kNotEct;
using test::kPayloadMax;
using test::kStart;
using test::Packet;
using test::text;
using test::whole;

class Random {
public:
    explicit Random(std::uint32_t seed) : engine_(seed) {}

    std::size_t any(std::size_t low, std::size_t high)
    {
        return std::uniform_int_distribution<std::size_t>(low, high)(engine_);
    }

    bool one_in(std::size_t n) { return any(1, n) == 1; }

    Buffer bytes(std::size_t n)
    {
        Buffer out(n);
        std::generate(out.begin(), out.end(),
                      [this] { return engine_() & 0xff; });
        return out;
    }

    template <class Container> void shuffle(Container &container)
    {
        std::shuffle(container.begin(), container.end(), engine_);
    }

    // 'payload' in fragments of random multiples of 8 bytes.
    Buffers cut_anywhere(const Ipv4Fields &ip, const Buffer &payload,
                         std::size_t step_max)
    {
        Buffers fragments;
        for (std::size_t begin = 0; begin < payload.size();) {
            const std::size_t step = any(1, step_max / 8) * 8;
            const std::size_t end = std::min(begin + step, payload.size());
            fragments.push_back(cut(ip, payload, begin, end));
            begin = end;
        }
        return fragments;
    }

private:
    std::mt19937 engine_;
};

// Property: what is sent in fragments comes back, whatever the order.

TEST(ReassemblyProperty, HonestPeersGetTheirPackets)
{
    for (const std::uint32_t seed : {1, 2, 3, 4, 5}) {
        SCOPED_TRACE(testing::Message() << "seed " << seed);
        Random random(seed);
        Buffers fragments, expected;
        std::size_t n_duplicates = 0;
        for (std::uint16_t id = 0; id < 200; id++) {
            const Ipv4Fields ip = {.id = id};
            const Buffer payload =
                random.bytes(random.any(1, id % 20 ? 3000 : kPayloadMax));
            expected.push_back(whole(ip, payload));
            for (const Buffer &piece : random.cut_anywhere(
                     ip, payload,
                     std::max<std::size_t>(payload.size() / 20, 8))) {
                fragments.push_back(piece);
            }
        }
        random.shuffle(fragments);
        // A duplicate right behind its original meets it, except where it
        // was the last missing piece: then it would begin another packet.
        Checked reassembler({.frame = EOIP_FRAME_MAX});
        Buffers made;
        for (const Buffer &fragment : fragments) {
            Buffer packet = reassembler.add(fragment);
            if (!packet.empty()) {
                made.push_back(std::move(packet));
            } else if (random.one_in(5)) {
                n_duplicates++;
                EXPECT_EQ(reassembler.add(fragment), Buffer{});
            }
        }
        std::sort(made.begin(), made.end());
        std::sort(expected.begin(), expected.end());
        EXPECT_TRUE(made == expected);
        EXPECT_EQ(reassembler.counters(),
                  "packets=200 fragments=" + std::to_string(fragments.size())
                      + " duplicates=" + std::to_string(n_duplicates));
        EXPECT_TRUE(reassembler.empty());
    }
}

// Property: hostile traffic has the same fate as in a model that is too slow
// for use, but simple: a map of bytes, and every rule in a line or two.

struct Arrival {
    Ipv4Fields ip;
    Buffer payload;

    [[nodiscard]] std::size_t begin() const { return ip.offset_bytes; }
    [[nodiscard]] std::size_t end() const { return begin() + payload.size(); }
    [[nodiscard]] Buffer bytes() const
    {
        return Packet().ipv4(ip).frame(payload).bytes();
    }
};

class Model {
public:
    explicit Model(const ReassemblyLimits &limits) : limits_(limits) {}

    [[nodiscard]] const ReassemblyCounters &counters() const
    {
        return counters_;
    }
    [[nodiscard]] std::size_t packets() const { return states_.size(); }

    Buffer add(const Arrival &arrival, Time now)
    {
        expire(now);
        if (arrival.payload.empty() || arrival.end() > kPayloadMax
            || (arrival.ip.more_fragments && arrival.payload.size() % 8)) {
            counters_.drops[EOIP_DROP_FRAGMENT_MALFORMED]++;
            return {};
        }
        const Key key = {arrival.ip.src, arrival.ip.dst, arrival.ip.protocol,
                         arrival.ip.id};
        State &state =
            states_.try_emplace(key, State{.since = now, .order = n_begun_++})
                .first->second;
        Buffer packet = take(state, arrival);
        if (state.done) {
            states_.erase(key);
        }
        while (states_.size() > limits_.packets) {
            const auto oldest =
                std::min_element(states_.begin(), states_.end(),
                                 [](const auto &a, const auto &b) {
                                     return a.second.order < b.second.order;
                                 });
            drop(oldest->second, EOIP_DROP_FRAGMENT_LIMIT_PACKETS);
            states_.erase(oldest);
        }
        return packet;
    }

private:
    using Key = std::tuple<std::uint32_t, std::uint32_t, int, int>;

    struct State {
        Time since;
        std::uint64_t order;
        std::map<std::size_t, std::uint8_t> bytes = {};
        std::set<std::tuple<std::size_t, std::size_t, bool>> pieces = {};
        std::set<int> ecn = {};
        std::size_t end = 0;  // 0: not known.
        Ipv4Fields first = {};
        int dead = -1;  // Why.
        bool done = false;
    };

    void expire(Time now)
    {
        for (auto it = states_.begin(); it != states_.end();) {
            if (now - it->second.since < limits_.timeout) {
                ++it;
            } else {
                drop(it->second, EOIP_DROP_FRAGMENT_TIMEOUT);
                it = states_.erase(it);
            }
        }
    }

    void drop(State &state, int why)
    {
        counters_.drops[static_cast<std::size_t>(why)] += state.pieces.size();
        state.pieces.clear();
    }

    static bool has_same_bytes(const State &state, const Arrival &arrival)
    {
        for (std::size_t i = arrival.begin(); i < arrival.end(); i++) {
            if (state.bytes.at(i) != arrival.payload[i - arrival.begin()]) {
                return false;
            }
        }
        return true;
    }

    static bool contradicts(const State &state, const Arrival &arrival)
    {
        const bool last = !arrival.ip.more_fragments;
        for (const auto &[i, byte] : state.bytes) {
            if ((i >= arrival.begin() && i < arrival.end())
                || (last && i >= arrival.end())) {
                return true;
            }
        }
        return state.end && (last || arrival.end() > state.end);
    }

    Buffer take(State &state, const Arrival &arrival)
    {
        const bool last = !arrival.ip.more_fragments;
        const std::tuple piece = {arrival.begin(), arrival.end(), last};
        if (state.dead < 0 && state.pieces.contains(piece)
            && has_same_bytes(state, arrival)) {
            counters_.duplicates++;
            return {};
        }
        if (state.dead < 0) {
            state.dead = contradicts(state, arrival)
                             ? EOIP_DROP_FRAGMENT_OVERLAP
                         : state.pieces.size() >= limits_.fragments
                             ? EOIP_DROP_FRAGMENT_LIMIT_COUNT
                             : -1;
        }
        if (state.dead >= 0) {
            drop(state, state.dead);
            counters_.drops[static_cast<std::size_t>(state.dead)]++;
            return {};
        }
        state.pieces.insert(piece);
        for (std::size_t i = arrival.begin(); i < arrival.end(); i++) {
            state.bytes[i] = arrival.payload[i - arrival.begin()];
        }
        state.ecn.insert(arrival.ip.tos & 3);
        if (last) {
            state.end = arrival.end();
        }
        if (arrival.begin() == 0) {
            state.first = arrival.ip;
        }
        return state.bytes.size() == state.end ? finish(state) : Buffer{};
    }

    Buffer finish(State &state)
    {
        state.done = true;
        if (state.ecn.contains(kCe) && state.ecn.contains(kNotEct)) {
            drop(state, EOIP_DROP_FRAGMENT_ECN);
            return {};
        }
        counters_.packets++;
        counters_.fragments += state.pieces.size();
        Ipv4Fields ip = state.first;
        ip.tos = state.ecn.contains(kCe) ? ip.tos | kCe : ip.tos;
        ip.more_fragments = ip.dont_fragment = false;
        Buffer payload;
        for (const auto &[i, byte] : state.bytes) {
            payload.push_back(byte);
        }
        return whole(ip, payload);
    }

    ReassemblyLimits limits_;
    ReassemblyCounters counters_;
    std::map<Key, State> states_;
    std::uint64_t n_begun_ = 0;
};

// Fragments of a random packet; now and then lost, twice, or not quite right.
std::vector<Arrival> hostile_arrivals(Random &random)
{
    Ipv4Fields ip = {.id = static_cast<std::uint16_t>(random.any(0, 30)),
                     .protocol = random.one_in(8) ? std::uint8_t{97}
                                                  : std::uint8_t{47}};
    ip.src += static_cast<std::uint32_t>(random.any(0, 3));
    ip.tos = static_cast<std::uint8_t>(random.any(1, 2));
    const Buffer payload = random.bytes(random.any(1, 200));
    std::vector<Arrival> arrivals;
    for (std::size_t begin = 0; begin < payload.size();) {
        const std::size_t end =
            std::min(begin + random.any(1, 8) * 8, payload.size());
        Arrival arrival = {ip, Buffer(payload.begin() + std::ptrdiff_t(begin),
                                      payload.begin() + std::ptrdiff_t(end))};
        arrival.ip.offset_bytes = static_cast<std::uint16_t>(begin);
        arrival.ip.more_fragments = end < payload.size();
        arrival.ip.tos = random.one_in(20)
                             ? static_cast<std::uint8_t>(random.any(0, 3))
                             : ip.tos;
        begin = end;
        if (random.one_in(30)) {
            continue;
        }
        arrivals.push_back(arrival);
        if (random.one_in(10)) {
            arrivals.push_back(arrival);
        }
        if (random.one_in(15)) {
            arrival.payload[0] ^= random.one_in(2);
            arrival.payload.resize(random.any(0, 3) ? arrival.payload.size()
                                                    : random.any(0, 32));
            arrival.ip.offset_bytes ^= random.one_in(2) ? 8 : 0;
            arrival.ip.more_fragments ^= random.one_in(3);
            arrivals.push_back(arrival);
        }
    }
    return arrivals;
}

// The traffic of some packets at once, in disorder.
std::vector<Arrival> hostile_burst(Random &random)
{
    std::vector<Arrival> burst;
    for (std::size_t n = random.any(1, 12); n > 0; n--) {
        for (Arrival &arrival : hostile_arrivals(random)) {
            burst.push_back(std::move(arrival));
        }
    }
    random.shuffle(burst);
    return burst;
}

TEST(ReassemblyProperty, HostileTrafficGoesAsInTheModel)
{
    const ReassemblyLimits limits = {.packets = 12,
                                     .fragments = 9,
                                     .frame = EOIP_FRAME_MAX,
                                     .timeout = Time{100}};
    ReassemblyCounters sum;
    for (std::uint32_t seed = 1; seed <= 10; seed++) {
        SCOPED_TRACE(testing::Message() << "seed " << seed);
        Random random(seed);
        Model model(limits);
        Checked reassembler(limits);
        Time now = kStart;
        for (int burst = 0; burst < 200; burst++) {
            for (const Arrival &arrival : hostile_burst(random)) {
                now += Time{random.any(0, 3)};
                ASSERT_EQ(reassembler.add(arrival.bytes(), now),
                          model.add(arrival, now))
                    << "burst " << burst;
                ASSERT_EQ(reassembler.counters(), text(model.counters()));
                ASSERT_EQ(reassembler.packets(), model.packets());
            }
        }
        sum.packets += model.counters().packets;
        sum.duplicates += model.counters().duplicates;
        for (std::size_t i = 0; i < EOIP_N_DROPS; i++) {
            sum.drops[i] += model.counters().drops[i];
        }
    }
    // The traffic reaches what it should.
    EXPECT_GE(sum.packets, 1000u);
    EXPECT_GE(sum.duplicates, 100u);
    for (const eoip_drop why :
         {EOIP_DROP_FRAGMENT_MALFORMED, EOIP_DROP_FRAGMENT_OVERLAP,
          EOIP_DROP_FRAGMENT_ECN, EOIP_DROP_FRAGMENT_TIMEOUT,
          EOIP_DROP_FRAGMENT_LIMIT_PACKETS, EOIP_DROP_FRAGMENT_LIMIT_COUNT}) {
        EXPECT_GE(sum.drops[why], 20u) << why;
    }
}

// Limits of all kinds that change all the time: Checked sees that they hold.
TEST(ReassemblyProperty, LimitsHoldUnderHostileTraffic)
{
    for (std::uint32_t seed = 1; seed <= 5; seed++) {
        SCOPED_TRACE(testing::Message() << "seed " << seed);
        Random random(seed);
        Checked reassembler;
        Time now = kStart;
        for (int burst = 0; burst < 200; burst++) {
            reassembler.set_limits({.packets = random.any(0, 30),
                                    .bytes = random.any(0, 12000),
                                    .fragments = random.any(0, 20),
                                    .timeout = Time{random.any(0, 100)}});
            for (const Arrival &arrival : hostile_burst(random)) {
                now += Time{random.any(0, 3)};
                const Buffer made = reassembler.add(arrival.bytes(), now);
                if (!made.empty()) {
                    ASSERT_TRUE(eoip_ipv4_checksum_ok(made.data()));
                    ASSERT_FALSE(is_fragment(made.data()));
                    ASSERT_EQ(eoip_load_be16(made.data() + 2), made.size());
                }
            }
        }
        reassembler.expire(now + Time{100});
        EXPECT_TRUE(reassembler.empty());
    }
}

}  // namespace
}  // namespace eoip
