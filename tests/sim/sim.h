/* The whole cluster in one process and one thread: real lib/raft and lib/tables objects over a simulated network,
 * disks, clocks and clients. One 64-bit seed decides everything; the same seed gives the same run.
 *
 * world.c    events in virtual time           node.c     a mount of lib/raft, as the kernel has one
 * disk.c     logstore's store on a lossy disk  network.c  what the wires do
 * client.c   clients' machines, and what is answered; client_ops.c what they ask; client_node.c the node's side of that
 * duties.c   what a leader does beside leading, by the kernel's rules of leases and members
 * nemesis.c  what goes wrong, and operators    ghost.c    invariants of consensus after every step
 * ghost_tables.c  invariants of the tables     history.c  is what the clients saw linearizable
 * survivors.c  what a recovery by hand would take
 * trace.c    what happened, as NDJSON          main.c     batches of seeds, statistics, shrinking
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/logformat.h>
#include <lease.h>
#include <linear.h>
#include <members.h>
#include <raft/raft_wire.h>
#include <store.h>
#include <tables/tables.h>

#define MS     1000000ull
#define SECOND 1000000000ull

#define NODES_AT_MOST   5u
#define CLIENTS_AT_MOST 8u
#define KEYS            3u /* queues at a time */
#define REGISTERS       2u
#define LOCKS           2u
#define CELLS           2u      /* registers of the group, beside its lock */
#define SEMAPHORE       2u      /* permits of the semaphore */
#define PARTIES         2u      /* of the barrier */
#define GUARD           "lockg" /* the group's lock */
#define KEY_OPS_MAX     400u    /* then the key's place is taken by a new one */

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
    bool older;                              /* some nodes begin with an older build */
    uint32_t upgrade;                        /* one of them gets the newer */
    uint32_t slow_chunk;                     /* of a snapshot, to be stored */
    uint64_t slow_packet_ns;
    uint64_t flush_low_ns, flush_high_ns;
    uint64_t apply_ns; /* 0: at once */
    uint32_t drift_ppm;
    uint32_t crash, pause, partition, wipe, transfer, stall, jump, forget,
        member;                                /* per million, each time the nemesis looks */
    uint64_t nemesis_every_ns, noise_every_ns; /* noise: proposals of every node that believes to lead; 0: none */
    uint32_t crash_after_promise, same_timeouts, lonely;
    uint32_t going_round;     /* per million, each second least timeout of the calm: the leadership is handed over */
    uint32_t chance_timeouts; /* 0: followers time out by their place in line; else by chance alone */
    uint32_t torn, keep_all;  /* per million: a crash tears sectors; a crash loses nothing */
    uint32_t damage; /* per million, each time the nemesis looks: sectors at rest go bad, or were written elsewhere */
    uint64_t think_ns;
    uint32_t read_share, client_loss;                                           /* per million */
    uint32_t queue_share, register_share, lock_share, txn_share, session_share; /* of what the clients do */
    uint32_t client_pause, client_silence, client_crash, client_jump;           /* per million, as above */
    uint32_t client_drift_ppm;
    uint32_t hash_every; /* entries: the states of nodes are compared */
    uint32_t slots, trailing, message_bytes, persist_bytes, apply_bytes, inflight, chunk_bytes;
    uint64_t safety_ns;
};

