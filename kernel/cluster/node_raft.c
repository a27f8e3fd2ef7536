/* Consensus, mounted: its messages over the links, its writes to the log, its entries into the tables. */
#include "node_state.h"

#define MESSAGE_BYTES  32768u
#define PERSIST_BYTES  65536u
#define APPLY_BYTES    65536u
#define CHUNK_BYTES    16384u
#define INFLIGHT_SHORT 1u

/* The next write usually comes within this time and brings the news along; a message costs as much as the write. Nobody
 * waits for it: who does is told at once. */
#define COMMIT_NOTICE_NS 5000000ull

/* ---- the tables ---- */

static void *take_chunk(void *context)
{
    struct node *n = context;
    if (n->chunk_count == sizeof(n->chunks) / sizeof(n->chunks[0]))
        return NULL;
    void *chunk = node_take(n, TABLES_CHUNK_BYTES);
    if (chunk)
        n->chunks[n->chunk_count++] = chunk;
    return chunk;
}

/* What concerns another node should reach it soon: who waits for a lock there, for one. */
static void tell_soon(struct node *n, uint32_t number)
{
    const struct other *o = n->leading ? node_other_by_number(n, number) : NULL;
    struct raft_status s;
    if (!o)
        return;
    raft_status(n->raft, &s);
    raft_commit_wanted(n->raft, raft_id_of(o->node_id, o->hello.log_id), s.commit);
}

static void tables_event(void *context, const struct tables_event *event)
{
    struct node *n = context;
    tell_soon(n, event->node);
    n->hooks.event(n->hooks.context, event);
}

err_t node_tables_make(struct node *n)
{
    if (n->tables)
        return E_OK;
    struct tables_memory memory = {take_chunk, n};
    err_t err = tables_init(&memory, n->cluster_id, n->epoch, &n->tables);
    n->watcher = (struct tables_watcher){tables_event, n};
    if (!err)
        tables_watch(n->tables, &n->watcher);
    return err;
}

/* ---- beginning ---- */

void node_fail(struct node *n, const char *why)
{
    node_fail_as(n, TROUBLE_FAILED, why);
}

void node_fail_as(struct node *n, enum trouble trouble, const char *why)
{
    if (!n->problem)
        node_say(n, "cluster: this node takes no part until it is restarted: ", why);
    n->problem = why;
    n->trouble = trouble;
    n->hello_changed = true;
    n->raft_running = n->leading = n->was_led = false;
}

static struct raft_config make_config(const struct node *n)
{
    struct raft_config c = {.id = raft_id_of(n->config.node_id, n->log_id),
                            .cluster = n->cluster_id[0],
                            .seed = n->config.boot_id[0] ^ n->config.boot_id[1],
                            .heartbeat_ns = n->config.heartbeat_ns,
                            .election_ns = n->config.election_ns,
                            .stall_ns = 4 * n->config.election_ns,
                            .commit_notice_ns = COMMIT_NOTICE_NS,
                            .message_bytes = MESSAGE_BYTES,
                            .inflight_messages = 8,
                            .inflight_bytes = 4 * MESSAGE_BYTES,
                            .inflight_short = INFLIGHT_SHORT,
                            .uncommitted_bytes = n->config.window_bytes / 2,
                            .persist_bytes = PERSIST_BYTES,
                            .apply_bytes = APPLY_BYTES,
                            .snapshot_chunk_bytes = CHUNK_BYTES};
    return c;
}

static bool make_raft(struct node *n, const struct raft_snapshot *snapshot)
{
    size_t slot_bytes = n->config.window_entries * sizeof(struct raft_slot);
    n->raft = node_take(n, sizeof(*n->raft));
    n->window_slots = node_take(n, slot_bytes);
    n->window_bytes = node_take(n, n->config.window_bytes);
    if (!n->raft || !n->window_slots || !n->window_bytes || node_tables_make(n) != E_OK)
        return false;
    struct raft_config config = make_config(n);
    struct raft_memory memory = {n->window_slots, n->config.window_entries, n->window_bytes, n->config.window_bytes};
    if (!snapshot && n->conf.count && !n->snapshot_lost && !(snapshot = node_snapshot_genesis(n)))
        return false;
    return raft_init(n->raft, &config, &memory, &n->hard_state, snapshot, n->now_ns) == E_OK;
}

