/* Memory of rows, and telling the watcher. */
#include "state.h"

void *tables_take(struct tables *t, size_t bytes)
{
    void *block = arena_take(&t->arena, bytes);
    if (!block)
        t->no_memory = true;
    return block;
}

void tables_give(struct tables *t, void *block, size_t bytes)
{
    arena_give(&t->arena, block, bytes);
}

void *tables_take_named(struct tables *t, size_t bytes, struct tables_text name)
{
    ASSERT(name.bytes > 0);
    struct tree_node *node = tables_take(t, bytes + name.bytes);
    if (!node)
        return NULL;
    memset(node, 0, bytes);
    uint8_t *copy = (uint8_t *)node + bytes;
    memcpy(copy, name.at, name.bytes);
    node->name = copy;
    node->name_bytes = name.bytes;
    return node;
}

void tables_give_named(struct tables *t, void *row, size_t bytes)
{
    const struct tree_node *node = row;
    tables_give(t, row, bytes + node->name_bytes);
}

void *tables_take_numbered(struct tables *t, size_t bytes, uint64_t number)
{
    struct {
        struct tree_node node;
        struct tree_number number;
    } *row = tables_take(t, bytes);
    if (!row)
        return NULL;
    memset(row, 0, bytes);
    row->number = tree_number(number);
    row->node.name = row->number.bytes;
    row->node.name_bytes = sizeof(row->number.bytes);
    return row;
}

void tables_tell(struct tables *t, const struct tables_event *event)
{
    if (t->watcher)
        t->watcher->event(t->watcher->context, event);
}
