#include "recover.h"

static bool better(const struct recover_member *a, const struct recover_member *b)
{
    return a->last_term > b->last_term || (a->last_term == b->last_term && a->last_index > b->last_index);
}

static bool majority(const struct recover_view *v)
{
    uint8_t votes[RAFT_MEMBERS_MAX];
    for (uint32_t i = 0; i < v->count; i++)
        votes[i] = v->members[i].self || v->members[i].heard ? RAFT_VOTE_YES : RAFT_VOTE_NO;
    return raft_conf_vote_result(v->conf, votes) == RAFT_VOTE_WON;
}

static const struct recover_member *self_of(const struct recover_view *v)
{
    for (uint32_t i = 0; i < v->count; i++) {
        if (v->members[i].self)
            return &v->members[i];
    }
    return NULL;
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

static bool gone_just_now(const struct recover_member *m, const struct recover_member *self)
{
    return m->voter && m != self && !m->heard && m->silent_ns < RECOVER_QUIET_NS;
}

static bool ahead(const struct recover_member *m, const struct recover_member *self)
{
    return m->heard && better(m, self);
}

enum recover_verdict recover_judge(const struct recover_view *v, uint32_t *which)
{
    const struct recover_member *self = self_of(v);
    if (!v->started || !self)
        return RECOVER_NOT_STARTED;
    if (!v->durable)
        return RECOVER_NOT_DURABLE;
    if (v->leader)
        return RECOVER_LEADER;
    if (majority(v))
        return RECOVER_MAJORITY;
    if (!v->healthy)
        return RECOVER_NOT_HEALTHY;
    if (!v->epoch_left)
        return RECOVER_NO_EPOCH;
    *which = find(v, gone_just_now, self);
    if (*which < v->count)
        return RECOVER_SOON;
    *which = find(v, ahead, self);
    return *which < v->count ? RECOVER_BETTER : RECOVER_YES;
}
