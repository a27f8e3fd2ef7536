/* The replicated state machine: nodes, sessions, locks, names, keys, jobs.
 *
 * Every replica applies the same entries in the same order and must come to the same state, so nothing here reads a
 * clock, draws a random number, or lets memory addresses or local failures decide anything. What is full is decided by
 * counts that are part of the state. The one local failure, no memory, stops the replica: tables_apply() returns
 * E_NO_MEMORY and nothing may be applied after it.
 *
 * Reads are plain lookups between two applies. Pointers they return are good until the next apply or load.
 */
#pragma once

#include <abi/cluster.h>
#include <tables/op.h>

/* Room. What is beyond it is refused with E_FULL. */
#define TABLES_KEYS_MAX       10000u
#define TABLES_NAMES_MAX      10000u
#define TABLES_LOCKS_MAX      1000u
#define TABLES_REQUESTS_MAX   4096u /* lock holders and waiters, all locks together */
#define TABLES_SESSIONS_MAX   4096u
#define TABLES_JOBS_MAX       256u
#define TABLES_INSTANCES_MAX  64u                 /* of one job */
#define TABLES_LEASE_NS       5000000000ull       /* after its last renewal a node's sessions may be expired */
#define TABLES_PERMITS_MAX    TABLES_REQUESTS_MAX /* of a semaphore or barrier */
#define TABLES_DELAY_MAX_NS   60000000000ull      /* of a lock whose holder died */
#define TABLES_DELAYS_MAX     256u    /* requests that ask for a delay, and locks that one keeps, together */
#define TABLES_OWNER_MAX      128u    /* lock requests of one process */
#define TABLES_OWNER_DELAYS   16u     /* and those among them that ask for a delay */
#define TABLES_OWNER_SESSIONS 64u     /* sessions of one process */
#define TABLES_HISTORY_MAX    1024u   /* changes that watchers can still be told */
#define TABLES_HISTORY_BYTES  262144u /* and their names and values */
#define TABLES_WINDOW         512u    /* proposals of one node boot told apart, by sequence */
#define TABLES_CHUNK_BYTES    65536u

/* What a build knows of operations, and of messages between nodes. A level never changes what an operation of an
 * earlier one does; it adds some, which do nothing before the whole cluster is at that level, just as where they are
 * not known. 1: the first. 2: the cluster's key changes; votes tell what is committed. */
#define TABLES_LEVEL_NOW 2u

/* Memory comes in chunks of TABLES_CHUNK_BYTES, aligned to 16, as it is needed. It is reused inside, never given back.
 */
struct tables_memory {
    void *(*chunk)(void *context); /* NULL: out of memory */
    void *context;
};

/* ---- what applying says ---- */

struct tables_result {
    err_t err;     /* E_GONE: its node's lease had ended, or it is of an earlier boot; it may be proposed anew */
    bool repeated; /* this (node, boot, sequence) was applied before; err is then not the first time's */
    uint64_t value; /* NODE_JOIN: node number · SESSION_OPEN: session · KEY_*, TXN: revision · LOCK: fence, 0 if queued
                       · JOB_SUBMIT: job */
    uint64_t ticket; /* LOCK: the request's ticket, for LOCK_CANCEL and events */
    uint64_t number; /* KEY_PUT, sequential: the number behind the prefix · TXN: 1 if all comparisons held */
};

enum tables_event_kind {
    TABLES_EVENT_GRANTED = 1,    /* a queued request now holds its lock: node, process_id, ticket, fence */
    TABLES_EVENT_LOST = 2,       /* a request ended with its process or node, or was taken from it: same fields */
    TABLES_EVENT_NODE_ENDED = 3, /* the lease of (node, boot) ended */
    TABLES_EVENT_PLACED = 4,     /* job, instance are placed on node */
    TABLES_EVENT_JOB_KILLED = 5, /* instance of job on node is to end */
    TABLES_EVENT_NAME_GONE = 6   /* the name whose export is `ticket` on node was taken out */
};

