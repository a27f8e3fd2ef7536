/* What the tables are made of; for lib/tables alone. */
#pragma once

#include <string.h>

#include <base/assert.h>
#include <tables/tables.h>

#include "arena.h"
#include "tree.h"

#define TABLES_ROW(node_, type_) ((type_ *)(void *)(node_)) /* the tree node is the first field of every row */

struct session {
    struct tree_node by_number;
    struct tree_number number;
    uint64_t session, process_id;
    uint64_t last_number, last_value; /* of the newest KEY_APPEND, and what it gave */
    uint32_t last_err, node;
};

struct key {
    struct tree_node by_name; /* the name follows the row */
    uint64_t revision;
    uint64_t session; /* it ends with; 0: none */
    uint8_t *value;
    uint32_t value_bytes, reserved;
};

struct name {
    struct tree_node by_name; /* the name follows the row */
    uint64_t process_id, export_id;
    uint32_t node, reserved;
};

struct request {
    struct tree_node by_ticket;
    struct tree_number number;
    struct request *next; /* in its lock, oldest first, holders before waiters */
    struct lock *lock;
    uint64_t ticket, fence, process_id, delay_ns;
    uint64_t sequence; /* of the proposal that made it */
    uint32_t node, mode;
    uint8_t *value; /* CANDIDATE: what it publishes */
    uint32_t value_bytes, reserved;
};

struct lock {
    struct tree_node by_name; /* the name follows the row */
    struct request *requests;
    uint64_t fence;                      /* newest granted */
    uint64_t created;                    /* index of the entry that made it */
    uint64_t delay_ns, delayed_until_ns; /* a holder died: not granted for delay_ns, from the next renewal on */
    uint32_t holders, waiters, permits;
    uint32_t mode; /* of the holders, or of those that were the last */
};

/* A process that has requests or sessions: how many. It is not in snapshots, since they are. */
struct owner {
    struct tree_node by_process;
    struct tree_number number;
    uint32_t requests, delays, sessions;
};

/* A change that watchers can still be told; its name and value follow it. */
struct change {
    struct tables_position position;
    uint64_t process_id;
    uint32_t kind, name_bytes, value_bytes;
};

struct history {
    struct change *ring[TABLES_HISTORY_MAX];
    uint64_t first, next; /* the ring holds changes first .. next-1, each at its number modulo the size */
    uint64_t bytes;
    struct tables_position begin; /* changes before it are forgotten */
    struct tables_position last;  /* of the newest */
};

struct job {
    struct tree_node by_number;
    struct tree_number number;
    struct tables_job row;
    /* the instances, in blocks of their own, since 64 of them are larger than the largest block */
};

struct tables {
    struct arena arena;
    const struct tables_watcher *watcher;
    uint64_t cluster_id[2];
    uint64_t index, term, now_ns, next_job, next_sequence;
    uint32_t epoch, level;
    uint32_t build_level; /* not replicated */
    uint32_t grants;      /* fences given by the entry being applied */
    uint32_t ephemeral_keys, delayed_locks;
    uint32_t delays; /* requests that ask for one */
    bool no_memory;
    struct tables_cluster_key cluster_key;
    struct tables_node nodes[NODES_MAX]; /* by number - 1 */
    struct tree sessions, keys, names, locks, requests, owners, jobs;
    struct history history;
    struct tables_saver hasher; /* too large for a kernel stack */
};

/* Allocation that remembers a failure: tables_apply() then ends this replica. */
void *tables_take(struct tables *t, size_t bytes);
void tables_give(struct tables *t, void *block, size_t bytes);
/* A row of `bytes` bytes, zeroed, with a copy of `name` behind it, not inserted yet. NULL: no memory. */
void *tables_take_named(struct tables *t, size_t bytes, struct tables_text name);
void tables_give_named(struct tables *t, void *row, size_t bytes);
/* Likewise a row that begins with a tree node and its number. */
void *tables_take_numbered(struct tables *t, size_t bytes, uint64_t number);

void tables_tell(struct tables *t, const struct tables_event *event);

