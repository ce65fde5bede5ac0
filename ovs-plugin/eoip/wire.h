/* SPDX-License-Identifier: Apache-2.0
 *
 * EoIP over IPv4 on the wire: packet in, frame out, and the reverse.
 *
 * C that is also clean C++: the switch's packet path calls it in C, all else in
 * C++.  Called once per packet, so everything is inline, touches nothing but
 * its arguments, and never allocates.  No OVS, no sockets.  The layout is in
 * <linux/eoip.h>; host order begins behind these functions. */

#ifndef EOIP_WIRE_H
#define EOIP_WIRE_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <linux/eoip.h>

/* Bytes of an outer IPv4 header without options, and with the EoIP header:
 * where the frame begins. */
#define EOIP_IPV4_HLEN 20
#define EOIP_OUTER_HLEN (EOIP_IPV4_HLEN + EOIP_HLEN)

/* Inlined always, so that nothing has to be handed over in memory. */
#define EOIP_INLINE __attribute__((always_inline)) static inline
#define EOIP_NOINLINE __attribute__((noinline))
#define EOIP_UNLIKELY(CONDITION) __builtin_expect(!!(CONDITION), 0)

static inline uint16_t eoip_load_be16(const void *p)
{
    const uint8_t *bytes = (const uint8_t *) p;
    return (uint16_t) (bytes[0] << 8 | bytes[1]);
}

static inline uint16_t eoip_load_le16(const void *p)
{
    return __builtin_bswap16(eoip_load_be16(p));
}

static inline uint32_t eoip_load_be32(const void *p)
{
    const uint8_t *bytes = (const uint8_t *) p;
    return (uint32_t) bytes[0] << 24 | (uint32_t) bytes[1] << 16
           | (uint32_t) bytes[2] << 8 | bytes[3];
}

static inline void eoip_store_be16(void *p, uint16_t value)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    value = __builtin_bswap16(value);
#endif
    memcpy(p, &value, sizeof value);
}

static inline void eoip_store_le16(void *p, uint16_t value)
{
    eoip_store_be16(p, __builtin_bswap16(value));
}

/* What one received packet turned out to be. */
enum eoip_kind { EOIP_FRAME, EOIP_KEEPALIVE, EOIP_DROPPED };

struct eoip_received {
    enum eoip_kind kind;
    enum eoip_drop drop;    /* Why, if EOIP_DROPPED. */
    bool key_known;         /* 'key' was read, also when dropped. */
    bool trimmed;           /* IP carried more bytes than the length field. */
    uint16_t key;           /* Tunnel id. */
    uint16_t frame_bytes;   /* Length of the frame behind the headers. */
};

EOIP_INLINE struct eoip_received eoip_received_drop(enum eoip_drop why)
{
    struct eoip_received rx = {EOIP_DROPPED, why, false, false, 0, 0};
    return rx;
}

/* A drop of a packet whose tunnel is known. */
EOIP_INLINE struct eoip_received
eoip_received_drop_of(enum eoip_drop why, uint16_t key, uint16_t frame_bytes)
{
    struct eoip_received rx = {EOIP_DROPPED, why, true, false, key,
                               frame_bytes};
    return rx;
}

/* What a packet is whose frame has a length that may not be allowed. */
EOIP_INLINE struct eoip_received
eoip_received_frame(uint16_t frame_bytes, bool trimmed, uint16_t key,
                    size_t max_frame)
{
    struct eoip_received rx = {EOIP_FRAME, (enum eoip_drop) 0, true, trimmed,
                               key, frame_bytes};
    if (EOIP_UNLIKELY(frame_bytes < EOIP_FRAME_MIN
                      || frame_bytes > max_frame)) {
        rx.kind = frame_bytes ? EOIP_DROPPED : EOIP_KEEPALIVE;
        rx.drop = frame_bytes < EOIP_FRAME_MIN ? EOIP_DROP_FRAME_TOO_SHORT
                                               : EOIP_DROP_FRAME_TOO_BIG;
    }
    return rx;
}

/* One's complement sum over an IPv4 header without options.  In the byte order
 * of memory, which the sum does not depend on. */
static inline uint16_t eoip_ipv4_sum(const void *header)
{
    uint32_t words[EOIP_IPV4_HLEN / 4];
    uint64_t sum = 0;

    memcpy(words, header, sizeof words);
    for (size_t i = 0; i < EOIP_IPV4_HLEN / 4; i++) {
        sum += words[i];
    }
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t) sum;
}

/* True if that sum says that the header is as it was sent, which has a byte
 * that is not 0. */
EOIP_INLINE bool eoip_ipv4_checksum_ok(const void *header)
{
    const uint8_t *bytes = (const uint8_t *) header;
    uint32_t a, b, c, d, e;

    memcpy(&a, bytes, sizeof a);
    memcpy(&b, bytes + 4, sizeof b);
    memcpy(&c, bytes + 8, sizeof c);
    memcpy(&d, bytes + 12, sizeof d);
    memcpy(&e, bytes + 16, sizeof e);
    const uint64_t sum = (uint64_t) a + b + c + d + e;
    /* A one's complement sum of 16 bits is one modulo 0xffff. */
    return sum % 0xffff == 0;
}

