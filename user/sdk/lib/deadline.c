#include <os/service.h>
#include <os/syscall.h>
#include <shoal/deadline.h>

uint64_t shoal_now_ns(void)
{
    return os_clock(CLOCK_ID_MONOTONIC_NS);
}

uint64_t shoal_in_ms(uint64_t ms)
{
    return os_deadline_ms(ms);
}
