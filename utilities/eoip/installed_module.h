// SPDX-License-Identifier: Apache-2.0
//
// The file of the module eoip that this kernel would load by itself.

#ifndef EOIP_UTILITIES_INSTALLED_MODULE_H
#define EOIP_UTILITIES_INSTALLED_MODULE_H

#include <string>

namespace eoip {

// A field of it as modinfo(8) names it, or "": there is no module, or it lacks
// the field.
[[nodiscard]] std::string installed_module_field(const std::string &field);

// Why the kernel refuses to load it for want of a signature, as with Secure
// Boot, and what mends that, in one sentence.  "" if there is none, or the
// kernel takes it, or this user cannot see which keys the kernel knows.
[[nodiscard]] std::string installed_module_fault();

}  // namespace eoip

#endif  // EOIP_UTILITIES_INSTALLED_MODULE_H
