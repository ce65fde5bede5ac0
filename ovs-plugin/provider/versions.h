/* SPDX-License-Identifier: Apache-2.0
 *
 * What of the switch and of the kernel's module is older than what is
 * installed: see versions.cc.  Main thread. */

#ifndef EOIP_VERSIONS_H
#define EOIP_VERSIONS_H 1

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Returns what ovs-appctl eoip/version says, to be freed by the caller. */
char *eoip_version_format(void);

/* Logs what is older than it should be, and was not logged before: of the
 * kernel's module if ports are 'in_kernel'. */
void eoip_version_log(bool in_kernel);

#ifdef __cplusplus
}

#include <string>
#include <vector>

namespace eoip {

// One sentence for each, of the kernel's module only if ports are 'in_kernel';
// what was not found before goes to the log as well.
[[nodiscard]] std::vector<std::string> version_warnings(bool in_kernel);

}  // namespace eoip

#endif /* __cplusplus */

#endif /* versions.h */
