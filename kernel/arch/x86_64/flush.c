/* One request at a time, since its maker holds the kernel lock. A CPU answers from the interrupt, or while it spins for
 * the lock with interrupts off, whichever comes first; answering twice is harmless. */
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

static void flush_here(uint64_t address, uint64_t bytes)
{
    if (bytes / PAGE_BYTES <= PAGES_ONE_BY_ONE) {
        for (uint64_t at = 0; at < bytes; at += PAGE_BYTES)
            invlpg(address + at);
        return;
    }
    uint64_t cr4 = cr4_read(); /* kernel pages are global: turning that off drops them too */
    cr4_write(cr4 & ~CR4_PGE);
    cr4_write(cr4);
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

void flush_answer(void)
{
    uint64_t me = 1ull << cpu_this()->index;
    if (!(__atomic_load_n(&request.pending, __ATOMIC_ACQUIRE) & me))
        return;
    if (request.unload)
        unload_here(request.unload);
    else
        flush_here(request.address, request.bytes);
    __atomic_fetch_and(&request.pending, ~me, __ATOMIC_RELEASE);
}

static void ask(uint64_t cpus)
{
    assert(kernel_lock_held());
    cpus &= ~(1ull << cpu_this()->index);
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
