#include "private.h"

#include <shoal/lock.h>

err_t shoal_lock(handle_t cluster, uint64_t deadline, const char *name, const struct shoal_lock_options *options,
                 struct shoal_hold *hold)
{
    static const struct shoal_lock_options none;
    const struct shoal_lock_options *o = options ? options : &none;
    return hold_acquire(cluster, deadline, name,
                        &(struct wanted_hold){.mode = o->shared ? CLUSTER_SHARED : CLUSTER_EXCLUSIVE,
                                              .try_only = o->try_only,
                                              .delay_ms = o->delay_ms},
                        hold);
}
