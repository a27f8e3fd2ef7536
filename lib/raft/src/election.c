/* Becoming leader, and helping others to. */
#include "core.h"

/* SplitMix64. */
static uint64_t draw(struct raft *r)
{
    uint64_t z = r->random += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

void raft_election_restart(struct raft *r)
{
    r->election_from_ns = r->now_ns;
    r->election_timeout_ns = r->config.election_ns + draw(r) % r->config.election_ns;
}

void raft_set_election_timeout(struct raft *r, uint64_t timeout_ns)
{
    ASSERT(timeout_ns > 0);
    r->election_from_ns = r->now_ns;
    r->election_timeout_ns = timeout_ns;
}

/* A leader was heard within the least election timeout, or is this node: others cannot need a new one. */
bool raft_sticky(const struct raft *r)
{
    if (r->role == RAFT_LEADER)
        return true;
    return raft_is_somebody(r->leader) && r->now_ns - r->leader_heard_ns < r->config.election_ns;
}

/* May this node lead? Not while it might count votes by a configuration that is over, nor when it could not write. */
bool raft_promotable(const struct raft *r)
{
    return r->fault == RAFT_FAULT_NONE && raft_conf_is_voter(&r->conf, r->config.id) && !r->incoming_complete &&
           r->repair_index == 0 && !raft_conf_unapplied(r) && !raft_stalled(r) && raft_log_room(r, 0, 0);
}

static void ask_all(struct raft *r, uint32_t type, uint64_t term)
{
    for (uint32_t i = 0; i < r->conf.count; i++) {
        const struct raft_member *member = &r->conf.members[i];
        if ((member->flags & (RAFT_VOTER | RAFT_VOTER_OLD)) == 0 || raft_id_equal(member->id, r->config.id))
            continue;
        struct raft_message *m = raft_send(r, type, member->id);
        if (m == NULL)
            return;
        m->term = term;
        m->index = r->last;
        m->log_term = raft_log_last_term(r);
        m->transfer = type == RAFT_MSG_VOTE && r->campaign_transfer;
    }
}

static void count_vote(struct raft *r, struct raft_id from, bool yes)
{
    const struct raft_member *member = raft_conf_member(&r->conf, from);
    ASSERT(member != NULL);
    uint8_t *vote = &r->votes[member - r->conf.members];
    if (*vote == RAFT_VOTE_NONE)
        *vote = yes ? RAFT_VOTE_YES : RAFT_VOTE_NO;
}

static void count_result(struct raft *r)
{
    enum raft_vote_result result = raft_conf_vote_result(&r->conf, r->votes);
    if (result == RAFT_VOTE_LOST || (result == RAFT_VOTE_WON && !raft_promotable(r))) /* its disk may stall by now */
        raft_become_follower(r, r->term, RAFT_NOBODY);
    else if (result == RAFT_VOTE_WON && r->role == RAFT_PRE_CANDIDATE)
        raft_campaign_for_votes(r, false);
    else if (result == RAFT_VOTE_WON)
        raft_become_leader(r);
}

static void become_candidate(struct raft *r, enum raft_role role)
{
    ASSERT(r->role != RAFT_LEADER && raft_promotable(r));
    raft_reads_fail(r);
    r->role = role;
    r->leader = RAFT_NOBODY; /* or the others' pre-votes would be refused for its sake */
    r->verified = r->acked = 0;
    r->ack_owed = r->campaign_owed = false;
    r->role_changed = true;
    memset(r->votes, RAFT_VOTE_NONE, sizeof(r->votes));
    raft_election_restart(r);
}

static void campaign_for_prevotes(struct raft *r)
{
    become_candidate(r, RAFT_PRE_CANDIDATE);
    r->counters.pre_elections++;
    ask_all(r, RAFT_MSG_PREVOTE, r->term + 1);
    count_vote(r, r->config.id, true);
    count_result(r);
}

void raft_campaign_for_votes(struct raft *r, bool transfer)
{
    become_candidate(r, RAFT_CANDIDATE);
    r->counters.elections++;
    r->term++;
    r->vote = r->config.id;
    r->vote_reply_to = RAFT_NOBODY;
    r->campaign_transfer = transfer;
    r->campaign_owed = true; /* requests wait: the log they speak of and the term must survive a crash */
}

void raft_campaign_continue(struct raft *r)
{
    if (!r->campaign_owed || r->durable_term != r->term || r->stable != r->last)
        return;
    ASSERT(r->role == RAFT_CANDIDATE && raft_id_equal(r->durable_vote, r->config.id));
    r->campaign_owed = false;
    ask_all(r, RAFT_MSG_VOTE, r->term);
    count_vote(r, r->config.id, true);
    count_result(r);
}

void raft_election_timeout(struct raft *r)
{
    if (raft_promotable(r)) {
        campaign_for_prevotes(r);
        return;
    }
    raft_become_follower(r, r->term, RAFT_NOBODY); /* who waits for a leader that is silent must hear so */
}

err_t raft_campaign(struct raft *r)
{
    ASSERT(r->started);
    if (r->role == RAFT_LEADER)
        return E_BUSY;
    if (!raft_promotable(r))
        return E_NOT_DELIVERED;
    campaign_for_prevotes(r);
    return E_OK;
}

void raft_forget_leader(struct raft *r)
{
    if (r->role == RAFT_FOLLOWER && raft_is_somebody(r->leader))
        raft_become_follower(r, r->term, RAFT_NOBODY);
}

/* ---- voting ---- */

static bool is_up_to_date(const struct raft *r, const struct raft_message *m)
{
    uint64_t own = raft_log_last_term(r);
    return m->log_term > own || (m->log_term == own && m->index >= r->last);
}

void raft_on_prevote(struct raft *r, const struct raft_message *m)
{
    ASSERT(m->term > r->term);
    if (raft_sticky(r))
        return;
    struct raft_message *reply = raft_send(r, RAFT_MSG_PREVOTE_REPLY, m->from);
    if (reply == NULL)
        return;
    reply->reject = !is_up_to_date(r, m) || r->repair_index != 0;
    if (!reply->reject)
        reply->term = m->term;
}

/* A node votes for whoever asks in its term, member or not: the asker may know of a newer configuration. */
void raft_on_vote(struct raft *r, const struct raft_message *m)
{
    ASSERT(m->term == r->term);
    bool free = !raft_is_somebody(r->vote) && !raft_is_somebody(r->leader) && r->role == RAFT_FOLLOWER;
    bool again = raft_id_equal(r->vote, m->from);
    if (r->repair_index == 0 && ((free && is_up_to_date(r, m)) || again)) {
        r->vote = m->from;
        r->vote_reply_to = m->from;
        r->election_from_ns = r->now_ns;
        raft_vote_reply_due(r);
        return;
    }
    struct raft_message *reply = raft_send(r, RAFT_MSG_VOTE_REPLY, m->from);
    if (reply != NULL)
        reply->reject = true;
}

void raft_vote_reply_due(struct raft *r)
{
    if (!raft_is_somebody(r->vote_reply_to) || r->durable_term != r->term ||
        !raft_id_equal(r->durable_vote, r->vote_reply_to))
        return;
    ASSERT(raft_id_equal(r->vote, r->vote_reply_to));
    raft_send(r, RAFT_MSG_VOTE_REPLY, r->vote_reply_to);
    r->vote_reply_to = RAFT_NOBODY;
}

void raft_on_vote_reply(struct raft *r, const struct raft_message *m)
{
    if (m->type == RAFT_MSG_PREVOTE_REPLY) {
        uint64_t asked = m->reject ? r->term : r->term + 1;
        if (r->role != RAFT_PRE_CANDIDATE || m->term != asked)
            return;
    } else if (r->role != RAFT_CANDIDATE || r->campaign_owed) {
        return;
    }
    count_vote(r, m->from, !m->reject);
    count_result(r);
}

void raft_on_timeout_now(struct raft *r, const struct raft_message *m)
{
    if (raft_promotable(r))
        raft_campaign_for_votes(r, true);
}