struct tables_event {
    enum tables_event_kind kind;
    uint32_t node, instance;
    uint64_t boot[2];
    uint64_t process_id, ticket, fence, job;
};

/* Called from inside tables_apply(), in the order things happened. It must not call into the tables. */
struct tables_watcher {
    void (*event)(void *context, const struct tables_event *event);
    void *context;
};

/* ---- rows ---- */

struct tables_node {
    uint32_t number; /* 1..NODES_MAX, 0: no such node */
    uint32_t durable, cpus;
    uint32_t live;  /* its present boot's lease has not ended */
    uint32_t wish;  /* enum tables_wish; what is REMOVED is not live */
    uint32_t level; /* of its build */
    uint64_t node_id[2], log_id[2], boot_id[2];
    uint64_t renewed_ns;                        /* cluster time of its last renewal */
    uint64_t renewal;                           /* index of the entry that last renewed it */
    uint64_t sequence_floor;                    /* sequences below are applied or void */
    uint64_t sequence_bits[TABLES_WINDOW / 64]; /* those from the floor on that are applied */
    struct tables_log_key log_key;              /* pinned to log_id for as long as that cluster key is valid */
    char name[32];
};

/* The cluster's key, by ids that tell nothing of it. */
struct tables_cluster_key {
    uint64_t id;      /* 0: the one that all began with; it was never changed */
    uint64_t next_id; /* it takes its place; 0: none does */
    uint64_t ready;   /* bit n-1: node n has that one, and keeps it */
    uint64_t leaked;  /* 1: strangers have the old one, so the new one goes nowhere under it */
    uint64_t changes; /* how often it was changed */
};

struct tables_key_view {
    const char *name;
    const uint8_t *value;
    uint32_t name_bytes, value_bytes;
    uint64_t revision; /* index of the entry that last changed it */
    uint64_t session;  /* it ends with; 0: it stays */
};

/* A place in the order of changes: `part` counts those of one entry. */
struct tables_position {
    uint64_t revision;
    uint32_t part;
};

enum tables_change_kind {
    TABLES_CHANGE_PUT = 1,
    TABLES_CHANGE_DELETE = 2,
    TABLES_CHANGE_ELECTED = 3, /* name: the election; value: what its holder publishes */
    TABLES_CHANGE_VACANT = 4   /* nobody holds the election */
};

enum tables_watched { TABLES_WATCH_KEYS = 1, TABLES_WATCH_ELECTIONS = 2 };

struct tables_change {
    struct tables_position position;
    uint32_t kind; /* enum tables_change_kind */
    struct tables_text name, value;
    uint64_t process_id; /* ELECTED: of the holder */
};

struct tables_name_view {
    const char *name;
    uint32_t name_bytes;
    uint32_t node;
    uint64_t boot[2];
    uint64_t process_id;
    uint64_t export_id; /* given by the node that registered it */
};

struct tables_lock_view {
    const char *name;
    uint32_t name_bytes;
    uint32_t mode; /* of the holders: enum tables_lock_mode */
    uint32_t holders, waiters;
    uint32_t node;            /* of the first holder */
    uint64_t process_id;      /* of the first holder */
    uint64_t fence;           /* the newest granted */
    uint32_t permits;         /* of a semaphore or barrier */
    bool delayed;             /* its last holder died; it is not granted yet */
    struct tables_text value; /* of an election: what its holder publishes */
};

struct tables_request_view {
    uint64_t ticket, fence; /* fence 0: still in line */
    uint64_t process_id;
    uint64_t sequence;   /* of the proposal that made it */
    uint32_t node, mode; /* enum tables_lock_mode */
    uint64_t lock;       /* index of the entry that made the lock; another for each life of a name */
    struct tables_text lock_name;
};

