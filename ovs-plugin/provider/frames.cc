// SPDX-License-Identifier: Apache-2.0
//
// The packet path's way from C to what frames say of the packets around them.

#include "frames.h"

#include "eoip/frame.h"

bool eoip_inherited_df(const void *frame, size_t n_bytes, bool otherwise)
{
    return eoip::inherited_df(
        {static_cast<const std::uint8_t *>(frame), n_bytes}, otherwise);
}

bool eoip_take_over_ecn(void *frame, size_t n_bytes, uint8_t tos)
{
    const std::span bytes(static_cast<std::uint8_t *>(frame), n_bytes);

    if ((tos & 3) == 1) {
        eoip::take_over_ect1(bytes);
    }
    return (tos & 3) != 3 || eoip::can_carry_ce(bytes);
}
