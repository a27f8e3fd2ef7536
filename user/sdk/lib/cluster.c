#include "private.h"

#include <os/startup.h>

handle_t shoal_cluster(void)
{
    return os_startup_handle(STARTUP_CLUSTER);
}

err_t shoal_cluster_wait(handle_t cluster, uint64_t deadline)
{
    uint32_t now;
    return read_result(cluster_wait_state(cluster, deadline, CLUSTER_MEMBER, &now));
}

err_t shoal_cluster_status(handle_t cluster, uint64_t deadline, struct cluster_status *status_out)
{
    uint32_t length = 0;
    memset(status_out, 0, sizeof *status_out);
    err_t err = read_result(cluster_status(cluster, deadline, status_out, sizeof *status_out, &length));
    return err == E_OK && length != sizeof *status_out ? E_BAD_MESSAGE : err;
}

err_t shoal_cluster_narrow(handle_t cluster, uint64_t deadline, uint32_t classes, const char *prefix,
                           handle_t *narrowed_out)
{
    *narrowed_out = HANDLE_NONE;
    return cluster_narrow(cluster, deadline, classes, prefix, narrowed_out);
}

err_t shoal_cluster_permits(handle_t cluster, uint64_t deadline, uint32_t *classes_out, char *prefix_out)
{
    *classes_out = 0;
    prefix_out[0] = 0;
    return read_result(cluster_permissions(cluster, deadline, classes_out, prefix_out));
}
