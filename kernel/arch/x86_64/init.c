/* arch's part of the boot, level by level. */
#include <kernel/debug.h>
#include <kernel/init.h>

#include "acpi.h"
#include "apic.h"
#include "clock.h"
#include "ioapic.h"
#include "machine.h"
#include "paging.h"
#include "pic.h"
#include "random.h"
#include "rtc.h"

void arch_early_init(void)
{
    struct machine_cpu *m = machine_this();
    paging_init();
    if (!tables_prepare(m))
        panic("no memory for the first CPU's stacks");
    tables_load(m);
    syscall_init();
    fpu_init();
}

static void arch_init(void)
{
    pic_shut();
    acpi_init();
    apic_init(acpi.has_madt ? acpi.madt.apic_address : 0);
    machine_this()->apic_id = apic_id();
    clock_init();
    timer_init();
    rtc_init();
    random_init();
    ioapic_init();
}
INIT_HOOK(INIT_ARCH, arch_init);
