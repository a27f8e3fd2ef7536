/* The kernel lock. Whoever runs when it is free takes it: a queue would hand it to CPUs that, under an emulator or a
 * hypervisor, do not run just now, and all others would wait for them. Long work lets go in between (sched_breathe). Who
 * waits answers requests to flush translations, since the holder may be waiting for exactly that. */
#include <kernel/debug.h>

#include "flush.h"
#include "machine.h"

static uint32_t locked;

void kernel_lock(void)
{
    struct cpu *cpu = cpu_this();
    assert(cpu->lock_depth == 0);
    while (__atomic_exchange_n(&locked, 1, __ATOMIC_ACQUIRE)) {
        while (__atomic_load_n(&locked, __ATOMIC_RELAXED)) {
            flush_answer();
            arch_relax();
        }
    }
    cpu->lock_depth = 1;
}

void kernel_unlock(void)
{
    struct cpu *cpu = cpu_this();
    assert(cpu->lock_depth == 1);
    cpu->lock_depth = 0;
    __atomic_store_n(&locked, 0, __ATOMIC_RELEASE);
}

bool kernel_lock_held(void)
{
    return cpu_this()->lock_depth == 1;
}
