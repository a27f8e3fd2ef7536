/* The endpoint behind abi/idl/cluster.msg: calls come in under the kernel lock, are worked on by the cluster thread,
 * and answered when what they asked for has happened. */
#include <idl/cluster_codec.h>

#include "cluster.h"

/* ---- calls, in the caller's context ---- */

static void free_request(struct request *r)
{
    for (uint32_t i = 0; i < IPC_HANDLES_MAX; i++)
        handle_ref_drop(&r->refs[i]);
    if (r->held)
        kfree(r->held, sizeof(*r->held));
    list_remove(&r->node);
    list_remove(&r->cancel_node);
    if (r->op == CLUSTER_OP_KEY)
        memset(r->bytes, 0, sizeof(r->bytes)); /* also one that was refused as it came */
    kfree(r, sizeof(*r));
}

/* All but the handles, which stay the caller's until nothing can refuse the call. */
static void copy_message(struct request *r, const struct call *c)
{
    r->in.tag = c->tag & ~(uint64_t)(TAG_REMOTE | TAG_SENDER_FLAGS);
    memcpy(r->in.words, c->words, sizeof(r->in.words));
    memcpy(r->bytes, call_bytes(c), TAG_BYTES(c->tag));
    r->in.bytes = r->bytes;
    r->in.handles = r->in_handles;
    for (uint32_t i = 0; i < TAG_HANDLES(c->tag); i++)
        r->in_handles[i] = i + 1;
}

static bool binds_to_process(uint32_t op)
{
    return op == CLUSTER_OP_LOCK || op == CLUSTER_OP_SESSION_OPEN || op == CLUSTER_OP_NAME_REGISTER ||
           op == CLUSTER_OP_NODE_OFFER || op == CLUSTER_OP_JOB_NEXT || op == CLUSTER_OP_JOB_STOP_NEXT ||
           op == CLUSTER_OP_JOB_REPORT;
}

/* The check of permissions, the only one: what is refused here has done nothing. */
static err_t check_request(struct request *r, struct call *c)
{
    err_t err = permissions_check(&r->permitted, r->op, &r->in);
    if (err == E_OK && binds_to_process(r->op))
        err = cluster_own(c);
    if (err == E_OK && TAG_HANDLES(c->tag))
        err = call_take_handles(c, r->refs);
    return err;
}

static err_t call_came(struct endpoint *e, struct call *c)
{
    const struct permissions *permitted = authority_permissions(&e->object);
    if (!permitted || !c->thread)
        return E_GONE; /* no other node has a handle to this one's service: each has its own */
    struct request *r = kalloc(sizeof(*r));
    if (!r)
        return E_NO_MEMORY;
    list_init(&r->node);
    list_init(&r->cancel_node);
    r->op = TAG_OP(c->tag);
    r->permitted = *permitted;
    r->serial = c->thread->process->object.serial;
    copy_message(r, c);
    err_t err = check_request(r, c);
    if (err != E_OK) {
        free_request(r);
        return err;
    }
    r->call = c;
    c->context = r;
    list_append(&cluster.inbox.requests, &r->node);
    cluster_wake();
    return E_OK;
}

static void call_gave_up(struct endpoint *e, struct call *c)
{
    struct request *r = c->context;
    r->call = NULL;
    if (!r->taken) {
        free_request(r);
        return;
    }
    list_append(&cluster.inbox.cancelled, &r->cancel_node);
    cluster_wake();
}

static const struct endpoint_handler handler = {
    .request = call_came, .cancelled = call_gave_up, .unused = authority_unused};

void cluster_service_init(void)
{
    cluster.budget = &root_budget;
    cluster.answer_bytes = kalloc(IPC_BYTES_MAX);
    cluster.log_bytes = phys_to_virt(page_alloc_contiguous(20, 0));
    err_t err = authority_init(cluster.budget, &handler, &cluster.service);
    if (err != E_OK || !cluster.answer_bytes)
        panic("cluster: no memory for the service");
}

/* ---- requests ---- */

struct request *cluster_request(uint64_t token)
{
    list_for_each(node, &cluster.requests)
    {
        struct request *r = container_of(node, struct request, node);
        if (r->token == token)
            return r;
    }
    return NULL;
}

static struct request *next_request(void)
{
    uint64_t flags = cluster_enter();
    struct list *node = list_pop(&cluster.inbox.requests);
    struct request *r = node ? container_of(node, struct request, node) : NULL;
    if (r) {
        r->taken = true;
        r->process_id = PROCESS_ID(cluster.own_number, r->serial); /* not before: the number may be new */
        r->token = ++cluster.next_token;
        list_append(&cluster.requests, &r->node);
    }
    cluster_leave(flags);
    return r;
}

static struct request *next_cancelled(void)
{
    uint64_t flags = cluster_enter();
    struct list *node = list_pop(&cluster.inbox.cancelled);
    cluster_leave(flags);
    return node ? container_of(node, struct request, cancel_node) : NULL;
}

/* Handles in the answer are indices + 1 into its refs; what is not sent is let go of. */
static void send_answer(struct request *r, struct answer *a)
{
    struct ipc_message m = {.tag = a->msg.tag, .bytes = a->msg.bytes};
    memcpy(m.words, a->msg.words, sizeof(m.words));
    for (uint32_t i = 0; i < TAG_HANDLES(m.tag); i++) {
        m.handles[i] = a->refs[a->handles[i] - 1];
        a->refs[a->handles[i] - 1] = (struct handle_ref){0};
    }
    call_answer(r->call, &m);
}

void cluster_answer(struct request *r, err_t err, struct answer *a)
{
    struct answer failed = {.msg = {.tag = TAG(err, 0, 0, 0), .bytes = cluster.answer_bytes}};
    uint64_t flags = cluster_enter();
    if (r->call)
        send_answer(r, err == E_OK && a ? a : &failed);
    for (uint32_t i = 0; a && i < IPC_HANDLES_MAX; i++)
        handle_ref_drop(&a->refs[i]);
    free_request(r);
    cluster_leave(flags);
}

/* ---- from the node ---- */

void cluster_proposed(void *context, uint64_t token, const struct tables_result *result)
{
    struct request *r = cluster_owner_proposed(token) ? NULL : cluster_request(token);
    if (r)
        cluster_finish(r, result);
}

void cluster_readable(void *context, uint64_t token, err_t err)
{
    struct request *r = cluster_request(token);
    if (r && err == E_OK)
        cluster_read(r);
    else if (r)
        r->phase = PHASE_ASK_READ;
}

/* ---- a round ---- */

void cluster_service_run(void)
{
    struct request *r;
    while ((r = next_cancelled()))
        cluster_cancel(r);
    while ((r = next_request()))
        cluster_begin(r);
    list_for_each_safe(node, &cluster.requests) cluster_recheck(container_of(node, struct request, node));
}
