/* Finding and offering services of this node. */
#include <idl/supervisor.h>
#include <os/service.h>
#include <os/startup.h>
#include <os/syscall.h>

err_t os_publish(const char *name, handle_t endpoint)
{
    handle_t callable;
    err_t err = os_handle_dup(endpoint, RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER | RIGHT_INFO, &callable);
    if (err != E_OK)
        return err;
    err = supervisor_publish(os_startup_handle(STARTUP_SUPERVISOR), DEADLINE_NEVER, name, callable);
    os_handle_close(callable);
    return err;
}

err_t os_lookup(const char *name, uint64_t deadline, handle_t *endpoint_out)
{
    return supervisor_lookup(os_startup_handle(STARTUP_SUPERVISOR), deadline, name, endpoint_out);
}

void os_progress(const char *text)
{
    if (os_startup_handle(STARTUP_SUPERVISOR))
        supervisor_state(os_startup_handle(STARTUP_SUPERVISOR), DEADLINE_NEVER, text);
}

uint64_t os_deadline_ms(uint64_t ms)
{
    uint64_t now = os_clock(CLOCK_ID_MONOTONIC_NS);
    return ms > (UINT64_MAX - now) / 1000000 ? DEADLINE_NEVER : now + ms * 1000000;
}
