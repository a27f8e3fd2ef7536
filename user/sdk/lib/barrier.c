#include "private.h"

#include <shoal/barrier.h>

err_t shoal_barrier(handle_t cluster, uint64_t deadline, const char *name, uint32_t parties)
{
    struct shoal_hold hold;
    err_t err = hold_acquire(cluster, deadline, name,
                             &(struct wanted_hold){.mode = CLUSTER_BARRIER, .permits = parties}, &hold);
    if (err == E_OK)
        os_handle_close(hold.handle); /* nobody waits for it to be given back */
    return err;
}
