/* A follower: taking the leader's entries, and saying so once they are durable. */
#include "core.h"

#include <raft/raft_wire.h>

/* Says where the logs may still agree: the newest entry at or below `index` whose term is not above the leader's there.
 */
static void reject_append(struct raft *r, const struct raft_message *m)
{
    r->counters.rejects++;
    struct raft_message *reply = raft_send(r, RAFT_MSG_APPEND_REPLY, m->from);
    if (reply == NULL)
        return;
    uint64_t hint = m->index < r->last ? m->index : r->last, term = 0;
    while (hint > r->base && raft_term_at(r, hint, &term) && term > m->log_term)
        hint--;
    bool known = raft_term_at(r, hint, &term);
    ASSERT(known);
    reply->reject = true;
    reply->index = m->index;
    reply->hint = hint;
    reply->log_term = term;
    reply->lost = r->repair_index != 0;
}

/* The leader counts on entries that were lost here. It is told where to begin again. */
static void tell_loss(struct raft *r, const struct raft_message *m)
{
    struct raft_message *reply = raft_send(r, RAFT_MSG_APPEND_REPLY, m->from);
    if (reply == NULL)
        return;
    uint64_t hint = m->commit < r->last ? m->commit : r->last;
    hint = hint > r->base ? hint : r->base;
    bool known = raft_term_at(r, hint, &reply->log_term);
    ASSERT(known);
    reply->reject = reply->lost = true;
    reply->index = m->commit;
    reply->hint = hint;
}

/* Is the log again what it was, as far as anybody may count on it? It is the leader's up to there, and durable. */
static void repair_finish(struct raft *r)
{
    uint64_t whole = r->verified < r->stable ? r->verified : r->stable;
    if (r->repair_index == 0 || whole < r->repair_index || r->commit < r->durable_commit)
        return;
    r->repair_index = 0;
    r->repair_told = true;
}

/* The first entry that is not in the log as it is; the cursor then stands at it. 0: all are there. */
static uint64_t find_new(const struct raft *r, const struct raft_message *m, struct raft_wire_cursor *cursor)
{
    struct raft_entry entry;
    struct raft_wire_cursor next = *cursor;
    while (raft_wire_entry(m, &next, &entry)) {
        uint64_t term;
        if (!raft_term_at(r, entry.index, &term) || term != entry.term)
            return entry.index;
        *cursor = next;
    }
    return 0;
}

/* Entries of a message must follow the one before them and be of no later term than its sender. */
static bool terms_fit(const struct raft_message *m)
{
    struct raft_entry entry;
    struct raft_wire_cursor cursor = {0, 0};
    uint64_t term = m->log_term;
    while (raft_wire_entry(m, &cursor, &entry)) {
        if (entry.term < term || entry.term > m->term)
            return false;
        term = entry.term;
    }
    return true;
}

/* Appends what is new, as far as there is room. The index up to which the log then is the leader's. */
static uint64_t take_entries(struct raft *r, const struct raft_message *m)
{
    struct raft_wire_cursor cursor = {0, 0};
    uint64_t from = find_new(r, m, &cursor);
    if (from == 0)
        return m->index + m->entry_count;
    if (from <= r->last)
        raft_log_truncate(r, from);
    struct raft_entry entry;
    while (raft_wire_entry(m, &cursor, &entry) && raft_log_room(r, entry.length, 0))
        raft_log_append(r, entry.term, entry.type, entry.data, entry.length);
    return r->last;
}

/* Would it void what is committed? No leader can ask for that. */
static bool touches_committed(const struct raft *r, const struct raft_message *m)
{
    struct raft_wire_cursor cursor = {0, 0};
    uint64_t from = find_new(r, m, &cursor);
    return from != 0 && from <= r->commit;
}

void raft_on_append(struct raft *r, const struct raft_message *m)
{
    if (r->incoming_complete) /* the log is about to be replaced */
        return;
    if (!terms_fit(m)) {
        raft_refuse(r);
        return;
    }
    uint64_t term;
    if (m->index <
        r->base) { /* old: all up to our commit index is the leader's log, and that is what it needs to know */
        r->verified = r->commit > r->verified ? r->commit : r->verified;
        r->ack_owed = true;
        return;
    }
    if (!raft_term_at(r, m->index, &term) || term != m->log_term) {
        if (m->index > r->commit)
            reject_append(r, m);
        else
            raft_refuse(r);
        return;
    }
    if (touches_committed(r, m)) {
        raft_refuse(r);
        return;
    }
    uint64_t matched = take_entries(r, m);
    bool no_room = matched == m->index && m->entry_count > 0, news = matched > r->verified;
    if (news)
        r->verified = matched;
    raft_commit_to(r, m->commit < matched ? m->commit : matched); /* which may make room */
    if (!no_room || news)                                         /* else an answer would only bring the same again */
        r->ack_owed = true;
}

/* The commit index told in a heartbeat is one that this node has acknowledged as durable. */
void raft_on_heartbeat(struct raft *r, const struct raft_message *m)
{
    bool lost = r->repair_index != 0 && m->commit > r->verified;
    if (lost && !r->incoming_complete)
        tell_loss(r, m);
    if (!lost && m->commit > r->last && !r->incoming_complete) {
        r->fault = RAFT_FAULT_LOG_LOST;
        r->role_changed = true;
        return;
    }
    if (!r->incoming_complete && !lost) {
        raft_commit_to(r, m->commit);
        if (m->commit > r->verified)
            r->verified = m->commit;
    }
    if (m->context == 0)
        return;
    struct raft_message *reply = raft_send(r, RAFT_MSG_HEARTBEAT_REPLY, m->from);
    if (reply != NULL)
        reply->context = m->context;
}

/* An acknowledgement promises that the entries, the term, and every committed change of the configuration among them
 * survive a crash. */
void raft_acknowledge(struct raft *r)
{
    repair_finish(r);
    if (!r->ack_owed || r->incoming_complete)
        return;
    ASSERT(r->role == RAFT_FOLLOWER && raft_is_somebody(r->leader));
    if (r->durable_term != r->term || r->conf_committed > r->durable_commit)
        return;
    uint64_t index = r->verified < r->stable ? r->verified : r->stable;
    if (index < r->verified && index <= r->acked)
        return; /* nothing new to say until more is durable */
    struct raft_message *reply = raft_send(r, RAFT_MSG_APPEND_REPLY, r->leader);
    if (reply == NULL)
        return;
    ASSERT(index <= r->stable && index <= r->last);
    reply->index = index;
    r->acked = index > r->acked ? index : r->acked;
    r->ack_owed = index < r->verified;
}
