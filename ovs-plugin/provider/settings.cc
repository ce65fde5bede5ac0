// SPDX-License-Identifier: Apache-2.0
//
// See settings.h.

#include "settings.h"

#include <charconv>
#include <cstring>
#include <string>

#include "reassemblers.h"

#include "util.h"
#include <config.h>
extern "C" {
#include "smap.h"
}

namespace eoip {
namespace {

struct Limit {
    const char *name;  // In other_config.
    std::size_t fallback;
    std::size_t min;
    std::size_t max;
};

constexpr ReassemblyLimits kDefaults{};
constexpr Limit kPackets{"eoip-reassembly-packets", kDefaults.packets,
                         kReassemblers, 1 << 20};
// Each reassembler has room for a packet of 65535 bytes.
constexpr Limit kBytes{"eoip-reassembly-bytes", kDefaults.bytes,
                       kReassemblers << 18, std::size_t{1} << 32};
constexpr Limit kFragments{"eoip-reassembly-fragments", kDefaults.fragments, 2,
                           8191};
// OVS counts the bytes of a packet's block in 16 bits: this leaves 535 of them
// for the headers around the frame, and for those of the next tunnel.
constexpr Limit kFrame{"eoip-max-frame", kDefaults.frame, 1518, 65000};
constexpr Limit kTimeout{"eoip-reassembly-timeout",
                         std::size_t(kDefaults.timeout.count()), 100, 60000};
constexpr Limit kReceiveBuffer{"eoip-receive-buffer", 4 << 20, 0, 1 << 30};

std::size_t receive_buffer = kReceiveBuffer.fallback;

std::size_t read(const smap *config, const Limit &limit, std::string &errors)
{
    const char *text = smap_get(config, limit.name);
    if (!text) {
        return limit.fallback;
    }
    std::size_t value = 0;
    const char *end = text + std::strlen(text);
    const auto [stop, error] = std::from_chars(text, end, value);
    if (error == std::errc{} && stop == end && value >= limit.min
        && value <= limit.max) {
        return value;
    }
    errors += (errors.empty() ? "other_config:" : "; other_config:")
              + std::string(limit.name) + "=" + text
              + " is not valid: allowed are " + std::to_string(limit.min)
              + " to " + std::to_string(limit.max) + ", taken is "
              + std::to_string(limit.fallback);
    return limit.fallback;
}

}  // namespace
}  // namespace eoip

char *settings_configure(const smap *other_config)
{
    using namespace eoip;
    std::string errors;
    ReassemblyLimits limits;

    limits.packets = read(other_config, kPackets, errors);
    limits.bytes = read(other_config, kBytes, errors);
    limits.fragments = read(other_config, kFragments, errors);
    limits.frame = read(other_config, kFrame, errors);
    limits.timeout = Time(read(other_config, kTimeout, errors));
    set_reassembly_limits(limits);
    receive_buffer = read(other_config, kReceiveBuffer, errors);
    return errors.empty() ? nullptr : xstrdup(errors.c_str());
}

size_t settings_receive_buffer()
{
    return eoip::receive_buffer;
}