enum tables_job_state { TABLES_JOB_WAITING = 0, TABLES_JOB_PLACED = 1, TABLES_JOB_RUNNING = 2, TABLES_JOB_ENDED = 3 };

struct tables_instance {
    uint32_t state, node; /* enum tables_job_state */
    uint32_t cause, code;
    uint64_t boot[2];
    uint64_t process_id;
    uint64_t fence; /* index of the entry that placed it */
    uint64_t stop;  /* index of the entry that wants its process ended: the job was killed, or its node's lease ended */
    char why[48];
};

struct tables_job {
    uint64_t job;
    uint32_t count, killed;
    uint32_t origin_node, placed_from; /* placed_from: no instance below waits for a place */
    uint32_t ended, command_bytes;
    const char *command;
    uint32_t classes, prefix_bytes; /* what it may ask of the cluster service: as who submitted it */
    char prefix[CLUSTER_PREFIX_MAX + 1];
    struct tables_instance *instances; /* count of them */
};

struct tables_counts {
    uint32_t nodes, sessions, keys, names, locks, requests, jobs, reserved;
    uint64_t memory_bytes; /* taken in chunks */
};

/* ---- the machine ---- */

struct tables; /* about 40 KiB; lives in the memory given */

/* Makes empty tables for this cluster. Epoch rises when a cluster is recovered by hand, so that fences never repeat.
 * E_NO_MEMORY when not even the first chunk is there. */
err_t tables_init(const struct tables_memory *memory, const uint64_t cluster_id[2], uint32_t epoch,
                  struct tables **tables_out);
/* The same tables under a new identity, after a recovery by hand: no node is live, so all sessions, locks and names
 * have ended; keys and jobs stay. The node that it is recovered from is one of the cluster, also if it was removed:
 * there is nobody else who could take it in. `epoch` must be above the one before. */
void tables_recover(struct tables *t, const uint64_t cluster_id[2], uint32_t epoch, const uint64_t from[2]);
/* For tests, before anything is applied: behaves as a build of that level does, and a new cluster begins at it. */
void tables_pretend_level(struct tables *t, uint32_t level);
void tables_watch(struct tables *t, const struct tables_watcher *watcher); /* NULL: nobody */

/* Applies the entry at `index` of `term`. Index must be the last applied plus one. An empty entry (a new leader's
 * no-op) and one that does not decode, or is of a level above the cluster's, change nothing but the index (err E_OK,
 * E_BAD_MESSAGE). Returns E_OK, or E_NO_MEMORY or, when the cluster came to a level that this build does not know,
 * E_NOT_SUPPORTED: then this replica is finished. */
err_t tables_apply(struct tables *t, uint64_t index, uint64_t term, const void *entry, size_t bytes,
                   struct tables_result *result_out);

uint64_t tables_applied_index(const struct tables *t);
uint64_t tables_applied_term(const struct tables *t);
uint64_t tables_time_ns(const struct tables *t); /* cluster time */
uint32_t tables_level(const struct tables *t);
/* The highest level that all nodes know which were not removed. Above tables_level(): the leader may propose LEVEL. */
uint32_t tables_level_possible(const struct tables *t);
/* A hash of everything that is replicated; equal at equal applied index on all replicas. Costs a walk over all. */
uint64_t tables_hash(struct tables *t);
void tables_counts(const struct tables *t, struct tables_counts *counts_out);

/* ---- reads ---- */

const struct tables_node *tables_node(const struct tables *t, uint32_t number); /* NULL: none */
const struct tables_node *tables_node_by_id(const struct tables *t, const uint64_t node_id[2]);
bool tables_lease_over(const struct tables *t, uint32_t number); /* by cluster time */

const struct tables_cluster_key *tables_cluster_key(const struct tables *t);
/* A change is under way, and no node lacks the new key but those that were removed. */
bool tables_cluster_key_everywhere(const struct tables *t);

