/* What a recovery by hand would take, asked at any moment as if all but some nodes were lost for good: of those that
 * are left at most one is told that it may, and its log has every committed entry that any of them helped to commit. */
#include <recover.h>

#include "sim.h"

#define EVERY   256u /* steps */
#define QUORUMS 64u

/* Who had an entry when it became committed. */
struct quorum {
    uint64_t index, term;
    struct raft_id logs[RAFT_VOTERS_MAX * 2];
    uint32_t count;
};
static struct quorum quorums[QUORUMS];
static uint64_t quorum_count, steps;

void survivors_committed(const struct node *leader)
{
    const struct raft *r = leader->raft;
    struct quorum *q = &quorums[quorum_count++ % QUORUMS];
    *q = (struct quorum){.index = r->commit};
    if (!raft_term_at(r, q->index, &q->term))
        return;
    for (uint32_t i = 0; i < r->conf.count; i++) {
        const struct raft_member *m = &r->conf.members[i];
        bool has = raft_id_equal(m->id, leader->id) ? r->stable >= q->index : r->peers[i].match >= q->index;
        if (has && m->flags & (RAFT_VOTER | RAFT_VOTER_OLD))
            q->logs[q->count++] = m->id;
    }
}

/* Not of the stream that the seed's other events are drawn from: looking changes nothing. */
static uint32_t draw_survivors(void)
{
    uint64_t x = (w.seed ^ steps) * 0x9e3779b97f4a7c15ull;
    uint32_t mask = 0;
    x ^= x >> 29;
    for (uint32_t i = 1; i <= w.p.nodes; i++) {
        const struct node *n = &w.nodes[i];
        bool usable = n->up && n->raft->fault == RAFT_FAULT_NONE && n->raft->conf.count > 0;
        mask |= usable && x >> i & 1 ? 1u << i : 0;
    }
    return mask;
}

static bool amiss(const struct node *n)
{
    return n->raft->repair_index != 0;
}

static void describe(struct recover_member *m, const struct node *n, const struct node *self)
{
    m->self = n == self;
    m->heard = n != self;
    m->durable = true;
    m->amiss = amiss(n);
    m->last_index = n->raft->last;
    bool known = raft_term_at(n->raft, n->raft->last, &m->last_term);
    if (!known)
        violation(EXIT_CORRECTNESS, "node %u does not know the term of its last entry", n->number);
}

static void look(struct recover_view *v, const struct node *self, uint32_t survivors)
{
    memset(v, 0, sizeof(*v));
    v->started = v->network = v->epoch_left = true;
    v->healthy = !amiss(self);
    v->conf = &self->raft->conf;
    for (uint32_t i = 0; i < v->conf->count; i++) {
        struct recover_member *m = &v->members[v->count++];
        const struct node *n = node_of(v->conf->members[i].id);
        *m = (struct recover_member){.id = v->conf->members[i].id, .silent_ns = UINT64_MAX};
        if (n && survivors >> n->number & 1)
            describe(m, n, self);
    }
    for (uint32_t i = 1; i <= w.p.nodes; i++) {
        const struct node *n = &w.nodes[i];
        if (!(survivors >> i & 1) || raft_conf_member(v->conf, n->id))
            continue;
        struct recover_member *m = &v->members[v->count++];
        *m = (struct recover_member){.id = n->id, .silent_ns = UINT64_MAX};
        describe(m, n, self);
    }
}

static bool helped(const struct quorum *q, uint32_t survivors)
{
    for (uint32_t i = 0; i < q->count; i++) {
        const struct node *n = node_of(q->logs[i]);
        if (n && survivors >> n->number & 1 && !amiss(n))
            return true;
    }
    return false;
}

static void check_taken(const struct node *n, uint32_t survivors)
{
    for (uint32_t i = 0; i < QUORUMS; i++) {
        const struct quorum *q = &quorums[i];
        uint64_t term = 0;
        if (!helped(q, survivors))
            continue;
        bool has = n->raft->last >= q->index && (!raft_term_at(n->raft, q->index, &term) || term == q->term);
        if (!has)
            violation(EXIT_CORRECTNESS, "a recovery from node %u loses committed entry %llu", n->number,
                      (unsigned long long)q->index);
    }
}

void survivors_step(void)
{
    static struct recover_view view;
    const struct node *taken = NULL;
    uint32_t which, survivors;
    if (++steps % EVERY)
        return;
    survivors = draw_survivors();
    for (uint32_t i = 1; i <= w.p.nodes; i++) {
        if (!(survivors >> i & 1))
            continue;
        look(&view, &w.nodes[i], survivors);
        if (recover_judge(&view, &which) != RECOVER_YES)
            continue;
        if (taken)
            violation(EXIT_CORRECTNESS, "nodes %u and %u may both begin a new epoch", taken->number, i);
        taken = &w.nodes[i];
    }
    if (!taken)
        return;
    w.s.recoveries++;
    check_taken(taken, survivors);
}
