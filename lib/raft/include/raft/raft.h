/* Consensus core: a pure state machine. No clock, I/O, allocation or globals; the mount (kernel/cluster, the simulator)
 * tells it what happened and does what it asks for.
 *
 * One round of the mount:
 *
 *     raft_tick(r, now);                     always first: all other events are taken to happen at that time
 *     raft_receive / raft_propose / raft_persisted / raft_applied / ...     any number of events
 *     raft_update(r, &update);               what is to be done now; good until the next event
 *       - encode and send update.messages (raft_wire_encode). They may leave at once, also before update.persist is
 *         done: what depends on durability is held back inside until raft_persisted().
 *       - hand update.persist to the log. Any number of these may be under way; they must become durable in order.
 *       - take the snapshot that update.snapshot_wanted asks for (raft_snapshot_label), before applying more.
 *       - apply update.apply (another may come only after raft_applied()).
 *       - answer update.reads.
 *     Update again until nothing comes out (update.more), then sleep until the next event or raft_deadline().
 *
 * Everything in messages is from outside and may be hostile: it is checked and dropped, never asserted. Misuse by the
 * mount (see "must") is asserted. One thread at a time.
 */
#pragma once

#include <abi/types.h>
#include <raft/conf.h>

/* ---- limits ---- */
#define RAFT_ENTRY_BYTES_MAX (64u * 1024u - 64u) /* payload of one entry */
#define RAFT_INFLIGHT_MAX    16u                 /* unacknowledged appends to one peer */
#define RAFT_MESSAGES_MAX    512u                /* in one update; what is beyond is dropped and counted */
#define RAFT_PERSISTS_MAX    8u                  /* log writes under way */
#define RAFT_READS_MAX       512u                /* reads under way */
#define RAFT_INDEX_MAX       (1ull << 62)        /* terms and indices in messages stay below */
#define RAFT_ENTRY_OVERHEAD_MAX                                                                                        \
    64u /* bytes that an entry costs beside its payload: in memory, on the disk, in messages of more than one */

/* ---- what the mount gives ---- */

struct raft_config {
    struct raft_id id; /* this node; both parts not 0 */
    uint64_t cluster;  /* messages of other clusters are dropped; not 0 */
    uint64_t seed;     /* of the election timeouts: different on every node and boot */
    uint64_t heartbeat_ns;
    uint64_t
        election_ns;   /* least election timeout; the next is from [election_ns, 2 * election_ns); > 2 * heartbeat_ns */
    uint64_t stall_ns; /* a log write slower than this ends leadership and forbids campaigning; 0: 2 * election_ns */
    uint64_t commit_notice_ns;  /* so long a follower's news of the commit index waits for an append to ride on, unless
                                   raft_commit_wanted() */
    uint32_t message_bytes;     /* payload of one append; at least one entry is always sent */
    uint32_t inflight_messages; /* window to one peer, 1..RAFT_INFLIGHT_MAX */
    uint64_t inflight_bytes;    /* the same in payload bytes */
    uint32_t inflight_short; /* while so many are under way, a further one is sent only when full; 0: no such limit */
    uint64_t uncommitted_bytes; /* proposals are refused (E_FULL) while more than this is not committed */
    uint32_t persist_bytes;     /* payload of one log write; at least one entry is always written */
    uint32_t apply_bytes;       /* payload of one range to apply; at least one entry is always given */
    uint32_t snapshot_chunk_bytes;
};

/* Memory for the log window: all entries since the last raft_compact(). Given once, kept for good. */
struct raft_slot {
    uint64_t term;
    uint64_t start; /* position of the payload, counted since init without wrapping */
    uint32_t length;
    uint32_t type;
};
struct raft_memory {
    struct raft_slot *slots;
    uint32_t slot_count; /* power of two, >= 16 */
    uint8_t *bytes;
    uint64_t byte_count; /* >= 2 * (RAFT_ENTRY_BYTES_MAX + 1) */
};

struct raft_hard_state {
    uint64_t term;
    struct raft_id vote; /* log 0: none */
    uint64_t commit;
};

/* A snapshot's label. The bytes are the mount's. */
struct raft_snapshot {
    uint64_t index, term; /* of the last entry it covers; index 0: there is none */
    uint64_t bytes;
    uint8_t digest[32];    /* the mount's; carried with every chunk so that chunks of two snapshots are never mixed */
    struct raft_conf conf; /* as applied up to index */
};

/* ---- entries ---- */

