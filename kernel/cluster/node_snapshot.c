/* Snapshots: taken here or received, kept whole in memory in pieces (to be sent on), and written to the log.
 *
 * The bytes: u32 length of the configuration, the configuration, then the tables' own. */
#include <seal/primitives.h>

#include "node_state.h"

/* Entries kept behind a snapshot, for followers that are a little late. */
static uint64_t kept_entries(const struct node *n)
{
    return n->config.window_entries / 4;
}

/* ---- pieces ---- */

void node_pieces_clear(struct node *n, struct pieces *p)
{
    for (uint32_t i = 0; i < PIECES_MAX; i++) {
        if (p->piece[i])
            node_give(n, p->piece[i], PIECE_BYTES);
    }
    memset(p, 0, sizeof(*p));
}

const uint8_t *node_pieces_at(const struct pieces *p, uint64_t offset, uint32_t bytes, uint8_t *scratch)
{
    if (offset % PIECE_BYTES + bytes <= PIECE_BYTES)
        return p->piece[offset / PIECE_BYTES] + offset % PIECE_BYTES;
    for (uint32_t i = 0; i < bytes; i++)
        scratch[i] = p->piece[(offset + i) / PIECE_BYTES][(offset + i) % PIECE_BYTES];
    return scratch;
}

bool node_pieces_write(struct node *n, struct pieces *p, uint64_t offset, const uint8_t *data, uint32_t bytes)
{
    while (bytes) {
        uint64_t at = offset / PIECE_BYTES, in = offset % PIECE_BYTES;
        uint32_t part = bytes < PIECE_BYTES - in ? bytes : (uint32_t)(PIECE_BYTES - in);
        if (at >= PIECES_MAX || (!p->piece[at] && !(p->piece[at] = node_take(n, PIECE_BYTES))))
            return false;
        memcpy(p->piece[at] + in, data, part);
        offset += part;
        data += part;
        bytes -= part;
    }
    p->bytes = offset > p->bytes ? offset : p->bytes;
    return true;
}

static void digest(const struct pieces *p, uint8_t sha256[32])
{
    struct seal_sha256 s;
    seal_sha256_begin(&s);
    for (uint64_t at = 0; at < p->bytes; at += PIECE_BYTES)
        seal_sha256_add(&s, p->piece[at / PIECE_BYTES], p->bytes - at < PIECE_BYTES ? p->bytes - at : PIECE_BYTES);
    seal_sha256_end(&s, sha256);
}

/* ---- taking one ---- */

static bool write_all(struct node *n, struct pieces *p, const struct raft_conf *conf)
{
    uint8_t *to = n->record;
    struct wire_writer w = wire_writer(to, 4);
    size_t conf_bytes = raft_conf_encode(conf, to + 4);
    wire_put_u32(&w, (uint32_t)conf_bytes);
    uint64_t offset = 0;
    size_t bytes = 4 + conf_bytes;
    tables_save_begin(n->tables, n->saver);
    for (; bytes; bytes = tables_save(n->tables, n->saver, to, PIECE_BYTES)) {
        if (!node_pieces_write(n, p, offset, to, (uint32_t)bytes))
            return false;
        offset += bytes;
    }
    return true;
}

static void begin_saving(struct node *n)
{
    n->saving = true;
    n->saving_begun = false;
    n->saving_offset = 0;
    if (!n->durable)
        node_snapshot_saved(n);
}

bool node_snapshot_take(struct node *n, const struct raft_snapshot *label)
{
    n->incoming_label = *label;
    node_pieces_clear(n, &n->incoming);
    if (label->index == 0 || !write_all(n, &n->incoming, &label->conf)) {
        node_pieces_clear(n, &n->incoming);
        return false;
    }
    n->incoming_label.bytes = n->incoming.bytes;
    digest(&n->incoming, n->incoming_label.digest);
    return true;
}

static void take_snapshot(struct node *n)
{
    struct raft_snapshot label;
    raft_snapshot_label(n->raft, &label);
    if (node_snapshot_take(n, &label))
        begin_saving(n);
}

const struct raft_snapshot *node_snapshot_genesis(struct node *n)
{
    struct raft_id voters[RAFT_MEMBERS_MAX];
    struct tables_result result;
    for (uint32_t i = 0; i < n->conf.count; i++)
        voters[i] = n->conf.members[i].id;
    if (raft_genesis_label(voters, n->conf.count, &n->saved_label) != E_OK ||
        tables_apply(n->tables, n->saved_label.index, n->saved_label.term, NULL, 0, &result) != E_OK ||
        !write_all(n, &n->saved, &n->saved_label.conf))
        return NULL;
    n->saved_label.bytes = n->saved.bytes;
    digest(&n->saved, n->saved_label.digest);
    return &n->saved_label;
}

/* ---- to the log ---- */

static void queue_begin(struct node *n)
{
    struct log_request *q = node_log_queue(n, LOG_SNAPSHOT_BEGIN);
    q->head.index = n->incoming_label.index;
    q->head.term = n->incoming_label.term;
    q->head.offset = n->incoming_label.bytes;
    n->saving_begun = true;
}

static void queue_data(struct node *n)
{
    uint64_t left = n->incoming_label.bytes - n->saving_offset;
    struct log_request *q = node_log_queue(n, LOG_SNAPSHOT_DATA);
    q->head.offset = n->saving_offset;
    q->head.bytes = left < PIECE_BYTES ? (uint32_t)left : PIECE_BYTES;
    q->data = n->incoming.piece[n->saving_offset / PIECE_BYTES];
    n->saving_offset += q->head.bytes;
    if (n->saving_offset < n->incoming_label.bytes)
        return;
    if (n->adopting) {
        node_log_adopt(n, n->incoming_label.digest);
        return;
    }
    q = node_log_queue(n, LOG_SNAPSHOT_COMMIT);
    q->head.bytes = sizeof(n->incoming_label.digest);
    q->data = n->incoming_label.digest;
}

