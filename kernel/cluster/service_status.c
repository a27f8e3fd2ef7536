/* Operations that say what is known here, without asking the others. */
#include "service_private.h"

static void alone_status(struct cluster_status *s)
{
    struct text t = text_begin(s->waiting, sizeof(s->waiting));
    s->state = cluster.configured ? CLUSTER_LINK : CLUSTER_LOCAL;
    text_put(&t, !cluster.configured   ? cluster.unconfigured
                 : cluster.peer.memory ? "a network card"
                                       : "the network server");
    memcpy(s->cluster_name, cluster.config.cluster_name, sizeof(s->cluster_name));
}

static uint32_t state_now(void)
{
    return cluster.node ? node_state(cluster.node) : cluster.configured ? CLUSTER_LINK : CLUSTER_LOCAL;
}

static void begin_status(struct request *r)
{
    struct cluster_status s = {0};
    if (cluster.node)
        node_status(cluster.node, &s);
    else
        alone_status(&s);
    s.carrier_malformed = cluster.malformed.count;
    s.carrier_broken = cluster.broken.count;
    ANSWER(r, status, .status = &s, .status_length = sizeof(s));
}

static void begin_nodes(struct request *r)
{
    DECODE(nodes, r)
    uint32_t used = 0, number = in.position < 1 ? 1 : in.position;
    for (; cluster.node && number <= NODES_MAX; number++) {
        struct cluster_node row;
        if (!node_row(cluster.node, number, &row))
            continue;
        if (used + sizeof(row) > ROWS_MAX)
            break;
        memcpy(service_rows + used, &row, sizeof(row));
        used += sizeof(row);
    }
    ANSWER(r, nodes, .next = number, .rows = service_rows, .rows_length = used);
}

static void begin_raft(struct request *r)
{
    size_t used = cluster.node ? node_raft_text(cluster.node, (char *)service_rows, 3800) : 0;
    if (!used) {
        struct text t = text_begin((char *)service_rows, sizeof(service_rows));
        text_put(&t, "not started\n");
        used = t.used;
    }
    ANSWER(r, raft, .text = service_rows, .text_length = (uint32_t)used);
}

static void begin_wait_state(struct request *r)
{
    DECODE(wait_state, r)
    r->state = in.state;
    r->phase = PHASE_WAITING;
}

static void recheck_wait_state(struct request *r)
{
    if (state_now() >= r->state)
        ANSWER(r, wait_state, .now = state_now());
}

const struct service_op service_status_op = {.begin = begin_status};
const struct service_op service_nodes_op = {.begin = begin_nodes};
const struct service_op service_raft_op = {.begin = begin_raft};
const struct service_op service_wait_state_op = {.begin = begin_wait_state, .recheck = recheck_wait_state};