enum raft_entry_type {
    RAFT_ENTRY_NOOP = 0, /* the first of a leader's term; empty */
    RAFT_ENTRY_DATA = 1,
    RAFT_ENTRY_CONF = 2 /* a raft_conf_change; the core acts on it when it is applied, the mount only counts it */
};

struct raft_entry {
    uint64_t index, term;
    uint32_t type, length;
    const uint8_t *data; /* in the log window; good until the next event */
};

/* ---- messages ---- */

enum raft_message_type {
    RAFT_MSG_PREVOTE = 1,
    RAFT_MSG_PREVOTE_REPLY = 2,
    RAFT_MSG_VOTE = 3,
    RAFT_MSG_VOTE_REPLY = 4,
    RAFT_MSG_APPEND = 5,
    RAFT_MSG_APPEND_REPLY = 6,
    RAFT_MSG_HEARTBEAT = 7,
    RAFT_MSG_HEARTBEAT_REPLY = 8,
    RAFT_MSG_SNAPSHOT = 9,
    RAFT_MSG_SNAPSHOT_REPLY = 10,
    RAFT_MSG_TIMEOUT_NOW = 11,
    RAFT_MSG_READ = 12,
    RAFT_MSG_READ_REPLY = 13,
    RAFT_MSG_TYPES = 14
};

/* Fields beyond the first five mean something only for the types named. */
struct raft_message {
    uint32_t type;
    bool reject;   /* replies; READ_REPLY: the read failed, ask again */
    bool transfer; /* VOTE: on the leader's behalf, stickiness does not apply */
    bool lost;     /* APPEND_REPLY rejecting: what was acknowledged before is not there any more */
    uint64_t cluster;
    struct raft_id from, to;
    uint64_t term;
    uint64_t index;    /* APPEND: entry before the first; APPEND_REPLY: matched up to, or what was rejected;
                          VOTE, PREVOTE: last entry; READ_REPLY: what may be read at; SNAPSHOT_REPLY: the snapshot's */
    uint64_t log_term; /* APPEND, VOTE, PREVOTE: term of `index`; APPEND_REPLY rejecting: term of `hint` */
    uint64_t commit;   /* APPEND, HEARTBEAT; VOTE, PREVOTE and their replies: what the sender knows to be committed */
    uint64_t commit_term; /* VOTE, PREVOTE and their replies: term of `commit` */
    uint64_t hint;        /* APPEND_REPLY rejecting: last entry that may match */
    uint64_t context;     /* HEARTBEAT(_REPLY), READ(_REPLY) */
    uint32_t entry_count;
    uint32_t entry_bytes;   /* decoded: length of `entries` */
    const uint8_t *entries; /* decoded: encoded entries in the buffer given to raft_wire_decode; NULL when going out */
    const struct raft_snapshot *snapshot; /* SNAPSHOT */
    uint64_t offset;                      /* SNAPSHOT: of the chunk; SNAPSHOT_REPLY: bytes stored so far */
    uint32_t chunk_bytes;                 /* SNAPSHOT */
    const uint8_t *chunk;                 /* SNAPSHOT, decoded. Going out: the mount puts the bytes in (raft_wire.h) */
};

/* ---- what the core asks for ---- */

/* A log write. Make durable in this order: void the old entries, write the new ones, then the hard state; the hard
 * state must not become durable before the entries. Report raft_persisted(id) when all of it is durable, ids in order.
 * hard_state_required false: writing the hard state is optional (only `commit` moved). */
struct raft_persist {
    uint64_t id; /* 0: nothing to write */
    bool reset;  /* all entries are void; the log continues after the installed snapshot */
    bool hard_state_required;
    uint64_t truncate_from; /* not 0: entries from it on are void */
    uint64_t first, last;   /* entries to write (raft_entry_at); first 0: none */
    struct raft_hard_state hard_state;
};

struct raft_apply {
    uint64_t first, last; /* apply these (raft_entry_at); first 0: none */
};

/* Answer to raft_read(). */
struct raft_read_state {
    uint64_t token; /* the mount's */
    uint64_t index; /* own state, applied up to it or further, may be read now */
    bool failed;    /* leader lost or changed: ask again with raft_read() if still wanted */
};

/* A chunk to keep, at offset, of the snapshot being received; report raft_chunk_stored(). bytes 0: none. When offset is
 * 0 anything kept of another snapshot is void. */
struct raft_chunk {
    const struct raft_snapshot *snapshot;
    uint64_t offset;
    uint32_t bytes;
    const uint8_t *data; /* in the buffer of the message that was received last: keep it until this update is done */
};

enum raft_role { RAFT_FOLLOWER = 0, RAFT_PRE_CANDIDATE = 1, RAFT_CANDIDATE = 2, RAFT_LEADER = 3 };

