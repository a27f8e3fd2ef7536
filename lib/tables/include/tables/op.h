/* What can be proposed to the tables, and its encoding in a log entry.
 *
 * An operation names its origin (node number, boot id of that node, sequence): the same (node, boot, sequence) is
 * applied at most once, so a node may propose again after a change of leader. It must keep its sequences within
 * TABLES_WINDOW of its oldest unanswered one. Node 0 is the leader itself: never suppressed, so each such operation is
 * safe to repeat.
 */
#pragma once

#include <abi/ids.h>
#include <abi/transaction.h>

#define TABLES_NAME_MAX 255u
#define TABLES_VALUE_MAX                                                                                               \
    3800u /* what one message can carry (abi/idl/cluster.msg): no value grows beyond being read                        \
           */
#define TABLES_COMMAND_MAX     1023u
#define TABLES_ELECTED_MAX     255u  /* what a candidate publishes */
#define TABLES_SEQUENCE_DIGITS 12u   /* what a sequential key has behind its prefix */
#define TABLES_ENTRY_MAX       4608u /* bytes of the longest encoded operation */

struct tables_text {
    const void *at; /* not ended by 0 */
    uint32_t bytes;
};

enum tables_kind {
    TABLES_NODE_JOIN = 1,    /* a node, or its new boot, takes part -> node number */
    TABLES_RENEW = 2,        /* leader: cluster time, and the leases renewed */
    TABLES_EXPIRE = 3,       /* leader: a lease was not renewed; refused if it was since, or in another term */
    TABLES_PROCESS_END = 4,  /* all that a process held ends */
    TABLES_SESSION_OPEN = 5, /* -> session */
    TABLES_SESSION_CLOSE = 6,
    TABLES_KEY_PUT = 7,
    TABLES_KEY_DELETE = 8,
    TABLES_KEY_APPEND = 9, /* at most once for (session, number) */
    TABLES_LOCK = 10,
    TABLES_LOCK_CANCEL = 11, /* by ticket: leaves the line, or releases if granted meanwhile */
    TABLES_UNLOCK = 12,
    TABLES_NAME_PUT = 13,
    TABLES_NAME_DELETE = 14,
    TABLES_JOB_SUBMIT = 15,
    TABLES_JOB_PLACE = 16,  /* leader */
    TABLES_JOB_REPORT = 17, /* the node it is placed on */
    TABLES_JOB_KILL = 18,
    TABLES_NODE_WISH = 19, /* leader: what an operator wants of a node from now on */
    TABLES_TXN = 20,
    TABLES_ELECTED_SET = 21, /* the holder of an election publishes another value */
    TABLES_CLUSTER_KEY = 22, /* a step of a change of the cluster's key: enum tables_key_action */
    TABLES_LEVEL = 23, /* leader: all know what came with that level, and may be told of it; E_BUSY: some do not */
    TABLES_KINDS = 24
};

/* The old and the new key are both valid between BEGIN and DROP or CANCEL. */
enum tables_key_action {
    TABLES_KEY_BEGIN = 1,
    TABLES_KEY_READY = 2,    /* the node that proposes it has the new key, and keeps it */
    TABLES_KEY_DROP = 3,     /* the old one is void. E_BUSY unless all nodes are ready that are not removed */
    TABLES_KEY_DROP_NOW = 4, /* whoever is ready */
    TABLES_KEY_CANCEL = 5    /* the new one is void */
};

/* What an operator wants of a node. The leader makes it so as far as that is safe; until it is, it stays a wish. */
enum tables_wish {
    TABLES_WISH_NONE = 0,    /* the cluster decides whether it votes */
    TABLES_WISH_VOTER = 1,   /* it is to vote */
    TABLES_WISH_LEARNER = 2, /* it is not to vote */
    TABLES_WISH_DRAINED = 3, /* nothing new is placed on it, it does not lead, and its vote goes elsewhere if it can */
    TABLES_WISH_REMOVED = 4, /* it takes no part */
    TABLES_WISHES = 5
};

/* What a name of the locks is: a lock (exclusive, shared), a semaphore, an election or a barrier. They share one line,
 * one fence and one way to end; a name is one of them for as long as it has requests. */
