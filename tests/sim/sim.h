/* The whole cluster in one process and one thread: real lib/raft and lib/tables objects over a simulated network,
 * disks, clocks and clients. One 64-bit seed decides everything; the same seed gives the same run.
 *
 * world.c    events in virtual time           node.c     a mount of lib/raft, as the kernel has one
 * disk.c     the log with lib/base/logformat   network.c  what the wires do
 * client.c   clients with sessions             nemesis.c  what goes wrong, and who mends the membership
 * ghost.c    invariants after every step       history.c  is what the clients saw linearizable
 * main.c     batches of seeds, statistics
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/logformat.h>
#include <raft/raft_wire.h>
#include <tables/tables.h>

#define MS     1000000ull
#define SECOND 1000000000ull

#define NODES_AT_MOST   5u
#define CLIENTS_AT_MOST 8u
#define KEYS            3u
#define KEY_OPS_MAX     400u /* then the key's place is taken by a new one */

enum exit_code { EXIT_PASSED = 0, EXIT_CRASH = 127, EXIT_LIVENESS = 128, EXIT_CORRECTNESS = 129 };

/* ---- randomness: one stream ---- */
uint64_t rng(void);
uint64_t rng_below(uint64_t limit); /* limit > 0 */
uint64_t rng_between(uint64_t low, uint64_t high);
bool rng_chance(uint32_t per_million);

/* ---- what the seed draws first ---- */
struct parameters {
    uint32_t nodes, clients;
    uint64_t heartbeat_ns, election_ns;
    uint64_t delay_low_ns, delay_high_ns;
    uint32_t loss, duplication, slow_packet; /* per million */
    uint64_t slow_packet_ns;
    uint64_t flush_low_ns, flush_high_ns;
    uint64_t apply_ns; /* 0: at once */
    uint32_t drift_ppm;
    uint32_t crash, pause, partition, wipe, transfer, stall, jump,
        forget;                                /* per million, each time the nemesis looks */
    uint64_t nemesis_every_ns, noise_every_ns; /* noise: proposals of every node that believes to lead; 0: none */
    uint32_t crash_after_promise, same_timeouts;
    uint32_t torn, keep_all; /* per million: a crash tears sectors; a crash loses nothing */
    uint64_t think_ns;
    uint32_t read_share, client_loss; /* per million */
    uint32_t slots, trailing, message_bytes, persist_bytes, apply_bytes, inflight, chunk_bytes;
    uint64_t safety_ns;
};

struct statistics {
    uint64_t virtual_ns, events;
    uint64_t elections, leaders, commits, snapshots_taken, snapshots_installed, conf_changes, transfers;
    uint64_t packets, lost, duplicated, cut, malformed;
    uint64_t noise, split_votes, crashes, torn_writes, pauses, partitions, wipes, stalls, jumps, truncations;
    uint64_t operations, reads, retries, reads_failed;
};
#define STATISTICS (sizeof(struct statistics) / sizeof(uint64_t))

/* ---- events ---- */
enum event_kind {
    EVENT_WAKE,
    EVENT_PACKET,
    EVENT_DISK,
    EVENT_APPLIED,
    EVENT_SNAPSHOT_SAVED,
    EVENT_CHUNK_STORED,
    EVENT_INSTALLED,
    EVENT_REQUEST,
    EVENT_REPLY,
    EVENT_CLIENT,
    EVENT_NEMESIS,
    EVENT_RESTART,
    EVENT_HEAL,
    EVENT_ADMIN,
    EVENT_NOISE,
    EVENT_CRASH
};
struct event {
    uint64_t at_ns, tie;
    uint32_t kind, who; /* node or client */
    uint64_t life;      /* of the node, or attempt of the client; others are void */
    void *data;         /* owned */
    size_t bytes;
};
void event_add(uint64_t after_ns, enum event_kind kind, uint32_t who, uint64_t life, void *data, size_t bytes);

/* ---- disk: survives crashes ---- */
struct superblock {
    uint64_t sequence;
    struct raft_hard_state hard_state;
    uint64_t log_offset;    /* where the chain of records begins */
    uint64_t base_index;    /* index before the first record */
    uint32_t base_checksum; /* of the record before; 0: the chain begins */
    uint32_t checksum;
};
struct disk_write {
    uint64_t id; /* persist id; 0: only a superblock */
    uint64_t offset;
    size_t bytes;
    uint8_t *data;                /* records, owned */
    uint64_t last_index;          /* durable when done; 0: none */
    bool first_block, last_block; /* a superblock before, and one after the records */
    struct superblock before, after;
    uint32_t phase;
};
#define DISK_QUEUE 64u
struct disk {
    uint8_t *log;
    size_t log_room;
    struct superblock blocks[2];
    bool has_snapshot;
    struct raft_snapshot snapshot;
    uint8_t *snapshot_data;
    struct disk_write queue[DISK_QUEUE];
    uint32_t queue_head, queue_count;
    /* what the running mount knows of its own writes; void after a crash */
    struct superblock newest;
    struct {
        uint64_t offset;
        uint32_t checksum;
        uint64_t term;
    } * places; /* by index - places_base - 1 */
    uint64_t places_base, places_count, places_room;
    uint64_t durable_last, durable_term; /* ghost: newest record that a crash cannot lose; term in the superblock */
    uint64_t stalled_until_ns;
};