struct statistics {
    uint64_t virtual_ns, events;
    uint64_t elections, leaders, commits, snapshots_taken, snapshots_installed, conf_changes, transfers;
    uint64_t packets, lost, duplicated, cut, malformed;
    uint64_t noise, split_votes, lonely, crashes, torn_writes, pauses, partitions, wipes, stalls, jumps, truncations;
    uint64_t operations, reads, retries, reads_failed;
    uint64_t members_moved, groups, damages, misdirected, bad_superblocks, damage_found, repaired;
    uint64_t answers_lost, cas_done, cas_failed, grants, grants_in_line, given_up, linear_steps, undecided;
    uint64_t joins, renewals, expiries, leases_lost, client_pauses, client_silences, client_crashes;
    uint64_t outlived, both_sure, guarded, stale_guards, txns_held, txns_not, semaphores, barriers, elected, delays;
    uint64_t ephemeral_ended, sequences, upgrades, levels, wishes, rule_changes, votes_back, dead_in_calm, hashes,
        majorities_lost;
    uint64_t recoveries; /* that would have been allowed */
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
    EVENT_UPGRADE,
    EVENT_HEAL,
    EVENT_ADMIN,
    EVENT_NOISE,
    EVENT_CRASH,
    EVENT_BEAT,   /* a machine reports that it is there */
    EVENT_REPORT, /* which a node hears */
    EVENT_NOTICE  /* and what it says of leases, which a client's machine hears */
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
struct disk_write {
    uint64_t id;                            /* persist id; 0: only a compaction */
    bool reset, hard_state_required, whole; /* whole: the log is not being repaired */
    uint64_t truncate_from, compact_to;     /* 0: no */
    uint8_t *records;                       /* owned */
    uint32_t bytes;
    uint64_t first, last; /* of the records; 0: none */
    struct raft_hard_state hard_state;
};
#define DISK_QUEUE     64u
#define PLATTER_BYTES  (32u * 1024 * 1024)
#define CHECKSUMS_KEPT 4096u
struct volatile_write { /* since the last flush, while the power goes */
    uint64_t offset;
    uint32_t bytes;
    uint8_t *data;
};
struct platter {
    uint8_t *image;
    struct store *store; /* the mount's: begins anew with each life */
    uint64_t formats;
    bool has_snapshot;
    struct raft_snapshot snapshot;
    uint8_t *snapshot_data;
    struct disk_write queue[DISK_QUEUE];
    uint32_t queue_head, queue_count, batch; /* batch: how many of them become durable together now */
    /* while the power goes */
    uint64_t power_left; /* operations until it is off; 0: it stays on */
    bool off, dirty;     /* dirty: something was written since the last flush */
    struct volatile_write unflushed[8];
    uint32_t unflushed_count;
    /* what the running mount knows of its records; void after a crash */
    uint32_t checksums[CHECKSUMS_KEPT];
    uint64_t checksum_index, floor;
    /* ghost: newest record that a crash cannot lose, term in the hard state, what must be found after a crash */
    uint64_t durable_last, durable_term, promised_last, promised_term;
    uint64_t once_durable; /* the same, before the damage that is being repaired */
    bool hurt, repairing;  /* something of it was damaged in this life, or is found to be */
    bool perhaps_whole;    /* the power went while that it is whole again was being written */
    bool hurt_once;        /* what was damaged where nothing of the log stood may be found in a later life */
    uint64_t stalled_until_ns;
};

/* ---- machines: those of nodes, by number, and those of clients ---- */
#define MACHINES   (NODES_AT_MOST + 1 + CLIENTS_AT_MOST)
#define CLIENT_ID  1000u        /* ids of clients' machines begin here */
#define SILENCE_NS (4 * SECOND) /* then it counts as gone, as with links */
#define REPORT_NS  SECOND

struct report {
    uint32_t machine, asked; /* asked: the node that shall say how the row stands */
    uint64_t boot, log, stamp_ns;
};
struct seen { /* by a node, of a machine */
    bool known;
    uint64_t boot, log, stamp_ns, heard_ns;
    uint32_t level; /* of its build, as its links say */
};
struct notice {
    bool row; /* how the row stands; else: of an entry that renews leases */
    uint64_t boot, index, term, stamp_ns;
};

/* What a leader needs for its duties; but for the clock anew with each time it leads. */
struct duties {
    bool leading;
    struct lease_clock clock;
    uint64_t began_ns; /* by the simulator's time */
    uint64_t renew_due_ns, look_due_ns, hand_over_due_ns, join_due_ns[NODES_AT_MOST + 1];
    uint64_t settled_at, proposed_at, changed_ns, changes_seen, voters_seen;
    uint64_t good_boot[NODES_AT_MOST + 1], good_since_ns[NODES_AT_MOST + 1]; /* boot 0: it is not good now */
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
    uint32_t what; /* enum read_of */
    uint64_t attempt, token, must_see, ticket;
    char key[16];
};

struct node {
    uint32_t level; /* of the build that it runs */
    bool too_old;   /* that was told of what it does not know, and stopped there */
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
    struct platter disk;
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
    struct seen seen[MACHINES];
    struct duties duties;
    struct tables_watcher watcher;
    /* ghost */
    uint64_t seen_leader; /* node */
    uint64_t seen_term, seen_commit, seen_applied, seen_last, seen_stable, promised_term;
    enum raft_role seen_role;
};

enum read_of { READ_NOTHING, READ_QUEUE, READ_REGISTER, READ_GROUP, READ_TICKET };

struct request {
    uint32_t client;
    uint64_t attempt, ticket;
    bool joins;
    enum read_of read; /* READ_NOTHING: `op` is proposed */
    uint32_t bytes;
    char key[16];
    uint8_t op[512];
};
struct reply {
    uint32_t client;
    uint64_t attempt;
    err_t err;
    bool applied, repeated; /* applied: `err` is the tables' */
    uint64_t value, ticket, number;
    uint32_t hint;
    uint32_t count; /* queue: elements; register: its value */
    uint64_t hash;
    uint32_t cells[CELLS];
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
    bool good_clocks;                    /* no clock of this run drifts or steps more than leases are made for */
};
extern struct world w;

/* world.c */
void world_run(void);
void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void violation(enum exit_code code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* trace.c: all do nothing unless it was opened */
void trace_json_open(const char *path);
void trace_json_close(void);
void trace_json(const struct node *n, const char *name);
void trace_json_message(const struct node *n, const struct raft_message *m, bool sent);
void trace_json_self(const struct node *n, uint32_t type, uint64_t index);
void trace_json_appended(const struct node *n, uint64_t index);
void trace_json_conf(const struct node *n);

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
void disk_format(struct platter *d);
void disk_write_persist(struct node *n, const struct raft_persist *persist);
void disk_compact(struct node *n, uint64_t index);
void disk_done(struct node *n); /* the writes under way reached the platter */
void disk_crash(struct platter *d);
void disk_wipe(struct platter *d);
/* Reads the log as a restart does. DAMAGED: it reached *repair_out once. LOST: nothing can be read any more. */
enum disk_verdict { DISK_WHOLE, DISK_DAMAGED, DISK_LOST };
enum disk_verdict disk_open(struct platter *d, struct raft_hard_state *hard_state_out, uint64_t *repair_out);
err_t disk_feed(struct platter *d, struct raft *r);
bool disk_has(const struct node *n, uint64_t index); /* durable */
bool disk_hurt(struct platter *d);                   /* damages sectors at rest; false: there was nothing to damage */

/* network.c */
void network_send(const struct node *from, struct raft_id to, void *bytes, size_t count);

/* client.c */
void clients_start(void);
void clients_beat(uint32_t machine); /* its machine reports, if it can */
void clients_calm(void);             /* some die for ever, the others are well */
void clients_strike(void);           /* something happens to one of them, by chance */
void client_event(struct event *e);
bool clients_progressed(uint32_t operations); /* since clients_mark(), each of them that lives */
void clients_mark(void);
void clients_stop(void);
bool clients_dead_are_gone(const struct tables *t);
/* What the ghost of the tables tells: a boot of that client ended; somebody was granted that lock. */
void client_ended(uint32_t client, uint64_t boot, bool expired);
void client_granted(uint32_t client, struct tables_text lock, uint32_t mode);
void client_renewed(uint32_t client, uint64_t boot);

/* client_node.c */
uint64_t client_delay(void);
void client_request(struct node *n, struct request *request);
void client_applied(struct node *n, const struct raft_entry *entry, const struct tables_result *result);
void client_read_done(struct node *n, const struct raft_read_state *read);
void client_answer(const struct node *n, const struct reply *reply);
bool client_hears(uint32_t client, uint32_t node); /* neither is cut off from the other */

/* duties.c */
uint32_t machine_of(const uint64_t node_id[2]); /* MACHINES: none */
void duties_start(void);
void duties_beat(uint32_t machine);
void duties_send(uint32_t machine, uint64_t boot, uint64_t log, uint64_t stamp_ns);
void duties_linked(struct node *n, struct raft_id from, uint64_t boot); /* a frame of it came: it has said hello */
void duties_report(struct node *n, const struct report *report);
void duties_run(struct node *n);
void duties_newer_operation(struct node *leader);
void duties_wish(struct node *leader);         /* an operator wishes something of a node */
void duties_hasty_expiry(struct node *leader); /* it would end a lease that is not over: refused when applied */
void duties_clear_wishes(struct node *leader); /* and that all be as it was */

/* main.c */
void limit_parameters(struct parameters *p); /* what the command line leaves of them */

/* nemesis.c */
void nemesis_draw(void);
void nemesis_start(void);
void nemesis_event(struct event *e);
void nemesis_promised(struct node *n); /* it just sent a vote or an acknowledgement */
void nemesis_leads(struct node *n);    /* it was just elected, or decides for the first time */
bool nemesis_may_live(void);
bool nemesis_lost_by_wish(void);
void nemesis_too_old(struct node *n);
void nemesis_end(void);  /* nothing of an operator's happens any more */
void nemesis_calm(void); /* heals a quorum for ever and leaves the rest broken */

/* ghost.c */
void ghost_start(void);
void ghost_genesis(const struct raft_conf *first);
void ghost_step(struct node *n);
void ghost_persist(struct node *n, uint64_t index);
void ghost_restored(const struct logformat_record *record);
void ghost_send(struct node *n, const struct raft_message *m);
void ghost_apply(struct node *n, const struct raft_entry *entry);
void ghost_conf(struct node *n);
void ghost_install(const struct node *n, const struct raft_snapshot *snapshot); /* in the place of its log */
void ghost_restart(struct node *n);
void ghost_wipe(struct node *n);
uint64_t ghost_committed(void);
uint64_t ghost_conf_index(void);
#define CONFS_KEPT 8u
const struct raft_conf *ghost_conf_now(void);
const struct raft_conf *ghost_conf_before(uint32_t back); /* 0: now; NULL: there was none */

/* ghost_tables.c: around each tables_apply(); only who applies an entry first is looked at */
void ghost_tables_watch(struct node *n);
void ghost_tables_before(struct node *n, uint64_t index);
void ghost_tables_after(struct node *n, const struct raft_entry *entry, const struct tables_result *result);
void ghost_renewal(uint64_t cluster_ns); /* a leader proposes that cluster time */
void ghost_rule(const struct members_view *v, const struct members_decision *d); /* of members.c, being carried out */

/* survivors.c */
void survivors_committed(const struct node *leader);
void survivors_step(void);

/* history.c */
void history_open(const char *path); /* also written to a file */
uint64_t history_invoke(const struct linear_op *op, const char *key,
                        uint64_t of); /* of: the acquiring operation that this one ends; all ones: none */
void history_complete(uint64_t op, enum linear_outcome outcome, uint64_t a, uint64_t b);
void history_keep(uint64_t op, enum linear_outcome outcome); /* with a and b as they were */
void history_saw(uint64_t op, const struct linear_txn *seen);
uint64_t history_hash(const uint8_t *value, uint32_t elements);
void history_check(const struct tables *t);
