/* A leader: keeping every peer's log equal to its own, and deciding what is committed. */
#include "core.h"

struct raft_peer *raft_peer_of(struct raft *r, struct raft_id id)
{
    const struct raft_member *member = raft_conf_member(&r->conf, id);
    return member == NULL ? NULL : &r->peers[member - r->conf.members];
}

const struct raft_peer *raft_peer(const struct raft *r, struct raft_id id)
{
    return r->role == RAFT_LEADER ? raft_peer_of((struct raft *)r, id) : NULL;
}

static bool is_self(const struct raft *r, const struct raft_peer *p)
{
    return raft_id_equal(p->id, r->config.id);
}

/* ---- progress ---- */

static void forget_inflight(struct raft_peer *p)
{
    p->inflight_head = p->inflight_count = 0;
    p->inflight_total = 0;
}

void raft_peer_probe(struct raft_peer *p)
{
    p->state = RAFT_PROBE;
    p->paused = p->nudge = false;
    p->notice_due_ns = 0;
    p->next = p->match + 1;
    p->snapshot_index = p->snapshot_offset = 0;
    p->snapshot_chunk_out = false;
    forget_inflight(p);
}

static void peer_replicate(struct raft_peer *p)
{
    raft_peer_probe(p);
    p->state = RAFT_REPLICATE;
}

static bool inflight_full(const struct raft *r, const struct raft_peer *p)
{
    return p->inflight_count >= r->config.inflight_messages ||
           (p->inflight_count > 0 && p->inflight_total >= r->config.inflight_bytes);
}

static void inflight_add(struct raft_peer *p, uint64_t last, uint32_t bytes)
{
    ASSERT(p->inflight_count < RAFT_INFLIGHT_MAX);
    uint32_t at = (p->inflight_head + p->inflight_count++) % RAFT_INFLIGHT_MAX;
    p->inflight_last[at] = last;
    p->inflight_bytes[at] = bytes;
    p->inflight_total += bytes;
}

static void inflight_drop_first(struct raft_peer *p)
{
    ASSERT(p->inflight_count > 0 && p->inflight_total >= p->inflight_bytes[p->inflight_head]);
    p->inflight_total -= p->inflight_bytes[p->inflight_head];
    p->inflight_head = (p->inflight_head + 1) % RAFT_INFLIGHT_MAX;
    p->inflight_count--;
}

static void inflight_drop_to(struct raft_peer *p, uint64_t index)
{
    while (p->inflight_count > 0 && p->inflight_last[p->inflight_head] <= index)
        inflight_drop_first(p);
}

/* ---- becoming leader ---- */

void raft_become_leader(struct raft *r)
{
    ASSERT(r->role == RAFT_CANDIDATE && r->durable_term == r->term && raft_id_equal(r->durable_vote, r->config.id));
    r->role = RAFT_LEADER;
    r->leader = r->config.id;
    r->role_changed = true;
    r->counters.terms_led++;
    r->transferee = RAFT_NOBODY;
    raft_prevote_forget(r);
    r->read_context = 1;
    r->read_round_owed = false;
    for (uint32_t i = 0; i < r->conf.count; i++) {
        struct raft_peer *p = &r->peers[i];
        *p = (struct raft_peer){.id = r->conf.members[i].id, .next = r->last + 1, .heard_ns = r->now_ns};
        if (is_self(r, p))
            p->match = r->stable;
    }
    raft_log_append(r, r->term, RAFT_ENTRY_NOOP, NULL, 0);
    r->term_start = r->conf_barrier = r->last;
    r->heartbeat_due_ns = r->now_ns + r->config.heartbeat_ns;
}

/* ---- committing ---- */

/* Only entries of this term are committed by counting; older ones with them. */
void raft_maybe_commit(struct raft *r)
{
    ASSERT(r->role == RAFT_LEADER);
    uint64_t values[RAFT_MEMBERS_MAX];
    for (uint32_t i = 0; i < r->conf.count; i++)
        values[i] = r->peers[i].match;
    uint64_t index = raft_conf_quorum_value(&r->conf, values), term;
    if (index <= r->commit)
        return;
    bool known = raft_term_at(r, index, &term);
    ASSERT(known);
    if (term == r->term)
        raft_commit_to(r, index);
}

