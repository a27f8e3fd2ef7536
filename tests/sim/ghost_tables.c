/* What must always hold of the tables: whoever applies an entry first is watched, and what comes of it is compared with
 * what was known before; the others come to the same state (ghost.c). Clients and their leases: client.c. */
#include <base/assert.h>
#include <base/transaction.h>

#include "sim.h"

#define MUST(condition, ...)                                                                                           \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            violation(EXIT_CORRECTNESS, __VA_ARGS__);                                                                  \
    } while (0)
typedef unsigned long long ull;

#define EVENTS_MAX 256u
static struct tables_event events[EVENTS_MAX]; /* of the entry being applied */
static uint32_t event_count;
static uint64_t applied_to; /* by anybody */
static bool first;
static uint64_t newest_fence, newest_sequence, cluster_ns;

/* The one holder of a lock that is always exclusive; fence 0: nobody. */
struct holder {
    const char *lock;
    uint64_t fence, ticket;
};
static struct holder guard = {.lock = GUARD}, elected = {.lock = "ele0"};
/* The election's lock-delay, by cluster time. */
static uint64_t delays[4096], free_at_ns; /* delays: by ticket of the request */

/* When cluster time was first seen, here and there. */
static uint64_t began_ns, began_cluster_ns;

static bool is_named(struct tables_text text, const char *name)
{
    return text.bytes == strlen(name) && memcmp(text.at, name, text.bytes) == 0;
}

static void take_event(void *context, const struct tables_event *event)
{
    (void)context;
    if (!first)
        return;
    ASSERT(event_count < EVENTS_MAX);
    events[event_count++] = *event;
}

void ghost_tables_watch(struct node *n)
{
    n->watcher = (struct tables_watcher){.event = take_event, .context = n};
    tables_watch(n->tables, &n->watcher);
}

void ghost_tables_before(struct node *n, uint64_t index)
{
    (void)n;
    first = index > applied_to;
    event_count = 0;
}

/* ---- locks ---- */

static bool alone(uint32_t mode)
{
    return mode == TABLES_EXCLUSIVE || mode == TABLES_CANDIDATE;
}

static void check_holder(const struct tables *t, const struct tables_lock_view *lock,
                         const struct tables_request_view *r, uint32_t waiters_before)
{
    const struct tables_node *row = tables_node(t, r->node);
    MUST(row != NULL && row->live, "%.*s has a request of a node whose lease ended", (int)lock->name_bytes, lock->name);
    if (r->fence == 0)
        return;
    MUST(waiters_before == 0, "%.*s was granted out of turn: ticket %llu holds it, and one before it waits",
         (int)lock->name_bytes, lock->name, (ull)r->ticket);
    MUST(!alone(r->mode) || lock->holders == 1, "%.*s is held by %u, and one of them wants it alone",
         (int)lock->name_bytes, lock->name, lock->holders);
}

/* Could the first of the line hold it already? */
static bool is_kept_waiting(const struct tables_lock_view *lock, uint32_t mode)
{
    if (lock->delayed)
        return false;
    if (mode == TABLES_PARTY)
        return lock->waiters >= lock->permits;
    if (mode == TABLES_PERMIT)
        return lock->holders < lock->permits;
    return lock->holders == 0 || (mode == TABLES_SHARED && lock->mode == TABLES_SHARED);
}

static void check_lock(const struct tables *t, const struct tables_lock_view *lock)
{
    struct tables_request_view r = {.ticket = 0};
    uint32_t holders = 0, waiters = 0, first_mode = 0;
    while (tables_request_next(t, r.ticket, &r)) {
        if (r.lock_name.bytes != lock->name_bytes || memcmp(r.lock_name.at, lock->name, lock->name_bytes) != 0)
            continue;
        check_holder(t, lock, &r, waiters);
        holders += r.fence != 0;
        waiters += r.fence == 0;
        if (waiters == 1 && r.fence == 0)
            first_mode = r.mode;
    }
    MUST(holders == lock->holders && waiters == lock->waiters, "%.*s does not know who holds it and waits",
         (int)lock->name_bytes, lock->name);
    MUST(lock->mode != TABLES_PERMIT || holders <= lock->permits, "%.*s has %u permits and %u holders",
         (int)lock->name_bytes, lock->name, lock->permits, holders);
    MUST(waiters == 0 || !is_kept_waiting(lock, first_mode), "the first in the line of %.*s is not served",
         (int)lock->name_bytes, lock->name);
}

