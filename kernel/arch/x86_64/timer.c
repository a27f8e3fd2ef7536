/* The one-shot timer of each CPU. Where a deadline lies beyond what the counter holds, it fires early and is set again.
 */
#include <kernel/arch.h>
#include <kernel/debug.h>

#include "apic.h"
#include "clock.h"
#include "cpu.h"
#include "features.h"
#include "machine.h"

#define NEVER  UINT64_MAX
#define FAR_NS (1000000000ull * 3600) /* the deadline mode sleeps no longer than this at a time */

static bool tsc_deadline;
static uint64_t counts_per_ns; /* 32.32 fixed point */

void timer_init(void)
{
    tsc_deadline = features.tsc_deadline;
    counts_per_ns = ((clock_apic_hz() / 1000) << 32) / 1000000;
    timer_init_cpu();
}

void timer_init_cpu(void)
{
    machine_this()->timer_deadline_ns = NEVER;
    apic_timer_use(tsc_deadline);
}

static void set_deadline(uint64_t at_ns, uint64_t now)
{
    if (at_ns > now + FAR_NS)
        at_ns = now + FAR_NS;
    cpu_this()->counters[COUNTER_MSR_WRITES]++;
    msr_write(MSR_TSC_DEADLINE, clock_ns_to_tsc(at_ns) | 1); /* 0 would mean off */
}

static void set_count(uint64_t at_ns, uint64_t now)
{
    uint64_t delta = at_ns > now ? at_ns - now : 0;
    uint64_t far = ((uint64_t)UINT32_MAX << 32) / counts_per_ns;
    uint64_t count = delta < far ? (uint64_t)((unsigned __int128)delta * counts_per_ns >> 32) + 1 : UINT32_MAX;
    apic_timer_set(count > UINT32_MAX ? UINT32_MAX : (uint32_t)count);
}

void arch_timer_arm(uint64_t at_ns)
{
    struct machine_cpu *m = machine_this();
    if (m->timer_deadline_ns == at_ns)
        return;
    m->timer_deadline_ns = at_ns;
    if (at_ns == NEVER) {
        if (tsc_deadline)
            msr_write(MSR_TSC_DEADLINE, 0);
        else
            apic_timer_set(0);
        return;
    }
    if (tsc_deadline)
        set_deadline(at_ns, time_now_ns());
    else
        set_count(at_ns, time_now_ns());
}

void timer_interrupt(void)
{
    struct machine_cpu *m = machine_this();
    uint64_t now = time_now_ns(), at = m->timer_deadline_ns;
    m->timer_deadline_ns = NEVER;
    if (at == NEVER)
        return; /* it was stopped while on its way */
    if (now < at)
        arch_timer_arm(at);
    else
        sched_timer_tick(now);
}
