/* What the leader does beside leading: cluster time and leases, members, placing jobs. */
#include "node_state.h"

static bool propose_at(struct node *n, const struct tables_op *op, uint64_t *index_out, uint64_t *term_out)
{
    size_t bytes = tables_encode(op, n->record, TABLES_ENTRY_MAX);
    return raft_propose(n->raft, n->record, bytes, index_out, term_out) == E_OK;
}

static bool propose(struct node *n, const struct tables_op *op)
{
    uint64_t index, term;
    return propose_at(n, op, &index, &term);
}

/* Heard, with the boot that the tables know. */
static const struct other *present(struct node *n, const struct tables_node *row)
{
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) {
        const struct other *o = &n->others[i];
        if (o->session && same_id(o->node_id, row->node_id) && same_id(o->boot_id, row->boot_id))
            return o;
    }
    return NULL;
}

static bool is_self(const struct node *n, const struct tables_node *row)
{
    return same_id(row->node_id, n->config.node_id) && same_id(row->boot_id, n->config.boot_id);
}

/* ---- time and leases ---- */

uint64_t node_cluster_now(struct node *n)
{
    return lease_clock_now(&n->lead_clock, n->tables, n->now_ns);
}

/* Bit n-1: node n is there, with the boot that its row has. */
static uint64_t who_is_present(struct node *n)
{
    uint64_t nodes = 0;
    for (uint32_t i = 1; i <= NODES_MAX; i++) {
        const struct tables_node *row = tables_node(n->tables, i);
        if (row && (is_self(n, row) || present(n, row)))
            nodes |= 1ull << (i - 1);
    }
    return nodes;
}

static void renew(struct node *n, uint64_t nodes)
{
    struct tables_op op;
    uint64_t index, term;
    lease_renewal(n->tables, nodes, node_cluster_now(n), &op);
    if (propose_at(n, &op, &index, &term))
        node_lease_renewed(n, index, term);
}

static void expire(struct node *n, uint64_t nodes, uint64_t term)
{
    struct tables_op op;
    for (uint32_t i = 0; (i = lease_expiry(n->tables, nodes, term, i, &op)) != 0;)
        propose(n, &op);
}

/* ---- placing ---- */

struct candidate {
    const struct tables_node *row;
    uint64_t free_bytes;
    uint32_t busy, given; /* given: instances of any job that it has and that have not ended */
};

static uint32_t instances_on(const struct node *n, uint32_t number)
{
    uint32_t count = 0;
    for (const struct tables_job *j = tables_job_next(n->tables, 0); j; j = tables_job_next(n->tables, j->job)) {
        for (uint32_t i = 0; i < j->count; i++) {
            uint32_t state = j->instances[i].state;
            count += j->instances[i].node == number && (state == TABLES_JOB_PLACED || state == TABLES_JOB_RUNNING);
        }
    }
    return count;
}

static bool describe(struct node *n, uint32_t number, struct candidate *c)
{
    const struct tables_node *row = tables_node(n->tables, number);
    const struct other *o = row ? present(n, row) : NULL;
    if (!row || !row->live || row->wish == TABLES_WISH_DRAINED || (!o && !is_self(n, row)))
        return false;
    const struct node_load *load = o ? &o->load : &n->load;
    *c = (struct candidate){row, load->free_bytes, load->busy_percent, instances_on(n, number)};
    return true;
}

/* Fewer instances a processor first, then less busy, then more memory. */
static bool better(const struct candidate *a, const struct candidate *b)
{
    uint32_t a_cpus = a->row->cpus ? a->row->cpus : 1, b_cpus = b->row->cpus ? b->row->cpus : 1;
    uint64_t a_share = (uint64_t)a->given * b_cpus, b_share = (uint64_t)b->given * a_cpus;
    if (a_share != b_share)
        return a_share < b_share;
    if (a->busy / 10 != b->busy / 10)
        return a->busy < b->busy;
    return a->free_bytes > b->free_bytes;
}

static bool choose(struct node *n, struct candidate *best)
{
    bool found = false;
    for (uint32_t i = 1; i <= NODES_MAX; i++) {
        struct candidate c;
        if (describe(n, i, &c) && (!found || better(&c, best))) {
            *best = c;
            found = true;
        }
    }
    return found;
}

static void place_one(struct node *n, const struct tables_job *job)
{
    char why[48];
    struct text t = text_begin(why, sizeof(why));
    struct candidate best;
    if (!choose(n, &best))
        return;
    text_number(&t, best.given);
    text_put(&t, " instances, ");
    text_number(&t, best.busy);
    text_put(&t, " % busy, ");
    text_number(&t, best.free_bytes >> 20);
    text_put(&t, " MiB free");
    struct tables_op op = {.kind = TABLES_JOB_PLACE,
                           .job_place = {.job = job->job,
                                         .instance = job->placed_from,
                                         .node = best.row->number,
                                         .boot_id = {best.row->boot_id[0], best.row->boot_id[1]},
                                         .why = {why, (uint32_t)t.used}}};
    propose(n, &op);
}

/* One a time, so that each choice sees the one before. */
static void place(struct node *n)
{
    struct raft_status s;
    raft_status(n->raft, &s);
    if (s.applied < s.last)
        return;
    for (const struct tables_job *j = tables_job_next(n->tables, 0); j; j = tables_job_next(n->tables, j->job)) {
        if (j->placed_from < j->count) {
            place_one(n, j);
            return;
        }
    }
}

/* ---- the cluster's level ---- */

static bool all_have_rows(struct node *n)
{
    const struct raft_conf *conf = raft_conf_now(n->raft);
    for (uint32_t i = 0; i < conf->count; i++) {
        uint32_t number = 1;
        for (; number <= NODES_MAX; number++) {
            const struct tables_node *row = tables_node(n->tables, number);
            if (row && row->log_id[0] == conf->members[i].id.log)
                break;
        }
        if (number > NODES_MAX)
            return false;
    }
    return true;
}

/* When the last node was started with the newer image. */
static void raise_level(struct node *n)
{
    uint32_t possible = tables_level_possible(n->tables);
    if (possible > tables_level(n->tables) && all_have_rows(n))
        propose(n, &(struct tables_op){.kind = TABLES_LEVEL, .level = {possible}});
}

/* ---- a round ---- */

static void begin_leading(struct node *n)
{
    n->leading = true;
    lease_clock_begin(&n->lead_clock, n->tables, n->now_ns);
    n->renew_due_ns = 0;
}

void node_lead_run(struct node *n)
{
    struct raft_status s;
    if (!n->raft_running)
        return;
    raft_status(n->raft, &s);
    if (s.role != RAFT_LEADER) {
        n->leading = false;
        lease_clock_follow(&n->lead_clock, n->tables, n->now_ns);
        return;
    }
    bool begins = !n->leading;
    if (begins)
        begin_leading(n);
    node_members_lead(n, begins);
    place(n);
    if (n->now_ns < n->renew_due_ns)
        return;
    n->renew_due_ns = n->now_ns + LEASE_RENEW_NS;
    uint64_t nodes = who_is_present(n);
    renew(n, nodes);
    expire(n, nodes, s.term);
    raise_level(n);
}

uint64_t node_lead_deadline(const struct node *n)
{
    return n->leading ? n->renew_due_ns : UINT64_MAX;
}
