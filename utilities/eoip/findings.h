// SPDX-License-Identifier: Apache-2.0
//
// What "eoip check" has found, and how it is said.  Pure.

#ifndef EOIP_UTILITIES_FINDINGS_H
#define EOIP_UTILITIES_FINDINGS_H

#include <span>
#include <string>
#include <vector>

namespace eoip {

struct Finding {
    std::string check;    // The kind of it, for programs: "port-down".
    std::string subject;  // A tunnel, device or bridge; "": this host.
    std::string sentence;
    std::vector<std::string> commands;  // That mend it; may be empty.

    bool operator==(const Finding &) const = default;
};

using Findings = std::vector<Finding>;

// "SUBJECT: SENTENCE", and each command below it, indented.
[[nodiscard]] std::string findings_text(std::span<const Finding> findings);

}  // namespace eoip

#endif  // EOIP_UTILITIES_FINDINGS_H
