/* What must always hold, watched from outside. The ghost knows what every node did in all its lives. */
#include <base/assert.h>
#include <base/crc32c.h>

#include "sim.h"

/* ---- memory ---- */

struct committed {
    uint64_t by_term; /* of who declared it */
    uint64_t term, state_hash;
    uint32_t sum;
    bool hashed;
};
static struct committed *log_; /* by index */
static uint64_t committed_to, log_room;

/* Entries ever written, by (index, term): two logs that share one are equal up to it. Open addressing. */
struct written {
    uint64_t index, term, term_before;
    uint32_t sum;
};
static struct written *seen;
static size_t seen_room, seen_count;

struct led {
    uint64_t term;
    struct raft_id leader;
};
static struct led *led;
static size_t led_count, led_room;

struct voted {
    struct raft_id voter, for_;
    uint64_t term;
};
static struct voted *voted;
static size_t voted_count, voted_room;

static struct {
    struct raft_conf conf;
    uint64_t index;
} * confs; /* as the committed entries make them */
static size_t conf_count;

#define MUST(condition, ...)                                                                                           \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            violation(EXIT_CORRECTNESS, __VA_ARGS__);                                                                  \
    } while (0)
typedef unsigned long long ull;

void ghost_start(void)
{
    log_room = 1 << 16;
    log_ = calloc(log_room, sizeof(*log_));
    seen_room = 1 << 17;
    seen = calloc(seen_room, sizeof(*seen));
    committed_to = 1; /* genesis */
    log_[1].term = 1;
}

uint64_t ghost_committed(void)
{
    return committed_to;
}
const struct raft_conf *ghost_conf_now(void)
{
    return &confs[conf_count - 1].conf;
}
uint64_t ghost_conf_index(void)
{
    return confs[conf_count - 1].index;
}
const struct raft_conf *ghost_conf_before(uint32_t back)
{
    return back < CONFS_KEPT && back < conf_count ? &confs[conf_count - 1 - back].conf : NULL;
}

static uint32_t sum_of(const struct raft_entry *entry)
{
    return crc32c(entry->type, entry->data, entry->length);
}

/* ---- log matching ---- */

static struct written *seen_find(uint64_t index, uint64_t term)
{
    size_t at = (index * 0x9e3779b97f4a7c15ull ^ term * 0xc2b2ae3d27d4eb4full) >> 20;
    for (;; at++) {
        struct written *s = &seen[at & (seen_room - 1)];
        if (s->index == 0 || (s->index == index && s->term == term))
            return s;
    }
}

static void seen_grow(void)
{
    struct written *old = seen;
    size_t old_room = seen_room;
    seen_room *= 2;
    seen = calloc(seen_room, sizeof(*seen));
    for (size_t i = 0; i < old_room; i++)
        if (old[i].index != 0)
            *seen_find(old[i].index, old[i].term) = old[i];
    free(old);
}

/* A node wrote an entry: it must be what every other node has at this index and term, also before it. */
void ghost_persist(struct node *n, uint64_t index)
{
    struct raft_entry entry;
    uint64_t before;
    ASSERT(raft_entry_at(n->raft, index, &entry) && raft_term_at(n->raft, index - 1, &before));
    struct written *s = seen_find(index, entry.term);
    if (s->index != 0) {
        MUST(s->sum == sum_of(&entry) && s->term_before == before,
             "node %u: entry %llu of term %llu differs from another's", n->number, (ull)index, (ull)entry.term);
        return;
    }
    *s = (struct written){.index = index, .term = entry.term, .term_before = before, .sum = sum_of(&entry)};
    if (++seen_count * 2 > seen_room)
        seen_grow();
}

/* A restarted node found a record on its disk: it was written so, by somebody. */
void ghost_restored(const struct logformat_record *record)
{
    const struct written *s = seen_find(record->index, record->term);
    MUST(s->index != 0 && s->sum == crc32c(record->type, record->payload, record->bytes),
         "a disk has an entry %llu of term %llu that nobody wrote", (ull)record->index, (ull)record->term);
}

