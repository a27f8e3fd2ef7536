/* A member as a whole: making one, one round, and what it tells its mount. */
#include "state.h"

#define MS 1000000ull

uint64_t mixed(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9ull;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

uint64_t draw(struct member *m)
{
    m->random += 0x9e3779b97f4a7c15ull;
    return mixed(m->random);
}

uint32_t live_members(const struct member *m)
{
    return m->count - m->dead;
}

/* By the powers of two below and above, and a line between. */
uint32_t log10_thousandths(uint32_t n)
{
    uint32_t whole = 31 - (uint32_t)__builtin_clz(n | 1), power = 1u << whole;
    uint64_t part = (uint64_t)(n - power) * 1000 / power;
    return (uint32_t)((whole * 1000 + part) * 301 / 1000);
}

void member_config_default(struct member_config *config, uint64_t probe_ns)
{
    *config = (struct member_config){.probe_ns = probe_ns,
                                     .timeout_ns = probe_ns / 3,
                                     .fresh_ns = probe_ns,
                                     .gossip_ns = probe_ns * 2 / 5,
                                     .sync_ns = 10000 * MS,
                                     .retry_ns = 2000 * MS,
                                     .least_ns = probe_ns * 3,
                                     .suspicion = 3,
                                     .unconfirmed = 4,
                                     .resend = 4,
                                     .fanout = 3,
                                     .packet_bytes = 1200,
                                     .overhead_bytes = 82, /* sealed frame 40, UDP, IPv4 and Ethernet 42 */
                                     .bytes_per_second = 9000};
}

static bool makes_sense(const struct member_config *c)
{
    return c->capacity >= 1 && c->capacity <= MEMBER_CAPACITY_MAX && c->timeout_ns &&
           c->timeout_ns <= c->probe_ns / 3 && c->gossip_ns && c->sync_ns && c->retry_ns && c->suspicion &&
           c->unconfirmed && c->resend && c->fanout && c->packet_bytes >= MEMBER_PACKET_LEAST &&
           c->packet_bytes <= MEMBER_PACKET_MAX && c->bytes_per_second;
}

static uint32_t index_size(uint32_t capacity)
{
    uint32_t size = 4;
    while (size < capacity + capacity / 2)
        size *= 2;
    return size;
}

size_t member_bytes(const struct member_config *c)
{
    if (!makes_sense(c))
        return 0;
    return sizeof(struct member) + c->capacity * (sizeof(struct row) + sizeof(uint16_t)) +
           index_size(c->capacity) * sizeof(uint16_t);
}

static void make_lists(struct member *m)
{
    for (uint32_t i = 0; i < SENT_MAX; i++)
        m->news[i] = (struct list){NONE, NONE};
    m->watch = (struct list){NONE, NONE};
    m->watch_due_ns = UINT64_MAX;
    m->changed_first = NONE;
    for (uint32_t i = 0; i < m->config.capacity; i++)
        m->rows[i].watch.next = (uint16_t)(i + 1 < m->config.capacity ? i + 1 : NONE);
    for (uint32_t i = 0; i < m->index_size; i++)
        m->index[i] = NONE;
}

err_t member_init(const struct member_config *config, void *memory, uint64_t now_ns, struct member **out)
{
    size_t bytes = member_bytes(config);
    if (!bytes || !config->node || !config->boot)
        return E_INVALID;
    struct member *m = memset(memory, 0, bytes);
    m->config = *config;
    m->now_ns = now_ns;
    m->random = config->random ^ mixed(config->node) ^ config->boot;
    m->asleep_ns = UINT64_MAX;
    m->index_size = index_size(config->capacity);
    m->rows = (struct row *)(m + 1);
    m->order = (uint16_t *)(m->rows + config->capacity);
    m->index = m->order + config->capacity;
    make_lists(m);
    uint16_t self = row_make(m, config->node);
    ASSERT(self == SELF);
    row_become(m, self, MEMBER_ALIVE, 1, config->boot);
    news_add(m, self, 0);
    m->probe_due_ns = now_ns + draw(m) % config->probe_ns;
    m->retry_due_ns = now_ns + draw(m) % config->retry_ns;
    m->sync_due_ns = now_ns;
    m->apart = true;
    m->rate = (struct rate){now_ns, 0, config->bytes_per_second / 4 * 3, config->bytes_per_second};
    m->sync_rate = (struct rate){now_ns, 0, config->bytes_per_second / 4, 3 * config->bytes_per_second};
    m->rate.bytes = m->rate.most;
    m->sync_rate.bytes = m->sync_rate.most;
    *out = m;
    return E_OK;
}

/* ---- members by the mount's word ---- */

err_t member_add(struct member *m, uint64_t now_ns, uint64_t node, uint64_t boot)
{
    m->now_ns = now_ns;
    if (row_find(m, node) != NONE)
        return E_OK;
    uint16_t row = node ? row_make(m, node) : NONE;
    if (row == NONE)
        return E_FULL;
    row_become(m, row, MEMBER_ALIVE, 0, boot);
    return E_OK;
}

void member_remove(struct member *m, uint64_t node)
{
    uint16_t row = row_find(m, node);
    if (row == NONE || row == SELF)
        return;
    probe_forget(m, row);
    row_drop(m, row);
}

void member_heard(struct member *m, uint64_t node, uint64_t boot, uint64_t heard_ns)
{
    uint16_t row = row_find(m, node);
    if (row == NONE || row == SELF || (m->rows[row].boot && m->rows[row].boot != boot))
        return;
    judge_heard(m, row, heard_ns);
}

void member_leave(struct member *m, uint64_t now_ns)
{
    m->now_ns = now_ns;
    m->leaving = true;
    row_become(m, SELF, MEMBER_LEFT, m->rows[SELF].incarnation, m->config.boot);
    news_add(m, SELF, 0);
}

/* ---- rounds ---- */

/* This node was not run for a while: what it waited for may lie unread, so everybody gets that while. */
static void was_asleep(struct member *m, uint64_t gap_ns)
{
    m->counters.stalls++;
    m->health = m->health < HEALTH_MAX ? m->health + 1 : HEALTH_MAX;
    for (uint16_t i = m->watch.first; i != NONE; i = m->rows[i].watch.next)
        m->rows[i].due_ns += m->rows[i].due_ns == BEING_ASKED ? 0 : gap_ns;
    probe_restart(m);
    m->probe_due_ns = m->now_ns + m->config.timeout_ns;
}

static void arrive(struct member *m, uint64_t now_ns)
{
    m->now_ns = now_ns > m->now_ns ? now_ns : m->now_ns;
    if (m->asleep_ns != UINT64_MAX && m->now_ns > m->asleep_ns + m->config.timeout_ns)
        was_asleep(m, m->now_ns - m->asleep_ns);
    m->asleep_ns = UINT64_MAX;
    rate_refill(m, &m->rate);
    rate_refill(m, &m->sync_rate);
}

static const char *refused(const struct member *m, uint64_t from, const struct member_packet *p)
{
    if (p->cluster[0] != m->config.cluster[0] || p->cluster[1] != m->config.cluster[1])
        return "it is of another cluster";
    if (p->to != m->config.node)
        return "it is for another node";
    if (p->from != from)
        return "it is not of who carried it here";
    if (p->from == m->config.node)
        return "it is of this very node";
    return NULL;
}

static void take(struct member *m, const struct member_packet *p)
{
    struct member_update u;
    judge_sender(m, p);
    for (uint32_t at = 0; member_update_at(p, &at, &u);)
        judge_claim(m, &u, p->kind == MEMBER_ROWS);
    if (p->kind <= MEMBER_NACK)
        probe_take(m, p);
    else if (p->kind == MEMBER_COMPARE)
        sync_take(m, p);
}

err_t member_receive(struct member *m, uint64_t now_ns, uint64_t from, const void *packet, size_t bytes,
                     const char **why_out)
{
    struct member_packet p;
    const char *why;
    arrive(m, now_ns);
    if (member_decode(packet, bytes, &p, &why) == E_OK)
        why = refused(m, from, &p);
    if (why_out)
        *why_out = why;
    if (why) {
        m->counters.refused++;
        return E_BAD_MESSAGE;
    }
    m->counters.packets_in++;
    take(m, &p);
    return E_OK;
}

void member_run(struct member *m, uint64_t now_ns)
{
    arrive(m, now_ns);
    probe_run(m);
    gossip_run(m);
    sync_run(m);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t member_deadline(struct member *m)
{
    uint64_t due = earlier(probe_deadline(m), sync_deadline(m));
    if (m->news_count)
        due = earlier(due, m->gossip_due_ns);
    if (m->pending_count || sync_ready(m))
        due = m->now_ns;
    m->asleep_ns = due;
    return due;
}

/* ---- what it tells ---- */

static void view_of(const struct row *r, struct member_view *v)
{
    *v = (struct member_view){.node = r->node,
                              .boot = r->boot,
                              .state = (enum member_state)r->state,
                              .incarnation = r->incarnation,
                              .since_ns = r->at_ns,
                              .accusers = r->state == MEMBER_SUSPECT ? 1u + r->confirms : 0};
}

bool member_next(struct member *m, struct member_view *view_out)
{
    uint16_t row = m->changed_first;
    if (row == NONE)
        return false;
    m->changed_first = m->rows[row].changed_next;
    m->rows[row].changed = false;
    view_of(&m->rows[row], view_out);
    return true;
}

bool member_view(const struct member *m, uint64_t node, struct member_view *view_out)
{
    uint16_t row = row_find(m, node);
    if (row != NONE)
        view_of(&m->rows[row], view_out);
    return row != NONE;
}

bool member_each(const struct member *m, uint32_t *cursor, struct member_view *view_out)
{
    if (*cursor > m->order_count)
        return false;
    view_of(&m->rows[*cursor ? m->order[*cursor - 1] : SELF], view_out);
    ++*cursor;
    return true;
}

uint32_t member_health(const struct member *m)
{
    return m->health;
}

const struct member_counters *member_counters(const struct member *m)
{
    return &m->counters;
}

uint64_t member_digest(const struct member *m)
{
    uint64_t all = 0;
    for (uint32_t i = 0; i < MEMBER_BUCKETS; i++)
        all ^= mixed(m->digests[i] + i);
    return all;
}
