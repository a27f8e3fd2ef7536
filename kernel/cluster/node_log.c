/* The log: what logstore found, requests in strict order, and doing them again for a logstore that came back.
 *
 * A request stays in the queue, with its data, until it is answered; only then is what it promises durable. */
#include "node_state.h"

#define SUPERBLOCK_MAGIC   0x4c414f53u
#define SUPERBLOCK_VERSION 4u

/* ---- the superblock's payload ---- */

static size_t encode_superblock(const struct node *n, uint8_t to[LOG_PAYLOAD_MAX])
{
    struct wire_writer w = wire_writer(to, LOG_PAYLOAD_MAX);
    const struct raft_hard_state *h = &n->hard_state;
    wire_put_u32(&w, SUPERBLOCK_MAGIC);
    wire_put_u32(&w, SUPERBLOCK_VERSION);
    wire_put_u32(&w, (uint32_t)n->stage);
    wire_put_u32(&w, node_number(n));
    wire_put_u64(&w, n->cluster_id[0]);
    wire_put_u64(&w, n->cluster_id[1]);
    wire_put_u64(&w, n->config.node_id[0]);
    wire_put_u64(&w, n->config.node_id[1]);
    wire_put_u64(&w, n->log_id[0]);
    wire_put_u64(&w, n->log_id[1]);
    wire_put_u64(&w, h->term);
    wire_put_u64(&w, h->vote.node);
    wire_put_u64(&w, h->vote.log);
    wire_put_u64(&w, h->commit);
    wire_put_u32(&w, n->epoch);
    wire_put_bytes(&w, n->keys.record, sizeof(n->keys.record));
    wire_put_bytes(&w, n->log_key.record, sizeof(n->log_key.record));
    uint8_t *conf = wire_claim(&w, 0);
    ASSERT(conf && w.room - w.used >= RAFT_CONF_BYTES_MAX);
    return n->conf.count ? w.used + raft_conf_encode(&n->conf, conf) : w.used;
}

static bool decode_superblock(struct node *n, const uint8_t *from, size_t bytes)
{
    struct wire_reader r = wire_reader(from, bytes);
    uint64_t node_id[2];
    bool ours = wire_get_u32(&r) == SUPERBLOCK_MAGIC;
    ours = wire_get_u32(&r) == SUPERBLOCK_VERSION && ours;
    uint32_t stage = wire_get_u32(&r);
    n->recorded_number = wire_get_u32(&r);
    for (int i = 0; i < 2; i++)
        n->cluster_id[i] = wire_get_u64(&r);
    for (int i = 0; i < 2; i++)
        node_id[i] = wire_get_u64(&r);
    for (int i = 0; i < 2; i++)
        n->log_id[i] = wire_get_u64(&r);
    n->hard_state.term = wire_get_u64(&r);
    n->hard_state.vote.node = wire_get_u64(&r);
    n->hard_state.vote.log = wire_get_u64(&r);
    n->hard_state.commit = wire_get_u64(&r);
    n->epoch = wire_get_u32(&r);
    const uint8_t *keys = wire_take(&r, NODE_KEY_RECORD_BYTES), *log_key = wire_take(&r, NODE_LOG_KEY_BYTES);
    size_t left = wire_left(&r);
    const uint8_t *conf = wire_take(&r, left);
    if (!ours || r.failed || stage == STAGE_BLANK || stage > STAGE_STARTED || !n->epoch || n->epoch > EPOCH_MAX ||
        n->recorded_number > NODES_MAX || !node_keys_load(n, keys) || !node_log_key_load(n, log_key) ||
        (left && raft_conf_decode(conf, left, &n->conf) != E_OK))
        return false;
    n->stage = (enum stage)stage;
    if (!same_id(node_id, n->config.node_id))
        node_fail_as(n, TROUBLE_MOVED, "the log disk belongs to another machine (moved or cloned)");
    return true;
}

/* ---- the queue ---- */

/* While the disk is full, what makes room goes ahead of what waits for it. */
static struct log_queue *active(struct node *n)
{
    return n->full ? &n->ahead : &n->queue;
}

uint32_t node_log_room(const struct node *n)
{
    return LOG_QUEUE_MAX - (n->full ? n->ahead.count : n->queue.count);
}

static struct log_request *put(struct node *n, struct log_queue *to, uint32_t op)
{
    ASSERT(to->count < LOG_QUEUE_MAX);
    struct log_request *q = &to->requests[(to->first + to->count++) % LOG_QUEUE_MAX];
    *q = (struct log_request){.head = {.op = op, .serial = ++n->serial}};
    return q;
}

