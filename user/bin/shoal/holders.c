/* Who holds what: the cluster's tables know processes by their kernels' serials; people know them by the numbers that
 * their nodes' process servers gave. */
#include "shoal.h"

#include <abi/ids.h>
#include <idl/cluster.h>
#include <idl/process.h>
#include <os/service.h>
#include <os/startup.h>
#include <stdio.h>

/* Of this node and of every other one: its process service, or that it did not answer, which is waited for once. */
static struct {
    handle_t service;
    bool silent;
} nodes[NODES_MAX + 1];

static bool node_is_up(uint32_t node)
{
    static struct cluster_node rows[NODES_MAX];
    static uint32_t count;
    if (!count)
        count = cluster_nodes_read(rows, NODES_MAX);
    for (uint32_t i = 0; i < count; i++)
        if (rows[i].node == node)
            return rows[i].state == 1;
    return true;
}

static err_t number_of(uint32_t node, uint64_t kernel_id, uint64_t *id_out)
{
    err_t err = E_OK;
    if (node > NODES_MAX || nodes[node].silent)
        return E_NOT_DELIVERED;
    if (!nodes[node].service)
        err = node_is_up(node) ? node_processes(node, &nodes[node].service) : E_NOT_DELIVERED;
    if (!err)
        err = process_number(nodes[node].service, soon(), kernel_id, id_out);
    nodes[node].silent = err && err != E_NOT_FOUND;
    return err;
}

const char *holder_text(uint64_t kernel_id)
{
    static char text[24];
    static uint64_t last; /* many locks may be one process's */
    uint32_t node = PROCESS_ID_NODE(kernel_id);
    uint64_t id = 0;
    if (kernel_id == 0)
        return "-";
    if (kernel_id == last)
        return text;
    last = kernel_id;
    err_t err = number_of(node, kernel_id, &id);
    if (err == E_NOT_FOUND)
        snprintf(text, sizeof text, "%u.-", node);
    else if (err)
        snprintf(text, sizeof text, "%u.?", node);
    else
        snprintf(text, sizeof text, "%u.%u", node, (unsigned)PROCESS_ID_SERIAL(id));
    return text;
}
