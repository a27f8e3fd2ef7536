/* From the first instruction to os_main. */
#include <os/log.h>
#include <os/startup.h>
#include <os/syscall.h>

#include "private.h"

static const struct startup *the_startup;

const struct startup *os_startup(void)
{
    return the_startup;
}

handle_t os_startup_handle(enum startup_handle slot)
{
    return (uint32_t)slot < STARTUP_HANDLES ? the_startup->handles[slot] : HANDLE_NONE;
}

uint32_t os_level(void)
{
    return the_startup->level;
}

_Noreturn void os_start(const struct startup *startup)
{
    if (startup->magic != STARTUP_MAGIC)
        os_exit(1, 127); /* nothing to report it with: whoever made this process got the contract wrong */
    the_startup = startup;
    thread_first(startup);
    os_main(startup);
}
