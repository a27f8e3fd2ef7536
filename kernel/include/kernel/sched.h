/* Threads and who runs where. Kernel lock held for all of these unless a comment says otherwise.
 *
 * Every thread has a kernel stack of its own; code that waits calls sched_block() and goes on when it returns. The
 * deliverer of what it waited for writes its result (and, for messages, the user registers in arch.frame) and wakes it.
 */
#pragma once

#include <kernel/arch.h>
#include <kernel/ipc.h>
#include <kernel/list.h>
#include <kernel/object.h>
#include <kernel/timer.h>

enum thread_state { THREAD_NEW = 0, THREAD_READY = 1, THREAD_RUNNING = 2, THREAD_WAITING = 3, THREAD_ENDED = 4 };

enum thread_wait {
    WAIT_NOTHING = 0,
    WAIT_CALL,  /* for the answer to thread.call */
    WAIT_QUEUE, /* wait_node is in some queue: receivers, waiters, a futex bucket, a wait_queue */
    WAIT_FROZEN /* on the way back to user mode, in process.frozen_threads */
};

enum { THREAD_DYING = 1, THREAD_INTERRUPTED = 2, THREAD_FROZEN = 4 };

struct thread {
    struct object object;
    struct arch_thread arch;
    struct process *process; /* NULL: a kernel thread */
    uint8_t state;           /* enum thread_state */
    uint8_t wait;            /* enum thread_wait */
    uint8_t priority;
    bool started;      /* has run, or is a kernel thread: it unwinds by itself when it is to die */
    uint32_t pending;  /* THREAD_DYING, THREAD_INTERRUPTED, THREAD_FROZEN */
    uint32_t cpu;      /* where it runs, waits to run, or ran last */
    uint64_t affinity; /* bit per CPU */
    struct list run_node;
    struct list wait_node;
    struct timer wait_timer;
    uint64_t wait_mask; /* notifications: bits waited for; futex: the address */
    uint64_t wait_result;
    uint64_t *result_at; /* where who ends the wait writes E_OK or the error: wait_result, or rax of one that rests */
    uint64_t cpu_ticks;  /* processor time, up to the last switch */
    uint64_t slice_base_ticks; /* what that was when its time slice began */
    struct list process_node;
    struct list watches;    /* struct watch.subject_node */
    struct ipc_buffer *ipc; /* first page of its IPC buffer, through the physmap; NULL for kernel threads */
    uint8_t *ipc_bytes;     /* second page */
    uint64_t ipc_address;   /* where its process sees it */
    struct call call;       /* the one call it can have under way */
    const char *name;       /* kernel threads */
};

static inline struct thread *thread_current(void)
{
    return cpu_this()->current;
}

/* ---- processors (called by arch) ---- */
/* Makes this CPU's present stack its idle thread: cpu->current and cpu->idle are set. Boot CPU: by our INIT_THREADS
 * hook. Other CPUs: by arch, before sched_idle(), kernel lock held, interrupts off. */
void sched_cpu_init(void);
/* Body of the idle thread: halts while nothing is ready. Kernel lock not held, interrupts off. */
_Noreturn void sched_idle(void);

/* ---- waiting and waking ---- */
/* The current thread waits (its `wait` and queue node are set) until woken or until the deadline. Returns wait_result.
 */
err_t sched_block(uint64_t deadline_ns);
/* As sched_block, giving this CPU to `next` at once if it may run here; `next` was waiting and is unlinked already. */
err_t sched_block_switch(uint64_t deadline_ns, struct thread *next, err_t next_result);
/* The same two for the last act of a system call: the thread *rests*. Nothing of it is kept but its registers, so it
 * does not return: who ends the wait writes the result into rax, and the thread goes on in user mode. */
_Noreturn void sched_rest(uint64_t deadline_ns);
_Noreturn void sched_rest_switch(uint64_t deadline_ns, struct thread *next, err_t next_result);
/* `t` waited and is no longer in a queue: it goes on with `result`. */
void sched_wake(struct thread *t, err_t result);
/* Ends the wait of `t` early: takes it out of its queue or call and wakes it with what `reason` means there. */
void sched_cancel(struct thread *t, err_t reason);
/* Error if a blocking call must not begin now: E_INTERRUPTED (taken). */
static inline err_t sched_pending(struct thread *t)
{
    if (likely(!(t->pending & ~(uint32_t)THREAD_FROZEN)))
        return E_OK;
    t->pending &= ~(uint32_t)THREAD_INTERRUPTED;
    return E_INTERRUPTED;
}
/* For the last act of a system call, too: goes behind all its equals and rests there, ready to go on with E_OK. Returns
 * if nobody waits who is not less important. */
void sched_yield(void);
/* Lets other CPUs have the kernel lock between bounded pieces of work. Anything may have changed afterwards. */
void sched_breathe(void);

/* A plain queue of waiting threads, for kernel code. */
static inline void wait_queue_init(struct wait_queue *q)
{
    list_init(&q->threads);
}
err_t wait_queue_block(struct wait_queue *q, uint64_t deadline_ns); /* E_OK, E_TIMED_OUT, E_INTERRUPTED */
void wait_queue_wake_all(struct wait_queue *q);

/* ---- threads ---- */
/* A kernel thread: entry(arg) runs without the kernel lock and with interrupts on. Panics when out of memory (boot). */
struct thread *kthread_start(const char *name, void (*entry)(void *), void *arg, uint32_t priority);

/* Charged to `b`. `ipc_address` 0: chosen. Not running yet: state THREAD_NEW, one reference. */
err_t thread_create(struct budget *b, struct process *p, uint64_t ipc_address, uint32_t priority, struct thread **out);
err_t thread_start(struct thread *t, uint64_t ip, uint64_t sp, uint64_t arg);
void thread_interrupt(struct thread *t);
/* It stops on its next way to user mode, until it is thawed or killed. */
void thread_freeze(struct thread *t);
void thread_thaw(struct thread *t);
void thread_release(struct thread *t); /* for the reaper: gives back all but the shell */
void thread_kill(struct thread *t);    /* it ends as soon as it can; at once if it never ran */
_Noreturn void thread_exit(void);      /* the current thread */
void thread_priority(struct thread *t, uint32_t priority);
void thread_affinity(struct thread *t, uint64_t mask);

/* The kernel thread that frees what has ended. Work is queued, never done under the feet of the one who ended. */
void reaper_start(void);
void reaper_thread(struct thread *t);
void reaper_process(struct process *p);
void reaper_budget(struct budget *b);

/* ---- between the files of sched/ and for process information ---- */
void thread_init_plain(struct thread *t, const char *name); /* lists and defaults of a thread without process */
void sched_start(struct thread *t);                         /* first time ready */
void sched_unready(struct thread *t);                       /* out of its ready queue */
_Noreturn void sched_leave(void);                           /* the current thread never runs again */
void sched_poke(struct thread *t);                          /* if it runs: passes through sched_check() soon */
uint64_t sched_thread_ns(const struct thread *t);           /* processor time, the present stretch included */
uint64_t sched_idle_ns(void);
uint64_t sched_online(void); /* bit per CPU that schedules */
