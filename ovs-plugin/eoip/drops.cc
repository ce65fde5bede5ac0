// SPDX-License-Identifier: Apache-2.0

#include "eoip/drops.h"

#include <algorithm>
#include <iterator>
#include <string_view>

namespace {

struct Drop {
    const char *counter;
    const char *sentence;
};

constexpr std::string_view kRx = "rx_drop_";
constexpr std::string_view kTx = "tx_drop_";

// Those of enum eoip_drop in its order, then those of the kernel module alone.
constexpr Drop kDrops[] = {
#define RX(SYMBOL, NAME, SENTENCE) {"rx_drop_" NAME, SENTENCE},
#define TX(SYMBOL, NAME, SENTENCE) {"tx_drop_" NAME, SENTENCE},
    EOIP_DROPS_BY_DIRECTION(RX, TX) EOIP_KMOD_RX_DROPS(RX)
        EOIP_KMOD_TX_DROPS(TX)
#undef RX
#undef TX
};

}  // namespace

const char *eoip_drop_counter(eoip_drop drop)
{
    return kDrops[drop].counter;
}

const char *eoip_drop_name(eoip_drop drop)
{
    static_assert(kRx.size() == kTx.size());
    return kDrops[drop].counter + kRx.size();
}

bool eoip_drop_is_rx(eoip_drop drop)
{
    return std::string_view(kDrops[drop].counter).starts_with(kRx);
}

bool eoip_drop_is_fragment(eoip_drop drop)
{
    return std::string_view(eoip_drop_name(drop)).starts_with("fragment_");
}

const char *eoip_drop_sentence(const char *counter)
{
    const auto *found = std::find_if(
        std::begin(kDrops), std::end(kDrops), [counter](const Drop &drop) {
            return std::string_view(drop.counter) == counter;
        });
    return found == std::end(kDrops) ? nullptr : found->sentence;
}
