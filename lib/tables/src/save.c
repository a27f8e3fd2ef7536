/* Writing a snapshot, a record at a time. */
#include <wire/wire.h>

#include "snapshot.h"
#include "state.h"

static void put_id(struct wire_writer *w, const uint64_t id[2])
{
    wire_put_u64(w, id[0]);
    wire_put_u64(w, id[1]);
}

static void put_text(struct wire_writer *w, const void *at, uint32_t bytes)
{
    wire_put_u16(w, (uint16_t)bytes);
    wire_put_bytes(w, at, bytes);
}

static void put_head(const struct tables *t, struct wire_writer *w)
{
    wire_put_u32(w, SNAPSHOT_MAGIC);
    wire_put_u32(w, SNAPSHOT_VERSION);
    put_id(w, t->cluster_id);
    wire_put_u32(w, t->epoch);
    wire_put_u64(w, t->index);
    wire_put_u64(w, t->term);
    wire_put_u64(w, t->now_ns);
    wire_put_u64(w, t->next_job);
    wire_put_u64(w, t->next_sequence);
    wire_put_u32(w, t->level);
    wire_put_u64(w, t->cluster_key.id);
    wire_put_u64(w, t->cluster_key.next_id);
    wire_put_u64(w, t->cluster_key.ready);
    wire_put_u64(w, t->cluster_key.leaked);
    wire_put_u64(w, t->cluster_key.changes);
}

static void put_node(const struct tables_node *node, struct wire_writer *w)
{
    wire_put_u32(w, node->number);
    wire_put_u32(w, node->durable);
    wire_put_u32(w, node->cpus);
    wire_put_u32(w, node->live);
    wire_put_u32(w, node->wish);
    wire_put_u32(w, node->level);
    put_id(w, node->node_id);
    put_id(w, node->log_id);
    put_id(w, node->boot_id);
    wire_put_u64(w, node->renewed_ns);
    wire_put_u64(w, node->renewal);
    wire_put_u64(w, node->sequence_floor);
    for (size_t i = 0; i < TABLES_WINDOW / 64; i++)
        wire_put_u64(w, node->sequence_bits[i]);
    put_id(w, node->log_key.low);
    put_id(w, node->log_key.high);
    wire_put_u64(w, node->log_key.cluster_key);
    wire_put_bytes(w, node->name, sizeof(node->name));
}

static void put_session(const struct tree_node *node, struct wire_writer *w)
{
    const struct session *s = TABLES_ROW(node, const struct session);
    wire_put_u64(w, s->session);
    wire_put_u64(w, s->process_id);
    wire_put_u64(w, s->last_number);
    wire_put_u64(w, s->last_value);
    wire_put_u32(w, s->last_err);
    wire_put_u32(w, s->node);
}

static void put_key(const struct tree_node *node, struct wire_writer *w)
{
    const struct key *key = TABLES_ROW(node, const struct key);
    wire_put_u64(w, key->revision);
    wire_put_u64(w, key->session);
    put_text(w, node->name, node->name_bytes);
    put_text(w, key->value, key->value_bytes);
}

static void put_name(const struct tree_node *node, struct wire_writer *w)
{
    const struct name *name = TABLES_ROW(node, const struct name);
    wire_put_u64(w, name->process_id);
    wire_put_u64(w, name->export_id);
    wire_put_u32(w, name->node);
    put_text(w, node->name, node->name_bytes);
}

static void put_lock(const struct tree_node *node, struct wire_writer *w)
{
    const struct lock *lock = TABLES_ROW(node, const struct lock);
    wire_put_u64(w, lock->fence);
    wire_put_u64(w, lock->created);
    wire_put_u64(w, lock->delay_ns);
    wire_put_u64(w, lock->delayed_until_ns);
    wire_put_u32(w, lock->mode);
    wire_put_u32(w, lock->permits);
    put_text(w, node->name, node->name_bytes);
}

static void put_request(const struct tree_node *node, struct wire_writer *w)
{
    const struct request *r = TABLES_ROW(node, const struct request);
    wire_put_u64(w, r->ticket);
    wire_put_u64(w, r->fence);
    wire_put_u64(w, r->process_id);
    wire_put_u32(w, r->node);
    wire_put_u32(w, r->mode);
    wire_put_u64(w, r->delay_ns);
    wire_put_u64(w, r->sequence);
    put_text(w, r->value, r->value_bytes);
    put_text(w, r->lock->by_name.name, r->lock->by_name.name_bytes);
}

static void put_job(const struct tree_node *node, struct wire_writer *w)
{
    const struct tables_job *job = &TABLES_ROW(node, const struct job)->row;
    wire_put_u64(w, job->job);
    wire_put_u32(w, job->count);
    wire_put_u32(w, job->killed);
    wire_put_u32(w, job->origin_node);
    put_text(w, job->command, job->command_bytes);
    wire_put_u32(w, job->classes);
    put_text(w, job->prefix, job->prefix_bytes);
}

