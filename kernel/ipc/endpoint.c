/* Endpoints: where calls wait for a receiver, and the badges that were minted for them. */
#include <kernel/debug.h>
#include <kernel/init.h>
#include <kernel/mm.h>
#include <kernel/sched.h>

#include "ipc_local.h"

err_t endpoint_create(struct budget *b, struct endpoint **out)
{
    struct endpoint *e;
    err_t err = object_create(b, OBJECT_ENDPOINT, sizeof(*e), &e);
    if (err != E_OK)
        return err;
    list_init(&e->callers);
    list_init(&e->receivers);
    list_init(&e->gates);
    list_init(&e->closed);
    *out = e;
    return E_OK;
}

err_t endpoint_create_kernel(struct budget *b, const struct endpoint_handler *handler, void *context, bool remote,
                             struct endpoint **out)
{
    err_t err = endpoint_create(b, out);
    if (err != E_OK)
        return err;
    (*out)->handler = handler;
    (*out)->context = context;
    (*out)->object.remote = remote;
    return E_OK;
}

void endpoint_drop(struct endpoint *e)
{
    object_kill(&e->object);
    object_put(&e->object);
}

/* ---- badges ---- */

err_t endpoint_mint(struct endpoint *e, uint64_t badge, uint32_t rights, struct handle_ref *out)
{
    if (e->object.dead)
        return E_GONE;
    err_t err = object_charge(&e->object, sizeof(struct gate));
    if (err != E_OK)
        return err;
    struct gate *g = kalloc(sizeof(*g));
    if (!g) {
        object_uncharge(&e->object, sizeof(*g));
        return E_NO_MEMORY;
    }
    g->endpoint = e;
    g->badge = badge;
    list_init(&g->closed_node);
    list_append(&e->gates, &g->node);
    *out = handle_ref_make(&e->object, g, rights);
    return E_OK;
}

static void gate_free(struct gate *g)
{
    list_remove(&g->node);
    list_remove(&g->closed_node);
    object_uncharge(&g->endpoint->object, sizeof(*g));
    kfree(g, sizeof(*g));
}

void gate_handle_removed(struct gate *g)
{
    struct endpoint *e = g->endpoint;
    uint64_t badge = g->badge;
    if (e->object.dead) {
        gate_free(g);
    } else if (e->handler) {
        gate_free(g);
        if (e->handler->closed)
            e->handler->closed(e, badge);
    } else {
        list_append(&e->closed, &g->closed_node);
        endpoint_pump(e);
    }
}

/* The badge of a minted handle set that is gone; true if there was one. */
bool endpoint_take_closed(struct endpoint *e, uint64_t *badge_out)
{
    if (list_empty(&e->closed))
        return false;
    struct gate *g = container_of(e->closed.next, struct gate, closed_node);
    *badge_out = g->badge;
    gate_free(g);
    return true;
}

void endpoint_revoke(struct endpoint *e, uint64_t badge)
{
    list_for_each(node, &e->gates)
    {
        struct gate *g = container_of(node, struct gate, node);
        if (g->badge == badge)
            g->revoked = true;
    }
    list_for_each_safe(node, &e->callers)
    {
        struct call *c = container_of(node, struct call, node);
        if (c->gate && c->gate->revoked)
            call_fail(c, E_GONE);
    }
}

/* ---- the bound notification ---- */

static void unbind(struct endpoint *e)
{
    struct notification *n = e->bound;
    if (!n)
        return;
    e->bound = NULL;
    n->bound = NULL;
    object_put(&n->object);
}

err_t endpoint_bind(struct endpoint *e, struct notification *n)
{
    if (n && n->bound)
        return n->bound == e ? E_OK : E_BUSY;
    unbind(e);
    if (!n)
        return E_OK;
    object_get(&n->object);
    e->bound = n;
    n->bound = e;
    endpoint_pump(e);
    return E_OK;
}

/* ---- its end ---- */

static void endpoint_kill(struct object *o)
{
    struct endpoint *e = container_of(o, struct endpoint, object);
    struct list *node;
    while (!list_empty(&e->callers))
        call_fail(container_of(e->callers.next, struct call, node), E_GONE);
    while ((node = list_pop(&e->receivers)))
        sched_wake(container_of(node, struct thread, wait_node), E_GONE);
    uint64_t badge;
    while (endpoint_take_closed(e, &badge))
        ;
    unbind(e);
}

static void endpoint_free(struct object *o)
{
    struct endpoint *e = container_of(o, struct endpoint, object);
    assert(list_empty(&e->gates));
    if (e->guard) {
        kfree(e->guard, sizeof(*e->guard));
        object_uncharge(o, sizeof(*e->guard));
    }
    object_shell_free(o, sizeof(struct endpoint));
}

static void endpoint_handle_added(struct object *o, uint32_t rights)
{
    if (rights & RIGHT_RECV)
        container_of(o, struct endpoint, object)->recv_handles++;
}

static void endpoint_handle_removed(struct object *o, uint32_t rights)
{
    struct endpoint *e = container_of(o, struct endpoint, object);
    if ((rights & RIGHT_RECV) && --e->recv_handles == 0)
        object_kill(o); /* nobody can receive from it any more */
}

static void endpoint_last_handle(struct object *o)
{
    struct endpoint *e = container_of(o, struct endpoint, object);
    if (e->handler && e->handler->unused)
        e->handler->unused(e);
}

static const struct object_type_ops endpoint_ops = {
    .kill = endpoint_kill,
    .free = endpoint_free,
    .handle_added = endpoint_handle_added,
    .handle_removed = endpoint_handle_removed,
    .last_handle = endpoint_last_handle,
};

static void endpoint_init(void)
{
    object_type_register(OBJECT_ENDPOINT, &endpoint_ops);
}
INIT_HOOK(INIT_OBJECTS, endpoint_init);
