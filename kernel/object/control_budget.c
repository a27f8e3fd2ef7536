/* Operations of Budgets. */
#include "control_local.h"

static struct budget *budget_of(struct control *c)
{
    return container_of(c->object, struct budget, object);
}

err_t control_BUDGET_INFO(struct control *c)
{
    const struct budget *b = budget_of(c);
    struct budget_info info = {
        .label = b->label,
        .limit_bytes = b->limit,
        .used_bytes = b->used,
        .peak_bytes = b->peak,
        .children = b->child_count,
        .processes = b->process_count,
    };
    return copy_to_user(c->a, &info, sizeof(info));
}

err_t control_BUDGET_NEXT(struct control *c)
{
    struct budget *child = budget_next(budget_of(c), c->a);
    return child ? control_return_handle(c, &child->object) : E_NOT_FOUND;
}

err_t control_BUDGET_PROCESS(struct control *c)
{
    struct process *p = budget_process(budget_of(c), c->a);
    return p ? control_return_handle(c, &p->object) : E_NOT_FOUND;
}

err_t control_BUDGET_DESTROY(struct control *c)
{
    struct budget *b = budget_of(c);
    if (b == &root_budget)
        return E_BUSY;
    object_get(&b->object);
    budget_destroy_begin(b);
    err_t err = wait_queue_block(&b->destroy_waiters, DEADLINE_NEVER);
    object_put(&b->object);
    return err;
}