void raft_own_progress(struct raft *r)
{
    struct raft_peer *self = raft_peer_of(r, r->config.id);
    if (self == NULL || self->match == r->stable)
        return;
    ASSERT(self->match < r->stable);
    self->match = r->stable;
    self->next = r->stable + 1;
    raft_maybe_commit(r);
}

/* ---- sending ---- */

static uint32_t count_that_fits(const struct raft *r, uint64_t next, uint32_t *bytes_out)
{
    uint32_t count = 0, bytes = 0;
    while (next + count <= r->last) {
        uint32_t length = raft_log_slot(r, next + count)->length;
        if (count > 0 && (bytes + length > r->config.message_bytes || count == 1024))
            break;
        bytes += length;
        count++;
    }
    *bytes_out = bytes;
    return count;
}

/* One append from p->next on, without entries if `empty` or there are none. False: no room for messages. */
static bool send_append(struct raft *r, struct raft_peer *p, bool empty)
{
    uint64_t before = p->next - 1, term;
    bool known = raft_term_at(r, before, &term);
    ASSERT(known);
    struct raft_message *m = raft_send(r, RAFT_MSG_APPEND, p->id);
    if (m == NULL)
        return false;
    uint32_t bytes = 0;
    m->index = before;
    m->log_term = term;
    m->entry_count = empty ? 0 : count_that_fits(r, p->next, &bytes);
    m->commit = r->commit;
    uint64_t last = before + m->entry_count;
    p->commit_told = r->commit < last ? r->commit : last;
    if (p->state == RAFT_PROBE) {
        p->paused = true;
    } else if (m->entry_count > 0) {
        inflight_add(p, last, bytes);
        p->next = last + 1;
    }
    return true;
}

static void send_snapshot_instead(struct raft *r, struct raft_peer *p)
{
    ASSERT(r->saved.index >= r->base);
    raft_peer_probe(p);
    p->state = RAFT_SNAPSHOT;
    p->snapshot_index = r->saved.index;
    r->counters.snapshots_sent++;
}

static void send_heartbeat(struct raft *r, struct raft_peer *p, uint64_t context)
{
    struct raft_message *m = raft_send(r, RAFT_MSG_HEARTBEAT, p->id);
    if (m == NULL)
        return;
    m->commit = p->match < r->commit ? p->match : r->commit;
    m->context = context;
    p->commit_told = m->commit;
}

/* Appends and heartbeats carry the commit index. When neither follows soon, or somebody waits, it goes out alone. */
static void tell_commit(struct raft *r, struct raft_peer *p)
{
    uint64_t commit = p->match < r->commit ? p->match : r->commit;
    if (commit <= p->commit_told) {
        p->notice_due_ns = 0;
        return;
    }
    if (p->notice_due_ns == 0)
        p->notice_due_ns = r->now_ns + r->config.commit_notice_ns;
    bool wanted = p->wanted_first <= commit && p->commit_told < p->wanted_last;
    if (!wanted && r->now_ns < p->notice_due_ns)
        return;
    send_heartbeat(r, p, 0);
    p->notice_due_ns = 0;
}

void raft_commit_wanted(struct raft *r, struct raft_id to, uint64_t index)
{
    struct raft_peer *p = r->role == RAFT_LEADER ? raft_peer_of(r, to) : NULL;
    if (p == NULL)
        return;
    if (p->wanted_last <= p->commit_told) /* what was wanted before has been told */
        p->wanted_first = index;
    if (index > p->wanted_last)
        p->wanted_last = index;
}

uint64_t raft_notice_due(const struct raft *r)
{
    uint64_t due = UINT64_MAX;
    for (uint32_t i = 0; i < r->conf.count; i++)
        if (r->peers[i].notice_due_ns != 0 && r->peers[i].notice_due_ns < due)
            due = r->peers[i].notice_due_ns;
    return due;
}

/* Little is not sent while much is under way: what gathers meanwhile goes out as one, for one log write. */
static bool worth_sending(const struct raft *r, const struct raft_peer *p)
{
    uint32_t bytes, most = r->config.inflight_short;
    if (p->next > r->last || inflight_full(r, p))
        return false;
    return most == 0 || p->inflight_count < most || count_that_fits(r, p->next, &bytes) < r->last + 1 - p->next;
}

