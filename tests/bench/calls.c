/* SPDX-License-Identifier: Apache-2.0
 *
 * calls TYPE push|pop BATCHES SIZE [OTHERS]: pushes or pops that many batches of
 * SIZE packets in one tunnel among OTHERS idle ones.  `instructions` runs it
 * under callgrind and counts inside the call only, so what happens around it
 * costs nothing.  Exits 77 if this OVS does not know TYPE. */

#include "ovs_shim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
main(int argc, char *argv[])
{
    if (argc < 5) {
        fprintf(stderr, "usage: %s TYPE push|pop BATCHES SIZE [OTHERS]\n",
                argv[0]);
        return 2;
    }

    bool push = !strcmp(argv[2], "push");
    unsigned long batches = strtoul(argv[3], NULL, 10);
    unsigned long size = strtoul(argv[4], NULL, 10);
    unsigned long others = argc > 5 ? strtoul(argv[5], NULL, 10) : 0;
    struct bench_tunnel *tunnel = size && size <= BENCH_BATCH
        ? bench_tunnel_open(argv[1], others, size) : NULL;

    if (!tunnel) {
        return 77;
    }
    for (unsigned long i = 0; i < batches; i++) {
        if (push) {
            bench_tunnel_rewind_push(tunnel);
            bench_tunnel_push(tunnel);
        } else {
            bench_tunnel_rewind_pop(tunnel);
            bench_tunnel_pop(tunnel);
        }
    }
    if (!(push ? bench_tunnel_is_pushed(tunnel)
               : bench_tunnel_is_popped(tunnel))) {
        fprintf(stderr, "%s %s went wrong\n", argv[1], argv[2]);
        return 1;
    }
    return 0;
}
