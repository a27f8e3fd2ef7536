/* From os_main to main and from exit to the end of the process. */
#include <os/log.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libc.h"

int main(int argc, char **argv, char **envp);
void __libc_init_array(void);
void _init(void);
void _fini(void);
void os_main(const struct startup *startup) __attribute__((noreturn));

/* newlib calls these around the arrays of constructors and destructors; there is nothing else to do. */
void _init(void) {}
void _fini(void) {}

/* `count` strings ended by 0, one after the other, as a vector ended by NULL. */
static char **strings(const struct startup *startup, uint32_t offset, uint32_t count)
{
    char *at = (char *)startup + offset;
    char **vector = malloc((count + 1) * sizeof *vector);
    OS_ASSERT(vector);
    for (uint32_t i = 0; i < count; i++) {
        vector[i] = at;
        at += strlen(at) + 1;
    }
    vector[count] = NULL;
    return vector;
}

void os_main(const struct startup *startup)
{
    libc_thread_start();
    fd_start();
    path_start();
    char **argv = strings(startup, startup->argv_offset, startup->argc);
    environ = strings(startup, startup->envv_offset, startup->envc);
    __libc_init_array();
    exit(main((int)startup->argc, argv, environ));
}

void _exit(int status)
{
    os_exit(1, (uint32_t)status & 0xff);
}
