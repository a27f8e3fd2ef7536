/* nodes: what this program may ask, and which nodes there are. */
#include <shoal/nodes.h>
#include <stdio.h>

int main(void)
{
    static struct cluster_node rows[NODES_MAX];
    char prefix[CLUSTER_PREFIX_MAX + 1];
    handle_t cluster = shoal_cluster();
    uint32_t count = 0, classes, number;
    err_t err = shoal_cluster_wait(cluster, shoal_in_ms(60000));
    if (!err)
        err = shoal_cluster_permits(cluster, shoal_in_ms(5000), &classes, prefix);
    if (!err)
        err = shoal_nodes(cluster, shoal_in_ms(5000), rows, NODES_MAX, &count);
    if (err) {
        fprintf(stderr, "nodes: %s\n", shoal_error_text(err));
        return 1;
    }
    printf("may %sset keys%s%s\n", classes & CLUSTER_MAY_WRITE ? "" : "not ", prefix[0] ? " below " : "", prefix);
    for (uint32_t i = 0; i < count; i++)
        printf("node %u: %s\n", (unsigned)rows[i].node, rows[i].state == 1 ? "up" : "not up");
    err = shoal_node_number(cluster, shoal_in_ms(5000), "node1", &number);
    return err != E_OK || number != 1;
}
