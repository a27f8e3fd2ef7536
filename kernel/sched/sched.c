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
    struct list ready[PRIORITIES];
    uint32_t bitmap;      /* priorities whose list is not empty */
    bool rotate;          /* the slice of the current thread is over */
    uint64_t switched_ns; /* when the current thread got this CPU */
    uint64_t timer_at_ns; /* what the one-shot timer is set to */
    struct thread idle;
};

static struct sched_cpu cpus[CPUS_MAX];
static uint64_t online; /* bit per CPU that schedules */

static bool is_idle(const struct cpu *c)
{
    return c->current == c->idle;
}
static int top_priority(const struct sched_cpu *sc)
{
    return sc->bitmap ? 31 - __builtin_clz(sc->bitmap) : -1;
}

/* ---- the one-shot timer ---- */

static void timer_rearm(struct cpu *c)
{
    struct sched_cpu *sc = &cpus[c->index];
    uint64_t at = timer_next(c->index);
    if (c->slice_end_ns && c->slice_end_ns < at)
        at = c->slice_end_ns;
    if (at < sc->timer_at_ns) { /* a later time may stay: firing early does no harm */
        sc->timer_at_ns = at;
        arch_timer_arm(at);
    }
}

void sched_timer_rearm(void)
{
    timer_rearm(cpu_this());
}

static void slice_begin(struct cpu *c, uint64_t now_ns)
{
    c->slice_end_ns = now_ns + SLICE_NS;
    timer_rearm(c);
}

void sched_timer_tick(uint64_t now_ns)
{
    struct cpu *c = cpu_this();
    struct sched_cpu *sc = &cpus[c->index];
    sc->timer_at_ns = UINT64_MAX;
    timer_run(c->index, now_ns);
    system_log_poll();
    if (c->slice_end_ns && now_ns >= c->slice_end_ns) {
        c->slice_end_ns = 0;
        sc->rotate = true;
        c->reschedule = true;
    }
    timer_rearm(c);
}

/* ---- ready queues ---- */

static void enqueue(struct thread *t, uint32_t cpu, bool first)
{
    struct sched_cpu *sc = &cpus[cpu];
    t->cpu = cpu;
    t->state = THREAD_READY;
    if (first)
        list_prepend(&sc->ready[t->priority], &t->run_node);
    else
        list_append(&sc->ready[t->priority], &t->run_node);
    sc->bitmap |= 1u << t->priority;
}

static void dequeue(struct thread *t)
{
    struct sched_cpu *sc = &cpus[t->cpu];
    list_remove(&t->run_node);
    if (list_empty(&sc->ready[t->priority]))
        sc->bitmap &= ~(1u << t->priority);
}

static uint32_t choose_cpu(const struct thread *t)
{
    uint64_t allowed = t->affinity & online;
    bool last_allowed = allowed >> t->cpu & 1;
    if (last_allowed && is_idle(cpu_get(t->cpu)) && !cpus[t->cpu].bitmap)
        return t->cpu;
    for (uint64_t rest = allowed; rest; rest &= rest - 1) {
        uint32_t cpu = (uint32_t)__builtin_ctzll(rest);
        if (is_idle(cpu_get(cpu)) && !cpus[cpu].bitmap)
            return cpu;
    }
    return last_allowed ? t->cpu : (uint32_t)__builtin_ctzll(allowed);
}

