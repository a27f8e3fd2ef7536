/* The endpoint behind abi/idl/cluster.msg: calls come in under the kernel lock, are worked on by the cluster thread,
 * and answered when what they asked for has happened. */
#include <idl/cluster_codec.h>

#include "cluster.h"

/* ---- calls, in the caller's context ---- */

static err_t call_came(struct endpoint *e, struct call *c)
{
    c->context = NULL;
    list_append(&cluster.inbox.calls, &c->node);
    cluster_wake();
    return E_OK;
}

static void call_gave_up(struct endpoint *e, struct call *c)
{
    struct request *r = c->context;
    if (!r) {
        list_remove(&c->node);
        return;
    }
    r->call = NULL;
    list_append(&cluster.inbox.cancelled, &r->cancel_node);
    cluster_wake();
}

static const struct endpoint_handler handler = {call_came, call_gave_up, NULL, NULL};

void cluster_service_init(void)
{
    cluster.budget = &root_budget;
    cluster.answer_bytes = kalloc(IPC_BYTES_MAX);
    cluster.log_bytes = phys_to_virt(page_alloc_contiguous(20, 0));
    err_t err = endpoint_create_kernel(cluster.budget, &handler, NULL, false, &cluster.service);
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

static void free_request(struct request *r)
{
    for (uint32_t i = 0; i < IPC_HANDLES_MAX; i++)
        handle_ref_drop(&r->refs[i]);
    list_remove(&r->node);
    list_remove(&r->cancel_node);
    kfree(r, sizeof(*r));
}

static err_t copy_message(struct request *r, struct call *c)
{
    uint32_t handles = TAG_HANDLES(c->tag);
    r->in.tag = c->tag & ~(uint64_t)(TAG_REMOTE | TAG_LENT);
    memcpy(r->in.words, c->words, sizeof(r->in.words));
    memcpy(r->bytes, call_bytes(c), TAG_BYTES(c->tag));
    r->in.bytes = r->bytes;
    r->in.handles = r->in_handles;
    for (uint32_t i = 0; i < handles; i++)
        r->in_handles[i] = i + 1;
    return handles ? call_take_handles(c, r->refs) : E_OK;
}

static struct request *make_request(struct call *c)
{
    struct request *r = kalloc(sizeof(*r));
    if (!r) {
        call_fail(c, E_NO_MEMORY);
        return NULL;
    }
    list_init(&r->cancel_node);
    list_append(&cluster.requests, &r->node);
    r->op = TAG_OP(c->tag);
    r->process_id = cluster_process_id(c);
    r->token = ++cluster.next_token;
    err_t err = copy_message(r, c);
    if (err == E_OK &&
        (r->op == CLUSTER_OP_LOCK || r->op == CLUSTER_OP_SESSION_OPEN || r->op == CLUSTER_OP_NAME_REGISTER))
        err = cluster_own(c);
    if (err != E_OK) {
        free_request(r);
        call_fail(c, err);
        return NULL;
    }
    r->call = c;
    c->context = r;
    return r;
}

static struct request *next_request(void)
{
    uint64_t flags = cluster_enter();
    struct request *r = NULL;
    struct list *node;
    while (!r && (node = list_pop(&cluster.inbox.calls)))
        r = make_request(container_of(node, struct call, node));
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
