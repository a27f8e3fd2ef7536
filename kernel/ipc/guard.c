#include "guard.h"

static bool same_lock(const uint64_t a[2], const uint64_t b[2])
{
    return a[0] == b[0] && a[1] == b[1];
}

static uint64_t higher(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

err_t guard_admits(const struct endpoint_guard *g, const struct ipc_fence *f)
{
    if (!same_lock(g->lock, f->lock))
        return E_NOT_FENCED;
    uint64_t floor = f->shared ? g->exclusive : higher(g->exclusive, g->shared);
    return f->value < floor ? E_STALE_FENCE : E_OK;
}

void guard_see(struct endpoint_guard *g, const struct ipc_fence *f)
{
    uint64_t *seen = f->shared ? &g->shared : &g->exclusive;
    *seen = higher(*seen, f->value);
}

err_t guard_join(struct endpoint_guard *g, const struct endpoint_guard *other)
{
    if (!same_lock(g->lock, other->lock))
        return E_BUSY;
    g->exclusive = higher(g->exclusive, other->exclusive);
    g->shared = higher(g->shared, other->shared);
    return E_OK;
}
