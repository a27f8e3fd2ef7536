/* How many lock requests each process has, so that none takes the room of all. */
#include "state.h"

/* Numbers of processes are unique in the cluster; that they are its node's own is not taken for granted. */
static uint64_t number_of(const struct request *r)
{
    return (uint64_t)r->node << 48 ^ r->process_id;
}

static struct owner *find(const struct tables *t, const struct request *r)
{
    return TABLES_ROW(tree_find_number(&t->owners, number_of(r)), struct owner);
}

bool owners_have_room(const struct tables *t, const struct request *like)
{
    const struct owner *o = find(t, like);
    if (o && o->requests >= TABLES_OWNER_MAX)
        return false;
    return !like->delay_ns ||
           ((!o || o->delays < TABLES_OWNER_DELAYS) && t->delays + t->delayed_locks < TABLES_DELAYS_MAX);
}

bool owners_add(struct tables *t, const struct request *r)
{
    struct owner *o = find(t, r);
    if (!o) {
        o = tables_take_numbered(t, sizeof(*o), number_of(r));
        if (!o)
            return false;
        tree_insert(&t->owners, &o->by_process);
    }
    o->requests++;
    o->delays += r->delay_ns != 0;
    t->delays += r->delay_ns != 0;
    return true;
}

void owners_remove(struct tables *t, const struct request *r)
{
    struct owner *o = find(t, r);
    ASSERT(o && o->requests);
    o->requests--;
    o->delays -= r->delay_ns != 0;
    t->delays -= r->delay_ns != 0;
    if (o->requests)
        return;
    tree_remove(&t->owners, &o->by_process);
    tables_give(t, o, sizeof(*o));
}
