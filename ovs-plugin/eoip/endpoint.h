// SPDX-License-Identifier: Apache-2.0
//
// An end of a tunnel: an address, a host name, or a word that leaves it open.
//
// Pure functions for options.cc and the provider; names are not resolved here.

#ifndef EOIP_ENDPOINT_H
#define EOIP_ENDPOINT_H

#include <string>
#include <string_view>

#include "eoip/address.h"

namespace eoip {

// What is wrong with a value, to be read after "name=value "; empty if nothing
// is.
using Fault = std::string_view;

// An end of the tunnel as configured.
struct Endpoint {
    enum class Kind { any, flow, learn, address, host_name };

    Kind kind = Kind::any;
    Address address;        // Only if 'kind' is address.
    std::string host_name;  // Only if 'kind' is host_name.

    bool operator==(const Endpoint &) const = default;
};

// Parses 'value' into 'endpoint', which stays as it is if there is a fault.
[[nodiscard]] Fault parse_endpoint(std::string_view value, Endpoint &endpoint);

// The address, the name, or the word that leaves it open.
[[nodiscard]] std::string format_endpoint(const Endpoint &endpoint);

[[nodiscard]] inline bool is_ipv4(const Endpoint &end)
{
    return end.kind == Endpoint::Kind::address && end.address.is_ipv4();
}

[[nodiscard]] inline bool is_ipv6(const Endpoint &end)
{
    return end.kind == Endpoint::Kind::address && !end.address.is_ipv4();
}

}  // namespace eoip

#endif  // EOIP_ENDPOINT_H
