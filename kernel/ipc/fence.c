/* Fences: a call made under a lock carries the token of the lock's grant, stamped by the holder's kernel; an endpoint
 * that is bound to the lock gets no call whose token a later grant has made void. That is checked at the last moment,
 * when the receiver is given the message, so what waited in a queue meanwhile is judged by what overtook it. */
#include <kernel/mm.h>

#include "guard.h"
#include "ipc_local.h"

err_t fence_check(const struct endpoint *e, const struct call *c)
{
    if (!e->guard)
        return E_OK;
    return c->tag & TAG_FENCED ? guard_admits(e->guard, &c->fence) : E_NOT_FENCED;
}

void fence_seen(struct endpoint *e, const struct call *c)
{
    if (e->guard)
        guard_see(e->guard, &c->fence);
}

err_t endpoint_guard(struct endpoint *e, const struct endpoint_guard *guard)
{
    if (e->object.dead)
        return E_GONE;
    if (e->handler)
        return E_WRONG_TYPE;
    if (e->guard)
        return guard_join(e->guard, guard);
    err_t err = object_charge(&e->object, sizeof(*guard));
    if (err != E_OK)
        return err;
    struct endpoint_guard *own = kalloc(sizeof(*own));
    if (!own) {
        object_uncharge(&e->object, sizeof(*own));
        return E_NO_MEMORY;
    }
    *own = *guard;
    e->guard = own;
    return E_OK;
}
