/* SPDX-License-Identifier: Apache-2.0
 *
 * The log module "eoip" for all files of the provider: OVS's macros VLOG_DBG()
 * and so on.  It is netdev-eoip.c that defines it, as only one file may. */

#ifndef EOIP_LOG_H
#define EOIP_LOG_H 1

#ifdef __cplusplus
#include <atomic>
#include "util.h"
#include <config.h>
extern "C" {
#endif

#include "openvswitch/vlog.h"

extern struct vlog_module *const eoip_log;

#ifdef __cplusplus
}
#endif

/* What VLOG_DEFINE_THIS_MODULE() gives to the file that has it. */
#define this_module (*eoip_log)

#endif /* log.h */
