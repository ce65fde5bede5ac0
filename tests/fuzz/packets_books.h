/* SPDX-License-Identifier: Apache-2.0
 *
 * The switch of packets_fuzz.c, as far as its packets need one, and the books of
 * what becomes of them: each comes out once, waits for the rest of it, or is
 * counted under a name. */

#ifndef EOIP_FUZZ_PACKETS_BOOKS_H
#define EOIP_FUZZ_PACKETS_BOOKS_H 1

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    LOCAL, EOIP, GRE, IP6GRE, WIRE, /* Ports of the datapath. */
    KEY = 100,
};

struct netdev;

#define REQUIRE(CONDITION)                                              \
    do {                                                                \
        if (!(CONDITION)) {                                             \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__,  \
                    #CONDITION);                                        \
            abort();                                                    \
        }                                                               \
    } while (0)

/* Tunnels over IPv4 and over IPv6 with KEY. */
extern struct netdev *netdevs[2];

/* Since the program began. */
struct books {
    uint64_t received;          /* Packets that pop was given, */
    uint64_t frames;            /* and what came out: frames, */
    uint64_t passed;            /* and what is of others. */
    uint64_t sent;              /* Frames that push was given. */
    uint64_t whole, fragmented; /* And how they left. */
};
extern struct books books;

/* Makes the tunnels and the ports. */
void books_open(void);

/* What is counted as dropped: of received packets, without those of reassembly,
 * and of frames that were to be sent. */
uint64_t books_packet_drops(void);
uint64_t books_tx_drops(void);

/* Aborts unless every packet is accounted for. */
void books_check(void);

#endif /* packets_books.h */
