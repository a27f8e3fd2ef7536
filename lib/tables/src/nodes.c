/* Nodes, their leases, and the sequences of their proposals. */
#include "state.h"

static bool same_id(const uint64_t a[2], const uint64_t b[2])
{
    return a[0] == b[0] && a[1] == b[1];
}

const struct tables_node *tables_node(const struct tables *t, uint32_t number)
{
    if (number == 0 || number > NODES_MAX || !t->nodes[number - 1].number)
        return NULL;
    return &t->nodes[number - 1];
}

const struct tables_node *tables_node_by_id(const struct tables *t, const uint64_t node_id[2])
{
    for (uint32_t n = 1; n <= NODES_MAX; n++) {
        if (tables_node(t, n) && same_id(t->nodes[n - 1].node_id, node_id))
            return &t->nodes[n - 1];
    }
    return NULL;
}

bool tables_lease_over(const struct tables *t, uint32_t number)
{
    const struct tables_node *node = tables_node(t, number);
    return node && t->now_ns - node->renewed_ns >= TABLES_LEASE_NS;
}

struct tables_node *nodes_live(struct tables *t, uint32_t number)
{
    const struct tables_node *node = tables_node(t, number);
    return node && node->live ? &t->nodes[number - 1] : NULL;
}

static void drop_lowest(struct tables_node *node)
{
    for (uint32_t i = 0; i < TABLES_WINDOW / 64; i++) {
        uint64_t above = i + 1 < TABLES_WINDOW / 64 ? node->sequence_bits[i + 1] : 0;
        node->sequence_bits[i] = node->sequence_bits[i] >> 1 | above << 63;
    }
    node->sequence_floor++;
}

bool nodes_admit_sequence(struct tables_node *node, uint64_t sequence)
{
    if (sequence < node->sequence_floor || sequence == UINT64_MAX)
        return false;
    if (sequence - node->sequence_floor >= 2 * TABLES_WINDOW) { /* far ahead: nothing below is kept anyway */
        memset(node->sequence_bits, 0, sizeof(node->sequence_bits));
        node->sequence_floor = sequence - TABLES_WINDOW + 1;
    }
    while (sequence - node->sequence_floor >= TABLES_WINDOW)
        drop_lowest(node);
    uint64_t at = sequence - node->sequence_floor;
    if (node->sequence_bits[at / 64] >> at % 64 & 1)
        return false;
    node->sequence_bits[at / 64] |= 1ull << at % 64;
    while (node->sequence_bits[0] & 1)
        drop_lowest(node);
    return true;
}

static void end_boot(struct tables *t, struct tables_node *node, uint64_t least_delay_ns)
{
    node->live = 0;
    sessions_end(t, node->number, OWNER_ALL);
    locks_end(t, node->number, OWNER_ALL, least_delay_ns);
    names_end(t, node->number, OWNER_ALL);
    jobs_end(t, node->number);
    struct tables_event event = {.kind = TABLES_EVENT_NODE_ENDED, .node = node->number};
    memcpy(event.boot, node->boot_id, sizeof(event.boot));
    tables_tell(t, &event);
}

static struct tables_node *free_row(struct tables *t, uint64_t wanted)
{
    if (wanted >= 1 && wanted <= NODES_MAX && !t->nodes[wanted - 1].number)
        return &t->nodes[wanted - 1];
    for (uint32_t i = 0; i < NODES_MAX; i++) {
        if (!t->nodes[i].number)
            return &t->nodes[i];
    }
    return NULL;
}

/* ---- the keys of logs ---- */

static bool log_key_given(const struct tables_log_key *k)
{
    return k->low[0] || k->low[1] || k->high[0] || k->high[1];
}

bool nodes_log_key_right(const struct tables_log_key *k)
{
    return log_key_given(k) == (k->cluster_key != 0);
}

/* The first that is given stands for as long as the cluster key does under which it was proven; who proves another
 * cluster key, which it got from the others or by hand, may give another. */
static bool log_key_stands(const struct tables_node *node, const struct tables_op *op)
{
    const struct tables_log_key *pinned = &node->log_key, *given = &op->node_join.log_key;
    return log_key_given(pinned) && same_id(node->log_id, op->node_join.log_id) &&
           (pinned->cluster_key == given->cluster_key || !log_key_given(given)) &&
           !(same_id(pinned->low, given->low) && same_id(pinned->high, given->high));
}

/* A log that the tables know belongs to its node. */
static bool log_of_another(const struct tables *t, const struct tables_op *op)
{
    for (uint32_t i = 0; i < NODES_MAX; i++) {
        const struct tables_node *node = &t->nodes[i];
        if (node->number && log_key_given(&node->log_key) && same_id(node->log_id, op->node_join.log_id) &&
            !same_id(node->node_id, op->node_join.node_id))
            return true;
    }
    return false;
}

void nodes_cluster_key_changed(struct tables *t, uint64_t from, uint64_t to, uint64_t ready)
{
    for (uint32_t i = 0; i < NODES_MAX; i++) {
        struct tables_log_key *k = &t->nodes[i].log_key;
        if (ready >> i & 1 && k->cluster_key == from)
            k->cluster_key = to;
    }
}

