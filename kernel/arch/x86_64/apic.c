#include "apic.h"

#include <kernel/debug.h>
#include <kernel/mm.h>

#include "cpu.h"
#include "features.h"
#include "machine.h"

#define APIC_ENABLE  (1ull << 11)
#define APIC_X2      (1ull << 10)
#define APIC_ADDRESS 0x000ffffffffff000ull

/* Register offsets of the memory-mapped shape; the MSR is 0x800 + offset / 16. */
enum {
    REG_ID = 0x20,
    REG_TPR = 0x80,
    REG_EOI = 0xb0,
    REG_SPURIOUS = 0xf0,
    REG_ICR = 0x300,
    REG_ICR_HIGH = 0x310,
    REG_LVT_TIMER = 0x320,
    REG_LVT_THERMAL = 0x330,
    REG_LVT_PERF = 0x340,
    REG_LVT_LINT0 = 0x350,
    REG_LVT_LINT1 = 0x360,
    REG_LVT_ERROR = 0x370,
    REG_TIMER_COUNT = 0x380,
    REG_TIMER_LEFT = 0x390,
    REG_TIMER_DIVIDE = 0x3e0
};

#define SPURIOUS_ENABLE  0x100
#define LVT_MASKED       0x10000
#define LVT_NMI          0x400
#define LVT_TSC_DEADLINE 0x40000
#define DIVIDE_BY_16     3
#define ICR_PENDING      (1u << 12)
#define ICR_ASSERT       (1u << 14)
#define ICR_NMI          (4u << 8)
#define ICR_INIT         (5u << 8)
#define ICR_START        (6u << 8)
#define ICR_ALL_BUT_SELF (3u << 18)
#define PENDING_POLLS    1000000

static bool x2;
static volatile uint32_t *registers;

static uint32_t reg_read(uint32_t reg)
{
    return x2 ? (uint32_t)msr_read(MSR_X2APIC + reg / 16) : registers[reg / 4];
}

static void reg_write(uint32_t reg, uint32_t value)
{
    if (x2)
        msr_write(MSR_X2APIC + reg / 16, value);
    else
        registers[reg / 4] = value;
}

void apic_init(uint64_t madt_address)
{
    uint64_t base = msr_read(MSR_APIC_BASE);
    x2 = features.x2apic; /* firmware may have locked it on; where it exists it is the simpler of the two */
    if (!x2)
        registers = kmap_device(madt_address ? madt_address : base & APIC_ADDRESS, PAGE_BYTES);
    apic_init_cpu();
}

void apic_init_cpu(void)
{
    uint64_t base = msr_read(MSR_APIC_BASE) | APIC_ENABLE;
    msr_write(MSR_APIC_BASE, base);
    if (x2)
        msr_write(MSR_APIC_BASE, base | APIC_X2); /* two steps: not straight from off to x2 */
    reg_write(REG_TPR, 0);
    reg_write(REG_LVT_TIMER, LVT_MASKED);
    reg_write(REG_LVT_THERMAL, LVT_MASKED);
    reg_write(REG_LVT_PERF, LVT_MASKED);
    reg_write(REG_LVT_LINT0, LVT_MASKED);
    reg_write(REG_LVT_LINT1, LVT_NMI);
    reg_write(REG_LVT_ERROR, LVT_MASKED);
    reg_write(REG_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
    reg_write(REG_TIMER_DIVIDE, DIVIDE_BY_16);
}

uint32_t apic_id(void)
{
    return x2 ? reg_read(REG_ID) : reg_read(REG_ID) >> 24;
}
void apic_end(void)
{
    reg_write(REG_EOI, 0);
}

static void send(uint32_t id, uint32_t command)
{
    if (x2) {
        __asm__ volatile("mfence; lfence" ::: "memory"); /* the MSR write does not wait for stores by itself */
        msr_write(MSR_X2APIC + REG_ICR / 16, (uint64_t)id << 32 | command);
        return;
    }
    uint64_t flags = arch_irq_save();
    for (uint32_t i = 0; (reg_read(REG_ICR) & ICR_PENDING) && i < PENDING_POLLS; i++)
        arch_relax();
    reg_write(REG_ICR_HIGH, id << 24);
    reg_write(REG_ICR, command);
    arch_irq_restore(flags);
}

void apic_send(uint32_t id, uint32_t vector)
{
    send(id, ICR_ASSERT | vector);
}
void apic_send_nmi_others(void)
{
    send(0, ICR_ALL_BUT_SELF | ICR_ASSERT | ICR_NMI);
}
void apic_send_init(uint32_t id)
{
    send(id, ICR_ASSERT | ICR_INIT);
}
void apic_send_start(uint32_t id, uint32_t page)
{
    send(id, ICR_ASSERT | ICR_START | page);
}

void apic_timer_set(uint32_t count)
{
    reg_write(REG_TIMER_COUNT, count);
}
uint32_t apic_timer_left(void)
{
    return reg_read(REG_TIMER_LEFT);
}

void apic_timer_use(bool tsc_deadline)
{
    reg_write(REG_LVT_TIMER, VECTOR_TIMER | (tsc_deadline ? LVT_TSC_DEADLINE : 0));
    if (tsc_deadline)
        __asm__ volatile("mfence" ::: "memory");
}

void cpu_interrupt(uint32_t index)
{
    assert(index < machine_cpu_count);
    apic_send(machine_cpus[index].apic_id, VECTOR_RESCHEDULE);
}

void arch_stop_others(void)
{
    if (machine_cpu_count > 1)
        apic_send_nmi_others();
}