void node_raft_prepare(struct node *n, const struct raft_snapshot *snapshot)
{
    if (!n->raft && !make_raft(n, snapshot))
        node_fail(n, "no memory for the log, or what the log disk says cannot be");
}

void node_raft_restore(struct node *n, const struct logformat_record *record)
{
    struct raft_entry e = {.index = record->index,
                           .term = record->term,
                           .type = record->type,
                           .length = record->bytes,
                           .data = record->payload};
    err_t err = raft_restore(n->raft, &e);
    if (err) {
        node_fail(n, err == E_FULL ? "the log on the disk is longer than this node's memory for it"
                                   : "the log on the disk has a gap");
        return;
    }
    n->checksums[record->index % n->config.window_entries] = record->checksum;
    n->checksum_index = record->index;
}

void node_raft_start(struct node *n, uint64_t damaged_index)
{
    if (n->raft_running || n->problem || !n->raft)
        return;
    if (damaged_index) {
        node_say(n, "cluster: the log disk lost entries that were acknowledged: ",
                 "they are fetched, and no vote is given before");
        raft_repair(n->raft, damaged_index);
    }
    if (raft_start(n->raft) != E_OK) {
        node_fail_as(n, TROUBLE_OLDER, "the log on the disk ends before what was committed: it is an older image");
        return;
    }
    n->was_repairing = damaged_index != 0;
    n->raft_running = true;
    n->hello_changed = true;
}

void node_raft_stop(struct node *n)
{
    node_give(n, n->raft, sizeof(*n->raft));
    node_give(n, n->window_slots, n->config.window_entries * sizeof(struct raft_slot));
    node_give(n, n->window_bytes, n->config.window_bytes);
    n->raft = NULL;
    n->window_slots = n->window_bytes = NULL;
    n->raft_running = n->leading = n->was_repairing = n->was_led = false;
}

void node_raft_close(struct node *n)
{
    node_raft_stop(n);
    node_tables_drop(n);
}

void node_tables_drop(struct node *n)
{
    for (uint32_t i = 0; i < n->chunk_count; i++)
        node_give(n, n->chunks[i], TABLES_CHUNK_BYTES);
    n->chunk_count = 0;
    n->tables = NULL;
    node_compare_forget(n);
}

/* ---- messages ---- */

/* Bytes of the saved snapshot for a chunk that goes out. NULL: that snapshot is not here any more. */
static const uint8_t *chunk_bytes(struct node *n, const struct raft_message *m)
{
    if (m->snapshot->index != n->saved_label.index || m->offset + m->chunk_bytes > n->saved.bytes)
        return NULL;
    return node_pieces_at(&n->saved, m->offset, m->chunk_bytes, n->record);
}

static void send_message(struct node *n, const struct raft_message *m)
{
    struct other *o = node_other_by_raft(n, m->to.node);
    size_t bytes;
    if (!o || !o->heard || o->hello.log_id[0] != m->to.log)
        return;
    if ((m->type == RAFT_MSG_PREVOTE || m->type == RAFT_MSG_VOTE) && node_is_removed(n))
        return; /* it does not know of its removal by its own log, and disturbs nobody */
    const uint8_t *chunk = m->type == RAFT_MSG_SNAPSHOT ? chunk_bytes(n, m) : NULL;
    if (m->type == RAFT_MSG_SNAPSHOT && !chunk)
        return;
    uint32_t version = o->hello.level < RAFT_WIRE_VERSION ? o->hello.level : RAFT_WIRE_VERSION;
    if (raft_wire_encode_as(version, n->raft, m, chunk, n->scratch, n->scratch_bytes - 1, &bytes) == E_OK)
        node_send_control(n, o, CONTROL_RAFT, n->scratch, bytes);
}

