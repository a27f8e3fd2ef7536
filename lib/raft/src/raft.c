/* Life, time, and what happens to a message first. */
#include "core.h"

static bool config_usable(const struct raft_config *c)
{
    return c->id.node != 0 && c->id.log != 0 && c->cluster != 0 && c->heartbeat_ns > 0 &&
           c->election_ns > 2 * c->heartbeat_ns && c->election_ns < (1ull << 60) && c->message_bytes > 0 &&
           c->inflight_messages >= 1 && c->inflight_messages <= RAFT_INFLIGHT_MAX && c->inflight_bytes > 0 &&
           c->uncommitted_bytes > 0 && c->persist_bytes > 0 && c->apply_bytes > 0 && c->snapshot_chunk_bytes > 0;
}

static bool memory_usable(const struct raft_memory *m)
{
    return m->slots != NULL && m->bytes != NULL && m->slot_count >= 16 && (m->slot_count & (m->slot_count - 1)) == 0 &&
           m->byte_count >= 2 * (RAFT_ENTRY_BYTES_MAX + 1);
}

static void take_hard_state(struct raft *r, const struct raft_hard_state *hard_state)
{
    r->term = r->durable_term = r->handed_term = hard_state->term;
    r->vote = r->durable_vote = r->handed_vote = hard_state->vote;
    r->commit = r->durable_commit = r->handed_commit = hard_state->commit;
}

/* What is on the disk shows a term that the hard state does not have yet: it was to be written next. No vote was given
 * in that term, since a vote is not given before its term is written. */
static void term_at_least(struct raft *r, uint64_t term)
{
    if (term <= r->term)
        return;
    r->term = term;
    r->vote = RAFT_NOBODY;
}

static void take_snapshot(struct raft *r, const struct raft_snapshot *snapshot)
{
    r->saved = *snapshot;
    r->base = r->last = r->handed = r->stable = snapshot->index;
    r->applied = r->applying = snapshot->index;
    r->base_term = snapshot->term;
    if (r->commit < snapshot->index)
        r->commit = snapshot->index;
    term_at_least(r, snapshot->term);
}

err_t raft_genesis_label(const struct raft_id *voters, uint32_t count, struct raft_snapshot *label_out)
{
    *label_out = (struct raft_snapshot){.index = 1, .term = 1, .conf.count = count};
    if (count == 0 || count > RAFT_VOTERS_MAX)
        return E_INVALID;
    struct raft_member *members = label_out->conf.members;
    for (uint32_t i = 0; i < count; i++) { /* in order */
        uint32_t at = i;
        for (; at > 0 && (members[at - 1].id.node > voters[i].node ||
                          (members[at - 1].id.node == voters[i].node && members[at - 1].id.log > voters[i].log));
             at--)
            members[at] = members[at - 1];
        members[at] = (struct raft_member){.id = voters[i], .flags = RAFT_VOTER};
    }
    return raft_conf_valid(&label_out->conf) ? E_OK : E_INVALID;
}

err_t raft_init(struct raft *r, const struct raft_config *config, const struct raft_memory *memory,
                const struct raft_hard_state *hard_state, const struct raft_snapshot *snapshot, uint64_t now_ns)
{
    if (!config_usable(config) || !memory_usable(memory))
        return E_INVALID;
    if (snapshot != NULL && (snapshot->index == 0 || snapshot->term == 0 || !raft_conf_valid(&snapshot->conf)))
        return E_INVALID;
    memset(r, 0, sizeof(*r));
    r->config = *config;
    if (r->config.stall_ns == 0)
        r->config.stall_ns = 2 * config->election_ns;
    r->memory = *memory;
    r->now_ns = now_ns;
    r->random = config->seed * 0xd1342543de82ef95ull + config->id.log; /* ids alone may tell two nodes apart */
    r->persist_next_id = 1;
    take_hard_state(r, hard_state);
    if (snapshot != NULL) {
        take_snapshot(r, snapshot);
        raft_conf_set(r, &snapshot->conf, r->applied);
    }
    return E_OK;
}

/* An entry that the snapshot covers. A log that disagrees with the snapshot at its index was being replaced when the
 * node stopped: nothing of it counts. */
static void restore_covered(struct raft *r, const struct raft_entry *entry)
{
    if (entry->index != r->saved.index)
        return;
    r->restore_joins = entry->term == r->saved.term;
    r->restore_void = !r->restore_joins;
}

