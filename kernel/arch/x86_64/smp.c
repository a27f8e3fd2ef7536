/* Starting the other processors that the MADT lists. One that does not come is reported and left out. */
#include <base/mem.h>
#include <kernel/bundle.h>
#include <kernel/debug.h>
#include <kernel/init.h>
#include <kernel/sched.h>
#include <kernel/trace.h>

#include "acpi.h"
#include "apic.h"
#include "clock.h"
#include "cpu.h"
#include "layout.h"
#include "machine.h"
#include "paging.h"

#define LOW_FIRST      0x1000u
#define LOW_END        0xa0000u
#define INIT_WAIT_US   10000
#define START_WAIT_US  200
#define ARRIVE_WAIT_US 200000 /* a real one takes microseconds; an emulated one shares its host with others */

extern char trampoline_start[], trampoline_end[], trampoline_boot_root[], trampoline_root[], trampoline_stack[],
    trampoline_index[], trampoline_entry[], cpu_entry[], boot_pml4[];

_Noreturn void cpu_start(uint32_t index); /* called by trampoline.S */

static uint32_t failed;
uint32_t cpu_failed_count(void)
{
    return failed;
}

/* A usable page below 640 KiB; 0: none. Low memory is never in the allocator. */
static uint64_t find_low_page(void)
{
    const struct boot_info *info = boot_info_get();
    for (uint32_t i = 0; i < info->memory_count; i++) {
        const struct boot_memory *m = &info->memory[i];
        uint64_t at = (m->base + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
        if (at < LOW_FIRST)
            at = LOW_FIRST;
        if ((m->kind == BOOT_MEMORY_USABLE || m->kind == BOOT_MEMORY_LOADER) && at + PAGE_BYTES <= m->base + m->bytes &&
            at + PAGE_BYTES <= LOW_END)
            return at;
    }
    return 0;
}

static void set_parameter(uint64_t page, const char *name, uint64_t value)
{
    *(uint64_t *)phys_to_virt(page + (uint64_t)(name - trampoline_start)) = value;
}

static void prepare_page(uint64_t page, const struct machine_cpu *m)
{
    memcpy(phys_to_virt(page), trampoline_start, (size_t)(trampoline_end - trampoline_start));
    set_parameter(page, trampoline_boot_root, kernel_virt_to_phys(boot_pml4));
    set_parameter(page, trampoline_root, paging_root());
    set_parameter(page, trampoline_stack, m->boot_stack + KERNEL_STACK_BYTES);
    set_parameter(page, trampoline_index, m->cpu.index);
    set_parameter(page, trampoline_entry, (uint64_t)cpu_entry);
}

static bool wait_arrived(const struct machine_cpu *m, uint64_t us)
{
    uint64_t end = time_now_ns() + us * 1000;
    while (m->start == START_ASKED && time_now_ns() < end)
        cpu_relax();
    return m->start == START_ARRIVED;
}

/* Moves it on from START_ASKED; false if the other side was first. */
static bool decide(struct machine_cpu *m, uint32_t to)
{
    uint32_t from = START_ASKED;
    return __atomic_compare_exchange_n(&m->start, &from, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* All get INIT at once, so that the pause it needs is there only once. */
static void reset_others(uint32_t self)
{
    for (uint32_t i = 0; i < acpi.madt.cpu_count; i++)
        if (acpi.madt.apic_ids[i] != self)
            apic_send_init(acpi.madt.apic_ids[i]);
    clock_spin_us(INIT_WAIT_US);
}

/* Up to two START messages, as the processors' manuals ask. True: it runs, and has its idle thread. */
static bool wake(struct machine_cpu *m, uint64_t page)
{
    m->start = START_ASKED;
    bool dead = config_restricts("deadcpu") && m->apic_id == acpi.madt.apic_ids[acpi.madt.cpu_count - 1];
    for (uint32_t i = 0; i < 2 && m->start == START_ASKED; i++) {
        if (!dead)
            apic_send_start(m->apic_id, (uint32_t)(page / PAGE_BYTES));
        wait_arrived(m, i == 0 ? START_WAIT_US : ARRIVE_WAIT_US);
    }
    if (decide(m, START_REFUSED)) {
        apic_send_init(m->apic_id); /* a late one stays out */
        clock_spin_us(INIT_WAIT_US);
        return false;
    }
    while (!m->online) /* it is here, and has a few steps to go */
        cpu_relax();
    return true;
}

static bool prepare_cpu(struct machine_cpu *m, uint32_t index, uint32_t id)
{
    m->cpu.index = index;
    m->apic_id = id;
    if (!m->boot_stack)
        m->boot_stack = stack_alloc();
    return m->boot_stack && (m->ist_stacks[IST_COUNT - 1] || tables_prepare(m));
}

static void start_one(uint64_t page, uint32_t id)
{
    struct machine_cpu *m = &machine_cpus[machine_cpu_count];
    bool prepared = prepare_cpu(m, machine_cpu_count, id);
    if (prepared)
        prepare_page(page, m);
    kernel_unlock(); /* it takes the lock to make its idle thread */
    bool online = prepared && wake(m, page);
    kernel_lock();
    if (!online) {
        failed++;
        klog("cpu: the processor with APIC id %u did not start; it is left out", id);
        return;
    }
    trace(TRACE_CPU_START, m->cpu.index, id);
}

static void smp_init(void)
{
    uint64_t page = find_low_page();
    uint32_t self = machine_cpus[0].apic_id;
    if (!acpi.has_madt || acpi.madt.cpu_count < 2)
        return;
    if (!page)
        klog("cpu: no memory below 640 KiB to start other processors from; one CPU");
    if (page)
        reset_others(self);
    for (uint32_t i = 0; page && i < acpi.madt.cpu_count; i++) {
        if (acpi.madt.apic_ids[i] == self)
            continue;
        if (machine_cpu_count == CPUS_MAX) {
            klog("cpu: more than %u processors; the rest is not used", CPUS_MAX);
            break;
        }
        start_one(page, acpi.madt.apic_ids[i]);
    }
    klog("cpu: %u of %u run", machine_cpu_count, acpi.madt.cpu_count);
}
INIT_HOOK(INIT_CPUS, smp_init);

void cpu_start(uint32_t index)
{
    struct machine_cpu *m = &machine_cpus[index];
    if (!decide(m, START_ARRIVED))
        arch_halt();
    machine_init_cpu(index);
    paging_load();
    descriptors_load(m);
    syscall_init();
    fpu_init();
    apic_init_cpu();
    timer_init_cpu();
    kernel_lock();
    machine_cpu_count++;
    sched_cpu_init();
    m->online = 1;
    kernel_unlock();
    sched_idle();
}
