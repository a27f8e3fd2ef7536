/* What a node is made of; for node_*.c alone. */
#pragma once

#include <string.h>

#include <base/assert.h>
#include <base/logformat.h>
#include <raft/raft.h>
#include <raft/raft_wire.h>
#include <wire/wire.h>

#include "lease.h"
#include "members.h"
#include "node.h"
#include "recover.h"
#include "text.h"

#define PIECE_BYTES   32768u /* a snapshot lies in pieces of this size */
#define PIECES_MAX    2048u
#define LOG_QUEUE_MAX 64u
#define REFUSED_MAX   8u
#define EPOCH_MAX     255u             /* fences have eight bits for it */
#define REFUSED_NS    (60 * SECOND_NS) /* so long it is shown */
#define HELLO_NS      SECOND_NS        /* between those of a node that is no member, or has no leader */

#define SNAPSHOT_CONF_BYTES (4u + RAFT_CONF_BYTES_MAX) /* before the tables' bytes: u32 length, configuration */

#define SECOND_NS 1000000000ull
#define LOAD_NS   SECOND_NS
#define RETRY_NS  SECOND_NS

/* ---- what nodes tell each other on the raft channel, first byte ---- */
enum control {
    CONTROL_RAFT = 1,           /* a message of lib/raft */
    CONTROL_HELLO = 2,          /* struct hello: what I am; on every new session and when it changes */
    CONTROL_PREPARE = 3,        /* cluster id, configuration: record it durably before we begin */
    CONTROL_PREPARED = 4,       /* cluster id: done */
    CONTROL_START = 5,          /* cluster id: all have recorded it; begin */
    CONTROL_PROPOSE = 6,        /* an entry for the leader to propose */
    CONTROL_MEMBERS = 7,        /* an operator asks the leader to change the members: id, action, node */
    CONTROL_MEMBERS_ANSWER = 8, /* id, index to have applied, error, words */
    CONTROL_REMOVED = 9,        /* from the leader: cluster id; the receiver was removed from it */
    CONTROL_RENEWED = 10, /* index and term of the entry that renews leases, stamp of the report it rests on; index
                             and hash of the leader's tables after an entry before it */
    CONTROL_OLDER = 11,   /* log id, index: the receiver's log, which reached further when it was last seen */
    CONTROL_KEY = 12      /* the key that takes the cluster key's place */
};

/* How far this node's log is on the way into a cluster. Kept on the log's superblock. */
enum stage {
    STAGE_BLANK = 0,    /* belongs to no cluster */
    STAGE_PREPARED = 1, /* genesis: recorded, not begun */
    STAGE_STARTED = 2   /* takes part */
};

#define NODE_TOO_OLD "the cluster came to a level that this image does not know: start this node with a newer one"

/* What is wrong with a node's log, for the others to show. */
enum trouble {
    TROUBLE_NONE = 0,
    TROUBLE_REPAIR = 1,  /* acknowledged entries were lost and are being fetched */
    TROUBLE_FULL = 2,    /* the disk has no room */
    TROUBLE_OLDER = 3,   /* an older image, or a disk that forgot what it had flushed */
    TROUBLE_MOVED = 4,   /* another machine's disk, moved or cloned */
    TROUBLE_DAMAGED = 5, /* no superblock is good */
    TROUBLE_ABSENT = 6,  /* no disk, or not readable */
    TROUBLE_FAILED = 7,  /* it refuses writes, or does not say why */
    TROUBLE_DIFFERS = 8, /* its tables are not those of the leader */
    TROUBLE_COUNT = 9
};

struct hello {
    uint32_t stage, voter, number; /* number 0: not known */
    enum trouble trouble;
    uint32_t epoch;
    uint64_t last_term, last_index; /* of its log */
    bool genesis, durable, ready;   /* ready: its log is open, so log_id is valid */
    bool led;                       /* it hears a leader, or is one */
    uint32_t level;                 /* of its build, see tables.h */
    uint64_t cluster_id[2], log_id[2];
};

/* A node at the other end of a link, by the link's slot. */
struct other {
    uint32_t session; /* 0: none */
    bool told;        /* remote calls know of the session, as node `number` */
    uint32_t number;
    uint64_t node_id[2], boot_id[2];
    uint64_t log_id[2]; /* and the key of that log: proven by the session */
    uint8_t log_key[32];
    struct hello hello; /* valid if heard */
    uint64_t hello_ns;  /* when it came */
    bool heard, prepared;
    struct node_load load;
    uint64_t load_ns;
    uint64_t load_stamp_ns; /* by its clock, when it sent that */
};