/* Makes the CPU look at its queue if `t`, just queued there, should run or needs the slice timed. */
static void poke(uint32_t cpu, const struct thread *t)
{
    struct cpu *c = cpu_get(cpu);
    const struct thread *running = c->current;
    if (!is_idle(c) && (t->priority < running->priority || (t->priority == running->priority && c->slice_end_ns)))
        return;
    c->reschedule = true;
    if (c != cpu_this())
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
        struct sched_cpu *sc = &cpus[__builtin_ctzll(rest)];
        for (uint32_t bits = sc->bitmap; bits;) {
            uint32_t priority = 31 - (uint32_t)__builtin_clz(bits);
            bits &= ~(1u << priority);
            if (best && best->priority >= priority)
                break;
            list_for_each(node, &sc->ready[priority])
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
    struct sched_cpu *sc = &cpus[c->index];
    struct thread *t;
    if (sc->bitmap)
        t = container_of(sc->ready[top_priority(sc)].next, struct thread, run_node);
    else
        t = steal(c->index);
    if (!t)
        return c->idle;
    dequeue(t);
    return t;
}

/* ---- switching ---- */

static void account(struct cpu *c, struct sched_cpu *sc, uint64_t now_ns)
{
    uint64_t ran = now_ns - sc->switched_ns;
    sc->switched_ns = now_ns;
    c->current->cpu_ns += ran;
    if (is_idle(c))
        c->idle_ns += ran;
}

/* Part of the fast path of messages: no trace of its own, and inlined where it is called. */
static inline __attribute__((always_inline)) void switch_to(struct cpu *c, struct thread *next)
{
    struct thread *prev = c->current;
    next->state = THREAD_RUNNING;
    if (next == prev)
        return;
    struct sched_cpu *sc = &cpus[c->index];
    uint64_t now_ns = time_now_ns();
    account(c, sc, now_ns);
    c->current = next;
    next->cpu = c->index;
    next->started = true;
    c->slice_end_ns = 0;
    sc->rotate = false;
    if (sc->bitmap >> next->priority & 1)
        slice_begin(c, now_ns);
    arch_switch(&prev->arch, &next->arch, next->process ? &next->process->aspace : NULL);
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
    uint64_t ns = t->cpu_ns;
    if (t->state == THREAD_RUNNING)
        ns += time_now_ns() - cpus[t->cpu].switched_ns;
    return ns;
}

uint64_t sched_idle_ns(void)
{
    uint64_t ns = 0;
    for (uint32_t i = 0; i < cpu_count(); i++) {
        struct cpu *c = cpu_get(i);
        ns += c->idle_ns;
        if (is_idle(c))
            ns += time_now_ns() - cpus[i].switched_ns;
    }
    return ns;
}

static __attribute__((noinline)) void check(struct cpu *c)
{
    while (c->reschedule || (c->current->pending & THREAD_DYING)) {
        struct thread *t = c->current;
        struct sched_cpu *sc = &cpus[c->index];
        if (t->pending & THREAD_DYING)
            thread_exit();
        c->reschedule = false;
        int top = top_priority(sc);
        if (is_idle(c)) {
            if (top >= 0)
                run_next();
        } else if (!(t->affinity >> c->index & 1)) {
            make_ready(t);
            run_next();
        } else if (top > t->priority || (top == t->priority && sc->rotate)) {
            enqueue(t, c->index, !sc->rotate);
            run_next();
        } else if (top == t->priority && !c->slice_end_ns) {
            slice_begin(c, time_now_ns());
        }
        c = cpu_this(); /* we may go on elsewhere */
        cpus[c->index].rotate = false;
    }
}

void sched_check(void)
{
    struct cpu *c = cpu_this();
    if (__builtin_expect(c->reschedule || (c->current->pending & THREAD_DYING), 0))
        check(c);
}

void sched_yield(void)
{
    struct cpu *c = cpu_this();
    struct thread *t = c->current;
    if (top_priority(&cpus[c->index]) < t->priority)
        return;
    enqueue(t, c->index, false);
    run_next();
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

static void wait_begin(struct thread *t, uint64_t deadline_ns)
{
    t->state = THREAD_WAITING;
    if (deadline_ns != DEADLINE_NEVER)
        timer_arm(&t->wait_timer, deadline_ns, wait_timeout);
}

static void wait_end(struct thread *t, err_t result)
{
    assert(t->state == THREAD_WAITING);
    if (t->wait_timer.armed)
        timer_disarm(&t->wait_timer);
    t->wait = WAIT_NOTHING;
    t->wait_result = result;
}

err_t sched_block(uint64_t deadline_ns)
{
    struct thread *t = thread_current();
    wait_begin(t, deadline_ns);
    run_next();
    return t->wait_result;
}

err_t sched_block_switch(uint64_t deadline_ns, struct thread *next, err_t next_result)
{
    struct cpu *c = cpu_this();
    struct thread *t = c->current;
    wait_begin(t, deadline_ns);
    wait_end(next, next_result);
    if ((next->affinity >> c->index & 1) && top_priority(&cpus[c->index]) <= next->priority) {
        switch_to(c, next);
    } else {
        make_ready(next);
        run_next();
    }
    return t->wait_result;
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

err_t sched_pending(struct thread *t)
{
    if (!t->pending)
        return E_OK;
    t->pending &= ~(uint32_t)THREAD_INTERRUPTED;
    return E_INTERRUPTED;
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
    for (uint32_t i = 0; i < PRIORITIES; i++)
        list_init(&sc->ready[i]);
    thread_init_plain(&sc->idle, "idle");
    sc->idle.state = THREAD_RUNNING;
    sc->idle.started = true;
    sc->idle.cpu = c->index;
    sc->idle.affinity = 1ull << c->index;
    sc->timer_at_ns = UINT64_MAX;
    sc->switched_ns = time_now_ns();
    c->current = c->idle = &sc->idle;
    online |= 1ull << c->index;
}

static void sched_init(void)
{
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
