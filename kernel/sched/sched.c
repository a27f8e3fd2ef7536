/* Who runs where: a ready queue per CPU and priority, direct hand-over for messages, stealing when idle. A slice is
 * timed only while another thread of the same priority waits for this CPU, so an idle or single-threaded machine has no
 * tick. */
#include <kernel/debug.h>
#include <kernel/init.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/system.h>
#include <kernel/trace.h>

#define SLICE_NS   10000000ull
#define PRIORITIES (PRIORITY_MAX + 1)
#define BREATH     64u

struct sched_cpu {
    struct cpu *cpu;               /* NULL: it does not schedule yet */
    struct list ready[PRIORITIES]; /* cpu->ready says which are not empty */
    bool rotate;                   /* the slice of the current thread is over */
    uint64_t timer_at_ns;          /* what the one-shot timer is set to */
    struct thread idle;
};

static struct sched_cpu cpus[CPUS_MAX];
static uint64_t online; /* bit per CPU that schedules */
static uint64_t slice_ticks;

always_inline bool is_idle(const struct cpu *c)
{
    return c->current == c->idle;
}
static int top_priority(const struct cpu *c)
{
    return c->ready ? 31 - __builtin_clz(c->ready) : -1;
}

/* ---- the one-shot timer ---- */

static called_rarely void timer_rearm(struct cpu *c)
{
    struct sched_cpu *sc = &cpus[c->index];
    uint64_t at = timer_next(c->index);
    if (c->slice_end_ticks) {
        uint64_t slice_end_ns = arch_ticks_to_ns(c->slice_end_ticks) + 1; /* not before it */
        at = slice_end_ns < at ? slice_end_ns : at;
    }
    if (at >= sc->timer_at_ns) /* a later time may stay: firing early does no harm */
        return;
    sc->timer_at_ns = at;
    c->timer_at_ticks = arch_ns_to_ticks(at);
    arch_timer_arm(at);
}

void sched_timer_rearm(void)
{
    timer_rearm(cpu_this());
}

/* What is left of the slice of a thread whose cpu_ticks are up to date. It began when the thread last went to the tail
 * of a queue, or when it first had a rival. Being called, answering and waiting do not renew it: two threads that hand
 * the CPU to each other would otherwise keep it for ever. */
always_inline uint64_t slice_left_ticks(const struct thread *t)
{
    uint64_t used = t->cpu_ticks - t->slice_base_ticks;
    return used < slice_ticks ? slice_ticks - used : 0;
}

/* The slice of `t`, which gets this CPU now, ends when it is used up. */
always_inline void slice_time(struct cpu *c, const struct thread *t)
{
    c->slice_end_ticks = c->switched_ticks + slice_left_ticks(t);
    if (unlikely(c->slice_end_ticks < c->timer_at_ticks))
        timer_rearm(c);
}

/* Brings the current thread's processor time up to date. */
always_inline void account(struct cpu *c)
{
    uint64_t now = arch_ticks();
    c->current->cpu_ticks += now - c->switched_ticks;
    c->switched_ticks = now;
}

/* The current thread has a rival from now on. */
static void slice_begin(struct cpu *c)
{
    account(c);
    c->current->slice_base_ticks = c->current->cpu_ticks;
    slice_time(c, c->current);
}

void sched_timer_tick(uint64_t now_ns)
{
    struct cpu *c = cpu_this();
    struct sched_cpu *sc = &cpus[c->index];
    sc->timer_at_ns = c->timer_at_ticks = UINT64_MAX;
    timer_run(c->index, now_ns);
    system_log_poll();
    if (c->slice_end_ticks && arch_ticks() >= c->slice_end_ticks) {
        c->slice_end_ticks = 0;
        sc->rotate = true;
        c->reschedule = true;
    }
    timer_rearm(c);
}

/* ---- ready queues ---- */

static void enqueue(struct thread *t, uint32_t cpu, bool first)
{
    struct list *queue = &cpus[cpu].ready[t->priority];
    t->cpu = cpu;
    t->state = THREAD_READY;
    if (first) {
        list_prepend(queue, &t->run_node);
    } else {
        list_append(queue, &t->run_node);
        t->slice_base_ticks = t->cpu_ticks;
    }
    cpus[cpu].cpu->ready |= 1u << t->priority;
}

static void dequeue(struct thread *t)
{
    list_remove(&t->run_node);
    if (list_empty(&cpus[t->cpu].ready[t->priority]))
        cpus[t->cpu].cpu->ready &= ~(1u << t->priority);
}

