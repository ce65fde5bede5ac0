// SPDX-License-Identifier: Apache-2.0
//
// Reads the packets of a pcap file: classic format, either byte order.

#ifndef EOIP_TESTS_PCAP_H
#define EOIP_TESTS_PCAP_H

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "packet.h"

namespace eoip::test {

class PcapReader {
public:
    // 'file' is the content of a file and must outlive the reader.
    explicit PcapReader(const std::string &file) : file_(file)
    {
        const std::uint32_t magic = word(0);
        swapped_ = magic == kSwappedMagic;
        if (magic != kMagic && !swapped_) {
            throw std::runtime_error("not a pcap file");
        }
        if (word(20) != kEthernet) {
            throw std::runtime_error("not a capture of Ethernet");
        }
    }

    // All packets, from the Ethernet header on.
    [[nodiscard]] std::vector<Buffer> packets() const
    {
        std::vector<Buffer> packets;
        std::size_t at = kFileHeaderBytes;
        while (at < file_.size()) {
            const std::uint32_t n_bytes = word(at + 8);
            if (n_bytes != word(at + 12)) {
                throw std::runtime_error("a packet was captured in part");
            }
            at += kPacketHeaderBytes;
            if (n_bytes > file_.size() - at) {
                throw std::runtime_error("the file ends within a packet");
            }
            const char *start = file_.data() + at;
            packets.emplace_back(start, start + n_bytes);
            at += n_bytes;
        }
        return packets;
    }

private:
    static constexpr std::uint32_t kMagic = 0xa1b2c3d4;
    static constexpr std::uint32_t kSwappedMagic = 0xd4c3b2a1;
    static constexpr std::uint32_t kEthernet = 1;
    static constexpr std::size_t kFileHeaderBytes = 24;
    static constexpr std::size_t kPacketHeaderBytes = 16;

    // The word at offset 'at', most significant byte first unless swapped.
    [[nodiscard]] std::uint32_t word(std::size_t at) const
    {
        std::uint32_t value = 0;
        for (std::size_t i = 0; i < 4; i++) {
            const char c = file_.at(at + (swapped_ ? 3 - i : i));
            value = value << 8 | static_cast<unsigned char>(c);
        }
        return value;
    }

    const std::string &file_;
    bool swapped_ = false;
};

}  // namespace eoip::test

#endif  // EOIP_TESTS_PCAP_H