/* The tables after an entry. */
#define NODE_STATES 8u
struct state_hash {
    uint64_t index, hash;
};

/* ---- the log ---- */
struct log_request {
    struct log_message head;
    uint64_t persist;    /* the last request of this raft write; 0: of none */
    const uint8_t *data; /* head.bytes of them */
    bool owned;          /* data is freed when it is done */
    bool sent;
    bool recorded; /* the superblock as genesis or joining wants it */
    uint64_t keys; /* the number of its record of keys; 0: whatever it has */
};

struct log_queue { /* a ring */
    struct log_request requests[LOG_QUEUE_MAX];
    uint32_t first, count;
};

enum log_phase {
    LOG_PHASE_NONE = 0,  /* not attached, or of no use */
    LOG_PHASE_OPENING,   /* LOG_OPEN is out: superblock, and the records if there is no snapshot */
    LOG_PHASE_SNAPSHOT,  /* reading the snapshot */
    LOG_PHASE_RECORDS,   /* LOG_OPEN again, for the records */
    LOG_PHASE_REOPENING, /* logstore came back while we run: LOG_OPEN, then what it had not answered */
    LOG_PHASE_READY
};

struct pieces {
    uint8_t *piece[PIECES_MAX];
    uint64_t bytes;
};

/* ---- the cluster's key ---- */
#define NODE_KEYS_MAX         2u
#define NODE_KEY_RECORD_BYTES 154u
#define NODE_LOG_KEY_BYTES    201u

struct node_key {
    uint64_t id; /* 0: none */
    uint8_t key[NODE_KEY_BYTES];
    bool kept; /* on the log disk, if there is one */
};

struct node_keys {
    uint64_t boot_id;                    /* of the key that this machine booted with */
    uint8_t keeper[32];                  /* made of that: seals what is kept */
    struct node_key held[NODE_KEYS_MAX]; /* those that are valid, the older first */
    uint32_t count;
    struct node_key offered; /* drawn or given here, and not agreed to yet */
    bool offering;           /* its proposal is under way */
    bool loaded, begun;      /* what the disk keeps was looked at; the link has them */
    uint8_t record[NODE_KEY_RECORD_BYTES];
    uint64_t records; /* made in this boot */
    bool record_due, recorded;
    uint64_t deliver_due_ns, propose_due_ns;
    uint64_t told_ns; /* when others last said that this node's was dropped; 0: never */
};

struct node_log_key {
    struct noise_pair pair;
    uint8_t record[NODE_LOG_KEY_BYTES]; /* as on the superblock */
    bool closed; /* that cannot be opened with the cluster keys at hand: `pair` was drawn in this boot */
};

/* ---- members ---- */
#define NODE_ASKS_MAX       8u
#define MEMBERS_WORDS_BYTES 160u

struct members_good {
    uint32_t session; /* 0: not good now */
    uint64_t since_ns;
};

/* What an operator asked, at the leader. */
struct members_ask {
    bool active, own, wished; /* own: of this node; wished: it was proposed, or begun */
    uint64_t boot_id[2], id;  /* who asks, and its number for it */
    uint32_t action, number;
    uint64_t since_ns;
};

/* And at the node where it was asked. */
struct members_request {
    uint64_t id, token; /* id 0: free */
    uint32_t action, number;
    uint64_t since_ns, sent_ns, sent_term, leader_ns; /* leader_ns: a leader was known */
    bool answered;
    err_t err;
    uint64_t index;
    char words[MEMBERS_WORDS_BYTES];
};

struct members {
    struct members_request requests[NODE_ASKS_MAX];
    uint64_t next_id;
    uint64_t removed_told_ns; /* 0: never */
    /* what the leader last said */
    struct raft_id said_by;
    uint64_t said_ns;
    char said[MEMBERS_WHY_BYTES];
    /* the leader's */
    struct members_view view;
    struct members_decision decision;
    struct members_good good[LINK_PEERS_MAX + 1]; /* by link slot; the last: this node */
    uint64_t look_due_ns, hand_over_due_ns, proposed_at, settled_at, changed_ns, changes_seen, voters_seen;
    struct members_ask ask;
};