/* Computes the checksum of an IPv4 header without options, and stores it. */
static inline void eoip_put_ipv4_checksum(void *header)
{
    uint8_t *checksum = (uint8_t *) header + 10;

    eoip_store_be16(checksum, 0);
    const uint16_t sum = (uint16_t) ~eoip_ipv4_sum(header);
    memcpy(checksum, &sum, sizeof sum);
}

/* The address at 'source' is one that no other host has: of this host only, of
 * nobody yet, or of many.  240.0.0.0/4 but for the last is none, as in Linux. */
static inline bool eoip_is_martian_source(const void *source)
{
    const uint8_t net = *(const uint8_t *) source;
    /* Most are told by two comparisons. */
    return (net - 1u >= 0xdf || net == 127)
           && (net < 0xf0 || eoip_load_be32(source) == 0xffffffff);
}

/* No host sends such a packet to another; it begins at its IPv4 header. */
static inline bool eoip_is_martian(const void *packet)
{
    const uint8_t *ip = (const uint8_t *) packet;
    return eoip_is_martian_source(ip + 12) || memcmp(ip + 12, ip + 16, 4) == 0;
}

/* Looks at one outer packet of IP protocol 47.  'packet' begins at the IPv4
 * header and may run on into Ethernet padding to 'n_bytes': only the IP total
 * length bounds the payload.  [cap]  With 'checksum_verified' the header's
 * checksum is not computed again.
 *
 * Rules [peer]: more bytes than the length field says are cut off, fewer are a
 * drop, a length of 1 to 13 is a drop, 0 is a keepalive.  Nothing is required
 * of TOS, TTL or the IP id.  [cap]  What is longer than 'max_frame' is a
 * drop.  Whether eoip_is_martian() is left to the caller. */
EOIP_INLINE struct eoip_received
eoip_receive_of_any(const void *packet, size_t n_bytes,
                    bool checksum_verified, size_t max_frame)
{
    const uint8_t *ip = (const uint8_t *) packet;

    if (EOIP_UNLIKELY(n_bytes < EOIP_IPV4_HLEN)) {
        return eoip_received_drop(EOIP_DROP_IP_HEADER);
    }
    if (EOIP_UNLIKELY(ip[0] != 0x45)) {
        return eoip_received_drop(ip[0] > 0x45 && ip[0] <= 0x4f
                                  ? EOIP_DROP_IP_OPTIONS
                                  : EOIP_DROP_IP_HEADER);
    }
    const size_t ip_bytes = eoip_load_be16(ip + 2);
    if (EOIP_UNLIKELY(ip_bytes > n_bytes || ip_bytes < EOIP_IPV4_HLEN)) {
        return eoip_received_drop(EOIP_DROP_IP_HEADER);
    }
    if (!checksum_verified && EOIP_UNLIKELY(!eoip_ipv4_checksum_ok(ip))) {
        return eoip_received_drop(EOIP_DROP_IP_CHECKSUM);
    }
    if (EOIP_UNLIKELY(eoip_load_be16(ip + 6) & 0x3fff)) {
        return eoip_received_drop(EOIP_DROP_FRAGMENT);  /* MF or an offset. */
    }
    if (EOIP_UNLIKELY(ip_bytes < EOIP_OUTER_HLEN)) {
        return eoip_received_drop(EOIP_DROP_TRUNCATED);
    }
    const uint8_t *eoip = ip + EOIP_IPV4_HLEN;
    if (EOIP_UNLIKELY(eoip_load_be32(eoip) != EOIP_MAGIC)) {
        return eoip_received_drop(EOIP_DROP_NOT_EOIP);
    }

    const uint16_t key = eoip_load_le16(eoip + 6);
    const uint16_t frame_bytes = eoip_load_be16(eoip + 4);
    const size_t carried = ip_bytes - EOIP_OUTER_HLEN;
    if (EOIP_UNLIKELY(frame_bytes > carried)) {
        return eoip_received_drop_of(EOIP_DROP_LENGTH_BEYOND_PACKET, key,
                                     frame_bytes);
    }
    return eoip_received_frame(frame_bytes, frame_bytes < carried, key,
                               max_frame);
}

/* The same, where martians are a drop. */
EOIP_INLINE struct eoip_received
eoip_receive(const void *packet, size_t n_bytes, bool checksum_verified,
             size_t max_frame)
{
    const struct eoip_received rx = eoip_receive_of_any(
        packet, n_bytes, checksum_verified, max_frame);

    return rx.key_known && EOIP_UNLIKELY(eoip_is_martian(packet))
           ? eoip_received_drop_of(EOIP_DROP_MARTIAN, rx.key, rx.frame_bytes)
           : rx;
}

/* What shares IP protocol 47 with EoIP. */
enum eoip_gre_kind {
    EOIP_GRE_IS_EOIP,
    EOIP_GRE_IS_GRE,
    EOIP_GRE_IS_ERSPAN,
    EOIP_GRE_IS_NEITHER         /* Version 1 is PPTP's; or no header. */
};