enum tables_lock_mode {
    TABLES_EXCLUSIVE = 1,
    TABLES_SHARED = 2,
    TABLES_PERMIT = 3,    /* of a semaphore: at most `permits` hold it */
    TABLES_CANDIDATE = 4, /* of an election: one holds it and publishes a value */
    TABLES_PARTY = 5      /* of a barrier: all who wait hold it as soon as they are `permits` */
};

/* The public key of a log, by which its node proves it, and the id of the cluster key under which it was proven. All 0:
 * none. */
struct tables_log_key {
    uint64_t low[2], high[2], cluster_key;
};

#define TABLES_ANY_REVISION UINT64_MAX

struct tables_op {
    uint32_t kind; /* enum tables_kind */
    uint32_t node; /* origin; 0: the leader itself. NODE_JOIN: 0, since it has none yet */
    uint64_t boot[2];
    uint64_t sequence;
    union {
        struct {
            uint64_t node_id[2], log_id[2], boot_id[2], wanted /* number, if free */, durable, cpus, level;
            struct tables_log_key log_key; /* of that log; all 0: none is given */
            struct tables_text name;
        } node_join;
        struct {
            uint64_t now_ns, nodes; /* bit n-1: node n */
        } renew;
        struct {
            uint64_t node, boot_id[2], renewal, term;
        } expire;
        struct {
            uint64_t node, wish;
        } node_wish;
        struct {
            uint64_t level;
        } level;
        struct {
            uint64_t process_id;
        } process_end;
        struct {
            uint64_t process_id;
        } session_open;
        struct {
            uint64_t session, process_id;
        } session_close;
        struct {
            uint64_t if_revision;
            struct tables_text name, value;
            uint64_t process_id; /* whose session it has to be */
            uint64_t session;    /* the key ends with it; 0: it stays */
            uint64_t sequential; /* 1: the name gets a number that was never given before, and rises */
        } key_put;
        struct {
            uint64_t if_revision;
            struct tables_text name;
        } key_delete;
        struct {
            uint64_t session, number, process_id;
            struct tables_text name, data;
        } key_append;
        struct {
            uint64_t mode, try_only, process_id;
            struct tables_text name;
            uint64_t permits;         /* PERMIT, PARTY: the same for all; else 0 */
            uint64_t delay_ns;        /* if its holder dies, nobody is granted the lock for so long */
            struct tables_text value; /* CANDIDATE */
        } lock;
        struct {
            uint64_t ticket;
        } lock_cancel;
        struct {
            uint64_t fence, process_id, any; /* any: whoever holds it */
            struct tables_text name;
        } unlock;
        struct {
            uint64_t fence, process_id;
            struct tables_text name, value;
        } elected_set;
        struct {
            uint64_t process_id;      /* whose the sessions in it have to be */
            struct tables_text steps; /* abi/transaction.h */
        } txn;
        struct {
            uint64_t process_id, export_id;
            struct tables_text name;
        } name_put;
        struct {
            uint64_t export_id;
            struct tables_text name;
        } name_delete;
        struct {
            uint64_t count, classes;
            struct tables_text prefix, command; /* classes, prefix: what it may ask of the cluster service */
        } job_submit;
        struct {
            uint64_t job, instance, node, boot_id[2];
            struct tables_text why;
        } job_place;
        struct {
            uint64_t job, instance, state, cause, code, process_id;
        } job_report;
        struct {
            uint64_t job;
        } job_kill;
        struct {
            /* id: of the new key; from_id, leaked: BEGIN. DROP_NOW: from_id is the bits of `ready` that were seen */
            uint64_t action, id, from_id, leaked;
        } cluster_key;
    };
};

/* Bytes written, at most TABLES_ENTRY_MAX; 0 if `room` is too small or a text is longer than its kind allows. */
size_t tables_encode(const struct tables_op *op, void *to, size_t room);
/* Texts point into `from`. E_BAD_MESSAGE for anything that tables_encode() would not have written. */
err_t tables_decode(const void *from, size_t bytes, struct tables_op *op_out);