struct log_request *node_log_queue(struct node *n, uint32_t op)
{
    return put(n, node_log_of_snapshot(op) ? active(n) : &n->queue, op);
}

void node_log_compact(struct node *n, uint64_t index)
{
    put(n, active(n), LOG_COMPACT)->head.index = index;
    n->log_floor = index > n->log_floor ? index : n->log_floor;
}

static struct log_request *queue_head(struct log_queue *queue)
{
    return queue->count ? &queue->requests[queue->first] : NULL;
}

static void let_go(struct node *n, const struct log_request *q)
{
    if (q->owned)
        node_give(n, (void *)(uintptr_t)q->data, q->head.bytes);
}

static void queue_pop(struct node *n, struct log_queue *queue)
{
    let_go(n, queue_head(queue));
    queue->first = (queue->first + 1) % LOG_QUEUE_MAX;
    queue->count--;
}

void node_log_close(struct node *n)
{
    while (n->queue.count)
        queue_pop(n, &n->queue);
    while (n->ahead.count)
        queue_pop(n, &n->ahead);
}

static void drop_snapshot_of(struct node *n, struct log_queue *queue)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < queue->count; i++) {
        struct log_request q = queue->requests[(queue->first + i) % LOG_QUEUE_MAX];
        if (!node_log_of_snapshot(q.head.op))
            queue->requests[(queue->first + kept++) % LOG_QUEUE_MAX] = q;
        else
            let_go(n, &q);
    }
    queue->count = kept;
}

void node_log_drop_snapshot(struct node *n)
{
    drop_snapshot_of(n, &n->queue);
    drop_snapshot_of(n, &n->ahead);
    n->saving_begun = false;
    n->saving_offset = 0;
}

void node_log_send_again(struct node *n)
{
    for (uint32_t i = 0; i < n->queue.count; i++) {
        struct log_request *q = &n->queue.requests[(n->queue.first + i) % LOG_QUEUE_MAX];
        q->sent = false;
        q->head.serial = ++n->serial; /* what is still answered to the earlier one counts no more */
    }
}

/* Copies the data. False: no memory. */
static bool own_data(struct node *n, struct log_request *q, const void *data, size_t bytes)
{
    uint8_t *copy = node_take(n, bytes);
    if (!copy)
        return false;
    memcpy(copy, data, bytes);
    q->data = copy;
    q->head.bytes = (uint32_t)bytes;
    q->owned = true;
    return true;
}

static void send_queue(struct node *n)
{
    struct log_queue *queue = active(n);
    for (uint32_t i = 0; i < queue->count; i++) {
        struct log_request *q = &queue->requests[(queue->first + i) % LOG_QUEUE_MAX];
        if (q->sent)
            continue;
        if (!n->hooks.log_put(n->hooks.context, &q->head, q->data))
            return;
        q->sent = true;
    }
}

/* ---- attaching ---- */

static void open_log(struct node *n, enum log_phase phase)
{
    struct log_message open = {.op = LOG_OPEN, .serial = ++n->serial};
    n->phase = phase;
    n->open_serial = n->serial;
    if (!n->hooks.log_put(n->hooks.context, &open, NULL))
        node_log_detach(n);
}

static void first_attach(struct node *n, enum log_state state)
{
    n->log_state = state;
    n->log_known = true;
    n->durable = state == LOG_VALID || state == LOG_BLANK;
    if (state == LOG_VALID) {
        open_log(n, LOG_PHASE_OPENING);
        return;
    }
    n->phase = LOG_PHASE_READY;
    if (state == LOG_DAMAGED || state == LOG_ABSENT)
        n->config.genesis = false; /* such a node may take part, but not as the voter that it was */
    node_log_opened(n);
}

void node_log_attach(struct node *n, enum log_state state)
{
    if (!n->log_known || (n->stage == STAGE_BLANK && !n->recording)) {
        first_attach(n, state);
    } else if (!n->durable) {
        n->phase = LOG_PHASE_READY;
    } else if (state == LOG_VALID && n->phase == LOG_PHASE_NONE && n->opened) {
        open_log(n, LOG_PHASE_REOPENING);
    } else if (state == LOG_VALID) {
        first_attach(n, state);
    } else if (state == LOG_BLANK && n->recording) {
        n->phase = LOG_PHASE_READY; /* it went before the format was done */
    } else {
        node_fail(n, "the log disk was there and now is not");
    }
}

