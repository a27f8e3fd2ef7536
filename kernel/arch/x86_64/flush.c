/* One request at a time, since its maker holds the kernel lock. A CPU answers from the interrupt, or while it spins for
 * the lock with interrupts off, whichever comes first; answering twice is harmless.
 *
 * A CPU that is seen waiting for the lock need not be waited for: it uses nothing that anybody takes away until it has
 * the lock, so it is told to flush then. Otherwise the holder would wait for CPUs that wait for the holder, and where
 * they share the processors of an emulator's host that means a time slice of each. */
#include "flush.h"

#include <kernel/debug.h>
#include <kernel/trace.h>

#include "apic.h"
#include "cpu.h"
#include "machine.h"
#include "paging.h"

#define PAGES_ONE_BY_ONE 32u

static struct {
    uint64_t address, bytes;
    struct arch_aspace *unload; /* leave these tables instead of flushing */
    volatile uint64_t pending;  /* bit per CPU that has not answered */
} request;

static void flush_everything(void)
{
    uint64_t cr4 = cr4_read(); /* kernel pages are global: turning that off drops them too */
    cr4_write(cr4 & ~CR4_PGE);
    cr4_write(cr4);
}

static void flush_here(uint64_t address, uint64_t bytes)
{
    if (bytes / PAGE_BYTES > PAGES_ONE_BY_ONE) {
        flush_everything();
        return;
    }
    for (uint64_t at = 0; at < bytes; at += PAGE_BYTES)
        invlpg(address + at);
}

static void unload_here(struct arch_aspace *as)
{
    struct cpu *cpu = cpu_this();
    if (cpu->aspace != as)
        return;
    cr3_write(paging_root());
    cpu->aspace = NULL;
    __atomic_fetch_and(&as->active_cpus, ~(1ull << cpu->index), __ATOMIC_SEQ_CST);
}

/* The idle thread and the kernel's others only pass through the tables of whoever ran before. They leave them when they
 * are asked the first time, and are not asked again: under an emulator each question wakes a whole host thread. */
static bool only_passing(void)
{
    const struct arch_thread *running = machine_this()->running;
    return running && !running->frame;
}

void flush_answer(void)
{
    struct cpu *cpu = cpu_this();
    uint64_t me = 1ull << cpu->index;
    if (!(__atomic_load_n(&request.pending, __ATOMIC_ACQUIRE) & me))
        return;
    if (request.unload)
        unload_here(request.unload);
    else if (request.address < USER_END && cpu->aspace && only_passing())
        unload_here(cpu->aspace);
    else
        flush_here(request.address, request.bytes);
    __atomic_fetch_and(&request.pending, ~me, __ATOMIC_RELEASE);
}

void flush_wait_begin(void)
{
    __atomic_store_n(&machine_this()->waits_for_lock, true, __ATOMIC_SEQ_CST);
}

void flush_wait_end(void)
{
    struct machine_cpu *m = machine_this();
    m->waits_for_lock = false;
    if (m->flush_owed)
        flush_everything();
    m->flush_owed = false;
}

/* Those of `cpus` that cannot go on before we let go of the lock will flush when they get it; the others. Tables that
 * are to be freed must be left at once all the same, since a processor walks them of its own accord. */
static uint64_t defer(uint64_t cpus)
{
    if (request.unload)
        return cpus;
    for (uint64_t rest = cpus; rest; rest &= rest - 1) {
        struct machine_cpu *m = &machine_cpus[__builtin_ctzll(rest)];
        if (!__atomic_load_n(&m->waits_for_lock, __ATOMIC_SEQ_CST))
            continue;
        m->flush_owed = true;
        cpus &= ~(1ull << m->cpu.index);
    }
    return cpus;
}

static void ask(uint64_t cpus)
{
    assert(kernel_lock_held());
    cpus = defer(cpus & ~(1ull << cpu_this()->index));
    if (!cpus)
        return;
    cpu_this()->counters[COUNTER_TLB_SHOOTDOWNS]++;
    trace(TRACE_SHOOTDOWN, request.address, request.bytes);
    __atomic_store_n(&request.pending, cpus, __ATOMIC_SEQ_CST);
    for (uint32_t i = 0; i < machine_cpu_count; i++)
        if (cpus >> i & 1)
            apic_send(machine_cpus[i].apic_id, VECTOR_FLUSH);
    while (__atomic_load_n(&request.pending, __ATOMIC_ACQUIRE))
        arch_relax();
}

void flush_user(struct arch_aspace *as, uint64_t address, uint64_t bytes)
{
    request.unload = NULL;
    request.address = address;
    request.bytes = bytes;
    if (as->active_cpus >> cpu_this()->index & 1)
        flush_here(address, bytes);
    ask(as->active_cpus);
}

void flush_kernel(uint64_t address, uint64_t bytes)
{
    uint64_t online = 0;
    for (uint32_t i = 0; i < machine_cpu_count; i++)
        online |= machine_cpus[i].online ? 1ull << i : 0;
    request.unload = NULL;
    request.address = address;
    request.bytes = bytes;
    flush_here(address, bytes);
    ask(online);
}

void flush_unload(struct arch_aspace *as)
{
    request.unload = as;
    unload_here(as);
    ask(as->active_cpus);
}
