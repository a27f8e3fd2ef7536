/* What must become durable, and what follows once it is. */
#include "core.h"

/* Term and vote always; the commit index when it covers a change of the configuration (after a restart the node must
 * know of it before it counts votes). It is written only up to what is durable, so that a log never seems to have lost
 * some. */
static bool hard_state_due(const struct raft *r)
{
    return r->repair_told || r->term != r->handed_term || !raft_id_equal(r->vote, r->handed_vote) ||
           (r->conf_committed > r->handed_commit && r->stable >= r->conf_committed);
}

bool raft_persist_due(const struct raft *r)
{
    return r->persist_count < RAFT_PERSISTS_MAX &&
           (r->handed < r->last || r->truncate_from != 0 || r->reset_owed || hard_state_due(r));
}

static uint64_t last_that_fits(const struct raft *r)
{
    uint64_t bytes = 0, index = r->handed;
    while (index < r->last) {
        bytes += raft_log_slot(r, index + 1)->length;
        if (bytes > r->config.persist_bytes && index > r->handed)
            break;
        index++;
    }
    return index;
}

static struct raft_hard_state hard_state_now(const struct raft *r)
{
    uint64_t commit = r->commit < r->stable ? r->commit : r->stable;
    if (commit < r->handed_commit)
        commit = r->handed_commit;
    return (struct raft_hard_state){.term = r->term, .vote = r->vote, .commit = commit};
}

void raft_persist_next(struct raft *r, struct raft_persist *persist_out)
{
    *persist_out = (struct raft_persist){.id = 0};
    if (!raft_persist_due(r))
        return;
    *persist_out = (struct raft_persist){.id = r->persist_next_id++,
                                         .reset = r->reset_owed,
                                         .truncate_from = r->reset_owed ? 0 : r->truncate_from,
                                         .hard_state_required = hard_state_due(r),
                                         .hard_state = hard_state_now(r)};
    if (r->handed < r->last) {
        persist_out->first = r->handed + 1;
        persist_out->last = r->handed = last_that_fits(r);
    }
    struct raft_persist_record *record = &r->persists[(r->persist_head + r->persist_count++) % RAFT_PERSISTS_MAX];
    *record = (struct raft_persist_record){.id = persist_out->id,
                                           .last = r->handed,
                                           .since_ns = r->now_ns,
                                           .hard_state = persist_out->hard_state_required,
                                           .term = r->term,
                                           .commit = persist_out->hard_state.commit,
                                           .vote = r->vote};
    if (record->hard_state) {
        r->handed_term = r->term;
        r->handed_vote = r->vote;
        r->handed_commit = record->commit;
    }
    r->repair_told = r->reset_owed = false;
    r->truncate_from = 0;
}

static void take_record(struct raft *r, const struct raft_persist_record *record)
{
    ASSERT(record->last <= r->last);
    if (record->last > r->stable)
        r->stable = record->last;
    if (!record->hard_state)
        return;
    ASSERT(record->term >= r->durable_term && record->commit >= r->durable_commit && record->term <= r->term);
    r->durable_term = record->term;
    r->durable_vote = record->vote;
    r->durable_commit = record->commit;
}

void raft_persisted(struct raft *r, uint64_t id)
{
    ASSERT(r->persist_count > 0 && id >= r->persists[r->persist_head].id && id < r->persist_next_id);
    while (r->persist_count > 0 && r->persists[r->persist_head].id <= id) {
        take_record(r, &r->persists[r->persist_head]);
        r->persist_head = (r->persist_head + 1) % RAFT_PERSISTS_MAX;
        r->persist_count--;
    }
    if (r->fault != RAFT_FAULT_NONE)
        return;
    raft_vote_reply_due(r);
    raft_campaign_continue(r);
    if (r->role == RAFT_LEADER)
        raft_own_progress(r);
}
