/* Names of services: which export of which node answers. */
#include "state.h"

static bool view_name(const struct tables *t, const struct tree_node *node, struct tables_name_view *view)
{
    if (!node)
        return false;
    const struct name *name = TABLES_ROW(node, const struct name);
    *view = (struct tables_name_view){.name = (const char *)node->name,
                                      .name_bytes = node->name_bytes,
                                      .node = name->node,
                                      .process_id = name->process_id,
                                      .export_id = name->export_id};
    memcpy(view->boot, t->nodes[name->node - 1].boot_id, sizeof(view->boot));
    return true;
}

bool tables_name(const struct tables *t, struct tables_text name, struct tables_name_view *view)
{
    return view_name(t, tree_find(&t->names, name), view);
}

bool tables_name_next(const struct tables *t, struct tables_text after, struct tables_name_view *view)
{
    return view_name(t, tree_above(&t->names, after.bytes ? &after : NULL), view);
}

struct name *names_add(struct tables *t, struct tables_text text, uint32_t node, uint64_t process_id,
                       uint64_t export_id)
{
    struct name *name = tables_take_named(t, sizeof(*name), text);
    if (!name)
        return NULL;
    name->node = node;
    name->process_id = process_id;
    name->export_id = export_id;
    tree_insert(&t->names, &name->by_name);
    return name;
}

static void remove_name(struct tables *t, struct name *name)
{
    struct tables_event event = {
        .kind = TABLES_EVENT_NAME_GONE, .node = name->node, .process_id = name->process_id, .ticket = name->export_id};
    tree_remove(&t->names, &name->by_name);
    tables_give_named(t, name, sizeof(*name));
    tables_tell(t, &event);
}

void names_apply_put(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    if (!op->name_put.name.bytes)
        result->err = E_INVALID;
    else if (tree_find(&t->names, op->name_put.name))
        result->err = E_EXISTS;
    else if (t->names.count >= TABLES_NAMES_MAX)
        result->err = E_FULL;
    else
        names_add(t, op->name_put.name, op->node, op->name_put.process_id, op->name_put.export_id);
}

void names_apply_delete(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    struct name *name = TABLES_ROW(tree_find(&t->names, op->name_delete.name), struct name);
    if (!name || name->node != op->node || name->export_id != op->name_delete.export_id)
        result->err = E_NOT_FOUND;
    else
        remove_name(t, name);
}

void names_end(struct tables *t, uint32_t node, uint64_t process_id)
{
    struct tree_node *next;
    for (struct tree_node *at = tree_next(&t->names, NULL); at; at = next) {
        struct name *name = TABLES_ROW(at, struct name);
        next = tree_next(&t->names, at);
        if (owned_by(name->node, name->process_id, node, process_id))
            remove_name(t, name);
    }
}
