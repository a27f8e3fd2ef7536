/* What this process was given when it started. Valid from the first instruction of main on, in every thread. */
#pragma once

#include <abi/startup.h>

const struct startup *os_startup(void);

/* HANDLE_NONE where it was not given. The handle stays the startup's: it is never closed. */
handle_t os_startup_handle(enum startup_handle slot);

/* Level of this process: it may make blocking calls only to services of a lower one. */
uint32_t os_level(void);

static inline handle_t os_process(void)
{
    return os_startup_handle(STARTUP_PROCESS);
}
static inline handle_t os_budget(void)
{
    return os_startup_handle(STARTUP_BUDGET);
}

/* A process's code begins here (libc's brings main up). Not returned from. */
_Noreturn void os_main(const struct startup *startup);
