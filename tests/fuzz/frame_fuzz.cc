// SPDX-License-Identifier: Apache-2.0
//
// libFuzzer target for eoip/frame.h: any bytes as a frame.  Where its IP
// header is, is found here once more, in another way.

#include "eoip/frame.h"

#include <cstdlib>
#include <vector>

#include "../unit/packet.h"

namespace {

using eoip::test::Buffer;

void require(bool condition)
{
    if (!condition) {
        std::abort();
    }
}

// Byte 'at' of 'frame', or -1 behind its end.
int byte_at(const Buffer &frame, std::size_t at)
{
    return at < frame.size() ? frame[at] : -1;
}

// Where the IP header of this version is; 0 if there is none.
std::size_t find_ip(const Buffer &frame, int version)
{
    std::size_t at = 12;
    for (int tags = 0; tags < 2; tags++) {
        const bool customer =
            byte_at(frame, at) == 0x81 && byte_at(frame, at + 1) == 0x00;
        const bool service =
            byte_at(frame, at) == 0x88 && byte_at(frame, at + 1) == 0xa8;
        at += customer || service ? 4 : 0;
    }
    const bool is_type =
        version == 4
            ? byte_at(frame, at) == 0x08 && byte_at(frame, at + 1) == 0x00
            : byte_at(frame, at) == 0x86 && byte_at(frame, at + 1) == 0xdd;
    const std::size_t header = version == 4 ? 20 : 40;
    // Nothing shorter than a frame with an IPv4 header is looked at.
    const bool is_there =
        byte_at(frame, 33) >= 0 && byte_at(frame, at + 2 + header - 1) >= 0;
    return is_type && is_there && frame[at + 2] >> 4 == version ? at + 2 : 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data,
                                      std::size_t n_bytes)
{
    const Buffer before(data, data + n_bytes);
    const std::size_t ipv4 = find_ip(before, 4);
    const std::size_t ipv6 = find_ip(before, 6);

    for (const bool otherwise : {false, true}) {
        require(eoip::inherited_df(before, otherwise)
                == (ipv4 ? (before[ipv4 + 6] & 0x40) != 0 : otherwise));
    }

    Buffer frame = before;
    eoip::take_over_ect1(frame);
    Buffer expected = before;
    if (ipv4 && (before[ipv4 + 1] & 3) == 2) {
        expected[ipv4 + 1] -= 1;
        // As right or as wrong as it was.
        const auto sum = [ipv4](const Buffer &of) {
            return eoip::test::reference_checksum(&of[ipv4], 20) % 0xffff;
        };
        require(sum(frame) == sum(before));
        expected[ipv4 + 10] = frame[ipv4 + 10];
        expected[ipv4 + 11] = frame[ipv4 + 11];
    } else if (ipv6 && (before[ipv6 + 1] >> 4 & 3) == 2) {
        expected[ipv6 + 1] -= 0x10;
    }
    require(frame == expected);
    return 0;
}
