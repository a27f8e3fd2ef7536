#include "recover.h"

/* What raft itself compares comes first: by that, an entry is kept if any log that is left was among those that made it
 * committed. The rest only settles which of equal ones. */
static bool better(const struct recover_member *a, const struct recover_member *b)
{
    if (a->last_term != b->last_term)
        return a->last_term > b->last_term;
    if (a->last_index != b->last_index)
        return a->last_index > b->last_index;
    if (a->durable != b->durable)
        return a->durable;
    return a->id.node < b->id.node;
}

bool recover_majority(const struct recover_view *v)
{
    uint8_t votes[RAFT_MEMBERS_MAX];
    for (uint32_t i = 0; i < v->conf->count; i++) {
        const struct recover_member *m = &v->members[i];
        votes[i] = m->self || m->heard || m->unsure ? RAFT_VOTE_YES : RAFT_VOTE_NO;
    }
    return raft_conf_vote_result(v->conf, votes) == RAFT_VOTE_WON;
}

/* This node's log, whether its own configuration names it or not: who was removed, or is not known yet to its own log,
 * may have the best one that is left. NULL: it has no entries, or knows no voters, whose silence would mean anything.
 */
static const struct recover_member *self_of(const struct recover_view *v)
{
    for (uint32_t i = 0; i < v->count; i++) {
        const struct recover_member *m = &v->members[i];
        if (m->self)
            return m->last_index && v->conf->count ? m : NULL;
    }
    return NULL;
}

static bool led(const struct recover_view *v)
{
    bool leader = v->leader;
    for (uint32_t i = 0; i < v->count; i++)
        leader = leader || v->members[i].leader;
    return leader;
}

/* The first member for which `is` holds against this node; count: none. */
static uint32_t find(const struct recover_view *v,
                     bool (*is)(const struct recover_member *m, const struct recover_member *self),
                     const struct recover_member *self)
{
    uint32_t i = 0;
    while (i < v->count && !is(&v->members[i], self))
        i++;
    return i;
}

static bool may_be_back(const struct recover_member *m, const struct recover_member *self)
{
    return m != self && (m->unsure || (!m->heard && m->silent_ns < RECOVER_QUIET_NS));
}

static bool ahead(const struct recover_member *m, const struct recover_member *self)
{
    return m != self && m->heard && !m->amiss && better(m, self);
}

enum recover_verdict recover_judge(const struct recover_view *v, uint32_t *which)
{
    const struct recover_member *self = v->started ? self_of(v) : NULL;
    if (!self)
        return RECOVER_NOT_STARTED;
    if (!v->network)
        return RECOVER_NO_NETWORK;
    if (v->newer)
        return RECOVER_NEWER;
    if (led(v))
        return RECOVER_LEADER;
    if (recover_majority(v))
        return RECOVER_MAJORITY;
    if (!v->healthy)
        return RECOVER_NOT_HEALTHY;
    if (!v->epoch_left)
        return RECOVER_NO_EPOCH;
    *which = find(v, may_be_back, self);
    if (*which < v->count)
        return RECOVER_SOON;
    *which = find(v, ahead, self);
    return *which < v->count ? RECOVER_BETTER : RECOVER_YES;
}
