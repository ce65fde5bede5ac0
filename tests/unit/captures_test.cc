// SPDX-License-Identifier: Apache-2.0
//
// Every packet of the RouterOS captures: received, and sent back to the same
// bytes.  The captures are in $EOIP_CAPTURES; without them the tests skip.

#include <algorithm>
#include <filesystem>
#include <set>

#include <gtest/gtest.h>

#include "eoip/wire.h"
#include "files.h"
#include "packet.h"
#include "pcap.h"
#include "received.h"

namespace eoip {
namespace {

using test::Buffer;

constexpr std::size_t kEthernetBytes = 14;

std::filesystem::path folder()
{
    const std::string given = test::environment("EOIP_CAPTURES");
    return given.empty() ? test::top_srcdir() / ".." / "shared" / "captures"
                         : std::filesystem::path(given);
}

// One file, and what [cap] says about it.
struct Capture {
    const char *name;
    std::size_t n_packets;
    std::size_t n_keepalives;
    std::size_t n_tos_fe;
    std::set<std::uint16_t> keys;
};

void PrintTo(const Capture &capture, std::ostream *out)
{
    *out << capture.name;
}

class Captures : public testing::TestWithParam<Capture> {
protected:
    void SetUp() override
    {
        const auto path = folder() / (std::string(GetParam().name) + ".pcap");
        if (!std::filesystem::exists(path)) {
            GTEST_SKIP() << "no " << path << ": set EOIP_CAPTURES";
        }
        const std::string file = test::read_file(path);
        for (const Buffer &packet : test::PcapReader(file).packets()) {
            packets_.emplace_back(packet.begin() + kEthernetBytes,
                                  packet.end());
        }
    }

    std::vector<Buffer> packets_;  // From the outer IPv4 header on.
};

// The header of 'packet' as it was before eoip_complete_header().
Buffer prepared_header(const Buffer &packet, std::uint16_t key)
{
    Buffer out(packet.begin(), packet.begin() + EOIP_OUTER_HLEN);
    eoip_store_be16(&out[2], 0);
    eoip_store_be16(&out[4], 0);
    eoip_store_be16(&out[10], 0);
    eoip_store_be16(&out[10],
               test::reference_checksum(out.data(), EOIP_IPV4_HLEN));
    eoip_put_header(&out[EOIP_IPV4_HLEN], key, 0);
    return out;
}

TEST_P(Captures, HoldWhatIsKnownOfThem)
{
    std::size_t n_keepalives = 0;
    std::size_t n_tos_fe = 0;
    std::set<std::uint16_t> keys;
    for (const Buffer &packet : packets_) {
        const Received rx = receive(packet, false);
        keys.insert(rx.key);
        n_keepalives += rx.kind == EOIP_KEEPALIVE;
        n_tos_fe += packet[1] == 0xfe;
    }
    EXPECT_EQ(packets_.size(), GetParam().n_packets);
    EXPECT_EQ(n_keepalives, GetParam().n_keepalives);
    EXPECT_EQ(n_tos_fe, GetParam().n_tos_fe);
    EXPECT_EQ(keys, GetParam().keys);
}

TEST_P(Captures, HaveTheOuterHeadersOfRouterOs)
{
    std::set<std::uint8_t> ttls;
    for (const Buffer &packet : packets_) {
        EXPECT_EQ(packet[0], 0x45);
        EXPECT_TRUE(packet[1] == 0 || packet[1] == 0xfe);
        EXPECT_EQ(eoip_load_be16(&packet[2]), packet.size());
        EXPECT_NE(eoip_load_be16(&packet[4]), 0);
        EXPECT_EQ(eoip_load_be16(&packet[6]), 0);  // No DF, no fragment.
        EXPECT_EQ(packet[9], EOIP_IPPROTO);
        ttls.insert(packet[8]);
    }
    // Sent with 255; what was received crossed eight routers.  [infer]
    EXPECT_EQ(ttls, (std::set<std::uint8_t>{247, 255}));
}

// Bytes behind the frame would be a difference here too.
TEST_P(Captures, AreSentBackByteForByte)
{
    for (const Buffer &packet : packets_) {
        const Received rx = receive(packet, false);
        ASSERT_NE(rx.kind, EOIP_DROPPED);
        ASSERT_FALSE(rx.trimmed);

        Buffer sent = prepared_header(packet, rx.key);
        eoip_complete_header(sent.data(), rx.frame_bytes, eoip_load_be16(&packet[4]));
        const auto frame = packet.begin() + EOIP_OUTER_HLEN;
        sent.insert(sent.end(), frame, frame + rx.frame_bytes);
        EXPECT_EQ(sent, packet);
    }
}

INSTANTIATE_TEST_SUITE_P(
    RouterOs, Captures,
    testing::Values(Capture{"mk-mk-arp", 4, 0, 0, {100}},
                    Capture{"mk-mk-ping", 14, 2, 2, {100, 200}},
                    Capture{"mk-mk-idle", 24, 8, 4, {100, 200}}),
    [](const auto &test) {
        std::string name = test.param.name;
        std::replace(name.begin(), name.end(), '-', '_');
        return name;
    });

}  // namespace
}  // namespace eoip
