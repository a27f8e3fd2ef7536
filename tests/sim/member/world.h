/* Thousands of members in one process, one thread and one seed: the network between them, and what each believes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <member/member.h>
#include <member/wire.h>

#define MS           1000000ull
#define SECOND       (1000 * MS)
#define SEEDS_OF_ONE 3u /* nodes that a joining one is told of */

struct unread { /* while its node is stalled */
    uint32_t packet, next;
};

struct peer {
    struct member *member;
    void *memory;
    uint64_t id, boot;
    bool up;
    uint32_t side;
    uint64_t timer_ns;
    uint64_t stalled_until_ns, stall_ended_ns; /* until 0: it is not stalled */
    uint32_t unread_first, unread_last, unread_count;
    uint64_t bytes, window_bytes; /* sent, and since the present second began */
    uint64_t packets;
};

/* Numbers of one world; they only grow. */
struct tally {
    uint64_t packets, bytes, most_bytes_a_second;                  /* of one node, in any second */
    uint64_t dead_crashed, dead_stalled, dead_woken, dead_healthy; /* verdicts, by what their subject really was */
    uint64_t dead_all, suspicions, stalls, crashes;
    uint64_t lost, unread_lost;
};

struct world {
    uint32_t count, room; /* nodes made; and how many there may be */
    uint64_t now_ns, random, turns;
    uint32_t loss_thousandths;
    bool cut;             /* between sides */
    double stalled_share; /* of the nodes, at any time; each for 1 to 5 s */
    struct member_config config;
    struct peer *peers;
    uint8_t *seen;        /* [observer * room + subject]: enum member_state, 0: not known; of its present boot */
    uint32_t *dead_at;    /* by subject: how many running observers hold it dead */
    uint32_t *present_at; /* alive or suspect, with its present boot */
    int64_t pairs;        /* sum of present_at over those that run */
    uint32_t running;
    struct tally tally;
    uint64_t window_ns;
    /* what is to happen: a heap by time */
    struct event {
        uint64_t at_ns;
        uint32_t what, which;
    } * events;
    uint32_t event_count, event_room;
    struct packet {
        uint32_t from, to, bytes, next;
        uint8_t data[MEMBER_PACKET_MAX];
    } * packets;
    uint32_t packet_room, packet_free;
    bool trace;
};

struct world *world_make(uint32_t room, uint64_t probe_ns, bool patient, uint64_t seed);
void world_free(struct world *w);
uint64_t world_random(struct world *w, uint64_t below);
uint32_t world_boot(struct world *w, uint32_t node); /* makes or restarts it; knows nobody */
void world_introduce(struct world *w, uint32_t node, uint32_t to);
/* `count` nodes that know each other and all that there is to know. */
void world_settled(struct world *w, uint32_t count);
void world_crash(struct world *w, uint32_t node);
void world_run(struct world *w, uint64_t until_ns);
/* Runs until `done` holds; false: it did not within `limit_ns`. */
bool world_until(struct world *w, bool (*done)(struct world *w, uint32_t node), uint32_t node, uint64_t limit_ns);
void world_stalls(struct world *w, double share); /* from now on */