static bool has_nothing_to_do(uint32_t cpu)
{
    const struct cpu *c = cpus[cpu].cpu;
    return is_idle(c) && !c->ready;
}

static uint32_t choose_cpu(const struct thread *t)
{
    uint64_t allowed = t->affinity & online;
    bool last_allowed = allowed >> t->cpu & 1;
    if (last_allowed && has_nothing_to_do(t->cpu))
        return t->cpu;
    for (uint64_t rest = last_allowed ? allowed & ~(1ull << t->cpu) : allowed; rest; rest &= rest - 1) {
        uint32_t cpu = (uint32_t)__builtin_ctzll(rest);
        if (has_nothing_to_do(cpu))
            return cpu;
    }
    return last_allowed ? t->cpu : (uint32_t)__builtin_ctzll(allowed);
}

/* `t` was just queued at that CPU: makes it look at its queue if `t` should run, and time the slice of its equal. */
static void poke(uint32_t cpu, const struct thread *t)
{
    struct cpu *c = cpus[cpu].cpu;
    const struct thread *running = c->current;
    bool here = c == cpu_this();
    if (!is_idle(c) && (t->priority < running->priority || (t->priority == running->priority && c->slice_end_ticks)))
        return;
    if (here && !is_idle(c) && t->priority == running->priority && running->state == THREAD_RUNNING) {
        slice_begin(c);
        return;
    }
    c->reschedule = true;
    if (!here)
        cpu_interrupt(cpu);
}

static void make_ready(struct thread *t)
{
    uint32_t cpu = choose_cpu(t);
    enqueue(t, cpu, false);
    poke(cpu, t);
}

/* The best ready thread of other CPUs that may run on `cpu`. */
static struct thread *steal(uint32_t cpu)
{
    struct thread *best = NULL;
    for (uint64_t rest = online & ~(1ull << cpu); rest; rest &= rest - 1) {
        uint32_t other = (uint32_t)__builtin_ctzll(rest);
        for (uint32_t bits = cpus[other].cpu->ready; bits;) {
            uint32_t priority = 31 - (uint32_t)__builtin_clz(bits);
            bits &= ~(1u << priority);
            if (best && best->priority >= priority)
                break;
            list_for_each(node, &cpus[other].ready[priority])
            {
                struct thread *t = container_of(node, struct thread, run_node);
                if (t->affinity >> cpu & 1) {
                    best = t;
                    break;
                }
            }
        }
    }
    return best;
}

static struct thread *pick(struct cpu *c)
{
    struct thread *t;
    if (c->ready)
        t = container_of(cpus[c->index].ready[top_priority(c)].next, struct thread, run_node);
    else
        t = steal(c->index);
    if (!t)
        return c->idle;
    dequeue(t);
    return t;
}

/* ---- switching ---- */

/* All of a switch to a thread that is in no queue but what arch does. Part of the fast path of messages: no trace of
 * its own, and inlined where it is called. */
always_inline struct arch_aspace *become(struct cpu *c, struct thread *next)
{
    account(c);
    c->current = next;
    next->state = THREAD_RUNNING;
    next->cpu = c->index;
    next->started = true;
    c->slice_end_ticks = 0;
    if (unlikely(c->ready >> next->priority & 1))
        slice_time(c, next);
    if (unlikely(next->pending))
        c->reschedule = true; /* perhaps it is to die */
    return next->process ? &next->process->aspace : NULL;
}

static void switch_to(struct cpu *c, struct thread *next)
{
    struct thread *prev = c->current;
    if (next == prev) {
        next->state = THREAD_RUNNING;
        return;
    }
    struct arch_aspace *as = become(c, next);
    arch_switch(&prev->arch, &next->arch, as);
}

static void run_next(void)
{
    struct cpu *c = cpu_this();
    struct thread *next = pick(c);
    trace(TRACE_SWITCH, (uint64_t)next, (uint64_t)c->current);
    switch_to(c, next);
}

uint64_t sched_thread_ns(const struct thread *t)
{
    uint64_t ticks = t->cpu_ticks;
    if (t->state == THREAD_RUNNING)
        ticks += arch_ticks() - cpu_get(t->cpu)->switched_ticks;
    return arch_ticks_span_ns(ticks);
}

uint64_t sched_idle_ns(void)
{
    uint64_t ticks = 0;
    for (uint32_t i = 0; i < cpu_count(); i++) {
        const struct cpu *c = cpu_get(i);
        ticks += cpus[i].idle.cpu_ticks;
        if (is_idle(c))
            ticks += arch_ticks() - c->switched_ticks;
    }
    return arch_ticks_span_ns(ticks);
}

