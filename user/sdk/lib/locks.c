#include "private.h"

#include <shoal/locks.h>

_Static_assert(sizeof((struct shoal_locks *)0)->page >= CLUSTER_LOCK_LIST_ROWS_MAX - sizeof(struct cluster_lock) + 1,
               "an answer fits");

void shoal_locks_begin(struct shoal_locks *locks, handle_t cluster)
{
    locks->cluster = cluster;
    locks->position = locks->at = locks->count = 0;
    locks->last = false;
}

err_t shoal_locks_next(struct shoal_locks *locks, uint64_t deadline, const struct cluster_lock **row_out)
{
    uint32_t next, length;
    *row_out = NULL;
    if (locks->at == locks->count && !locks->last) {
        err_t err = read_result(cluster_lock_list(locks->cluster, deadline, locks->position, &next, locks->page,
                                                  sizeof locks->page, &length));
        if (err)
            return err;
        locks->last = length == 0 || next <= locks->position;
        locks->position = next;
        locks->at = 0;
        locks->count = length / (uint32_t)sizeof locks->page[0];
    }
    if (locks->at == locks->count)
        return E_NOT_FOUND;
    *row_out = &locks->page[locks->at++];
    return E_OK;
}
