/* What a program may ask about system and user, and small POSIX functions that newlib leaves out. */
#include <abi/ids.h>
#include <err.h>
#include <errno.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "libc.h"

ssize_t getline(char **line, size_t *room, FILE *stream)
{
    return __getline(line, room, stream);
}

ssize_t getdelim(char **line, size_t *room, int end, FILE *stream)
{
    return __getdelim(line, room, end, stream);
}

/* There is one user. */
uid_t getuid(void)
{
    return 0;
}
uid_t geteuid(void)
{
    return 0;
}
gid_t getgid(void)
{
    return 0;
}
gid_t getegid(void)
{
    return 0;
}

pid_t getpid(void)
{
    return (pid_t)PROCESS_ID_SERIAL(os_startup()->process_id);
}

int gethostname(char *name, size_t room)
{
    const char *node = getenv("NODE");
    char made[16];
    if (!node) {
        snprintf(made, sizeof made, "node%u", (unsigned)PROCESS_ID_NODE(os_startup()->process_id));
        node = made;
    }
    if (strlen(node) >= room) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(name, node);
    return 0;
}

int uname(struct utsname *name)
{
    *name = (struct utsname){.sysname = "Shoal", .release = "1", .version = "Shoal", .machine = "x86_64"};
    return gethostname(name->nodename, sizeof name->nodename);
}

int getpagesize(void)
{
    return (int)PAGE_BYTES;
}

long sysconf(int which)
{
    switch (which) {
    case _SC_PAGESIZE:
        return (long)PAGE_BYTES;
    case _SC_OPEN_MAX:
        return FDS_MAX;
    case _SC_CLK_TCK:
        return CLOCKS_PER_SEC;
    case _SC_ARG_MAX:
        return STARTUP_BYTES_MAX / 2;
    case _SC_NPROCESSORS_ONLN:
    case _SC_NPROCESSORS_CONF: {
        struct system_info info;
        handle_t system = os_startup_handle(STARTUP_SYSTEM);
        return system && os_control(system, OP_SYSTEM_INFO, (uint64_t)&info, 0, 0, 0).err == E_OK ? info.cpus : 1;
    }
    default:
        errno = EINVAL;
        return -1;
    }
}

static bool cpu_random(uint64_t *value)
{
    uint32_t a = 1, b, c = 0, d;
    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    for (int tries = 0; (c >> 30 & 1) && tries < 10; tries++) {
        unsigned char good;
        __asm__ volatile("rdrand %0; setc %1" : "=r"(*value), "=qm"(good) : : "cc");
        if (good)
            return true;
    }
    return false;
}

int getentropy(void *to, size_t bytes)
{
    handle_t system = os_startup_handle(STARTUP_SYSTEM);
    if (bytes > 256) {
        errno = EIO;
        return -1;
    }
    if (system && os_control(system, OP_SYSTEM_RANDOM, (uint64_t)to, bytes, 0, 0).err == E_OK)
        return 0;
    for (size_t done = 0; done < bytes; done += 8) {
        uint64_t value;
        if (!cpu_random(&value)) {
            errno = ENOSYS;
            return -1;
        }
        memcpy((char *)to + done, &value, bytes - done < 8 ? bytes - done : 8);
    }
    return 0;
}

int sched_yield(void)
{
    os_yield();
    return 0;
}

static void say(const char *format, va_list arguments, const char *reason)
{
    fprintf(stderr, "%s: ", getprogname());
    vfprintf(stderr, format, arguments);
    fprintf(stderr, reason ? ": %s\n" : "\n", reason);
}

void warn(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments, strerror(errno));
    va_end(arguments);
}

void warnx(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments, NULL);
    va_end(arguments);
}

_Noreturn void err(int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments, strerror(errno));
    va_end(arguments);
    exit(status);
}

_Noreturn void errx(int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments, NULL);
    va_end(arguments);
    exit(status);
}

const char *getprogname(void)
{
    const struct startup *startup = os_startup();
    const char *name = startup->argc ? (const char *)startup + startup->argv_offset : "?";
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}