struct pending {
    uint64_t token, sequence;
    uint64_t sent_term, sent_ns; /* sent_ns 0: not yet */
    uint8_t *entry;              /* NULL: free */
    uint32_t bytes;
};

struct node {
    struct node_config config;
    struct node_hooks hooks;
    uint64_t now_ns;
    struct link *link;
    bool network;
    uint64_t network_ns; /* since when */
    uint32_t peer_state, ipv4;
    struct other others[LINK_PEERS_MAX];
    struct seen_log { /* how far others' logs surely reached, by what they said; outlives links */
        struct raft_id id;
        uint64_t applied;
    } seen[LINK_PEERS_MAX];
    struct node_load load;
    uint64_t load_due_ns, hello_due_ns;
    bool hello_changed;

    /* identity of log and cluster, as on the superblock */
    enum stage stage;
    uint64_t cluster_id[2], log_id[2];
    uint32_t epoch;               /* of the cluster: rises at each recovery by hand */
    uint64_t fresh_cluster_id[2]; /* if it falls to this node to begin one */
    struct raft_conf conf;        /* as recorded at genesis; count 0: none */
    uint32_t recorded_number;
    bool durable;    /* the log is on a disk */
    struct refused { /* who was turned away lately; reason: enum link_refusal */
        uint64_t node_id[2], cluster_id[2], at_ns;
        uint32_t reason;
    } refused[REFUSED_MAX];

    /* node_recover.c */
    bool adopting;                 /* the recovered state goes to the log */
    uint32_t drawn;                /* ids drawn anew in this boot */
    bool anew;                     /* the next format is of a damaged log, with consent */
    uint32_t epoch_seen;           /* the latest of this cluster that was heard, also of those turned away */
    uint64_t former_cluster_id[2]; /* while adopting: what is so if that fails */
    uint32_t former_epoch;
    struct recover_view view;

    /* genesis */
    bool recording;       /* a superblock write of ours is under way */
    bool start_on_record; /* and when it is done we take part */
    bool first_election;  /* this node led genesis: it campaigns once a majority takes part */
    bool prepared;        /* PREPARED is durable here */
    uint64_t genesis_due_ns;
    const char *problem;  /* what forbids taking part, in words; NULL: nothing */
    enum trouble trouble; /* of the problem */

    /* the log */
    enum log_phase phase;
    enum log_state log_state;
    bool log_known; /* what logstore found is known */
    struct log_queue queue;
    struct log_queue ahead; /* while the disk is full: what makes room, before all that waits for room */
    bool full, full_said;   /* an append found no room; and since then none has found any */
    bool snapshot_too_big;  /* the last one did not fit on the disk */
    uint64_t full_retry_ns, snapshot_retry_ns;
    uint64_t disk_last;           /* the log on the disk ends there, by what was answered */
    uint32_t log_ends;            /* how often logstore ended while this node ran */
    uint64_t serial, open_serial; /* of the last request; of the reading under way */
    bool opened;
    uint32_t *checksums;     /* of record i at i % window_entries */
    uint64_t checksum_index; /* highest of them; 0: none */
    struct log_superblock superblock;
    struct raft_hard_state hard_state;
    uint64_t load_offset, log_floor; /* floor: nothing up to it is in the log any more */
    uint8_t *record;                 /* a batch being encoded: LOG_APPEND_MAX bytes */

    /* consensus */
    struct raft *raft; /* NULL: not started */
    void *window_slots, *window_bytes;
    bool raft_running;
    struct tables *tables;
    void *chunks[1024];
    uint32_t chunk_count;
    struct tables_watcher watcher;
    struct pieces saved; /* the newest durable snapshot, whole */
    struct raft_snapshot saved_label;
    struct raft_snapshot received_label; /* of the message being received */
    struct pieces incoming;              /* one on its way: taken here, or received */
    struct raft_snapshot incoming_label;
    bool saving;     /* incoming is complete and goes to the log */
    bool installing; /* it came from the leader: the state is replaced by it when it is durable */
    bool saving_begun, install_due, install_refused, snapshot_wanted;
    bool was_repairing; /* and the others were told so */
    bool was_led;       /* the same */
    bool snapshot_lost; /* the one on the disk is damaged: another is fetched */
    uint64_t saving_offset;
    uint8_t *scratch; /* one encoded raft message */
    size_t scratch_bytes;
    struct tables_saver *saver;
    struct tables_loader *loader;