err_t raft_restore(struct raft *r, const struct raft_entry *entry)
{
    ASSERT(!r->started);
    if (entry->index <= r->base) {
        restore_covered(r, entry);
        return E_OK;
    }
    if (r->restore_void)
        return E_OK;
    if (entry->index != r->last + 1 || entry->term < raft_log_last_term(r) || entry->term > RAFT_INDEX_MAX ||
        entry->length > RAFT_ENTRY_BYTES_MAX || entry->type > RAFT_ENTRY_CONF)
        return E_CORRUPT;
    if (!raft_log_room(r, entry->length, 0))
        return E_FULL;
    term_at_least(r, entry->term);
    raft_log_append(r, entry->term, entry->type, entry->data, entry->length);
    r->handed = r->stable = r->last;
    return E_OK;
}

void raft_repair(struct raft *r, uint64_t index)
{
    ASSERT(!r->started);
    r->repair_index = index > r->durable_commit ? index : r->durable_commit;
    r->commit = r->base;
}

err_t raft_start(struct raft *r)
{
    ASSERT(!r->started);
    if (r->commit > r->last)
        return E_CORRUPT;
    if (r->saved.index > 0 && r->last == r->base && !r->restore_joins)
        r->reset_owed = true; /* what the disk has does not lead up to the snapshot */
    r->started = true;
    r->read_request = r->random;
    for (uint64_t i = r->applied + 1; i <= r->commit; i++)
        if (raft_log_slot(r, i)->type == RAFT_ENTRY_CONF)
            r->conf_committed = i;
    raft_election_restart(r);
    r->role_changed = r->conf_changed = true;
    return E_OK;
}

/* ---- roles ---- */

void raft_become_follower(struct raft *r, uint64_t term, struct raft_id leader)
{
    ASSERT(term >= r->term);
    bool new_term = term > r->term, new_leader = !raft_id_equal(leader, r->leader);
    if (r->role == RAFT_LEADER)
        r->counters.step_downs++;
    if (new_term) {
        r->term = term;
        r->vote = RAFT_NOBODY;
        r->vote_reply_to = RAFT_NOBODY;
    }
    if (new_term || new_leader || r->role != RAFT_FOLLOWER) {
        raft_reads_fail(r);
        r->role_changed = true;
    }
    if (new_term || r->role != RAFT_FOLLOWER) {
        r->verified = r->acked = 0;
    }
    if (new_term || new_leader || r->role != RAFT_FOLLOWER)
        r->ack_owed = false;
    r->role = RAFT_FOLLOWER;
    r->leader = leader;
    r->campaign_owed = false;
    r->transferee = RAFT_NOBODY;
    raft_election_restart(r);
}

bool raft_stalled(const struct raft *r)
{
    return r->persist_count > 0 && r->now_ns - r->persists[r->persist_head].since_ns >= r->config.stall_ns;
}

/* Entries that change the configuration are rare: look for them only where there is one. */
static uint64_t last_conf_up_to(const struct raft *r, uint64_t index)
{
    for (uint64_t i = index; i > r->applied && i > r->conf_committed; i--)
        if (raft_log_slot(r, i)->type == RAFT_ENTRY_CONF)
            return i;
    return r->conf_committed;
}

void raft_commit_to(struct raft *r, uint64_t index)
{
    if (index <= r->commit)
        return;
    ASSERT(index <= r->last);
    r->counters.entries_committed += index - r->commit;
    if (r->conf_last > r->commit)
        r->conf_committed = last_conf_up_to(r, index);
    r->commit = index;
}

/* ---- time ---- */

