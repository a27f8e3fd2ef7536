#include "private.h"

#include <shoal/semaphore.h>

err_t shoal_semaphore(handle_t cluster, uint64_t deadline, const char *name, uint32_t permits, struct shoal_hold *hold)
{
    return hold_acquire(cluster, deadline, name, &(struct wanted_hold){.mode = CLUSTER_SEMAPHORE, .permits = permits},
                        hold);
}
