/* Questions: to one member after another, and to suspects whose time is over. A question has three steps: ask; ask
 * again and ask others to ask; ask once more. The last one, of a suspect, is put twice, since a verdict hangs on it. */
#include "state.h"

static uint32_t next_sequence(struct member *m)
{
    m->sequence += m->sequence == UINT32_MAX ? 2 : 1; /* 0 is none */
    return m->sequence;
}

static uint64_t step_ns(const struct member *m)
{
    return m->config.timeout_ns * (1 + m->health);
}

static void better(struct member *m)
{
    m->health -= m->health > 0;
}

static void worse(struct member *m, uint32_t by)
{
    m->health = m->health + by < HEALTH_MAX ? m->health + by : HEALTH_MAX;
}

static struct probe *probe_of(struct member *m, uint16_t row, bool last)
{
    for (uint32_t i = 0; i < PROBES_MAX; i++) {
        if (m->probes[i].sequence && m->probes[i].row == row && m->probes[i].last == last)
            return &m->probes[i];
    }
    return NULL;
}

void probe_forget(struct member *m, uint16_t row)
{
    for (uint32_t i = 0; i < PROBES_MAX; i++) {
        if (m->probes[i].row == row)
            m->probes[i].sequence = 0;
    }
}

void probe_restart(struct member *m)
{
    for (uint32_t i = 0; i < PROBES_MAX; i++) {
        m->probes[i].step = m->probes[i].asked = m->probes[i].nacks = 0;
        m->probes[i].next_ns = m->now_ns;
    }
    for (uint32_t i = 0; i < RELAYS_MAX; i++)
        m->relays[i].sequence = 0;
}

static bool begin(struct member *m, uint16_t row, bool last)
{
    for (uint32_t i = 0; i < PROBES_MAX; i++) {
        if (m->probes[i].sequence)
            continue;
        m->probes[i] = (struct probe){.next_ns = m->now_ns,
                                      .sequence = next_sequence(m),
                                      .incarnation = m->rows[row].incarnation,
                                      .row = row,
                                      .last = last};
        m->counters.probes++;
        return true;
    }
    return false;
}

/* ---- steps ---- */

static bool is_alive(const struct row *r)
{
    return r->state == MEMBER_ALIVE;
}

static void ask_helpers(struct member *m, struct probe *p)
{
    uint16_t chosen[HELPERS + 1] = {p->row};
    for (uint32_t i = 1; i <= HELPERS; i++) {
        chosen[i] = row_some(m, is_alive, chosen, i);
        if (chosen[i] == NONE)
            return;
        out_put(m, MEMBER_REQ, m->rows[chosen[i]].node, m->rows[p->row].node, p->sequence, false);
        p->asked++;
    }
}

static void failed(struct member *m, struct probe *p)
{
    struct row *r = &m->rows[p->row];
    m->counters.probes_failed++;
    p->sequence = 0;
    if (!p->asked)
        worse(m, 1);
    else if (p->nacks < p->asked) /* helpers that are silent too: it may be this node that does not hear */
        worse(m, p->asked - p->nacks > 1);
    if (p->last && r->state == MEMBER_SUSPECT && r->incarnation == p->incarnation)
        judge_dead(m, p->row);
    else if (!p->last && r->incarnation == p->incarnation)
        judge_suspect(m, p->row, tag_of(m->config.node));
}

static void step(struct member *m, struct probe *p)
{
    const struct row *r = &m->rows[p->row];
    bool over = p->last ? r->state != MEMBER_SUSPECT : !alive_or_suspect(r);
    if (over || r->incarnation != p->incarnation) {
        p->sequence = 0; /* it outbid the suspicion meanwhile, or there is nothing more to find out */
        return;
    }
    if (p->step == (p->last ? 2 * STEPS : STEPS)) {
        failed(m, p);
        return;
    }
    out_put(m, MEMBER_PING, r->node, 0, p->sequence, false);
    if (p->step % STEPS == 1)
        ask_helpers(m, p);
    p->step++;
    p->next_ns = m->now_ns + step_ns(m);
}

/* ---- whom to ask ---- */

/* The next in order that is not known to live anyhow; a new order when all had their turn. */
static uint16_t next_in_turn(struct member *m)
{
    for (uint32_t i = 0; i < m->order_count; i++) {
        if (m->turn >= m->order_count) {
            m->turn = 0;
            rows_shuffle(m);
        }
        uint16_t row = m->order[m->turn++];
        const struct row *r = &m->rows[row];
        bool fresh = r->state == MEMBER_ALIVE && r->at_ns && m->now_ns < r->at_ns + m->config.fresh_ns;
        if (alive_or_suspect(r) && !fresh && !probe_of(m, row, false))
            return row;
    }
    return NONE;
}

static void ask_next(struct member *m)
{
    if (m->now_ns < m->probe_due_ns)
        return;
    m->probe_due_ns = m->now_ns + m->config.probe_ns * (1 + m->health);
    uint16_t row = next_in_turn(m);
    if (row != NONE)
        begin(m, row, false);
    else
        better(m); /* all are heard */
}

static bool room(const struct member *m)
{
    for (uint32_t i = 0; i < PROBES_MAX; i++) {
        if (!m->probes[i].sequence)
            return true;
    }
    return false;
}