/* ---- commit ---- */

/* Logs that were lost with their disks had been durable when they were acknowledged. */
static struct {
    struct raft_id id;
    uint64_t last;
} lost[1024];
static uint32_t lost_count;

void ghost_wipe(struct node *n)
{
    uint64_t last = n->disk.has_snapshot && n->disk.snapshot.index > n->disk.durable_last ? n->disk.snapshot.index
                                                                                          : n->disk.durable_last;
    if (lost_count < sizeof(lost) / sizeof(lost[0])) {
        lost[lost_count].id = n->id;
        lost[lost_count++].last = last;
    }
}

static bool had(struct raft_id id, uint64_t index)
{
    const struct node *n = node_of(id);
    for (uint32_t i = 0; n == NULL && i < lost_count; i++)
        if (raft_id_equal(lost[i].id, id) && index <= lost[i].last)
            return true;
    return n != NULL && (disk_has(n, index) || (n->disk.repairing && index <= n->disk.once_durable));
}

static uint32_t durable_of_half(const struct raft_conf *c, uint32_t flag, uint64_t index, uint32_t *voters_out)
{
    uint32_t durable = 0;
    *voters_out = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        if ((c->members[i].flags & flag) == 0)
            continue;
        ++*voters_out;
        durable += had(c->members[i].id, index);
    }
    return durable;
}

/* What a leader declares committed is on stable storage of a quorum: what it counts, and what is really there. */
static void check_durable(struct node *n, uint64_t index)
{
    uint32_t voters, durable = durable_of_half(&n->raft->conf, RAFT_VOTER, index, &voters);
    MUST(durable > voters / 2, "leader %u commits %llu, which %u of %u voters have durable", n->number, (ull)index,
         durable, voters);
    durable = durable_of_half(&n->raft->conf, RAFT_VOTER_OLD, index, &voters);
    MUST(voters == 0 || durable > voters / 2, "leader %u commits %llu without a quorum of the old voters", n->number,
         (ull)index);
}

static void conf_committed(const struct raft_entry *entry);

static void commit_one(struct node *n, uint64_t index)
{
    struct raft_entry entry;
    if (!raft_entry_at(n->raft, index, &entry))
        return; /* covered by a snapshot; compared by state hash */
    if (index <= committed_to) {
        MUST(log_[index].term == entry.term && log_[index].sum == sum_of(&entry),
             "node %u commits another entry %llu (term %llu, not %llu)", n->number, (ull)index, (ull)entry.term,
             (ull)log_[index].term);
        return;
    }
    MUST(index == committed_to + 1, "node %u commits %llu, others only %llu", n->number, (ull)index, (ull)committed_to);
    if (index >= log_room) {
        log_ = realloc(log_, 2 * log_room * sizeof(*log_));
        memset(log_ + log_room, 0, log_room * sizeof(*log_));
        log_room *= 2;
    }
    log_[index] = (struct committed){.term = entry.term, .by_term = n->raft->term, .sum = sum_of(&entry)};
    committed_to = index;
    w.s.commits++;
    if (entry.type == RAFT_ENTRY_CONF)
        conf_committed(&entry);
}

static void check_commit(struct node *n)
{
    const struct raft *r = n->raft;
    MUST(r->commit >= n->seen_commit, "node %u: commit index falls from %llu to %llu", n->number, (ull)n->seen_commit,
         (ull)r->commit);
    if (r->commit == n->seen_commit)
        return;
    if (r->role == RAFT_LEADER && r->commit > committed_to)
        survivors_committed(n);
    if (r->role == RAFT_LEADER && r->commit > committed_to)
        check_durable(n, r->commit);
    if (r->role == RAFT_LEADER)
        nemesis_promised(n);
    if (r->role == RAFT_LEADER && n->seen_commit < r->term_start)
        nemesis_leads(n);
    trace_json(n, "Commit");
    for (uint64_t i = n->seen_commit + 1; i <= r->commit; i++)
        commit_one(n, i);
    n->seen_commit = r->commit;
}

