/* The configuration in force: it changes when an entry is applied. */
#include "core.h"

bool raft_conf_unapplied(const struct raft *r)
{
    return r->conf_committed > r->applied;
}

static bool is_member_at(const struct raft_conf *conf, struct raft_id id, uint32_t at)
{
    return at < conf->count && raft_id_equal(conf->members[at].id, id);
}

static void insert_peer(struct raft *r, uint32_t count, uint32_t at, struct raft_id id)
{
    memmove(&r->peers[at + 1], &r->peers[at], (count - at) * sizeof(r->peers[0]));
    r->peers[at] = (struct raft_peer){.id = id, .next = r->last + 1, .heard_ns = r->now_ns};
}

/* Peers stand beside members. Who stays keeps its progress. */
static void move_peers(struct raft *r, const struct raft_conf *from, const struct raft_conf *to)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < from->count; i++)
        if (raft_conf_member(to, from->members[i].id) != NULL)
            r->peers[kept++] = r->peers[i];
    for (uint32_t i = 0; i < to->count; i++) {
        if (i < kept && raft_id_equal(r->peers[i].id, to->members[i].id))
            continue;
        insert_peer(r, kept, i, to->members[i].id);
        kept++;
    }
    ASSERT(kept == to->count);
    for (uint32_t i = 0; i < to->count; i++)
        ASSERT(is_member_at(to, r->peers[i].id, i));
}

void raft_conf_set(struct raft *r, const struct raft_conf *conf, uint64_t index)
{
    ASSERT(raft_conf_valid(conf) && index >= r->conf_index);
    move_peers(r, &r->conf, conf);
    r->conf = *conf;
    r->conf_index = index;
    if (r->conf_last < index)
        r->conf_last = index;
    if (r->conf_committed < index)
        r->conf_committed = index;
    memset(r->votes, RAFT_VOTE_NONE, sizeof(r->votes));
    r->conf_changed = true;
    r->counters.conf_changes++;
}

/* A leader that is no voter any more has one service left to do. The change that says so is committed, but the others
 * may not know that, and act by the configuration before it, in which this one's vote may be needed; and that it may
 * have to refuse, since its log is the longer. So it leads until an entry is committed that went out with the news:
 * then a quorum of the new voters knows. */
static void begin_farewell(struct raft *r)
{
    if (!raft_log_room(r, 0, 0)) {
        raft_become_follower(r, r->term, RAFT_NOBODY);
        return;
    }
    raft_log_append(r, r->term, RAFT_ENTRY_NOOP, NULL, 0);
    r->farewell = r->last;
}

static void end_farewell(struct raft *r)
{
    if (r->role == RAFT_LEADER && r->applied >= r->farewell && !raft_conf_is_voter(&r->conf, r->config.id))
        raft_become_follower(r, r->term, RAFT_NOBODY);
}

static void leader_after_change(struct raft *r)
{
    if (!raft_conf_is_voter(&r->conf, r->config.id))
        begin_farewell(r);
    if (r->role != RAFT_LEADER)
        return;
    if (raft_is_somebody(r->transferee) && !raft_conf_is_voter(&r->conf, r->transferee))
        r->transferee = RAFT_NOBODY;
    raft_maybe_commit(r); /* the quorum may be smaller now */
}

/* The entry at `index` is applied. A change that does not fit the configuration (decided alike on every node) is void.
 */
void raft_conf_activate(struct raft *r, uint64_t index)
{
    struct raft_entry entry;
    struct raft_conf_change change;
    struct raft_conf next;
    bool known = raft_entry_at(r, index, &entry);
    ASSERT(known && entry.type == RAFT_ENTRY_CONF);
    if (raft_conf_change_decode(entry.data, entry.length, &change) != E_OK || r->conf.count == 0 ||
        raft_conf_apply(&r->conf, &change, &next, NULL) != E_OK)
        return;
    raft_conf_set(r, &next, index);
    if (r->role == RAFT_LEADER)
        leader_after_change(r);
}

void raft_maybe_leave_joint(struct raft *r)
{
    if (r->role != RAFT_LEADER || !r->conf.auto_leave || r->applied < r->conf_barrier)
        return;
    struct raft_conf_change leave = {.mode = RAFT_CHANGE_LEAVE};
    uint64_t index, term;
    raft_propose_conf(r, &leave, &index, &term, NULL); /* refused for now: tried again at the next update */
}

void raft_applied(struct raft *r, uint64_t index)
{
    ASSERT(index == r->applying && index > r->applied);
    uint64_t from = r->applied + 1;
    r->applied = index;
    if (r->conf_committed >= from)
        for (uint64_t i = from; i <= index; i++)
            if (raft_log_slot(r, i)->type == RAFT_ENTRY_CONF)
                raft_conf_activate(r, i);
    end_farewell(r);
}