/* The current thread could go on: whether and how it leaves its CPU to others. */
static void reconsider(struct cpu *c, struct thread *t, bool slice_over)
{
    int top = top_priority(c);
    if (is_idle(c)) {
        if (top >= 0)
            run_next();
    } else if (!(t->affinity & c->bit)) {
        make_ready(t);
        run_next();
    } else if (top > t->priority || (top == t->priority && slice_over)) {
        account(c);
        if (choose_cpu(t) == c->index)
            enqueue(t, c->index, !slice_over);
        else
            make_ready(t); /* another has nothing to do: it sleeps, and would not come for it */
        run_next();
    } else if (top == t->priority && !c->slice_end_ticks) {
        slice_begin(c);
    }
}

static void stay_frozen(struct thread *t)
{
    t->wait = WAIT_FROZEN;
    list_append(&t->process->frozen_threads, &t->wait_node);
    sched_block(DEADLINE_NEVER);
}

void sched_check(void)
{
    struct cpu *c = cpu_this();
    while (unlikely(c->reschedule)) {
        struct sched_cpu *sc = &cpus[c->index];
        bool slice_over = sc->rotate;
        c->reschedule = false;
        sc->rotate = false;
        if (c->current->pending & THREAD_DYING)
            thread_exit();
        if (c->current->pending & THREAD_FROZEN)
            stay_frozen(c->current);
        else
            reconsider(c, c->current, slice_over);
        c = cpu_this(); /* we may go on elsewhere */
    }
}

void sched_breathe(void)
{
    kernel_unlock();
    for (uint32_t i = 0; i < BREATH; i++) /* those who wait must get a chance to see it free */
        arch_relax();
    kernel_lock();
}

/* ---- waiting and waking ---- */

static void wait_timeout(struct timer *timer)
{
    sched_cancel(container_of(timer, struct thread, wait_timer), E_TIMED_OUT);
}

always_inline void wait_begin(struct thread *t, uint64_t deadline_ns, uint64_t *result_at)
{
    t->state = THREAD_WAITING;
    t->result_at = result_at;
    if (unlikely(deadline_ns != DEADLINE_NEVER))
        timer_arm(&t->wait_timer, deadline_ns, wait_timeout);
}

always_inline void wait_end(struct thread *t, err_t result)
{
    assert(t->state == THREAD_WAITING);
    if (unlikely(t->wait_timer.armed))
        timer_disarm(&t->wait_timer);
    t->wait = WAIT_NOTHING;
    *t->result_at = result;
}

err_t sched_block(uint64_t deadline_ns)
{
    struct thread *t = thread_current();
    wait_begin(t, deadline_ns, &t->wait_result);
    run_next();
    return (err_t)t->wait_result;
}

/* `next` just stopped waiting, and somebody waits for this CPU at its priority or above, or it may not run here:
 * whether it goes on at once all the same, before its equals, since its slice is not over. */
static bool may_pass(const struct cpu *c, const struct thread *next)
{
    return (next->affinity & c->bit) && top_priority(c) <= next->priority && slice_left_ticks(next) > 0;
}

/* Nobody has an older claim to this CPU than `next`. */
always_inline bool is_next(const struct cpu *c, const struct thread *next)
{
    return likely((next->affinity & c->bit) && c->ready >> next->priority == 0);
}

err_t sched_block_switch(uint64_t deadline_ns, struct thread *next, err_t next_result)
{
    struct cpu *c = cpu_this();
    struct thread *t = c->current;
    wait_begin(t, deadline_ns, &t->wait_result);
    wait_end(next, next_result);
    if (is_next(c, next) || may_pass(c, next)) {
        switch_to(c, next);
    } else {
        make_ready(next);
        run_next();
    }
    return (err_t)t->wait_result;
}

always_inline _Noreturn void rest_for(struct cpu *c, struct thread *t, struct thread *next)
{
    struct arch_aspace *as = become(c, next);
    arch_rest(&t->arch, &next->arch, as);
}

/* Gives the CPU to the best that is ready. */
static _Noreturn void rest_for_next(struct cpu *c, struct thread *t)
{
    struct thread *next = pick(c);
    trace(TRACE_SWITCH, (uint64_t)next, (uint64_t)t);
    rest_for(c, t, next);
}

