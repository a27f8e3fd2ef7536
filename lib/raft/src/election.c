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

static bool is_voter(const struct raft_member *member)
{
    return (member->flags & (RAFT_VOTER | RAFT_VOTER_OLD)) != 0;
}

/* The voters behind the leader, in the configuration's order and around its end, stand in line for its place. How many
 * are in front of this one, and how many stand there at all. False: it has no place, or there is no line. */
static bool place_in_line(const struct raft *r, uint64_t *before_out, uint64_t *all_out)
{
    uint64_t voters = 0, leader = 0, self = 0; /* counted from 1 */
    for (uint32_t i = 0; i < r->conf.count; i++) {
        const struct raft_member *member = &r->conf.members[i];
        if (!is_voter(member))
            continue;
        voters++;
        if (raft_id_equal(member->id, r->leader))
            leader = voters;
        if (raft_id_equal(member->id, r->config.id))
            self = voters;
    }
    if (leader == 0 || self == 0 || leader == self)
        return false;
    *before_out = (self + voters - leader) % voters - 1;
    *all_out = voters - 1;
    return true;
}

/* Somewhere from the least timeout up to twice that. Who follows a leader waits by its place in line, so that the first
 * begins soon after the least timeout and is done before the second would; the rest is chance, and so is all of it
 * where there is no line. */
void raft_election_restart(struct raft *r)
{
    uint64_t least = r->config.election_ns, before, all;
    r->election_from_ns = r->now_ns;
    if (place_in_line(r, &before, &all))
        r->election_timeout_ns = least + before * (least / all) + draw(r) % (least / all / 32 + 1);
    else
        r->election_timeout_ns = least + draw(r) % least;
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
        if (!is_voter(member) || raft_id_equal(member->id, r->config.id))
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

static bool is_up_to_date(const struct raft *r, uint64_t log_term, uint64_t index)
{
    uint64_t own = raft_log_last_term(r);
    return log_term > own || (log_term == own && index >= r->last);
}

static void answer_prevote(struct raft *r, const struct raft_prevote *prevote)
{
    struct raft_message *reply = raft_send(r, RAFT_MSG_PREVOTE_REPLY, prevote->from);
    if (reply == NULL)
        return;
    reply->reject = !is_up_to_date(r, prevote->log_term, prevote->index) || r->repair_index != 0;
    if (!reply->reject)
        reply->term = prevote->term;
}

/* Whose timeout ends first asks a moment before the others may agree, as each heard the leader last at its own time.
 * Its question is kept until then, or it would have to wait for another timeout. */
void raft_on_prevote(struct raft *r, const struct raft_message *m)
{
    ASSERT(m->term > r->term);
    struct raft_prevote prevote = {.from = m->from, .term = m->term, .index = m->index, .log_term = m->log_term};
    if (!raft_sticky(r))
        answer_prevote(r, &prevote);
    else if (r->role != RAFT_LEADER && raft_conf_is_voter(&r->conf, m->from))
        r->prevote_kept = prevote;
}

void raft_prevote_forget(struct raft *r)
{
    r->prevote_kept.from = RAFT_NOBODY;
}

void raft_prevote_time(struct raft *r)
{
    if (!raft_is_somebody(r->prevote_kept.from) || raft_sticky(r))
        return;
    if (r->prevote_kept.term > r->term)
        answer_prevote(r, &r->prevote_kept);
    raft_prevote_forget(r);
}

uint64_t raft_prevote_due(const struct raft *r)
{
    return raft_is_somebody(r->prevote_kept.from) ? r->leader_heard_ns + r->config.election_ns : UINT64_MAX;
}

/* A node votes for whoever asks in its term, member or not: the asker may know of a newer configuration. */
void raft_on_vote(struct raft *r, const struct raft_message *m)
{
    ASSERT(m->term == r->term);
    bool free = !raft_is_somebody(r->vote) && !raft_is_somebody(r->leader) && r->role == RAFT_FOLLOWER;
    bool again = raft_id_equal(r->vote, m->from);
    if (r->repair_index == 0 && ((free && is_up_to_date(r, m->log_term, m->index)) || again)) {
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
