/* News, and all packets that go out: each carries what news it has room for, the least told first. */
#include "state.h"

uint32_t gossip_limit(const struct member *m)
{
    uint32_t limit = 1 + m->config.resend * log10_thousandths(live_members(m) + 1) / 1000;
    return limit < SENT_MAX ? limit : SENT_MAX - 1;
}

/* Told once more: whoever does not know it, and those who heard the older from there, are few. */
void gossip_stale(struct member *m, uint16_t row)
{
    uint32_t limit = gossip_limit(m);
    if (m->rows[row].sent == NOT_QUEUED)
        news_add(m, row, limit - 1);
}

void rate_refill(struct member *m, struct rate *r)
{
    uint64_t passed_ns = m->now_ns - r->refilled_ns;
    uint64_t fill_ns = 1000000000ull / r->per_second + 1;
    if (passed_ns < fill_ns)
        return;
    passed_ns = passed_ns < 60000000000ull ? passed_ns : 60000000000ull;
    r->bytes += (int64_t)(passed_ns * r->per_second / 1000000000ull);
    r->bytes = r->bytes < r->most ? r->bytes : r->most;
    r->refilled_ns = m->now_ns;
}

void out_put(struct member *m, uint32_t kind, uint64_t to, uint64_t target, uint32_t sequence, bool tell)
{
    if (m->pending_count == PENDING_MAX)
        return; /* as if it were lost */
    m->pending[(m->pending_first + m->pending_count++) % PENDING_MAX] =
        (struct pending){.to = to, .target = target, .sequence = sequence, .kind = (uint8_t)kind, .tell = tell};
}

static void put_gossip(struct member *m)
{
    uint16_t chosen[8];
    uint32_t fanout = m->config.fanout < 8 ? m->config.fanout : 8;
    for (uint32_t i = 0; i < fanout; i++) {
        chosen[i] = row_some(m, alive_or_suspect, chosen, i);
        if (chosen[i] == NONE)
            return;
        out_put(m, MEMBER_GOSSIP, m->rows[chosen[i]].node, 0, 0, false);
    }
}

void gossip_run(struct member *m)
{
    if (!m->news_count || m->now_ns < m->gossip_due_ns)
        return;
    m->gossip_due_ns = m->now_ns + m->config.gossip_ns;
    if (live_members(m) < 2 && !m->leaving) { /* nobody to tell: who comes will compare */
        for (uint32_t s = 0; s < SENT_MAX; s++) {
            while (m->news[s].first != NONE)
                news_drop(m, m->news[s].first);
        }
        return;
    }
    if (m->rate.bytes > 0)
        put_gossip(m);
}

/* ---- news into a packet ---- */

#define NEWS_MAX (MEMBER_PACKET_MAX / 13)

static uint32_t choose_news(const struct member *m, struct making *p, uint16_t chosen[NEWS_MAX])
{
    uint32_t count = 0;
    for (uint32_t s = 0; s < SENT_MAX; s++) {
        for (uint16_t i = m->news[s].first; i != NONE; i = m->rows[i].news.next) {
            if (count == NEWS_MAX || !packet_add(p, &m->rows[i]))
                return count;
            chosen[count++] = i;
        }
    }
    return count;
}

static void add_news(struct member *m, struct making *p)
{
    uint16_t chosen[NEWS_MAX];
    uint32_t limit = gossip_limit(m), count = choose_news(m, p, chosen);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t sent = m->rows[chosen[i]].sent + 1u;
        if (sent < limit)
            news_add(m, chosen[i], sent);
        else
            news_drop(m, chosen[i]);
    }
}

static void tell(struct member *m, struct making *p, uint64_t node, bool also_if_alive)
{
    uint16_t row = row_find(m, node);
    if (row != NONE && row != SELF && (also_if_alive || m->rows[row].state != MEMBER_ALIVE))
        packet_add(p, &m->rows[row]);
}

/* The receiver hears first what is thought of it, and who is asked to ask learns what of. */
static size_t make(struct member *m, const struct pending *q, uint8_t *to)
{
    bool own_answer = q->kind == MEMBER_ACK && q->target == m->config.node;
    struct making p = packet_begin(m, to, q->kind, q->to, q->target, q->sequence);
    if (m->leaving)
        packet_add(&p, &m->rows[SELF]);
    tell(m, &p, q->to, q->tell);
    if (q->target && !own_answer)
        tell(m, &p, q->target, true);
    if (m->rate.bytes > 0)
        add_news(m, &p);
    return packet_end(m, &p);
}

size_t member_output(struct member *m, uint64_t now_ns, uint64_t *to_out, uint8_t *packet_out)
{
    m->now_ns = now_ns > m->now_ns ? now_ns : m->now_ns;
    if (m->pending_count) {
        struct pending q = m->pending[m->pending_first];
        m->pending_first = (m->pending_first + 1) % PENDING_MAX;
        m->pending_count--;
        size_t bytes = make(m, &q, packet_out);
        m->rate.bytes -= (int64_t)(bytes + m->config.overhead_bytes);
        *to_out = q.to;
        return bytes;
    }
    size_t bytes = sync_output(m, to_out, packet_out);
    if (bytes)
        m->sync_rate.bytes -= (int64_t)(bytes + m->config.overhead_bytes);
    return bytes;
}
