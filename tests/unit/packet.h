// SPDX-License-Identifier: Apache-2.0
//
// Outer packets for tests, built in a chain:
//
//     Packet().ipv4({.tos = 0x03}).eoip(100).frame(60).pad_to(60).bytes()
//
// Lengths and checksums come out right unless a field says otherwise.  Written
// without the code under test: two mistakes would have to agree.

#ifndef EOIP_TESTS_PACKET_H
#define EOIP_TESTS_PACKET_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace eoip::test {

using Buffer = std::vector<std::uint8_t>;

// The one's complement sum of RFC 1071, word by word.
[[nodiscard]] inline std::uint16_t reference_checksum(const std::uint8_t *data,
                                                      std::size_t n_bytes)
{
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < n_bytes; i += 2) {
        sum += static_cast<std::uint32_t>(data[i] << 8 | data[i + 1]);
        if (sum > 0xffff) {
            sum -= 0xffff;
        }
    }
    return static_cast<std::uint16_t>(~sum);
}

// Bytes that differ from their neighbours, so that a shift shows.
[[nodiscard]] inline Buffer sample_frame(std::size_t n_bytes)
{
    Buffer frame(n_bytes);
    for (std::size_t i = 0; i < n_bytes; i++) {
        frame[i] = static_cast<std::uint8_t>(i * 7 + (i >> 8) + 1);
    }
    return frame;
}

struct Ipv4Fields {
    std::uint8_t version = 4;
    std::uint8_t tos = 0;
    std::optional<std::uint16_t> total_bytes = {};
    std::uint16_t id = 0x1234;
    bool dont_fragment = false;
    bool more_fragments = false;
    std::uint16_t offset_bytes = 0;  // A multiple of 8.
    std::uint8_t ttl = 255;
    std::uint8_t protocol = 47;
    std::uint16_t checksum_error = 0;  // Added to the right checksum.
    std::uint32_t src = 0xc0000201;    // 192.0.2.1
    std::uint32_t dst = 0xc6336402;    // 198.51.100.2
    std::size_t option_bytes = 0;      // A multiple of 4; filled with NOPs.
};

struct EoipFields {
    std::uint32_t magic = 0x20016400;
    std::optional<std::uint16_t> frame_bytes = {};
};

class Packet {
public:
    Packet &ipv4(const Ipv4Fields &fields)
    {
        ip_ = fields;
        return *this;
    }

    Packet &eoip(std::uint16_t key, const EoipFields &fields = {})
    {
        eoip_ = fields;
        key_ = key;
        return *this;
    }

    // What follows the EoIP header, or the IP header if there is none.
    Packet &frame(const Buffer &bytes)
    {
        frame_ = bytes;
        return *this;
    }

    Packet &frame(std::size_t n_bytes) { return frame(sample_frame(n_bytes)); }

    // As Ethernet does with short packets: bytes behind the IP packet.
    Packet &pad_to(std::size_t n_bytes)
    {
        padded_bytes_ = n_bytes;
        return *this;
    }

    [[nodiscard]] Buffer bytes() const
    {
        Buffer out;
        put_ip(out);
        put_eoip(out);
        out.insert(out.end(), frame_.begin(), frame_.end());
        finish_ip(out);
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

    static void put32(Buffer &out, std::uint32_t value)
    {
        put16(out, value >> 16);
        put16(out, value & 0xffff);
    }

    void put_ip(Buffer &out) const
    {
        const std::size_t ip_words = 5 + ip_.option_bytes / 4;
        out.push_back(static_cast<std::uint8_t>(ip_.version << 4 | ip_words));
        out.push_back(ip_.tos);
        put16(out, 0);  // Total length: finish_ip().
        put16(out, ip_.id);
        put16(out, ip_.dont_fragment << 14 | ip_.more_fragments << 13
                       | ip_.offset_bytes / 8);
        out.push_back(ip_.ttl);
        out.push_back(ip_.protocol);
        put16(out, 0);  // Checksum: finish_ip().
        put32(out, ip_.src);
        put32(out, ip_.dst);
        out.insert(out.end(), ip_.option_bytes, 0x01);
    }

    void put_eoip(Buffer &out) const
    {
        if (eoip_) {
            put32(out, eoip_->magic);
            put16(out, eoip_->frame_bytes.value_or(
                           static_cast<std::uint16_t>(frame_.size())));
            out.push_back(static_cast<std::uint8_t>(key_));
            out.push_back(static_cast<std::uint8_t>(key_ >> 8));
        }
    }

    void finish_ip(Buffer &out) const
    {
        const std::size_t total =
            ip_.total_bytes.value_or(static_cast<std::uint16_t>(out.size()));
        out[2] = static_cast<std::uint8_t>(total >> 8);
        out[3] = static_cast<std::uint8_t>(total);
        const int checksum =
            reference_checksum(out.data(), 20 + ip_.option_bytes)
            + ip_.checksum_error;
        out[10] = static_cast<std::uint8_t>(checksum >> 8);
        out[11] = static_cast<std::uint8_t>(checksum);
    }

    Ipv4Fields ip_;
    std::optional<EoipFields> eoip_;
    std::uint16_t key_ = 0;
    Buffer frame_;
    std::size_t padded_bytes_ = 0;
};

}  // namespace eoip::test

#endif  // EOIP_TESTS_PACKET_H
