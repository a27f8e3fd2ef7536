/* signal and wait. */
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>

err_t sys_signal(struct trap_frame *f)
{
    struct notification *n;
    err_t err = handle_object(thread_current()->process, f->rdi, OBJECT_NOTIFICATION, RIGHT_SIGNAL, &n);
    if (err == E_OK)
        notification_signal(n, f->rsi);
    return err;
}

err_t sys_wait(struct trap_frame *f)
{
    struct thread *t = thread_current();
    struct notification *n;
    uint64_t mask = f->rsi, deadline = f->rdx;
    f->rdx = 0;
    err_t err = handle_object(t->process, f->rdi, OBJECT_NOTIFICATION, RIGHT_WAIT, &n);
    if (err == E_OK && mask == 0)
        err = E_INVALID;
    if (err == E_OK && n->handler)
        err = E_NOT_SUPPORTED;
    if (err != E_OK || notification_take(n, mask, &f->rdx))
        return err;
    err = deadline == DEADLINE_POLL ? E_TIMED_OUT : sched_pending(t);
    if (err == E_OK)
        notification_rest(n, mask, deadline); /* who signals writes the bits into rdx */
    return err;
}
