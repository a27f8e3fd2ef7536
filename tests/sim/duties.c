/* What a leader does beside leading: it hears machines, renews and ends their leases, and changes the members. The
 * rules are the kernel's (kernel/cluster/lease.c, members.c); what stands here is what kernel/cluster/node_lead.c and
 * node_members.c are there, with reports instead of links. */
#include <base/assert.h>

#include "sim.h"

#define LOOK_NS    (100 * MS)
#define HOLD_NS    (2 * SECOND) /* of the membership rule: 60 seconds hold many changes */
#define REST_NS    SECOND
#define BEHIND_MAX 8u

/* ---- machines ---- */

uint32_t machine_of(const uint64_t node_id[2])
{
    if (node_id[0] >= CLIENT_ID && node_id[0] < CLIENT_ID + w.p.clients)
        return NODES_AT_MOST + 1 + (uint32_t)(node_id[0] - CLIENT_ID);
    return node_id[0] >= 1 && node_id[0] <= w.p.nodes ? (uint32_t)node_id[0] : MACHINES;
}

static bool is_client(uint32_t machine)
{
    return machine > NODES_AT_MOST;
}

void duties_start(void)
{
    for (uint32_t i = 1; i <= w.p.nodes; i++)
        event_add(rng_below(REPORT_NS), EVENT_BEAT, i, 0, NULL, 0);
    for (uint32_t i = 0; i < w.p.clients; i++)
        event_add(rng_below(REPORT_NS), EVENT_BEAT, NODES_AT_MOST + 1 + i, 0, NULL, 0);
}

static bool reaches(uint32_t machine, uint32_t node)
{
    if (is_client(machine))
        return !w.unreachable[node] && client_hears(machine - NODES_AT_MOST - 1, node) &&
               (w.calm || !rng_chance(w.p.client_loss));
    return machine != node && !w.cut[machine][node] && (w.calm || !rng_chance(w.p.loss));
}

void duties_send(uint32_t machine, uint64_t boot, uint64_t log, uint64_t stamp_ns)
{
    struct report report = {.machine = machine,
                            .asked = (uint32_t)rng_between(1, w.p.nodes),
                            .boot = boot,
                            .log = log,
                            .stamp_ns = stamp_ns};
    for (uint32_t i = 1; i <= w.p.nodes; i++) {
        if (!reaches(machine, i))
            continue;
        struct report *copy = malloc(sizeof(*copy));
        *copy = report;
        event_add(client_delay(), EVENT_REPORT, i, 0, copy, sizeof(*copy));
    }
}

void duties_beat(uint32_t machine)
{
    const struct node *n = &w.nodes[machine];
    if (is_client(machine))
        clients_beat(machine);
    else if (n->up && n->paused_until_ns <= w.now_ns)
        duties_send(machine, n->life, n->id.log, node_local_time(n));
    event_add(REPORT_NS, EVENT_BEAT, machine, 0, NULL, 0);
}

static void tell_client(const struct node *n, uint32_t machine, const struct notice *notice)
{
    if (!reaches(machine, n->number))
        return;
    struct notice *copy = malloc(sizeof(*copy));
    *copy = *notice;
    event_add(client_delay(), EVENT_NOTICE, machine - NODES_AT_MOST - 1, 0, copy, sizeof(*copy));
}

/* How the row of a client's machine stands here: what a node sees of its own in its own tables. */
static void tell_row(struct node *n, uint32_t machine, uint64_t boot)
{
    const uint64_t id[2] = {CLIENT_ID + machine - NODES_AT_MOST - 1, 0};
    const struct tables_node *row = tables_node_by_id(n->tables, id);
    struct notice notice = {.row = true, .boot = boot};
    if (row == NULL || !row->live || row->boot_id[0] != boot || !raft_term_at(n->raft, row->renewal, &notice.term))
        return;
    notice.index = row->renewal;
    tell_client(n, machine, &notice);
}

/* What a boot says of itself; what comes of an earlier one says nothing that counts any more. */
static uint32_t level_of(uint32_t machine, uint64_t boot)
{
    if (is_client(machine))
        return TABLES_LEVEL_NOW;
    return w.nodes[machine].life == boot ? w.nodes[machine].level : 1;
}

/* Links are sessions between boots, and in order. */
void duties_report(struct node *n, const struct report *report)
{
    struct seen *seen = &n->seen[report->machine];
    if (seen->known && (report->boot < seen->boot || (report->boot == seen->boot && report->stamp_ns < seen->stamp_ns)))
        return;
    *seen = (struct seen){
        true, report->boot, report->log, report->stamp_ns, node_local_time(n), level_of(report->machine, report->boot)};
    if (is_client(report->machine) && report->asked == n->number)
        tell_row(n, report->machine, report->boot);
}

