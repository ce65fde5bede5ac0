// SPDX-License-Identifier: Apache-2.0
//
// For the tests of eoip/reassembly.h: fragments of packets, and a Reassembler
// whose books are checked after every step.

#ifndef EOIP_TESTS_REASSEMBLY_H
#define EOIP_TESTS_REASSEMBLY_H

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "eoip/drops.h"
#include "eoip/reassembly.h"
#include "packet.h"

namespace eoip::test {

using Buffers = std::vector<Buffer>;

inline constexpr Time kStart{1000000};
inline constexpr Time kTimeout = ReassemblyLimits{}.timeout;
inline constexpr std::size_t kPayloadMax = 65515;

// Of the ECN bits.
inline constexpr std::uint8_t kNotEct = 0;
inline constexpr std::uint8_t kCe = 3;

// Fragments: bytes [begin, end) of 'payload' under the header 'ip', the last
// one if they reach its end.
[[nodiscard]] inline Buffer cut(Ipv4Fields ip, const Buffer &payload,
                                std::size_t begin, std::size_t end)
{
    ip.more_fragments = end < payload.size();
    ip.offset_bytes = static_cast<std::uint16_t>(begin);
    return Packet()
        .ipv4(ip)
        .frame(Buffer(payload.begin() + static_cast<std::ptrdiff_t>(begin),
                      payload.begin() + static_cast<std::ptrdiff_t>(end)))
        .bytes();
}

[[nodiscard]] inline Buffers
cut_for_mtu(const Ipv4Fields &ip, const Buffer &payload, std::size_t mtu)
{
    const std::size_t step = (mtu - EOIP_IPV4_HLEN) / 8 * 8;
    Buffers fragments;
    for (std::size_t i = 0; i < payload.size(); i += step) {
        fragments.push_back(
            cut(ip, payload, i, std::min(i + step, payload.size())));
    }
    return fragments;
}

[[nodiscard]] inline Buffer whole(const Ipv4Fields &ip, const Buffer &payload)
{
    return Packet().ipv4(ip).frame(payload).bytes();
}

// A fragment with 'n_bytes' of anything behind the header.
[[nodiscard]] inline Buffer fragment(Ipv4Fields ip, std::size_t n_bytes)
{
    return Packet().ipv4(ip).frame(n_bytes).bytes();
}

// What 'counters' says, without the zeros.
[[nodiscard]] inline std::string text(const ReassemblyCounters &counters)
{
    std::string out;
    const auto say = [&out](const char *name, std::uint64_t n) {
        if (n) {
            out += (out.empty() ? "" : " ") + std::string(name) + "="
                   + std::to_string(n);
        }
    };
    say("packets", counters.packets);
    say("fragments", counters.fragments);
    say("duplicates", counters.duplicates);
    say("unwanted", counters.unwanted);
    for (std::size_t i = 0; i < EOIP_N_DROPS; i++) {
        say(eoip_drop_name(eoip_drop(i)), counters.drops[i]);
    }
    return out;
}

// A Reassembler whose books are checked after every step.
class Checked {
public:
    explicit Checked(const ReassemblyLimits &limits = {})
        : limits_(limits), reassembler_(limits, 42)
    {
    }

    Buffer add(const Buffer &packet, Time now = kStart)
    {
        n_added_++;
        Buffer out = reassembler_.add(packet, now);
        check();
        return out;
    }

    // Adds all; returns those that are whole.
    Buffers add_all(const Buffers &packets, Time now = kStart)
    {
        Buffers out;
        for (const Buffer &packet : packets) {
            Buffer made = add(packet, now);
            if (!made.empty()) {
                out.push_back(std::move(made));
            }
        }
        return out;
    }

    void expire(Time now)
    {
        reassembler_.expire(now);
        check();
    }

    void set_limits(const ReassemblyLimits &limits)
    {
        limits_ = limits;
        reassembler_.set_limits(limits);
        check();
    }

    [[nodiscard]] bool empty() const
    {
        return reassembler_.packets() == 0 && reassembler_.bytes() == 0
               && reassembler_.fragments() == 0;
    }

    [[nodiscard]] std::string counters() const
    {
        return text(reassembler_.counters());
    }
    [[nodiscard]] std::size_t packets() const
    {
        return reassembler_.packets();
    }
    [[nodiscard]] std::size_t bytes() const { return reassembler_.bytes(); }
    [[nodiscard]] std::size_t fragments() const
    {
        return reassembler_.fragments();
    }

private:
    void check() const
    {
        const ReassemblyCounters &c = reassembler_.counters();
        ASSERT_EQ(n_added_, std::accumulate(c.drops.begin(), c.drops.end(),
                                            c.fragments + c.duplicates
                                                + c.unwanted + fragments()))
            << counters();
        ASSERT_LE(bytes(), limits_.bytes);
        ASSERT_LE(packets(), limits_.packets);
        ASSERT_EQ(packets() == 0, bytes() == 0);
    }

    ReassemblyLimits limits_;
    Reassembler reassembler_;
    std::uint64_t n_added_ = 0;
};

}  // namespace eoip::test

#endif  // EOIP_TESTS_REASSEMBLY_H
