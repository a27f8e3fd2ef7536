/* What an operator asks of the members: the node asks the leader, and answers in words. */
#include "service_private.h"

static void begin_members(struct request *r)
{
    DECODE(members, r)
    if (in.action < CLUSTER_MEMBERS_ADD || in.action > CLUSTER_MEMBERS_TRANSFER || in.node < 1 || in.node > NODES_MAX) {
        cluster_answer(r, E_INVALID, NULL);
        return;
    }
    err_t err = cluster.node ? node_members(cluster.node, r->token, in.action, in.node) : E_NOT_DELIVERED;
    if (err)
        cluster_answer(r, err, NULL);
    else
        r->phase = PHASE_PROPOSED; /* it goes on without its caller */
}

void cluster_members_answered(void *context, uint64_t token, err_t err, const char *words)
{
    struct request *r = cluster_request(token);
    if (r)
        ANSWER(r, members, .result = (uint32_t)err, .words = words, .words_length = (uint32_t)strlen(words));
}

const struct service_op service_members_op = {.begin = begin_members};
