// SPDX-License-Identifier: Apache-2.0
//
// See reassembly.h.  Rules of RFC 791, RFC 8200 and RFC 3168; that any overlap
// ends the packet is RFC 5722's rule, and what Linux does in IPv4 too.

#include "eoip/reassembly.h"

#include <algorithm>
#include <cstring>

namespace eoip {

namespace {

constexpr std::size_t kPayloadMax = 65535 - EOIP_IPV4_HLEN;
constexpr std::size_t kPayloadMax6 = 65535;  // As IPv6 counts it.

// What a piece or an assembly costs beside its bytes: nodes, vectors and the
// allocator's own.  A little too much rather than too little.
constexpr std::size_t kPieceCost = 96;
constexpr std::size_t kAssemblyCost = 320;

constexpr std::uint8_t kNotEct = 1 << 0;  // By value of the ECN bits.
constexpr std::uint8_t kCe = 1 << 3;

std::uint64_t mix(std::uint64_t x)
{
    x = (x ^ (x >> 32)) * 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9;
    return x ^ (x >> 32);
}

// Make the header of the first fragment that of the whole packet.

void finish_ipv4(std::vector<std::uint8_t> &packet, bool congestion)
{
    if (congestion) {
        packet[1] |= 3;
    }
    eoip_store_be16(&packet[2], static_cast<std::uint16_t>(packet.size()));
    eoip_store_be16(&packet[6], 0);
    eoip_put_ipv4_checksum(packet.data());
}

void finish_ipv6(std::vector<std::uint8_t> &packet, bool congestion,
                 std::uint8_t protocol)
{
    if (congestion) {
        packet[1] |= 0x30;
    }
    eoip_store_be16(&packet[4],
               static_cast<std::uint16_t>(packet.size() - EOIP_IPV6_HLEN));
    packet[6] = protocol;
}

}  // namespace

// One received fragment.
struct Reassembler::Fragment {
    Key key;
    Bytes header;
    Bytes payload;
    std::size_t begin;
    bool last;
    std::uint8_t ecn;  // A bit, as in Assembly::ecn_seen.

