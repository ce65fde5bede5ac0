/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "link_log.h"

#include "openvswitch/vlog.h"

VLOG_DEFINE_THIS_MODULE(eoip_link);

void
link_log_init(void)
{
    enum vlog_level rest
        = vlog_get_level(vlog_module_from_name("eoip"), VLF_SYSLOG);

    if (rest < VLL_INFO && rest == vlog_get_level(&this_module, VLF_SYSLOG)) {
        vlog_set_levels(&this_module, VLF_SYSLOG, VLL_INFO);
    }
}

void
link_log(const char *port, bool is_up, const char *why)
{
    if (is_up) {
        VLOG_INFO("%s: the link is up: %s", port, why);
    } else {
        VLOG_WARN("%s: the link is down: %s", port, why);
    }
}
