/* What is believed of whom. Of one incarnation the worse word counts, a higher incarnation outbids all of a lower one,
 * and only the member itself takes a higher one. */
#include "state.h"

uint16_t tag_of(uint64_t node)
{
    return (uint16_t)(mixed(node) >> 48);
}

uint64_t verify_ns(const struct member *m)
{
    return 2 * STEPS * m->config.timeout_ns;
}

/* ---- suspicions ---- */

static uint64_t least_ns(const struct member *m)
{
    uint32_t log = log10_thousandths(live_members(m));
    uint64_t ns = m->config.suspicion * m->config.probe_ns / 1000 * (log > 1000 ? log : 1000);
    return ns > m->config.least_ns ? ns : m->config.least_ns;
}

/* How many other accusers there can be: not this node, not the accused. */
static uint32_t confirms_wanted(const struct member *m)
{
    uint32_t live = live_members(m);
    return live > MEMBER_CONFIRMS + 2 ? MEMBER_CONFIRMS : live > 2 ? live - 2 : 0;
}

/* From the longest to the least time, in thousandths, by the logarithm of the accusers: 1 - ln(c + 1) / ln(k + 1). */
static uint64_t lasts_ns(const struct member *m, const struct row *r)
{
    static const uint16_t left[MEMBER_CONFIRMS + 1][MEMBER_CONFIRMS + 1] = {
        {0}, {1000, 0}, {1000, 369, 0}, {1000, 500, 208, 0}};
    uint32_t wanted = confirms_wanted(m);
    uint64_t least = least_ns(m), more = least * (m->config.unconfirmed - 1);
    return least + (r->confirms < wanted ? more / 1000 * left[wanted][r->confirms] : 0);
}

static void set_due(struct member *m, uint16_t row)
{
    const struct row *r = &m->rows[row];
    uint64_t lasts = lasts_ns(m, r), verify = verify_ns(m);
    watch_at(m, row, r->at_ns + (lasts > verify ? lasts - verify : 0));
}

static void begin_suspicion(struct member *m, uint16_t row, uint32_t incarnation, uint16_t accuser, uint32_t confirms)
{
    struct row *r = &m->rows[row];
    row_become(m, row, MEMBER_SUSPECT, incarnation, r->boot);
    m->counters.suspicions++;
    r->at_ns = m->now_ns;
    r->accusers[0] = accuser;
    r->confirms = (uint8_t)confirms;
    set_due(m, row);
    news_add(m, row, 0);
}

static bool accused_by(const struct row *r, uint16_t accuser)
{
    for (uint32_t i = 0; i <= r->confirms; i++) {
        if (r->accusers[i] == accuser)
            return true;
    }
    return false;
}

/* Told on, so that it counts everywhere. */
static void confirm(struct member *m, uint16_t row, uint16_t accuser)
{
    struct row *r = &m->rows[row];
    if (r->confirms >= MEMBER_CONFIRMS || accused_by(r, accuser))
        return;
    r->accusers[++r->confirms] = accuser;
    set_due(m, row);
    news_add(m, row, 0);
}

/* Somebody gave it up: as if all had confirmed it. */
static void confirm_all(struct member *m, uint16_t row)
{
    struct row *r = &m->rows[row];
    if (r->confirms >= MEMBER_CONFIRMS)
        return;
    for (uint32_t i = r->confirms + 1u; i <= MEMBER_CONFIRMS; i++)
        r->accusers[i] = r->accusers[0];
    r->confirms = MEMBER_CONFIRMS;
    set_due(m, row);
}

void judge_suspect(struct member *m, uint16_t row, uint16_t accuser)
{
    struct row *r = &m->rows[row];
    if (r->state == MEMBER_ALIVE)
        begin_suspicion(m, row, r->incarnation, accuser, 0);
    else if (r->state == MEMBER_SUSPECT)
        confirm(m, row, accuser);
}

void judge_dead(struct member *m, uint16_t row)
{
    struct row *r = &m->rows[row];
    row_become(m, row, MEMBER_DEAD, r->incarnation, r->boot);
    m->counters.deaths++; /* at_ns stays: it was silent since the suspicion began */
    news_add(m, row, 0);
}

/* ---- signs of life ---- */

void judge_heard(struct member *m, uint16_t row, uint64_t heard_ns)
{
    struct row *r = &m->rows[row];
    if (r->state == MEMBER_ALIVE && heard_ns > r->at_ns)
        r->at_ns = heard_ns;
    /* It lives, or did a moment ago: it has time to learn of the suspicion and to outbid it. */
    if (r->state == MEMBER_SUSPECT && heard_ns > r->at_ns && r->due_ns < heard_ns + m->config.probe_ns)
        watch_at(m, row, heard_ns + m->config.probe_ns);
}

static void revive(struct member *m, uint16_t row, uint32_t incarnation, uint64_t boot)
{
    row_become(m, row, MEMBER_ALIVE, incarnation, boot);
    m->rows[row].at_ns = m->now_ns;
}

/* ---- claims about this node ---- */

