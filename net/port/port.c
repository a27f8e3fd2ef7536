/* What lwIP wants of a system: a clock in milliseconds, random numbers, an end for broken assertions. */
#include <os/log.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <port/lwip.h>

u32_t sys_now(void)
{
    return (u32_t)(os_clock(CLOCK_ID_MONOTONIC_NS) / 1000000);
}

void port_assert_failed(const char *text, const char *file, int line)
{
    os_panic("lwIP: %s (%s:%d)", text, file, line);
}

uint32_t port_random(void)
{
    static uint64_t state;
    if (state == 0)
        os_control(os_startup_handle(STARTUP_SYSTEM), OP_SYSTEM_RANDOM, (uint64_t)&state, sizeof state, 0, 0);
    state += 0x9e3779b97f4a7c15ull ^ os_clock(CLOCK_ID_MONOTONIC_NS);
    uint64_t z = (state ^ state >> 30) * 0xbf58476d1ce4e5b9ull;
    return (uint32_t)(z ^ z >> 31);
}

err_t port_error(lwip_err_t err)
{
    switch (err) {
    case ERR_OK:
        return E_OK;
    case ERR_MEM:
    case ERR_BUF:
        return E_FULL;
    case ERR_TIMEOUT:
        return E_TIMED_OUT;
    case ERR_RTE:
    case ERR_IF:
        return E_UNREACHABLE;
    case ERR_USE:
        return E_ADDR_IN_USE;
    case ERR_ISCONN:
    case ERR_ALREADY:
        return E_BUSY;
    case ERR_CONN:
        return E_NOT_CONNECTED;
    case ERR_ABRT:
    case ERR_RST:
        return E_CONN_RESET;
    case ERR_CLSD:
        return E_PIPE;
    default:
        return E_INVALID;
    }
}