/* Why a node stopped taking part; it stays so until restarted with another log. */
enum raft_fault {
    RAFT_FAULT_NONE = 0,
    RAFT_FAULT_LOG_LOST = 1 /* the leader knows entries to be durable here that are not: lost or older disk image */
};

struct raft_update {
    const struct raft_message *messages;
    uint32_t message_count;
    struct raft_persist persist;
    struct raft_apply apply;
    const struct raft_read_state *reads;
    uint32_t read_count;
    struct raft_chunk chunk;
    const struct raft_snapshot *install; /* complete: check the digest, make it durable and current, load the state from
                                            it, then raft_snapshot_installed(). Nothing is applied meanwhile */
    bool snapshot_wanted; /* a follower needs one newer than raft_snapshot_saved() told of, or the window is half full:
                             take one at the applied index */
    bool more;            /* call raft_update() again before sleeping */
    bool role_changed;    /* role, leader or term: raft_status() */
    bool conf_changed;    /* raft_conf_now() */
};

/* ---- the object ---- */

enum raft_peer_state { RAFT_PROBE = 0, RAFT_REPLICATE = 1, RAFT_SNAPSHOT = 2 };

struct raft_peer {
    struct raft_id id;
    uint64_t match, next; /* match < next */
    uint64_t heard_ns;
    uint64_t read_context; /* newest heartbeat context answered */
    uint32_t state;        /* enum raft_peer_state */
    bool paused;           /* PROBE: one append is out */
    bool nudge;            /* REPLICATE: an append may be lost; send one more to find out */
    uint64_t commit_told;
    uint64_t wanted_first, wanted_last; /* somebody there waits for these: told at once */
    uint64_t notice_due_ns;             /* when it is told in a message of its own; 0: nothing to tell */
    uint32_t inflight_head, inflight_count;
    uint64_t inflight_total; /* payload bytes */
    uint64_t inflight_last[RAFT_INFLIGHT_MAX];
    uint32_t inflight_bytes[RAFT_INFLIGHT_MAX];
    uint64_t snapshot_index, snapshot_offset; /* SNAPSHOT: which, and bytes known to be stored there */
    uint64_t snapshot_sent_ns;
    bool snapshot_chunk_out;
};

struct raft_read_pending {
    uint64_t token;      /* own: the mount's; forwarded here: the asker's context */
    struct raft_id from; /* forwarded here by; log 0: own */
    uint64_t context;    /* leader: heartbeat context that confirms it; follower: id of the request; 0: not yet asked */
    uint64_t index;      /* 0 until known */
    uint64_t since_ns;
    bool confirmed;
};

struct raft_prevote {
    struct raft_id from; /* RAFT_NOBODY: none */
    uint64_t term, index, log_term;
};

struct raft_persist_record {
    uint64_t id;
    uint64_t last; /* highest index in it; lowered when entries are voided later */
    uint64_t since_ns;
    bool hard_state; /* durable hard state is then the following */
    uint64_t term, commit;
    struct raft_id vote;
};

struct raft_counters {
    uint64_t elections, pre_elections, terms_led, step_downs, stalls;
    uint64_t messages_out, messages_lost, messages_in, messages_refused; /* refused: foreign, stale id, malformed */
    uint64_t entries_appended, entries_committed, entries_truncated;
    uint64_t rejects, snapshots_sent, snapshots_installed, reads_done, reads_failed, conf_changes;
};

/* About 150 KiB; zero or not before raft_init(). Everything is private: use the functions below. */
struct raft {
    struct raft_config config;
    struct raft_memory memory;
    uint64_t now_ns, random;

    /* log window: entries base+1 .. last; slot of i is slots[i & (slot_count - 1)] */
    uint64_t base, base_term, last;
    uint64_t bytes_head; /* where the newest payload ends */

    uint64_t term;
    struct raft_id vote;
    uint64_t commit, applying, applied, stable;

    /* durability */
    uint64_t durable_term, durable_commit;
    struct raft_id durable_vote;
    uint64_t handed; /* entries up to here were given to the log */
    uint64_t handed_term, handed_commit;
    struct raft_id handed_vote;
    uint64_t truncate_from; /* to be told with the next write */
    bool reset_owed;
    uint64_t persist_next_id;
    uint32_t persist_head, persist_count;
    struct raft_persist_record persists[RAFT_PERSISTS_MAX];

