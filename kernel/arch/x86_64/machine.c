/* The processors. */
#include "machine.h"

#include <kernel/debug.h>

#include "cpu.h"

struct machine_cpu machine_cpus[CPUS_MAX];
uint32_t machine_cpu_count = 1;

void machine_init_cpu(uint32_t index)
{
    struct machine_cpu *m = &machine_cpus[index];
    m->cpu.self = &m->cpu;
    m->cpu.index = index;
    m->cpu.bit = 1ull << index;
    msr_write(MSR_GS_BASE, (uint64_t)m);
    msr_write(MSR_KERNEL_GS_BASE, 0);
    msr_write(MSR_FS_BASE, 0);
}

void machine_init_boot_cpu(void)
{
    machine_init_cpu(0);
    machine_cpus[0].online = 1;
}

struct cpu *cpu_get(uint32_t index)
{
    assert(index < machine_cpu_count);
    return &machine_cpus[index].cpu;
}

uint32_t cpu_count(void)
{
    return machine_cpu_count;
}

uint64_t arch_irq_save(void)
{
    uint64_t flags;
    __asm__ volatile("pushfq; popq %0; cli" : "=r"(flags)::"memory");
    return flags & RFLAGS_IF;
}

void arch_irq_restore(uint64_t flags)
{
    if (flags & RFLAGS_IF)
        __asm__ volatile("sti" ::: "memory");
}

void arch_idle(void)
{
    __asm__ volatile("sti; hlt; cli" ::: "memory");
}

void arch_halt(void)
{
    for (;;)
        __asm__ volatile("cli; hlt" ::: "memory");
}
