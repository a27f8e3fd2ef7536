/* Collecting what is to be done. Appends are made here, so that all proposals of a round go out together. */
#include "core.h"

/* Only what is committed and durable here: else a crash could lose what was acted upon. */
static void apply_next(struct raft *r, struct raft_apply *apply_out)
{
    *apply_out = (struct raft_apply){.first = 0};
    uint64_t limit = r->commit < r->stable ? r->commit : r->stable, bytes = 0;
    if (r->applying != r->applied || r->applied >= limit || r->incoming_complete)
        return;
    uint64_t last = r->applied;
    while (last < limit) {
        bytes += raft_log_slot(r, last + 1)->length;
        if (bytes > r->config.apply_bytes && last > r->applied)
            break;
        last++;
    }
    *apply_out = (struct raft_apply){.first = r->applied + 1, .last = last};
    r->applying = last;
}

static void chunk_next(struct raft *r, struct raft_chunk *chunk_out)
{
    *chunk_out = (struct raft_chunk){.bytes = 0};
    if (!r->incoming_chunk || r->incoming_data == NULL)
        return;
    *chunk_out = (struct raft_chunk){.snapshot = &r->incoming,
                                     .offset = r->incoming_offset,
                                     .bytes = r->incoming_chunk_bytes,
                                     .data = r->incoming_data};
    r->incoming_data = NULL; /* given; stays under way until raft_chunk_stored() */
}

static const struct raft_snapshot *install_next(struct raft *r)
{
    if (!r->incoming_complete || r->install_given || r->applying != r->applied)
        return NULL;
    r->install_given = true;
    return &r->incoming;
}

static void give_messages(struct raft *r, struct raft_update *u)
{
    u->messages = r->messages;
    u->message_count = r->messages_given ? 0 : r->message_count;
    r->messages_given = true;
}

static void give_reads(struct raft *r, struct raft_update *u)
{
    raft_reads_finish(r);
    u->reads = r->reads_done;
    u->read_count = r->reads_given ? 0 : r->read_done_count;
    r->reads_given = true;
}

/* What must hold between any two events. */
static void check(const struct raft *r)
{
    ASSERT(r->base <= r->applied && r->applied <= r->applying && r->applying <= r->commit && r->commit <= r->last);
    ASSERT(r->applying <= r->stable && r->stable <= r->handed && r->handed <= r->last);
    ASSERT(r->durable_term <= r->term && (r->durable_commit <= r->commit || r->repair_index != 0));
    ASSERT(r->base <= r->saved.index);
    ASSERT(r->role != RAFT_LEADER || (raft_log_last_term(r) == r->term && r->durable_term == r->term));
}

void raft_update(struct raft *r, struct raft_update *u)
{
    ASSERT(r->started);
    *u = (struct raft_update){.more = false};
    if (r->fault == RAFT_FAULT_NONE) {
        raft_log_relieve(r);
        raft_maybe_leave_joint(r);
        if (r->role == RAFT_LEADER) {
            raft_reads_ask(r);
            raft_replicate(r);
        }
        raft_acknowledge(r);
        raft_persist_next(r, &u->persist);
        apply_next(r, &u->apply);
        chunk_next(r, &u->chunk);
        u->install = install_next(r);
    }
    give_reads(r, u);
    give_messages(r, u);
    u->snapshot_wanted = raft_log_half_full(r) && r->applied > r->saved.index;
    u->role_changed = r->role_changed;
    u->conf_changed = r->conf_changed;
    r->role_changed = r->conf_changed = false;
    u->more = raft_persist_due(r) && u->persist.id != 0;
    check(r);
}
