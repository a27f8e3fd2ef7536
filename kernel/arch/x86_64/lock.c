/* The kernel lock. Whoever comes when it is free takes it: handing it on in turn would wait for one certain CPU, and an
 * emulated CPU may just then have lost its own host processor for milliseconds. So that none starves all the same, a
 * CPU that has waited long says so, and for a moment the others let it go first.
 *
 * Who waits answers requests to flush translations, since the holder may be waiting for exactly that. */
#include "lock.h"

#include "cpu.h"
#include "flush.h"

#define LONG_WAIT_TICKS 5000000u /* a few milliseconds at any speed of the TSC */
#define COURTESY_TICKS  200000u  /* how long others hold back: it may be unable to come */

union lock the_kernel_lock;

static bool try_take(void)
{
    return !__atomic_load_n(&the_kernel_lock.held, __ATOMIC_RELAXED) &&
           !__atomic_exchange_n(&the_kernel_lock.held, 1, __ATOMIC_ACQUIRE);
}

static bool should_hold_back(uint32_t me, uint64_t waited)
{
    uint32_t urgent = __atomic_load_n(&the_kernel_lock.urgent, __ATOMIC_RELAXED);
    return urgent && urgent != me && waited < COURTESY_TICKS;
}

void lock_wait(struct cpu *cpu)
{
    uint32_t me = cpu->index + 1;
    uint64_t start = rdtsc();
    flush_wait_begin();
    for (;;) {
        uint64_t waited = rdtsc() - start;
        if (!should_hold_back(me, waited) && try_take())
            break;
        if (waited > LONG_WAIT_TICKS && !the_kernel_lock.urgent)
            __atomic_store_n(&the_kernel_lock.urgent, me, __ATOMIC_RELAXED); /* two at once: the later one counts */
        flush_answer();
        arch_relax();
    }
    flush_wait_end();
    if (the_kernel_lock.urgent == me)
        __atomic_store_n(&the_kernel_lock.urgent, 0, __ATOMIC_RELAXED);
}

void kernel_lock(void)
{
    lock_take(cpu_this());
}

void kernel_unlock(void)
{
    lock_leave(cpu_this());
}

bool kernel_lock_held(void)
{
    return cpu_this()->lock_depth == 1;
}