    /* role */
    enum raft_role role;
    enum raft_fault fault;
    bool started;
    bool restore_void, restore_joins; /* durable entries disagree with the snapshot; reach its index */
    uint64_t repair_index;            /* acknowledged entries up to it were lost: no vote until they are here again */
    bool repair_told;                 /* they are, and the next hard state says so */
    struct raft_id leader;
    uint64_t leader_heard_ns; /* a leader of this or an older term was heard; stickiness counts from here */
    uint64_t election_timeout_ns, election_from_ns;
    struct raft_prevote
        prevote_kept; /* the newest question that came while the leader was not silent for long enough */
    uint64_t heartbeat_due_ns;
    bool campaign_owed; /* CANDIDATE: vote requests wait for the vote to be durable */
    bool campaign_transfer;
    struct raft_id vote_reply_to; /* a granted vote waits for durability */
    uint64_t term_start;          /* leader: index of its first entry */
    struct raft_id transferee;
    uint64_t transfer_since_ns;
    bool timeout_now_sent;

    /* follower: what is to be acknowledged */
    uint64_t verified; /* known equal to the log of the leader of this term */
    uint64_t acked;    /* highest acknowledged to it */
    bool ack_owed;

    /* configuration as applied; peers and votes stand beside conf.members */
    struct raft_conf conf;
    uint64_t conf_index;     /* of the entry that made it */
    uint64_t conf_last;      /* newest conf entry in the log, applied or not; 0: none known */
    uint64_t conf_committed; /* newest one known to be committed */
    uint64_t conf_barrier;   /* leader: nothing may be proposed to the configuration before this is applied */
    uint64_t farewell;       /* leader that is no voter any more: it leads until this is applied */
    struct raft_peer peers[RAFT_MEMBERS_MAX];
    uint8_t votes[RAFT_MEMBERS_MAX];

    /* reads */
    uint64_t read_context, read_request;
    bool read_round_owed;
    uint32_t read_count, read_done_count;
    struct raft_read_pending reads[RAFT_READS_MAX];
    struct raft_read_state reads_done[2 * RAFT_READS_MAX];

    /* snapshots */
    struct raft_snapshot saved;    /* own newest durable one */
    struct raft_snapshot incoming; /* being received; index 0: none */
    uint64_t incoming_offset;
    bool incoming_chunk, incoming_complete, install_given, snapshot_needed;
    uint32_t incoming_chunk_bytes;
    const uint8_t *incoming_data;
    struct raft_id incoming_from;

    bool role_changed, conf_changed;
    bool messages_given, reads_given; /* handed out by the last raft_update() */
    uint32_t message_count;
    struct raft_message messages[RAFT_MESSAGES_MAX];
    struct raft_counters counters;
};

/* ---- start ---- */

/* A cluster begins with a snapshot: every first voter makes the same one durable before it starts. Its label has index
 * 1, term 1 and the first configuration; its bytes are the mount's empty state machine with (1, 1) applied as an empty
 * entry. Who joins later gets it, or a newer one, from the leader. `voters` in any order. E_INVALID: none, too many, or
 * one twice. */
err_t raft_genesis_label(const struct raft_id *voters, uint32_t count, struct raft_snapshot *label_out);

/* `snapshot`: the newest durable one, its state already loaded into the state machine; NULL: none, the node waits to be
 * taken in. `hard_state` as it was last made durable, all 0 for a new log. E_INVALID: not usable. */
err_t raft_init(struct raft *r, const struct raft_config *config, const struct raft_memory *memory,
                const struct raft_hard_state *hard_state, const struct raft_snapshot *snapshot, uint64_t now_ns);
/* Then the durable entries, oldest first. Those that the snapshot covers are skipped. E_CORRUPT: not contiguous, or
 * terms fall; E_FULL: the window is too small. */
err_t raft_restore(struct raft *r, const struct raft_entry *entry);
/* Before raft_start(): the durable log is known to have reached `index` once, and a part of it is lost. What was
 * restored may even be wrong towards its end. So the node neither votes nor campaigns, nor takes anything for
 * committed, before a leader has given it the log up to that index and it is durable here; then a hard state becomes
 * due. The hard state given must be the newest one. */
void raft_repair(struct raft *r, uint64_t index);
/* Then this, once. E_CORRUPT: the hard state knows of committed entries that the log has not: the log is damaged or an
 * older image, and must not be used. */
err_t raft_start(struct raft *r);

/* ---- events ---- */

/* Time is now_ns (never falls). */
void raft_tick(struct raft *r, uint64_t now_ns);
/* When raft_tick() must be called next, if nothing happens before. */
uint64_t raft_deadline(const struct raft *r);

/* A decoded message. Dropped when foreign, stale or not fitting. */
void raft_receive(struct raft *r, const struct raft_message *message);

