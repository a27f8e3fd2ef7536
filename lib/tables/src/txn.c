/* Transactions: comparisons, and what is done if they all hold, or if not; atomic, since one entry is applied at once.
 */
#include <base/transaction.h>

#include "state.h"

struct step {
    struct txn_step head;
    struct tables_text name, value;
};

static struct txn_reader reader(struct tables_text steps)
{
    return (struct txn_reader){steps.at, steps.bytes, false};
}

static bool next_step(struct txn_reader *r, struct step *step)
{
    struct txn_view view;
    if (!txn_next(r, &view))
        return false;
    step->head = view.head;
    step->name = (struct tables_text){view.name, view.head.name_bytes};
    step->value = (struct tables_text){view.value, view.head.value_bytes};
    return true;
}

static bool step_valid(const struct step *s)
{
    bool compares = s->head.kind >= TXN_REVISION && s->head.kind <= TXN_FENCE;
    bool changes = s->head.kind == TXN_PUT || s->head.kind == TXN_DELETE;
    bool numbered = s->head.kind == TXN_REVISION || s->head.kind == TXN_FENCE || s->head.kind == TXN_PUT;
    bool valued = s->head.kind == TXN_VALUE || s->head.kind == TXN_PUT;
    return s->head.section >= TXN_IF && s->head.section <= TXN_ELSE &&
           (s->head.section == TXN_IF ? compares : changes) && s->head.reserved == 0 && s->name.bytes >= 1 &&
           s->name.bytes <= TABLES_NAME_MAX && s->value.bytes <= TABLES_VALUE_MAX && (numbered || !s->head.number) &&
           (valued || !s->value.bytes);
}

static bool same_text(struct tables_text a, struct tables_text b)
{
    return a.bytes == b.bytes && (!a.bytes || !memcmp(a.at, b.at, a.bytes));
}

/* Is the key of `last` changed by a step of that branch before it? */
static bool changed_before(struct tables_text steps, const struct step *last)
{
    struct txn_reader r = reader(steps);
    struct step s;
    while (next_step(&r, &s) && s.name.at != last->name.at) {
        if (s.head.section == last->head.section && same_text(s.name, last->name))
            return true;
    }
    return false;
}

err_t tables_txn_check(struct tables_text steps)
{
    struct txn_reader r = reader(steps);
    struct step s;
    uint32_t count = 0, section = TXN_IF;
    while (next_step(&r, &s)) {
        if (++count > TXN_STEPS_MAX || !step_valid(&s) || s.head.section < section)
            return E_BAD_MESSAGE;
        section = s.head.section;
        if (section != TXN_IF && changed_before(steps, &s))
            return E_INVALID;
    }
    return count && !r.failed ? E_OK : E_BAD_MESSAGE;
}

static bool holds(const struct tables *t, const struct step *s)
{
    const struct key *key = TABLES_ROW(tree_find(&t->keys, s->name), const struct key);
    switch (s->head.kind) {
    case TXN_REVISION:
        return key && key->revision == s->head.number;
    case TXN_VALUE:
        return key && same_text((struct tables_text){key->value, key->value_bytes}, s->value);
    case TXN_ABSENT:
        return !key;
    case TXN_PRESENT:
        return key;
    default:
        return locks_holds(t, s->name, s->head.number);
    }
}

static bool all_hold(const struct tables *t, struct tables_text steps)
{
    struct txn_reader r = reader(steps);
    struct step s;
    while (next_step(&r, &s) && s.head.section == TXN_IF) {
        if (!holds(t, &s))
            return false;
    }
    return true;
}

/* Will every step of the branch succeed? What it deletes makes no room for what it puts. */
static err_t check_branch(const struct tables *t, const struct tables_op *op, uint32_t section)
{
    struct txn_reader r = reader(op->txn.steps);
    struct step s;
    uint32_t added = 0;
    while (next_step(&r, &s)) {
        if (s.head.section != section || s.head.kind != TXN_PUT)
            continue;
        added += tree_find(&t->keys, s.name) == NULL;
        if (keys_check_session(t, s.head.number, op->node, op->txn.process_id))
            return E_NO_SESSION;
    }
    return added && t->keys.count + added > TABLES_KEYS_MAX ? E_FULL : E_OK;
}

static void apply_step(struct tables *t, const struct step *s)
{
    struct key *key = TABLES_ROW(tree_find(&t->keys, s->name), struct key);
    if (s->head.kind == TXN_PUT)
        keys_set(t, s->name, s->value, s->head.number);
    else if (key)
        keys_remove(t, key);
}

void txn_apply(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    struct tables_text steps = op->txn.steps;
    struct txn_reader r = reader(steps);
    struct step s;
    result->err = tables_txn_check(steps);
    if (result->err)
        return;
    bool held = all_hold(t, steps);
    uint32_t section = held ? TXN_THEN : TXN_ELSE;
    result->err = check_branch(t, op, section);
    if (result->err)
        return;
    while (next_step(&r, &s) && !t->no_memory) {
        if (s.head.section == section)
            apply_step(t, &s);
    }
    result->value = t->index;
    result->number = held;
}