/* What was not answered is asked again, in its order. A snapshot is written from its beginning: the parts that were
 * answered went with the logstore that had them. */
void node_log_detach(struct node *n)
{
    n->log_ends += n->phase != LOG_PHASE_NONE;
    n->phase = LOG_PHASE_NONE;
    node_log_drop_snapshot(n);
    while (n->ahead.count)
        queue_pop(n, &n->ahead);
    n->full = false;
    node_log_send_again(n);
}

bool node_log_usable(const struct node *n)
{
    return n->log_known && !n->problem && (n->phase == LOG_PHASE_READY || !n->durable);
}

/* ---- opening ---- */

static bool take_superblock(struct node *n, const struct log_message *answer, const uint8_t *data)
{
    if (answer->bytes < sizeof(n->superblock))
        return false;
    memcpy(&n->superblock, data, sizeof(n->superblock));
    if (n->superblock.payload_bytes != answer->bytes - sizeof(n->superblock) ||
        !decode_superblock(n, data + sizeof(n->superblock), n->superblock.payload_bytes))
        return false;
    n->log_floor = n->superblock.compacted;
    if (n->stage == STAGE_STARTED && !n->problem && !n->superblock.snapshot_index)
        node_raft_prepare(n, NULL);
    return true;
}

static void ask_snapshot(struct node *n)
{
    uint64_t left = n->superblock.snapshot_bytes - n->load_offset;
    struct log_message read = {.op = LOG_SNAPSHOT_READ, .serial = ++n->serial, .offset = n->load_offset};
    read.index = left < PIECE_BYTES ? left : PIECE_BYTES;
    n->open_serial = n->serial;
    if (!n->hooks.log_put(n->hooks.context, &read, NULL))
        node_log_detach(n);
}

/* The least that the disk must hold after its server came back: what was answered, less what later requests, which it
 * may have worked, take away. */
static uint64_t least_end(const struct node *n)
{
    uint64_t end = n->disk_last;
    for (uint32_t i = 0; i < n->queue.count; i++) {
        const struct log_message *m = &n->queue.requests[(n->queue.first + i) % LOG_QUEUE_MAX].head;
        uint64_t first = m->op == LOG_APPEND ? m->offset : m->op == LOG_TRUNCATE ? m->index : UINT64_MAX;
        end = first <= end ? first - 1 : end;
    }
    return end;
}

static void reopened(struct node *n, const struct log_message *answer)
{
    if (answer->status == E_CORRUPT || answer->index < least_end(n))
        node_fail_as(n, TROUBLE_OLDER,
                     "the log disk lost entries while this node ran: restart it to have them fetched");
}

static void opened(struct node *n, const struct log_message *answer)
{
    bool again = n->phase == LOG_PHASE_REOPENING, corrupt = answer->status == E_CORRUPT;
    n->phase = LOG_PHASE_READY;
    n->opened = true;
    if (again) {
        reopened(n, answer);
        return;
    }
    n->disk_last = corrupt ? 0 : answer->index;
    if (n->raft && n->stage == STAGE_STARTED)
        node_raft_start(n, corrupt || n->snapshot_lost ? answer->index : 0);
    node_log_opened(n);
}

static bool snapshot_read(struct node *n)
{
    struct raft_snapshot *label = &n->saved_label;
    *label = (struct raft_snapshot){.index = n->superblock.snapshot_index,
                                    .term = n->superblock.snapshot_term,
                                    .bytes = n->superblock.snapshot_bytes};
    memcpy(label->digest, n->superblock.snapshot_sha256, sizeof(label->digest));
    n->saved = n->incoming;
    memset(&n->incoming, 0, sizeof(n->incoming));
    err_t err = node_snapshot_load(n, &n->saved, label->digest, &label->conf);
    if (err == E_NOT_SUPPORTED) {
        node_fail(n, NODE_TOO_OLD);
        return true;
    }
    if (err != E_OK) {
        n->snapshot_lost = true; /* and what follows it is of no use without it */
        node_pieces_clear(n, &n->saved);
        *label = (struct raft_snapshot){0};
    }
    node_raft_prepare(n, n->snapshot_lost ? NULL : label);
    open_log(n, LOG_PHASE_RECORDS);
    return true;
}

