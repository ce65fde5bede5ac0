/* SPDX-License-Identifier: Apache-2.0
 *
 * keepalives N VALUE INTERVAL ROUNDS: N tunnels with keepalive=VALUE, served
 * by the provider's thread.  After one INTERVAL (seconds), in which all were
 * sent for the first time, prints the CPU seconds of the whole process for
 * each of ROUNDS intervals, one a line.  Exits 77 if this OVS has no eoip.
 * The script `keepalives` runs it in a namespace of its own. */

#include "ovs_shim.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static double
cpu_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec
           + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int
main(int argc, char *argv[])
{
    if (argc != 5) {
        fprintf(stderr, "usage: %s N VALUE INTERVAL ROUNDS\n", argv[0]);
        return 2;
    }
    if (!bench_keepalives_open(strtoul(argv[1], NULL, 10), argv[2])) {
        return 77;
    }

    unsigned int interval = strtoul(argv[3], NULL, 10);
    unsigned long rounds = strtoul(argv[4], NULL, 10);
    for (unsigned long i = 0; i <= rounds; i++) {
        double before = cpu_seconds();

        sleep(interval);
        if (i) {
            printf("%f\n", cpu_seconds() - before);
            fflush(stdout);
        }
    }
    return 0;
}
