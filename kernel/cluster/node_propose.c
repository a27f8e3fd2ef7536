/* Proposals of this node's own: kept until applied, sent to whoever leads, and sent again when the leader changes. The
 * sequence in each makes that harmless. */
#include "node_state.h"

static struct pending *find_token(struct node *n, uint64_t token)
{
    for (uint32_t i = 0; i < NODE_REQUESTS_MAX; i++) {
        if (n->pending[i].entry && n->pending[i].token == token)
            return &n->pending[i];
    }
    return NULL;
}

static struct pending *find_free(struct node *n)
{
    for (uint32_t i = 0; i < NODE_REQUESTS_MAX; i++) {
        if (!n->pending[i].entry)
            return &n->pending[i];
    }
    return NULL;
}

static void release(struct node *n, struct pending *p)
{
    node_give(n, p->entry, p->bytes);
    memset(p, 0, sizeof(*p));
}

void node_propose_close(struct node *n)
{
    for (uint32_t i = 0; i < NODE_REQUESTS_MAX; i++) {
        if (n->pending[i].entry)
            release(n, &n->pending[i]);
    }
}

static uint64_t oldest_sequence(const struct node *n)
{
    uint64_t oldest = n->next_sequence;
    for (uint32_t i = 0; i < NODE_REQUESTS_MAX; i++) {
        if (n->pending[i].entry && n->pending[i].sequence < oldest)
            oldest = n->pending[i].sequence;
    }
    return oldest;
}

err_t node_propose(struct node *n, uint64_t token, struct tables_op *op)
{
    struct pending *p = find_free(n);
    if (!n->raft_running || !n->applied_join)
        return E_NOT_DELIVERED;
    if (node_full_refuses(n, op))
        return E_FULL;
    if (!p || n->next_sequence - oldest_sequence(n) >= TABLES_WINDOW / 2)
        return E_FULL;
    op->node = node_own_row(n)->number;
    memcpy(op->boot, n->config.boot_id, sizeof(op->boot));
    op->sequence = n->next_sequence;
    size_t bytes = tables_encode(op, n->record, TABLES_ENTRY_MAX);
    if (!bytes)
        return E_TOO_LONG;
    uint8_t *entry = node_take(n, bytes);
    if (!entry)
        return E_FULL;
    memcpy(entry, n->record, bytes);
    *p = (struct pending){.token = token, .sequence = n->next_sequence++, .entry = entry, .bytes = (uint32_t)bytes};
    return E_OK;
}

err_t node_read(struct node *n, uint64_t token)
{
    return n->raft_running ? raft_read(n->raft, token) : E_NOT_DELIVERED;
}

void node_forget(struct node *n, uint64_t token)
{
    struct pending *p = find_token(n, token);
    if (p)
        p->token = 0; /* it goes on being sent, so that its sequence does not stay open */
}

/* ---- sending ---- */

static bool hand_over(struct node *n, const struct raft_status *s, const void *entry, size_t bytes)
{
    uint64_t index, term;
    if (s->role == RAFT_LEADER)
        return raft_propose(n->raft, entry, bytes, &index, &term) == E_OK;
    const struct other *o = s->leader.log ? node_other_by_raft(n, s->leader.node) : NULL;
    return o && node_send_control(n, o, CONTROL_PROPOSE, entry, bytes);
}

static bool due(const struct node *n, const struct pending *p, uint64_t term)
{
    return p->entry && (!p->sent_ns || p->sent_term != term || n->now_ns - p->sent_ns >= RETRY_NS);
}

static void send_pending(struct node *n, const struct raft_status *s)
{
    for (uint32_t i = 0; i < NODE_REQUESTS_MAX; i++) {
        struct pending *p = &n->pending[i];
        if (!due(n, p, s->term))
            continue;
        hand_over(n, s, p->entry, p->bytes);
        p->sent_ns = n->now_ns;
        p->sent_term = s->term;
    }
}

/* Asks to take part with this boot, until the own row says so. */
static void send_join(struct node *n, const struct raft_status *s)
{
    if (n->applied_join || n->now_ns < n->join_due_ns || !s->leader.log || node_is_removed(n))
        return;
    n->join_due_ns = n->now_ns + RETRY_NS;
    struct tables_op op = {.kind = TABLES_NODE_JOIN};
    memcpy(op.node_join.node_id, n->config.node_id, sizeof(op.node_join.node_id));
    memcpy(op.node_join.log_id, n->log_id, sizeof(op.node_join.log_id));
    memcpy(op.node_join.boot_id, n->config.boot_id, sizeof(op.node_join.boot_id));
    op.node_join.wanted = n->config.voter;
    op.node_join.durable = n->durable;
    op.node_join.cpus = n->config.cpus;
    op.node_join.log_key = node_log_key_of(n, n->log_key.pair.public);
    op.node_join.level = TABLES_LEVEL_NOW;
    op.node_join.name = (struct tables_text){n->config.name, (uint32_t)strlen(n->config.name)};
    size_t bytes = tables_encode(&op, n->record, TABLES_ENTRY_MAX);
    hand_over(n, s, n->record, bytes);
}

