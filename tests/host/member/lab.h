/* A few members with a network between them that a test can cut, and nodes that it can stop. */
#pragma once

#include <member/member.h>
#include <member/wire.h>
#include <test/check.h>

#define MS          1000000ull
#define LAB_NODES   8u
#define LAB_TRANSIT 4096u
#define PROBE_MS    1000u

struct machine {
    struct member *m; /* NULL: off */
    void *memory;
    bool stalled;
    uint64_t sent;   /* packets */
    uint32_t deaths; /* verdicts, of whomever */
};

struct lab {
    uint64_t now_ns, random;
    uint32_t loss_percent;
    bool cut[LAB_NODES][LAB_NODES]; /* from, to */
    bool open;
    struct machine machines[LAB_NODES];
    struct transit {
        uint64_t due_ns;
        uint32_t from, to, bytes; /* bytes 0: free */
        uint8_t data[MEMBER_PACKET_MAX];
    } * transit;
};

extern struct lab lab;

void lab_start(uint32_t nodes, bool open); /* closed: all are told of all; open: each of the first */
void lab_stop(void);
uint64_t lab_id(uint32_t node);
void lab_boot(uint32_t node, uint64_t boot); /* knows nobody */
void lab_tell(uint32_t node, uint32_t of);
void lab_run(uint64_t ms);
enum member_state lab_state(uint32_t observer, uint32_t subject);        /* 0: not known */
bool lab_all(uint32_t nodes, uint32_t subject, enum member_state state); /* the others, as far as they run */