static void check_locks(const struct tables *t)
{
    struct tables_lock_view lock = {.name_bytes = 0};
    while (tables_lock_next(t, (struct tables_text){lock.name, lock.name_bytes}, &lock))
        check_lock(t, &lock);
}

static void held_by(struct holder *holder, const struct tables_request_view *r)
{
    if (!is_named(r->lock_name, holder->lock))
        return;
    MUST(holder->fence == 0, "%s is granted, and its holder has neither let it go nor died", holder->lock);
    holder->fence = r->fence;
    holder->ticket = r->ticket;
}

static void granted(const struct tables *t, uint64_t ticket, uint64_t fence_before, uint64_t *newest)
{
    struct tables_request_view r;
    MUST(tables_request(t, ticket, &r) && r.fence != 0, "a request was granted and is none");
    MUST(r.fence > fence_before, "fence %llx is not above %llx, given before", (ull)r.fence, (ull)fence_before);
    if (r.fence > *newest)
        *newest = r.fence;
    held_by(&guard, &r);
    held_by(&elected, &r);
    if (is_named(r.lock_name, elected.lock)) {
        w.s.elected++;
        MUST(cluster_ns >= free_at_ns, "%s is granted %llu ms before its delay is over", elected.lock,
             (ull)((free_at_ns - cluster_ns) / MS));
    }
    w.s.semaphores += r.mode == TABLES_PERMIT;
    w.s.barriers += r.mode == TABLES_PARTY;
    const struct tables_node *row = tables_node(t, r.node);
    uint32_t machine = row != NULL ? machine_of(row->node_id) : MACHINES;
    if (machine > NODES_AT_MOST && machine < MACHINES)
        client_granted(machine - NODES_AT_MOST - 1, r.lock_name, r.mode);
}

/* Ended: by its own unlock or cancel, or with its owner. */
static void let_go(struct holder *holder, uint64_t fence, uint64_t ticket, bool died)
{
    if (holder->fence == 0 || (holder->fence != fence && holder->ticket != ticket))
        return;
    uint64_t delay_ns = delays[holder->ticket % 4096];
    if (holder == &elected && died && delay_ns > 0) {
        free_at_ns = cluster_ns + delay_ns;
        w.s.delays++;
    }
    holder->fence = holder->ticket = 0;
}

static void take_endings(const struct tables_op *op)
{
    for (uint32_t i = 0; i < event_count; i++)
        if (events[i].kind == TABLES_EVENT_LOST) {
            let_go(&guard, events[i].fence, events[i].ticket, true);
            let_go(&elected, events[i].fence, events[i].ticket, true);
        }
    if (op->kind == TABLES_LOCK_CANCEL) {
        let_go(&guard, UINT64_MAX, op->lock_cancel.ticket, false);
        let_go(&elected, UINT64_MAX, op->lock_cancel.ticket, false);
    }
    if (op->kind == TABLES_UNLOCK) {
        let_go(&guard, op->unlock.fence, UINT64_MAX, false);
        let_go(&elected, op->unlock.fence, UINT64_MAX, false);
    }
}

static void take_grants(const struct tables *t, const struct tables_op *op, const struct tables_result *result)
{
    uint64_t before = newest_fence;
    if (op->kind == TABLES_LOCK) {
        delays[result->ticket % 4096] = op->lock.delay_ns;
        if (result->value != 0)
            granted(t, result->ticket, before, &newest_fence);
    }
    for (uint32_t i = 0; i < event_count; i++)
        if (events[i].kind == TABLES_EVENT_GRANTED)
            granted(t, events[i].ticket, before, &newest_fence);
}

/* ---- leases ---- */

static void take_ended_boots(const struct tables *t, const struct tables_op *op)
{
    for (uint32_t i = 0; i < event_count; i++) {
        const struct tables_node *row = tables_node(t, events[i].node);
        uint32_t machine = row != NULL ? machine_of(row->node_id) : MACHINES;
        if (events[i].kind == TABLES_EVENT_NODE_ENDED && machine > NODES_AT_MOST && machine < MACHINES)
            client_ended(machine - NODES_AT_MOST - 1, events[i].boot[0], op->kind == TABLES_EXPIRE);
    }
}

