#include "fixture.h"

static void *chunk(void *context)
{
    struct replica *r = context;
    if (r->chunk_count >= r->chunk_limit)
        return NULL;
    return r->chunks[r->chunk_count++] = aligned_alloc(16, TABLES_CHUNK_BYTES);
}

static void event(void *context, const struct tables_event *e)
{
    struct replica *r = context;
    CHECK(r->event_count < EVENTS_MAX);
    r->events[r->event_count++] = *e;
}

void replica_open(struct replica *r)
{
    memset(r, 0, sizeof(*r));
    r->chunk_limit = 1024;
    const uint64_t cluster_id[2] = {7, 8};
    CHECK_EQUAL(tables_init(&(struct tables_memory){chunk, r}, cluster_id, 1, &r->t), E_OK);
    r->watcher = (struct tables_watcher){event, r};
    tables_watch(r->t, &r->watcher);
}

void replica_close(struct replica *r)
{
    for (uint32_t i = 0; i < r->chunk_count; i++)
        free(r->chunks[i]);
}

err_t replica_apply_bytes(struct replica *r, const void *entry, size_t bytes)
{
    r->event_count = 0;
    CHECK_EQUAL(tables_apply(r->t, tables_applied_index(r->t) + 1, 1, entry, bytes, &r->result), E_OK);
    return r->result.err;
}

err_t replica_apply(struct replica *r, struct tables_op op)
{
    uint8_t entry[TABLES_ENTRY_MAX];
    size_t bytes = tables_encode(&op, entry, sizeof(entry));
    CHECK(bytes > 0);
    return replica_apply_bytes(r, entry, bytes);
}

err_t replica_from(struct replica *r, uint32_t node, struct tables_op op)
{
    const struct tables_node *row = tables_node(r->t, node);
    op.node = node;
    if (row)
        memcpy(op.boot, row->boot_id, sizeof(op.boot));
    op.sequence = ++r->sequence[node];
    return replica_apply(r, op);
}

struct tables_text text(const char *string)
{
    return (struct tables_text){string, (uint32_t)strlen(string)};
}

uint32_t join(struct replica *r, uint64_t node_id, uint64_t boot)
{
    struct tables_op op = {.kind = TABLES_NODE_JOIN,
                           .node_join = {.node_id = {node_id},
                                         .log_id = {node_id},
                                         .boot_id = {boot},
                                         .cpus = 1,
                                         .level = TABLES_LEVEL_NOW,
                                         .name = text("n")}};
    CHECK_EQUAL(replica_apply(r, op), E_OK);
    r->sequence[r->result.value] = 0;
    return (uint32_t)r->result.value;
}

err_t put(struct replica *r, uint32_t node, const char *key, const char *value)
{
    return replica_from(
        r, node,
        (struct tables_op){.kind = TABLES_KEY_PUT,
                           .key_put = {.if_revision = TABLES_ANY_REVISION, .name = text(key), .value = text(value)}});
}

err_t lock(struct replica *r, uint32_t node, uint64_t process, const char *name, uint32_t mode)
{
    return replica_from(
        r, node,
        (struct tables_op){.kind = TABLES_LOCK, .lock = {.mode = mode, .process_id = process, .name = text(name)}});
}

void steps_add(struct steps *s, struct txn_step head, const char *name, const char *value)
{
    uint32_t used = 0;
    head.name_bytes = (uint16_t)strlen(name);
    head.value_bytes = (uint16_t)strlen(value);
    CHECK(s->used + sizeof(head) + head.name_bytes + head.value_bytes + 8 <= sizeof(s->bytes));
    memset(s->bytes + s->used, 0, sizeof(head) + head.name_bytes + head.value_bytes + 8);
    memcpy(s->bytes + s->used, &head, sizeof(head));
    used = sizeof(head);
    memcpy(s->bytes + s->used + used, name, head.name_bytes);
    used += head.name_bytes;
    memcpy(s->bytes + s->used + used, value, head.value_bytes);
    s->used += (used + head.value_bytes + 7) & ~7u;
}

err_t transact(struct replica *r, uint32_t node, const struct steps *s)
{
    return replica_from(r, node, (struct tables_op){.kind = TABLES_TXN, .txn = {.steps = {s->bytes, s->used}}});
}