bool tables_key(const struct tables *t, struct tables_text name, struct tables_key_view *view_out);
/* The first key above `after` (any if empty) that begins with `prefix`. */
bool tables_key_next(const struct tables *t, struct tables_text prefix, struct tables_text after,
                     struct tables_key_view *view_out);

/* Is it E_OK to propose these steps? Else E_BAD_MESSAGE or, of a key changed twice in one branch, E_INVALID. */
err_t tables_txn_check(struct tables_text steps);

/* The history that watchers are served from is each replica's own: a fixed ring, empty after a snapshot was loaded. No
 * watcher is stored; each says from where on it wants to know. The oldest position that can be asked for: */
struct tables_position tables_history_begin(const struct tables *t);
/* The first change at or after *position that is of `watched` and whose name begins with `prefix`; *position is then
 * the place behind it. False: there is none yet, and *position is behind all that is known. A position before
 * tables_history_begin() is not for it. */
bool tables_change_next(const struct tables *t, enum tables_watched watched, struct tables_text prefix,
                        struct tables_position *position, struct tables_change *change_out);

bool tables_name(const struct tables *t, struct tables_text name, struct tables_name_view *view_out);
bool tables_name_next(const struct tables *t, struct tables_text after, struct tables_name_view *view_out);

bool tables_lock(const struct tables *t, struct tables_text name, struct tables_lock_view *view_out);
bool tables_lock_next(const struct tables *t, struct tables_text after, struct tables_lock_view *view_out);
/* The least fences that calls made now may carry: exclusive ones must not be below *exclusive_out nor *shared_out,
 * shared ones not below *exclusive_out. Nobody holds it: only later grants will do. */
void tables_lock_floor(const struct tables *t, struct tables_text name, uint64_t *exclusive_out, uint64_t *shared_out);
/* A holder or waiter by its ticket: what became of a request whose event was lost with a snapshot. */
bool tables_request(const struct tables *t, uint64_t ticket, struct tables_request_view *view_out);
/* The one with the smallest ticket above. */
bool tables_request_next(const struct tables *t, uint64_t after, struct tables_request_view *view_out);

bool tables_session(const struct tables *t, uint64_t session, uint64_t *process_id_out, uint64_t *sequence_out);

const struct tables_job *tables_job(const struct tables *t, uint64_t job);
const struct tables_job *tables_job_next(const struct tables *t, uint64_t after); /* smallest number above */

/* ---- snapshots ----
 *
 * The bytes depend only on the replicated state: two replicas at one index write the same snapshot. Between
 * tables_save_begin() and the last tables_save() nothing may be applied (asserted). */

struct tables_saver {
    uint64_t index; /* applied index it was begun at */
    uint64_t total; /* bytes in all */
    uint64_t hash;  /* private from here on: of what was written so far */
    uint32_t part, number;
    const void *last;
    uint32_t staged, taken;
    uint8_t stage[8192];
};

void tables_save_begin(const struct tables *t, struct tables_saver *saver);
/* Up to `room` more bytes (room > 0); 0 when all is written. */
size_t tables_save(const struct tables *t, struct tables_saver *saver, void *to, size_t room);

/* Takes a snapshot in pieces of any size. After load_begin the tables are empty until load_end says E_OK; on any error
 * they stay empty at index 0, and only another load_begin may follow. Sizes, order and hash are all checked.
 * E_NOT_SUPPORTED: it is of a level that this build does not know. */
struct tables_loader {
    uint64_t hash;
    uint32_t part, failed; /* failed: an err_t */
    uint32_t staged, ended;
    uint64_t last; /* job whose instances come now */
    uint32_t staged_instances, reserved;
    uint8_t stage[8192];
};

void tables_load_begin(struct tables *t, struct tables_loader *loader);
err_t tables_load(struct tables *t, struct tables_loader *loader, const void *bytes, size_t count);
err_t tables_load_end(struct tables *t, struct tables_loader *loader);
