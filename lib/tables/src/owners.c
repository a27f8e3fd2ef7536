/* How many lock requests and sessions each process has, so that none takes the room of all. */
#include "state.h"

/* Numbers of processes are unique in the cluster; that they are its node's own is not taken for granted. */
static uint64_t number_of(uint32_t node, uint64_t process_id)
{
    return (uint64_t)node << 48 ^ process_id;
}

static struct owner *find(const struct tables *t, uint32_t node, uint64_t process_id)
{
    return TABLES_ROW(tree_find_number(&t->owners, number_of(node, process_id)), struct owner);
}

/* NULL: no memory. */
static struct owner *find_or_make(struct tables *t, uint32_t node, uint64_t process_id)
{
    struct owner *o = find(t, node, process_id);
    if (o)
        return o;
    o = tables_take_numbered(t, sizeof(*o), number_of(node, process_id));
    if (o)
        tree_insert(&t->owners, &o->by_process);
    return o;
}

static void drop_if_idle(struct tables *t, struct owner *o)
{
    if (o->requests || o->sessions)
        return;
    tree_remove(&t->owners, &o->by_process);
    tables_give(t, o, sizeof(*o));
}

bool owners_have_room(const struct tables *t, const struct request *like)
{
    const struct owner *o = find(t, like->node, like->process_id);
    if (o && o->requests >= TABLES_OWNER_MAX)
        return false;
    return !like->delay_ns ||
           ((!o || o->delays < TABLES_OWNER_DELAYS) && t->delays + t->delayed_locks < TABLES_DELAYS_MAX);
}

bool owners_add(struct tables *t, const struct request *r)
{
    struct owner *o = find_or_make(t, r->node, r->process_id);
    if (!o)
        return false;
    o->requests++;
    o->delays += r->delay_ns != 0;
    t->delays += r->delay_ns != 0;
    return true;
}

void owners_remove(struct tables *t, const struct request *r)
{
    struct owner *o = find(t, r->node, r->process_id);
    ASSERT(o && o->requests);
    o->requests--;
    o->delays -= r->delay_ns != 0;
    t->delays -= r->delay_ns != 0;
    drop_if_idle(t, o);
}

bool owners_have_session_room(const struct tables *t, uint32_t node, uint64_t process_id)
{
    const struct owner *o = find(t, node, process_id);
    return t->sessions.count < TABLES_SESSIONS_MAX && (!o || o->sessions < TABLES_OWNER_SESSIONS);
}

bool owners_add_session(struct tables *t, const struct session *s)
{
    struct owner *o = find_or_make(t, s->node, s->process_id);
    if (o)
        o->sessions++;
    return o;
}

void owners_remove_session(struct tables *t, const struct session *s)
{
    struct owner *o = find(t, s->node, s->process_id);
    ASSERT(o && o->sessions);
    o->sessions--;
    drop_if_idle(t, o);
}
