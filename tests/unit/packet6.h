// SPDX-License-Identifier: Apache-2.0
//
// Outer packets of IPv6 for tests, as packet.h builds those of IPv4:
//
//     Packet6().ipv6({.traffic_class = 3}).eoip6(100).frame(60).bytes()

#ifndef EOIP_TESTS_PACKET6_H
#define EOIP_TESTS_PACKET6_H

#include <optional>

#include "packet.h"

namespace eoip::test {

struct Ipv6Fields {
    std::uint8_t version = 6;
    std::uint8_t traffic_class = 0;
    std::uint32_t flow_label = 0;
    std::optional<std::uint16_t> payload_bytes = {};
    std::uint8_t next_header = 97;
    std::uint8_t hop_limit = 255;
    std::uint8_t src = 1;  // 2001:db8::1
    std::uint8_t dst = 2;
};

struct FragmentFields {
    std::uint32_t id = 0x12345678;
    std::uint16_t offset_bytes = 0;  // A multiple of 8.
    bool more = false;
    std::uint8_t next_header = 97;
    std::uint8_t reserved = 0;  // The two bits beside 'more'.
};

class Packet6 {
public:
    Packet6 &ipv6(const Ipv6Fields &fields)
    {
        ip_ = fields;
        return *this;
    }

    // Puts a fragment header behind the IPv6 header.
    Packet6 &fragment(const FragmentFields &fields)
    {
        fragment_ = fields;
        return *this;
    }

    Packet6 &eoip6(std::uint16_t key)
    {
        header_ = {static_cast<std::uint8_t>(key >> 8 << 4 | 3),
                   static_cast<std::uint8_t>(key)};
        return *this;
    }

    // What follows the header, or IPv6 if there is none.
    Packet6 &frame(const Buffer &bytes)
    {
        frame_ = bytes;
        return *this;
    }

    Packet6 &frame(std::size_t n_bytes)
    {
        return frame(sample_frame(n_bytes));
    }

    Packet6 &pad_to(std::size_t n_bytes)
    {
        padded_bytes_ = n_bytes;
        return *this;
    }

    [[nodiscard]] Buffer payload() const
    {
        Buffer out = header_;
        out.insert(out.end(), frame_.begin(), frame_.end());
        return out;
    }

    [[nodiscard]] Buffer bytes() const
    {
        Buffer rest;
        if (fragment_) {
            const std::size_t where = fragment_->offset_bytes
                                      | fragment_->reserved << 1
                                      | fragment_->more;
            rest = {fragment_->next_header, 0};
            put16(rest, where);
            put16(rest, fragment_->id >> 16);
            put16(rest, fragment_->id);
        }
        const Buffer carried = payload();
        rest.insert(rest.end(), carried.begin(), carried.end());

        Buffer out;
        put16(out, static_cast<std::size_t>(ip_.version << 12
                                            | ip_.traffic_class << 4
                                            | ip_.flow_label >> 16));
        put16(out, ip_.flow_label);
        put16(out, ip_.payload_bytes.value_or(
                       static_cast<std::uint16_t>(rest.size())));
        out.push_back(fragment_ ? 44 : ip_.next_header);
        out.push_back(ip_.hop_limit);
        for (const std::uint8_t last : {ip_.src, ip_.dst}) {
            out.insert(out.end(), {0x20, 0x01, 0x0d, 0xb8});
            out.insert(out.end(), 11, 0);
            out.push_back(last);
        }
        out.insert(out.end(), rest.begin(), rest.end());
        if (out.size() < padded_bytes_) {
            out.resize(padded_bytes_, 0xee);
        }
        return out;
    }

private:
    static void put16(Buffer &out, std::size_t value)
    {
        out.push_back(static_cast<std::uint8_t>(value >> 8));
        out.push_back(static_cast<std::uint8_t>(value));
    }

    Ipv6Fields ip_;
    std::optional<FragmentFields> fragment_;
    Buffer header_;
    Buffer frame_;
    std::size_t padded_bytes_ = 0;
};

}  // namespace eoip::test

#endif  // EOIP_TESTS_PACKET6_H
