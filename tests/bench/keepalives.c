/* SPDX-License-Identifier: Apache-2.0
 *
 * keepalives N VALUE SECONDS ROUNDS: N tunnels with keepalive=VALUE, served by
 * the provider's thread.  After a round, in which all were sent for the first
 * time, prints for each of ROUNDS rounds of about SECONDS: how long it was,
 * the CPU seconds of the whole process, and the packets that left device u0.
 * Exits 77 if this OVS has no eoip.  The script `keepalives` runs it in a
 * namespace of its own. */

#include "ovs_shim.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double
cpu_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec
           + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double
now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static unsigned long
sent_packets(void)
{
    FILE *file = fopen("/sys/class/net/u0/statistics/tx_packets", "r");
    unsigned long n = 0;

    if (!file || fscanf(file, "%lu", &n) != 1) {
        fprintf(stderr, "no device u0\n");
        exit(1);
    }
    fclose(file);
    return n;
}

int
main(int argc, char *argv[])
{
    if (argc != 5) {
        fprintf(stderr, "usage: %s N VALUE SECONDS ROUNDS\n", argv[0]);
        return 2;
    }
    if (!bench_keepalives_open(strtoul(argv[1], NULL, 10), argv[2])) {
        return 77;
    }

    unsigned int seconds = strtoul(argv[3], NULL, 10);
    unsigned long rounds = strtoul(argv[4], NULL, 10);
    for (unsigned long i = 0; i <= rounds; i++) {
        double begun = now(), cpu = cpu_seconds();
        unsigned long sent = sent_packets();

        sleep(seconds);
        if (i) {
            sent = sent_packets() - sent;
            printf("%f %f %lu\n", now() - begun, cpu_seconds() - cpu, sent);
            fflush(stdout);
        }
    }
    return 0;
}
