/* Deadlines: one-shot timers in a heap per CPU, with the node inside its owner. Kernel lock held. */
#pragma once

#include <abi/types.h>
#include <kernel/fast.h>

struct timer {
    struct timer *child, *next, *prev; /* pairing heap */
    uint64_t at_ns;
    uint32_t cpu; /* whose heap holds it */
    bool armed;
    void (*fire)(struct timer *t); /* disarmed when called; kernel lock held; must not block */
};

/* Moves it if it was armed. */
called_rarely void timer_arm(struct timer *t, uint64_t at_ns, void (*fire)(struct timer *t));
called_rarely void timer_disarm(struct timer *t); /* harmless if it was not */
uint64_t timer_next(uint32_t cpu);                /* UINT64_MAX: none */
void timer_run(uint32_t cpu, uint64_t now_ns);
void sched_timer_rearm(void); /* the first deadline of this CPU has come nearer */