    /* requests of this node */
    uint64_t next_sequence;
    struct pending pending[NODE_REQUESTS_MAX];
    uint64_t join_due_ns;
    bool applied_join; /* own row stands with this boot */

    struct lease lease; /* the own */

    /* the tables after the newest entries that renewed leases */
    struct state_hash states[NODE_STATES];
    uint32_t states_noted;

    /* the leader's duties */
    bool leading;
    struct lease_clock lead_clock;
    uint64_t renew_due_ns;

    struct members members;
    struct node_keys keys;
    struct node_log_key log_key;
    struct {
        uint64_t count, said_ns;
    } refused_said[SEAL_COUNTERS]; /* frames, when the log last told of them */
    uint64_t refused_look_ns;
    uint64_t turned_away_said_ns[LINK_FALSE_LOG + 1]; /* by enum link_refusal */
};

static inline bool same_id(const uint64_t a[2], const uint64_t b[2])
{
    return a[0] == b[0] && a[1] == b[1];
}
static inline bool no_id(const uint64_t a[2])
{
    return !a[0] && !a[1];
}
static inline struct raft_id raft_id_of(const uint64_t node_id[2], const uint64_t log_id[2])
{
    return (struct raft_id){node_id[0], log_id[0]};
}

void *node_take(struct node *n, size_t bytes); /* zeroed */
void node_give(struct node *n, void *block, size_t bytes);
void node_say(struct node *n, const char *what, const char *detail);

/* node.c */
void node_draw_ids(struct node *n);
void node_draw_id(const struct node *n, const char *purpose, uint64_t id_out[2]); /* the same for the same purpose */
void node_identity_changed(struct node *n);
const struct tables_node *node_own_row(const struct node *n); /* NULL: none */
static inline bool no_raft_conf(const struct node *n)
{
    return raft_conf_now(n->raft)->count == 0;
}

/* A cluster's id: random, but for the last eight bits, which are the epoch. A recovery by hand draws the first half
 * anew and raises the epoch: so which of two is the later is seen from the ids alone, by who turns the other away. */
enum kin { KIN_STRANGER = 0, KIN_EARLIER, KIN_LATER, KIN_BESIDE /* two recoveries from the same epoch */ };
static inline uint32_t epoch_of(const uint64_t cluster_id[2])
{
    return (uint32_t)(cluster_id[1] & EPOCH_MAX);
}
static inline uint64_t with_epoch(uint64_t second_half, uint32_t epoch)
{
    return (second_half & ~(uint64_t)EPOCH_MAX) | epoch;
}

/* node_link.c */
void node_links_say(struct node *n);
void node_links_run(struct node *n);
void node_hello_all(struct node *n);
struct other *node_other_by_raft(struct node *n, uint64_t raft_node); /* NULL: no session */
struct other *node_other_by_number(struct node *n, uint32_t number);  /* NULL: no session */
bool node_send_control(struct node *n, const struct other *o, enum control kind, const void *data, size_t bytes);
uint32_t node_other_slot(const struct node *n, const struct other *o);

/* node_key.c */
void node_keys_open(struct node *n);
void node_keys_begin(struct node *n);
void node_keys_close(struct node *n);
void node_keys_run(struct node *n);
uint64_t node_keys_deadline(const struct node *n);
bool node_keys_load(struct node *n, const uint8_t record[NODE_KEY_RECORD_BYTES]); /* false: it cannot be one */
void node_keys_recorded(struct node *n, uint64_t record);                         /* durable */
void node_take_key(struct node *n, struct wire_reader *r);
void node_keys_told_dropped(struct node *n);
bool node_put_key_missing(const struct node *n, struct text *t); /* false, and nothing put: it is not */

void node_keys_salt(struct node *n, uint8_t salt[32]);
void node_keys_keeper(const struct node *n, const uint8_t key[NODE_KEY_BYTES], uint8_t keeper_out[32]);
bool node_keys_has(const struct node *n, uint64_t id);

