/* Rows of the cluster service; see abi/idl/cluster.msg. */
#pragma once

#include <abi/ids.h>

enum cluster_state {
    CLUSTER_LOCAL = 0,   /* this machine alone; the shell works */
    CLUSTER_LOG = 1,     /* waiting for the log disk */
    CLUSTER_LINK = 2,    /* waiting for a network address and peers */
    CLUSTER_JOIN = 3,    /* peers heard; asking to be taken in */
    CLUSTER_GENESIS = 4, /* first voters agreeing to begin */
    CLUSTER_FOLLOW = 5,  /* catching up with the log */
    CLUSTER_MEMBER = 6   /* applied up to the leader; cluster calls are served */
};

/* Classes of operations that a handle to the cluster service permits; see ../../cluster_classes.def. */
#define CLUSTER_CLASS(name, bit, word, text) CLUSTER_MAY_##name = 1u << (bit),
enum cluster_class {
#include "../../cluster_classes.def"
};
#undef CLUSTER_CLASS
#define CLUSTER_MAY_ALL    0x7ffu
#define CLUSTER_PREFIX_MAX 63u /* bytes of the prefix that keys, locks and names must have */

/* What an operator can ask of a node's membership: op members. */
enum cluster_members {
    CLUSTER_MEMBERS_ADD = 1,     /* takes part as the cluster decides: no longer removed, drained, demoted, promoted */
    CLUSTER_MEMBERS_PROMOTE = 2, /* votes */
    CLUSTER_MEMBERS_DEMOTE = 3,  /* does not vote */
    CLUSTER_MEMBERS_DRAIN = 4,   /* gets no new jobs, does not lead, and its vote goes elsewhere if it can */
    CLUSTER_MEMBERS_REMOVE = 5,  /* takes no part */
    CLUSTER_MEMBERS_TRANSFER = 6 /* leads */
};

struct cluster_status {
    uint32_t state, node; /* own node number, 0 before it is known */
    uint64_t cluster_id[2], node_id[2], log_id[2], boot_id[2];
    uint32_t role;   /* 0 none, 1 learner, 2 follower, 3 candidate, 4 leader */
    uint32_t leader; /* node number, 0 unknown */
    uint64_t term, commit, applied, last_index, durable_index;
    uint32_t voter, durable; /* 1: votes; 1: its log is on a disk */
    uint32_t quorum;         /* 1: a leader confirmed itself within the last seconds */
    uint32_t nodes_known, nodes_up, reserved;
    char waiting[160]; /* what it waits for, in words; empty when nothing */
    char voters[256];  /* how many vote and are heard, and what becomes of the voters next, in words */
    char cluster_name[32];
    uint64_t frames_wrong_key, frames_replayed, frames_damaged, frames_foreign;
    uint64_t frames_sent, frames_received, bytes_sent, bytes_received;
    uint64_t frames_old_key, frames_excess; /* made with a key that was dropped; more hellos than are looked at */
    /* Who sent the last of each, in network order; 0: nobody did: wrong key, replayed, damaged, foreign, old key,
     * excess, false log */
    uint32_t refused_ipv4[7];
    uint32_t reserved2;
    uint64_t frames_false_log;                  /* made without the key that is pinned to the log they name */
    uint64_t carrier_malformed, carrier_broken; /* by the network server: records that are none; rings that cannot be */
};

/* What an operator can ask of the cluster's key: op key. */
enum cluster_key_act {
    CLUSTER_KEY_LOOK = 0,   /* how it stands, in words */
    CLUSTER_KEY_ROTATE = 1, /* a new one is drawn and goes to all; then the old one is dropped */
    CLUSTER_KEY_LEAKED = 2, /* the given one takes its place; it has to be entered at each node */
    CLUSTER_KEY_ENTER = 3,  /* gives this node the given one */
    CLUSTER_KEY_DROP = 4,   /* the old one is dropped now, whoever lacks the new one */
    CLUSTER_KEY_CANCEL = 5, /* the change is given up */
    CLUSTER_KEY_SHOW = 6    /* the newest that this node has, as 64 hex digits */
};

struct cluster_node {
    uint32_t node, state; /* 1 up, 2 not heard, 3 removed, 4 refused (wrong key, foreign) */
    uint64_t node_id[2], log_id[2], boot_id[2];
    uint32_t voter, durable, leader, ipv4;
    uint64_t last_heard_ns; /* how long ago */
    uint64_t match_index;   /* leader only */
    uint64_t free_bytes;
    uint32_t running, cpus, busy_percent, reserved;
    char name[32];
    char note[64];
};

enum cluster_lock_mode {
    CLUSTER_EXCLUSIVE = 1,
    CLUSTER_SHARED = 2,
    CLUSTER_SEMAPHORE = 3, /* at most `permits` hold it */
    CLUSTER_ELECTION = 4,  /* one holds it and publishes a value */
    CLUSTER_BARRIER = 5    /* all that wait hold it as soon as they are `permits` */
};

struct cluster_lock {
    uint64_t fence;
    uint32_t mode, holders, waiters, node; /* node of the (first) holder */
    uint64_t process_id;
    uint32_t permits, delayed; /* delayed 1: its holder died; it is not granted yet */
    char name[64];
};

/* One that holds a lock, or (fence 0) waits for it. */
struct cluster_lock_request {
    uint64_t ticket, fence, process_id;
    uint64_t lock; /* names the lock, also from another of the same name at another time */
    uint32_t mode, node;
    char name[64];
};

enum cluster_watched { CLUSTER_WATCH_KEYS = 1, CLUSTER_WATCH_ELECTIONS = 2 };

enum cluster_change_kind {
    CLUSTER_CHANGE_PUT = 1,
    CLUSTER_CHANGE_DELETE = 2,
    CLUSTER_CHANGE_ELECTED = 3,
    CLUSTER_CHANGE_VACANT = 4
};

/* The name and the value follow it, padded with zeros to 8 bytes in all. */
struct cluster_change {
    uint64_t revision;
    uint64_t process_id; /* ELECTED: of the holder */
    uint32_t kind;       /* enum cluster_change_kind */
    uint32_t name_bytes, value_bytes;
    uint32_t left_out; /* bytes of a value that was too long to go along; read the key */
};

struct cluster_job {
    uint64_t job;
    uint32_t instance, node, state, cause, code; /* state 1 placed, 2 running, 3 ended */
    uint32_t stopping;          /* its process was asked to end: the job was killed, or its node's lease ended */
    uint64_t process_id, fence; /* fence: of its placement, unique in the cluster */
    char command[64];
    char why[64];
};

/* The one operation of a lock's handle (the `held` of cluster.lock): it is answered, with E_STALE_FENCE, when the lock
 * is lost because the lease of its node ended. */
#define CLUSTER_HELD_WAIT 1u
