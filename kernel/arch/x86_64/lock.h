/* The kernel lock's short way: one compare-and-swap when nobody has it and nobody has waited long. See lock.c. */
#pragma once

#include <kernel/debug.h>
#include <kernel/fast.h>

#include "machine.h"

union lock {
    uint64_t word; /* 0: free, and nobody is in a hurry */
    struct {
        uint32_t held;
        uint32_t urgent; /* index + 1 of a CPU that has waited long; 0: none */
    };
};
extern union lock the_kernel_lock;
called_rarely void lock_wait(struct cpu *cpu); /* until it is this CPU's */

static inline void lock_take(struct cpu *cpu)
{
    uint64_t is_free = 0;
    const uint64_t taken = 1; /* held, not urgent */
    assert(cpu->lock_depth == 0);
    if (unlikely(!__atomic_compare_exchange_n(&the_kernel_lock.word, &is_free, taken, false, __ATOMIC_ACQUIRE,
                                              __ATOMIC_RELAXED)))
        lock_wait(cpu);
    cpu->lock_depth = 1;
}

static inline void lock_leave(struct cpu *cpu)
{
    assert(cpu->lock_depth == 1);
    cpu->lock_depth = 0;
    __atomic_store_n(&the_kernel_lock.held, 0, __ATOMIC_RELEASE);
}
