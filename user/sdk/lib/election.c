#include "private.h"

#include <shoal/election.h>

_Static_assert(SHOAL_ELECTED_MAX == CLUSTER_LOCK_VALUE_MAX && SHOAL_ELECTED_MAX == CLUSTER_ELECTED_VALUE_MAX,
               "the service's own limits");

err_t shoal_elect(handle_t cluster, uint64_t deadline, const char *name, const void *value, size_t bytes,
                  struct shoal_hold *hold)
{
    return hold_acquire(cluster, deadline, name,
                        &(struct wanted_hold){.mode = CLUSTER_ELECTION, .value = value, .value_bytes = bytes}, hold);
}

err_t shoal_proclaim(const struct shoal_hold *hold, uint64_t deadline, const void *value, size_t bytes)
{
    return bytes > SHOAL_ELECTED_MAX
               ? E_TOO_LONG
               : cluster_elected_set(hold->cluster, deadline, hold->fence, hold->name, value, (uint32_t)bytes);
}

err_t shoal_elected(handle_t cluster, uint64_t deadline, const char *name, struct shoal_elected *e)
{
    memset(e, 0, sizeof *e);
    err_t err = read_result(cluster_elected(cluster, deadline, name, &e->fence, &e->process_id, &e->revision, e->value,
                                            SHOAL_ELECTED_MAX, &e->value_bytes));
    e->value[err ? 0 : e->value_bytes] = 0;
    return err;
}
