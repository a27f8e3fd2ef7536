/* create: a new object on a Budget, as a handle with all rights of its type. */
#include <kernel/debug.h>
#include <kernel/ipc.h>
#include <kernel/memory.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>

#include "control_local.h"

static struct process *self(void)
{
    return thread_current()->process;
}

/* Copies a process name of at most PROCESS_NAME_MAX bytes. */
err_t process_name_decode(uint64_t from, uint64_t length, char name_out[PROCESS_NAME_MAX + 1])
{
    if (length > PROCESS_NAME_MAX)
        return E_TOO_LONG;
    err_t err = copy_from_user(name_out, from, length);
    if (err != E_OK)
        return err;
    name_out[length] = 0;
    for (uint64_t i = 0; i < length; i++)
        if (name_out[i] < ' ' || name_out[i] > '~')
            return E_INVALID;
    return E_OK;
}

static err_t create_budget(struct budget *b, const uint64_t *a, struct object **out)
{
    struct budget *child;
    err_t err = budget_create(b, a[0], a[1], &child);
    if (err == E_OK)
        *out = &child->object;
    return err;
}

static err_t create_process(struct budget *b, const uint64_t *a, struct object **out)
{
    char name[PROCESS_NAME_MAX + 1];
    struct process *p;
    err_t err = process_name_decode(a[0], a[1], name);
    if (err == E_OK && a[2] > PRIORITY_MAX)
        err = E_RANGE;
    if (err == E_OK)
        err = process_create(b, name, (uint32_t)a[2], &p);
    if (err == E_OK)
        *out = &p->object;
    return err;
}

static err_t create_thread(struct budget *b, const uint64_t *a, struct object **out)
{
    struct process *p;
    struct thread *t;
    err_t err = handle_object(self(), a[0], OBJECT_PROCESS, RIGHT_MANAGE, &p);
    if (err == E_OK && a[2] > PRIORITY_MAX)
        err = E_RANGE;
    if (err == E_OK)
        err = thread_create(b, p, a[1], (uint32_t)a[2], &t);
    if (err == E_OK)
        *out = &t->object;
    return err;
}

static err_t create_endpoint(struct budget *b, const uint64_t *a, struct object **out)
{
    struct endpoint *e;
    err_t err = endpoint_create(b, &e);
    if (err == E_OK)
        *out = &e->object;
    return err;
}

static err_t create_notification(struct budget *b, const uint64_t *a, struct object **out)
{
    struct notification *n;
    err_t err = notification_create(b, &n);
    if (err == E_OK)
        *out = &n->object;
    return err;
}

static err_t create_memory(struct budget *b, const uint64_t *a, struct object **out)
{
    struct memory *m;
    if (a[1] >> 32)
        return E_INVALID;
    err_t err = memory_create(b, a[0], (uint32_t)a[1], &m);
    if (err == E_OK)
        *out = &m->object;
    return err;
}

static err_t (*const creators[OBJECT_TYPES])(struct budget *b, const uint64_t *a, struct object **out) = {
    [OBJECT_BUDGET] = create_budget,     [OBJECT_PROCESS] = create_process, [OBJECT_THREAD] = create_thread,
    [OBJECT_ENDPOINT] = create_endpoint, [OBJECT_MEMORY] = create_memory,   [OBJECT_NOTIFICATION] = create_notification,
};

err_t sys_create(struct trap_frame *f)
{
    struct budget *b;
    uint64_t type = f->rsi;
    const uint64_t arguments[3] = {f->rdx, f->r10, f->r8};
    f->rdx = HANDLE_NONE;
    if (type >= OBJECT_TYPES || !creators[type])
        return E_WRONG_TYPE;
    err_t err = handle_object(self(), f->rdi, OBJECT_BUDGET, RIGHT_SPEND, &b);
    if (err == E_OK)
        err = handle_reserve(self(), 1);
    struct object *o;
    if (err == E_OK)
        err = creators[type](b, arguments, &o);
    if (err != E_OK)
        return err;
    struct handle_ref r = handle_ref_make(o, NULL, object_rights((enum object_type)type));
    object_put(o); /* the handle holds it */
    f->rdx = handle_install(self(), &r);
    return E_OK;
}
