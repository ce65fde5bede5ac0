// SPDX-License-Identifier: Apache-2.0
//
// The values of the options for IPsec: rows of the table in option_values.cc.
// Pure functions.

#ifndef EOIP_IPSEC_VALUES_H
#define EOIP_IPSEC_VALUES_H

#include <string>
#include <string_view>

#include "eoip/options.h"

namespace eoip {

// Each puts a value into 'config', or returns what is wrong with it.
[[nodiscard]] Fault parse_psk(std::string_view value, Config &config);
[[nodiscard]] Fault parse_ike_version(std::string_view value, Config &config);
[[nodiscard]] Fault parse_ike_proposals(std::string_view value,
                                        Config &config);
[[nodiscard]] Fault parse_esp_proposals(std::string_view value,
                                        Config &config);

[[nodiscard]] std::string format_psk(const Config &config);
[[nodiscard]] std::string format_ike_version(const Config &config);
[[nodiscard]] std::string format_ike_proposals(const Config &config);
[[nodiscard]] std::string format_esp_proposals(const Config &config);

}  // namespace eoip

#endif  // EOIP_IPSEC_VALUES_H