static void take_over(struct node *n)
{
    node_pieces_clear(n, &n->saved);
    n->saved = n->incoming;
    n->saved_label = n->incoming_label;
    memset(&n->incoming, 0, sizeof(n->incoming));
    n->saving = false;
}

static void drop_old_entries(struct node *n)
{
    if (n->saved_label.index <= kept_entries(n))
        return;
    uint64_t up_to = n->saved_label.index - kept_entries(n);
    raft_compact(n->raft, up_to);
    if (n->durable && up_to > n->log_floor && node_log_room(n) >= 8)
        node_log_compact(n, up_to);
}

void node_snapshot_saved(struct node *n)
{
    struct raft_conf conf;
    take_over(n);
    n->snapshot_wanted = false; /* the next update says whether another is wanted, now that this one is there */
    n->hello_changed |= n->snapshot_too_big; /* the others refuse proposals for our sake no longer */
    n->snapshot_too_big = false;
    if (!n->installing) {
        if (raft_snapshot_saved(n->raft, &n->saved_label))
            drop_old_entries(n);
        return;
    }
    n->installing = false;
    err_t err = node_snapshot_load(n, &n->saved, n->saved_label.digest, &conf);
    raft_snapshot_installed(n->raft, err == E_OK);
    if (err != E_OK)
        node_fail(n, err == E_NOT_SUPPORTED ? NODE_TOO_OLD : "the leader's snapshot does not load");
}

/* ---- receiving one ---- */

bool node_snapshot_chunk(struct node *n, const struct raft_chunk *chunk)
{
    if (n->saving)
        return false;
    if (chunk->offset == 0) {
        node_pieces_clear(n, &n->incoming);
        n->incoming_label = *chunk->snapshot;
    }
    return n->incoming_label.index == chunk->snapshot->index && chunk->offset <= n->incoming.bytes &&
           node_pieces_write(n, &n->incoming, chunk->offset, chunk->data, chunk->bytes);
}

void node_snapshot_install(struct node *n, const struct raft_snapshot *snapshot)
{
    uint8_t sha256[32];
    if (n->saving || n->incoming.bytes != snapshot->bytes) {
        n->install_refused = true;
        return;
    }
    digest(&n->incoming, sha256);
    if (memcmp(sha256, snapshot->digest, sizeof(sha256))) {
        n->install_refused = true;
        return;
    }
    n->incoming_label = *snapshot;
    n->installing = n->install_due = true;
}

static err_t load_pieces(struct node *n, const struct pieces *p, uint32_t skip)
{
    tables_load_begin(n->tables, n->loader);
    for (uint64_t at = 0; at < p->bytes; at += PIECE_BYTES) {
        uint32_t from = at ? 0 : skip;
        uint64_t left = p->bytes - at;
        uint32_t bytes = left < PIECE_BYTES ? (uint32_t)left : PIECE_BYTES;
        if (from > bytes)
            return E_BAD_MESSAGE;
        err_t err = tables_load(n->tables, n->loader, p->piece[at / PIECE_BYTES] + from, bytes - from);
        if (err != E_OK)
            return err;
    }
    return tables_load_end(n->tables, n->loader);
}

err_t node_snapshot_load(struct node *n, const struct pieces *p, const uint8_t sha256[32], struct raft_conf *conf)
{
    uint8_t found[32];
    digest(p, found);
    if (p->bytes < 4 || memcmp(found, sha256, sizeof(found)) || node_tables_make(n) != E_OK)
        return E_CORRUPT;
    struct wire_reader r = wire_reader(p->piece[0], p->bytes < PIECE_BYTES ? p->bytes : PIECE_BYTES);
    uint32_t conf_bytes = wire_get_u32(&r);
    const uint8_t *at = wire_take(&r, conf_bytes);
    if (!at || raft_conf_decode(at, conf_bytes, conf) != E_OK)
        return E_CORRUPT;
    err_t err = load_pieces(n, p, 4 + conf_bytes);
    if (err != E_OK)
        return err;
    n->hooks.replaced(n->hooks.context);
    node_tables_replaced(n);
    return E_OK;
}

/* ---- a round ---- */

static void run_install(struct node *n)
{
    if (n->install_refused) {
        n->install_refused = false;
        raft_snapshot_installed(n->raft, false);
    } else if (n->install_due) {
        n->install_due = false;
        begin_saving(n);
    }
}

static void write_saving(struct node *n)
{
    if (!n->saving || !n->durable)
        return;
    if (!n->saving_begun && node_log_room(n) > LOG_QUEUE_MAX / 2)
        queue_begin(n);
    while (n->saving_begun && n->saving_offset < n->incoming_label.bytes && node_log_room(n) > LOG_QUEUE_MAX / 2)
        queue_data(n);
}

void node_snapshot_run(struct node *n)
{
    if (n->adopting)
        write_saving(n);
    if (!n->raft_running)
        return;
    run_install(n);
    if (n->snapshot_wanted && !n->saving && !n->installing && n->now_ns >= n->snapshot_retry_ns &&
        (n->full || !raft_snapshot_sending(n->raft))) {
        n->snapshot_wanted = false;
        take_snapshot(n);
    }
    write_saving(n);
}
