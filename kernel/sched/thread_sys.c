/* exit, yield, clock. */
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>

err_t sys_exit(struct trap_frame *f)
{
    struct thread *t = thread_current();
    if (f->rdi > 1)
        return E_INVALID;
    if (f->rdi == 1)
        process_kill(t->process, EXIT_EXITED, (uint32_t)f->rsi);
    t->pending |= THREAD_DYING; /* it ends on the way out */
    cpu_this()->reschedule = true;
    return E_OK;
}

err_t sys_yield(struct trap_frame *f)
{
    sched_yield();
    return E_OK;
}

err_t sys_clock(struct trap_frame *f)
{
    uint64_t clock = f->rdi;
    f->rdx = 0;
    if (clock == CLOCK_ID_MONOTONIC_NS)
        f->rdx = time_now_ns();
    else if (clock == CLOCK_ID_REALTIME_NS)
        f->rdx = time_realtime_ns();
    else if (clock == CLOCK_ID_THREAD_NS)
        f->rdx = sched_thread_ns(thread_current());
    else
        return E_INVALID;
    return E_OK;
}
