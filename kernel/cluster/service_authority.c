/* Operations on the handle itself: what it permits, and another that permits less. */
#include "service_private.h"

static void begin_permissions(struct request *r)
{
    ANSWER(r, permissions, .classes = r->permitted.classes, .prefix = r->permitted.prefix,
           .prefix_length = r->permitted.prefix_bytes);
}

static void begin_narrow(struct request *r)
{
    DECODE(narrow, r)
    struct handle_ref ref = {0};
    uint64_t flags = cluster_enter();
    struct budget *payer = r->call ? r->call->thread->process->object.budget : NULL;
    err_t err = payer ? authority_narrow(&r->permitted, in.classes, in.prefix, in.prefix_length, payer, &ref) : E_GONE;
    cluster_leave(flags);
    if (err != E_OK)
        cluster_answer(r, err, NULL);
    else
        ANSWER_HANDLE(r, narrow, ref, .narrowed = 1);
}

const struct service_op service_permissions_op = {.begin = begin_permissions};
const struct service_op service_narrow_op = {.begin = begin_narrow};
