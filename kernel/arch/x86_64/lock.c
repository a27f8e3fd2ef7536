/* The kernel lock: a ticket lock, so that no CPU starves. Who waits answers requests to flush translations, since the
 * holder may be waiting for exactly that. */
#include <kernel/debug.h>

#include "flush.h"
#include "machine.h"

static struct {
    uint32_t next, serving;
} lock;

void kernel_lock(void)
{
    struct cpu *cpu = cpu_this();
    assert(cpu->lock_depth == 0);
    uint32_t ticket = __atomic_fetch_add(&lock.next, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(&lock.serving, __ATOMIC_ACQUIRE) != ticket) {
        flush_answer();
        arch_relax();
    }
    cpu->lock_depth = 1;
}

void kernel_unlock(void)
{
    struct cpu *cpu = cpu_this();
    assert(cpu->lock_depth == 1);
    cpu->lock_depth = 0;
    __atomic_store_n(&lock.serving, lock.serving + 1, __ATOMIC_RELEASE);
}

bool kernel_lock_held(void)
{
    return cpu_this()->lock_depth == 1;
}
