/* What becomes of a request: which operation it is, and each step of its way. */
#include "service_private.h"

#define READ_PATIENCE_NS      5000000000ull
#define PROPOSALS_PER_PROCESS (NODE_REQUESTS_MAX / 4)

#define RULE(NAME, name) [CLUSTER_OP_##NAME - CLUSTER_OP_STATUS] = &service_##name##_op
static const struct service_op *const service_ops[] = {
    RULE(STATUS, status),
    RULE(NODES, nodes),
    RULE(GET, get),
    RULE(PUT, put),
    RULE(DEL, del),
    RULE(LIST, list),
    RULE(LOCK, lock),
    RULE(UNLOCK, unlock),
    RULE(LOCK_LIST, lock_list),
    RULE(NAME_REGISTER, name_register),
    RULE(NAME_LOOKUP, name_lookup),
    RULE(NODE_SERVICE, node_service),
    RULE(NODE_OFFER, node_offer),
    RULE(JOB_SUBMIT, job_submit),
    RULE(JOB_LIST, job_list),
    RULE(JOB_NEXT, job_next),
    RULE(JOB_REPORT, job_report),
    RULE(JOB_KILL, job_kill),
    RULE(RAFT, raft),
    RULE(APPEND, append),
    RULE(SESSION_OPEN, session_open),
    RULE(WAIT_STATE, wait_state),
    RULE(PUT_OWNED, put_owned),
    RULE(SESSION_CLOSE, session_close),
    RULE(TXN, txn),
    RULE(WATCH_NEXT, watch_next),
    RULE(ELECTED_SET, elected_set),
    RULE(ELECTED, elected),
    RULE(REQUEST_LIST, request_list),
    RULE(RECOVER, recover),
    RULE(KEY, key),
    RULE(PERMISSIONS, permissions),
    RULE(NARROW, narrow),
    RULE(MEMBERS, members),
    RULE(JOB_STOP_NEXT, job_stop_next),
    RULE(GUARD, guard),
};
#define OPS (sizeof(service_ops) / sizeof(service_ops[0]))

/* ---- answers ---- */

uint8_t service_rows[ROWS_MAX];

struct answer service_answer_begin(void)
{
    struct answer a = {.bytes = cluster.answer_bytes};
    a.msg.bytes = cluster.answer_bytes;
    return a;
}

void service_copy_text(char *to, size_t room, const char *from, uint32_t bytes)
{
    uint32_t count = bytes < room - 1 ? bytes : (uint32_t)room - 1;
    memset(to, 0, room);
    memcpy(to, from, count);
}

/* ---- steps ---- */

void cluster_begin(struct request *r)
{
    uint32_t at = r->op - CLUSTER_OP_STATUS;
    r->rule = at < OPS ? service_ops[at] : NULL;
    if (r->rule)
        r->rule->begin(r);
    else
        cluster_answer(r, E_BAD_SYSCALL, NULL);
}

/* Also of calls that it gave up, which may pile up while nothing is decided: the others want to propose, too. */
static bool proposes_too_much(const struct request *asking)
{
    uint32_t under_way = 0;
    list_for_each(node, &cluster.requests)
    {
        const struct request *r = container_of(node, struct request, node);
        under_way += r->serial == asking->serial && r->phase == PHASE_PROPOSED;
    }
    return under_way >= PROPOSALS_PER_PROCESS;
}

/* False: it could not be, and the request is answered. */
bool service_propose(struct request *r, struct tables_op *op)
{
    err_t err = !cluster.node          ? E_NOT_DELIVERED
                : proposes_too_much(r) ? E_FULL
                                       : node_propose(cluster.node, r->token, op);
    if (err != E_OK)
        cluster_answer(r, err, NULL);
    else
        r->phase = PHASE_PROPOSED;
    return err == E_OK;
}

void cluster_finish(struct request *r, const struct tables_result *result)
{
    if (result->err && r->rule->refused)
        r->rule->refused(r);
    if (!result->err && r->rule->finish)
        r->rule->finish(r, result);
    else
        cluster_answer(r, result->err, NULL);
}

void service_ask_read(struct request *r)
{
    err_t err = cluster.node ? node_read(cluster.node, r->token) : E_NOT_DELIVERED;
    if (!r->give_up_ns)
        r->give_up_ns = time_now_ns() + READ_PATIENCE_NS;
    if (err == E_OK)
        r->phase = PHASE_READ;
    else if (!cluster.node || time_now_ns() >= r->give_up_ns)
        cluster_answer(r, E_NOT_DELIVERED, NULL);
    else
        r->phase = PHASE_ASK_READ;
}

void cluster_read(struct request *r)
{
    r->rule->read(r, node_tables(cluster.node));
}

void cluster_recheck(struct request *r)
{
    if (r->phase == PHASE_FOUND)
        service_found(r);
    else if (r->phase == PHASE_ASK_READ)
        service_ask_read(r);
    else if (r->phase == PHASE_WAITING)
        r->rule->recheck(r);
}

void cluster_cancel(struct request *r)
{
    if (r->phase == PHASE_PROPOSED)
        return; /* it may be applied; what came of it is seen to then */
    if (r->phase == PHASE_QUEUED)
        cluster_release_ticket(r, r->ticket);
    if (r->phase == PHASE_FINDING) {
        uint64_t flags = cluster_enter();
        remote_find_cancel(r);
        cluster_leave(flags);
    }
    cluster_answer(r, E_OK, NULL);
}
