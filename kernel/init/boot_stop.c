/* How a boot that cannot go on ends: one clear message, no restart loop. */
#include <kernel/arch.h>
#include <kernel/boot.h>
#include <kernel/bundle.h>
#include <kernel/debug.h>

#define EXIT_CODE_STOPPED 0x3f

static bool text_is(const char *a, const char *b)
{
    while (a && *a && *a == *b)
        a++, b++;
    return a && *a == *b;
}

void boot_stop(const char *what, const char *remedy)
{
    klog("*** the boot stops: %s", what);
    klog("*** what to do: %s", remedy);
    if (text_is(config_get("panic"), "exit"))
        arch_emulator_exit(EXIT_CODE_STOPPED);
    arch_halt();
}
