#include "private.h"

#include <shoal/nodes.h>

#define NODES_PAGE (CLUSTER_NODES_ROWS_MAX / sizeof(struct cluster_node))

err_t shoal_nodes(handle_t cluster, uint64_t deadline, struct cluster_node *rows, uint32_t room, uint32_t *count_out)
{
    struct cluster_node page[NODES_PAGE];
    uint32_t position = 0, next = 0, length = 0, count = 0;
    *count_out = 0;
    do {
        position = next;
        err_t err = read_result(cluster_nodes(cluster, deadline, position, &next, page, sizeof page, &length));
        if (err)
            return err;
        for (uint32_t i = 0; i < length / sizeof page[0] && count < room; i++)
            rows[count++] = page[i];
    } while (length > 0 && next > position && count < room);
    *count_out = count;
    return E_OK;
}

static bool is_number(const char *word, uint32_t *out)
{
    uint32_t number = 0;
    for (; *word >= '0' && *word <= '9' && number <= NODES_MAX; word++)
        number = number * 10 + (uint32_t)(*word - '0');
    *out = number;
    return !*word && number >= 1 && number <= NODES_MAX;
}

err_t shoal_node_number(handle_t cluster, uint64_t deadline, const char *word, uint32_t *node_out)
{
    struct cluster_node rows[NODES_MAX];
    uint32_t count;
    if (is_number(word, node_out))
        return E_OK;
    err_t err = shoal_nodes(cluster, deadline, rows, NODES_MAX, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (strncmp(rows[i].name, word, sizeof rows[i].name) != 0)
            continue;
        *node_out = rows[i].node;
        return E_OK;
    }
    if (strncmp(word, "node", 4) == 0 && is_number(word + 4, node_out))
        return E_OK;
    *node_out = 0;
    return err ? err : E_NOT_FOUND;
}
