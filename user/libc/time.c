/* Clocks and sleeping. */
#include <errno.h>
#include <os/service.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#include "libc.h"

#define NS_PER_S 1000000000ull

static uint64_t process_ns(void)
{
    struct process_info info;
    return os_control(os_process(), OP_PROCESS_INFO, (uint64_t)&info, 0, 0, 0).err == E_OK ? info.cpu_ns : 0;
}

static struct timespec timespec_of(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    switch (clock) {
    case CLOCK_REALTIME:
        *now = timespec_of(os_clock(CLOCK_ID_REALTIME_NS));
        return 0;
    case CLOCK_MONOTONIC:
        *now = timespec_of(os_clock(CLOCK_ID_MONOTONIC_NS));
        return 0;
    case CLOCK_PROCESS_CPUTIME_ID:
        *now = timespec_of(process_ns());
        return 0;
    case CLOCK_THREAD_CPUTIME_ID:
        *now = timespec_of(os_clock(CLOCK_ID_THREAD_NS));
        return 0;
    default:
        errno = EINVAL;
        return -1;
    }
}

int clock_getres(clockid_t clock, struct timespec *resolution)
{
    struct timespec now;
    if (clock_gettime(clock, &now))
        return -1;
    if (resolution)
        *resolution = (struct timespec){.tv_nsec = 1};
    return 0;
}

int clock_settime(clockid_t clock, const struct timespec *now)
{
    errno = EPERM;
    return -1;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    uint64_t ns = os_clock(CLOCK_ID_REALTIME_NS);
    *now = (struct timeval){.tv_sec = (time_t)(ns / NS_PER_S), .tv_usec = (suseconds_t)(ns % NS_PER_S / 1000)};
    return 0;
}

uint64_t deadline_of(clockid_t clock, const struct timespec *until)
{
    if (until->tv_sec < 0)
        return DEADLINE_POLL;
    if ((uint64_t)until->tv_sec > UINT64_MAX / NS_PER_S - 1)
        return DEADLINE_NEVER;
    uint64_t ns = (uint64_t)until->tv_sec * NS_PER_S + (uint64_t)until->tv_nsec;
    if (clock != CLOCK_REALTIME)
        return ns;
    uint64_t real = os_clock(CLOCK_ID_REALTIME_NS), now = os_clock(CLOCK_ID_MONOTONIC_NS);
    return ns <= real ? now : now + (ns - real);
}

static int sleep_until(uint64_t deadline)
{
    uint32_t never_woken = 0;
    return os_futex_wait(&never_woken, 0, deadline) == E_INTERRUPTED ? EINTR : 0;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *wanted, struct timespec *left)
{
    if (wanted->tv_nsec < 0 || wanted->tv_nsec >= (long)NS_PER_S || wanted->tv_sec < 0)
        return EINVAL;
    if (flags & TIMER_ABSTIME)
        return sleep_until(deadline_of(clock, wanted));
    uint64_t now = os_clock(CLOCK_ID_MONOTONIC_NS), length = deadline_of(CLOCK_MONOTONIC, wanted);
    uint64_t deadline = length > UINT64_MAX - now ? DEADLINE_NEVER : now + length;
    int error = sleep_until(deadline);
    if (error && left) {
        now = os_clock(CLOCK_ID_MONOTONIC_NS);
        *left = timespec_of(deadline > now ? deadline - now : 0);
    }
    return error;
}

int nanosleep(const struct timespec *wanted, struct timespec *left)
{
    int error = clock_nanosleep(CLOCK_MONOTONIC, 0, wanted, left);
    if (!error)
        return 0;
    errno = error;
    return -1;
}

unsigned sleep(unsigned seconds)
{
    struct timespec wanted = {.tv_sec = seconds}, left = {0};
    return nanosleep(&wanted, &left) ? (unsigned)left.tv_sec + (left.tv_nsec > 0) : 0;
}

int usleep(useconds_t us)
{
    struct timespec wanted = {.tv_sec = us / 1000000, .tv_nsec = (long)(us % 1000000) * 1000};
    return nanosleep(&wanted, NULL);
}

/* Processor time is not told apart by user and system. */
clock_t times(struct tms *used)
{
    if (used)
        *used = (struct tms){.tms_utime = (clock_t)(process_ns() / (NS_PER_S / CLOCKS_PER_SEC))};
    return (clock_t)(os_clock(CLOCK_ID_MONOTONIC_NS) / (NS_PER_S / CLOCKS_PER_SEC));
}

clock_t clock(void)
{
    return (clock_t)(process_ns() / (NS_PER_S / CLOCKS_PER_SEC));
}

int getrusage(int who, struct rusage *used)
{
    uint64_t ns = who == RUSAGE_SELF ? process_ns() : 0;
    used->ru_utime =
        (struct timeval){.tv_sec = (time_t)(ns / NS_PER_S), .tv_usec = (suseconds_t)(ns % NS_PER_S / 1000)};
    used->ru_stime = (struct timeval){0};
    return 0;
}
