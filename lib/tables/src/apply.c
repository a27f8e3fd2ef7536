/* The machine itself: one entry at a time. */
#include "state.h"

static size_t round_up(size_t bytes)
{
    return (bytes + 15) & ~(size_t)15;
}

err_t tables_init(const struct tables_memory *memory, const uint64_t cluster_id[2], uint32_t epoch,
                  struct tables **tables_out)
{
    struct arena arena;
    struct tables *t = arena_init(&arena, memory, round_up(sizeof(*t)));
    if (!t)
        return E_NO_MEMORY;
    t->arena = arena;
    t->cluster_id[0] = cluster_id[0];
    t->cluster_id[1] = cluster_id[1];
    t->epoch = epoch;
    t->level = t->build_level = TABLES_LEVEL_NOW;
    history_clear(t);
    *tables_out = t;
    return E_OK;
}

void tables_watch(struct tables *t, const struct tables_watcher *watcher)
{
    t->watcher = watcher;
}

uint64_t tables_applied_index(const struct tables *t)
{
    return t->index;
}
uint64_t tables_applied_term(const struct tables *t)
{
    return t->term;
}
uint64_t tables_time_ns(const struct tables *t)
{
    return t->now_ns;
}

void tables_counts(const struct tables *t, struct tables_counts *counts)
{
    *counts = (struct tables_counts){.sessions = t->sessions.count,
                                     .keys = t->keys.count,
                                     .names = t->names.count,
                                     .locks = t->locks.count,
                                     .requests = t->requests.count,
                                     .jobs = t->jobs.count,
                                     .memory_bytes = t->arena.taken};
    for (uint32_t n = 1; n <= NODES_MAX; n++)
        counts->nodes += tables_node(t, n) != NULL;
}

typedef void apply_function(struct tables *t, const struct tables_op *op, struct tables_result *result);

struct rule {
    apply_function *apply;
    bool leader;    /* the leader's own: carries no origin. The others carry one */
    uint32_t level; /* that it came with; 0: it was always there */
};

static const struct rule rules[TABLES_KINDS] = {
    [TABLES_NODE_JOIN] = {nodes_apply_join, true, 0},
    [TABLES_RENEW] = {nodes_apply_renew, true, 0},
    [TABLES_EXPIRE] = {nodes_apply_expire, true, 0},
    [TABLES_PROCESS_END] = {sessions_apply_process_end, false, 0},
    [TABLES_SESSION_OPEN] = {sessions_apply_open, false, 0},
    [TABLES_SESSION_CLOSE] = {sessions_apply_close, false, 0},
    [TABLES_KEY_PUT] = {keys_apply_put, false, 0},
    [TABLES_KEY_DELETE] = {keys_apply_delete, false, 0},
    [TABLES_KEY_APPEND] = {keys_apply_append, false, 0},
    [TABLES_LOCK] = {locks_apply_lock, false, 0},
    [TABLES_LOCK_CANCEL] = {locks_apply_cancel, false, 0},
    [TABLES_UNLOCK] = {locks_apply_unlock, false, 0},
    [TABLES_TXN] = {txn_apply, false, 0},
    [TABLES_ELECTED_SET] = {locks_apply_elected_set, false, 0},
    [TABLES_NAME_PUT] = {names_apply_put, false, 0},
    [TABLES_NAME_DELETE] = {names_apply_delete, false, 0},
    [TABLES_JOB_SUBMIT] = {jobs_apply_submit, false, 0},
    [TABLES_JOB_PLACE] = {jobs_apply_place, true, 0},
    [TABLES_JOB_REPORT] = {jobs_apply_report, false, 0},
    [TABLES_JOB_KILL] = {jobs_apply_kill, false, 0},
    [TABLES_NODE_WISH] = {nodes_apply_wish, true, 0},
    [TABLES_CLUSTER_KEY] = {cluster_key_apply, false, 2},
    [TABLES_LEVEL] = {levels_apply, true, 0},
};

/* Is it from a node that is taking part with this very boot (else E_GONE), and new? */
static err_t admit(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    struct tables_node *node = nodes_live(t, op->node);
    if (!node || memcmp(node->boot_id, op->boot, sizeof(node->boot_id)))
        return E_GONE;
    result->repeated = !nodes_admit_sequence(node, op->sequence);
    return E_OK;
}

static void apply_op(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    const struct rule *rule = &rules[op->kind];
    if (rule->leader != (op->node == 0))
        result->err = E_BAD_MESSAGE;
    else if (!rule->leader)
        result->err = admit(t, op, result);
    if (!result->err && !result->repeated)
        rule->apply(t, op, result);
}

/* What this build does not know (it may pretend to be an older one) does not decode, nor, to be the same, what others
 * do not. */
static bool known_to_all(const struct tables *t, uint32_t kind)
{
    return rules[kind].level <= t->build_level && rules[kind].level <= t->level;
}

err_t tables_apply(struct tables *t, uint64_t index, uint64_t term, const void *entry, size_t bytes,
                   struct tables_result *result)
{
    struct tables_op op;
    ASSERT(!t->no_memory && index == t->index + 1 && term >= t->term);
    memset(result, 0, sizeof(*result));
    t->index = index;
    t->term = term;
    t->grants = 0;
    if (bytes) {
        result->err = tables_decode(entry, bytes, &op);
        if (!result->err && !known_to_all(t, op.kind))
            result->err = E_BAD_MESSAGE;
        if (!result->err)
            apply_op(t, &op, result);
    }
    if (t->level > t->build_level)
        return E_NOT_SUPPORTED;
    return t->no_memory ? E_NO_MEMORY : E_OK;
}
