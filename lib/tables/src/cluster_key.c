/* The change of the cluster's key, by the keys' ids: the keys themselves are in no table. */
#include "state.h"

const struct tables_cluster_key *tables_cluster_key(const struct tables *t)
{
    return &t->cluster_key;
}

bool tables_cluster_key_everywhere(const struct tables *t)
{
    for (uint32_t i = 0; i < NODES_MAX; i++) {
        const struct tables_node *node = &t->nodes[i];
        if (node->number && node->wish != TABLES_WISH_REMOVED && !(t->cluster_key.ready >> i & 1))
            return false;
    }
    return t->cluster_key.next_id != 0;
}

static err_t begin(struct tables_cluster_key *k, const struct tables_op *op)
{
    uint64_t from = op->cluster_key.from_id, to = op->cluster_key.id;
    if (!from || !to || from == to || op->cluster_key.leaked > 1)
        return E_INVALID;
    if (k->next_id)
        return E_BUSY;
    if (k->id && k->id != from)
        return E_CONFLICT;
    k->id = from;
    k->next_id = to;
    k->leaked = op->cluster_key.leaked;
    k->ready = 0;
    return E_OK;
}

static void end(struct tables_cluster_key *k)
{
    k->next_id = k->ready = k->leaked = 0;
}

/* Without those that lack the new one, but with all that who decided on it counted on. */
static err_t drop(struct tables *t, const struct tables_op *op)
{
    struct tables_cluster_key *k = &t->cluster_key;
    bool everywhere = op->cluster_key.action == TABLES_KEY_DROP;
    if (everywhere ? !tables_cluster_key_everywhere(t) : (op->cluster_key.from_id & ~k->ready) != 0)
        return E_BUSY;
    nodes_cluster_key_changed(t, k->id, k->next_id, k->ready);
    k->id = k->next_id;
    k->changes++;
    end(k);
    return E_OK;
}

void cluster_key_apply(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    struct tables_cluster_key *k = &t->cluster_key;
    uint64_t action = op->cluster_key.action;
    if (action == TABLES_KEY_BEGIN)
        result->err = begin(k, op);
    else if (action > TABLES_KEY_CANCEL || !action)
        result->err = E_INVALID;
    else if (!k->next_id || op->cluster_key.id != k->next_id)
        result->err = E_CONFLICT;
    else if (action == TABLES_KEY_READY)
        k->ready |= 1ull << (op->node - 1);
    else if (action == TABLES_KEY_CANCEL)
        end(k);
    else
        result->err = drop(t, op);
}

/* A boot begins without what it had been given, until it says otherwise. */
void cluster_key_boot_began(struct tables *t, uint32_t node)
{
    t->cluster_key.ready &= ~(1ull << (node - 1));
}
