/* A pairing heap per CPU: arming is one comparison, taking the first or any other out is cheap on average, and no
 * memory beyond the timers themselves is needed. */
#include <kernel/arch.h>
#include <kernel/debug.h>
#include <kernel/timer.h>

static struct timer *heaps[CPUS_MAX];

static struct timer *meld(struct timer *a, struct timer *b)
{
    if (!a)
        return b;
    if (!b)
        return a;
    if (b->at_ns < a->at_ns) {
        struct timer *swap = a;
        a = b;
        b = swap;
    }
    b->next = a->child;
    b->prev = a;
    if (a->child)
        a->child->prev = b;
    a->child = b;
    a->next = a->prev = NULL;
    return a;
}

/* One heap out of a row of siblings: pairs from left to right, then all from right to left. */
static struct timer *meld_row(struct timer *row)
{
    struct timer *pairs = NULL;
    while (row) {
        struct timer *a = row, *b = a->next;
        row = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        struct timer *pair = meld(a, b);
        pair->next = pairs;
        pairs = pair;
    }
    struct timer *heap = NULL;
    while (pairs) {
        struct timer *rest = pairs->next;
        pairs->next = NULL;
        heap = meld(heap, pairs);
        pairs = rest;
    }
    return heap;
}

void timer_disarm(struct timer *t)
{
    if (!t->armed)
        return;
    t->armed = false;
    struct timer *children = meld_row(t->child);
    t->child = NULL;
    if (heaps[t->cpu] == t) {
        heaps[t->cpu] = children;
        return;
    }
    if (t->prev->child == t)
        t->prev->child = t->next;
    else
        t->prev->next = t->next;
    if (t->next)
        t->next->prev = t->prev;
    t->next = t->prev = NULL;
    heaps[t->cpu] = meld(heaps[t->cpu], children);
}

void timer_arm(struct timer *t, uint64_t at_ns, void (*fire)(struct timer *t))
{
    timer_disarm(t);
    uint32_t cpu = cpu_this()->index;
    t->at_ns = at_ns;
    t->cpu = cpu;
    t->fire = fire;
    t->armed = true;
    t->child = t->next = t->prev = NULL;
    heaps[cpu] = meld(heaps[cpu], t);
    if (heaps[cpu] == t)
        sched_timer_rearm();
}

uint64_t timer_next(uint32_t cpu)
{
    return heaps[cpu] ? heaps[cpu]->at_ns : UINT64_MAX;
}

void timer_run(uint32_t cpu, uint64_t now_ns)
{
    while (heaps[cpu] && heaps[cpu]->at_ns <= now_ns) {
        struct timer *t = heaps[cpu];
        timer_disarm(t);
        t->fire(t);
    }
}