/* Each applies one decoded operation and says what came of it. */
void nodes_apply_join(struct tables *t, const struct tables_op *op, struct tables_result *result);
void nodes_apply_renew(struct tables *t, const struct tables_op *op, struct tables_result *result);
void nodes_apply_expire(struct tables *t, const struct tables_op *op, struct tables_result *result);
void levels_apply(struct tables *t, const struct tables_op *op, struct tables_result *result);
void nodes_apply_wish(struct tables *t, const struct tables_op *op, struct tables_result *result);
void sessions_apply_open(struct tables *t, const struct tables_op *op, struct tables_result *result);
void sessions_apply_close(struct tables *t, const struct tables_op *op, struct tables_result *result);
void sessions_apply_process_end(struct tables *t, const struct tables_op *op, struct tables_result *result);
void keys_apply_put(struct tables *t, const struct tables_op *op, struct tables_result *result);
void keys_apply_delete(struct tables *t, const struct tables_op *op, struct tables_result *result);
void keys_apply_append(struct tables *t, const struct tables_op *op, struct tables_result *result);
void locks_apply_lock(struct tables *t, const struct tables_op *op, struct tables_result *result);
void locks_apply_cancel(struct tables *t, const struct tables_op *op, struct tables_result *result);
void locks_apply_unlock(struct tables *t, const struct tables_op *op, struct tables_result *result);
void locks_apply_elected_set(struct tables *t, const struct tables_op *op, struct tables_result *result);
void txn_apply(struct tables *t, const struct tables_op *op, struct tables_result *result);
void names_apply_put(struct tables *t, const struct tables_op *op, struct tables_result *result);
void names_apply_delete(struct tables *t, const struct tables_op *op, struct tables_result *result);
void jobs_apply_submit(struct tables *t, const struct tables_op *op, struct tables_result *result);
void jobs_apply_place(struct tables *t, const struct tables_op *op, struct tables_result *result);
void jobs_apply_report(struct tables *t, const struct tables_op *op, struct tables_result *result);
void jobs_apply_kill(struct tables *t, const struct tables_op *op, struct tables_result *result);

/* What one process may ask for; owners.c. */
bool owners_have_room(const struct tables *t, const struct request *like);
bool owners_add(struct tables *t, const struct request *r); /* false: no memory */
void owners_remove(struct tables *t, const struct request *r);
bool owners_have_session_room(const struct tables *t, uint32_t node, uint64_t process_id);
bool owners_add_session(struct tables *t, const struct session *s); /* false: no memory */
void owners_remove_session(struct tables *t, const struct session *s);
void cluster_key_apply(struct tables *t, const struct tables_op *op, struct tables_result *result);
void cluster_key_boot_began(struct tables *t, uint32_t node);
bool nodes_log_key_right(const struct tables_log_key *k);
/* What the nodes of `ready` proved under the old cluster key is as good under the new one. */
void nodes_cluster_key_changed(struct tables *t, uint64_t from, uint64_t to, uint64_t ready);

/* An owner that ended: every row of `node`, or of one process of it, goes. */
#define OWNER_ALL UINT64_MAX
void sessions_end(struct tables *t, uint32_t node, uint64_t process_id);
/* What it held is not granted for the delay that it asked for, or for least_delay_ns if that is longer. */
void locks_end(struct tables *t, uint32_t node, uint64_t process_id, uint64_t least_delay_ns);
void names_end(struct tables *t, uint32_t node, uint64_t process_id);
void jobs_end(struct tables *t, uint32_t node);
static inline bool owned_by(uint32_t row_node, uint64_t row_process, uint32_t node, uint64_t process_id)
{
    return row_node == node && (process_id == OWNER_ALL || row_process == process_id);
}

/* Keys of sessions that are no more go with them. */
void keys_end_ephemeral(struct tables *t);
/* Cluster time went on: are locks to be granted whose holders died? */
void locks_time_passed(struct tables *t);
/* Does the grant with that fence still hold the lock? */
bool locks_holds(const struct tables *t, struct tables_text name, uint64_t fence);

/* E_NO_SESSION unless `session` is 0 or one of that process of that node. */
err_t keys_check_session(const struct tables *t, uint64_t session, uint32_t node, uint64_t process_id);
/* There is room, and the name is not empty: */
void keys_set(struct tables *t, struct tables_text name, struct tables_text value, uint64_t session);
void keys_remove(struct tables *t, struct key *key);

void history_add(struct tables *t, enum tables_change_kind kind, struct tables_text name, struct tables_text value,
                 uint64_t process_id);
void history_clear(struct tables *t); /* the arena was reset, or is new */

struct session *sessions_find(const struct tables *t, uint64_t session);
struct tables_node *nodes_live(struct tables *t, uint32_t number); /* NULL: none, or its lease ended */
/* False: that sequence was seen before. Else it is seen now. */
bool nodes_admit_sequence(struct tables_node *node, uint64_t sequence);

/* Rows made by loading a snapshot; the caller has checked the fields. NULL: no memory. */
struct session *sessions_add(struct tables *t, uint64_t session, uint32_t node, uint64_t process_id);
struct key *keys_add(struct tables *t, struct tables_text name, struct tables_text value, uint64_t revision,
                     uint64_t session);
struct name *names_add(struct tables *t, struct tables_text name, uint32_t node, uint64_t process_id,
                       uint64_t export_id);
struct lock *locks_add(struct tables *t, struct tables_text name);
/* `like` gives the fields of its own; its value is copied. */
struct request *locks_add_request(struct tables *t, struct lock *lock, const struct request *like);
bool locks_same_kind(uint32_t mode, uint32_t other_mode); /* both of locks, of semaphores ... */
struct job *jobs_add(struct tables *t, uint64_t job, uint32_t count, struct tables_text command, uint32_t classes,
                     struct tables_text prefix);