void duties_linked(struct node *n, struct raft_id from, uint64_t boot)
{
    struct seen *seen = &n->seen[from.node];
    if (!seen->known || boot > seen->boot)
        *seen = (struct seen){true, boot, from.log, 0, node_local_time(n), level_of((uint32_t)from.node, boot)};
}

/* ---- time and leases ---- */

static const struct seen *seen_now(const struct node *n, uint32_t machine)
{
    const struct seen *seen = &n->seen[machine];
    if (w.calm && !is_client(machine) && w.broken[machine])
        return NULL; /* that nothing comes of it any more is known by now */
    return seen->known && node_local_time(n) - seen->heard_ns < SILENCE_NS ? seen : NULL;
}

static bool is_present(const struct node *n, const struct tables_node *row)
{
    uint32_t machine = machine_of(row->node_id);
    if (machine == n->number)
        return row->boot_id[0] == n->life;
    const struct seen *seen = machine < MACHINES ? seen_now(n, machine) : NULL;
    return seen != NULL && seen->boot == row->boot_id[0];
}

static uint64_t who_is_present(const struct node *n)
{
    uint64_t present = 0;
    for (uint32_t i = 1; i <= NODES_MAX; i++) {
        const struct tables_node *row = tables_node(n->tables, i);
        if (row != NULL && is_present(n, row))
            present |= 1ull << (i - 1);
    }
    return present;
}

static bool propose(struct node *n, const struct tables_op *op, uint64_t *index_out, uint64_t *term_out)
{
    uint8_t entry[512];
    size_t bytes = tables_encode(op, entry, sizeof(entry));
    ASSERT(bytes > 0);
    return raft_propose(n->raft, entry, bytes, index_out, term_out) == E_OK;
}

static void renew(struct node *n, uint64_t present)
{
    struct tables_op op;
    struct notice notice = {.row = false};
    lease_renewal(n->tables, present, lease_clock_now(&n->duties.clock, n->tables, node_local_time(n)), &op);
    if (!propose(n, &op, &notice.index, &notice.term))
        return;
    ghost_renewal(op.renew.now_ns);
    for (uint32_t m = NODES_AT_MOST + 1; m < MACHINES; m++) {
        const struct seen *seen = seen_now(n, m);
        if (seen == NULL)
            continue;
        notice.boot = seen->boot;
        notice.stamp_ns = seen->stamp_ns;
        tell_client(n, m, &notice);
    }
}

static void expire(struct node *n, uint64_t present)
{
    struct tables_op op;
    uint64_t index, term;
    for (uint32_t i = 0; (i = lease_expiry(n->tables, present, n->raft->term, i, &op)) != 0;)
        propose(n, &op, &index, &term);
}

void duties_hasty_expiry(struct node *leader)
{
    uint32_t number = (uint32_t)rng_between(1, MACHINES - 1);
    const struct tables_node *row = tables_node(leader->tables, number);
    uint64_t index, term;
    if (row == NULL || !row->live || tables_lease_over(leader->tables, number))
        return;
    struct tables_op op = {.kind = TABLES_EXPIRE,
                           .expire = {.node = number, .renewal = row->renewal, .term = leader->raft->term}};
    memcpy(op.expire.boot_id, row->boot_id, sizeof(op.expire.boot_id));
    propose(leader, &op, &index, &term);
}

/* Nodes take their places in the tables as clients' machines do, but the leader asks for them. */
static void join(struct node *n, uint32_t number)
{
    const struct seen *seen = seen_now(n, number);
    uint64_t boot = number == n->number ? n->life
                    : seen != NULL      ? seen->boot
                                        : 0,
             now_ns = node_local_time(n), index, term;
    const uint64_t id[2] = {number, 0};
    const struct tables_node *row = tables_node_by_id(n->tables, id);
    bool stands = row != NULL && ((row->live && row->boot_id[0] == boot) || row->wish == TABLES_WISH_REMOVED);
    if (boot == 0 || stands || now_ns < n->duties.join_due_ns[number])
        return;
    struct tables_op op = {.kind = TABLES_NODE_JOIN};
    op.node_join.node_id[0] = number;
    op.node_join.log_id[0] = number == n->number ? n->id.log : seen->log;
    op.node_join.boot_id[0] = boot;
    op.node_join.durable = 1;
    op.node_join.wanted = number;
    op.node_join.level = number == n->number ? n->level : seen->level;
    op.node_join.name = (struct tables_text){.at = "node", .bytes = 4};
    propose(n, &op, &index, &term);
    n->duties.join_due_ns[number] = now_ns + SECOND;
}

/* ---- levels ---- */

static bool all_have_rows(const struct node *n)
{
    const struct raft_conf *conf = raft_conf_now(n->raft);
    for (uint32_t i = 0; i < conf->count; i++) {
        const uint64_t id[2] = {conf->members[i].id.node, 0};
        const struct tables_node *row = tables_node_by_id(n->tables, id);
        if (row == NULL || row->log_id[0] != conf->members[i].id.log)
            return false;
    }
    return true;
}