/* Tells by the first four bytes of an IP payload of 'n_bytes'.  Where fewer
 * are left, what can be EoIP's is EoIP's, so that it is counted. */
static inline enum eoip_gre_kind
eoip_classify(const void *payload, size_t n_bytes)
{
    const uint8_t magic[4] = {EOIP_MAGIC >> 24, EOIP_MAGIC >> 16 & 0xff,
                              EOIP_MAGIC >> 8 & 0xff, EOIP_MAGIC & 0xff};
    const uint8_t *gre = (const uint8_t *) payload;

    if (n_bytes == 0 || memcmp(gre, magic, n_bytes < 4 ? n_bytes : 4) == 0) {
        return EOIP_GRE_IS_EOIP;
    }
    if (n_bytes < 4 || (gre[1] & 7) != 0) {
        return EOIP_GRE_IS_NEITHER;
    }
    const uint16_t protocol = eoip_load_be16(gre + 2);
    return protocol == 0x88be || protocol == 0x22eb ? EOIP_GRE_IS_ERSPAN
                                                    : EOIP_GRE_IS_GRE;
}

/* Writes the EoIP header of a frame of 'frame_bytes' in tunnel 'key' to the
 * EOIP_HLEN bytes at 'out'.  A keepalive has 'frame_bytes' 0. */
static inline void
eoip_put_header(void *out, uint16_t key, uint16_t frame_bytes)
{
    uint8_t *header = (uint8_t *) out;

    eoip_store_be16(header, EOIP_MAGIC >> 16);
    eoip_store_be16(header + 2, EOIP_MAGIC & 0xffff);
    eoip_store_be16(header + 4, frame_bytes);
    eoip_store_le16(header + 6, key);
}

/* The tunnel id in such a header. */
static inline uint16_t eoip_key(const void *header)
{
    return eoip_load_le16((const uint8_t *) header + 6);
}

/* Completes a prepared outer header for one frame.  'header' points to
 * EOIP_OUTER_HLEN bytes: an IPv4 header whose total length and id are 0 and
 * whose checksum is right for that, and an EoIP header with length 0.
 * 'frame_bytes' is at most EOIP_FRAME_MAX.  The checksum is updated as RFC
 * 1624 says. */
static inline void
eoip_complete_header(void *header, uint16_t frame_bytes, uint16_t ip_id)
{
    const uint16_t total = (uint16_t) (frame_bytes + EOIP_OUTER_HLEN);
    uint8_t *ip = (uint8_t *) header;

    eoip_store_be16(ip + 2, total);
    eoip_store_be16(ip + 4, ip_id);
    uint32_t sum = (uint16_t) ~eoip_load_be16(ip + 10);
    sum += total;
    sum += ip_id;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    eoip_store_be16(ip + 10, (uint16_t) ~sum);
    eoip_store_be16(ip + EOIP_IPV4_HLEN + 4, frame_bytes);
}

/* Payload bytes of the largest fragment of a packet, its last one aside, on an
 * underlay with this MTU; 0 if none can be sent there. */
static inline size_t eoip_fragment_bytes(size_t mtu)
{
    return mtu < EOIP_IPV4_HLEN ? 0 : (mtu - EOIP_IPV4_HLEN) / 8 * 8;
}

/* Makes 'header', a copy of the IPv4 header of a whole packet, that of its
 * fragment with the 'bytes' of payload from 'offset' on. */
static inline void
eoip_make_fragment(void *header, size_t offset, size_t bytes, bool more)
{
    uint8_t *ip = (uint8_t *) header;

    eoip_store_be16(ip + 2, (uint16_t) (EOIP_IPV4_HLEN + bytes));
    eoip_store_be16(ip + 6, (uint16_t) (offset / 8 | (more ? 0x2000 : 0)));
    eoip_put_ipv4_checksum(ip);
}

#define EOIP_TCP 6              /* IP protocol. */
#define EOIP_TCP_SYN 0x02       /* Flag. */
#define EOIP_TCP_HLEN 20

/* The shortest frame with a TCP segment. */
#define EOIP_TCP_FRAME_MIN (14 + EOIP_IPV4_HLEN + EOIP_TCP_HLEN)

/* True for most frames that are no TCP SYN, at the cost of a few instructions:
 * those that are IPv4 without a VLAN tag, or too short. */
EOIP_INLINE bool eoip_is_plainly_no_syn(const void *frame, size_t n_bytes)
{
    const uint8_t *bytes = (const uint8_t *) frame;

    if (n_bytes < EOIP_TCP_FRAME_MIN) {
        return true;
    }
    return eoip_load_be16(bytes + 12) == 0x0800
           && (bytes[14 + 9] != EOIP_TCP
               || (bytes[14] == 0x45
                   && !(bytes[14 + EOIP_IPV4_HLEN + 13] & EOIP_TCP_SYN)));
}

#endif /* EOIP_WIRE_H */
