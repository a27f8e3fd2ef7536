/* The members' rows: found by id, digested, and in a shuffled order. */
#include "state.h"

uint32_t bucket_of(uint64_t node)
{
    return (uint32_t)(mixed(node) >> 32) % MEMBER_BUCKETS;
}

/* ---- found by id: open addressing, each id at or behind its place without a gap between ---- */

static uint32_t place_of(const struct member *m, uint64_t node)
{
    return (uint32_t)mixed(node) & (m->index_size - 1);
}

static uint32_t following(const struct member *m, uint32_t place)
{
    return (place + 1) & (m->index_size - 1);
}

uint16_t row_find(const struct member *m, uint64_t node)
{
    uint32_t at = place_of(m, node);
    while (m->index[at] != NONE && m->rows[m->index[at]].node != node)
        at = following(m, at);
    return m->index[at];
}

static void index_add(struct member *m, uint16_t row)
{
    uint32_t at = place_of(m, m->rows[row].node);
    while (m->index[at] != NONE)
        at = following(m, at);
    m->index[at] = row;
}

static void index_drop(struct member *m, uint64_t node)
{
    uint32_t at = place_of(m, node);
    while (m->rows[m->index[at]].node != node)
        at = following(m, at);
    m->index[at] = NONE;
    for (at = following(m, at); m->index[at] != NONE; at = following(m, at)) {
        uint16_t moved = m->index[at]; /* to where it belongs, now that there may be a gap before it */
        m->index[at] = NONE;
        index_add(m, moved);
    }
}

/* ---- digests ---- */

static uint64_t hash_of(const struct row *r)
{
    uint64_t state = r->state == MEMBER_SUSPECT ? MEMBER_ALIVE : r->state; /* a suspicion is news, no knowledge */
    return mixed(mixed(mixed(r->node) + r->boot) + ((uint64_t)r->incarnation << 2 | (state & 3)));
}

static void toggle_digest(struct member *m, const struct row *r)
{
    if (r->state)
        m->digests[bucket_of(r->node)] ^= hash_of(r);
}

static void count_dead(struct member *m, const struct row *r, int32_t by)
{
    if (r->state && !alive_or_suspect(r))
        m->dead += (uint32_t)by;
}

static void note_change(struct member *m, uint16_t row)
{
    struct row *r = &m->rows[row];
    if (r->changed)
        return;
    r->changed = true;
    r->changed_next = m->changed_first;
    m->changed_first = row;
}

void row_become(struct member *m, uint16_t row, enum member_state state, uint32_t incarnation, uint64_t boot)
{
    struct row *r = &m->rows[row];
    bool shown = r->state != state || r->boot != boot;
    toggle_digest(m, r);
    count_dead(m, r, -1);
    if (r->state == MEMBER_SUSPECT && state != MEMBER_SUSPECT)
        watch_drop(m, row);
    if (r->state != MEMBER_SUSPECT && state == MEMBER_SUSPECT)
        watch_add(m, row);
    r->state = (uint8_t)state;
    r->incarnation = incarnation;
    r->boot = boot;
    toggle_digest(m, r);
    count_dead(m, r, 1);
    if (shown)
        note_change(m, row);
}

/* ---- making and dropping ---- */

static void order_add(struct member *m, uint16_t row)
{
    uint32_t at = (uint32_t)(draw(m) % (m->order_count + 1));
    m->order[m->order_count++] = m->order[at];
    m->order[at] = row;
}

static void order_drop(struct member *m, uint16_t row)
{
    uint32_t at = 0;
    while (m->order[at] != row)
        at++;
    m->order[at] = m->order[--m->order_count];
}

uint16_t row_make(struct member *m, uint64_t node)
{
    uint16_t row = m->free_row;
    if (row == NONE)
        return NONE;
    struct row *r = &m->rows[row];
    m->free_row = r->watch.next;
    *r = (struct row){.node = node, .sent = NOT_QUEUED};
    index_add(m, row);
    if (row != SELF)
        order_add(m, row);
    m->count++;
    return row;
}

static void forget_change(struct member *m, uint16_t row)
{
    uint16_t *at = &m->changed_first;
    while (m->rows[row].changed && *at != row)
        at = &m->rows[*at].changed_next;
    if (m->rows[row].changed)
        *at = m->rows[row].changed_next;
}

void row_drop(struct member *m, uint16_t row)
{
    struct row *r = &m->rows[row];
    toggle_digest(m, r);
    count_dead(m, r, -1);
    if (r->state == MEMBER_SUSPECT)
        watch_drop(m, row);
    news_drop(m, row);
    forget_change(m, row);
    order_drop(m, row);
    index_drop(m, r->node);
    *r = (struct row){.watch.next = m->free_row};
    m->free_row = row;
    m->count--;
}

/* ---- choosing ---- */

void rows_shuffle(struct member *m)
{
    for (uint32_t i = m->order_count; i > 1; i--) {
        uint32_t other = (uint32_t)(draw(m) % i);
        uint16_t row = m->order[i - 1];
        m->order[i - 1] = m->order[other];
        m->order[other] = row;
    }
}

static bool among(uint16_t row, const uint16_t *rows, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i] == row)
            return true;
    }
    return false;
}

uint16_t row_some(struct member *m, bool (*good)(const struct row *r), const uint16_t *but, uint32_t but_count)
{
    uint32_t start = m->order_count ? (uint32_t)(draw(m) % m->order_count) : 0;
    for (uint32_t i = 0; i < m->order_count; i++) {
        uint32_t at = start + i < m->order_count ? start + i : start + i - m->order_count;
        uint16_t row = m->order[at];
        if (good(&m->rows[row]) && !among(row, but, but_count))
            return row;
    }
    return NONE;
}