    [[nodiscard]] std::size_t end() const { return begin + payload.size(); }
    // That its packet, or itself, cannot be.
    [[nodiscard]] bool is_malformed(std::size_t payload_max) const
    {
        return payload.empty() || end() > payload_max
               || (!last && payload.size() % 8);
    }
};

std::size_t Reassembler::Hash::operator()(const Key &key) const
{
    std::uint64_t hash = mix(key.addresses[0] ^ seed);
    if (key.protocol >> 8 == 6) {
        for (std::size_t i = 1; i < key.addresses.size(); i++) {
            hash = mix(hash + key.addresses[i]);
        }
    }
    return mix(hash + key.id);
}

Reassembler::Reassembler(const ReassemblyLimits &limits, std::uint64_t seed)
    : limits_(limits), assemblies_(0, Hash{seed})
{
}

void Reassembler::drop(eoip_drop why, std::size_t fragments)
{
    counters_.drops[why] += fragments;
}

// Counts fragments of a packet that has ended.  One that is too big counts
// once, with the fragment that showed it.
void Reassembler::drop_more(const Assembly &assembly, std::size_t fragments)
{
    if (assembly.why == EOIP_DROP_FRAME_TOO_BIG) {
        counters_.unwanted += fragments;
    } else {
        drop(assembly.why, fragments);
    }
}

// Frees what 'assembly' holds.
void Reassembler::empty(Assembly &assembly)
{
    bytes_ -= assembly.payload_bytes + assembly.pieces.size() * kPieceCost;
    fragments_ -= assembly.pieces.size();
    assembly.pieces = {};
    assembly.payload_bytes = 0;
}

// Ends the packet, but remembers it until the timeout.
void Reassembler::kill(Assembly &assembly, eoip_drop why)
{
    assembly.why = why;
    drop_more(assembly, assembly.pieces.size());
    empty(assembly);
    assembly.dead = true;
}

void Reassembler::forget(Assemblies::iterator it)
{
    empty(it->second);
    ages_.erase(it->second.age);
    assemblies_.erase(it);
    bytes_ -= kAssemblyCost;
}

void Reassembler::end(Assemblies::iterator it, eoip_drop why)
{
    drop(why, it->second.pieces.size());
    forget(it);
}

void Reassembler::expire(Time now)
{
    while (!ages_.empty()) {
        const auto it = assemblies_.find(ages_.front());
        if (now - it->second.since < limits_.timeout) {
            break;
        }
        end(it, EOIP_DROP_FRAGMENT_TIMEOUT);
    }
}

void Reassembler::make_room()
{
    while (assemblies_.size() > limits_.packets) {
        end(assemblies_.find(ages_.front()), EOIP_DROP_FRAGMENT_LIMIT_PACKETS);
    }
    while (bytes_ > limits_.bytes && !ages_.empty()) {
        end(assemblies_.find(ages_.front()), EOIP_DROP_FRAGMENT_LIMIT_BYTES);
    }
}

void Reassembler::set_limits(const ReassemblyLimits &limits)
{
    limits_ = limits;
    make_room();
}

Reassembler::Assemblies::iterator Reassembler::find_or_begin(const Key &key,
                                                             Time now)
{
    const auto [it, is_new] = assemblies_.try_emplace(key);
    if (is_new) {
        it->second.since = now;
        it->second.age = ages_.insert(ages_.end(), key);
        bytes_ += kAssemblyCost;
    }
    return it;
}

// True if the packet holds more than the longest frame that is delivered.
bool Reassembler::is_too_big(const Fragment &fragment) const
{
    const bool ipv6 = fragment.key.protocol >> 8 == 6;
    return fragment.end()
           > limits_.frame + (ipv6 ? EOIP6_HLEN : EOIP_HLEN);
}

// True if 'fragment' and what is there already cannot be parts of one packet.
// 'next' is the first piece that begins where it begins or later.
bool Reassembler::overlaps(const Assembly &assembly, const Fragment &fragment,
                           Pieces::const_iterator next)
{
    const auto &pieces = assembly.pieces;

    if (pieces.empty()) {
        return false;
    }
    if (assembly.end ? fragment.last || fragment.end() > assembly.end
                     : fragment.last && pieces.back().end() > fragment.end()) {
        return true;
    }
    return (next != pieces.end() && fragment.end() > next->begin)
           || (next != pieces.begin() && (next - 1)->end() > fragment.begin);
}

// Puts 'fragment' where it belongs.  Returns false, with the assembly dead, if
// it does not fit in.
bool Reassembler::insert(Assembly &assembly, const Fragment &fragment)
{
    auto &pieces = assembly.pieces;
    const auto next =
        std::find_if(pieces.begin(), pieces.end(), [&](const Piece &piece) {
            return piece.begin >= fragment.begin;
        });

    if (next != pieces.end() && next->begin == fragment.begin
        && std::equal(next->bytes.begin(), next->bytes.end(),
                      fragment.payload.begin(), fragment.payload.end())
        && fragment.last == (assembly.end == fragment.end())) {
        counters_.duplicates++;
        return true;
    }
    if (is_too_big(fragment)) {
        kill(assembly, EOIP_DROP_FRAME_TOO_BIG);
        return false;
    }
    if (overlaps(assembly, fragment, next)) {
        kill(assembly, EOIP_DROP_FRAGMENT_OVERLAP);
        return false;
    }
    if (pieces.size() >= limits_.fragments) {
        kill(assembly, EOIP_DROP_FRAGMENT_LIMIT_COUNT);
        return false;
    }

    if (fragment.begin == 0) {
        std::copy(fragment.header.begin(), fragment.header.end(),
                  assembly.header.begin());
    }
    if (fragment.last) {
        assembly.end = fragment.end();
    }
    pieces.insert(next, {static_cast<std::uint16_t>(fragment.begin),
                         {fragment.payload.begin(), fragment.payload.end()}});
    assembly.ecn_seen |= fragment.ecn;
    assembly.payload_bytes += fragment.payload.size();
    bytes_ += fragment.payload.size() + kPieceCost;
    fragments_++;
    return true;
}

// All pieces are there.
std::vector<std::uint8_t> Reassembler::assemble(const Key &key,
                                                const Assembly &assembly)
{
    const bool ipv6 = key.protocol >> 8 == 6;
    const bool congestion = assembly.ecn_seen & kCe;
    const std::size_t header_bytes =
        ipv6 ? EOIP_IPV6_HLEN : EOIP_IPV4_HLEN;
    std::vector<std::uint8_t> packet;

    packet.reserve(header_bytes + assembly.end);
    packet.assign(assembly.header.data(),
                  assembly.header.data() + header_bytes);
    for (const Piece &piece : assembly.pieces) {
        packet.insert(packet.end(), piece.bytes.begin(), piece.bytes.end());
    }
    if (ipv6) {
        finish_ipv6(packet, congestion, key.protocol & 0xff);
    } else {
        finish_ipv4(packet, congestion);
    }
    return packet;
}

// Both take 'packet' apart, or drop it and return false.

bool Reassembler::parse_ipv4(Bytes packet, Fragment &fragment)
{
    const std::uint8_t *header = packet.data();
    if (packet.size() < EOIP_IPV4_HLEN) {
        drop(EOIP_DROP_IP_HEADER);
        return false;
    }
    const std::size_t total = eoip_load_be16(header + 2);
    if (header[0] > 0x45) {
        drop(EOIP_DROP_IP_OPTIONS);
        return false;
    }
    if (header[0] < 0x45 || total > packet.size()
        || total < EOIP_IPV4_HLEN) {
        drop(EOIP_DROP_IP_HEADER);
        return false;
    }
    if (!eoip_ipv4_checksum_ok(header)) {
        drop(EOIP_DROP_IP_CHECKSUM);
        return false;
    }

    if (eoip_is_martian(header)) {
        drop(EOIP_DROP_MARTIAN);
        return false;
    }
    const std::uint64_t source = eoip_load_be32(header + 12);
    fragment = {{{source << 32 | eoip_load_be32(header + 16)},
                 eoip_load_be16(header + 4),
                 static_cast<std::uint16_t>(4 << 8 | header[9])},
                packet.first(EOIP_IPV4_HLEN),
                packet.subspan(EOIP_IPV4_HLEN, total - EOIP_IPV4_HLEN),
                (eoip_load_be16(header + 6) & 0x1fffu) * 8,
                !(header[6] & 0x20),
                static_cast<std::uint8_t>(1 << (header[1] & 3))};
    if (fragment.is_malformed(kPayloadMax)) {
        drop(EOIP_DROP_FRAGMENT_MALFORMED);
        return false;
    }
    return true;
}

bool Reassembler::parse_ipv6(Bytes packet, Fragment &fragment)
{
    constexpr std::size_t kHeaders = EOIP_IPV6_HLEN + EOIP_FRAGMENT_HLEN;
    if (packet.size() < kHeaders) {
        drop(EOIP_DROP_IP_HEADER);
        return false;
    }
    const std::size_t total = EOIP_IPV6_HLEN + eoip_load_be16(&packet[4]);
    if (packet[6] != EOIP_FRAGMENT_HEADER) {
        drop(EOIP_DROP_IP_OPTIONS);
        return false;
    }
    if (total > packet.size() || total < kHeaders) {
        drop(EOIP_DROP_IP_HEADER);
        return false;
    }

    if (eoip_is_martian6(packet.data())) {
        drop(EOIP_DROP_MARTIAN);
        return false;
    }
    const std::uint8_t *header = &packet[EOIP_IPV6_HLEN];
    fragment = {{{},
                 eoip_load_be32(header + 4),
                 static_cast<std::uint16_t>(6 << 8 | header[0])},
                packet.first(EOIP_IPV6_HLEN),
                packet.subspan(kHeaders, total - kHeaders),
                eoip_load_be16(header + 2) & 0xfff8u,
                !(header[3] & 1),
                static_cast<std::uint8_t>(1 << (packet[1] >> 4 & 3))};
    std::memcpy(fragment.key.addresses.data(), &packet[8], 32);
    if (fragment.is_malformed(kPayloadMax6)) {
        drop(EOIP_DROP_FRAGMENT_MALFORMED);
        return false;
    }
    return true;
}

std::vector<std::uint8_t> Reassembler::add(Bytes packet, Time now)
{
    Fragment fragment{};

    expire(now);
    if (packet.empty() || (packet[0] >> 4 != 4 && packet[0] >> 4 != 6)) {
        drop(EOIP_DROP_IP_HEADER);
        return {};
    }
    const bool ipv6 = packet[0] >> 4 == 6;
    if (!(ipv6 ? parse_ipv6(packet, fragment)
               : parse_ipv4(packet, fragment))) {
        return {};
    }
    return ipv6 && fragment.begin == 0 && fragment.last
               ? unwrap(fragment)
               : add_fragment(fragment, now);
}

// A packet in one piece, which other fragments with its id do not concern:
// RFC 6946.
std::vector<std::uint8_t> Reassembler::unwrap(const Fragment &fragment)
{
    std::vector<std::uint8_t> packet;

    packet.reserve(fragment.header.size() + fragment.payload.size());
    packet.assign(fragment.header.begin(), fragment.header.end());
    packet.insert(packet.end(), fragment.payload.begin(),
                  fragment.payload.end());
    finish_ipv6(packet, false, fragment.key.protocol & 0xff);
    counters_.packets++;
    counters_.fragments++;
    return packet;
}

std::vector<std::uint8_t> Reassembler::add_fragment(const Fragment &fragment,
                                                    Time now)
{
    const auto it = find_or_begin(fragment.key, now);
    Assembly &assembly = it->second;
    std::vector<std::uint8_t> packet;

    if (assembly.dead) {
        drop_more(assembly, 1);
    } else if (!insert(assembly, fragment)) {
        drop(assembly.why);
    } else if (assembly.payload_bytes == assembly.end) {
        if ((assembly.ecn_seen & kNotEct) && (assembly.ecn_seen & kCe)) {
            end(it, EOIP_DROP_FRAGMENT_ECN);
        } else {
            packet = assemble(fragment.key, assembly);
            counters_.packets++;
            counters_.fragments += assembly.pieces.size();
            forget(it);
        }
    }
    make_room();
    return packet;
}

}  // namespace eoip
