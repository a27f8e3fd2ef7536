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
                                     .revision = key->revision,
                                     .session = key->session};
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
    return view_key(node && begins_with(node, prefix) ? node : NULL, view);
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

struct key *keys_add(struct tables *t, struct tables_text name, struct tables_text value, uint64_t revision,
                     uint64_t session)
{
    struct key *key = tables_take_named(t, sizeof(*key), name);
    if (!key || !set_value(t, key, value, (struct tables_text){NULL, 0}))
        return NULL;
    key->revision = revision;
    key->session = session;
    t->ephemeral_keys += session != 0;
    tree_insert(&t->keys, &key->by_name);
    return key;
}

static struct key *find(const struct tables *t, struct tables_text name)
{
    return TABLES_ROW(tree_find(&t->keys, name), struct key);
}

static void changed(struct tables *t, struct key *key)
{
    key->revision = t->index;
    history_add(t, TABLES_CHANGE_PUT, (struct tables_text){key->by_name.name, key->by_name.name_bytes},
                (struct tables_text){key->value, key->value_bytes}, 0);
}

void keys_set(struct tables *t, struct tables_text name, struct tables_text value, uint64_t session)
{
    struct key *key = find(t, name);
    if (!key) {
        key = keys_add(t, name, value, t->index, session);
    } else if (set_value(t, key, value, (struct tables_text){NULL, 0})) {
        t->ephemeral_keys += (session != 0) - (key->session != 0);
        key->session = session;
    } else {
        return;
    }
    if (key)
        changed(t, key);
}

void keys_remove(struct tables *t, struct key *key)
{
    tree_remove(&t->keys, &key->by_name);
    t->ephemeral_keys -= key->session != 0;
    history_add(t, TABLES_CHANGE_DELETE, (struct tables_text){key->by_name.name, key->by_name.name_bytes},
                (struct tables_text){NULL, 0}, 0);
    tables_give(t, key->value, key->value_bytes);
    tables_give_named(t, key, sizeof(*key));
}

/* One walk however many sessions ended. */
void keys_end_ephemeral(struct tables *t)
{
    struct tree_node *next;
    if (!t->ephemeral_keys)
        return;
    for (struct tree_node *at = tree_next(&t->keys, NULL); at; at = next) {
        struct key *key = TABLES_ROW(at, struct key);
        next = tree_next(&t->keys, at);
        if (key->session && !sessions_find(t, key->session))
            keys_remove(t, key);
    }
}

static err_t check_name(const struct tables *t, const struct key *key, struct tables_text name)
{
    if (!name.bytes)
        return E_INVALID;
    return !key && t->keys.count >= TABLES_KEYS_MAX ? E_FULL : E_OK;
}

err_t keys_check_session(const struct tables *t, uint64_t session, uint32_t node, uint64_t process_id)
{
    const struct session *s = session ? sessions_find(t, session) : NULL;
    return !session || (s && owned_by(s->node, s->process_id, node, process_id)) ? E_OK : E_NO_SESSION;
}

static void put(struct tables *t, const struct tables_op *op, struct tables_text name, struct tables_result *result)
{
    const struct key *key = find(t, name);
    result->err = check_name(t, key, name);
    if (!result->err)
        result->err = keys_check_session(t, op->key_put.session, op->node, op->key_put.process_id);
    if (result->err)
        return;
    keys_set(t, name, op->key_put.value, op->key_put.session);
    result->value = t->index;
}

/* The number is new in the whole cluster, so that only a key whose name somebody made up can be in the way. */
static void put_sequential(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    char name[TABLES_NAME_MAX];
    struct tables_text prefix = op->key_put.name;
    uint64_t number = t->next_sequence + 1;
    if (op->key_put.sequential != 1 || op->key_put.if_revision != TABLES_ANY_REVISION || !prefix.bytes) {
        result->err = E_INVALID;
    } else if (prefix.bytes > TABLES_NAME_MAX - TABLES_SEQUENCE_DIGITS) {
        result->err = E_TOO_LONG;
    } else {
        t->next_sequence = number;
        memcpy(name, prefix.at, prefix.bytes);
        for (uint32_t digit = TABLES_SEQUENCE_DIGITS; digit--; number /= 10)
            name[prefix.bytes + digit] = (char)('0' + number % 10);
        struct tables_text whole = {name, prefix.bytes + TABLES_SEQUENCE_DIGITS};
        result->number = t->next_sequence;
        if (find(t, whole))
            result->err = E_EXISTS;
        else
            put(t, op, whole, result);
    }
}

void keys_apply_put(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    const struct key *key = find(t, op->key_put.name);
    uint64_t wanted = op->key_put.if_revision;
    if (op->key_put.sequential) {
        put_sequential(t, op, result);
    } else if (wanted != TABLES_ANY_REVISION && wanted != (key ? key->revision : 0)) {
        result->err = E_CONFLICT;
        result->value = key ? key->revision : 0;
    } else {
        put(t, op, op->key_put.name, result);
    }
}

void keys_apply_delete(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    struct key *key = find(t, op->key_delete.name);
    uint64_t wanted = op->key_delete.if_revision;
    if (!key) {
        result->err = E_NOT_FOUND;
    } else if (wanted != TABLES_ANY_REVISION && wanted != key->revision) {
        result->err = E_CONFLICT;
        result->value = key->revision;
    } else {
        keys_remove(t, key);
        result->value = t->index;
    }
}

static void append(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    struct key *key = find(t, op->key_append.name);
    result->err = check_name(t, key, op->key_append.name);
    if (!result->err && (key ? key->value_bytes : 0) + op->key_append.data.bytes > TABLES_VALUE_MAX)
        result->err = E_FULL;
    if (result->err)
        return;
    if (!key)
        key = keys_add(t, op->key_append.name, op->key_append.data, t->index, 0);
    else if (!set_value(t, key, (struct tables_text){key->value, key->value_bytes}, op->key_append.data))
        return;
    if (key)
        changed(t, key);
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
