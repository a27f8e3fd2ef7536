#include "private.h"

#include <os/fence.h>
#include <shoal/fence.h>

handle_t shoal_act_under(const struct shoal_hold *hold)
{
    return os_fence(hold ? hold->handle : HANDLE_NONE);
}

void shoal_act_again(handle_t before)
{
    os_fence(before);
}

err_t shoal_guard(handle_t cluster, uint64_t deadline, const char *name, handle_t endpoint)
{
    return read_result(cluster_guard(cluster, deadline, name, endpoint));
}
