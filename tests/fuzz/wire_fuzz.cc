// SPDX-License-Identifier: Apache-2.0
//
// libFuzzer target for eoip/wire.h and eoip/wire6.h: any bytes as a received
// packet.  The sanitizers watch the reads, the checks below the meaning.

#include "eoip/wire6.h"

#include <cstdlib>
#include <cstring>

#include "../unit/packet.h"

namespace {

using eoip::Received;
using eoip::test::Buffer;

void require(bool condition)
{
    if (!condition) {
        std::abort();
    }
}

void put_checksum(Buffer &header)
{
    header[10] = header[11] = 0;
    eoip::store_be16(&header[10], eoip::test::reference_checksum(
                                      header.data(), eoip::kIpv4HeaderBytes));
}

void check_bounds(eoip::Bytes packet, const Received &rx)
{
    const std::size_t ip_bytes = eoip::load_be16(packet.data() + 2);
    require(rx.key_known);
    require(ip_bytes <= packet.size());
    require(eoip::kFrameOffset + rx.frame_bytes <= ip_bytes);
    require(rx.trimmed == (eoip::kFrameOffset + rx.frame_bytes < ip_bytes));
    require(rx.kind == Received::Kind::keepalive
                ? rx.frame_bytes == 0
                : rx.frame_bytes >= EOIP_FRAME_MIN);
}

// Sends what was received with the same outer header: the same bytes.
void check_sent_back(eoip::Bytes packet, const Received &rx)
{
    Buffer original(packet.begin(), packet.begin() + eoip::kFrameOffset);
    put_checksum(original);

    Buffer sent = original;
    std::memset(&sent[2], 0, 4);  // Total length and id.
    put_checksum(sent);
    eoip::put_header(&sent[eoip::kIpv4HeaderBytes], rx.key, 0);
    eoip::complete_header(sent.data(), rx.frame_bytes,
                          eoip::load_be16(&original[4]));
    require(sent == original);
}

void check_received(eoip::Bytes packet, const Received &rx)
{
    if (rx.kind == Received::Kind::drop) {
        require(rx.drop < EOIP_N_DROPS);
        return;
    }
    check_bounds(packet, rx);
    if (!rx.trimmed) {
        check_sent_back(packet, rx);
    }
}

// What is good of EoIPv6 is in bounds, and is sent back as the same bytes.
void check_received6(eoip::Bytes packet, const Received &rx)
{
    require(!rx.trimmed);
    if (rx.kind == Received::Kind::drop) {
        require(rx.drop < EOIP_N_DROPS);
        return;
    }
    require(rx.key_known && rx.key <= EOIP6_KEY_MAX);
    require(eoip::kFrameOffset6 + rx.frame_bytes <= packet.size());
    require(rx.kind == Received::Kind::keepalive
                ? rx.frame_bytes == 0
                : rx.frame_bytes >= EOIP_FRAME_MIN);

    Buffer original(packet.begin(), packet.begin() + eoip::kFrameOffset6);
    original[1] &= 0xf0;
    original[2] = original[3] = 0;
    Buffer sent = original;
    sent[3] = 3;
    eoip::put_header6(&sent[eoip::kIpv6HeaderBytes], rx.key);
    eoip::complete_header6(sent.data(), rx.frame_bytes);
    require(sent == original);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data,
                                      std::size_t n_bytes)
{
    const eoip::Bytes packet(data, n_bytes);
    const Received unchecked = eoip::receive(packet, true);
    const Received checked = eoip::receive(packet, false);

    check_received(packet, unchecked);
    check_received(packet, checked);
    check_received6(packet, eoip::receive6(packet));
    if (checked.kind != Received::Kind::drop) {
        require(unchecked.kind == checked.kind);
        require(unchecked.key == checked.key);
        require(unchecked.frame_bytes == checked.frame_bytes);
    }
    return 0;
}
