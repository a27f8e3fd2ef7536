/* Who has something in the tables: processes, whose end ends it, and locks to be let go of. */
#include <idl/cluster_codec.h>

#include "cluster.h"

/* ---- processes ---- */

static void process_ended(struct process *p, void *context)
{
    struct owner *o = context;
    list_remove(&o->all);
    remote_withdraw(o->serial);
    list_append(&cluster.inbox.ended, &o->node);
    cluster_wake();
}

err_t cluster_own(struct call *c)
{
    struct process *p = c->thread->process;
    if (p->on_end)
        return E_OK; /* known */
    struct owner *o = kalloc(sizeof(*o));
    if (!o)
        return E_NO_MEMORY;
    list_init(&o->node);
    list_init(&o->all);
    o->serial = p->object.serial;
    o->process = p;
    list_append(&cluster.owners, &o->all);
    p->on_end = process_ended;
    p->on_end_context = o;
    return E_OK;
}

bool cluster_owner_lives(uint64_t serial)
{
    list_for_each(node, &cluster.owners)
    {
        if (container_of(node, struct owner, all)->serial == serial)
            return true;
    }
    return false;
}

static struct owner *next_ended(void)
{
    uint64_t flags = cluster_enter();
    struct list *node = list_pop(&cluster.inbox.ended);
    cluster_leave(flags);
    return node ? container_of(node, struct owner, node) : NULL;
}

/* What a process asked for may be applied after it ended. It would be nobody's then, so its end comes last. */
static bool has_proposals(const struct owner *o)
{
    list_for_each(node, &cluster.requests)
    {
        const struct request *r = container_of(node, struct request, node);
        if (r->serial == o->serial && r->phase == PHASE_PROPOSED && r->op != CLUSTER_OP_MEMBERS)
            return true;
    }
    return false;
}

static void propose_end(struct owner *o)
{
    struct tables_op op = {.kind = TABLES_PROCESS_END, .process_end = {PROCESS_ID(cluster.own_number, o->serial)}};
    o->token = ++cluster.next_token;
    o->proposed = node_propose(cluster.node, o->token, &op) == E_OK;
}

static void free_small(void *block, size_t bytes)
{
    uint64_t flags = cluster_enter();
    kfree(block, bytes);
    cluster_leave(flags);
}

/* Did the process end, so that its end is proposed and frees all it held? */
bool cluster_process_ending(uint64_t serial)
{
    list_for_each(node, &cluster.owners)
    {
        const struct owner *o = container_of(node, struct owner, all);
        if (o->serial == serial)
            return o->process->ending || o->process->live_threads == 0;
    }
    return true;
}

/* ---- locks that nobody wants any more ---- */

void cluster_release_ticket(struct request *r, uint64_t ticket)
{
    struct held *h = r->held;
    assert(h); /* taken when the lock was asked for: to let go of it needs no memory */
    r->held = NULL;
    h->ticket = ticket;
    h->token = 0;
    list_append(&cluster.releasing, &h->node);
}

/* Given back by unlock, or lost: this node's own tables, which granted it, have it no more. */
static bool over(const struct held *h)
{
    struct tables_request_view view;
    const struct tables *t = node_tables(cluster.node);
    return !t || !tables_request(t, h->ticket, &view);
}

static void propose_release(struct held *h)
{
    struct tables_op op = {.kind = TABLES_LOCK_CANCEL, .lock_cancel = {h->ticket}};
    h->token = ++cluster.next_token;
    if (node_propose(cluster.node, h->token, &op) != E_OK)
        h->token = 0;
}

static void take_dropped(void)
{
    for (;;) {
        uint64_t flags = cluster_enter();
        struct list *node = list_pop(&cluster.inbox.dropped);
        cluster_leave(flags);
        if (!node)
            return;
        list_append(&cluster.releasing, node);
    }
}

/* ---- a round ---- */

void cluster_owners_run(void)
{
    for (struct owner *o; (o = next_ended());)
        list_append(&cluster.ending, &o->node);
    take_dropped();
    list_for_each(node, &cluster.ending)
    {
        struct owner *o = container_of(node, struct owner, node);
        if (!o->proposed && !has_proposals(o))
            propose_end(o);
    }
    list_for_each_safe(held, &cluster.releasing)
    {
        struct held *h = container_of(held, struct held, node);
        if (h->token)
            continue;
        if (over(h)) {
            list_remove(held);
            free_small(h, sizeof(*h));
        } else {
            propose_release(h);
        }
    }
}

bool cluster_owner_proposed(uint64_t token)
{
    list_for_each_safe(node, &cluster.ending)
    {
        struct owner *o = container_of(node, struct owner, node);
        if (!o->proposed || o->token != token)
            continue;
        list_remove(node);
        free_small(o, sizeof(*o));
        return true;
    }
    list_for_each_safe(held, &cluster.releasing)
    {
        struct held *h = container_of(held, struct held, node);
        if (!h->token || h->token != token)
            continue;
        list_remove(held);
        free_small(h, sizeof(*h));
        return true;
    }
    return false;
}
