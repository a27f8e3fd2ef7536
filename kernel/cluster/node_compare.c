/* Are the tables of all nodes the same? After each entry that renews leases every node keeps a hash of its own; the
 * leader tells its newest one beside the next renewal. Who has another at the same entry has gone wrong, or the leader
 * has: nobody can tell which, and so it takes no part any more and says so. */
#include "node_state.h"

/* A hash is a walk over all: beyond this it would hold the cluster thread up for too long. */
#define COMPARED_BYTES (4u << 20)

void node_compare_applied(struct node *n, uint64_t index)
{
    struct tables_counts counts;
    tables_counts(n->tables, &counts);
    if (counts.memory_bytes > COMPARED_BYTES)
        return;
    n->states[n->states_noted++ % NODE_STATES] = (struct state_hash){index, tables_hash(n->tables)};
}

void node_compare_forget(struct node *n)
{
    memset(n->states, 0, sizeof(n->states));
    n->states_noted = 0;
}

/* Index 0: there is none. */
struct state_hash node_compare_newest(const struct node *n)
{
    return n->states_noted ? n->states[(n->states_noted - 1) % NODE_STATES] : (struct state_hash){0, 0};
}

void node_compare_take(struct node *n, struct state_hash theirs)
{
    for (uint32_t i = 0; theirs.index && i < NODE_STATES; i++) {
        if (n->states[i].index == theirs.index && n->states[i].hash != theirs.hash)
            node_fail_as(n, TROUBLE_DIFFERS, "its tables are not those of the leader");
    }
}
