/* SPDX-License-Identifier: Apache-2.0
 *
 * EoIPv6 on the wire: packet in, frame out, and the reverse.
 *
 * As wire.h, which is for EoIP over IPv4: C that is also clean C++, inline,
 * and nothing but arguments. */

#ifndef EOIP_WIRE6_H
#define EOIP_WIRE6_H 1

#include "eoip/wire.h"

#define EOIP_IPV6_HLEN 40
#define EOIP6_OUTER_HLEN (EOIP_IPV6_HLEN + EOIP6_HLEN)

/* The extension header that makes a packet a fragment. */
#define EOIP_FRAGMENT_HLEN 8
#define EOIP_FRAGMENT_HEADER 44

/* True for the numbers of IPv6's extension headers, fragments aside. */
static inline bool eoip_is_ipv6_extension(uint8_t next_header)
{
    switch (next_header) {
    case 0:     /* Hop-by-hop options. */
    case 43:    /* Routing. */
    case 51:    /* Authentication. */
    case 60:    /* Destination options. */
    case 135:   /* Mobility. */
    case 139:   /* Host identity. */
    case 140:   /* Shim6. */
        return true;
    default:
        return false;
    }
}

/* The protocol behind the extension headers, as far as there are no more than
 * a handful; fragments have EOIP_FRAGMENT_HEADER.  'packet' of 'n_bytes'
 * begins at its IPv6 header, which is there. */
static inline uint8_t eoip_protocol6(const void *packet, size_t n_bytes)
{
    const uint8_t *ip = (const uint8_t *) packet;
    uint8_t kind = ip[6];
    size_t at = EOIP_IPV6_HLEN;

    for (int i = 0; i < 8 && eoip_is_ipv6_extension(kind); i++) {
        if (n_bytes < at + 8) {
            break;
        }
        /* Authentication counts its length in words. */
        const size_t unit = kind == 51 ? 4 : 8;
        kind = ip[at];
        at += 8 + unit * ip[at + 1];
    }
    return kind;
}

/* Tells EoIPv6 by the first two bytes of an IP payload of 'n_bytes' from
 * EtherIP, which has the same protocol number, and from GRE.  What ends before
 * is EoIPv6's, so that it is counted. */
static inline bool eoip_is_header6(const void *payload, size_t n_bytes)
{
    return n_bytes < EOIP6_HLEN
           || (eoip_load_be16(payload) & EOIP6_MAGIC_MASK) == EOIP6_MAGIC;
}

/* The tunnel id in such a header. */
static inline uint16_t eoip_key6(const void *header)
{
    const uint8_t *bytes = (const uint8_t *) header;
    return (uint16_t) (bytes[0] >> 4 << 8 | bytes[1]);
}

/* As eoip_is_martian_source(); of IPv6 loopback, multicast, IPv4 in disguise,
 * and 100::/64, which is to be discarded (RFC 6666). */
static inline bool eoip_is_martian_source6(const void *source)
{
    static const uint8_t discard[8] = {1};
    static const uint8_t zeros[10] = {0};
    const uint8_t *address = (const uint8_t *) source;

    if (address[0] == 0xff || memcmp(address, discard, sizeof discard) == 0) {
        return true;
    }
    if (memcmp(address, zeros, sizeof zeros) != 0) {
        return false;
    }
    return eoip_load_be16(address + 10) == 0xffff
           || (eoip_load_be16(address + 10) == 0
               && eoip_load_be32(address + 12) <= 1);
}

static inline bool eoip_is_martian6(const void *packet)
{
    const uint8_t *ip = (const uint8_t *) packet;
    return eoip_is_martian_source6(ip + 8) || memcmp(ip + 8, ip + 24, 16) == 0;
}

/* Looks at one outer packet.  'packet' begins at the IPv6 header and may run
 * on into Ethernet padding to 'n_bytes': only IPv6's payload length bounds the
 * payload, and it is the only length that there is, so that nothing is ever
 * trimmed.
 *
 * Rules [peer]: nothing behind EoIPv6's two bytes is a keepalive, 1 to 13
 * bytes are a drop.  Nothing is required of traffic class, flow label and hop
 * limit.  Where extension headers stand before EoIPv6, whose sender has no use
 * for them, the packet is dropped, as one with options is over IPv4. */
