// SPDX-License-Identifier: Apache-2.0
//
// libFuzzer target for eoip/wire.h and eoip/wire6.h: any bytes as a received
// packet, of which family it may be, and whose.  The sanitizers watch the
// reads, the checks below the meaning.

#include "eoip/wire6.h"

#include <cstdlib>
#include <cstring>

#include "../unit/packet.h"
#include "../unit/received.h"

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
    eoip_store_be16(&header[10], eoip::test::reference_checksum(
                                      header.data(), EOIP_IPV4_HLEN));
}

void check_bounds(eoip::Bytes packet, const Received &rx)
{
    const std::size_t ip_bytes = eoip_load_be16(packet.data() + 2);
    require(rx.key_known);
    require(ip_bytes <= packet.size());
    require(EOIP_OUTER_HLEN + rx.frame_bytes <= ip_bytes);
    require(rx.trimmed == (EOIP_OUTER_HLEN + rx.frame_bytes < ip_bytes));
    require(rx.kind == EOIP_KEEPALIVE
                ? rx.frame_bytes == 0
                : rx.frame_bytes >= EOIP_FRAME_MIN);
}

// Sends what was received with the same outer header: the same bytes.
void check_sent_back(eoip::Bytes packet, const Received &rx)
{
    Buffer original(packet.begin(), packet.begin() + EOIP_OUTER_HLEN);
    put_checksum(original);

    Buffer sent = original;
    std::memset(&sent[2], 0, 4);  // Total length and id.
    put_checksum(sent);
    eoip_put_header(&sent[EOIP_IPV4_HLEN], rx.key, 0);
    eoip_complete_header(sent.data(), rx.frame_bytes,
                          eoip_load_be16(&original[4]));
    require(sent == original);
}

void check_received(eoip::Bytes packet, const Received &rx)
{
    if (rx.kind == EOIP_DROPPED) {
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
    if (rx.kind == EOIP_DROPPED) {
        require(rx.drop < EOIP_N_DROPS);
        return;
    }
    require(rx.key_known && rx.key <= EOIP6_KEY_MAX);
    require(EOIP6_OUTER_HLEN + rx.frame_bytes <= packet.size());
    require(rx.kind == EOIP_KEEPALIVE
                ? rx.frame_bytes == 0
                : rx.frame_bytes >= EOIP_FRAME_MIN);

    Buffer original(packet.begin(), packet.begin() + EOIP6_OUTER_HLEN);
    Buffer sent = original;
    eoip_put_header6(&sent[EOIP_IPV6_HLEN], rx.key);
    eoip_complete_header6(sent.data(), rx.frame_bytes);
    require(sent == original);
}

// Says what protocol6() says, with lengths as their RFCs have them: 8200, and
// 4302 for the authentication header.
int reference_protocol6(eoip::Bytes packet)
{
    std::size_t end = EOIP_IPV6_HLEN;  // Of what was looked at.
    int kind = packet[6];
    for (int n = 0; n < 8; n++) {
        const bool is_extension = kind == 0 || kind == 43 || kind == 51
                                  || kind == 60 || kind == 135 || kind == 139
                                  || kind == 140;
        if (!is_extension || end + 8 > packet.size()) {
            return kind;
        }
        const std::size_t units = packet[end + 1];
        const std::size_t bytes =
            kind == 51 ? (units + 2) * 4 : (units + 1) * 8;
        kind = packet[end];
        end += bytes;
    }
    return kind;
}

void check_protocol6(eoip::Bytes packet)
{
    if (packet.size() < EOIP_IPV6_HLEN) {
        return;  // Not asked about such.
    }
    const int protocol = eoip::protocol6(packet);
    require(protocol == reference_protocol6(packet));
    if (packet[0] >> 4 != 6) {
        return;
    }
    // What receive6() takes is EoIPv6 by every question that is asked.
    const Received rx = eoip::receive6(packet);
    if (rx.kind != EOIP_DROPPED) {
        require(protocol == EOIP6_IPPROTO);
        require(eoip::is_header6(packet.subspan(EOIP_IPV6_HLEN)));
    }
}

// Three answers that exclude each other, which bytes 5 and on do not change.
void check_classify(eoip::Bytes payload)
{
    const eoip_gre_kind kind = eoip::classify(payload);
    if (payload.size() < 4) {
        require(kind != EOIP_GRE_IS_ERSPAN);
        return;
    }
    require(kind == eoip::classify(payload.first(4)));
    const std::uint32_t word = eoip_load_be32(payload.data());
    const std::uint32_t protocol = word & 0xffff;
    const bool version_0 = (word >> 16 & 7) == 0;
    const bool is_erspan =
        version_0 && (protocol == 0x88be || protocol == 0x22eb);
    require((kind == EOIP_GRE_IS_EOIP) == (word == EOIP_MAGIC));
    require((kind == EOIP_GRE_IS_ERSPAN) == is_erspan);
    require((kind == EOIP_GRE_IS_GRE) == (version_0 && !is_erspan));
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
    check_protocol6(packet);
    check_classify(packet);
    if (checked.kind != EOIP_DROPPED) {
        require(unchecked.kind == checked.kind);
        require(unchecked.key == checked.key);
        require(unchecked.frame_bytes == checked.frame_bytes);
    }
    return 0;
}