void node_propose_run(struct node *n)
{
    struct raft_status s;
    if (!n->raft_running)
        return;
    raft_status(n->raft, &s);
    send_join(n, &s);
    if (n->applied_join && s.leader.log)
        send_pending(n, &s);
}

uint64_t node_propose_deadline(const struct node *n)
{
    uint64_t earliest = UINT64_MAX;
    if (!n->raft_running)
        return earliest;
    if (!n->applied_join)
        earliest = n->join_due_ns > n->now_ns ? n->join_due_ns : n->now_ns + RETRY_NS;
    for (uint32_t i = 0; i < NODE_REQUESTS_MAX; i++) {
        uint64_t at = n->pending[i].sent_ns + RETRY_NS;
        if (n->pending[i].entry && at < earliest)
            earliest = at > n->now_ns ? at : n->now_ns + RETRY_NS;
    }
    return earliest;
}

/* The leader's side. Whether it is taken or not, the proposer sees it applied or asks again. */
void node_take_propose(struct node *n, const struct other *o, const uint8_t *entry, size_t bytes)
{
    uint64_t index, term;
    struct tables_op op;
    if (n->raft_running && tables_decode(entry, bytes, &op) == E_OK &&
        (op.kind != TABLES_NODE_JOIN || node_join_is_own(n, o, &op)) &&
        raft_propose(n->raft, entry, bytes, &index, &term) == E_OK)
        raft_commit_wanted(n->raft, raft_id_of(o->node_id, o->hello.log_id), index);
}

/* ---- applied ---- */

static struct pending *find_sequence(struct node *n, uint64_t sequence)
{
    for (uint32_t i = 0; i < NODE_REQUESTS_MAX; i++) {
        if (n->pending[i].entry && n->pending[i].sequence == sequence)
            return &n->pending[i];
    }
    return NULL;
}

/* Places in line that were asked for and come with a snapshot: the entries that made them are not seen, but what came
 * of them stands in the tables. */
static void settle_locks(struct node *n)
{
    struct tables_request_view view = {0};
    while (tables_request_next(n->tables, view.ticket, &view)) {
        struct pending *p = view.node == node_number(n) ? find_sequence(n, view.sequence) : NULL;
        struct tables_result result = {.value = view.fence, .ticket = view.ticket};
        uint64_t token = p ? p->token : 0;
        if (!p)
            continue;
        release(n, p);
        if (token)
            n->hooks.proposed(n->hooks.context, token, &result);
    }
}

/* Does the own row stand, with this boot and its lease? */
static void look_for_own_row(struct node *n)
{
    const struct tables_node *row = node_own_row(n);
    bool stands = row && row->live && same_id(row->boot_id, n->config.boot_id);
    if (stands != n->applied_join)
        n->hello_changed = true;
    n->applied_join = stands;
    if (row)
        n->recorded_number = row->number;
}

void node_tables_replaced(struct node *n)
{
    look_for_own_row(n);
    if (n->applied_join)
        settle_locks(n);
}

void node_applied(struct node *n, const struct raft_entry *entry, const struct tables_result *result)
{
    struct tables_op op;
    if (tables_decode(entry->data, entry->length, &op) != E_OK)
        return;
    if (op.kind == TABLES_RENEW)
        node_compare_applied(n, entry->index);
    if (op.kind == TABLES_NODE_JOIN || op.kind == TABLES_EXPIRE || op.kind == TABLES_NODE_WISH)
        look_for_own_row(n);
    if (!op.node || !same_id(op.boot, n->config.boot_id))
        return;
    struct pending *p = find_sequence(n, op.sequence);
    if (!p || result->err == E_GONE) /* the lease ended before it: it is sent again when we have joined anew */
        return;
    uint64_t token = p->token;
    struct tables_result answer = *result;
    if (result->repeated) /* its first time passed with a snapshot: what came of it then is not known */
        answer.err = E_UNKNOWN;
    release(n, p);
    if (token)
        n->hooks.proposed(n->hooks.context, token, &answer);
}
