#include "private.h"

#include <os/fence.h>

_Static_assert(SHOAL_LOCK_NAME_MAX == CLUSTER_LOCK_NAME_MAX, "the service's own limit");

/* A call that brought no hold leaves none behind: the kernel gives back what is granted to a caller that has gone on.
 * So asking again is safe. */
err_t hold_acquire(handle_t cluster, uint64_t deadline, const char *name, const struct wanted_hold *w,
                   struct shoal_hold *hold)
{
    err_t err;
    memset(hold, 0, sizeof *hold);
    if (!take_name(hold->name, name, SHOAL_LOCK_NAME_MAX) || w->value_bytes > CLUSTER_LOCK_VALUE_MAX)
        return E_TOO_LONG;
    do
        err = cluster_lock(cluster, deadline, w->mode, w->try_only, w->permits, w->delay_ms, name, w->value,
                           (uint32_t)w->value_bytes, &hold->fence, &hold->handle);
    while (err == E_UNKNOWN && shoal_now_ns() < deadline);
    hold->cluster = cluster;
    return err == E_UNKNOWN ? E_TIMED_OUT : err;
}

err_t shoal_release(struct shoal_hold *hold, uint64_t deadline)
{
    handle_t handle = hold->handle;
    hold->handle = HANDLE_NONE;
    err_t err = cluster_unlock(hold->cluster, deadline, hold->fence, hold->name);
    os_handle_close(handle);
    return err;
}

err_t shoal_wait_lost(const struct shoal_hold *hold, uint64_t deadline)
{
    err_t err = os_fence_lost(hold->handle, deadline);
    return err == E_UNKNOWN ? E_TIMED_OUT : err;
}
