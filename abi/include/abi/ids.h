/* Cluster-wide numbers for people and programs. */
#pragma once

#include <abi/types.h>

#define NODES_MAX 64u

/* A process id: node number (1..64) in the high bits, then a serial that its node gave it since power-on. It is shown
 * as "2.17". A process of node 2's earlier life can have the same number; handles, which carry the boot id, cannot. */
typedef uint64_t process_id_t;
/* Serials below are those of the servers, drivers and shells that the node's supervisor started. */
#define PROCESS_SERIAL_FIRST 100u

#define PROCESS_ID(node, serial) ((process_id_t)(node) << 32 | (uint32_t)(serial))
#define PROCESS_ID_NODE(id)      ((uint32_t)((id) >> 32))
#define PROCESS_ID_SERIAL(id)    ((uint32_t)(id))
