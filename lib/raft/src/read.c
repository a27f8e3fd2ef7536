/* Linearizable reads. A leader notes the commit index, then asks a quorum whether it still leads, with a context that
 * no earlier question had; only answers to that or a later question count. Followers ask the leader for the index. */
#include "core.h"

static void finish(struct raft *r, const struct raft_read_pending *read, bool failed)
{
    if (r->reads_given) {
        r->reads_given = false;
        r->read_done_count = 0;
    }
    ASSERT(r->read_done_count < 2 * RAFT_READS_MAX);
    r->reads_done[r->read_done_count++] =
        (struct raft_read_state){.token = read->token, .index = read->index, .failed = failed};
    if (failed)
        r->counters.reads_failed++;
    else
        r->counters.reads_done++;
}

static void drop(struct raft *r, uint32_t at)
{
    r->reads[at] = r->reads[--r->read_count];
}

static void answer(struct raft *r, const struct raft_read_pending *read, bool reject)
{
    struct raft_message *m = raft_send(r, RAFT_MSG_READ_REPLY, read->from);
    if (m == NULL)
        return;
    m->context = read->token;
    m->index = read->index;
    m->reject = reject;
}

static bool has_room(const struct raft *r)
{
    uint32_t waiting = r->reads_given ? 0 : r->read_done_count;
    return r->read_count < RAFT_READS_MAX && waiting + r->read_count < 2 * RAFT_READS_MAX;
}

err_t raft_read(struct raft *r, uint64_t token)
{
    ASSERT(r->started);
    if (r->fault != RAFT_FAULT_NONE || !raft_is_somebody(r->leader))
        return E_NOT_DELIVERED;
    if (!has_room(r))
        return E_FULL;
    struct raft_read_pending read = {.token = token, .since_ns = r->now_ns};
    if (r->role != RAFT_LEADER) {
        struct raft_message *m = raft_send(r, RAFT_MSG_READ, r->leader);
        if (m == NULL)
            return E_FULL;
        m->context = read.context = ++r->read_request;
    }
    r->reads[r->read_count++] = read;
    return E_OK;
}

void raft_on_read(struct raft *r, const struct raft_message *m)
{
    struct raft_read_pending read = {.token = m->context, .from = m->from, .since_ns = r->now_ns};
    if (r->role == RAFT_LEADER && has_room(r))
        r->reads[r->read_count++] = read;
    else
        answer(r, &read, true);
}

void raft_on_read_reply(struct raft *r, const struct raft_message *m)
{
    if (!raft_id_equal(m->from, r->leader))
        return;
    for (uint32_t i = 0; i < r->read_count; i++) {
        struct raft_read_pending *read = &r->reads[i];
        if (read->context != m->context || read->confirmed || raft_is_somebody(read->from))
            continue;
        read->index = m->index;
        read->confirmed = !m->reject;
        if (m->reject) {
            finish(r, read, true);
            drop(r, i);
        }
        return;
    }
}

/* What was confirmed stays so; the rest must be asked again, of whoever leads now. */
void raft_reads_fail(struct raft *r)
{
    for (uint32_t i = r->read_count; i-- > 0;) {
        struct raft_read_pending *read = &r->reads[i];
        if (read->confirmed)
            continue;
        if (raft_is_somebody(read->from))
            answer(r, read, true);
        else
            finish(r, read, true);
        drop(r, i);
    }
}

/* The question or its answer may be lost. */
void raft_reads_time(struct raft *r)
{
    for (uint32_t i = r->read_count; i-- > 0;) {
        struct raft_read_pending *read = &r->reads[i];
        if (read->confirmed || r->now_ns - read->since_ns < r->config.election_ns)
            continue;
        if (!raft_is_somebody(read->from))
            finish(r, read, true);
        drop(r, i);
    }
}

/* Nothing may be read before an entry of this term is committed: only then is the commit index known to be the newest.
 */
static bool commit_is_current(const struct raft *r)
{
    return r->role == RAFT_LEADER && r->commit >= r->term_start;
}

void raft_reads_ask(struct raft *r)
{
    if (r->read_count == 0 || !commit_is_current(r))
        return;
    bool asked = false;
    for (uint32_t i = 0; i < r->read_count; i++) {
        struct raft_read_pending *read = &r->reads[i];
        if (read->context != 0 || read->confirmed)
            continue;
        read->context = r->read_context + 1;
        read->index = r->commit;
        asked = true;
    }
    if (!asked)
        return;
    r->read_context++;
    raft_heartbeats(r);
    raft_reads_confirm(r); /* one voter needs nobody's answer */
}

void raft_reads_confirm(struct raft *r)
{
    if (r->read_count == 0)
        return;
    uint64_t values[RAFT_MEMBERS_MAX];
    for (uint32_t i = 0; i < r->conf.count; i++)
        values[i] = raft_id_equal(r->peers[i].id, r->config.id) ? r->read_context : r->peers[i].read_context;
    uint64_t answered = raft_conf_quorum_value(&r->conf, values);
    for (uint32_t i = r->read_count; i-- > 0;) {
        struct raft_read_pending *read = &r->reads[i];
        if (read->context == 0 || read->confirmed || read->context > answered)
            continue;
        read->confirmed = true;
        if (raft_is_somebody(read->from)) {
            answer(r, read, false);
            drop(r, i);
        }
    }
}

void raft_reads_finish(struct raft *r)
{
    for (uint32_t i = r->read_count; i-- > 0;) {
        if (!r->reads[i].confirmed || r->reads[i].index > r->applied)
            continue;
        finish(r, &r->reads[i], false);
        drop(r, i);
    }
}