/* ---- elections ---- */

/* Whose votes were late learns that it leads when a later term has gone on without it. */
static uint64_t committed_before(uint64_t term)
{
    uint64_t index = committed_to;
    while (index > 0 && log_[index].by_term >= term)
        index--;
    return index;
}

static void check_new_leader(struct node *n)
{
    const struct raft *r = n->raft;
    w.s.leaders++;
    nemesis_promised(n);
    nemesis_leads(n);
    trace("node %u leads term %llu, last %llu, commit %llu", n->number, (ull)r->term, (ull)r->last, (ull)r->commit);
    for (size_t i = 0; i < led_count; i++)
        MUST(led[i].term != r->term, "two leaders of term %llu: %llu and %u", (ull)r->term, (ull)led[i].leader.node,
             n->number);
    if (led_count == led_room)
        led = realloc(led, (led_room = led_room ? 2 * led_room : 256) * sizeof(*led));
    led[led_count++] = (struct led){.term = r->term, .leader = n->id};
    uint64_t term, index = committed_before(r->term);
    MUST(r->last >= index, "leader %u of term %llu has entries up to %llu, committed are %llu", n->number, (ull)r->term,
         (ull)r->last, (ull)index);
    if (index > 0 && raft_term_at(r, index, &term))
        MUST(term == log_[index].term, "leader %u of term %llu lacks committed entry %llu", n->number, (ull)r->term,
             (ull)index);
}

static void vote_sent(struct node *n, const struct raft_message *m)
{
    for (size_t i = 0; i < voted_count; i++)
        if (voted[i].term == m->term && raft_id_equal(voted[i].voter, n->id)) {
            MUST(raft_id_equal(voted[i].for_, m->to), "node %u votes twice in term %llu", n->number, (ull)m->term);
            return;
        }
    if (voted_count == voted_room)
        voted = realloc(voted, (voted_room = voted_room ? 2 * voted_room : 256) * sizeof(*voted));
    voted[voted_count++] = (struct voted){.voter = n->id, .for_ = m->to, .term = m->term};
}

/* ---- messages ---- */

static void check_campaign(struct node *n)
{
    const struct raft *r = n->raft;
    struct raft_entry entry;
    for (uint64_t i = r->applied + 1; i <= r->commit; i++)
        MUST(!raft_entry_at(r, i, &entry) || entry.type != RAFT_ENTRY_CONF,
             "node %u campaigns before it has applied the change of the configuration at %llu", n->number, (ull)i);
}

/* Until the newest change: what was about to be sent when it was applied still goes out. */
static bool was_member(struct raft_id id)
{
    const struct raft_conf *before = ghost_conf_before(1);
    return before != NULL && raft_conf_member(before, id) != NULL;
}

void ghost_send(struct node *n, const struct raft_message *m)
{
    const struct raft *r = n->raft;
    if (m->type == RAFT_MSG_VOTE_REPLY && !m->reject) {
        MUST(n->disk.durable_term >= m->term, "node %u votes in term %llu, which is not durable", n->number,
             (ull)m->term);
        vote_sent(n, m);
    }
    if (m->type == RAFT_MSG_VOTE)
        MUST(n->disk.durable_term >= m->term, "node %u asks for votes in term %llu, which is not durable", n->number,
             (ull)m->term);
    if (m->type == RAFT_MSG_VOTE)
        check_campaign(n);
    if ((m->type == RAFT_MSG_APPEND_REPLY || m->type == RAFT_MSG_VOTE_REPLY) && !m->reject)
        nemesis_promised(n);
    if (m->type == RAFT_MSG_APPEND_REPLY && !m->reject) {
        MUST(disk_has(n, m->index), "node %u acknowledges %llu, which is not durable", n->number, (ull)m->index);
        MUST(n->disk.durable_term >= m->term, "node %u acknowledges in term %llu, which is not durable", n->number,
             (ull)m->term);
    }
    if (m->type == RAFT_MSG_APPEND || m->type == RAFT_MSG_HEARTBEAT || m->type == RAFT_MSG_SNAPSHOT)
        MUST(r->role != RAFT_LEADER || raft_conf_member(&r->conf, m->to) != NULL || was_member(m->to),
             "leader %u sends to somebody who is no member", n->number);
    if (m->term > n->promised_term && m->type != RAFT_MSG_PREVOTE && m->type != RAFT_MSG_PREVOTE_REPLY)
        n->promised_term = n->disk.durable_term < m->term ? n->promised_term : m->term;
}

