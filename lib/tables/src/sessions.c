/* Client sessions: what makes an append happen at most once. */
#include "state.h"

struct session *sessions_find(const struct tables *t, uint64_t session)
{
    return TABLES_ROW(tree_find_number(&t->sessions, session), struct session);
}

bool tables_session(const struct tables *t, uint64_t session, uint64_t *process_id_out, uint64_t *sequence_out)
{
    const struct session *s = sessions_find(t, session);
    if (!s)
        return false;
    *process_id_out = s->process_id;
    *sequence_out = s->last_number;
    return true;
}

struct session *sessions_add(struct tables *t, uint64_t session, uint32_t node, uint64_t process_id)
{
    struct session *s = tables_take_numbered(t, sizeof(*s), session);
    if (!s)
        return NULL;
    s->session = session;
    s->node = node;
    s->process_id = process_id;
    if (!owners_add_session(t, s))
        return NULL;
    tree_insert(&t->sessions, &s->by_number);
    return s;
}

static void remove_session(struct tables *t, struct session *s)
{
    tree_remove(&t->sessions, &s->by_number);
    owners_remove_session(t, s);
    tables_give(t, s, sizeof(*s));
}

void sessions_apply_open(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    if (!owners_have_session_room(t, op->node, op->session_open.process_id)) {
        result->err = E_FULL;
        return;
    }
    if (sessions_add(t, t->index, op->node, op->session_open.process_id))
        result->value = t->index;
}

void sessions_apply_close(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    struct session *s = sessions_find(t, op->session_close.session);
    if (!s || !owned_by(s->node, s->process_id, op->node, op->session_close.process_id))
        result->err = E_NO_SESSION;
    else
        remove_session(t, s);
    keys_end_ephemeral(t);
}

void sessions_apply_process_end(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    sessions_end(t, op->node, op->process_end.process_id);
    locks_end(t, op->node, op->process_end.process_id, 0);
    names_end(t, op->node, op->process_end.process_id);
}

void sessions_end(struct tables *t, uint32_t node, uint64_t process_id)
{
    struct tree_node *next;
    for (struct tree_node *at = tree_next(&t->sessions, NULL); at; at = next) {
        struct session *s = TABLES_ROW(at, struct session);
        next = tree_next(&t->sessions, at);
        if (owned_by(s->node, s->process_id, node, process_id))
            remove_session(t, s);
    }
    keys_end_ephemeral(t);
}
