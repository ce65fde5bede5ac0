// SPDX-License-Identifier: Apache-2.0
//
// Findings as text: see findings.h.

#include "findings.h"

namespace eoip {

std::string findings_text(std::span<const Finding> findings)
{
    std::string text;
    for (const Finding &finding : findings) {
        text += finding.subject + (finding.subject.empty() ? "" : ": ")
                + finding.sentence + "\n";
        for (const std::string &command : finding.commands) {
            text += "    " + command + "\n";
        }
    }
    return text.empty() ? "nothing wrong found\n" : text;
}

}  // namespace eoip
