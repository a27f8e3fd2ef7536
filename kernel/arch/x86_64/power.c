/* Turning the machine off and on again. Each way may be missing or do nothing, so the next one follows. */
#include <kernel/arch.h>
#include <kernel/bundle.h>
#include <kernel/debug.h>
#include <kernel/mm.h>

#include <base/mem.h>

#include "acpi.h"
#include "clock.h"
#include "cpu.h"
#include "pci.h"

#define EXIT_PORT     0xf4 /* QEMU's isa-debug-exit: it ends with (code << 1) | 1 */
#define PAUSE_US      50000
#define PM1_SLEEP     (1u << 13)
#define PM1_TYPE(n)   ((uint32_t)(n) << 10)
#define PM1_TYPE_MASK PM1_TYPE(7)

void arch_emulator_exit(uint32_t code)
{
    port_out32(EXIT_PORT, code);
    arch_halt();
}

static bool emulated(void)
{
    const char *action = config_get("panic");
    return action && strcmp(action, "exit") == 0;
}

static void sleep_control(uint32_t port, uint8_t type)
{
    if (port && port < 0xffff)
        port_out16((uint16_t)port,
                   (uint16_t)((port_in16((uint16_t)port) & ~PM1_TYPE_MASK) | PM1_TYPE(type) | PM1_SLEEP));
}

static void soft_off(void)
{
    if (!acpi.has_fadt || !acpi.has_s5)
        return;
    sleep_control(acpi.fadt.pm1a_control, acpi.s5_a);
    sleep_control(acpi.fadt.pm1b_control, acpi.s5_b);
    clock_spin_us(PAUSE_US);
}

static void reset_by_acpi(void)
{
    const struct acpi_address *r = &acpi.fadt.reset;
    if (!acpi.has_fadt || !acpi.fadt.has_reset)
        return;
    if (r->space == ACPI_IO && r->address < 0x10000)
        port_out8((uint16_t)r->address, acpi.fadt.reset_value);
    else if (r->space == ACPI_PCI) /* bus 0: device in bits 32-47, function in 16-31, offset below */
        pci_write((uint32_t)(r->address >> 32 & 31) << 3 | (uint32_t)(r->address >> 16 & 7), r->address & 0xff, 1,
                  acpi.fadt.reset_value);
    else if (r->space == ACPI_MEMORY)
        *(volatile uint8_t *)kmap_device(r->address, 1) = acpi.fadt.reset_value;
    clock_spin_us(PAUSE_US);
}

static void reset_by_chipset(void)
{
    port_out8(0xcf9, 0x02);
    port_out8(0xcf9, 0x06);
    clock_spin_us(PAUSE_US);
    port_out8(0x64, 0xfe); /* the keyboard controller's line */
    clock_spin_us(PAUSE_US);
}

static _Noreturn void triple_fault(void)
{
    static const struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) nothing = {0, 0};
    __asm__ volatile("lidt %0; int3" ::"m"(nothing));
    arch_halt();
}

void arch_power(bool restart, uint32_t exit_code)
{
    arch_irq_save();
    if (emulated())
        arch_emulator_exit(exit_code);
    if (!restart) {
        soft_off();
        klog("power: this machine cannot be turned off by software; turn it off by hand");
        arch_halt();
    }
    reset_by_acpi();
    reset_by_chipset();
    triple_fault();
}
