#include "fpu.h"

#include <base/mem.h>
#include <kernel/debug.h>
#include <kernel/mm.h>

#include "cpu.h"
#include "features.h"

#define XCR0_WANTED   0xe7ull /* x87, SSE, AVX, AVX-512: an area below one page */
#define FCW_DEFAULT   0x37f
#define MXCSR_DEFAULT 0x1f80
#define MXCSR_OFFSET  24

static uint64_t xcr0;

static void xcr0_load(void)
{
    xcr0 = (cpuid(0xd, 0).a | (uint64_t)cpuid(0xd, 0).d << 32) & XCR0_WANTED;
    __asm__ volatile("xsetbv" ::"c"(0), "a"((uint32_t)xcr0), "d"((uint32_t)(xcr0 >> 32)));
    assert(cpuid(0xd, 0).b <= PAGE_BYTES);
}

static void set_task_switched(struct machine_cpu *m)
{
    cr0_write(cr0_read() | CR0_TS);
    m->fpu_enabled = false;
}

void fpu_init(void)
{
    cr0_write((cr0_read() & ~CR0_EM) | CR0_MP | CR0_NE);
    cr4_write(cr4_read() | CR4_OSFXSR | CR4_OSXMMEXCPT | (features.xsave ? CR4_OSXSAVE : 0));
    if (features.xsave)
        xcr0_load();
    set_task_switched(machine_this());
}

static void save(void *area)
{
    if (features.xsave)
        __asm__ volatile("xsave64 (%0)" ::"r"(area), "a"((uint32_t)xcr0), "d"((uint32_t)(xcr0 >> 32)) : "memory");
    else
        __asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory");
}

static void load(const void *area)
{
    if (features.xsave)
        __asm__ volatile("xrstor64 (%0)" ::"r"(area), "a"((uint32_t)xcr0), "d"((uint32_t)(xcr0 >> 32)) : "memory");
    else
        __asm__ volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
}

void fpu_switch_out(struct machine_cpu *m, struct arch_thread *from)
{
    assert(m->fpu_enabled && m->fpu_owner == from);
    save(from->fpu);
    m->cpu.counters[COUNTER_FPU_SWITCHES]++;
    set_task_switched(m);
}

static bool make_area(struct arch_thread *t)
{
    uint64_t page = page_alloc();
    if (page == PAGE_NONE)
        return false;
    t->fpu = phys_to_virt(page);
    *(uint16_t *)t->fpu = FCW_DEFAULT;
    *(uint32_t *)((char *)t->fpu + MXCSR_OFFSET) = MXCSR_DEFAULT;
    return true;
}

bool fpu_use(void)
{
    struct machine_cpu *m = machine_this();
    struct arch_thread *t = m->running;
    assert(t && !m->fpu_enabled);
    if (!t->fpu && !make_area(t))
        return false;
    __asm__ volatile("clts");
    m->fpu_enabled = true;
    if (m->fpu_owner == t && t->fpu_cpu == m->cpu.index)
        return true; /* nobody used the registers since it was saved */
    load(t->fpu);
    m->fpu_owner = t;
    t->fpu_cpu = m->cpu.index;
    m->cpu.counters[COUNTER_FPU_SWITCHES]++;
    return true;
}

void fpu_forget(struct arch_thread *t)
{
    for (uint32_t i = 0; i < machine_cpu_count; i++)
        if (machine_cpus[i].fpu_owner == t)
            machine_cpus[i].fpu_owner = NULL;
    if (t->fpu)
        page_free((uint64_t)t->fpu - PHYSMAP_BASE);
    t->fpu = NULL;
}