/* ---- node ---- */
#define WAITERS 4096u
struct waiter {
    uint64_t index, term;
    uint32_t client;
    uint64_t attempt;
};
#define READERS 1024u
struct reader {
    bool used;
    uint32_t client;
    uint64_t attempt, token, must_see;
    char key[16];
};

struct node {
    uint32_t number;
    struct raft_id id;
    bool up;
    uint64_t life, logs; /* logs: how many log ids it had */
    uint64_t paused_until_ns;
    int64_t drift_ppm;
    uint64_t clock_global_ns, clock_local_ns; /* local clock since */
    uint64_t wake_at_ns;
    struct raft *raft;
    struct raft_memory memory;
    struct disk disk;
    struct tables *tables;
    void *chunks[4096];
    uint32_t chunk_count;
    struct raft_apply applying;
    struct raft_snapshot taking, installing;
    uint8_t *taking_data, *incoming;
    uint64_t incoming_bytes, chunk_offset;
    bool snapshotting;
    struct waiter waiters[WAITERS];
    struct reader readers[READERS];
    uint64_t next_token;
    /* ghost */
    uint64_t seen_term, seen_commit, seen_applied, promised_term;
    enum raft_role seen_role;
};

struct request {
    uint32_t client;
    uint64_t attempt;
    bool read;
    uint32_t bytes;
    char key[16];
    uint8_t op[512];
};
struct reply {
    uint32_t client;
    uint64_t attempt;
    err_t err;
    bool repeated;
    uint64_t value;
    uint32_t hint;
    uint32_t count;
    uint64_t hash;
};

struct world {
    uint64_t seed, now_ns;
    struct parameters p;
    struct statistics s;
    struct node nodes[NODES_AT_MOST + 1]; /* by number, from 1 */
    bool cut[NODES_AT_MOST + 1][NODES_AT_MOST + 1];
    bool calm, trace;                    /* calm: the liveness phase */
    bool broken[NODES_AT_MOST + 1];      /* calm: not of the core; stays cut off, or without a disk that writes */
    bool unreachable[NODES_AT_MOST + 1]; /* calm: cut off */
};
extern struct world w;

/* world.c */
void world_run(void);
void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void violation(enum exit_code code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* node.c */
void node_genesis(void);
void node_start(struct node *n);
void node_crash(struct node *n);
void node_new_log(struct node *n); /* its disk is lost; it is down */
void node_event(struct node *n, struct event *e);
void node_round(struct node *n);
uint64_t node_local_time(const struct node *n);
struct node *node_of(struct raft_id id);
struct node *leader_now(void); /* of the newest term; NULL: none */

/* disk.c */
void disk_write_persist(struct node *n, const struct raft_persist *persist);
void disk_compact(struct node *n, uint64_t index);
void disk_done(struct node *n); /* the write under way reached the platter */
void disk_crash(struct disk *d);
void disk_wipe(struct disk *d);
err_t disk_recover(struct disk *d, struct raft *r, struct raft_hard_state *hard_state_out, bool feed);
bool disk_has(const struct node *n, uint64_t index); /* durable */

/* network.c */
void network_send(const struct node *from, struct raft_id to, void *bytes, size_t count);

/* client.c */
void clients_start(void);
void client_event(struct event *e);
void client_request(struct node *n, struct request *request);
void client_applied(struct node *n, const struct raft_entry *entry, const struct tables_result *result);
void client_read_done(struct node *n, const struct raft_read_state *read);
void client_answer(const struct reply *reply);
bool clients_progressed(uint32_t operations); /* since clients_mark(), each of them */
void clients_mark(void);
void clients_stop(void);

/* nemesis.c */
void nemesis_draw(void);
void nemesis_start(void);
void nemesis_event(struct event *e);
void nemesis_promised(struct node *n); /* it just sent a vote or an acknowledgement */
void nemesis_calm(void);               /* heals a quorum for ever and leaves the rest broken */

/* ghost.c */
void ghost_start(void);
void ghost_genesis(const struct raft_conf *first);
void ghost_step(struct node *n);
void ghost_persist(struct node *n, uint64_t index);
void ghost_send(struct node *n, const struct raft_message *m);
void ghost_apply(struct node *n, const struct raft_entry *entry);
void ghost_conf(struct node *n);
void ghost_restart(struct node *n);
void ghost_wipe(struct node *n);
uint64_t ghost_committed(void);
uint64_t ghost_conf_index(void);
#define CONFS_KEPT 4u
const struct raft_conf *ghost_conf_now(void);
const struct raft_conf *ghost_conf_before(uint32_t back); /* 0: now; NULL: there was none */

/* history.c */
uint64_t history_invoke(uint32_t client, const char *key, bool read, uint32_t id);
void history_complete(uint64_t op, uint32_t count, uint64_t hash); /* reads: elements seen and their hash */
uint64_t history_hash(const uint8_t *value, uint32_t elements);
void history_check(const struct tables *t);
