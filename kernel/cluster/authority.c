/* Endpoints of the cluster service, one for each set of permissions. */
#include "authority.h"

#include <abi/ids.h>
#include <base/mem.h>
#include <kernel/debug.h>
#include <kernel/list.h>
#include <kernel/mm.h>

struct authority {
    struct permissions permitted;
    struct endpoint *endpoint;
    struct list node; /* in `received`, else alone */
    uint32_t from;
};

static struct budget *budget;
static const struct endpoint_handler *handler;
static struct authority everything;
static struct list received; /* shared by all that were given the same by the same node */
static uint32_t received_count[NODES_MAX + 1];

err_t authority_init(struct budget *b, const struct endpoint_handler *service, struct endpoint **out)
{
    budget = b;
    handler = service;
    everything.permitted = permissions_all;
    list_init(&received);
    list_init(&everything.node);
    err_t err = endpoint_create_kernel(budget, service, &everything, false, &everything.endpoint);
    *out = everything.endpoint;
    return err;
}

static struct handle_ref handle_to(const struct authority *a)
{
    uint32_t rights = object_rights(OBJECT_ENDPOINT) & ~(uint32_t)RIGHT_RECV;
    return handle_ref_make(&a->endpoint->object, NULL, rights);
}

/* The record is charged to the endpoint, so that both go to the parent Budget should theirs end before the last handle.
 */
static err_t make(struct budget *payer, const struct permissions *permitted, struct authority **out)
{
    struct authority *a = kalloc(sizeof(*a));
    if (!a)
        return E_NO_MEMORY;
    err_t err = endpoint_create_kernel(payer, handler, a, false, &a->endpoint);
    if (err == E_OK) {
        err = object_charge(&a->endpoint->object, sizeof(*a));
        if (err != E_OK)
            endpoint_drop(a->endpoint);
    }
    if (err != E_OK) {
        kfree(a, sizeof(*a));
        return err;
    }
    a->permitted = *permitted;
    list_init(&a->node);
    *out = a;
    return E_OK;
}

void authority_unused(struct endpoint *e)
{
    struct authority *a = e->context;
    if (a == &everything)
        return;
    if (!list_empty(&a->node)) {
        list_remove(&a->node);
        received_count[a->from]--;
    }
    e->context = NULL; /* a call that it came by may still hold the endpoint */
    object_uncharge(&e->object, sizeof(*a));
    kfree(a, sizeof(*a));
    endpoint_drop(e);
}

const struct permissions *authority_permissions(const struct object *o)
{
    if (o->type != OBJECT_ENDPOINT || o->dead)
        return NULL;
    const struct endpoint *e = container_of(o, struct endpoint, object);
    return e->handler && e->handler == handler ? &((const struct authority *)e->context)->permitted : NULL;
}

err_t authority_narrow(const struct permissions *own, uint32_t classes, const char *prefix, uint32_t prefix_bytes,
                       struct budget *payer, struct handle_ref *out)
{
    struct permissions permitted;
    struct authority *a;
    err_t err = permissions_narrow(own, classes, prefix, prefix_bytes, &permitted);
    if (err == E_OK)
        err = make(payer, &permitted, &a);
    if (err == E_OK)
        *out = handle_to(a);
    return err;
}

static struct authority *find_received(uint32_t from, const struct permissions *permitted)
{
    list_for_each(node, &received)
    {
        struct authority *a = container_of(node, struct authority, node);
        if (a->from == from && permissions_equal(&a->permitted, permitted))
            return a;
    }
    return NULL;
}

err_t authority_receive(uint32_t from, const struct permissions *permitted, struct handle_ref *out)
{
    assert(from <= NODES_MAX);
    struct authority *a = permissions_equal(permitted, &permissions_all) ? &everything : find_received(from, permitted);
    if (!a) {
        if (received_count[from] == AUTHORITY_PASSED_MAX)
            return E_FULL;
        err_t err = make(budget, permitted, &a);
        if (err != E_OK)
            return err;
        a->from = from;
        list_append(&received, &a->node);
        received_count[from]++;
    }
    *out = handle_to(a);
    return E_OK;
}