static void begin_boot(struct tables *t, struct tables_node *node, const struct tables_op *op)
{
    memcpy(node->log_id, op->node_join.log_id, sizeof(node->log_id));
    memcpy(node->boot_id, op->node_join.boot_id, sizeof(node->boot_id));
    node->durable = op->node_join.durable != 0;
    node->cpus = (uint32_t)op->node_join.cpus;
    node->level = (uint32_t)op->node_join.level;
    memset(node->name, 0, sizeof(node->name));
    if (op->node_join.name.bytes)
        memcpy(node->name, op->node_join.name.at, op->node_join.name.bytes);
    node->sequence_floor = 1;
    memset(node->sequence_bits, 0, sizeof(node->sequence_bits));
    node->live = 1;
    node->renewed_ns = t->now_ns;
    node->renewal = t->index;
    cluster_key_boot_began(t, node->number);
}

/* Repeating it for the same boot changes nothing while its lease stands. After the lease ended the boot begins anew,
 * without what it held; its sequences go on, since proposals of before may still be on their way. */
void nodes_apply_join(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    const struct tables_node *known = tables_node_by_id(t, op->node_join.node_id);
    struct tables_node *node = known ? &t->nodes[known->number - 1] : free_row(t, op->node_join.wanted);
    if (!node) {
        result->err = E_FULL;
        return;
    }
    if (known && node->wish == TABLES_WISH_REMOVED) {
        result->err = E_NO_RIGHT;
        return;
    }
    if (!nodes_log_key_right(&op->node_join.log_key) || (known && log_key_stands(node, op)) || log_of_another(t, op)) {
        result->err = E_CONFLICT;
        return;
    }
    if (op->node_join.level < t->level || op->node_join.level > UINT32_MAX) {
        result->err = E_NOT_SUPPORTED;
        return;
    }
    bool same_boot = known && same_id(node->boot_id, op->node_join.boot_id);
    if (known && node->live && !same_boot)
        end_boot(t, node, 0); /* the earlier boot is no more */
    if (!known) {
        node->number = (uint32_t)(node - t->nodes) + 1;
        memcpy(node->node_id, op->node_join.node_id, sizeof(node->node_id));
    }
    if (!same_boot) {
        begin_boot(t, node, op);
    } else if (!node->live) {
        node->live = 1;
        node->renewed_ns = t->now_ns;
        node->renewal = t->index;
    }
    node->log_key = op->node_join.log_key;
    result->value = node->number;
}

void nodes_apply_renew(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    if (op->renew.now_ns > t->now_ns)
        t->now_ns = op->renew.now_ns;
    for (uint32_t n = 1; n <= NODES_MAX; n++) {
        struct tables_node *node = nodes_live(t, n);
        if (node && op->renew.nodes >> (n - 1) & 1) {
            node->renewed_ns = t->now_ns;
            node->renewal = t->index;
        }
    }
    locks_time_passed(t);
}

/* A leader that lost its place, or did not see the newest renewal, must not end anything. */
void nodes_apply_expire(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    struct tables_node *node = op->expire.node <= NODES_MAX ? nodes_live(t, (uint32_t)op->expire.node) : NULL;
    if (!node)
        result->err = E_NOT_FOUND;
    else if (!same_id(node->boot_id, op->expire.boot_id) || node->renewal != op->expire.renewal ||
             op->expire.term != t->term || !tables_lease_over(t, node->number))
        result->err = E_CONFLICT;
    else
        end_boot(t, node, 0);
}

/* Who is removed has nothing any more; it may come in again after another wish. It may run on without knowing, and by
 * its own clock its lease is sure: nobody else is granted what it held before that is over. */
void nodes_apply_wish(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    const struct tables_node *known =
        op->node_wish.node <= NODES_MAX ? tables_node(t, (uint32_t)op->node_wish.node) : NULL;
    if (!known || op->node_wish.wish >= TABLES_WISHES) {
        result->err = known ? E_INVALID : E_NOT_FOUND;
        return;
    }
    struct tables_node *node = &t->nodes[known->number - 1];
    node->wish = (uint32_t)op->node_wish.wish;
    if (node->wish == TABLES_WISH_REMOVED && node->live)
        end_boot(t, node, TABLES_LEASE_NS);
}

void tables_recover(struct tables *t, const uint64_t cluster_id[2], uint32_t epoch, const uint64_t from[2])
{
    ASSERT(epoch > t->epoch);
    const struct tables_node *known = tables_node_by_id(t, from);
    if (known && known->wish == TABLES_WISH_REMOVED)
        t->nodes[known->number - 1].wish = TABLES_WISH_NONE;
    for (uint32_t n = 1; n <= NODES_MAX; n++) {
        struct tables_node *node = nodes_live(t, n);
        if (node)
            end_boot(t, node, 0);
    }
    t->cluster_id[0] = cluster_id[0];
    t->cluster_id[1] = cluster_id[1];
    t->epoch = epoch;
}
