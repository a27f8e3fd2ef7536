/* Snapshots: their labels, sending one in chunks (one chunk under way to a peer), and receiving one. The bytes pass by.
 */
#include "core.h"

void raft_snapshot_label(const struct raft *r, struct raft_snapshot *label_out)
{
    *label_out = (struct raft_snapshot){.index = r->applied, .conf = r->conf};
    bool known = raft_term_at(r, r->applied, &label_out->term);
    ASSERT(known);
}

bool raft_snapshot_saved(struct raft *r, const struct raft_snapshot *snapshot)
{
    ASSERT(snapshot->index <= r->applied && raft_conf_valid(&snapshot->conf));
    if (snapshot->index <= r->saved.index)
        return false;
    r->saved = *snapshot;
    return true;
}

bool raft_snapshot_sending(const struct raft *r)
{
    bool pressed = r->last - r->base >= r->memory.slot_count / 4 * 3; /* then room for entries comes first */
    if (r->role != RAFT_LEADER || pressed)
        return false;
    for (uint32_t i = 0; i < r->conf.count; i++) {
        const struct raft_peer *p = &r->peers[i];
        if (p->state == RAFT_SNAPSHOT && r->now_ns - p->heard_ns < r->config.election_ns)
            return true;
    }
    return false;
}

/* ---- sending ---- */

void raft_snapshot_send(struct raft *r, struct raft_peer *p)
{
    ASSERT(r->saved.index >= r->base && r->saved.index > 0);
    if (p->snapshot_index != r->saved.index) { /* a newer one took its place */
        p->snapshot_index = r->saved.index;
        p->snapshot_offset = 0;
        p->snapshot_chunk_out = false;
    }
    if (p->snapshot_chunk_out && r->now_ns - p->snapshot_sent_ns < 2 * r->config.heartbeat_ns)
        return;
    struct raft_message *m = raft_send(r, RAFT_MSG_SNAPSHOT, p->id);
    if (m == NULL)
        return;
    uint64_t left = r->saved.bytes - p->snapshot_offset;
    m->snapshot = &r->saved;
    m->offset = p->snapshot_offset;
    m->chunk_bytes = left < r->config.snapshot_chunk_bytes ? (uint32_t)left : r->config.snapshot_chunk_bytes;
    p->snapshot_chunk_out = true;
    p->snapshot_sent_ns = r->now_ns;
}

/* How much the peer has of it; it may have kept a part from an earlier attempt, or have lost what it had. */
void raft_on_snapshot_reply(struct raft *r, struct raft_peer *p, const struct raft_message *m)
{
    if (p->state != RAFT_SNAPSHOT || m->index != p->snapshot_index || m->index != r->saved.index)
        return;
    if (m->offset > r->saved.bytes) {
        raft_refuse(r);
        return;
    }
    bool waits =
        m->offset == p->snapshot_offset && m->offset == r->saved.bytes; /* it is complete and being installed */
    p->snapshot_offset = m->offset;
    if (!waits)
        p->snapshot_chunk_out = false;
}

/* ---- receiving ---- */

static bool same_snapshot(const struct raft_snapshot *a, const struct raft_snapshot *b)
{
    return a->index == b->index && a->term == b->term && a->bytes == b->bytes &&
           memcmp(a->digest, b->digest, sizeof(a->digest)) == 0;
}

static void reply_offset(struct raft *r)
{
    struct raft_message *reply = raft_send(r, RAFT_MSG_SNAPSHOT_REPLY, r->incoming_from);
    if (reply == NULL)
        return;
    reply->index = r->incoming.index;
    reply->offset = r->incoming_offset;
}

/* Has the log all that the snapshot covers? To install it then would void entries beyond it that were acknowledged. */
static bool not_needed(const struct raft *r, const struct raft_snapshot *s)
{
    uint64_t term;
    return s->index <= r->commit || (raft_term_at(r, s->index, &term) && term == s->term);
}

/* It says what is committed, and that much of the log is the leader's, who needs to know. */
static void learn_from(struct raft *r, const struct raft_snapshot *s)
{
    raft_commit_to(r, s->index);
    if (r->role != RAFT_FOLLOWER || !raft_is_somebody(r->leader))
        return;
    if (s->index > r->verified)
        r->verified = s->index;
    r->ack_owed = true;
}

void raft_on_snapshot(struct raft *r, const struct raft_message *m)
{
    const struct raft_snapshot *s = m->snapshot;
    if (s->index == 0 || s->term > m->term || m->offset > s->bytes || m->chunk_bytes > s->bytes - m->offset) {
        raft_refuse(r);
        return;
    }
    if (r->incoming_complete || r->incoming_chunk)
        return;
    if (not_needed(r, s)) {
        learn_from(r, s);
        return;
    }
    if (!same_snapshot(&r->incoming, s)) {
        r->incoming = *s;
        r->incoming_offset = 0;
    }
    r->incoming_from = m->from;
    if (m->offset != r->incoming_offset || (m->chunk_bytes == 0 && s->bytes > 0)) {
        reply_offset(r);
        return;
    }
    r->incoming_complete = s->bytes == 0;
    r->incoming_chunk = m->chunk_bytes > 0;
    r->incoming_chunk_bytes = m->chunk_bytes;
    r->incoming_data = m->chunk;
}

void raft_chunk_stored(struct raft *r, uint64_t offset, bool ok)
{
    ASSERT(r->incoming_chunk && r->incoming_data == NULL && offset == r->incoming_offset);
    r->incoming_chunk = false;
    r->incoming_offset = ok ? r->incoming_offset + r->incoming_chunk_bytes : 0;
    ASSERT(r->incoming_offset <= r->incoming.bytes);
    reply_offset(r);
    if (r->incoming_offset < r->incoming.bytes)
        return;
    if (not_needed(r, &r->incoming)) /* entries came meanwhile; it is left where it is */
        learn_from(r, &r->incoming);
    else
        r->incoming_complete = true;
}

static void install(struct raft *r)
{
    const struct raft_snapshot *s = &r->incoming;
    ASSERT(!not_needed(r, s) && r->applying == r->applied);
    raft_log_reset(r, s->index, s->term);
    r->commit = r->applied = r->applying = s->index;
    r->saved = *s;
    r->reset_owed = true;
    r->conf_last = r->conf_committed = s->index; /* changes in the old log are void, or covered */
    raft_conf_set(r, &s->conf, s->index);
    r->counters.snapshots_installed++;
    if (r->role != RAFT_FOLLOWER || !raft_is_somebody(r->leader))
        return;
    r->verified = s->index;
    r->ack_owed = true;
}

void raft_snapshot_installed(struct raft *r, bool ok)
{
    ASSERT(r->incoming_complete && r->install_given);
    r->incoming_complete = r->install_given = false;
    if (ok)
        install(r);
    r->incoming = (struct raft_snapshot){.index = 0};
    r->incoming_offset = 0;
}