void node_take_raft(struct node *n, struct other *o, const uint8_t *bytes, size_t count)
{
    struct raft_message m;
    if (!n->raft_running)
        return;
    if (raft_wire_decode(bytes, count, &m, &n->received_label, NULL) != E_OK) {
        link_drop(n->link, node_other_slot(n, o), o->session);
        return;
    }
    if (!raft_id_equal(m.from, raft_id_of(o->node_id, o->log_id))) /* nobody speaks for another log */
        return;
    raft_tick(n->raft, n->now_ns);
    raft_receive(n->raft, &m);
    if (m.type == RAFT_MSG_APPEND || m.type == RAFT_MSG_SNAPSHOT)
        n->members.removed_told_ns = 0; /* a leader has taken this log in again */
    if (m.type == RAFT_MSG_SNAPSHOT)    /* its bytes are gone when this returns */
        node_raft_run(n);
}

/* ---- applying ---- */

static bool apply_one(struct node *n, uint64_t index)
{
    struct raft_entry e;
    struct tables_result result;
    bool there = raft_entry_at(n->raft, index, &e);
    ASSERT(there);
    bool data = e.type == RAFT_ENTRY_DATA;
    err_t err = tables_apply(n->tables, e.index, e.term, data ? e.data : NULL, data ? e.length : 0, &result);
    if (err != E_OK) {
        node_fail(n, err == E_NOT_SUPPORTED ? NODE_TOO_OLD : "no memory for the cluster's tables");
        return false;
    }
    if (data)
        node_applied(n, &e, &result);
    return true;
}

static bool apply(struct node *n, const struct raft_apply *a)
{
    for (uint64_t i = a->first; a->first && i <= a->last; i++) {
        if (!apply_one(n, i))
            return false;
    }
    return true;
}

/* ---- a round ---- */

static void answer_reads(struct node *n, const struct raft_update *u)
{
    for (uint32_t i = 0; i < u->read_count; i++) {
        if (n->hooks.readable)
            n->hooks.readable(n->hooks.context, u->reads[i].token, u->reads[i].failed ? E_AGAIN : E_OK);
    }
}

/* What the update points to is good until the first event, so all that reads it comes first. */
static bool round(struct node *n)
{
    struct raft_update u;
    raft_update(n->raft, &u);
    for (uint32_t i = 0; i < u.message_count; i++)
        send_message(n, &u.messages[i]);
    answer_reads(n, &u);
    if (!apply(n, &u.apply))
        return false;
    uint64_t chunk_offset = u.chunk.offset;
    bool chunk = u.chunk.bytes != 0, kept = chunk && node_snapshot_chunk(n, &u.chunk);
    if (u.install)
        node_snapshot_install(n, u.install);
    struct raft_persist persist = u.persist;
    uint64_t applied = u.apply.first ? u.apply.last : 0;
    n->snapshot_wanted |= u.snapshot_wanted;
    if (persist.id)
        node_log_persist(n, &persist);
    if (applied)
        raft_applied(n->raft, applied);
    if (chunk)
        raft_chunk_stored(n->raft, chunk_offset, kept);
    return u.more || applied || chunk;
}

static void note_changes(struct node *n)
{
    struct raft_status s;
    raft_status(n->raft, &s);
    bool led = n->raft_running && s.leader.log;
    n->hello_changed |= led != n->was_led;
    n->was_led = led;
    if (s.fault == RAFT_FAULT_LOG_LOST && !n->problem)
        node_fail_as(n, TROUBLE_OLDER, "the log disk is an older image of itself, or forgot what it had flushed");
    if (n->was_repairing && !s.repairing) {
        n->was_repairing = false;
        n->hello_changed = true;
        node_say(n, "cluster: the lost entries are here again: ", "this node may vote");
    }
}

void node_raft_run(struct node *n)
{
    if (!n->raft_running)
        return;
    raft_tick(n->raft, n->now_ns);
    while (n->raft_running && round(n))
        ;
    note_changes(n);
}