static bool take_snapshot_part(struct node *n, const struct log_message *answer, const uint8_t *data)
{
    if (answer->op != LOG_DATA || answer->offset != n->load_offset || answer->bytes == 0 ||
        answer->bytes > PIECE_BYTES || answer->bytes > n->superblock.snapshot_bytes - n->load_offset)
        return false;
    if (!node_pieces_write(n, &n->incoming, n->load_offset, data, answer->bytes)) {
        node_fail(n, "no memory for the snapshot on the log disk");
        return true;
    }
    n->load_offset += answer->bytes;
    if (n->load_offset == n->superblock.snapshot_bytes)
        return snapshot_read(n);
    ask_snapshot(n);
    return true;
}

static bool take_record(struct node *n, const struct log_message *answer, const uint8_t *data)
{
    struct logformat_record record;
    uint32_t used;
    bool wanted = n->raft && !n->raft_running && !n->problem;
    if (logformat_check(data, answer->bytes, &record, &used) != E_OK || used != answer->bytes)
        return false;
    if (n->phase != LOG_PHASE_REOPENING && wanted && !n->snapshot_lost)
        node_raft_restore(n, &record);
    return true;
}

static bool opening_answer(struct node *n, const struct log_message *answer, const uint8_t *data)
{
    if (answer->serial != n->open_serial)
        return true; /* of a request made before */
    if (n->phase == LOG_PHASE_SNAPSHOT)
        return take_snapshot_part(n, answer, data);
    if (answer->op == LOG_RECORD)
        return take_record(n, answer, data);
    if (answer->op == LOG_DATA)
        return n->phase != LOG_PHASE_OPENING || take_superblock(n, answer, data);
    if (answer->op != LOG_DONE)
        return false;
    if (n->phase == LOG_PHASE_OPENING && n->superblock.snapshot_index && n->stage == STAGE_STARTED && !n->problem) {
        n->phase = LOG_PHASE_SNAPSHOT;
        n->load_offset = 0;
        ask_snapshot(n);
        return true;
    }
    opened(n, answer);
    return true;
}

/* ---- answers ---- */

static void note_end(struct node *n, const struct log_message *m)
{
    if (m->op == LOG_APPEND || (m->op == LOG_COMPACT && m->index > n->disk_last))
        n->disk_last = m->index;
    else if (m->op == LOG_TRUNCATE && m->index <= n->disk_last)
        n->disk_last = m->index - 1;
}

static void done(struct node *n)
{
    struct log_request q = *queue_head(active(n));
    queue_pop(n, active(n));
    note_end(n, &q.head);
    if (q.persist)
        raft_persisted(n->raft, q.persist);
    if (q.recorded)
        node_genesis_recorded(n);
    if (q.keys)
        node_keys_recorded(n, q.keys);
    if (q.head.op == LOG_APPEND)
        node_full_over(n);
    if (q.head.op == LOG_COMPACT && n->full)
        node_full_compacted(n);
    if (q.head.op == LOG_SNAPSHOT_COMMIT)
        node_snapshot_saved(n);
    if (q.head.op == LOG_ADOPT)
        node_recover_adopted(n);
}

/* LOG_FAILED. A disk without room is no fault. */
static void failed(struct node *n, const struct log_message *answer)
{
    uint32_t op = queue_head(active(n))->head.op;
    if (answer->status == E_FULL && op == LOG_APPEND)
        node_full_begin(n);
    else if (answer->status == E_FULL && op == LOG_SNAPSHOT_BEGIN)
        node_full_snapshot(n);
    else if (n->adopting)
        node_recover_failed(n, "the log disk refused the recovered state");
    else
        node_fail_as(n, TROUBLE_FAILED, "the log disk refused a write");
}

bool node_log_answer(struct node *n, const struct log_message *answer, const uint8_t *data)
{
    if (n->phase == LOG_PHASE_NONE)
        return true;
    if (n->phase != LOG_PHASE_READY)
        return opening_answer(n, answer, data);
    struct log_request *q = queue_head(active(n));
    if (!q || !q->sent || answer->serial != q->head.serial)
        return answer->serial <= n->serial; /* of a request made before */
    if (answer->op == LOG_DONE)
        done(n);
    else if (answer->op == LOG_FAILED)
        failed(n, answer);
    return answer->op == LOG_DONE || answer->op == LOG_FAILED;
}

/* ---- writing ---- */