void raft_tick(struct raft *r, uint64_t now_ns)
{
    ASSERT(r->started && now_ns >= r->now_ns);
    r->now_ns = now_ns;
    if (r->fault != RAFT_FAULT_NONE)
        return;
    raft_prevote_time(r);
    if (r->role == RAFT_LEADER)
        raft_leader_time(r);
    else if (now_ns - r->election_from_ns >= r->election_timeout_ns)
        raft_election_timeout(r);
    raft_reads_time(r);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t raft_deadline(const struct raft *r)
{
    if (r->fault != RAFT_FAULT_NONE)
        return UINT64_MAX;
    uint64_t due = r->election_from_ns + r->election_timeout_ns;
    if (r->role == RAFT_LEADER)
        due = sooner(r->heartbeat_due_ns, raft_notice_due(r)); /* all else is looked at as often as that */
    due = sooner(due, raft_prevote_due(r));
    if (r->read_count > 0)
        due = sooner(due, r->now_ns + r->config.election_ns);
    return due > r->now_ns ? due : r->now_ns + 1;
}

/* ---- messages ---- */

void raft_refuse(struct raft *r)
{
    r->counters.messages_refused++;
}

static bool is_of_election(uint32_t type)
{
    return type == RAFT_MSG_PREVOTE || type == RAFT_MSG_VOTE || type == RAFT_MSG_PREVOTE_REPLY ||
           type == RAFT_MSG_VOTE_REPLY;
}

struct raft_message *raft_send(struct raft *r, uint32_t type, struct raft_id to)
{
    ASSERT(raft_is_somebody(to) && !raft_id_equal(to, r->config.id));
    if (r->messages_given) {
        r->messages_given = false;
        r->message_count = 0;
    }
    if (r->message_count == RAFT_MESSAGES_MAX) {
        r->counters.messages_lost++;
        return NULL;
    }
    struct raft_message *m = &r->messages[r->message_count++];
    *m = (struct raft_message){
        .type = type, .cluster = r->config.cluster, .from = r->config.id, .to = to, .term = r->term};
    if (is_of_election(type)) {
        bool known = raft_term_at(r, r->commit, &m->commit_term);
        ASSERT(known);
        m->commit = r->commit;
    }
    r->counters.messages_out++;
    return m;
}

static bool is_from_leader(uint32_t type)
{
    return type == RAFT_MSG_APPEND || type == RAFT_MSG_HEARTBEAT || type == RAFT_MSG_SNAPSHOT ||
           type == RAFT_MSG_TIMEOUT_NOW;
}

/* Answers that only a leader waits for. */
static bool is_to_leader(uint32_t type)
{
    return type == RAFT_MSG_APPEND_REPLY || type == RAFT_MSG_HEARTBEAT_REPLY || type == RAFT_MSG_SNAPSHOT_REPLY;
}

static bool is_reply(uint32_t type)
{
    return is_to_leader(type) || type == RAFT_MSG_VOTE_REPLY || type == RAFT_MSG_PREVOTE_REPLY;
}

/* For us, from one of ours, and possible? */
static bool acceptable(const struct raft *r, const struct raft_message *m)
{
    if (m->type == 0 || m->type >= RAFT_MSG_TYPES || m->cluster != r->config.cluster)
        return false;
    if (!raft_id_equal(m->to, r->config.id) || !raft_is_somebody(m->from) || raft_id_equal(m->from, r->config.id))
        return false;
    if (m->term == 0 || m->term > RAFT_INDEX_MAX || m->index > RAFT_INDEX_MAX || m->commit > RAFT_INDEX_MAX ||
        m->log_term > m->term)
        return false;
    return !is_reply(m->type) || raft_conf_member(&r->conf, m->from) != NULL; /* who was removed is not heard */
}

/* A sender that is behind is told of our term, so that it does not go on as leader or candidate for nothing. */
static void tell_term(struct raft *r, const struct raft_message *m)
{
    struct raft_message *reply = NULL;
    if (m->type == RAFT_MSG_PREVOTE)
        reply = raft_send(r, RAFT_MSG_PREVOTE_REPLY, m->from);
    else if (m->type == RAFT_MSG_VOTE)
        reply = raft_send(r, RAFT_MSG_VOTE_REPLY, m->from);
    else if (is_from_leader(m->type))
        reply = raft_send(r, RAFT_MSG_HEARTBEAT_REPLY, m->from);
    if (reply != NULL)
        reply->reject = true;
}

/* Does the message's higher term become ours? A pre-vote is a question about a term that nobody has yet. */
static bool brings_term(const struct raft_message *m)
{
    return m->type != RAFT_MSG_PREVOTE && !(m->type == RAFT_MSG_PREVOTE_REPLY && !m->reject);
}

/* A message from the leader of our term. False: there cannot be another leader. */
static bool hear_leader(struct raft *r, const struct raft_message *m)
{
    if (r->role == RAFT_LEADER || (raft_is_somebody(r->leader) && !raft_id_equal(r->leader, m->from)))
        return false;
    if (r->role != RAFT_FOLLOWER || !raft_is_somebody(r->leader))
        raft_become_follower(r, r->term, m->from);
    r->leader_heard_ns = r->election_from_ns = r->now_ns;
    raft_prevote_forget(r);
    return true;
}

static void receive_from_leader(struct raft *r, const struct raft_message *m)
{
    if (!hear_leader(r, m)) {
        raft_refuse(r);
        return;
    }
    if (m->type == RAFT_MSG_APPEND)
        raft_on_append(r, m);
    else if (m->type == RAFT_MSG_HEARTBEAT)
        raft_on_heartbeat(r, m);
    else if (m->type == RAFT_MSG_SNAPSHOT)
        raft_on_snapshot(r, m);
    else
        raft_on_timeout_now(r, m);
}

static void receive_as_leader(struct raft *r, const struct raft_message *m)
{
    if (r->role != RAFT_LEADER)
        return;
    struct raft_peer *p = raft_peer_of(r, m->from);
    ASSERT(p != NULL);
    p->heard_ns = r->now_ns;
    if (m->type == RAFT_MSG_APPEND_REPLY)
        raft_on_append_reply(r, p, m);
    else if (m->type == RAFT_MSG_HEARTBEAT_REPLY)
        raft_on_heartbeat_reply(r, p, m);
    else
        raft_on_snapshot_reply(r, p, m);
}

static void receive_in_term(struct raft *r, const struct raft_message *m)
{
    if (is_from_leader(m->type))
        receive_from_leader(r, m);
    else if (is_to_leader(m->type))
        receive_as_leader(r, m);
    else if (m->type == RAFT_MSG_VOTE)
        raft_on_vote(r, m);
    else if (m->type == RAFT_MSG_READ)
        raft_on_read(r, m);
    else if (m->type == RAFT_MSG_READ_REPLY)
        raft_on_read_reply(r, m);
    else
        raft_on_vote_reply(r, m);
}

/* Where nobody leads, nobody else tells what is committed, and who does not know may have no room left in its window,
 * or act by a configuration that is over: then it can neither lead nor let another. An entry of ours with the index and
 * the term of a committed one is that entry, and all before it are the same too. */
static void learn_commit(struct raft *r, const struct raft_message *m)
{
    uint64_t term;
    if (r->role != RAFT_LEADER && r->repair_index == 0 && !r->incoming_complete && m->commit > r->commit &&
        raft_term_at(r, m->commit, &term) && term == m->commit_term)
        raft_commit_to(r, m->commit);
    if (r->role != RAFT_LEADER && r->role != RAFT_FOLLOWER && raft_conf_unapplied(r))
        raft_become_follower(r, r->term, RAFT_NOBODY); /* it asked by a configuration that is over */
}

void raft_receive(struct raft *r, const struct raft_message *m)
{
    ASSERT(r->started);
    if (r->fault != RAFT_FAULT_NONE)
        return;
    r->counters.messages_in++;
    if (!acceptable(r, m)) {
        raft_refuse(r);
        return;
    }
    if (is_of_election(m->type))
        learn_commit(r, m);
    if (m->type == RAFT_MSG_PREVOTE && m->term > r->term) {
        raft_on_prevote(r, m);
        return;
    }
    if (m->term > r->term && brings_term(m)) {
        if (m->type == RAFT_MSG_VOTE && !m->transfer && raft_sticky(r))
            return;
        raft_become_follower(r, m->term, RAFT_NOBODY);
    }
    if (m->term < r->term || m->type == RAFT_MSG_PREVOTE)
        tell_term(r, m);
    else
        receive_in_term(r, m);
}

/* ---- looking ---- */

void raft_status(const struct raft *r, struct raft_status *status_out)
{
    const struct raft_member *self = raft_conf_member(&r->conf, r->config.id);
    *status_out = (struct raft_status){
        .role = r->role,
        .fault = r->fault,
        .id = r->config.id,
        .leader = r->role == RAFT_LEADER ? r->config.id : r->leader,
        .vote = r->vote,
        .term = r->term,
        .first = r->base + 1,
        .last = r->last,
        .commit = r->commit,
        .applied = r->applied,
        .stable = r->stable,
        .voter = raft_conf_is_voter(&r->conf, r->config.id),
        .learner = self != NULL && (self->flags & RAFT_LEARNER) != 0,
        .joint = raft_conf_is_joint(&r->conf),
        .transferring = raft_is_somebody(r->transferee),
        .stalled = raft_stalled(r),
        .repairing = r->repair_index,
    };
    if (r->role == RAFT_LEADER)
        status_out->quorum = raft_quorum_heard(r);
    else
        status_out->quorum = raft_is_somebody(r->leader) && r->now_ns - r->leader_heard_ns < r->config.election_ns;
}

const struct raft_conf *raft_conf_now(const struct raft *r)
{
    return &r->conf;
}
const struct raft_counters *raft_counters(const struct raft *r)
{
    return &r->counters;
}
