// SPDX-License-Identifier: Apache-2.0
//
// Puts outer packets, of IPv4 and of IPv6, together again from their
// fragments.
//
// RouterOS fragments the outer packet by default, so this is everyday traffic
// where bridged networks run 1500-byte frames.  [doc]  Fragments are also the
// easiest thing to attack a receiver with, so all that is kept is bounded:
// packets, bytes, fragments and bytes of one packet, time.  When there is no
// room the oldest packet goes, because fragments that belong together arrive
// together.
//
// One Reassembler is used by one thread at a time; the caller locks.  It reads
// no clock: 'now' goes in.  It allocates, but only for fragments.

#ifndef EOIP_REASSEMBLY_H
#define EOIP_REASSEMBLY_H

#include <array>
#include <chrono>
#include <cstdint>
#include <list>
#include <unordered_map>
#include <vector>

#include "eoip/frame.h"
#include "eoip/wire6.h"

namespace eoip {

using Time = std::chrono::milliseconds;  // Since any fixed moment.

// Jumbo frames of 9216 bytes, with their Ethernet header and two VLAN tags.
inline constexpr std::size_t kDefaultMaxFrame = 9216 + 14 + 2 * 4;

struct ReassemblyLimits {
    std::size_t packets = 8192;    // Incomplete ones at once.
    std::size_t bytes = 32 << 20;  // All that is kept, with what it takes.
    std::size_t fragments = 128;   // Of one packet.
    std::size_t frame = kDefaultMaxFrame;  // Bytes of one in a packet.
    // Short, because ids come round again: with 65536 of them a fast peer
    // needs less than a second (RFC 4963).
    Time timeout{500};

    bool operator==(const ReassemblyLimits &) const = default;
};

struct ReassemblyCounters {
    std::uint64_t packets = 0;     // Put together.
    std::uint64_t fragments = 0;   // That those packets were made of.
    std::uint64_t duplicates = 0;  // Fragments that were there already.
    std::uint64_t unwanted = 0;    // The others of packets that are too big.
    // In fragments, but of packets that are too big in packets.
    std::array<std::uint64_t, EOIP_N_DROPS> drops{};
};

class Reassembler {
public:
    // 'seed' keeps others from choosing packets that hash alike.
    Reassembler(const ReassemblyLimits &limits, std::uint64_t seed);

    // Takes the fragment whose IP header 'packet' begins with; it may run on
    // into Ethernet padding.  Copies what it keeps.  Returns the whole packet,
    // from its IP header on, if this was its last missing piece, and otherwise
    // an empty vector.  Between an IPv6 header and its fragment header there
    // may be no other.
    [[nodiscard]] std::vector<std::uint8_t> add(Bytes packet, Time now);

    // Lets go of what is older than the timeout.
    void expire(Time now);

    // Takes effect at once.
    void set_limits(const ReassemblyLimits &limits);

    [[nodiscard]] const ReassemblyCounters &counters() const
    {
        return counters_;
    }
    [[nodiscard]] std::size_t packets() const { return assemblies_.size(); }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    [[nodiscard]] std::size_t fragments() const { return fragments_; }

private:
    struct Key {
        std::array<std::uint64_t, 4> addresses;  // Of IPv4 the first only.
        std::uint32_t id;
        std::uint16_t protocol;  // And the version, above it.

        bool operator==(const Key &) const = default;
    };

    struct Hash {
        std::uint64_t seed;
        std::size_t operator()(const Key &key) const;
    };

    struct Piece {
        std::uint16_t begin;  // In the packet's payload.
        std::vector<std::uint8_t> bytes;
        [[nodiscard]] std::size_t end() const { return begin + bytes.size(); }
    };

    using Pieces = std::vector<Piece>;

    // One packet on its way to be complete.  Once 'dead' it holds nothing and
    // only keeps later fragments from beginning it anew.
    struct Assembly {
        Pieces pieces;  // Sorted, without overlap.
        std::array<std::uint8_t, EOIP_IPV6_HLEN> header;  // Of offset 0.
        std::size_t payload_bytes = 0;                      // In all pieces.
        std::size_t end = 0;        // Of the payload; 0: not known yet.
        std::uint8_t ecn_seen = 0;  // A bit for each code point.
        bool dead = false;
        eoip_drop why{};  // If 'dead'.
        Time since{};
        std::list<Key>::iterator age;
    };
    using Assemblies = std::unordered_map<Key, Assembly, Hash>;

    struct Fragment;

    bool parse_ipv4(Bytes packet, Fragment &fragment);
    bool parse_ipv6(Bytes packet, Fragment &fragment);
    std::vector<std::uint8_t> unwrap(const Fragment &fragment);
    std::vector<std::uint8_t> add_fragment(const Fragment &fragment, Time now);
    Assemblies::iterator find_or_begin(const Key &key, Time now);
    bool insert(Assembly &assembly, const Fragment &fragment);
    [[nodiscard]] bool is_too_big(const Fragment &fragment) const;
    static bool overlaps(const Assembly &assembly, const Fragment &fragment,
                         Pieces::const_iterator next);
    static std::vector<std::uint8_t> assemble(const Key &key,
                                              const Assembly &assembly);
    void drop(eoip_drop why, std::size_t fragments = 1);
    void drop_more(const Assembly &assembly, std::size_t fragments);
    void empty(Assembly &assembly);
    void kill(Assembly &assembly, eoip_drop why);
    void forget(Assemblies::iterator it);
    void end(Assemblies::iterator it, eoip_drop why);
    void make_room();

    ReassemblyLimits limits_;
    ReassemblyCounters counters_;
    Assemblies assemblies_;
    std::list<Key> ages_;  // Oldest first.
    std::size_t bytes_ = 0;
    std::size_t fragments_ = 0;
};

// True if the packet, which begins with the 20 or 40 bytes of an IP header, is
// a fragment.  Of IPv6 what has the header of one is.
[[nodiscard]] inline bool is_fragment(const std::uint8_t *packet)
{
    return packet[0] >> 4 == 6 ? packet[6] == EOIP_FRAGMENT_HEADER
                               : (eoip_load_be16(packet + 6) & 0x3fff) != 0;
}

}  // namespace eoip

#endif  // EOIP_REASSEMBLY_H