static void replicate_to(struct raft *r, struct raft_peer *p)
{
    ASSERT(p->match < p->next);
    if (p->state != RAFT_SNAPSHOT && p->next <= r->base)
        send_snapshot_instead(r, p);
    if (p->state == RAFT_SNAPSHOT) {
        raft_snapshot_send(r, p);
        return;
    }
    if (p->state == RAFT_PROBE && !p->paused && p->match < r->last)
        send_append(r, p, false);
    while (p->state == RAFT_REPLICATE && worth_sending(r, p) && send_append(r, p, false))
        p->nudge = false;
    if (p->state == RAFT_REPLICATE && p->nudge)
        send_append(r, p, true);
    p->nudge = false;
    if (p->state == RAFT_REPLICATE)
        tell_commit(r, p);
}

static void maybe_hand_over(struct raft *r)
{
    if (!raft_is_somebody(r->transferee) || r->timeout_now_sent)
        return;
    struct raft_peer *p = raft_peer_of(r, r->transferee);
    if (p != NULL && p->match == r->last && raft_send(r, RAFT_MSG_TIMEOUT_NOW, p->id) != NULL)
        r->timeout_now_sent = true;
}

void raft_replicate(struct raft *r)
{
    for (uint32_t i = 0; i < r->conf.count; i++)
        if (!is_self(r, &r->peers[i]))
            replicate_to(r, &r->peers[i]);
    maybe_hand_over(r);
}

void raft_heartbeats(struct raft *r)
{
    r->heartbeat_due_ns = r->now_ns + r->config.heartbeat_ns;
    r->timeout_now_sent = false;
    for (uint32_t i = 0; i < r->conf.count; i++)
        if (!is_self(r, &r->peers[i]))
            send_heartbeat(r, &r->peers[i], r->read_context);
}

/* ---- time ---- */

bool raft_quorum_heard(const struct raft *r)
{
    uint64_t values[RAFT_MEMBERS_MAX];
    for (uint32_t i = 0; i < r->conf.count; i++)
        values[i] = is_self(r, &r->peers[i]) ? r->now_ns : r->peers[i].heard_ns;
    return r->now_ns - raft_conf_quorum_value(&r->conf, values) < r->config.election_ns;
}

void raft_leader_time(struct raft *r)
{
    if (raft_stalled(r)) {
        r->counters.stalls++;
        raft_become_follower(r, r->term, RAFT_NOBODY);
        return;
    }
    if (!raft_quorum_heard(r)) {
        raft_become_follower(r, r->term, RAFT_NOBODY);
        return;
    }
    if (raft_is_somebody(r->transferee) && r->now_ns - r->transfer_since_ns >= r->config.election_ns)
        r->transferee = RAFT_NOBODY;
    if (r->now_ns >= r->heartbeat_due_ns)
        raft_heartbeats(r);
}

/* ---- answers ---- */

/* The newest entry at or below `hint` whose term is not above `hint_term`: the first place where the logs can agree. */
static uint64_t agree_at(const struct raft *r, uint64_t hint, uint64_t hint_term)
{
    uint64_t index = hint < r->last ? hint : r->last, term;
    while (index > r->base && raft_term_at(r, index, &term) && term > hint_term)
        index--;
    return index;
}

static void on_reject(struct raft *r, struct raft_peer *p, const struct raft_message *m)
{
    if (m->lost && p->match > 0 && m->hint <= p->match) {
        p->match = 0; /* nothing is known to be there; what is committed stays so */
        if (p->state == RAFT_REPLICATE)
            raft_peer_probe(p);
        p->next = agree_at(r, m->hint, m->log_term) + 1;
        p->paused = false;
        return;
    }
    if (m->index <= p->match || p->state == RAFT_SNAPSHOT)
        return; /* late */
    if (p->state == RAFT_REPLICATE) {
        raft_peer_probe(p);
        return;
    }
    if (m->index != p->next - 1)
        return; /* not the answer to the newest probe */
    uint64_t agree = agree_at(r, m->hint, m->log_term), next = agree < m->index ? agree + 1 : m->index;
    p->next = next > p->match ? next : p->match + 1;
    p->paused = false;
}

