/* What changed lately, for those who watch. A fixed ring of this replica's own: no part of the replicated state. */
#include "state.h"

static bool before(struct tables_position a, struct tables_position b)
{
    return a.revision < b.revision || (a.revision == b.revision && a.part < b.part);
}

static struct tables_position behind(struct tables_position p)
{
    return (struct tables_position){p.revision, p.part + 1};
}

static struct change *at(const struct tables *t, uint64_t number)
{
    return t->history.ring[number % TABLES_HISTORY_MAX];
}

static uint32_t size_of(uint32_t name_bytes, uint32_t value_bytes)
{
    return (uint32_t)sizeof(struct change) + name_bytes + value_bytes;
}

static void forget_oldest(struct tables *t)
{
    struct change *c = at(t, t->history.first++);
    uint32_t bytes = size_of(c->name_bytes, c->value_bytes);
    t->history.begin = behind(c->position);
    t->history.bytes -= bytes;
    tables_give(t, c, bytes);
}

void history_clear(struct tables *t)
{
    memset(&t->history, 0, sizeof(t->history));
    t->history.begin.revision = t->index + 1;
}

void history_add(struct tables *t, enum tables_change_kind kind, struct tables_text name, struct tables_text value,
                 uint64_t process_id)
{
    struct history *h = &t->history;
    uint32_t bytes = size_of(name.bytes, value.bytes);
    while (h->next - h->first == TABLES_HISTORY_MAX || h->bytes + bytes > TABLES_HISTORY_BYTES)
        forget_oldest(t);
    struct change *c = tables_take(t, bytes);
    if (!c)
        return;
    h->last = h->last.revision == t->index ? behind(h->last) : (struct tables_position){t->index, 0};
    *c = (struct change){h->last, process_id, kind, name.bytes, value.bytes};
    memcpy(c + 1, name.at, name.bytes);
    if (value.bytes)
        memcpy((uint8_t *)(c + 1) + name.bytes, value.at, value.bytes);
    h->ring[h->next++ % TABLES_HISTORY_MAX] = c;
    h->bytes += bytes;
}

struct tables_position tables_history_begin(const struct tables *t)
{
    return t->history.begin;
}

/* The number of the first change at or after `position`. */
static uint64_t find(const struct tables *t, struct tables_position position)
{
    uint64_t low = t->history.first, high = t->history.next;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (before(at(t, middle)->position, position))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool wanted(const struct change *c, enum tables_watched watched, struct tables_text prefix)
{
    bool key = c->kind == TABLES_CHANGE_PUT || c->kind == TABLES_CHANGE_DELETE;
    return key == (watched == TABLES_WATCH_KEYS) && c->name_bytes >= prefix.bytes &&
           (!prefix.bytes || !memcmp(c + 1, prefix.at, prefix.bytes));
}

bool tables_change_next(const struct tables *t, enum tables_watched watched, struct tables_text prefix,
                        struct tables_position *position, struct tables_change *change)
{
    ASSERT(!before(*position, t->history.begin));
    for (uint64_t n = find(t, *position); n < t->history.next; n++) {
        const struct change *c = at(t, n);
        if (!wanted(c, watched, prefix))
            continue;
        *change = (struct tables_change){.position = c->position,
                                         .kind = c->kind,
                                         .name = {c + 1, c->name_bytes},
                                         .value = {(const uint8_t *)(c + 1) + c->name_bytes, c->value_bytes},
                                         .process_id = c->process_id};
        *position = behind(c->position);
        return true;
    }
    if (position->revision <= t->index)
        *position = (struct tables_position){t->index + 1, 0};
    return false;
}
