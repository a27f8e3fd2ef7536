/* The nodes of the cluster, as this node knows them: answered here, also without a quorum. */
#pragma once

#include <shoal/cluster.h>

/* Rows of all nodes that are known, at most `room` (NODES_MAX is enough for all), ordered by number. rows_out[i].state:
 * 1 up, 2 not heard, 3 removed, 4 refused. E_TIMED_OUT, E_NO_RIGHT: *count_out is then 0 */
err_t shoal_nodes(handle_t cluster, uint64_t deadline, struct cluster_node *rows_out, uint32_t room,
                  uint32_t *count_out);

/* The number of the node that a person calls "3", "node3" or by its name.
 *   E_NOT_FOUND   no node is called so (a number from 1 to NODES_MAX is always taken for one) */
err_t shoal_node_number(handle_t cluster, uint64_t deadline, const char *word, uint32_t *node_out);