static void raise_level(struct node *n)
{
    struct tables_op op = {.kind = TABLES_LEVEL, .level = {tables_level_possible(n->tables)}};
    uint64_t index, term;
    if (op.level.level > tables_level(n->tables) && all_have_rows(n))
        propose(n, &op, &index, &term);
}

/* Of level 2, and proposed by whoever knows it, also too early. */
void duties_newer_operation(struct node *n)
{
    const uint64_t id[2] = {n->number, 0};
    const struct tables_node *row = tables_node_by_id(n->tables, id);
    uint64_t index, term;
    if (n->level < 2 || row == NULL)
        return;
    bool begin = rng_chance(500000);
    struct tables_op op = {.kind = TABLES_CLUSTER_KEY,
                           .node = row->number,
                           .boot = {row->boot_id[0]},
                           .sequence = w.now_ns,
                           .cluster_key = {begin ? TABLES_KEY_BEGIN : TABLES_KEY_CANCEL, 8, 7, 0}};
    propose(n, &op, &index, &term);
}

/* ---- members: what is known of each log ---- */

static struct members_view view; /* of whoever looks */

static const struct tables_node *row_of(const struct node *n, uint64_t number)
{
    const uint64_t id[2] = {number, 0};
    return tables_node_by_id(n->tables, id);
}

static bool is_lost(const struct node *n, struct raft_id id)
{
    const struct seen *seen = seen_now(n, (uint32_t)id.node);
    const struct tables_node *row = row_of(n, id.node);
    if (id.node == n->number)
        return !raft_id_equal(id, n->id);
    if (seen != NULL)
        return seen->log != id.log;
    return row != NULL && row->log_id[0] != id.log;
}

static uint64_t good_since(struct node *n, uint64_t number, uint64_t boot, bool good)
{
    struct duties *d = &n->duties;
    if (!good || d->good_boot[number] != boot) {
        d->good_boot[number] = good ? boot : 0;
        d->good_since_ns[number] = view.now_ns;
    }
    return good ? d->good_since_ns[number] : MEMBERS_NEVER;
}

static void describe_other(struct node *n, struct members_log *log)
{
    const struct raft_peer *p = raft_peer(n->raft, log->id);
    const struct seen *seen = seen_now(n, (uint32_t)log->id.node);
    bool linked = seen != NULL && seen->log == log->id.log;
    uint64_t silent_ns = p != NULL ? node_local_time(n) - p->heard_ns : 0;
    log->heard = linked && silent_ns < 4 * w.p.election_ns;
    log->behind = p != NULL && p->match < n->raft->commit ? n->raft->commit - p->match : 0;
    log->caught_up = p != NULL && p->state == RAFT_REPLICATE && log->behind <= BEHIND_MAX;
    log->settled = p != NULL && p->match >= n->duties.settled_at;
    log->silent_since_ns = view.now_ns > silent_ns ? view.now_ns - silent_ns : 0;
    log->good_since_ns = MEMBERS_NEVER;
    if (linked)
        log->good_since_ns = good_since(n, log->id.node, seen->boot, log->heard && log->caught_up);
}

static void put_log(struct node *n, struct raft_id id)
{
    const struct tables_node *row = row_of(n, id.node);
    if (members_find(&view, id) != NULL)
        return;
    struct members_log *log = &view.logs[view.count++];
    *log = (struct members_log){.id = id, .number = (uint32_t)id.node, .durable = true, .lost = is_lost(n, id)};
    log->wish = row != NULL ? row->wish : TABLES_WISH_NONE;
    if (!raft_id_equal(id, n->id)) {
        describe_other(n, log);
        return;
    }
    log->heard = log->caught_up = true;
    log->settled = n->raft->stable >= n->duties.settled_at;
    log->good_since_ns = good_since(n, id.node, n->life, true);
}

static uint64_t hash_voters(const struct raft_conf *conf)
{
    uint64_t hash = 1;
    for (uint32_t i = 0; i < conf->count; i++)
        if ((conf->members[i].flags & (RAFT_VOTER | RAFT_VOTER_OLD)) != 0)
            hash = (hash ^ conf->members[i].id.log << 1 ^ conf->members[i].flags) * 0x100000001b3ull;
    return hash;
}

static void note_changes(struct node *n)
{
    struct duties *d = &n->duties;
    uint64_t changes = raft_counters(n->raft)->conf_changes, voters = hash_voters(raft_conf_now(n->raft));
    if (changes != d->changes_seen)
        d->settled_at = n->raft->last + 1;
    if (voters != d->voters_seen)
        d->changed_ns = view.now_ns;
    d->changes_seen = changes;
    d->voters_seen = voters;
}

