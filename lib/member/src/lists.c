/* Rows in lists: the suspects, and the news by how often each was told. */
#include "state.h"

static struct near *near_of(struct member *m, const struct list *l, uint16_t row)
{
    return l == &m->watch ? &m->rows[row].watch : &m->rows[row].news;
}

static void append(struct member *m, struct list *l, uint16_t row)
{
    *near_of(m, l, row) = (struct near){NONE, l->last};
    if (l->last == NONE)
        l->first = row;
    else
        near_of(m, l, l->last)->next = row;
    l->last = row;
}

static void take_out(struct member *m, struct list *l, uint16_t row)
{
    struct near n = *near_of(m, l, row);
    if (n.previous == NONE)
        l->first = n.next;
    else
        near_of(m, l, n.previous)->next = n.next;
    if (n.next == NONE)
        l->last = n.previous;
    else
        near_of(m, l, n.next)->previous = n.previous;
}

void watch_add(struct member *m, uint16_t row)
{
    append(m, &m->watch, row);
}

void watch_at(struct member *m, uint16_t row, uint64_t due_ns)
{
    m->rows[row].due_ns = due_ns;
    m->watch_due_ns = due_ns < m->watch_due_ns ? due_ns : m->watch_due_ns;
}

void watch_drop(struct member *m, uint16_t row)
{
    take_out(m, &m->watch, row);
}

void news_drop(struct member *m, uint16_t row)
{
    struct row *r = &m->rows[row];
    if (r->sent == NOT_QUEUED)
        return;
    take_out(m, &m->news[r->sent], row);
    r->sent = NOT_QUEUED;
    m->news_count--;
}

void news_add(struct member *m, uint16_t row, uint32_t sent)
{
    news_drop(m, row);
    ASSERT(sent < SENT_MAX);
    if (!m->news_count && m->gossip_due_ns < m->now_ns)
        m->gossip_due_ns = m->now_ns + draw(m) % m->config.gossip_ns;
    append(m, &m->news[sent], row);
    m->rows[row].sent = (uint8_t)sent;
    m->news_count++;
}
