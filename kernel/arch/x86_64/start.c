/* The first C code, on the boot stack with the doors' page tables. */
#include <kernel/boot.h>
#include <kernel/console.h>
#include <kernel/debug.h>

#include "features.h"
#include "layout.h"
#include "machine.h"
#include "paging.h"
#include "pvh.h"

/* Called by entry.S. door: 3 = PVH (info is hvm_start_info), 0 = boot_info says it. */
_Noreturn void arch_start(uint64_t info_phys, uint32_t door, uint64_t phys_base);

void arch_start(uint64_t info_phys, uint32_t door, uint64_t phys_base)
{
    kernel_phys_base = phys_base;
    machine_init_boot_cpu();
    arch_uart_init();
    features_init();
    if (door == 3)
        pvh_take(info_phys);
    else
        boot_info_take(phys_to_virt(info_phys));
    kernel_main();
}