static void look(struct node *n)
{
    view.conf = raft_conf_now(n->raft);
    view.self = n->id;
    view.hold_ns = HOLD_NS;
    view.rest_ns = REST_NS;
    view.now_ns = node_local_time(n);
    note_changes(n);
    view.changed_ns = n->duties.changed_ns;
    view.busy = n->raft->applied < n->duties.proposed_at;
    view.count = 0;
    view.disks = w.p.nodes;
    for (uint32_t i = 0; i < view.conf->count; i++)
        put_log(n, view.conf->members[i].id);
    for (uint32_t i = 1; i <= w.p.nodes; i++) {
        const struct seen *seen = seen_now(n, i);
        const struct tables_node *row = row_of(n, i);
        if (seen != NULL)
            put_log(n, (struct raft_id){.node = i, .log = seen->log});
        if (row != NULL)
            put_log(n, (struct raft_id){.node = i, .log = row->log_id[0]});
    }
}

static void carry_out(struct node *n, const struct members_decision *d)
{
    uint64_t index, term;
    if (!d->change || raft_propose_conf(n->raft, &d->what, &index, &term, NULL) != E_OK)
        return;
    ghost_rule(&view, d);
    n->duties.proposed_at = index;
    w.s.rule_changes++;
    trace("leader %u: %s", n->number, d->why);
}

/* A leader that is not to lead, or to give up its vote, first finds another. */
static void hand_over(struct node *n)
{
    const struct tables_node *row = row_of(n, n->number);
    const struct members_log *to = members_successor(&view);
    bool unwanted = row != NULL && (row->wish == TABLES_WISH_DRAINED || row->wish == TABLES_WISH_LEARNER);
    if (!unwanted || to == NULL || node_local_time(n) < n->duties.hand_over_due_ns)
        return;
    n->duties.hand_over_due_ns = node_local_time(n) + 5 * SECOND;
    raft_transfer(n->raft, to->id);
}

static void lead_members(struct node *n)
{
    struct members_decision decision;
    uint64_t now_ns = node_local_time(n);
    if (now_ns < n->duties.look_due_ns)
        return;
    n->duties.look_due_ns = now_ns + LOOK_NS;
    look(n);
    members_decide(&view, &decision);
    hand_over(n);
    carry_out(n, &decision);
    for (uint32_t i = 1; i <= w.p.nodes; i++)
        join(n, i);
}

/* ---- operators ---- */

static void wish(struct node *leader, uint32_t number, enum tables_wish what)
{
    struct tables_op op = {.kind = TABLES_NODE_WISH, .node_wish = {number, what}};
    uint64_t index, term;
    propose(leader, &op, &index, &term);
}

/* Rows have numbers of their own. */
static bool may_wish(const struct tables_node *row, enum tables_wish what)
{
    char why[MEMBERS_WHY_BYTES];
    return members_check(&view, (uint32_t)row->node_id[0], what, why) == E_OK;
}

void duties_wish(struct node *leader)
{
    const struct tables_node *row = row_of(leader, rng_between(1, w.p.nodes));
    enum tables_wish what = (enum tables_wish)rng_below(TABLES_WISHES);
    if (!leader->duties.leading || row == NULL || rng_chance(400000)) {
        duties_clear_wishes(leader);
        return;
    }
    look(leader);
    if (!may_wish(row, what))
        return;
    w.s.wishes++;
    trace("node %llu is wished %u", (unsigned long long)row->node_id[0], what);
    wish(leader, row->number, what);
}

void duties_clear_wishes(struct node *leader)
{
    for (uint32_t i = 1; i <= w.p.nodes; i++) {
        const struct tables_node *row = row_of(leader, i);
        if (row != NULL && row->wish != TABLES_WISH_NONE)
            wish(leader, row->number, TABLES_WISH_NONE);
    }
}

/* ---- a round ---- */

static void begin_leading(struct node *n)
{
    struct lease_clock clock = n->duties.clock;
    lease_clock_begin(&clock, n->tables, node_local_time(n));
    n->duties = (struct duties){
        .leading = true, .clock = clock, .began_ns = w.now_ns, .changes_seen = UINT64_MAX, .voters_seen = UINT64_MAX};
}

void duties_run(struct node *n)
{
    uint64_t now_ns = node_local_time(n);
    if (n->raft->role != RAFT_LEADER) {
        n->duties.leading = false;
        lease_clock_follow(&n->duties.clock, n->tables, now_ns);
        return;
    }
    if (!n->duties.leading)
        begin_leading(n);
    lead_members(n);
    if (n->raft->role != RAFT_LEADER || now_ns < n->duties.renew_due_ns)
        return;
    n->duties.renew_due_ns = now_ns + LEASE_RENEW_NS;
    uint64_t present = who_is_present(n);
    renew(n, present);
    expire(n, present);
    raise_level(n);
}
