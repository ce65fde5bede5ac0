// SPDX-License-Identifier: Apache-2.0
//
// libFuzzer target for eoip/mss.h.  The input is an MTU, two bytes, and a
// frame.

#include "eoip/mss.h"

#include <cstdlib>
#include <vector>

namespace {

void require(bool condition)
{
    if (!condition) {
        std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data,
                                      std::size_t n_bytes)
{
    if (n_bytes < 2) {
        return 0;
    }
    const std::size_t mtu = eoip_load_be16(data);
    const std::vector<std::uint8_t> before(data + 2, data + n_bytes);
    std::vector<std::uint8_t> frame = before;

    if (!eoip::clamp_mss(frame, mtu)) {
        require(frame == before);
        return 0;
    }
    require(eoip::may_be_syn(before.data(), before.size()));
    require(!eoip_is_plainly_no_syn(before.data(), before.size()));
    std::size_t changed = 0;
    for (std::size_t i = 0; i < frame.size(); i++) {
        changed += frame[i] != before[i];
    }
    require(changed > 0 && changed <= 4);  // The MSS and the checksum.
    require(!eoip::clamp_mss(frame, mtu));
    return 0;
}
