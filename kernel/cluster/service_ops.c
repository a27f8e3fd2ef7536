/* What becomes of a request: which operation it is, and each step of its way. */
#include "service_private.h"

#define READ_PATIENCE_NS 5000000000ull

static const struct service_op *const service_ops[] = {
    [CLUSTER_OP_STATUS] = &service_status_op,
    [CLUSTER_OP_NODES] = &service_nodes_op,
    [CLUSTER_OP_GET] = &service_get_op,
    [CLUSTER_OP_PUT] = &service_put_op,
    [CLUSTER_OP_DEL] = &service_del_op,
    [CLUSTER_OP_LIST] = &service_list_op,
    [CLUSTER_OP_LOCK] = &service_lock_op,
    [CLUSTER_OP_UNLOCK] = &service_unlock_op,
    [CLUSTER_OP_LOCK_LIST] = &service_lock_list_op,
    [CLUSTER_OP_NAME_REGISTER] = &service_name_register_op,
    [CLUSTER_OP_NAME_LOOKUP] = &service_name_lookup_op,
    [CLUSTER_OP_NODE_SERVICE] = &service_node_service_op,
    [CLUSTER_OP_NODE_OFFER] = &service_node_offer_op,
    [CLUSTER_OP_JOB_SUBMIT] = &service_job_submit_op,
    [CLUSTER_OP_JOB_LIST] = &service_job_list_op,
    [CLUSTER_OP_JOB_NEXT] = &service_job_next_op,
    [CLUSTER_OP_JOB_REPORT] = &service_job_report_op,
    [CLUSTER_OP_JOB_KILL] = &service_job_kill_op,
    [CLUSTER_OP_RAFT] = &service_raft_op,
    [CLUSTER_OP_APPEND] = &service_append_op,
    [CLUSTER_OP_SESSION_OPEN] = &service_session_open_op,
    [CLUSTER_OP_WAIT_STATE] = &service_wait_state_op,
    [CLUSTER_OP_PERMISSIONS] = &service_permissions_op,
    [CLUSTER_OP_JOB_STOP_NEXT] = &service_job_stop_next_op,
    [CLUSTER_OP_NARROW] = &service_narrow_op,
    [CLUSTER_OP_MEMBERS] = &service_members_op,
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
    r->rule = r->op < OPS ? service_ops[r->op] : NULL;
    if (r->rule)
        r->rule->begin(r);
    else
        cluster_answer(r, E_BAD_SYSCALL, NULL);
}

/* False: it could not be, and the request is answered. */
bool service_propose(struct request *r, struct tables_op *op)
{
    err_t err = cluster.node ? node_propose(cluster.node, r->token, op) : E_NOT_DELIVERED;
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
        cluster_release_ticket(r->ticket);
    if (r->phase == PHASE_FINDING) {
        uint64_t flags = cluster_enter();
        remote_find_cancel(r);
        cluster_leave(flags);
    }
    cluster_answer(r, E_OK, NULL);
}
