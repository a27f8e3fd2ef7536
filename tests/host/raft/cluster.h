/* A few cores, a queue of messages and a clock that only the test moves: for scenarios told step by step. */
#pragma once

#include <raft/raft_wire.h>
#include <test/check.h>

#define UNITS_MAX    6u
#define MS           1000000ull
#define HEARTBEAT_MS 10u
#define ELECTION_MS  100u
#define ENTRY_MAX    64u
#define LOG_MAX      2048u

struct disk_entry {
    uint64_t term;
    uint32_t type, length;
    uint8_t data[ENTRY_MAX];
};

struct pending_write {
    struct raft_persist persist;
    struct disk_entry *entries;
};

struct unit {
    struct raft *r;
    struct raft_id id;
    struct raft_slot slots[256];
    uint8_t *bytes;
    bool full;          /* its queue of messages, with what is not its own */
    bool up, hold_disk; /* hold_disk: writes wait for unit_flush() */
    bool hold_chunk;    /* a snapshot's last chunk waits for unit_store_chunk() */
    /* durable */
    struct raft_hard_state hard_state;
    struct raft_snapshot snapshot;
    uint64_t disk_base, disk_last;
    uint64_t harmed_to;              /* the log reached so far when a part of it was lost; 0: it is whole */
    struct disk_entry disk[LOG_MAX]; /* by index */
    struct pending_write writes[RAFT_PERSISTS_MAX];
    uint32_t write_count;
    /* seen */
    uint64_t applied_terms[LOG_MAX];
    uint64_t applied, state; /* state: sum over what was applied, and what a snapshot carries */
    struct raft_read_state reads[64];
    uint32_t read_count, snapshot_wanted;
    uint8_t incoming[64];
    uint64_t chunk_offset; /* of the one that waits */
};

struct packet {
    uint32_t to;
    size_t bytes;
    uint8_t *data;
};

struct cluster {
    uint32_t count; /* first voters are units 1..count; others may be added by hand */
    uint64_t now_ns;
    struct unit *units[UNITS_MAX + 1];
    bool cut[UNITS_MAX + 1][UNITS_MAX + 1];
    uint64_t drop_types, messages; /* bit per message type: dropped */
    uint32_t message_bytes;
    uint64_t commit_notice_ns; /* this and the next: of units that boot from now on */
    uint32_t inflight_short;
    uint32_t full_percent; /* how often a unit has no room for messages */
    uint64_t drawn;        /* where cluster_draw() is; the seed, to begin with */
    struct packet packets[4096];
    uint32_t packet_count;
};

struct cluster *cluster_make(uint32_t voters);
void cluster_free(struct cluster *c);
uint32_t cluster_draw(struct cluster *c, uint32_t limit); /* below it, at random */
/* A machine with an empty disk that waits to be taken in. */
void cluster_add_blank(struct cluster *c, uint32_t unit, uint64_t log);
void cluster_settle(struct cluster *c);            /* delivers until nothing is under way; time stands still */
void cluster_pass(struct cluster *c, uint64_t ms); /* time goes by, millisecond by millisecond */
void cluster_isolate(struct cluster *c, uint32_t unit, bool cut);
void cluster_elect(struct cluster *c, uint32_t unit); /* must succeed */
uint32_t cluster_leader(struct cluster *c);           /* of the newest term; 0: none */
void cluster_make_equal(struct cluster *c);           /* checks that all that are up applied the same */

void unit_crash(struct cluster *c, uint32_t unit);
void unit_restart(struct cluster *c, uint32_t unit);
void unit_harm(struct cluster *c, uint32_t unit, uint64_t last);     /* while it is off: what is after `last` is lost */
void unit_flush(struct cluster *c, uint32_t unit, uint32_t writes);  /* that many writes become durable */
void unit_store_chunk(struct cluster *c, uint32_t unit);             /* the last chunk is stored */
void unit_work(struct cluster *c, uint32_t unit);                    /* does what its updates ask for */
void unit_snapshot(struct cluster *c, uint32_t unit, uint64_t keep); /* takes one and compacts, keeping some entries */
err_t unit_propose(struct cluster *c, uint32_t unit, const char *text);
void unit_propose_ok(struct cluster *c, uint32_t unit, const char *text);
err_t unit_change(struct cluster *c, uint32_t unit, uint32_t mode, uint32_t op, uint32_t who);
struct raft_status unit_status(struct cluster *c, uint32_t unit);
