/* Operations of Processes. */
#include "control_local.h"

static struct process *process_of(struct control *c)
{
    return object_process(c->object);
}

static uint64_t process_cpu_ns(const struct process *p)
{
    uint64_t ns = p->ended_cpu_ns;
    list_for_each(node, &p->threads) ns += sched_thread_ns(container_of(node, struct thread, process_node));
    return ns;
}

err_t control_PROCESS_INFO(struct control *c)
{
    struct process *p = process_of(c);
    struct process_info info = {
        .serial = p->object.serial,
        .cause = p->cause,
        .code = p->ended ? p->code : 0,
        .threads = p->live_threads,
        .handles = p->handles.used,
        .memory_bytes = vm_resident_bytes(p),
        .cpu_ns = process_cpu_ns(p),
        .fault_address = p->fault_address,
        .fault_ip = p->fault_ip,
    };
    __builtin_memcpy(info.name, p->name, sizeof(p->name));
    err_t err = copy_to_user(c->a, &info, sizeof(info));
    if (err == E_OK && p->ended)
        process_exit_read(p);
    return err;
}

/* Who is granted a lock's handle acts under it, and not while those who do are frozen. */
static void note_lock(struct process *p, struct object *o)
{
    struct endpoint *e = container_of(o, struct endpoint, object);
    if (o->type != OBJECT_ENDPOINT || !e->handler || !e->handler->fence)
        return;
    p->given_lock = true;
    if (e->handler->freezes(e))
        process_freeze(p);
}

err_t control_PROCESS_GRANT(struct control *c)
{
    struct process *p = process_of(c);
    struct handle_entry *e;
    if (c->b & ~(uint64_t)RIGHTS_ALL)
        return E_INVALID;
    err_t err = handle_decode(c->self, c->a, OBJECT_NONE, RIGHT_TRANSFER, &e);
    if (err == E_OK)
        err = handle_reserve(p, 1);
    if (err != E_OK)
        return err;
    struct handle_ref r;
    if (e->object->type == OBJECT_REPLY)
        r = handle_take(c->self, (handle_t)c->a);
    else
        r = handle_ref_make(e->object, e->gate, e->rights & (uint32_t)c->b);
    note_lock(p, r.object);
    c->value = handle_install(p, &r);
    return E_OK;
}

err_t control_PROCESS_KILL(struct control *c)
{
    if (c->a == EXIT_RUNNING || c->a > EXIT_NODE_LOST || c->b >> 32)
        return E_RANGE;
    process_kill(process_of(c), (uint32_t)c->a, (uint32_t)c->b);
    return E_OK;
}

err_t control_PROCESS_WATCH(struct control *c)
{
    struct process *p = process_of(c);
    return control_watch(c, &p->watches, p->ended);
}

err_t control_PROCESS_FAULTS(struct control *c)
{
    struct process *p = process_of(c);
    struct handle_ref r = {0};
    if (p->ending)
        return E_GONE;
    if (c->a != HANDLE_NONE) {
        struct handle_entry *e;
        err_t err = handle_decode(c->self, c->a, OBJECT_ENDPOINT, RIGHT_CALL, &e);
        if (err != E_OK)
            return err;
        r = handle_ref_make(e->object, e->gate, RIGHT_CALL);
    }
    handle_ref_drop(&p->faults);
    p->faults = r;
    return E_OK;
}

err_t control_PROCESS_NAME(struct control *c)
{
    struct process *p = process_of(c);
    char name[PROCESS_NAME_MAX + 1] = {0};
    err_t err = process_name_decode(c->a, c->b, name);
    if (err == E_OK)
        __builtin_memcpy(p->name, name, sizeof(p->name));
    return err;
}