static void put_instance(const struct tables_instance *i, struct wire_writer *w)
{
    wire_put_u32(w, i->state);
    wire_put_u32(w, i->node);
    wire_put_u32(w, i->cause);
    wire_put_u32(w, i->code);
    put_id(w, i->boot);
    wire_put_u64(w, i->process_id);
    wire_put_u64(w, i->fence);
    wire_put_u64(w, i->stop);
    wire_put_bytes(w, i->why, sizeof(i->why));
}

/* The next row of a tree; false when there is none, and the part is over. */
static bool put_row(const struct tree *tree, struct tables_saver *s, struct wire_writer *w,
                    void (*put)(const struct tree_node *node, struct wire_writer *w))
{
    const struct tree_node *node = tree_next(tree, s->last);
    if (!node)
        return false;
    put(node, w);
    s->last = node;
    return true;
}

static bool put_next_node(const struct tables *t, struct tables_saver *s, struct wire_writer *w)
{
    while (s->number < NODES_MAX) {
        const struct tables_node *node = tables_node(t, ++s->number);
        if (node) {
            put_node(node, w);
            return true;
        }
    }
    return false;
}

/* A job and then its instances, before the next job. */
static bool put_next_job(const struct tables *t, struct tables_saver *s, struct wire_writer *w)
{
    const struct job *job = s->last;
    if (job && s->number < job->row.count) {
        w->to[4] = PART_INSTANCE;
        put_instance(&job->row.instances[s->number++], w);
        return true;
    }
    s->number = 0;
    return put_row(&t->jobs, s, w, put_job);
}

static bool put_once(struct tables_saver *s)
{
    return s->number++ == 0;
}

/* False when the present part has no more. */
static bool put_record(const struct tables *t, struct tables_saver *s, struct wire_writer *w)
{
    switch (s->part) {
    case PART_HEAD:
        if (!put_once(s))
            return false;
        put_head(t, w);
        return true;
    case PART_NODE:
        return put_next_node(t, s, w);
    case PART_SESSION:
        return put_row(&t->sessions, s, w, put_session);
    case PART_KEY:
        return put_row(&t->keys, s, w, put_key);
    case PART_NAME:
        return put_row(&t->names, s, w, put_name);
    case PART_LOCK:
        return put_row(&t->locks, s, w, put_lock);
    case PART_REQUEST:
        return put_row(&t->requests, s, w, put_request);
    case PART_JOB:
        return put_next_job(t, s, w);
    default:
        if (!put_once(s))
            return false;
        wire_put_u64(w, s->hash);
        return true;
    }
}

static void stage_next(const struct tables *t, struct tables_saver *s)
{
    for (; s->part < PART_DONE; s->last = NULL, s->number = 0, s->part++) {
        s->part += s->part == PART_INSTANCE;
        struct wire_writer w = wire_writer(s->stage, sizeof(s->stage));
        wire_put_u32(&w, 0);
        wire_put_u8(&w, (uint8_t)s->part);
        if (!put_record(t, s, &w))
            continue;
        ASSERT(!w.failed);
        struct wire_writer length = wire_writer(s->stage, 4);
        wire_put_u32(&length, (uint32_t)w.used - 4);
        s->hash = snapshot_hash(s->hash, s->stage, w.used);
        s->staged = (uint32_t)w.used;
        s->taken = 0;
        return;
    }
    s->staged = s->taken = 0;
}

static void start(const struct tables *t, struct tables_saver *s)
{
    s->index = t->index;
    s->hash = SNAPSHOT_HASH_START;
    s->part = PART_HEAD;
    s->number = 0;
    s->last = NULL;
    stage_next(t, s);
}

void tables_save_begin(const struct tables *t, struct tables_saver *s)
{
    s->total = 0;
    for (start(t, s); s->staged; stage_next(t, s))
        s->total += s->staged;
    start(t, s);
}

size_t tables_save(const struct tables *t, struct tables_saver *s, void *to, size_t room)
{
    size_t written = 0;
    ASSERT(s->index == t->index);
    while (written < room && s->staged) {
        size_t bytes = s->staged - s->taken < room - written ? s->staged - s->taken : room - written;
        memcpy((uint8_t *)to + written, s->stage + s->taken, bytes);
        written += bytes;
        s->taken += (uint32_t)bytes;
        if (s->taken == s->staged)
            stage_next(t, s);
    }
    return written;
}

uint64_t tables_hash(struct tables *t)
{
    for (start(t, &t->hasher); t->hasher.staged; stage_next(t, &t->hasher))
        ;
    return t->hasher.hash;
}