/* node_log_key.c */
void node_log_key_draw(struct node *n); /* with a log id */
void node_log_key_seal(struct node *n); /* the record as it is to be: the keys at hand are others */
bool node_log_key_load(struct node *n, const uint8_t record[NODE_LOG_KEY_BYTES]); /* false: it cannot be one */
void node_log_key_try(struct node *n);                                            /* a cluster key came */
void node_log_key_run(struct node *n);                                            /* of a member */
struct tables_log_key node_log_key_of(const struct node *n, const uint8_t public[32]);
uint32_t node_log_key_vet(void *context, const struct seal_identity *identity, const uint8_t log_key[32]);
/* The sender joins as what its session proved. */
bool node_join_is_own(const struct node *n, const struct other *o, const struct tables_op *op);

/* node_genesis.c */
void node_genesis_run(struct node *n);
void node_genesis_recorded(struct node *n); /* the superblock that we wrote is durable */
void node_log_opened(struct node *n);       /* stage and ids are known */
void node_take_prepare(struct node *n, struct other *o, struct wire_reader *r);
void node_take_prepared(struct node *n, struct other *o, struct wire_reader *r);
void node_take_start(struct node *n, struct other *o, struct wire_reader *r);
uint32_t node_voters_linked(const struct node *n); /* self included */
bool node_voter_missing(const struct node *n, uint32_t voter);
const struct other *node_hears_cluster(const struct node *n); /* a node that takes part in one; NULL: none is heard */

/* node_log.c */
void node_log_run(struct node *n);
void node_log_persist(struct node *n, const struct raft_persist *persist);
void node_log_record(struct node *n, bool format); /* the superblock as it is now */
bool node_log_usable(const struct node *n);        /* it is known where vote and log are kept, if only in memory */
/* A request with no data yet; there must be room. */
struct log_request *node_log_queue(struct node *n, uint32_t op);
uint32_t node_log_room(const struct node *n);
void node_log_compact(struct node *n, uint64_t index);
void node_log_drop_snapshot(struct node *n); /* what is not yet answered of one being written */
/* A request whose data is `before`, then the superblock as it is now. */
void node_log_adopt(struct node *n, const uint8_t sha256[32]);
void node_log_send_again(struct node *n); /* all that waits, to who may have seen it before */
void node_log_keep_keys(struct node *n);  /* the record of keys as it is now */
void node_log_close(struct node *n);
uint64_t node_log_deadline(const struct node *n);
static inline bool node_log_of_snapshot(uint32_t op)
{
    return op == LOG_SNAPSHOT_BEGIN || op == LOG_SNAPSHOT_DATA || op == LOG_SNAPSHOT_COMMIT || op == LOG_ADOPT;
}

/* node_full.c: a disk without room */
void node_full_begin(struct node *n); /* the append at the head of the queue found none */
void node_full_run(struct node *n);
void node_full_compacted(struct node *n);
void node_full_over(struct node *n);     /* an append found room */
void node_full_snapshot(struct node *n); /* the snapshot being written does not fit */
bool node_full_refuses(struct node *n, const struct tables_op *op);

/* node_rows.c */
uint32_t node_number_of(struct node *n, uint64_t raft_node); /* 0: not known */

/* node_recover.c */
void node_recover_adopted(struct node *n);                           /* the recovered state is durable */
void node_recover_failed(struct node *n, const char *why);           /* or cannot be */
void node_recover_saw(struct node *n, const uint64_t cluster_id[2]); /* of a node that was turned away */
enum kin node_kin(const struct node *n, const uint64_t cluster_id[2]);
const struct refused *node_refused(const struct node *n, const uint64_t node_id[2]); /* NULL: not lately, or
                                                                                        for its node id alone */
const char *node_refused_note(const struct node *n, const struct refused *r);

/* node_trouble.c: what is wrong with a log, in words */
enum trouble node_trouble(const struct node *n);
const char *node_trouble_note(enum trouble trouble); /* short, for `nodes` */
uint64_t node_repairing(const struct node *n);

/* node_seen.c: how far the logs of others reached, to know an older image of one */
void node_seen_note(struct node *n, const struct other *o, uint64_t applied);
void node_seen_check(struct node *n, const struct other *o); /* it said hello */
void node_take_older(struct node *n, struct wire_reader *r);

