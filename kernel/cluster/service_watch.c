/* Watching: a call that is answered when there is something to tell. Nothing is kept between two calls: who watches
 * says from where on, and is out of credit until it asks again. */
#include "service_private.h"

_Static_assert(CLUSTER_WATCH_KEYS == TABLES_WATCH_KEYS && CLUSTER_WATCH_ELECTIONS == TABLES_WATCH_ELECTIONS &&
                   CLUSTER_CHANGE_PUT == TABLES_CHANGE_PUT && CLUSTER_CHANGE_VACANT == TABLES_CHANGE_VACANT,
               "the numbers are the tables' own");

static void begin_watch(struct request *r)
{
    DECODE(watch_next, r)
    r->position = (struct tables_position){in.revision, in.part};
    if (in.watched != CLUSTER_WATCH_KEYS && in.watched != CLUSTER_WATCH_ELECTIONS)
        cluster_answer(r, E_INVALID, NULL);
    else if (in.revision)
        r->phase = PHASE_WAITING;
    else
        service_ask_read(r);
}

static void read_present(struct request *r, const struct tables *t)
{
    ANSWER(r, watch_next, .next_revision = tables_applied_index(t) + 1, .changes = service_rows);
}

/* False: no room. A value that would not fit into an answer of its own is left out. */
static bool put_change(const struct tables_change *c, uint32_t *used)
{
    struct cluster_change row = {.revision = c->position.revision,
                                 .process_id = c->process_id,
                                 .kind = c->kind,
                                 .name_bytes = c->name.bytes,
                                 .value_bytes = c->value.bytes};
    if (sizeof(row) + row.name_bytes + row.value_bytes > ROWS_MAX - 7) {
        row.left_out = row.value_bytes;
        row.value_bytes = 0;
    }
    uint32_t bytes = (uint32_t)sizeof(row) + row.name_bytes + row.value_bytes, padded = (bytes + 7) & ~7u;
    uint8_t *to = service_rows + *used;
    if (padded > ROWS_MAX - *used)
        return false;
    memcpy(to, &row, sizeof(row));
    memcpy(to + sizeof(row), c->name.at, row.name_bytes);
    if (row.value_bytes)
        memcpy(to + sizeof(row) + row.name_bytes, c->value.at, row.value_bytes);
    memset(to + bytes, 0, padded - bytes);
    *used += padded;
    return true;
}

static bool compacted(struct tables_position asked, struct tables_position begin)
{
    return asked.revision < begin.revision || (asked.revision == begin.revision && asked.part < begin.part);
}

static void look_for_change(struct request *r)
{
    DECODE(watch_next, r)
    const struct tables *t = cluster.node ? node_tables(cluster.node) : NULL;
    struct tables_text prefix = text_of(in.prefix, in.prefix_length);
    struct tables_position next = r->position, begin;
    struct tables_change change;
    uint32_t used = 0;
    if (!t)
        return;
    begin = tables_history_begin(t);
    if (compacted(next, begin)) {
        ANSWER(r, watch_next, .oldest = begin.revision + (begin.part != 0), .changes = service_rows);
        return;
    }
    while (tables_change_next(t, in.watched, prefix, &next, &change) && put_change(&change, &used))
        r->position = next;
    if (used)
        ANSWER(r, watch_next, .next_revision = r->position.revision, .next_part = r->position.part,
               .changes = service_rows, .changes_length = used);
    else
        r->position = next;
}

const struct service_op service_watch_next_op = {
    .begin = begin_watch, .read = read_present, .recheck = look_for_change};
