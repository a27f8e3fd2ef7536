/* Recovering a cluster that lost its majority, and giving up a log: by hand, with the cluster's name as consent. */
#include "service_private.h"

#define TEXT_MAX 3800u

static bool consents(const struct cluster_recover_in *in)
{
    const char *name = cluster.config.cluster_name;
    return in->cluster_length == strlen(name) && !memcmp(in->cluster, name, in->cluster_length);
}

static void begin_recover(struct request *r)
{
    DECODE(recover, r)
    bool acts = in.act == RECOVER_DO || in.act == WIPE_DO;
    size_t bytes = 0;
    if (!cluster.node || in.act > WIPE_DO || (acts && !consents(&in))) {
        cluster_answer(r, cluster.node ? E_INVALID : E_NOT_DELIVERED, NULL);
        return;
    }
    err_t err = node_recover(cluster.node, (enum recover_act)in.act, (char *)service_rows, TEXT_MAX, &bytes);
    ANSWER(r, recover, .refused = err != E_OK, .text = service_rows, .text_length = (uint32_t)bytes);
}

const struct service_op service_recover_op = {.begin = begin_recover};
