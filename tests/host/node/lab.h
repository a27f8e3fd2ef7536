/* A lab of whole nodes: links, consensus, tables and disks, over a wire and with power cuts, from one seed. */
#pragma once

#include "disk.h"
#include "node.h"
#include <test/check.h>
#include <test/random.h>

#define LAB_NODES   5u
#define LAB_TRANSIT 8192u
#define MS          1000000ull
#define CALLS       64u
#define LAB_BLOCKS  16384u

struct lab_packet {
    uint64_t due_ns;
    uint32_t from, to, bytes;
    uint8_t data[SEAL_FRAME_MAX];
};

struct lab_answer {
    uint64_t token;
    bool done;
    struct tables_result result;
};

struct lab_members {
    uint64_t token;
    bool done;
    err_t err;
    char words[200];
};

struct machine {
    struct node *n; /* NULL: off */
    uint32_t index;
    uint64_t boot;
    struct disk disk;
    uint8_t key_byte; /* the key that it boots with is all of it; 0: the lab's */
    bool has_disk, genesis, log_attached, log_stuck, no_memory;
    size_t memory;
    struct lab_block { /* all that it has taken */
        uint8_t *at;
        size_t bytes;
    } blocks[LAB_BLOCKS];
    uint32_t block_count;
    uint8_t seed[32]; /* what this boot was given to draw from */
    uint64_t disk_due_ns;
    uint32_t calls_up; /* bit per node number: a session for calls stands */
    uint32_t granted;  /* events seen */
    uint32_t call_ends;
    uint32_t lines; /* of log */
    char log[4000]; /* their words, of this boot, as far as they fit */
    struct lab_answer answer;
    struct lab_members members;
    uint64_t read_token;
    err_t read_err;
    bool read_done;
};

struct lab {
    struct random random;
    uint64_t now_ns;
    uint32_t voters;
    uint32_t loss_percent, delay_ms;
    uint32_t window_entries;
    bool cut[LAB_NODES][LAB_NODES];
    char text[4000];                   /* of lab_recover */
    const uint8_t *secret;             /* 32 bytes that no memory may hold when it is given back; NULL: none */
    void (*tap)(struct lab_packet *p); /* sees, and may change, all that is sent; NULL: nobody */
    struct machine machines[LAB_NODES];
    struct lab_packet *transit;
    uint32_t transit_count;
    uint64_t next_token;
};

extern struct lab lab;

void lab_start(uint32_t voters, uint64_t seed);
void lab_stop(void);
err_t lab_recover(uint32_t machine, enum recover_act act); /* its words are in lab.text */
void lab_power_on(uint32_t machine, bool genesis);
void lab_power_cut(uint32_t machine);
bool lab_memory_holds(uint32_t machine, const uint8_t secret[32]); /* anywhere in what it has taken */
void lab_log_restart(uint32_t machine); /* logstore crashes, some work done but not answered, and comes back */
void lab_run(uint64_t ms);
/* Runs until the condition holds, at most so long. */
bool lab_all_members(uint32_t mask);
bool lab_until_members(uint32_t mask, uint64_t ms);
struct cluster_status lab_status(uint32_t machine);
uint32_t lab_leader(void); /* machine, or LAB_NODES */

/* Proposes at a machine and runs until it is answered; E_TIMED_OUT. */
err_t lab_propose(uint32_t machine, struct tables_op op, struct tables_result *result_out);
/* An operator asks at a machine; E_TIMED_OUT. The words are in the machine's `members`. */
err_t lab_members(uint32_t machine, enum cluster_members action, uint32_t node);
/* Runs until exactly the machines of this mask vote, by the word of all of `who`, and no change is under way. */
bool lab_until_voters(uint32_t who, uint32_t voters, uint64_t ms);
/* Runs until the leader's words on the voters, as that machine knows them, hold these. */
bool lab_until_said(uint32_t machine, const char *words);
err_t lab_put(uint32_t machine, const char *key, const char *value);
/* A linearizable read at a machine: true if the key has that value. */
bool lab_has(uint32_t machine, const char *key, const char *value);
/* All replicas of those machines are equal. */
void lab_check_equal(uint32_t mask);