void node_log_record(struct node *n, bool format)
{
    uint8_t payload[LOG_PAYLOAD_MAX];
    struct log_request *q = node_log_queue(n, format ? LOG_FORMAT : LOG_META);
    size_t bytes = encode_superblock(n, payload);
    q->head.index = format ? (n->anew ? LOG_FORMAT_ANEW : 0) : LOG_META_WHOLE;
    n->anew &= !format;
    q->recorded = true;
    if (!own_data(n, q, payload, bytes))
        node_fail(n, "no memory for a log write");
}

void node_log_adopt(struct node *n, const uint8_t sha256[32])
{
    uint8_t data[32 + LOG_PAYLOAD_MAX];
    memcpy(data, sha256, 32);
    size_t bytes = encode_superblock(n, data + 32);
    struct log_request *q = node_log_queue(n, LOG_ADOPT);
    if (!own_data(n, q, data, 32 + bytes))
        node_fail(n, "no memory for a log write");
}

static uint32_t checksum_before(const struct node *n, uint64_t index)
{
    uint64_t before = index - 1;
    bool known = before && before <= n->checksum_index && n->checksum_index - before < n->config.window_entries &&
                 before > n->log_floor;
    return known ? n->checksums[before % n->config.window_entries] : 0;
}

/* Encodes entries from *at on until the batch is full. */
static size_t encode_batch(struct node *n, uint64_t *at, uint64_t last)
{
    size_t used = 0;
    for (; *at <= last; (*at)++) {
        struct raft_entry e;
        uint32_t bytes;
        bool there = raft_entry_at(n->raft, *at, &e);
        ASSERT(there);
        struct logformat_record record = {.index = e.index,
                                          .term = e.term,
                                          .type = e.type,
                                          .bytes = e.length,
                                          .previous = checksum_before(n, e.index),
                                          .payload = e.data};
        if (logformat_encode(&record, n->record + used, LOG_APPEND_MAX - used, &bytes) != E_OK)
            break;
        n->checksums[e.index % n->config.window_entries] = record.checksum;
        n->checksum_index = e.index;
        used += bytes;
    }
    return used;
}

static struct log_request *append(struct node *n, uint64_t first, uint64_t last)
{
    struct log_request *q = NULL;
    for (uint64_t at = first; at <= last;) {
        uint64_t from = at;
        size_t bytes = encode_batch(n, &at, last);
        q = node_log_queue(n, LOG_APPEND);
        q->head.offset = from;
        q->head.index = at - 1;
        if (!own_data(n, q, n->record, bytes)) {
            node_fail(n, "no memory for a log write");
            return q;
        }
    }
    return q;
}

static struct log_request *meta(struct node *n)
{
    uint8_t payload[LOG_PAYLOAD_MAX];
    struct log_request *q = node_log_queue(n, LOG_META);
    size_t bytes = encode_superblock(n, payload);
    q->head.index = node_repairing(n) ? 0 : LOG_META_WHOLE;
    if (!own_data(n, q, payload, bytes))
        node_fail(n, "no memory for a log write");
    return q;
}

void node_log_keep_keys(struct node *n)
{
    meta(n)->keys = n->keys.records;
}

static struct log_request *truncate(struct node *n, uint64_t from)
{
    struct log_request *q = node_log_queue(n, LOG_TRUNCATE);
    q->head.index = from;
    if (n->checksum_index >= from)
        n->checksum_index = from - 1;
    return q;
}

/* In this order: what is void, entries, then the hard state. */
void node_log_persist(struct node *n, const struct raft_persist *p)
{
    struct log_request *last = NULL;
    n->hard_state = p->hard_state;
    if (!n->durable) {
        raft_persisted(n->raft, p->id);
        return;
    }
    if (p->reset) {
        last = truncate(n, n->log_floor + 1);
        last = node_log_queue(n, LOG_COMPACT);
        last->head.index = n->log_floor = n->saved_label.index;
        n->checksum_index = 0;
    }
    if (p->truncate_from && !p->first)
        last = truncate(n, p->truncate_from);
    if (p->first)
        last = append(n, p->first, p->last);
    if (p->hard_state_required || !last)
        last = meta(n);
    last->persist = p->id;
}

void node_log_run(struct node *n)
{
    if (n->phase != LOG_PHASE_READY)
        return;
    node_full_run(n);
    send_queue(n);
}

uint64_t node_log_deadline(const struct node *n)
{
    uint64_t due = n->full ? n->full_retry_ns : UINT64_MAX;
    if (n->snapshot_too_big && n->snapshot_retry_ns < due)
        due = n->snapshot_retry_ns;
    return due;
}