/* Cluster time runs by clocks of leaders: never faster than real time, but for their drift. */
void ghost_renewal(uint64_t proposed_ns)
{
    if (began_ns == 0) {
        began_ns = w.now_ns;
        began_cluster_ns = proposed_ns;
    }
    uint64_t passed_ns = w.now_ns - began_ns, clusters_ns = proposed_ns - began_cluster_ns;
    MUST(!w.good_clocks || proposed_ns <= began_cluster_ns || clusters_ns <= passed_ns + passed_ns / 15 + MS,
         "%llu ms of cluster time passed in %llu ms", (ull)(clusters_ns / MS), (ull)(passed_ns / MS));
}

static void take_renewal(const struct tables *t, const struct tables_op *op)
{
    uint64_t now_ns = tables_time_ns(t);
    w.s.renewals++;
    MUST(now_ns >= cluster_ns, "cluster time falls");
    cluster_ns = now_ns;
    for (uint32_t i = 1; i <= NODES_MAX; i++) {
        const struct tables_node *row = op->renew.nodes >> (i - 1) & 1 ? tables_node(t, i) : NULL;
        uint32_t machine = row != NULL && row->live ? machine_of(row->node_id) : MACHINES;
        if (machine > NODES_AT_MOST && machine < MACHINES)
            client_renewed(machine - NODES_AT_MOST - 1, row->boot_id[0]);
    }
}

/* ---- keys that end with sessions, and transactions ---- */

static uint32_t ephemeral_keys; /* when they were last counted */

/* -> how many there are */
static uint32_t check_ephemeral(const struct tables *t, const char *prefix)
{
    uint32_t count = 0;
    struct tables_key_view key = {.name_bytes = 0};
    struct tables_text begins = {.at = prefix, .bytes = (uint32_t)strlen(prefix)};
    uint64_t process, number;
    for (; tables_key_next(t, begins, (struct tables_text){key.name, key.name_bytes}, &key); count++)
        MUST(key.session != 0 && tables_session(t, key.session, &process, &number), "%.*s has outlived its session",
             (int)key.name_bytes, key.name);
    return count;
}

static uint64_t guard_of(struct tables_text steps, uint32_t *comparisons_out)
{
    struct txn_reader r = {steps.at, steps.bytes, false};
    struct txn_view step;
    uint64_t fence = 0;
    *comparisons_out = 0;
    while (txn_next(&r, &step)) {
        *comparisons_out += step.head.section == TXN_IF;
        if (step.head.kind == TXN_FENCE)
            fence = step.head.number;
    }
    return fence;
}

/* Before the entry's own endings are taken: it has none. */
static void check_txn(const struct tables_op *op, const struct tables_result *result)
{
    uint32_t comparisons;
    uint64_t fence = guard_of(op->txn.steps, &comparisons);
    if (result->err != E_OK)
        return;
    w.s.txns_held += result->number == 1;
    w.s.txns_not += result->number == 0;
    if (fence == 0)
        return;
    MUST(result->number == 0 || fence == guard.fence, "a write guarded by fence %llx is done, and %llx holds the lock",
         (ull)fence, (ull)guard.fence);
    MUST(result->number == 1 || comparisons > 1 || fence != guard.fence,
         "a write guarded by fence %llx is refused, and it holds the lock", (ull)fence);
    w.s.guarded += result->number == 1;
    w.s.stale_guards += fence != guard.fence;
}

static void check_sequence(const struct tables_op *op, const struct tables_result *result)
{
    if (op->key_put.sequential == 0 || result->err != E_OK)
        return;
    MUST(result->number > newest_sequence, "number %llu is given after %llu", (ull)result->number,
         (ull)newest_sequence);
    newest_sequence = result->number;
    w.s.sequences++;
}

/* ---- an entry ---- */