static inline struct eoip_received
eoip_receive6(const void *packet, size_t n_bytes, size_t max_frame)
{
    const uint8_t *ip = (const uint8_t *) packet;

    if (n_bytes < EOIP_IPV6_HLEN || ip[0] >> 4 != 6) {
        return eoip_received_drop(EOIP_DROP_IP_HEADER);
    }
    const size_t payload_bytes = eoip_load_be16(ip + 4);
    if (payload_bytes > n_bytes - EOIP_IPV6_HLEN) {
        return eoip_received_drop(EOIP_DROP_IP_HEADER);
    }
    if (ip[6] == EOIP_FRAGMENT_HEADER) {
        return eoip_received_drop(EOIP_DROP_FRAGMENT);
    }
    if (ip[6] != EOIP6_IPPROTO) {
        return eoip_received_drop(eoip_is_ipv6_extension(ip[6])
                                  ? EOIP_DROP_IP_OPTIONS
                                  : EOIP_DROP_NOT_EOIP);
    }
    if (payload_bytes < EOIP6_HLEN) {
        return eoip_received_drop(EOIP_DROP_TRUNCATED);
    }
    const uint8_t *eoip = ip + EOIP_IPV6_HLEN;
    if (!eoip_is_header6(eoip, payload_bytes)) {
        return eoip_received_drop(EOIP_DROP_NOT_EOIP);
    }

    const uint16_t key = eoip_key6(eoip);
    const uint16_t frame_bytes = (uint16_t) (payload_bytes - EOIP6_HLEN);
    return eoip_is_martian6(ip)
           ? eoip_received_drop_of(EOIP_DROP_MARTIAN, key, frame_bytes)
           : eoip_received_frame(frame_bytes, false, key, max_frame);
}

/* Writes the header of all frames and keepalives of tunnel 'key', at most
 * EOIP6_KEY_MAX, to the EOIP6_HLEN bytes at 'out'. */
static inline void eoip_put_header6(void *out, uint16_t key)
{
    eoip_store_be16(out, (uint16_t) (key >> 8 << 12 | EOIP6_MAGIC
                                     | (key & 0xff)));
}

/* Completes a prepared outer header of EOIP6_OUTER_HLEN bytes for one frame of
 * at most EOIP6_FRAME_MAX: its payload length. */
static inline void eoip_complete_header6(void *header, uint16_t frame_bytes)
{
    eoip_store_be16((uint8_t *) header + 4,
                    (uint16_t) (frame_bytes + EOIP6_HLEN));
}

/* As eoip_fragment_bytes(). */
static inline size_t eoip_fragment_bytes6(size_t mtu)
{
    const size_t headers = EOIP_IPV6_HLEN + EOIP_FRAGMENT_HLEN;
    return mtu < headers ? 0 : (mtu - headers) / 8 * 8;
}

/* As eoip_make_fragment(), with room for the fragment header behind the IPv6
 * header, which has to be EoIPv6's.  'id' is one for all fragments of a
 * packet, and another for every packet. */
static inline void
eoip_make_fragment6(void *header, size_t offset, size_t bytes, bool more,
                    uint32_t id)
{
    uint8_t *ip = (uint8_t *) header;
    uint8_t *fragment = ip + EOIP_IPV6_HLEN;

    eoip_store_be16(ip + 4, (uint16_t) (EOIP_FRAGMENT_HLEN + bytes));
    fragment[0] = ip[6];
    fragment[1] = 0;
    eoip_store_be16(fragment + 2, (uint16_t) (offset | more));
    eoip_store_be16(fragment + 4, (uint16_t) (id >> 16));
    eoip_store_be16(fragment + 6, (uint16_t) id);
    ip[6] = EOIP_FRAGMENT_HEADER;
}

#endif /* EOIP_WIRE6_H */
