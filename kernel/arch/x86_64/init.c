/* arch's part of the boot, level by level. */
#include <kernel/debug.h>
#include <kernel/init.h>
#include <kernel/mm.h>

#include "acpi.h"
#include "apic.h"
#include "clock.h"
#include "ioapic.h"
#include "machine.h"
#include "paging.h"
#include "pic.h"
#include "random.h"
#include "rtc.h"
#include "uart.h"

void arch_early_init(void)
{
    struct machine_cpu *m = machine_this();
    paging_init();
    if (!tables_prepare(m))
        panic("no memory for the first CPU's stacks");
    descriptors_load(m);
    syscall_init();
    fpu_init();
}

/* Where firmware says that the console is, which may be another port than COM1, or memory. */
static void use_console_table(void)
{
    const struct acpi_address *a = &acpi.spcr.uart;
    if (!acpi.has_spcr)
        return;
    if (a->space == ACPI_IO && a->address <= 0xfff8)
        uart_use_ports((uint16_t)a->address);
    else if (a->space == ACPI_MEMORY)
        uart_use_memory(kmap_device(a->address, 8 * acpi.spcr.stride), acpi.spcr.stride);
}

static void arch_init(void)
{
    pic_shut();
    acpi_init();
    use_console_table();
    apic_init(acpi.has_madt ? acpi.madt.apic_address : 0);
    machine_this()->apic_id = apic_id();
    clock_init();
    timer_init();
    rtc_init();
    random_init();
    ioapic_init();
}
INIT_HOOK(INIT_ARCH, arch_init);
