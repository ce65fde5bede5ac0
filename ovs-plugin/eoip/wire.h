// SPDX-License-Identifier: Apache-2.0
//
// EoIP over IPv4 on the wire: packet in, frame out, and the reverse.
//
// Called once per packet by the switch, so everything here is inline, touches
// nothing but its arguments, and never allocates.  No OVS, no sockets.  The
// layout is in <linux/eoip.h>; host order begins behind these functions.

#ifndef EOIP_WIRE_H
#define EOIP_WIRE_H

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include <linux/eoip.h>

namespace eoip {

using Bytes = std::span<const std::uint8_t>;

inline constexpr std::size_t kIpv4HeaderBytes = 20;
inline constexpr std::size_t kHeaderBytes = EOIP_HLEN;
inline constexpr std::size_t kFrameOffset = kIpv4HeaderBytes + kHeaderBytes;

[[nodiscard]] inline std::uint16_t load_be16(const std::uint8_t *p)
{
    std::uint16_t value;
    std::memcpy(&value, p, sizeof value);
    return std::endian::native == std::endian::big ? value
                                                   : __builtin_bswap16(value);
}

[[nodiscard]] inline std::uint16_t load_le16(const std::uint8_t *p)
{
    return __builtin_bswap16(load_be16(p));
}

[[nodiscard]] inline std::uint32_t load_be32(const std::uint8_t *p)
{
    std::uint32_t value;
    std::memcpy(&value, p, sizeof value);
    return std::endian::native == std::endian::big ? value
                                                   : __builtin_bswap32(value);
}

inline void store_be16(std::uint8_t *p, std::uint16_t value)
{
    if constexpr (std::endian::native != std::endian::big) {
        value = __builtin_bswap16(value);
    }
    std::memcpy(p, &value, sizeof value);
}

inline void store_le16(std::uint8_t *p, std::uint16_t value)
{
    store_be16(p, __builtin_bswap16(value));
}

// What one received packet turned out to be.
struct Received {
    enum class Kind : std::uint8_t { frame, keepalive, drop };