static void ask_suspects(struct member *m)
{
    uint64_t next_ns = UINT64_MAX;
    if (m->now_ns < m->watch_due_ns || !room(m))
        return;
    for (uint16_t i = m->watch.first; i != NONE; i = m->rows[i].watch.next) {
        struct row *r = &m->rows[i];
        if (r->due_ns <= m->now_ns) {
            if (!probe_of(m, i, true) && !begin(m, i, true))
                return; /* the others wait for room */
            r->due_ns = BEING_ASKED;
        }
        next_ns = r->due_ns < next_ns ? r->due_ns : next_ns;
    }
    m->watch_due_ns = next_ns;
}

static bool is_dead(const struct row *r)
{
    return r->state == MEMBER_DEAD;
}

/* A partition may have healed. No probe: nothing is held against who does not answer. */
static void ask_dead(struct member *m)
{
    if (m->now_ns < m->retry_due_ns)
        return;
    m->retry_due_ns = m->now_ns + m->config.retry_ns;
    uint16_t row = m->dead ? row_some(m, is_dead, NULL, 0) : NONE;
    if (row != NONE)
        out_put(m, MEMBER_PING, m->rows[row].node, 0, next_sequence(m), false);
}

static void run_relays(struct member *m)
{
    for (uint32_t i = 0; i < RELAYS_MAX; i++) {
        struct relay *r = &m->relays[i];
        if (r->sequence && m->now_ns >= r->nack_ns) {
            out_put(m, MEMBER_NACK, r->origin, r->target, r->origin_sequence, false);
            r->nack_ns = UINT64_MAX;
        }
        if (r->sequence && m->now_ns >= r->end_ns)
            r->sequence = 0;
    }
}

static void run_steps(struct member *m)
{
    for (uint32_t i = 0; i < PROBES_MAX; i++) {
        if (m->probes[i].sequence && m->now_ns >= m->probes[i].next_ns)
            step(m, &m->probes[i]);
    }
}

void probe_run(struct member *m)
{
    run_relays(m);
    run_steps(m);
    if (m->leaving)
        return;
    ask_next(m);
    ask_suspects(m);
    ask_dead(m);
    run_steps(m); /* of what has just begun */
}

/* ---- answers ---- */

static void answered(struct member *m, struct probe *p)
{
    struct row *r = &m->rows[p->row];
    better(m);
    judge_heard(m, p->row, m->now_ns);
    m->counters.verified += p->last;
    p->sequence = 0;
    if (r->state == MEMBER_SUSPECT && r->incarnation == p->incarnation)
        watch_at(m, p->row, m->now_ns + m->config.probe_ns); /* it lives, though its outbidding has not come */
}

static void take_ack(struct member *m, const struct member_packet *p)
{
    for (uint32_t i = 0; i < PROBES_MAX; i++) {
        struct probe *q = &m->probes[i];
        if (q->sequence && q->sequence == p->sequence && m->rows[q->row].node == p->target)
            answered(m, q);
    }
    for (uint32_t i = 0; i < RELAYS_MAX; i++) {
        struct relay *r = &m->relays[i];
        if (r->sequence && r->sequence == p->sequence && r->target == p->from && p->target == p->from) {
            out_put(m, MEMBER_ACK, r->origin, r->target, r->origin_sequence, false);
            r->sequence = 0;
        }
    }
}

static void take_nack(struct member *m, const struct member_packet *p)
{
    for (uint32_t i = 0; i < PROBES_MAX; i++) {
        struct probe *q = &m->probes[i];
        if (q->sequence && q->sequence == p->sequence && m->rows[q->row].node == p->target)
            q->nacks++;
    }
    better(m);
}

static void take_req(struct member *m, const struct member_packet *p)
{
    for (uint32_t i = 0; i < RELAYS_MAX; i++) {
        struct relay *r = &m->relays[i];
        if (r->sequence)
            continue;
        *r = (struct relay){.origin = p->from,
                            .target = p->target,
                            .nack_ns = m->now_ns + m->config.timeout_ns,
                            .end_ns = m->now_ns + 2 * m->config.timeout_ns,
                            .origin_sequence = p->sequence,
                            .sequence = next_sequence(m)};
        out_put(m, MEMBER_PING, p->target, 0, r->sequence, false);
        return;
    }
}

void probe_take(struct member *m, const struct member_packet *p)
{
    if (p->kind == MEMBER_PING) {
        uint16_t row = row_find(m, p->from);
        const struct row *r = row == NONE ? NULL : &m->rows[row];
        bool differs = r && (r->boot != p->boot || r->incarnation != p->incarnation);
        out_put(m, MEMBER_ACK, p->from, m->config.node, p->sequence, differs);
    } else if (p->kind == MEMBER_ACK) {
        take_ack(m, p);
    } else if (p->kind == MEMBER_NACK) {
        take_nack(m, p);
    } else if (p->target == m->config.node) {
        out_put(m, MEMBER_ACK, p->from, m->config.node, p->sequence, false);
    } else if (row_find(m, p->target) != NONE) {
        take_req(m, p);
    }
}

/* ---- deadlines ---- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t probe_deadline(const struct member *m)
{
    uint64_t due = m->leaving ? UINT64_MAX : m->probe_due_ns;
    if (m->dead && !m->leaving)
        due = earlier(due, m->retry_due_ns);
    for (uint32_t i = 0; i < PROBES_MAX; i++) {
        due = earlier(due, m->probes[i].sequence ? m->probes[i].next_ns : UINT64_MAX);
    }
    for (uint32_t i = 0; i < RELAYS_MAX; i++) {
        if (m->relays[i].sequence)
            due = earlier(due, earlier(m->relays[i].nack_ns, m->relays[i].end_ns));
    }
    if (!m->leaving && room(m))
        due = earlier(due, m->watch_due_ns);
    return due;
}
