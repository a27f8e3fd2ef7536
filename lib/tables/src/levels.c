/* Nodes of different builds in one cluster: nothing is done that one of them does not know. */
#include "state.h"

void tables_pretend_level(struct tables *t, uint32_t level)
{
    ASSERT(level >= 1 && level <= TABLES_LEVEL_NOW && t->index == 0);
    t->level = t->build_level = level;
}

uint32_t tables_level(const struct tables *t)
{
    return t->level;
}

uint32_t tables_level_possible(const struct tables *t)
{
    uint32_t possible = t->build_level;
    for (uint32_t i = 0; i < NODES_MAX; i++) {
        const struct tables_node *node = &t->nodes[i];
        if (node->number && node->wish != TABLES_WISH_REMOVED && node->level < possible)
            possible = node->level;
    }
    return possible > t->level ? possible : t->level;
}

/* Whether all nodes know it is asked of the rows alone: a build decides nothing by what it knows itself. */
void levels_apply(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    for (uint32_t i = 0; i < NODES_MAX; i++) {
        const struct tables_node *node = &t->nodes[i];
        if (node->number && node->wish != TABLES_WISH_REMOVED && node->level < op->level.level)
            result->err = E_BUSY;
    }
    if (op->level.level <= t->level || op->level.level > UINT32_MAX)
        result->err = E_INVALID;
    if (!result->err)
        t->level = (uint32_t)op->level.level;
}