/* ---- applying ---- */

void ghost_apply(struct node *n, const struct raft_entry *entry)
{
    MUST(entry->index <= committed_to, "node %u applies %llu, which is not committed", n->number, (ull)entry->index);
    MUST(disk_has(n, entry->index), "node %u applies %llu, which is not durable there", n->number, (ull)entry->index);
    MUST(log_[entry->index].term == entry->term && log_[entry->index].sum == sum_of(entry),
         "node %u applies another entry %llu", n->number, (ull)entry->index);
    if (entry->index % w.p.hash_every != 0)
        return;
    uint64_t hash = tables_hash(n->tables);
    struct committed *c = &log_[entry->index];
    MUST(!c->hashed || c->state_hash == hash, "node %u has another state after %llu", n->number, (ull)entry->index);
    w.s.hashes += c->hashed;
    c->hashed = true;
    c->state_hash = hash;
}

/* ---- configurations ---- */

static bool halves_meet(const struct raft_conf *a, uint32_t flag_a, const struct raft_conf *b, uint32_t flag_b)
{
    uint32_t in_a = 0, in_b = 0, both = 0;
    for (uint32_t i = 0; i < a->count; i++)
        in_a += (a->members[i].flags & flag_a) != 0;
    for (uint32_t i = 0; i < b->count; i++) {
        if ((b->members[i].flags & flag_b) == 0)
            continue;
        in_b++;
        const struct raft_member *other = raft_conf_member(a, b->members[i].id);
        both += other != NULL && (other->flags & flag_a) != 0;
    }
    /* The smallest majorities, with as little as possible in common. */
    return in_a > 0 && in_b > 0 && in_a / 2 + 1 + in_b / 2 + 1 > in_a + in_b - both;
}

/* Any quorum of one and any of the next have a voter in common. */
static bool quorums_meet(const struct raft_conf *a, const struct raft_conf *b)
{
    const uint32_t flags[2] = {RAFT_VOTER, RAFT_VOTER_OLD};
    for (uint32_t i = 0; i < 4; i++)
        if (halves_meet(a, flags[i & 1], b, flags[i >> 1]))
            return true;
    return false;
}

static void conf_add(const struct raft_conf *conf, uint64_t index)
{
    confs = realloc(confs, (conf_count + 1) * sizeof(*confs));
    confs[conf_count].conf = *conf;
    confs[conf_count++].index = index;
}

void ghost_genesis(const struct raft_conf *first)
{
    conf_add(first, 1);
}

static void conf_committed(const struct raft_entry *entry)
{
    struct raft_conf_change change;
    struct raft_conf next;
    if (raft_conf_change_decode(entry->data, entry->length, &change) != E_OK ||
        raft_conf_apply(ghost_conf_now(), &change, &next, NULL) != E_OK)
        return;
    MUST(quorums_meet(ghost_conf_now(), &next), "configurations %llu and %llu can decide apart",
         (ull)confs[conf_count - 1].index, (ull)entry->index);
    conf_add(&next, entry->index);
    w.s.conf_changes++;
}

/* A log that agrees with a snapshot at its index may have acknowledged what comes after it. */
void ghost_install(const struct node *n, const struct raft_snapshot *snapshot)
{
    uint64_t term;
    MUST(!raft_term_at(n->raft, snapshot->index, &term) || term != snapshot->term,
         "node %u installs the snapshot of %llu over a log that has it and ends at %llu", n->number,
         (ull)snapshot->index, (ull)n->raft->last);
}