void raft_on_append_reply(struct raft *r, struct raft_peer *p, const struct raft_message *m)
{
    if (m->index > r->last) {
        raft_refuse(r);
        return;
    }
    if (m->reject) {
        on_reject(r, p, m);
        return;
    }
    bool moved = m->index > p->match;
    if (moved)
        p->match = m->index;
    if (p->next <= p->match)
        p->next = p->match + 1;
    if (p->state == RAFT_REPLICATE)
        inflight_drop_to(p, m->index);
    else if (p->match >= r->base && (moved || m->index == p->match))
        peer_replicate(p); /* also out of a snapshot, as soon as the peer connects to the log */
    if (moved)
        raft_maybe_commit(r);
}

void raft_on_heartbeat_reply(struct raft *r, struct raft_peer *p, const struct raft_message *m)
{
    if (m->context > r->read_context) {
        raft_refuse(r);
        return;
    }
    p->paused = false;
    if (p->state == RAFT_REPLICATE && inflight_full(r, p))
        inflight_drop_first(p);
    p->nudge = p->match < r->last;
    if (m->context > p->read_context) {
        p->read_context = m->context;
        raft_reads_confirm(r);
    }
}

void raft_unreachable(struct raft *r, struct raft_id to)
{
    struct raft_peer *p = r->role == RAFT_LEADER ? raft_peer_of(r, to) : NULL;
    if (p == NULL || is_self(r, p))
        return;
    if (p->state == RAFT_REPLICATE)
        raft_peer_probe(p);
    p->snapshot_chunk_out = false;
}

/* ---- proposals ---- */

static err_t may_append(const struct raft *r, size_t bytes)
{
    if (r->role != RAFT_LEADER || raft_conf_member(&r->conf, r->config.id) == NULL)
        return E_NOT_DELIVERED;
    if (bytes > RAFT_ENTRY_BYTES_MAX)
        return E_TOO_LONG;
    if (raft_is_somebody(r->transferee))
        return E_BUSY;
    uint64_t waiting = raft_log_uncommitted_bytes(r);
    if (waiting > 0 && waiting + bytes > r->config.uncommitted_bytes)
        return E_FULL;
    if (r->last - r->commit >= r->memory.slot_count / 2)
        return E_FULL;
    return raft_log_room(r, (uint32_t)bytes, r->memory.slot_count / 8) ? E_OK : E_FULL;
}

static void append_own(struct raft *r, uint32_t type, const void *data, size_t bytes, uint64_t *index_out,
                       uint64_t *term_out)
{
    raft_log_append(r, r->term, type, data, (uint32_t)bytes);
    *index_out = r->last;
    *term_out = r->term;
}

err_t raft_propose(struct raft *r, const void *data, size_t bytes, uint64_t *index_out, uint64_t *term_out)
{
    err_t err = may_append(r, bytes);
    if (err == E_OK)
        append_own(r, RAFT_ENTRY_DATA, data, bytes, index_out, term_out);
    return err;
}

err_t raft_propose_conf(struct raft *r, const struct raft_conf_change *change, uint64_t *index_out, uint64_t *term_out,
                        const char **why_out)
{
    uint8_t encoded[RAFT_CHANGE_BYTES_MAX];
    struct raft_conf next;
    ASSERT(change->count <= RAFT_CHANGES_MAX);
    size_t bytes = raft_conf_change_encode(change, encoded);
    err_t err = may_append(r, bytes);
    if (err != E_OK)
        return err;
    if (r->applied < r->conf_barrier || r->commit < r->term_start)
        return E_BUSY;
    err = raft_conf_apply(&r->conf, change, &next, why_out);
    if (err != E_OK)
        return err;
    append_own(r, RAFT_ENTRY_CONF, encoded, bytes, index_out, term_out);
    r->conf_barrier = r->last;
    return E_OK;
}

err_t raft_transfer(struct raft *r, struct raft_id to)
{
    if (r->role != RAFT_LEADER)
        return E_NOT_DELIVERED;
    if (!raft_conf_is_voter(&r->conf, to) || raft_id_equal(to, r->config.id))
        return E_INVALID;
    if (raft_is_somebody(r->transferee))
        return E_BUSY;
    r->transferee = to;
    r->transfer_since_ns = r->now_ns;
    r->timeout_now_sent = false;
    return E_OK;
}