/* Write `id` and all before it are durable. */
void raft_persisted(struct raft *r, uint64_t id);
/* The range last given in update.apply is applied up to `index` (its last: must). */
void raft_applied(struct raft *r, uint64_t index);

/* Leader: appends. index_out and term_out name the entry: it took effect if and only if that index is applied with that
 * term. E_NOT_DELIVERED: not leader (it never will take effect here; leader, if known, in raft_status). E_BUSY:
 * leadership is being handed over. E_FULL: too much is not committed, or the log window is full: try later. E_TOO_LONG.
 */
err_t raft_propose(struct raft *r, const void *data, size_t bytes, uint64_t *index_out, uint64_t *term_out);
/* The same for the configuration; made when applied. Also E_BUSY while an earlier change is not applied or nothing of
 * this term is committed, E_INVALID (*why_out, may be NULL) for what the algebra forbids. */
err_t raft_propose_conf(struct raft *r, const struct raft_conf_change *change, uint64_t *index_out, uint64_t *term_out,
                        const char **why_out);

/* Asks for a linearizable read; answered in update.reads with `token`, if need be after asking the leader.
 * E_NOT_DELIVERED: no leader is known. E_FULL: too many under way. */
err_t raft_read(struct raft *r, uint64_t token);

/* Leader: hands leadership to `to`, or gives up after election_ns. E_NOT_DELIVERED: not leader; E_INVALID: not another
 * voter; E_BUSY: under way. */
err_t raft_transfer(struct raft *r, struct raft_id to);
/* Leader: something on `to` waits for the entry at `index` to be applied there, so that is told as soon as it is so. */
void raft_commit_wanted(struct raft *r, struct raft_id to, uint64_t index);
/* The transport lost what was sent to `to`, or its link is new. */
void raft_unreachable(struct raft *r, struct raft_id to);
/* Starts an election (with pre-vote) now, if this node may: for tools and for the first election after genesis. */
err_t raft_campaign(struct raft *r);
/* Follower: stops honouring the leader it heard. */
void raft_forget_leader(struct raft *r);
/* For tools: this election timeout, from now, until it is drawn again. */
void raft_set_election_timeout(struct raft *r, uint64_t timeout_ns);

/* ---- snapshots and compaction ---- */

/* Label of a snapshot at the applied index, to be taken now; the mount adds bytes and digest. */
void raft_snapshot_label(const struct raft *r, struct raft_snapshot *label_out);
/* That snapshot is durable; it replaces the one before. False: it is older than what is there (drop it). */
bool raft_snapshot_saved(struct raft *r, const struct raft_snapshot *snapshot);
/* Entries up to `index` (<= saved snapshot's index, must) leave the window. Keeping some behind the snapshot spares
 * slow followers a snapshot; when the window is nearly full they go all the same: several leaders in turn may have left
 * entries that nothing decides before all followers have room for them. */
void raft_compact(struct raft *r, uint64_t index);
/* A snapshot is being sent to somebody: better not replace it now. False all the same when the window is nearly full.
 */
bool raft_snapshot_sending(const struct raft *r);

/* The chunk of the last update is kept (ok), or not: then what came before it is void too, and the snapshot is asked
 * for again from its beginning. */
void raft_chunk_stored(struct raft *r, uint64_t offset, bool ok);
/* update.install is done; not ok: digest wrong or no room, it is dropped and asked for again. */
void raft_snapshot_installed(struct raft *r, bool ok);

/* ---- looking ---- */

void raft_update(struct raft *r, struct raft_update *update_out);

struct raft_status {
    enum raft_role role;
    enum raft_fault fault;
    struct raft_id id, leader, vote; /* leader.log 0: unknown */
    uint64_t term, first, last, commit, applied, stable;
    bool voter, learner, joint, transferring, stalled;
    uint64_t repairing; /* up to this index the log must be fetched anew before this node votes; 0: it is whole */
    bool quorum;        /* leader: a quorum was heard within election_ns; follower: the leader was */
};
void raft_status(const struct raft *r, struct raft_status *status_out);
const struct raft_conf *raft_conf_now(const struct raft *r);
const struct raft_peer *raft_peer(const struct raft *r, struct raft_id id); /* leader only; NULL: not a member */
const struct raft_counters *raft_counters(const struct raft *r);
/* False: not in the window. */
bool raft_entry_at(const struct raft *r, uint64_t index, struct raft_entry *entry_out);
/* Term of `index`, also of the one before the window. False: not known. */
bool raft_term_at(const struct raft *r, uint64_t index, uint64_t *term_out);