/* A node has a configuration: it must be the one of its index. */
void ghost_conf(struct node *n)
{
    const struct raft *r = n->raft;
    if (r->conf.count == 0)
        return;
    size_t at = conf_count - 1;
    while (at > 0 && confs[at].index > r->applied)
        at--;
    MUST(raft_conf_equal(&r->conf, &confs[at].conf),
         "node %u, applied %llu, has another configuration than that of %llu", n->number, (ull)r->applied,
         (ull)confs[at].index);
}

static void check_one_pending_change(struct node *n)
{
    const struct raft *r = n->raft;
    uint32_t pending = 0;
    struct raft_entry entry;
    if (r->role != RAFT_LEADER || r->conf_last <= r->applied)
        return;
    for (uint64_t i = r->applied + 1; i <= r->last; i++)
        pending += raft_entry_at(r, i, &entry) && entry.type == RAFT_ENTRY_CONF && entry.term == r->term;
    MUST(pending <= 1, "leader %u has %u changes of the configuration under way", n->number, pending);
}

/* ---- every step ---- */

/* What the core did by itself, in the order that it did it. */
static void tell_trace(struct node *n)
{
    static const char *const becomes[] = {"BecomeFollower", NULL, "BecomeCandidate", "BecomeLeader"};
    const struct raft *r = n->raft;
    if (r->role == RAFT_LEADER && n->seen_role != RAFT_LEADER)
        trace_json_self(n, RAFT_MSG_VOTE_REPLY, 0);
    if (r->role != n->seen_role && becomes[r->role] != NULL)
        trace_json(n, becomes[r->role]);
    for (uint64_t i = n->seen_last + 1; r->role == RAFT_LEADER && i <= r->last; i++)
        trace_json_appended(n, i);
    if (r->role == RAFT_LEADER && r->stable > n->seen_stable)
        trace_json_self(n, RAFT_MSG_APPEND_REPLY, r->stable);
    n->seen_last = r->last;
    n->seen_stable = r->stable;
}

/* Others might go on to follow a leader that cannot keep anything. */
static void check_writing_leader(const struct node *n)
{
    const struct raft *r = n->raft;
    if (r->role == RAFT_LEADER && r->persist_count > 0)
        MUST(r->now_ns - r->persists[r->persist_head].since_ns < r->config.stall_ns,
             "node %u leads, and its log writes have stalled", n->number);
}

void ghost_step(struct node *n)
{
    const struct raft *r = n->raft;
    MUST(r->term >= n->seen_term, "node %u: term falls from %llu to %llu", n->number, (ull)n->seen_term, (ull)r->term);
    MUST(r->applied >= n->seen_applied, "node %u: applied index falls", n->number);
    MUST(r->last - r->base <= r->memory.slot_count, "node %u: the log window overflows", n->number);
    n->seen_term = r->term;
    n->seen_applied = r->applied;
    tell_trace(n);
    check_commit(n);
    if (r->role == RAFT_LEADER && n->seen_role != RAFT_LEADER)
        check_new_leader(n);
    if (r->role != n->seen_role)
        trace("node %u: role %u, term %llu, last %llu, timeout %llu ms", n->number, r->role, (ull)r->term, (ull)r->last,
              (ull)(r->election_timeout_ns / MS));
    if (r->role == RAFT_CANDIDATE && n->seen_role != RAFT_CANDIDATE)
        w.s.elections++;
    n->seen_role = r->role;
    check_one_pending_change(n);
    check_writing_leader(n);
    survivors_step();
}

/* A restarted node knows every term that it promised anything in. */
void ghost_restart(struct node *n)
{
    MUST(n->raft->term >= n->promised_term, "node %u restarts in term %llu after promises in %llu", n->number,
         (ull)n->raft->term, (ull)n->promised_term);
    n->seen_term = n->raft->term;
    n->seen_applied = n->raft->applied;
    n->seen_commit = n->raft->commit;
    n->seen_last = n->raft->last;
    n->seen_stable = n->raft->stable;
    n->seen_role = RAFT_FOLLOWER;
    trace_json(n, "InitState");
}
