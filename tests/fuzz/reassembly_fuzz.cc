// SPDX-License-Identifier: Apache-2.0
//
// libFuzzer target for eoip/reassembly.h.  The input is a sequence of
// commands, each a byte (modulo 8) with its arguments behind it:
//
//     0 to 2  add a fragment: see read_fragment()
//     3       add one of IPv6: see read_fragment6()
//     4       add these bytes: length (1), bytes
//     5       let time pass: milliseconds (2)
//     6       expire
//     7       new limits: packets (1), bytes / 16 (2), fragments (1),
//             timeout in milliseconds (2)
//
// Numbers are big-endian.  An input that ends early reads as zeros.

#include "eoip/reassembly.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "../unit/packet6.h"

namespace {

using eoip::Reassembler;
using eoip::ReassemblyLimits;
using eoip::Time;
using eoip::test::Buffer;

void require(bool condition)
{
    if (!condition) {
        std::abort();
    }
}

class Input {
public:
    explicit Input(eoip::Bytes bytes) : bytes_(bytes) {}

    [[nodiscard]] bool ended() const { return bytes_.empty(); }

    std::uint8_t u8()
    {
        if (ended()) {
            return 0;
        }
        const std::uint8_t value = bytes_.front();
        bytes_ = bytes_.subspan(1);
        return value;
    }

    std::uint16_t u16()
    {
        const std::uint8_t high = u8();
        return static_cast<std::uint16_t>(high << 8 | u8());
    }

    Buffer bytes(std::size_t n)
    {
        Buffer out(n);
        for (std::uint8_t &byte : out) {
            byte = u8();
        }
        return out;
    }

private:
    eoip::Bytes bytes_;
};

// Arguments: IP id (1), TOS (1), flags, offset and more-fragments as in IPv4
// (2), length (2), a byte to fill it with (1), oddities (1): four low bits for
// other addresses, another protocol and padding, four high ones for faults of
// the header.
Buffer read_fragment(Input &input)
{
    eoip::test::Ipv4Fields ip;
    ip.id = input.u8();
    ip.tos = input.u8();
    const std::uint16_t where = input.u16();
    ip.dont_fragment = where & 0x4000;
    ip.more_fragments = where & 0x2000;
    ip.offset_bytes = static_cast<std::uint16_t>((where & 0x1fff) * 8);
    const std::size_t n_bytes = std::min<std::size_t>(input.u16(), 65400);
    const std::uint8_t filling = input.u8();
    const std::uint8_t oddities = input.u8();
    ip.src += oddities & 1;
    ip.dst += oddities >> 1 & 1;
    ip.protocol += oddities >> 2 & 1;
    ip.checksum_error = oddities >> 4 & 1;
    ip.option_bytes = oddities & 0x20 ? 8 : 0;
    ip.version += oddities >> 6 & 1;
    if (oddities & 0x80) {
        ip.total_bytes = input.u16();
    }
    return eoip::test::Packet()
        .ipv4(ip)
        .frame(Buffer(n_bytes, filling))
        .pad_to(oddities & 8 ? 60 : 0)
        .bytes();
}

// The same of IPv6, in as many bytes; it has no DF, no checksum, no options.
Buffer read_fragment6(Input &input)
{
    eoip::test::Ipv6Fields ip;
    eoip::test::FragmentFields fragment;
    fragment.id = input.u8();
    ip.traffic_class = input.u8();
    const std::uint16_t where = input.u16();
    fragment.more = where & 0x2000;
    fragment.offset_bytes = static_cast<std::uint16_t>((where & 0x1fff) * 8);
    const std::size_t n_bytes = std::min<std::size_t>(input.u16(), 65400);
    const std::uint8_t filling = input.u8();
    const std::uint8_t oddities = input.u8();
    ip.src += oddities & 1;
    ip.dst += (oddities >> 1 & 1) * 2;
    fragment.next_header += oddities >> 2 & 1;
    fragment.reserved = oddities >> 4 & 3;
    if (oddities & 0x80) {
        ip.payload_bytes = input.u16();
    }
    return eoip::test::Packet6()
        .ipv6(ip)
        .fragment(fragment)
        .frame(Buffer(n_bytes, filling))
        .pad_to(oddities & 8 ? 80 : 0)
        .bytes();
}

ReassemblyLimits read_limits(Input &input)
{
    ReassemblyLimits limits;
    limits.packets = input.u8();
    limits.bytes = input.u16() * std::size_t{16};
    limits.fragments = input.u8();
    limits.frame = input.u16();
    limits.timeout = Time{input.u16()};
    return limits;
}

void check_packet6(const Buffer &packet)
{
    require(packet.size() > EOIP_IPV6_HLEN);
    require(eoip_load_be16(&packet[4])
            == packet.size() - EOIP_IPV6_HLEN);
}

void check_packet(const Buffer &packet)
{
    if (packet.empty()) {
        return;
    }
    if (packet[0] >> 4 == 6) {
        check_packet6(packet);
        return;
    }
    require(packet.size() > EOIP_IPV4_HLEN && packet.size() <= 65535);
    require(packet[0] == 0x45);
    require(eoip_load_be16(&packet[2]) == packet.size());
    require(eoip_load_be16(&packet[6]) == 0);
    require(
        eoip::test::reference_checksum(packet.data(), EOIP_IPV4_HLEN)
        == 0);
}

class Run {
public:
    explicit Run(Input input) : input_(input) {}

    void all()
    {
        while (!input_.ended()) {
            step(input_.u8() % 8);
            check();
        }
        now_ += limits_.timeout;
        reassembler_.expire(now_);
        check();
        require(reassembler_.packets() == 0);
    }

private:
    void step(int command)
    {
        switch (command) {
        case 3:
            add(read_fragment6(input_));
            break;
        case 4:
            add(input_.bytes(input_.u8()));
            break;
        case 5:
            now_ += Time{input_.u16()};
            break;
        case 6:
            reassembler_.expire(now_);
            break;
        case 7:
            limits_ = read_limits(input_);
            reassembler_.set_limits(limits_);
            break;
        default:
            add(read_fragment(input_));
            break;
        }
    }

    void add(const Buffer &packet)
    {
        n_added_++;
        check_packet(reassembler_.add(packet, now_));
    }

    void check() const
    {
        const eoip::ReassemblyCounters &c = reassembler_.counters();
        require(n_added_
                == std::accumulate(c.drops.begin(), c.drops.end(),
                                   c.fragments + c.duplicates + c.unwanted
                                       + reassembler_.fragments()));
        require(reassembler_.packets() <= limits_.packets);
        require(reassembler_.bytes() <= limits_.bytes);
        require((reassembler_.packets() == 0) == (reassembler_.bytes() == 0));
        require(reassembler_.packets() || !reassembler_.fragments());
    }

    Input input_;
    ReassemblyLimits limits_;
    Reassembler reassembler_{limits_, 42};
    Time now_{0};
    std::uint64_t n_added_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data,
                                      std::size_t n_bytes)
{
    Run(Input({data, n_bytes})).all();
    return 0;
}
