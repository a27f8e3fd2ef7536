/* Operations of Threads. */
#include "control_local.h"

static struct thread *thread_of(struct control *c)
{
    return container_of(c->object, struct thread, object);
}

static uint32_t shown_state(const struct thread *t)
{
    if (t->state == THREAD_NEW)
        return 0;
    if (t->state == THREAD_READY || t->state == THREAD_RUNNING)
        return 1;
    return t->state == THREAD_WAITING ? 2 : 3;
}

err_t control_THREAD_INFO(struct control *c)
{
    const struct thread *t = thread_of(c);
    struct thread_info info = {
        .serial = t->object.serial,
        .cpu_ns = sched_thread_ns(t),
        .priority = t->priority,
        .cpu = t->cpu,
        .state = shown_state(t),
    };
    return copy_to_user(c->a, &info, sizeof(info));
}

err_t control_THREAD_START(struct control *c)
{
    return thread_start(thread_of(c), c->a, c->b, c->c);
}

err_t control_THREAD_FS_BASE(struct control *c)
{
    struct thread *t = thread_of(c);
    if (c->a >= USER_END)
        return E_BAD_POINTER;
    if (t->state == THREAD_ENDED)
        return E_GONE;
    if (t->state == THREAD_RUNNING && t != thread_current())
        return E_BUSY; /* its registers are in another CPU */
    arch_thread_set_fs_base(&t->arch, c->a);
    return E_OK;
}

err_t control_THREAD_PRIORITY(struct control *c)
{
    struct thread *t = thread_of(c);
    if (t->state == THREAD_ENDED)
        return E_GONE;
    if (c->a > t->process->priority_max)
        return E_RANGE;
    thread_priority(t, (uint32_t)c->a);
    return E_OK;
}

err_t control_THREAD_AFFINITY(struct control *c)
{
    struct thread *t = thread_of(c);
    if (t->state == THREAD_ENDED)
        return E_GONE;
    if (!(c->a & sched_online()))
        return E_RANGE;
    thread_affinity(t, c->a);
    return E_OK;
}

err_t control_THREAD_INTERRUPT(struct control *c)
{
    struct thread *t = thread_of(c);
    if (t->state == THREAD_ENDED)
        return E_GONE;
    thread_interrupt(t);
    return E_OK;
}

err_t control_THREAD_WATCH(struct control *c)
{
    struct thread *t = thread_of(c);
    return control_watch(c, &t->watches, t->state == THREAD_ENDED && !t->process);
}