static void check_op(const struct tables *t, const struct tables_op *op, const struct tables_result *result)
{
    if (op->kind == TABLES_TXN)
        check_txn(op, result);
    else if (op->kind == TABLES_KEY_PUT)
        check_sequence(op, result);
    else if (op->kind == TABLES_RENEW)
        take_renewal(t, op);
    if (op->kind == TABLES_CLUSTER_KEY && result->err != E_BAD_MESSAGE && tables_level(t) < 2)
        violation(EXIT_CORRECTNESS, "an operation of level 2 is done at level 1");
    w.s.levels += op->kind == TABLES_LEVEL && result->err == E_OK;
    w.s.joins += op->kind == TABLES_NODE_JOIN && result->err == E_OK;
    w.s.expiries += op->kind == TABLES_EXPIRE && result->err == E_OK;
    if (result->err == E_OK)
        take_endings(op);
    take_grants(t, op, result);
    take_ended_boots(t, op);
    if (op->kind != TABLES_KEY_APPEND && op->kind != TABLES_TXN && op->kind != TABLES_KEY_DELETE) {
        check_locks(t);
        uint32_t count = check_ephemeral(t, "eph") + check_ephemeral(t, "seq");
        w.s.ephemeral_ended += count < ephemeral_keys ? ephemeral_keys - count : 0;
        ephemeral_keys = count;
    }
}

void ghost_tables_after(struct node *n, const struct raft_entry *entry, const struct tables_result *result)
{
    struct tables_op op;
    if (!first)
        return;
    first = false;
    applied_to = entry->index;
    if (entry->type != RAFT_ENTRY_DATA || tables_decode(entry->data, entry->length, &op) != E_OK || result->repeated ||
        (result->err != E_OK && op.kind != TABLES_TXN))
        return;
    check_op(n->tables, &op, result);
}

/* ---- the membership rule ---- */

static bool has_voter_of(const struct raft_conf *conf, uint64_t node)
{
    for (uint32_t i = 0; i < conf->count; i++)
        if (conf->members[i].id.node == node && (conf->members[i].flags & RAFT_VOTER) != 0)
            return true;
    return false;
}

static bool is_wished_away(const struct members_log *log)
{
    return log != NULL &&
           (log->wish == TABLES_WISH_LEARNER || log->wish == TABLES_WISH_DRAINED || log->wish == TABLES_WISH_REMOVED);
}

/* Who gets a vote by itself has been good for as long as the rule says, under the eyes of this leader; but for who
 * takes another's. */
static void check_promoted(const struct members_view *v, const struct members_log *log, bool substitute)
{
    const struct node *leader = node_of(v->self);
    uint64_t least_ns = v->hold_ns / 10 * 9; /* clocks drift */
    MUST(log->wish == TABLES_WISH_NONE || log->wish == TABLES_WISH_VOTER, "node %u gets a vote against its wish",
         log->number);
    if (log->wish == TABLES_WISH_VOTER || substitute || leader == NULL)
        return;
    MUST(!w.good_clocks || w.now_ns - leader->duties.began_ns >= least_ns,
         "node %u gets a vote from one who leads for %llu ms", log->number,
         (ull)((w.now_ns - leader->duties.began_ns) / MS));
}

void ghost_rule(const struct members_view *v, const struct members_decision *d)
{
    struct raft_conf next;
    uint32_t heard = 0, voters = 0, gone = 0, before = 0;
    if (raft_conf_apply(v->conf, &d->what, &next, NULL) != E_OK)
        return;
    for (uint32_t i = 0; i < v->conf->count; i++) {
        const struct raft_member *m = &v->conf->members[i], *then = raft_conf_member(&next, m->id);
        const struct members_log *log = members_find(v, m->id);
        if ((m->flags & RAFT_VOTER) == 0)
            continue;
        before++;
        if (then != NULL && (then->flags & RAFT_VOTER) != 0)
            continue;
        gone++;
        MUST(is_wished_away(log) || has_voter_of(&next, m->id.node),
             "the rule takes the vote of node %llu away by itself", (ull)m->id.node);
        w.s.votes_back += has_voter_of(&next, m->id.node);
    }
    for (uint32_t i = 0; i < next.count; i++) {
        const struct raft_member *m = &next.members[i], *was = raft_conf_member(v->conf, m->id);
        const struct members_log *log = members_find(v, m->id);
        if ((m->flags & RAFT_VOTER) == 0)
            continue;
        voters++;
        heard += log != NULL && log->heard;
        if (log != NULL && (was == NULL || (was->flags & RAFT_VOTER) == 0))
            check_promoted(v, log, gone > 0 && !has_voter_of(v->conf, m->id.node));
    }
    MUST(heard > voters / 2, "the rule makes %u voters, of whom %u are heard", voters, heard);
    MUST(voters >= before || gone > 0, "the rule shrinks the voters");
}