    Kind kind;
    bool key_known;             // 'key' was read, also when dropped.
    bool trimmed;               // IP carried more bytes than the length field.
    eoip_drop drop;             // Why, if 'kind' is drop.
    std::uint16_t key;          // Tunnel id.
    std::uint16_t frame_bytes;  // Length of the frame at kFrameOffset.
};

// One's complement sum over an IPv4 header without options.  In the byte order
// of memory, which the sum does not depend on.
[[nodiscard]] inline std::uint16_t ipv4_sum(const std::uint8_t *header)
{
    std::uint64_t sum = 0;
#pragma GCC unroll 5
    for (std::size_t i = 0; i < kIpv4HeaderBytes; i += 4) {
        std::uint32_t word;
        std::memcpy(&word, header + i, sizeof word);
        sum += word;
    }
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(sum);
}

[[nodiscard]] inline bool ipv4_checksum_ok(const std::uint8_t *header)
{
    return ipv4_sum(header) == 0xffff;
}

// Computes the checksum of an IPv4 header without options, and stores it.
inline void put_ipv4_checksum(std::uint8_t *header)
{
    store_be16(header + 10, 0);
    const std::uint16_t sum = ~ipv4_sum(header);
    std::memcpy(header + 10, &sum, sizeof sum);
}

// The address at 'source' is one that no other host has: of this host only, of
// nobody yet, or of many.  240.0.0.0/4 but for the last is none, as in Linux.
[[nodiscard]] inline bool is_martian_source(const std::uint8_t *source)
{
    const std::uint8_t net = source[0];
    // Most are told by two comparisons.
    return (net - 1u >= 0xdf || net == 127)
           && (net < 0xf0 || load_be32(source) == 0xffffffff);
}

// No host sends such a packet to another; it begins at its IPv4 header.
[[nodiscard]] inline bool is_martian(const std::uint8_t *ip)
{
    return is_martian_source(ip + 12) || std::memcmp(ip + 12, ip + 16, 4) == 0;
}

// What a packet with a frame of a length that is not allowed is.
[[nodiscard]] inline Received no_frame(std::uint16_t frame_bytes, bool trimmed,
                                       std::uint16_t key)
{
    return {frame_bytes ? Received::Kind::drop : Received::Kind::keepalive,
            true,
            trimmed,
            frame_bytes < EOIP_FRAME_MIN ? EOIP_DROP_FRAME_TOO_SHORT
                                         : EOIP_DROP_FRAME_TOO_BIG,
            key,
            frame_bytes};
}

// Looks at one outer packet of IP protocol 47.  'packet' begins at the IPv4
// header and may run on into Ethernet padding: only the IP total length bounds
// the payload.  [cap]  With 'checksum_verified' the header's checksum is not
// computed again.
//
// Rules [peer]: more bytes than the length field says are cut off, fewer are a
// drop, a length of 1 to 13 is a drop, 0 is a keepalive.  Nothing is required
// of TOS, TTL or the IP id.  [cap]  What is longer than 'max_frame' is a drop.
//
// Inlined always: the caller takes the result apart, and a struct of bytes
// that is returned whole waits for its own stores.
[[nodiscard, gnu::always_inline]] inline Received
receive(Bytes packet, bool checksum_verified,
        std::size_t max_frame = EOIP_FRAME_MAX)
{
    using Kind = Received::Kind;
    auto drop = [](eoip_drop why) {
        return Received{Kind::drop, false, false, why, 0, 0};
    };

    if (packet.size() < kIpv4HeaderBytes) [[unlikely]] {
        return drop(EOIP_DROP_IP_HEADER);
    }
    const std::uint8_t *ip = packet.data();
    if (ip[0] != 0x45) [[unlikely]] {
        return drop(ip[0] > 0x45 && ip[0] <= 0x4f ? EOIP_DROP_IP_OPTIONS
                                                  : EOIP_DROP_IP_HEADER);
    }
    const std::size_t ip_bytes = load_be16(ip + 2);
    if (ip_bytes > packet.size() || ip_bytes < kIpv4HeaderBytes) [[unlikely]] {
        return drop(EOIP_DROP_IP_HEADER);
    }
    if (!checksum_verified && !ipv4_checksum_ok(ip)) [[unlikely]] {
        return drop(EOIP_DROP_IP_CHECKSUM);
    }
    if (load_be16(ip + 6) & 0x3fff) [[unlikely]] {  // MF or an offset.
        return drop(EOIP_DROP_FRAGMENT);
    }
    if (ip_bytes < kFrameOffset) [[unlikely]] {
        return drop(EOIP_DROP_TRUNCATED);
    }
    const std::uint8_t *eoip = ip + kIpv4HeaderBytes;
    if (load_be32(eoip) != EOIP_MAGIC) [[unlikely]] {
        return drop(EOIP_DROP_NOT_EOIP);
    }

    const std::uint16_t key = load_le16(eoip + 6);
    const std::uint16_t frame_bytes = load_be16(eoip + 4);
    const std::size_t carried = ip_bytes - kFrameOffset;
    if (is_martian(ip)) [[unlikely]] {
        return {Kind::drop, true, false, EOIP_DROP_MARTIAN, key, frame_bytes};
    }
    if (frame_bytes > carried) [[unlikely]] {
        return {Kind::drop, true,       false, EOIP_DROP_LENGTH_BEYOND_PACKET,
                key,        frame_bytes};
    }
    const bool trimmed = frame_bytes < carried;
    if (frame_bytes < EOIP_FRAME_MIN || frame_bytes > max_frame) [[unlikely]] {
        return no_frame(frame_bytes, trimmed, key);
    }
    return {Kind::frame, true, trimmed, {}, key, frame_bytes};
}

// What shares IP protocol 47 with EoIP.
enum class GreKind : std::uint8_t { eoip, erspan, gre };

// Tells by the first four bytes of an IP payload.  Where fewer are left, what
// can be EoIP's is EoIP's, so that it is counted.
[[nodiscard]] inline GreKind classify(Bytes payload)
{
    constexpr std::uint8_t kMagic[] = {0x20, 0x01, 0x64, 0x00};
    const std::size_t n = payload.size() < 4 ? payload.size() : 4;

    if (n == 0 || std::memcmp(payload.data(), kMagic, n) == 0) {
        return GreKind::eoip;
    }
    if (n < 4 || (payload[1] & 7) != 0) {  // Version 1 is PPTP's.
        return GreKind::gre;
    }
    const std::uint16_t protocol = load_be16(payload.data() + 2);
    return protocol == 0x88be || protocol == 0x22eb ? GreKind::erspan
                                                    : GreKind::gre;
}

// Writes the EoIP header of a frame of 'frame_bytes' in tunnel 'key' to the
// kHeaderBytes at 'out'.  A keepalive has 'frame_bytes' 0.
inline void put_header(std::uint8_t *out, std::uint16_t key,
                       std::uint16_t frame_bytes)
{
    store_be16(out, EOIP_MAGIC >> 16);
    store_be16(out + 2, EOIP_MAGIC & 0xffff);
    store_be16(out + 4, frame_bytes);
    store_le16(out + 6, key);
}

// Completes a prepared outer header for one frame.  'ip' points to
// kFrameOffset bytes: an IPv4 header whose total length and id are 0 and whose
// checksum is right for that, and an EoIP header with length 0.  'frame_bytes'
// is at most EOIP_FRAME_MAX.  The checksum is updated as RFC 1624 says.
inline void complete_header(std::uint8_t *ip, std::uint16_t frame_bytes,
                            std::uint16_t ip_id)
{
    const std::uint16_t total = frame_bytes + kFrameOffset;

    store_be16(ip + 2, total);
    store_be16(ip + 4, ip_id);
    std::uint32_t sum = std::uint16_t(~load_be16(ip + 10));
    sum += total;
    sum += ip_id;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    store_be16(ip + 10, ~sum);
    store_be16(ip + kIpv4HeaderBytes + 4, frame_bytes);
}

// Payload bytes of the largest fragment of a packet, its last one aside, on an
// underlay with this MTU; 0 if none can be sent there.
[[nodiscard]] inline std::size_t fragment_bytes(std::size_t mtu)
{
    return mtu < kIpv4HeaderBytes ? 0 : (mtu - kIpv4HeaderBytes) / 8 * 8;
}

// Makes 'header', a copy of the IPv4 header of a whole packet, that of its
// fragment with the 'bytes' of payload from 'offset' on.
inline void make_fragment(std::uint8_t *header, std::size_t offset,
                          std::size_t bytes, bool more)
{
    store_be16(header + 2,
               static_cast<std::uint16_t>(kIpv4HeaderBytes + bytes));
    store_be16(header + 6,
               static_cast<std::uint16_t>(offset / 8 | (more ? 0x2000 : 0)));
    put_ipv4_checksum(header);
}

}  // namespace eoip

#endif  // EOIP_WIRE_H
