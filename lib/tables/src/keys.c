/* Keys with values and revisions. A revision is the index of the entry that last changed the key. */
#include "state.h"

static bool begins_with(const struct tree_node *node, struct tables_text prefix)
{
    return node->name_bytes >= prefix.bytes && (!prefix.bytes || !memcmp(node->name, prefix.at, prefix.bytes));
}

static bool view_key(const struct tree_node *node, struct tables_key_view *view)
{
    if (!node)
        return false;
    const struct key *key = TABLES_ROW(node, const struct key);
    *view = (struct tables_key_view){.name = (const char *)node->name,
                                     .name_bytes = node->name_bytes,
                                     .value = key->value,
                                     .value_bytes = key->value_bytes,
                                     .revision = key->revision};
    return true;
}

bool tables_key(const struct tables *t, struct tables_text name, struct tables_key_view *view)
{
    return view_key(tree_find(&t->keys, name), view);
}

bool tables_key_next(const struct tables *t, struct tables_text prefix, struct tables_text after,
                     struct tables_key_view *view)
{
    struct tree_node *node = after.bytes ? tree_above(&t->keys, &after) : NULL;
    if (!node || !begins_with(node, prefix)) {
        /* `after` lies outside the prefix: begin at the lowest name that can match, but never before `after`. */
        struct tree_node *lowest = tree_find(&t->keys, prefix);
        if (!lowest)
            lowest = tree_above(&t->keys, prefix.bytes ? &prefix : NULL);
        bool passed = after.bytes && lowest && !tree_precedes(after, lowest);
        node = passed ? NULL : lowest;
    }
    return node && begins_with(node, prefix) && view_key(node, view);
}

static bool set_value(struct tables *t, struct key *key, struct tables_text head, struct tables_text tail)
{
    uint32_t bytes = head.bytes + tail.bytes;
    uint8_t *value = tables_take(t, bytes);
    if (!value)
        return false;
    if (head.bytes)
        memcpy(value, head.at, head.bytes);
    if (tail.bytes)
        memcpy(value + head.bytes, tail.at, tail.bytes);
    if (key->value)
        tables_give(t, key->value, key->value_bytes);
    key->value = value;
    key->value_bytes = bytes;
    return true;
}

struct key *keys_add(struct tables *t, struct tables_text name, struct tables_text value, uint64_t revision)
{
    struct key *key = tables_take_named(t, sizeof(*key), name);
    if (!key || !set_value(t, key, value, (struct tables_text){NULL, 0}))
        return NULL;
    key->revision = revision;
    tree_insert(&t->keys, &key->by_name);
    return key;
}

static err_t check_name(const struct tables *t, const struct key *key, struct tables_text name)
{
    if (!name.bytes)
        return E_INVALID;
    return !key && t->keys.count >= TABLES_KEYS_MAX ? E_FULL : E_OK;
}

void keys_apply_put(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    struct key *key = TABLES_ROW(tree_find(&t->keys, op->key_put.name), struct key);
    uint64_t wanted = op->key_put.if_revision;
    if (wanted != TABLES_ANY_REVISION && wanted != (key ? key->revision : 0)) {
        result->err = E_CONFLICT;
        result->value = key ? key->revision : 0;
        return;
    }
    result->err = check_name(t, key, op->key_put.name);
    if (result->err)
        return;
    if (!key)
        key = keys_add(t, op->key_put.name, op->key_put.value, t->index);
    else if (!set_value(t, key, op->key_put.value, (struct tables_text){NULL, 0}))
        return;
    if (key)
        key->revision = t->index;
    result->value = t->index;
}

void keys_apply_delete(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    struct key *key = TABLES_ROW(tree_find(&t->keys, op->key_delete.name), struct key);
    uint64_t wanted = op->key_delete.if_revision;
    if (!key) {
        result->err = E_NOT_FOUND;
    } else if (wanted != TABLES_ANY_REVISION && wanted != key->revision) {
        result->err = E_CONFLICT;
        result->value = key->revision;
    } else {
        tree_remove(&t->keys, &key->by_name);
        tables_give(t, key->value, key->value_bytes);
        tables_give_named(t, key, sizeof(*key));
        result->value = t->index;
    }
}

static void append(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    struct key *key = TABLES_ROW(tree_find(&t->keys, op->key_append.name), struct key);
    result->err = check_name(t, key, op->key_append.name);
    if (!result->err && (key ? key->value_bytes : 0) + op->key_append.data.bytes > TABLES_VALUE_MAX)
        result->err = E_FULL;
    if (result->err)
        return;
    if (!key)
        key = keys_add(t, op->key_append.name, op->key_append.data, t->index);
    else if (!set_value(t, key, (struct tables_text){key->value, key->value_bytes}, op->key_append.data))
        return;
    if (key)
        key->revision = t->index;
    result->value = t->index;
}

/* The newest number of a session may come again and gets the answer it got; one below it has been answered and
 * forgotten; one beyond the next would leave a hole. */
void keys_apply_append(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    struct session *s = sessions_find(t, op->key_append.session);
    if (!s || s->node != op->node) {
        result->err = E_NO_SESSION;
    } else if (s->process_id != op->key_append.process_id) {
        result->err = E_NO_RIGHT;
    } else if (op->key_append.number == s->last_number && s->last_number) {
        result->err = s->last_err;
        result->value = s->last_value;
    } else if (op->key_append.number != s->last_number + 1) {
        result->err = E_RANGE;
    } else {
        append(t, op, result);
        s->last_number = op->key_append.number;
        s->last_err = result->err;
        s->last_value = result->value;
    }
}