/* node_raft.c */
void node_raft_prepare(struct node *n, const struct raft_snapshot *snapshot); /* log opened: ready to take records */
void node_raft_restore(struct node *n, const struct logformat_record *record);
void node_raft_start(struct node *n, uint64_t damaged_index); /* 0: the log is whole */
void node_raft_close(struct node *n);
void node_raft_stop(struct node *n); /* the tables stay */
void node_tables_drop(struct node *n);
void node_raft_run(struct node *n);
void node_take_raft(struct node *n, struct other *o, const uint8_t *bytes, size_t count);
err_t node_tables_make(struct node *n);
void node_fail(struct node *n, const char *why); /* this log takes no part until the node is restarted */
void node_fail_as(struct node *n, enum trouble trouble, const char *why);

/* node_snapshot.c */
void node_snapshot_run(struct node *n);
void node_snapshot_saved(struct node *n); /* durable */
bool node_snapshot_chunk(struct node *n, const struct raft_chunk *chunk);
void node_snapshot_install(struct node *n, const struct raft_snapshot *snapshot);
const uint8_t *node_pieces_at(const struct pieces *p, uint64_t offset, uint32_t bytes, uint8_t *scratch);
/* The tables as they are, with that configuration, become the bytes to be saved. False: no memory. */
bool node_snapshot_take(struct node *n, const struct raft_snapshot *label);
bool node_pieces_write(struct node *n, struct pieces *p, uint64_t offset, const uint8_t *data, uint32_t bytes);
void node_pieces_clear(struct node *n, struct pieces *p);
/* The snapshot that a cluster begins with: made anew from the configuration on the superblock whenever there is no
 * other yet. NULL: no memory, or that configuration is none. */
const struct raft_snapshot *node_snapshot_genesis(struct node *n);
/* Replaces the tables by what the pieces hold. */
/* E_NOT_SUPPORTED: of a level that this build does not know. Else whatever is wrong with it. */
err_t node_snapshot_load(struct node *n, const struct pieces *p, const uint8_t sha256[32], struct raft_conf *conf_out);

/* node_propose.c */
void node_tables_replaced(struct node *n);
void node_propose_close(struct node *n);
void node_applied(struct node *n, const struct raft_entry *entry, const struct tables_result *result);
void node_propose_run(struct node *n);
void node_take_propose(struct node *n, const struct other *o, const uint8_t *entry, size_t bytes);
uint64_t node_propose_deadline(const struct node *n);

/* node_members.c */
void node_members_lead(struct node *n, bool begins); /* the leader's part of a round */
void node_members_ask(struct node *n, const struct raft_status *s);
void node_members_run(struct node *n); /* everybody's: requests of this node */
uint64_t node_members_deadline(const struct node *n);
void node_members_heard(struct node *n, struct other *o); /* it said hello */
bool node_is_removed(const struct node *n);
bool node_other_is_removed(const struct node *n, const struct other *o);
bool node_log_lost(const struct node *n, struct raft_id id); /* its node came back with another */
void node_take_members(struct node *n, struct other *o, struct wire_reader *r);
void node_take_members_answer(struct node *n, struct wire_reader *r);
void node_take_removed(struct node *n, struct wire_reader *r);
void node_members_words(const struct node *n, struct wire_writer *w); /* what the leader says of the voters */
void node_members_take_words(struct node *n, const struct other *o, struct wire_reader *r);
void node_put_voters(const struct node *n, struct text *t);
/* False, and nothing put: enough voters have their logs. */
bool node_put_lost_majority(const struct node *n, struct text *t);
/* What is left of the voters' logs when all are off at once: those on disks. */
enum kept {
    KEPT_NOTHING = 0,
    KEPT_TOO_FEW = 1, /* no majority */
    KEPT_MAJORITY = 2
};
enum kept node_kept(const struct node *n, const struct raft_conf *conf);

/* node_lease.c */
void node_lease_renewed(struct node *n, uint64_t index, uint64_t term); /* the leader proposed that entry */
bool node_lease_take(struct node *n, struct wire_reader *r);            /* false: it cannot be */
void node_lease_run(struct node *n);

/* node_compare.c */
void node_compare_applied(struct node *n, uint64_t index); /* an entry that renews leases */
void node_compare_forget(struct node *n);
struct state_hash node_compare_newest(const struct node *n);
void node_compare_take(struct node *n, struct state_hash theirs);

/* node_lead.c */
uint64_t node_cluster_now(struct node *n);
void node_lead_run(struct node *n);
uint64_t node_lead_deadline(const struct node *n);