void sched_rest(uint64_t deadline_ns)
{
    struct cpu *c = cpu_this();
    struct thread *t = c->current;
    wait_begin(t, deadline_ns, &t->arch.frame->rax);
    rest_for_next(c, t);
}

void sched_yield(void)
{
    struct cpu *c = cpu_this();
    struct thread *t = c->current;
    if (c->ready >> t->priority == 0)
        return;
    t->arch.frame->rax = E_OK;
    account(c);
    enqueue(t, c->index, false);
    rest_for_next(c, t);
}

static __attribute__((noinline)) _Noreturn void rest_and_choose(struct cpu *c, struct thread *t, struct thread *next)
{
    if (!may_pass(c, next)) {
        make_ready(next);
        next = pick(c);
    }
    trace(TRACE_SWITCH, (uint64_t)next, (uint64_t)t);
    rest_for(c, t, next);
}

void sched_rest_switch(uint64_t deadline_ns, struct thread *next, err_t next_result)
{
    struct cpu *c = cpu_this();
    struct thread *t = c->current;
    wait_begin(t, deadline_ns, &t->arch.frame->rax);
    wait_end(next, next_result);
    if (!is_next(c, next))
        rest_and_choose(c, t, next);
    rest_for(c, t, next);
}

void sched_wake(struct thread *t, err_t result)
{
    wait_end(t, result);
    make_ready(t);
}

void sched_cancel(struct thread *t, err_t reason)
{
    assert(t->state == THREAD_WAITING);
    if (t->wait == WAIT_CALL)
        reason = call_cancel_error(&t->call, reason);
    else
        list_remove(&t->wait_node);
    sched_wake(t, reason);
}

err_t wait_queue_block(struct wait_queue *q, uint64_t deadline_ns)
{
    struct thread *t = thread_current();
    err_t err = sched_pending(t);
    if (err != E_OK)
        return err;
    t->wait = WAIT_QUEUE;
    list_append(&q->threads, &t->wait_node);
    return sched_block(deadline_ns);
}

void wait_queue_wake_all(struct wait_queue *q)
{
    struct list *node;
    while ((node = list_pop(&q->threads)))
        sched_wake(container_of(node, struct thread, wait_node), E_OK);
}

/* ---- what threads may be told ---- */

void sched_start(struct thread *t)
{
    make_ready(t);
}
void sched_unready(struct thread *t)
{
    dequeue(t);
}

_Noreturn void sched_leave(void)
{
    run_next();
    panic("an ended thread was switched to");
}

void sched_poke(struct thread *t)
{
    if (t->state != THREAD_RUNNING)
        return;
    cpu_get(t->cpu)->reschedule = true;
    if (t->cpu != cpu_this()->index)
        cpu_interrupt(t->cpu);
}

void thread_priority(struct thread *t, uint32_t priority)
{
    if (t->state != THREAD_READY) {
        t->priority = (uint8_t)priority;
        sched_poke(t);
        return;
    }
    dequeue(t);
    t->priority = (uint8_t)priority;
    make_ready(t);
}

void thread_affinity(struct thread *t, uint64_t mask)
{
    t->affinity = mask;
    if (t->state == THREAD_READY) {
        dequeue(t);
        make_ready(t);
    }
    sched_poke(t);
}

uint64_t sched_online(void)
{
    return online;
}

/* ---- processors ---- */

void sched_cpu_init(void)
{
    struct cpu *c = cpu_this();
    struct sched_cpu *sc = &cpus[c->index];
    sc->cpu = c;
    for (uint32_t i = 0; i < PRIORITIES; i++)
        list_init(&sc->ready[i]);
    thread_init_plain(&sc->idle, "idle");
    sc->idle.state = THREAD_RUNNING;
    sc->idle.started = true;
    sc->idle.cpu = c->index;
    sc->idle.affinity = 1ull << c->index;
    sc->timer_at_ns = c->timer_at_ticks = UINT64_MAX;
    c->switched_ticks = arch_ticks();
    c->current = c->idle = &sc->idle;
    online |= c->bit;
}

static void sched_init(void)
{
    slice_ticks = arch_ns_to_ticks(SLICE_NS) - arch_ns_to_ticks(0);
    sched_cpu_init();
    reaper_start();
}
INIT_HOOK(INIT_THREADS, sched_init);

_Noreturn void sched_idle(void)
{
    for (;;) {
        kernel_lock();
        struct cpu *c = cpu_this();
        c->reschedule = false;
        struct thread *t = pick(c);
        if (t != c->idle)
            switch_to(c, t);
        kernel_unlock();
        arch_idle();
    }
}
