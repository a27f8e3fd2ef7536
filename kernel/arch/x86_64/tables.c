/* GDT, TSS and IDT. */
#include <base/mem.h>
#include <kernel/debug.h>

#include "cpu.h"
#include "machine.h"

#define GATE_INTERRUPT 0x8e
#define GATE_USER      0x60 /* int3 and into from user mode */
#define VECTORS        256

struct gate_entry {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};

struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

extern char trap_entries[];
static struct gate_entry idt[VECTORS];

static void fill_idt(void)
{
    for (uint32_t v = 0; v < VECTORS; v++) {
        uint64_t address = (uint64_t)trap_entries + v * 16;
        idt[v] = (struct gate_entry){(uint16_t)address,         SELECTOR_KERNEL_CODE,      0, GATE_INTERRUPT,
                                     (uint16_t)(address >> 16), (uint32_t)(address >> 32), 0};
    }
    idt[2].ist = IST_NMI;
    idt[8].ist = IST_DOUBLE_FAULT;
    idt[18].ist = IST_MACHINE_CHECK;
    idt[3].type |= GATE_USER;
    idt[4].type |= GATE_USER;
}

static void fill_gdt(struct machine_cpu *m)
{
    uint64_t tss = (uint64_t)&m->tss;
    m->gdt[1] = 0x00af9b000000ffff; /* kernel code */
    m->gdt[2] = 0x00cf93000000ffff; /* kernel data */
    m->gdt[3] = 0;
    m->gdt[4] = 0x00cff3000000ffff; /* user data */
    m->gdt[5] = 0x00affb000000ffff; /* user code */
    m->gdt[6] = (sizeof m->tss - 1) | (tss & 0xffffff) << 16 | 0x89ull << 40 | (tss >> 24 & 0xff) << 56;
    m->gdt[7] = tss >> 32;
    m->tss.io_map = sizeof m->tss; /* no I/O ports for user mode */
}

bool tables_prepare(struct machine_cpu *m)
{
    for (uint32_t i = 0; i < IST_COUNT; i++) {
        m->ist_stacks[i] = stack_alloc();
        if (!m->ist_stacks[i])
            return false;
        m->tss.ist[i] = m->ist_stacks[i] + KERNEL_STACK_BYTES;
    }
    return true;
}

void descriptors_load(struct machine_cpu *m)
{
    struct table_pointer gdt_pointer = {sizeof m->gdt - 1, (uint64_t)m->gdt};
    struct table_pointer idt_pointer = {sizeof idt - 1, (uint64_t)idt};
    if (m->cpu.index == 0)
        fill_idt();
    fill_gdt(m);
    __asm__ volatile("lgdt %0" ::"m"(gdt_pointer));
    __asm__ volatile(
        "pushq %0; leaq 1f(%%rip), %%rax; pushq %%rax; lretq; 1: mov %1, %%ss; mov %1, %%ds; mov %1, %%es" ::"i"(
            SELECTOR_KERNEL_CODE),
        "r"(SELECTOR_KERNEL_DATA)
        : "rax", "memory");
    __asm__ volatile("ltr %w0" ::"r"(SELECTOR_TSS));
    __asm__ volatile("lidt %0" ::"m"(idt_pointer));
}
