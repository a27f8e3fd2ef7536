/* The boot CPU's way from the door to the first process. What must happen in a fixed order inside a level is listed
 * here; everything else attaches itself with INIT_HOOK. */
#include <kernel/arch.h>
#include <kernel/boot.h>
#include <kernel/bundle.h>
#include <kernel/console.h>
#include <kernel/debug.h>
#include <kernel/init.h>
#include <kernel/mm.h>
#include <kernel/mm_init.h>
#include <kernel/panic.h>
#include <kernel/sched.h>

static void init_early(void)
{
    struct boot_info *info = boot_info_edit();
    boot_panic_memory(info);
    mm_pages_from_map(info);
    arch_early_init();
    console_screen_init(info);
    klog("Shoal: %llu MiB of memory, door %u", pages_total() * PAGE_BYTES >> 20, info->door);
    panic_keep_init(info->panic_base, info->panic_bytes);
    boot_config_init();
}
INIT_HOOK(INIT_EARLY, init_early);
INIT_HOOK(INIT_MEMORY, boot_bundle_init);

void kernel_main(void)
{
    kernel_lock();
    init_run_all();
    klog("boot: %lu ms since the door, %llu KiB free", time_now_ns() / 1000000, pages_free() * PAGE_BYTES >> 10);
    kernel_unlock();
    sched_idle();
}