static void claim_self(struct member *m, const struct member_update *u)
{
    struct row *r = &m->rows[SELF];
    bool other_boot = u->state == MEMBER_ALIVE && u->boot != m->config.boot;
    if (u->incarnation < r->incarnation || (u->state == MEMBER_ALIVE && !other_boot) || m->leaving)
        return;
    uint32_t next = u->incarnation < MEMBER_INCARNATION_MAX ? u->incarnation + 1 : u->incarnation;
    row_become(m, SELF, MEMBER_ALIVE, next, m->config.boot);
    if (other_boot) {
        m->counters.contested++;
    } else {
        m->counters.refutations++;
        m->health = m->health < HEALTH_MAX ? m->health + 1 : HEALTH_MAX;
    }
    news_add(m, SELF, 0);
}

/* ---- claims about others ---- */

static void claim_unknown(struct member *m, const struct member_update *u, bool compared)
{
    uint16_t row = m->config.open ? row_make(m, u->node) : NONE;
    if (row == NONE)
        return;
    bool gone = u->state == MEMBER_DEAD || u->state == MEMBER_LEFT;
    row_become(m, row, gone ? (enum member_state)u->state : MEMBER_ALIVE, u->incarnation, u->boot);
    m->rows[row].at_ns = m->now_ns;
    if (u->state == MEMBER_SUSPECT)
        begin_suspicion(m, row, u->incarnation, u->accuser, 0);
    else if (!compared) /* what came by comparison, others know */
        news_add(m, row, 0);
}

static void claim_alive(struct member *m, uint16_t row, const struct member_update *u)
{
    const struct row *r = &m->rows[row];
    bool newer = u->incarnation > r->incarnation;
    bool tie = u->incarnation == r->incarnation && r->state == MEMBER_ALIVE && u->boot > r->boot;
    if (!newer && !tie)
        return;
    revive(m, row, u->incarnation, u->boot);
    news_add(m, row, 0);
}

static void claim_suspect(struct member *m, uint16_t row, const struct member_update *u)
{
    const struct row *r = &m->rows[row];
    if (u->incarnation > r->incarnation || r->state == MEMBER_ALIVE)
        begin_suspicion(m, row, u->incarnation, u->accuser, 0);
    else if (r->state == MEMBER_SUSPECT)
        confirm(m, row, u->accuser);
}

static void claim_dead(struct member *m, uint16_t row, const struct member_update *u)
{
    const struct row *r = &m->rows[row];
    if (u->incarnation == r->incarnation && !alive_or_suspect(r))
        return;
    if (u->incarnation > r->incarnation || r->state == MEMBER_ALIVE)
        begin_suspicion(m, row, u->incarnation, 0, 0);
    confirm_all(m, row);
}

static void claim_left(struct member *m, uint16_t row, const struct member_update *u)
{
    struct row *r = &m->rows[row];
    if (r->state == MEMBER_LEFT && u->incarnation == r->incarnation)
        return;
    row_become(m, row, MEMBER_LEFT, u->incarnation, r->boot);
    r->at_ns = m->now_ns;
    news_add(m, row, 0);
}

void judge_claim(struct member *m, const struct member_update *u, bool compared)
{
    uint16_t row = row_find(m, u->node);
    if (row == NONE) {
        claim_unknown(m, u, compared);
        return;
    }
    if (row == SELF) {
        claim_self(m, u);
        return;
    }
    if (u->incarnation < m->rows[row].incarnation) {
        if (u->state != MEMBER_ALIVE && !compared)
            gossip_stale(m, row);
        return;
    }
    static void (*const claims[])(struct member * m, uint16_t row,
                                  const struct member_update *u) = {[MEMBER_ALIVE] = claim_alive,
                                                                    [MEMBER_SUSPECT] = claim_suspect,
                                                                    [MEMBER_DEAD] = claim_dead,
                                                                    [MEMBER_LEFT] = claim_left};
    claims[u->state](m, row, u);
}

/* The sender of a packet lives. One that is thought otherwise of, or is of another boot, is told. */
void judge_sender(struct member *m, const struct member_packet *p)
{
    struct member_update u = {.state = MEMBER_ALIVE, .node = p->from, .incarnation = p->incarnation, .boot = p->boot};
    uint16_t row = row_find(m, p->from);
    bool leaves = false;
    struct member_update said;
    for (uint32_t at = 0; member_update_at(p, &at, &said);)
        leaves = leaves || (said.node == p->from && said.state == MEMBER_LEFT);
    if (leaves)
        return;
    judge_claim(m, &u, false);
    row = row == NONE ? row_find(m, p->from) : row;
    if (row == NONE)
        return;
    const struct row *r = &m->rows[row];
    bool agreed = r->state == MEMBER_ALIVE && r->boot == p->boot && r->incarnation == p->incarnation;
    if (r->boot == p->boot && r->incarnation == p->incarnation)
        judge_heard(m, row, m->now_ns);
    if (!agreed && p->kind != MEMBER_PING) /* the answer to a question says it anyway */
        out_put(m, MEMBER_GOSSIP, p->from, 0, 0, true);
}
