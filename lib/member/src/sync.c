/* Comparing all that is known: digests of sixty-four parts by id, and then the rows of the parts that differ, both
 * ways. Nothing is kept for who asks but a few rows' cursors, at a rate of its own; what was lost is found next time.
 */
#include "state.h"

#define APART_NS   (m->config.sync_ns / 16) /* while much differs */
#define DIFFERS_NS (m->config.sync_ns / 4)  /* while anything does */

static uint64_t differing(const struct member *m, const struct member_packet *p)
{
    struct wire_reader r = wire_reader(p->digests, MEMBER_DIGEST_BYTES);
    uint64_t mask = 0;
    for (uint32_t i = 0; i < MEMBER_BUCKETS; i++)
        mask |= (uint64_t)(wire_get_u64(&r) != m->digests[i]) << i;
    return mask;
}

/* Where many wait already, who comes asks another. One bucket after the other from some one on, so that who asks
 * several hears different ones whole, and need not ask for them again. */
static void begin(struct member *m, uint64_t to, uint64_t mask, bool answer)
{
    struct sync *s = NULL;
    for (uint32_t i = 0; i < SYNCS_MAX; i++) {
        if (m->syncs[i].to == to)
            return;
        s = m->syncs[i].to ? s : &m->syncs[i];
    }
    if (s)
        *s = (struct sync){.to = to, .mask = mask, .bucket = (uint8_t)(draw(m) % MEMBER_BUCKETS), .answer = answer};
}

void sync_take(struct member *m, const struct member_packet *p)
{
    uint64_t mask = differing(m, p);
    bool ask = p->sequence == 1;
    if (mask || ask)
        begin(m, p->from, mask, ask);
    if (ask)
        return;
    m->apart = (uint32_t)__builtin_popcountll(mask) > FAR_APART;
    uint64_t soon_ns = m->now_ns + (m->apart ? APART_NS : DIFFERS_NS);
    if (mask && m->sync_due_ns > soon_ns)
        m->sync_due_ns = soon_ns;
}

static bool alive(const struct row *r)
{
    return r->state == MEMBER_ALIVE;
}

void sync_run(struct member *m)
{
    if (m->now_ns < m->sync_due_ns || m->leaving)
        return;
    m->sync_due_ns = m->now_ns + (m->apart ? APART_NS : m->config.sync_ns);
    uint16_t row = row_some(m, alive, NULL, 0);
    if (row != NONE)
        out_put(m, MEMBER_COMPARE, m->rows[row].node, 0, 1, false);
}

static struct sync *current(const struct member *m)
{
    for (uint32_t i = 0; i < SYNCS_MAX; i++) {
        if (m->syncs[i].to)
            return (struct sync *)(uintptr_t)&m->syncs[i];
    }
    return NULL;
}

bool sync_ready(const struct member *m)
{
    return m->sync_rate.bytes > 0 && current(m);
}

/* The digests end it: whoever asked sees by them what it still lacks, and what it has that we lack. */
static size_t output_end(struct member *m, struct sync *s, uint8_t *packet)
{
    struct making p = packet_begin(m, packet, MEMBER_COMPARE, s->to, 0, 0);
    s->to = 0;
    return packet_end(m, &p);
}

/* False: the packet is full. */
static bool add_bucket(const struct member *m, struct sync *s, struct making *p)
{
    if (!(s->mask >> s->bucket & 1))
        return true;
    for (; s->next < m->config.capacity; s->next++) {
        const struct row *r = &m->rows[s->next];
        if (r->node && bucket_of(r->node) == s->bucket && !packet_add(p, r))
            return false;
    }
    return true;
}

size_t sync_output(struct member *m, uint64_t *to, uint8_t *packet)
{
    struct sync *s = m->sync_rate.bytes > 0 ? current(m) : NULL;
    if (!s)
        return 0;
    *to = s->to;
    struct making p = packet_begin(m, packet, MEMBER_ROWS, s->to, 0, 0);
    while (s->mask && add_bucket(m, s, &p)) {
        s->mask &= ~(1ull << s->bucket);
        s->bucket = (s->bucket + 1) % MEMBER_BUCKETS;
        s->next = 0;
    }
    if (p.count)
        return packet_end(m, &p);
    if (s->answer)
        return output_end(m, s, packet);
    s->to = 0;
    return sync_output(m, to, packet);
}

uint64_t sync_deadline(const struct member *m)
{
    uint64_t due = m->leaving ? UINT64_MAX : m->sync_due_ns;
    if (current(m) && m->sync_rate.bytes <= 0) {
        uint64_t lacks = (uint64_t)(1 - m->sync_rate.bytes) * 1000000000ull / m->sync_rate.per_second;
        due = due < m->now_ns + lacks ? due : m->now_ns + lacks + 1000000;
    }
    return due;
}
